//! The events that a function gets: `CONNECT`, `MESSAGE`, `DISCONNECT`. Pure.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::local::connections::Connection;

/// What all events of one connection share.
pub(super) struct Frame<'a> {
    pub connection: &'a Connection,
    /// `{apiId}.execute-api.{region}.amazonaws.com`
    pub domain_name: &'a str,
    /// Variables of the stage; the event has them only where there are any.
    pub variables: &'a BTreeMap<String, String>,
    pub request_id: &'a str,
    /// Epoch milliseconds.
    pub now_ms: i64,
}

impl Frame<'_> {
    fn context(&self, route_key: &str, event_type: &str) -> Value {
        let mut identity = json!({ "sourceIp": self.connection.source_ip });
        if let Some(agent) = &self.connection.user_agent {
            identity["userAgent"] = agent.as_str().into();
        }
        json!({
            "routeKey": route_key,
            "eventType": event_type,
            "extendedRequestId": self.request_id,
            "requestId": self.request_id,
            "requestTime": request_time(self.now_ms),
            "requestTimeEpoch": self.now_ms,
            "messageDirection": "IN",
            "stage": self.connection.stage,
            "connectedAt": self.connection.connected_at,
            "identity": identity,
            "domainName": self.domain_name,
            "connectionId": self.connection.id,
            "apiId": self.connection.api_id,
        })
    }

    fn event(&self, context: Value, members: Vec<(&str, Value)>) -> Value {
        let mut event = json!({ "requestContext": context, "isBase64Encoded": false });
        for (name, value) in members {
            event[name] = value;
        }
        if !self.variables.is_empty() {
            event["stageVariables"] = json!(self.variables);
        }
        event
    }

    /// The handshake, with its headers and query.
    pub(super) fn connect(&self, headers: &HeaderMap, query: &str, trace_id: &str) -> Value {
        let (single, multi) = pairs(self.headers(headers, trace_id));
        let mut members = vec![("headers", single), ("multiValueHeaders", multi)];
        if !query.is_empty() {
            let parameters = url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()));
            let (single, multi) = pairs(parameters);
            members.extend([("queryStringParameters", single), ("multiValueQueryStringParameters", multi)]);
        }
        self.event(self.context("$connect", "CONNECT"), members)
    }

    /// The client's headers as the gateway passes them on: without those of one hop, with its own.
    fn headers(&self, headers: &HeaderMap, trace_id: &str) -> Vec<(String, String)> {
        let hop = ["host", "connection", "upgrade", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"];
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut passed = vec![("Host".to_owned(), self.domain_name.to_owned())];
        for (name, value) in headers.iter().filter(|(name, _)| !hop.contains(&name.as_str())) {
            passed.push((train_case(name.as_str()), text(value)));
        }
        let forwarded: Vec<String> =
            headers.get_all("x-forwarded-for").iter().map(text).chain([self.connection.source_ip.clone()]).collect();
        passed.push(("X-Amzn-Trace-Id".to_owned(), trace_id.to_owned()));
        passed.push(("X-Forwarded-For".to_owned(), forwarded.join(", ")));
        passed.push(("X-Forwarded-Port".to_owned(), "443".to_owned()));
        passed.push(("X-Forwarded-Proto".to_owned(), "https".to_owned()));
        passed
    }

    /// One message of the client.
    pub(super) fn message(&self, route_key: &str, message_id: &str, body: &str) -> Value {
        let mut context = self.context(route_key, "MESSAGE");
        context["messageId"] = message_id.into();
        self.event(context, vec![("body", body.into())])
    }

    /// The end, with code and reason. The headers are these four, and mostly empty.
    pub(super) fn disconnect(&self, code: u16, reason: &str) -> Value {
        let mut context = self.context("$disconnect", "DISCONNECT");
        context["disconnectStatusCode"] = code.into();
        context["disconnectReason"] = reason.into();
        let headers = [("Host", self.domain_name), ("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", "")];
        let (single, multi) = pairs(headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        self.event(context, vec![("headers", single), ("multiValueHeaders", multi)])
    }
}

/// The last value of each name, and all of them.
fn pairs(all: impl IntoIterator<Item = (String, String)>) -> (Value, Value) {
    let (mut single, mut multi) = (Map::new(), Map::new());
    for (name, value) in all {
        single.insert(name.clone(), value.as_str().into());
        if let Value::Array(values) = multi.entry(name).or_insert_with(|| json!([])) {
            values.push(value.into());
        }
    }
    (single.into(), multi.into())
}

/// Header names as clients usually write them; how this one did is not known any more.
fn train_case(name: &str) -> String {
    let part = |part: &str| match part {
        "websocket" => "WebSocket".to_owned(),
        "dnt" => "DNT".to_owned(),
        "te" => "TE".to_owned(),
        other => other.chars().enumerate().map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c }).collect(),
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

/// `19/Jul/2023:19:28:16 +0000`
fn request_time(milliseconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(milliseconds / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let form = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    moment.format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{pairs, request_time, train_case};
    use serde_json::json;

    #[test]
    fn the_time_is_written_as_in_access_logs() {
        assert_eq!(request_time(1_689_794_896_123), "19/Jul/2023:19:28:16 +0000");
    }

    #[test]
    fn header_names_get_their_usual_case() {
        for (name, usual) in [("sec-websocket-key", "Sec-WebSocket-Key"), ("user-agent", "User-Agent"), ("origin", "Origin")] {
            assert_eq!(train_case(name), usual);
        }
    }

    #[test]
    fn repeated_names_keep_the_last_and_all() {
        let pair = |value: &str| ("a".to_owned(), value.to_owned());
        assert_eq!(pairs([pair("1"), pair("2")]), (json!({"a": "2"}), json!({"a": ["1", "2"]})));
    }
}
