//! The whole stack, for other tools that make it.

use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::{Filled, Given, names};
use crate::contract::{SESSION_INDEX, env, item};
use crate::provision::blueprint::Blueprint;
use crate::provision::fill::rendered;
use crate::provision::{self, Place};

const CLOUDFORMATION: &str = include_str!("../../templates/stack/cloudformation.yaml");
const TERRAFORM: &str = include_str!("../../templates/stack/terraform.tf");
const SAM_README: &str = include_str!("../../templates/stack/sam-readme.md");
const LICENSE: &str = include_str!("../../LICENSE");

/// A secret that whoever deploys gives.
#[derive(Serialize)]
struct Parameter {
    /// The variable of the function.
    name: String,
    /// The parameter.
    id: String,
    about: String,
    optional: bool,
    /// Fewest characters; 0: any.
    least: u32,
}

/// A route, and how the template calls it.
#[derive(Serialize)]
struct Route {
    key: String,
    id: String,
    /// Whether it may send what the function returns.
    answers: bool,
}

pub(super) async fn sam(given: Given<'_>) -> Result<Filled, provision::Error> {
    let context = in_cloudformation(given, true).await?;
    let template = Filled::of("template.yaml", rendered(CLOUDFORMATION, context.clone()));
    Ok(template.and("README.md", rendered(SAM_README, context)).and("LICENSE", LICENSE))
}

pub(super) async fn cloudformation(given: Given<'_>) -> Result<Filled, provision::Error> {
    Ok(Filled::of("cloudformation.yaml", rendered(CLOUDFORMATION, in_cloudformation(given, false).await?)))
}

pub(super) async fn terraform(given: Given<'_>) -> Result<Filled, provision::Error> {
    let place = |what: &str| format!("${{data.aws_{what}}}");
    let place = Place {
        account: place("caller_identity.current.account_id"),
        partition: place("partition.current.partition"),
        region: place("region.current.region"),
    };
    let blueprint = Blueprint::new(given.config, &place).await?;
    let more = context! { secrets => Serde(parameters(&blueprint, names::snake)) };
    Ok(Filled::of("main.tf", rendered(TERRAFORM, context! { ..more, ..common(&blueprint) })))
}

async fn in_cloudformation(given: Given<'_>, sam: bool) -> Result<minijinja::Value, provision::Error> {
    let place = |name: &str| format!("${{AWS::{name}}}");
    let place = Place { account: place("AccountId"), partition: place("Partition"), region: place("Region") };
    let blueprint = Blueprint::new(given.config, &place).await?;
    let routes = names::of(blueprint.routes.iter().map(String::as_str));
    let routes: Vec<Route> = blueprint
        .routes
        .iter()
        .zip(routes)
        .map(|(key, id)| Route { key: key.clone(), id, answers: !["$connect", "$disconnect"].contains(&key.as_str()) })
        .collect();
    let more = context! {
        sam,
        version => env!("CARGO_PKG_VERSION"),
        region => given.config.connection.region.as_deref(),
        stack_name => stack_name(&blueprint.stack),
        secrets => Serde(parameters(&blueprint, str::to_owned)),
        routes => Serde(routes),
    };
    Ok(context! { ..more, ..common(&blueprint) })
}

/// What the templates of all tools are filled in with.
fn common(blueprint: &Blueprint) -> minijinja::Value {
    let fixed = context! {
        // The default of a parameter has no way to name the account.
        role => blueprint.role.as_ref().filter(|role| role.starts_with("arn:")),
        keys => context! {
            connection => item::CONNECTION_ID, session => item::SESSION_ID, expiry => item::EXPIRES_AT, index => SESSION_INDEX,
        },
        names => context! { backend => env::APP_RUNNER_URL, domain => env::DOMAIN_NAME, reply => env::REPLY },
    };
    context! { ..fixed, ..minijinja::Value::from(Serde(blueprint)) }
}

/// `written`: how the tool writes their names.
fn parameters(blueprint: &Blueprint, written: fn(&str) -> String) -> Vec<Parameter> {
    let ids = names::of(blueprint.secrets.iter().map(|name| name.strip_prefix("WSFIX_").unwrap_or(name)));
    blueprint
        .secrets
        .iter()
        .zip(ids)
        .map(|(name, id)| {
            let (about, optional, least) = match name.as_str() {
                env::JWT_SECRET => ("The key that signs tokens, as your application has it.", false, 32),
                env::TICKET_KEY => ("The key that your backend makes tickets with.", false, 32),
                env::SIGNING_KEY => {
                    ("The key that signs requests to the backend, so that it can refuse all others: openssl rand -hex 32.", true, 32)
                }
                _ => ("", false, 0),
            };
            let about = if about.is_empty() { format!("The function's variable {name}.") } else { about.to_owned() };
            Parameter { name: name.clone(), id: written(&id), about, optional, least }
        })
        .collect()
}

/// A CloudFormation stack's name has letters, digits and `-`, a letter first.
fn stack_name(stack: &str) -> String {
    let plain = stack.replace(['_', '.'], "-");
    if plain.starts_with(|first: char| first.is_ascii_alphabetic()) { plain } else { format!("wsfix-{plain}") }
}
