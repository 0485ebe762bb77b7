//! The list against the calls that the sources make, and against the operations that AWS has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::{Reply, SecretSource, Settings};
use crate::provision::desired::tests::{config, desired};

const OPERATIONS: &str = include_str!("../../../tests/fixtures/aws-operations.txt");

fn place() -> Place {
    Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() }
}

fn stored_secret(id: &str, member: Option<&str>) -> SecretSource {
    SecretSource::SecretsManager { id: id.to_owned(), member: member.map(str::to_owned) }
}

/// Everything that any config may need.
fn every_need() -> (Vec<Need>, Vec<Need>) {
    let place = place();
    let mut stored = config(Settings::default());
    let mut wants = vec![desired(Settings::default())];
    for source in [SecretSource::Ssm("/terminal/jwt".to_owned()), stored_secret("terminal/jwt", None)] {
        stored.jwt.secret = Some(source);
        wants.push(Desired::partly(&stored));
    }
    wants[0].consent.adopt = true;
    let (mut callers, mut handlers) = (Vec::new(), Vec::new());
    for want in &wants {
        let scope = Scope { want, place: &place, caller: None, role: None, api: None, marked: &[], table_policy: false };
        callers.extend(caller(scope));
        handlers.extend(execution_role(scope));
    }
    callers.push(before_a_stack());
    (callers, handlers)
}

