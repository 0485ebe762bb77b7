//! Messages through the function to the backend, and what comes back.

use std::time::Duration;

use serde_json::{Value, json};

use super::subject::{Subject, seconds, short};
use crate::verify::causes::{self, Cause};
use crate::verify::check::{Check, Layer, Missed, Verdict};
use crate::verify::client::{Failure, Socket};

const PING: &str = "`ping` is answered by the backend";
const COMMAND: &str = "`command` is answered by the backend";
const RESIZE: &str = "`resize` is answered by the backend";
const DEFAULT: &str = "an unknown route goes to $default";

/// What the smallest message is.
pub(super) fn ping(subject: &Subject<'_>) -> Value {
    json!({ "action": subject.action, "type": "ping" })
}

/// Each in turn: a reply does not say which message it answers. Ends where there is none, since each would take as long.
pub(super) async fn checks(subject: &Subject<'_>, socket: &mut Socket) -> Vec<Check> {
    let messages = [
        (PING, ping(subject)),
        (COMMAND, json!({ "action": subject.action, "type": "command", "command": "echo hello" })),
        (RESIZE, json!({ "action": subject.action, "type": "resize", "cols": 120, "rows": 40 })),
        (DEFAULT, json!({ "action": "nobody-knows-this", "type": "ping" })),
    ];
    let (mut checks, mut ended) = (Vec::new(), false);
    for (name, message) in messages {
        if ended {
            checks.push(subject.skip(Layer::Backend, name, "the message before it got no answer"));
            continue;
        }
        let verdict = async {
            let answered = socket.ask(message.to_string(), subject.limit).await;
            ended = answered.is_err();
            judge(answered)
        };
        checks.push(subject.check(Layer::Backend, name, verdict).await);
    }
    checks
}

pub(super) fn skipped(subject: &Subject<'_>, why: &str) -> Vec<Check> {
    [PING, COMMAND, RESIZE, DEFAULT].into_iter().map(|name| subject.skip(Layer::Backend, name, why)).collect()
}

/// What a message came to.
pub(super) fn judge(answered: Result<(String, Duration), Failure>) -> Verdict {
    match answered {
        Ok((reply, time)) => of_reply(&reply, time),
        Err(Failure::TimedOut(limit)) => Err(Missed::failed(&causes::NO_REPLY, format!("nothing came within {}", seconds(limit)))),
        Err(failure) => Err(Missed::failed(&causes::NOT_HELD, failure.to_string())),
    }
}

fn of_reply(reply: &str, time: Duration) -> Verdict {
    let Ok(parsed) = serde_json::from_str::<Value>(reply) else {
        return Err(Missed::failed(&causes::BAD_REPLY, format!("the reply is no JSON: {}", short(reply))));
    };
    let text = |name: &str| parsed.get(name).and_then(Value::as_str);
    let seen = || format!("{} in {}", short(reply), seconds(time));
    if text("type") == Some("error") {
        return Err(match text("code").filter(|_| text("requestId").is_some()).and_then(of_code) {
            Some(cause) => Missed::failed(cause, seen()),
            None => Missed::unknown(format!("the backend answers, and with an error of its own: {}", seen())),
        });
    }
    // API Gateway's own (WebSocket APIs, errors): no message of a backend has these three and no type.
    match (text("type"), text("message"), text("connectionId"), text("requestId")) {
        (None, Some(said), Some(_), Some(_)) => Err(Missed::failed(of_gateway(said), seen())),
        _ => Ok(seen()),
    }
}

/// What the handler's codes mean.
fn of_code(code: &str) -> Option<&'static Cause> {
    Some(match code {
        "internal_error" | "unknown_connection" => &causes::TABLE_UNREADABLE,
        "auth_expired" => &causes::TOKEN_REFUSED,
        "backend_unreachable" => &causes::BACKEND_UNREACHABLE,
        "backend_timeout" => &causes::BACKEND_SLOW,
        "backend_error" => &causes::BACKEND_ERROR,
        "bad_reply" | "bad_push" | "reply_too_large" | "parts_unavailable" => &causes::BAD_REPLY,
        _ => return None,
    })
}

fn of_gateway(said: &str) -> &'static Cause {
    match said {
        "Forbidden" => &causes::ROUTE_NOT_SERVED,
        "Endpoint request timed out" => &causes::FUNCTION_SLOW,
        "Too Many Requests" => &causes::THROTTLED,
        _ => &causes::FUNCTION_CRASHED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(reply: &str) -> Option<&'static str> {
        let check = Check::of(Layer::Backend, PING, of_reply(reply, Duration::from_millis(5)), Duration::ZERO);
        check.cause().map(|cause| cause.name).or((check.outcome.as_str() == "unknown").then_some("unknown"))
    }

    #[test]
    fn replies_errors_of_the_handler_of_the_gateway_and_of_the_backend_are_told_apart() {
        for (reply, expected) in [
            (r#"{"type":"pong"}"#, None),
            (r#"{"message":"a chat line","connectionId":"x"}"#, None),
            ("[1,2]", None),
            ("<html>", Some("bad-reply")),
            (r#"{"type":"error","code":"backend_timeout","message":"m","requestId":"R="}"#, Some("backend-slow")),
            (r#"{"type":"error","code":"internal_error","message":"m","requestId":"R="}"#, Some("table-unreadable")),
            (r#"{"type":"error","code":"unknown_type","message":"m"}"#, Some("unknown")),
            (r#"{"type":"error","code":"backend_timeout","message":"another gateway's"}"#, Some("unknown")),
            (r#"{"message": "Internal server error", "connectionId":"Q=", "requestId":"R="}"#, Some("function-crashed")),
            (r#"{"message": "Forbidden", "connectionId":"Q=", "requestId":"R="}"#, Some("route-not-served")),
            (r#"{"message": "Endpoint request timed out", "connectionId":"Q=", "requestId":"R="}"#, Some("function-slow")),
        ] {
            assert_eq!(cause(reply), expected, "{reply}");
        }
    }

    /// The codes that the handler can answer these messages with.
    #[test]
    fn every_code_of_the_handler_has_its_cause() {
        let documented = include_str!("../../../docs/handler.md").split("| `code` | meaning |").nth(1).expect("the table of codes");
        let codes = documented.lines().skip(2).take_while(|line| line.starts_with("| `")).filter_map(|line| line.split('`').nth(1));
        let ours = ["bad_message", "bad_part", "incomplete_message", "message_too_large"]; // only for what these messages are not
        let unknown: Vec<&str> = codes.filter(|code| of_code(code).is_none() && !ours.contains(code)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
