//! App Runner: the list of services. Which ones there are comes from the account file.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::account::AppRunnerService;
use crate::local::json::{invalid, read};
use crate::local::wire::{Answer, Call, Outcome, Service, ServiceError};
use crate::local::world::World;
use crate::local::{ids, protocol};

/// What App Runner says about a request that is wrong.
const INVALID: &str = "InvalidRequestException";
/// The most services in one answer (ListServices, `MaxResults`).
const MOST: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// Answers an operation of App Runner.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    if call.operation != "ListServices" {
        return Err(protocol::unknown_operation(Service::AppRunner, &call.operation));
    }
    let Input { next_token, max_results } = read(call)?;
    // A list is of no service in particular.
    world.authorize(&call.caller, "apprunner:ListServices", "*", None)?;
    let most = match max_results {
        Some(0) => return Err(invalid(INVALID, "maxResults", "0", "Member must have value greater than or equal to 1")),
        Some(most) if most > MOST => {
            let constraint = format!("Member must have value less than or equal to {MOST}");
            return Err(invalid(INVALID, "maxResults", &most.to_string(), &constraint));
        }
        most => most.unwrap_or(MOST),
    };
    let wrong = || ServiceError::new(400, INVALID, "The provided NextToken is invalid.");
    let start = next_token.map_or(Some(0), |token| token.strip_prefix("at-")?.parse::<usize>().ok()).ok_or_else(wrong)?;
    let all = &world.account.app_runner_services;
    let page: Vec<Value> = all.iter().skip(start).take(most).map(|(name, service)| summary(world, name, service)).collect();
    let mut body = json!({ "ServiceSummaryList": page });
    if all.len().saturating_sub(start) > most {
        body["NextToken"] = Value::from(format!("at-{}", start + most));
    }
    Ok(Answer::json(200, &body))
}

fn summary(world: &World, name: &str, service: &AppRunnerService) -> Value {
    let digest = ids::hex(ring::digest::digest(&ring::digest::SHA256, name.as_bytes()).as_ref());
    let id = &digest[..32];
    let host = || format!("{}.{}.awsapprunner.com", &digest[..10], world.region);
    json!({
        "ServiceName": name,
        "ServiceId": id,
        "ServiceArn": world.arn("apprunner", &format!("service/{name}/{id}")),
        "ServiceUrl": service.url.clone().unwrap_or_else(host),
        "CreatedAt": 1_767_225_600.0,
        "UpdatedAt": 1_767_225_600.0,
        "Status": service.status,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::answer;
    use crate::local::wire::{Service, tests::call};
    use crate::local::world::World;
    use crate::local::{Account, Options};

    /// A world with so many services.
    fn world(services: usize) -> Arc<World> {
        let mut text = "extends: default\napprunner_services:\n  aaaa: {url: a.example, status: PAUSED}\n".to_owned();
        for number in 1..services {
            let _ = writeln!(text, "  service-{number:02}: {{}}");
        }
        Arc::new(World::new(&Options { account: Account::parse(&text, "f").unwrap(), ..Options::default() }, 4566))
    }

    async fn list(world: &Arc<World>, input: Value) -> Result<Value, String> {
        let outcome = answer(world, &call(Service::AppRunner, "ListServices", input.to_string())).await;
        outcome.map(|answer| serde_json::from_slice(&answer.body).unwrap()).map_err(|error| format!("{}: {}", error.code, error.message))
    }

    #[tokio::test]
    async fn services_come_in_pages() {
        let world = world(21);
        let first = list(&world, json!({})).await.unwrap();
        assert_eq!(first["ServiceSummaryList"].as_array().unwrap().len(), 20);
        assert_eq!(
            (&first["ServiceSummaryList"][0]["ServiceUrl"], &first["ServiceSummaryList"][0]["Status"]),
            (&json!("a.example"), &json!("PAUSED"))
        );
        let last = list(&world, json!({"NextToken": first["NextToken"]})).await.unwrap();
        let [only] = last["ServiceSummaryList"].as_array().unwrap().as_slice() else { panic!("{last:#}") };
        assert_eq!((&only["ServiceName"], &only["Status"]), (&json!("service-20"), &json!("RUNNING")));
        assert!(only["ServiceUrl"].as_str().unwrap().ends_with(".us-east-1.awsapprunner.com"), "{only:#}");
        assert!(last["NextToken"].is_null(), "{last:#}");
        for (wrong, said) in [(json!({"MaxResults": 21}), "less than or equal to 20"), (json!({"NextToken": "x"}), "NextToken is invalid")]
        {
            let error = list(&world, wrong).await.unwrap_err();
            assert!(error.starts_with("InvalidRequestException: ") && error.contains(said), "{error}");
        }
    }
}