/// The Rust files below a folder of `src`.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()) {
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// The code of a folder without its tests, white space collapsed.
fn code(folder: &str) -> String {
    let tests = |path: &PathBuf| {
        ["tests", "testing"].iter().any(|name| path.components().any(|part| Path::new(part.as_os_str()).file_stem() == Some(name.as_ref())))
    };
    let text = |path: PathBuf| {
        let text = fs::read_to_string(path).expect("readable");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    files(folder).into_iter().filter(|path| !tests(path)).map(text).collect()
}

/// Each `ApiCall` of the sources: name and action.
fn calls_in_sources() -> BTreeSet<(String, String)> {
    let code = code("provision");
    let call = |text: &str| {
        let (name, rest) = text.split_once("\", iam: \"")?;
        Some((name.to_owned(), rest.split_once('"')?.0.to_owned()))
    };
    code.split("ApiCall { name: \"").skip(1).filter_map(call).collect()
}

#[test]
fn the_list_holds_what_the_sources_call_and_nothing_else() {
    let (needs, _) = every_need();
    let listed: BTreeSet<(String, String)> =
        needs.iter().flat_map(|need| need.calls.iter().map(|call| ((*call).to_owned(), need.action.to_owned()))).collect();
    let mut called = calls_in_sources();
    assert!(called.len() > 40, "the calls were not found: {called:?}");
    // Needs no permission at all.
    assert!(called.remove(&("GetCallerIdentity".to_owned(), "sts:GetCallerIdentity".to_owned())));
    assert_eq!(called.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "called, and not in the list");
    assert_eq!(listed.difference(&called).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "in the list, and never called");
}

/// `GetItem` and its like as they stand in the handler's code; logs are written by Lambda, and keys decrypted by their store.
#[test]
fn the_handler_calls_what_its_role_needs_and_nothing_else() {
    let code = code("handler");
    let (_, needs) = every_need();
    let listed: BTreeSet<&str> =
        needs.iter().filter(|need| !matches!(need.group, Group::LogLines | Group::Replies)).flat_map(|need| need.calls).copied().collect();
    let known = OPERATIONS
        .lines()
        .filter(|line| ["dynamodb: ", "ssm: ", "secretsmanager: ", "kms: "].iter().any(|service| line.starts_with(service)));
    let called: BTreeSet<&str> =
        known.flat_map(|line| line.split(' ').skip(1)).filter(|operation| code.contains(&format!("\"{operation}\""))).collect();
    assert_eq!(called, listed);
    assert!(code.contains("/@connections/{}"), "replies are posted");
}

#[test]
fn every_action_is_one_that_aws_has() {
    let (callers, handlers) = every_need();
    for need in callers.iter().chain(&handlers) {
        let (service, operation) = need.action.split_once(':').expect("service and action");
        let verb = service == "apigateway" && ["GET", "POST", "PATCH", "DELETE"].contains(&operation);
        // Permissions that are no operations of their own.
        let other = ["iam:PassRole", "execute-api:ManageConnections"].contains(&need.action);
        let line = OPERATIONS.lines().find(|line| line.starts_with(&format!("{service}: "))).unwrap_or_default();
        assert!(verb || other || line.split(' ').any(|known| known == operation), "{}", need.action);
    }
}

#[test]
fn needs_are_told_apart_and_explained() {
    let place = place();
    let want = desired(Settings::default());
    let scope = Scope {
        want: &want,
        place: &place,
        caller: None,
        role: Some("arn:aws:iam::111122223333:role/p/r"),
        api: Some("a1b2c3"),
        marked: &[],
        table_policy: false,
    };
    let needs: Vec<Need> = caller(scope).into_iter().chain(execution_role(scope)).collect();
    for (at, need) in needs.iter().enumerate() {
        let twins = |call: &&str| {
            needs.iter().skip(at + 1).any(|other| (other.group, other.action) == (need.group, need.action) && other.calls.contains(call))
        };
        assert!(!need.calls.iter().any(twins), "{} of {:?} is listed twice", need.action, need.calls);
        assert!(!need.why.is_empty() && !need.without.is_empty() && !need.resources.is_empty(), "{need:#?}");
        assert!(need.group.sid().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let whole = need.resources.iter().any(|resource| resource == "*");
        assert!(!whole || ["iam:ListRoles", "lambda:ListEventSourceMappings"].contains(&need.action), "{need:#?}");
    }
    let pass: Vec<_> = needs.iter().filter(|need| need.action == "iam:PassRole").collect();
    assert_eq!(pass.len(), 1);
    assert_eq!(pass[0].resources, ["arn:aws:iam::111122223333:role/p/r"]);
    assert_eq!(pass[0].condition, Some(("iam:PassedToService", "lambda.amazonaws.com".to_owned())));
    assert!(!needs.iter().any(|need| need.action.starts_with("iam:")
        && ["Create", "Put", "Attach", "Delete", "Update"].iter().any(|verb| need.action[4..].starts_with(verb))));
}

#[test]
fn resources_are_the_least_that_do() {
    let place = place();
    let want = desired(Settings { existing_role: Some("r".to_owned()), ..Settings::default() });
    let scope = Scope { want: &want, place: &place, caller: None, role: None, api: Some("a1b2c3"), marked: &[], table_policy: false };
    let of = |needs: &[Need], call: &str| -> Vec<String> {
        needs.iter().filter(|need| need.calls.contains(&call)).flat_map(|need| need.resources.clone()).collect()
    };
    let needs = caller(scope);
    assert_eq!(of(&needs, "UpdateStage"), ["arn:aws:apigateway:eu-west-1::/apis/a1b2c3/stages/prod"]);
    let groups =
        ["/aws/lambda/websocket-handler", "/aws/apigateway/terminal", "/aws/apigateway/a1b2c3/*", "API-Gateway-Execution-Logs_a1b2c3/*"];
    let arn = |name: &str| format!("arn:aws:logs:eu-west-1:111122223333:log-group:{name}");
    assert_eq!(of(&needs, "DeleteLogGroup"), groups.map(|name| [arn(name), arn(name) + ":*"]).concat());
    assert!(of(&needs, "ListRoles").is_empty(), "a role is named");
    let role = execution_role(scope);
    assert_eq!(of(&role, "PostToConnection"), ["arn:aws:execute-api:eu-west-1:111122223333:a1b2c3/prod/POST/@connections/*"]);
    assert!(role.iter().find(|need| need.group == Group::Replies).is_some_and(|need| need.optional));
    let route = Desired { reply: Reply::RouteResponse, ..want.clone() };
    assert!(of(&execution_role(Scope { want: &route, ..scope }), "PostToConnection").is_empty());
    let china = Place { partition: "aws-cn".to_owned(), region: "cn-north-1".to_owned(), ..place.clone() };
    let needs = caller(Scope { place: &china, ..scope });
    assert!(needs.iter().flat_map(|need| &need.resources).all(|resource| resource.starts_with("arn:aws-cn:")));
}

#[test]
fn a_stored_key_is_read_by_its_arn() {
    let place = place();
    let arns = |source: SecretSource| {
        let mut config = config(Settings::default());
        config.jwt.secret = Some(source);
        let want = Desired::partly(&config);
        let needs =
            execution_role(Scope { want: &want, place: &place, caller: None, role: None, api: None, marked: &[], table_policy: false });
        let keys = needs.into_iter().filter(|need| need.group == Group::TokenKey);
        keys.map(|need| format!("{} {}", need.action, need.resources.join(" "))).collect::<Vec<_>>()
    };
    let decrypt = "kms:Decrypt arn:aws:kms:eu-west-1:111122223333:key/*";
    assert_eq!(arns(SecretSource::Ssm("/a/b".to_owned())), ["ssm:GetParameter arn:aws:ssm:eu-west-1:111122223333:parameter/a/b", decrypt]);
    let secret = "secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-1:111122223333:secret:a/b-??????";
    assert_eq!(arns(stored_secret("a/b", Some("jwt"))), [secret, decrypt]);
    let whole = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:a-AbCdEf";
    assert_eq!(arns(stored_secret(whole, None))[0], format!("secretsmanager:GetSecretValue {whole}"));
    assert!(arns(SecretSource::Value(crate::secret::Secret::new("x".repeat(32)))).is_empty());
}
