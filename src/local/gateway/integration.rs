//! From a route to the function behind it, and what its answer means.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::timeout;

use crate::local::connections::Connection;
use crate::local::patience::patience;
use crate::local::services::apigatewayv2::{Integration, Route, Snapshot};
use crate::local::services::lambda::{self, Refusal};
use crate::local::world::World;
use crate::policy::{Context, Document, Request, trusts};

/// Who invokes functions for an API.
const PRINCIPAL: &str = "apigateway.amazonaws.com";

/// What came of an event.
#[derive(Clone, Debug)]
pub(super) enum Called {
    /// The function answered this.
    Answered(Bytes),
    /// It failed.
    Failed,
    /// It took longer than the integration may.
    TimedOut,
    /// It could not be invoked: no permission, no such function, nothing that can be invoked.
    NotInvocable,
    /// Too many of its events run.
    Throttled,
}

/// Gives an event to the function behind a route. A function that is too slow goes on by itself.
pub(super) async fn call(world: &Arc<World>, connection: &Connection, snapshot: &Snapshot, route: &Route, event: &Value) -> Called {
    let Some(integration) = snapshot.integration(route) else { return Called::NotInvocable };
    if integration.integration_type == "MOCK" {
        return Called::Answered(Bytes::from_static(br#"{"statusCode":200}"#));
    }
    let Some(function) = function_of(world, integration) else { return Called::NotInvocable };
    if !may_invoke(world, connection, integration, &route.route_key, &function) {
        return Called::NotInvocable;
    }
    let limit = Duration::from_millis(u64::try_from(integration.timeout_in_millis).unwrap_or(29_000));
    let (limit, world, event) = (patience(&world.clock, limit), world.clone(), Bytes::from(event.to_string()));
    let running = tokio::spawn(async move { lambda::run(&world, &function, event, false).await });
    match timeout(limit, running).await {
        Err(_) => Called::TimedOut,
        Ok(Ok(Ok(finished))) if finished.is_error => Called::Failed,
        Ok(Ok(Ok(finished))) => Called::Answered(finished.payload),
        Ok(Ok(Err(Refusal::Throttled(_)))) => Called::Throttled,
        Ok(Ok(Err(Refusal::Unable(_))) | Err(_)) => Called::NotInvocable,
    }
}

/// The bare name of the function in an integration's URI.
fn function_of(world: &World, integration: &Integration) -> Option<String> {
    if integration.integration_type != "AWS_PROXY" {
        return None;
    }
    let prefix = format!("arn:aws:apigateway:{}:lambda:path/2015-03-31/functions/", world.region);
    let arn = integration.integration_uri.as_deref()?.strip_prefix(&prefix)?.strip_suffix("/invocations")?;
    lambda::name_in(world, arn).ok()
}

/// By the function's resource policy, or by the role that the integration names.
fn may_invoke(world: &World, connection: &Connection, integration: &Integration, route_key: &str, function: &str) -> bool {
    let arn = world.arn("lambda", &format!("function:{function}"));
    let action = "lambda:InvokeFunction";
    if let Some(role) = &integration.credentials_arn {
        let caller = world.session_caller(role, "BackplaneAssumeRoleSession");
        return world.may_assume(role, PRINCIPAL) == Some(true) && world.authorize(&caller, action, &arn, None).is_ok();
    }
    let Some(policy) = world.functions.policy(function).and_then(|policy| Document::parse(&policy).ok()) else { return false };
    let source = world.arn("execute-api", &format!("{}/{}/{route_key}", connection.api_id, connection.stage));
    let context = Context::default().with("aws:SourceArn", source).with("aws:SourceAccount", &world.account.id);
    trusts(&policy, PRINCIPAL, Request { action, resource: &arn, context: &context })
}

/// What a function's answer says, where it is one that a proxy integration understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProxyAnswer {
    pub status: u16,
    pub body: Option<String>,
    /// The sub-protocol that `$connect` chose.
    pub subprotocol: Option<String>,
}

impl ProxyAnswer {
    /// `None`: no object with a status code that HTTP has.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(payload).ok()?;
        let code = answer.get("statusCode")?;
        let status = code.as_u64().and_then(|number| u16::try_from(number).ok()).or_else(|| code.as_str()?.parse().ok())?;
        let encoded = answer.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
        let body = match answer.get("body").and_then(Value::as_str) {
            Some(text) if encoded => Some(String::from_utf8_lossy(&STANDARD.decode(text).ok()?).into_owned()),
            other => other.map(str::to_owned),
        };
        let found = (100..600).contains(&status).then_some(status)?;
        Some(Self { status: found, body, subprotocol: header(&answer, "sec-websocket-protocol") })
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

fn header(answer: &Value, wanted: &str) -> Option<String> {
    let of = |member: &str| {
        let headers = answer.get(member)?.as_object()?;
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone())
    };
    match of("headers").or_else(|| of("multiValueHeaders"))? {
        Value::String(text) => Some(text),
        Value::Array(values) => values.first()?.as_str().map(str::to_owned),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::ProxyAnswer;

    #[test]
    fn an_answer_needs_a_status_code() {
        let status = |payload: &str| ProxyAnswer::read(payload.as_bytes()).map(|answer| answer.status);
        assert_eq!(status(r#"{"statusCode":200}"#), Some(200));
        assert_eq!(status(r#"{"statusCode":"401"}"#), Some(401));
        for payload in ["null", "200", "[]", "{}", r#"{"statusCode":null}"#, r#"{"statusCode":99}"#, r#"{"statusCode":70000}"#, "no json"] {
            assert_eq!(status(payload), None, "{payload}");
        }
    }

    #[test]
    fn the_subprotocol_is_found_whatever_its_case() {
        let chosen = |payload: &str| ProxyAnswer::read(payload.as_bytes()).and_then(|answer| answer.subprotocol);
        let expected = Some("wsfix.jwt".to_owned());
        assert_eq!(chosen(r#"{"statusCode":200,"headers":{"sec-websocket-PROTOCOL":"wsfix.jwt"}}"#), expected);
        assert_eq!(chosen(r#"{"statusCode":200,"multiValueHeaders":{"Sec-WebSocket-Protocol":["wsfix.jwt"]}}"#), expected);
        assert_eq!(chosen(r#"{"statusCode":200}"#), None);
    }

    #[test]
    fn a_body_may_be_base64() {
        let answer = ProxyAnswer::read(br#"{"statusCode":200,"body":"aGk=","isBase64Encoded":true}"#).unwrap();
        assert_eq!(answer.body.as_deref(), Some("hi"));
    }
}
