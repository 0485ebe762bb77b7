//! The logs of a stage: a line for every request, in its own format, and one for every execution that failed.

use serde_json::Value;

use super::integration::Called;
use crate::local::services::apigatewayv2::StageView;
use crate::local::world::World;

/// Who assumes the account's role for logs.
const PRINCIPAL: &str = "apigateway.amazonaws.com";

/// How a request ended.
pub(super) struct Ended {
    pub status: u16,
    /// What the client was told, where that is an error.
    pub error: Option<&'static str>,
    /// Why the integration failed.
    pub failure: Option<&'static str>,
}

impl Ended {
    /// With an error that no integration is to blame for.
    pub(super) fn with(status: u16, error: &'static str) -> Self {
        Self { status, error: Some(error), failure: None }
    }
}

impl Called {
    /// As API Gateway words it in its logs.
    pub(super) fn failure(&self) -> Option<&'static str> {
        match self {
            Self::Answered(_) => None,
            Self::Failed => Some("Lambda execution failed with status 200 due to customer function error"),
            Self::TimedOut => Some("Execution failed due to a timeout error"),
            Self::NotInvocable => Some("Execution failed due to configuration error: Invalid permissions on Lambda function"),
            Self::Throttled => Some("Lambda invocation failed with status: 429. Rate Exceeded"),
        }
    }
}

/// Writes what the stage's settings ask for; `event` is what the function got, with the context that a format may name.
pub(super) fn write(world: &World, stage: &StageView, event: &Value, ended: &Ended) {
    let context = &event["requestContext"];
    let text = |name: &str| context[name].as_str().unwrap_or_default();
    let (api, name) = (text("apiId"), text("stage"));
    let Some(role) = world.apis.logs_role().filter(|role| world.may_assume(role, PRINCIPAL) == Some(true)) else { return };
    let caller = world.session_caller(role, "BackplaneAssumeRoleSession");
    if let Some((arn, format)) = &stage.access_log
        && let Some((_, group)) = arn.split_once(":log-group:")
    {
        world.write_logs(&caller, group, api, &[filled(format, context, ended)]);
    }
    let settings = stage.route_settings.get(text("routeKey")).unwrap_or(&stage.default_route_settings);
    if let Some(failure) = ended.failure.filter(|_| settings.wants_logs()) {
        let line = format!("({}) {failure}", text("requestId"));
        world.write_logs(&caller, &format!("/aws/apigateway/{api}/{name}"), api, &[line]);
    }
}

const VARIABLE: &str = "$context.";

/// The format with its variables filled in; `-` stands for one that has no value.
fn filled(format: &str, context: &Value, ended: &Ended) -> String {
    let mut parts = format.split(VARIABLE);
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        line.push_str(&value(name, context, ended).unwrap_or_else(|| "-".to_owned()));
        line.push_str(rest);
    }
    line
}

fn value(name: &str, context: &Value, ended: &Ended) -> Option<String> {
    match name {
        "status" => Some(ended.status.to_string()),
        "error.message" => ended.error.map(str::to_owned),
        "error.messageString" => ended.error.map(|text| Value::from(text).to_string()),
        "integrationErrorMessage" => ended.failure.map(str::to_owned),
        other => match name.split('.').try_fold(context, |value, part| value.get(part)).filter(|_| !other.is_empty())? {
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            number @ (Value::Bool(_) | Value::Number(_)) => Some(number.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Ended, filled};

    #[test]
    fn a_format_is_filled_in() {
        let context = json!({ "requestId": "r=", "routeKey": "$connect", "identity": { "sourceIp": "::1" }, "requestTimeEpoch": 7 });
        let format = r#"{"id":"$context.requestId","key":"$context.routeKey","ip":"$context.identity.sourceIp","at":$context.requestTimeEpoch,"s":$context.status,"e":"$context.error.message"} $context.identity $context.no $contextual"#;
        let line = filled(format, &context, &Ended::with(403, "Forbidden"));
        assert_eq!(line, r#"{"id":"r=","key":"$connect","ip":"::1","at":7,"s":403,"e":"Forbidden"} - - $contextual"#);
        assert!(filled("$context.error.message", &context, &Ended { status: 200, error: None, failure: None }) == "-");
    }
}
