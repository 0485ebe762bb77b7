//! Config -> what another tool's template needs to make the same stack. Pure, but for the keys that an issuer publishes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::desired::Desired;
use super::error::Error;
use super::issuer;
use super::logging::FORMAT;
use super::observed::{Observed, Place};
use super::ownership::description;
use super::permissions::{Scope, execution_role};
use super::request::Request;
use super::resources::{function, integration, table};
use crate::config::variables::may_be_shown;
use crate::config::{AccessLogs, Config, Reply, Throttle};
use crate::contract::{env, reply};

/// A stack, without what only its account knows. It bears the marks of one that was adopted: another tool makes it, and deletes it.
#[derive(Clone, Debug, Serialize)]
pub struct Blueprint {
    /// The stack's name.
    pub stack: String,
    /// The execution role as the config names it: a name or an ARN.
    pub role: Option<String>,
    /// The mark of the API, the integration and the function.
    pub description: String,
    /// Tags of everything that can be tagged, the mark among them.
    pub tags: BTreeMap<String, String>,
    /// The table of connections.
    pub table: String,
    /// The statements of the table's resource policy; the principal is the execution role.
    pub table_policy: Value,
    /// The function.
    pub function: Function,
    /// Variables of the function that may be seen, but for those of [`Self::backend_url`], the API and the reply mode.
    pub environment: BTreeMap<String, String>,
    /// Names of the variables of the function that hold secrets.
    pub secrets: Vec<String>,
    /// Base URL of the backend.
    pub backend_url: Option<String>,
    /// The function's log group.
    pub log_group: String,
    /// The stage's log group.
    pub access_log_group: String,
    /// One of the values that CloudWatch Logs accepts.
    pub log_retention_days: i32,
    /// `on` or `off`; a template cannot look whether they can be written, as `auto` does.
    pub access_logs: &'static str,
    /// The format of the stage's access logs.
    pub access_log_format: &'static str,
    /// `management-api` or `route-response`; a template cannot ask what the role may do, as `auto` does.
    pub reply: &'static str,
    /// The API with its stage.
    pub api: Api,
    /// Keys of all routes: the gateway's own, and the custom ones.
    pub routes: Vec<String>,
}

/// The function.
#[derive(Clone, Debug, Serialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// As AWS writes it.
    pub architecture: &'static str,
    /// As AWS writes it.
    pub runtime: &'static str,
    /// The entry point.
    pub handler: &'static str,
    /// Memory in MB.
    pub memory_mb: i32,
    /// Time limit in seconds.
    pub timeout_seconds: i32,
}

/// The API with its stage.
#[derive(Clone, Debug, Serialize)]
pub struct Api {
    /// Its name.
    pub name: String,
    /// What picks a message's route.
    pub route_selection_expression: String,
    /// The stage's name.
    pub stage: String,
    /// Longest time that the gateway waits for the function, in milliseconds.
    pub timeout_millis: i32,
    /// Handshakes.
    pub connect_throttle: Limit,
    /// Messages.
    pub message_throttle: Limit,
}

/// A limit of API Gateway.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limit {
    /// Requests per second.
    pub rate: u32,
    /// Requests at once.
    pub burst: u32,
}

impl From<Throttle> for Limit {
    fn from(Throttle { rate, burst }: Throttle) -> Self {
        Self { rate, burst }
    }
}

impl Blueprint {
    /// What a config wants. `place`: where everything is, in the words that the template has for it.
    ///
    /// # Errors
    /// When the issuer whose keys are pinned gives none.
    pub async fn new(config: &Config, place: &Place) -> Result<Self, Error> {
        let want = Desired::partly(config);
        let mut environment = want.environment.clone();
        environment.extend(issuer::pinned(config).await.map_err(|refusal| Error::Refused(vec![refusal]))?);
        environment.remove(env::APP_RUNNER_URL);
        let (shown, secret): (Vec<_>, Vec<_>) = environment.into_iter().partition(|(name, _)| may_be_shown(name));
        let mut secrets: Vec<String> = secret.into_iter().map(|(name, _)| name).collect();
        secrets.extend(missing(config).filter(|name| !secrets.iter().any(|secret| secret == name)).map(str::to_owned).collect::<Vec<_>>());
        let needs = execution_role(Scope { want: &want, place, caller: None, role: None, api: None, marked: &[], table_policy: false });
        Ok(Self {
            stack: want.stack.clone(),
            role: want.role.clone(),
            description: description(&want.stack, None, true),
            tags: want.tags_of(true),
            table: want.table.clone(),
            table_policy: table::foreign_policy(&want.stack, &needs)["Statement"].clone(),
            function: Function {
                name: want.function.name.clone(),
                architecture: want.function.architecture.as_str(),
                runtime: function::RUNTIME,
                handler: function::HANDLER,
                memory_mb: want.function.memory_mb,
                timeout_seconds: want.function.timeout_seconds,
            },
            environment: shown.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect(),
            secrets,
            backend_url: config.backend_url.clone(),
            log_group: want.log_group(),
            access_log_group: want.access_log_group(),
            log_retention_days: want.log_retention_days,
            access_logs: if want.access_logs == AccessLogs::On { "on" } else { "off" },
            access_log_format: FORMAT,
            reply: if want.reply == Reply::ManagementApi { reply::MANAGEMENT_API } else { reply::ROUTE_RESPONSE },
            routes: want.routes().map(str::to_owned).collect(),
            api: Api {
                timeout_millis: integration::TIMEOUT_MILLIS,
                connect_throttle: want.api.connect_throttle.into(),
                message_throttle: want.api.message_throttle.into(),
                name: want.api.name,
                route_selection_expression: want.api.route_selection_expression,
                stage: want.api.stage,
            },
        })
    }
}

/// Secrets that a stack needs, or should have, and that are not at hand: a template does not need their values.
fn missing(config: &Config) -> impl Iterator<Item = &'static str> {
    let jwt = &config.jwt;
    let token = jwt.accepts_tokens() && jwt.secret.is_none() && jwt.keys.is_none();
    let ticket = jwt.accepts_tickets() && jwt.ticket_key.is_none();
    [(token, env::JWT_SECRET), (ticket, env::TICKET_KEY), (true, env::SIGNING_KEY)]
        .into_iter()
        .filter(|(missing, _)| *missing)
        .map(|(_, name)| name)
}

/// The policies that the two principals need, without a look at the account: for all that it holds, they may have nothing yet.
#[must_use]
pub fn policies(config: &Config, place: Place) -> Request {
    Request::new(&Desired::partly(config), &Observed { place, ..Observed::default() }, &[])
}
