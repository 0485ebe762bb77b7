//! What API Gateway delivers, read so leniently that nothing in it can fail.
//!
//! The shapes are those of the Lambda proxy integration of a WebSocket API. Members that are missing, null or of another type are absent.

use serde_json::{Map, Value};

/// What happened, from `eventType`. A message's `routeKey` follows what the client wrote, so it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Message,
    Disconnect,
    /// Not an event of a WebSocket API.
    Other,
}

/// One event of a WebSocket API.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) route: String,
    pub(crate) connection_id: Option<String>,
    pub(crate) request_id: String,
    /// Epoch milliseconds.
    pub(crate) connected_at: Option<u64>,
    /// When the event came to the gateway, epoch milliseconds.
    pub(crate) requested_at: Option<u64>,
    pub(crate) source_ip: Option<String>,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) is_base64: bool,
    /// The close code.
    pub(crate) code: Option<i64>,
    /// The close reason.
    pub(crate) reason: Option<String>,
}

impl Event {
    /// Reads an event. Anything that is not one has the kind [`Kind::Other`].
    pub(crate) fn read(text: &str) -> Self {
        let event = serde_json::from_str(text).unwrap_or(Value::Null);
        let context = &event["requestContext"];
        let kind = match context["eventType"].as_str() {
            Some("CONNECT") => Kind::Connect,
            Some("MESSAGE") => Kind::Message,
            Some("DISCONNECT") => Kind::Disconnect,
            Some(_) | None => Kind::Other,
        };
        let request_id = text_of(&context["requestId"]).or_else(|| text_of(&context["extendedRequestId"]));
        Self {
            kind,
            route: text_of(&context["routeKey"]).unwrap_or_default(),
            connection_id: text_of(&context["connectionId"]),
            request_id: request_id.unwrap_or_default(),
            connected_at: context["connectedAt"].as_u64(),
            requested_at: context["requestTimeEpoch"].as_u64(),
            source_ip: text_of(&context["identity"]["sourceIp"]),
            headers: pairs(&event["multiValueHeaders"], &event["headers"]),
            query: pairs(&event["multiValueQueryStringParameters"], &event["queryStringParameters"]),
            body: event["body"].as_str().map(str::to_owned),
            is_base64: event["isBase64Encoded"].as_bool().unwrap_or(false),
            code: context["disconnectStatusCode"].as_i64(),
            reason: context["disconnectReason"].as_str().map(str::to_owned),
        }
    }

    /// All values of a header, whatever case the client wrote its name in.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter of the query string.
    pub(crate) fn query<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Names and values; the map with all values counts, and the one with the last values for names that the first lacks.
fn pairs(multi: &Value, single: &Value) -> Vec<(String, String)> {
    let empty = Map::new();
    let multi = multi.as_object().unwrap_or(&empty);
    let single = single.as_object().unwrap_or(&empty);
    let every = multi.iter().flat_map(|(name, values)| values.as_array().into_iter().flatten().map(move |value| (name, value)));
    let rest = single.iter().filter(|(name, _)| !multi.contains_key(*name));
    every.chain(rest).filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether a session's name is one that can be stored, sent and logged: 1 to 128 characters, none of them invisible.
pub(crate) fn is_session_id(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && !text.chars().any(is_invisible)
}

/// The general categories Cc, Cf, Zl and Zp of Unicode 16.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const CONNECT: &str = include_str!("../../tests/fixtures/events/connect.json");
    const MESSAGE: &str = include_str!("../../tests/fixtures/events/message.json");
    const DISCONNECT: &str = include_str!("../../tests/fixtures/events/disconnect.json");

    #[test]
    fn the_three_kinds_are_read() {
        let connect = Event::read(CONNECT);
        assert_eq!(connect.kind, Kind::Connect);
        assert_eq!(connect.connection_id.as_deref(), Some("R1kmxc2VNjMCFIA="));
        assert_eq!(connect.connected_at, Some(1_689_794_896_123));
        assert_eq!(connect.source_ip.as_deref(), Some("203.0.113.9"));
        assert_eq!(connect.query("sessionId").collect::<Vec<_>>(), ["s1"]);
        assert_eq!(connect.headers("origin").collect::<Vec<_>>(), ["https://app.example"]);

        let message = Event::read(MESSAGE);
        assert_eq!((message.kind, message.route.as_str()), (Kind::Message, "sendMessage"));
        assert!(message.body.is_some_and(|body| body.contains("command")));

        let disconnect = Event::read(DISCONNECT);
        assert_eq!((disconnect.kind, disconnect.code), (Kind::Disconnect, Some(1005)));
        assert_eq!(disconnect.reason.as_deref(), Some("Client-side close frame status not set"));
    }

    #[test]
    fn the_kind_is_the_event_type_and_never_the_route() {
        let forged = r#"{"requestContext":{"routeKey":"$connect","eventType":"MESSAGE","connectionId":"a="}}"#;
        assert_eq!(Event::read(forged).kind, Kind::Message);
        assert_eq!(Event::read(r#"{"requestContext":{"routeKey":"$connect"}}"#).kind, Kind::Other);
    }

    #[test]
    fn every_value_of_a_repeated_name_is_seen() {
        let event = Event::read(
            r#"{"headers":{"Origin":"b","X":"x"},"multiValueHeaders":{"Origin":["a","b"],"origin":["c"]},
                "queryStringParameters":{"token":"2"},"multiValueQueryStringParameters":{"token":["1","2",3,null]}}"#,
        );
        assert_eq!(event.headers("ORIGIN").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(event.headers("x").collect::<Vec<_>>(), ["x"]);
        assert_eq!(event.query("token").collect::<Vec<_>>(), ["1", "2"]);
    }

    proptest! {
        /// What the gateway decoded arrives whole: every value of every name, in order, whatever characters are in it.
        #[test]
        fn every_parameter_and_header_is_found(pairs in proptest::collection::vec((".{1,6}", proptest::collection::vec(".{0,8}", 1..4)), 0..6)) {
            let map: Map<String, Value> = pairs.iter().map(|(name, values)| (name.clone(), Value::from(values.clone()))).collect();
            let event = Event::read(&json!({ "multiValueQueryStringParameters": map, "multiValueHeaders": map }).to_string());
            for (name, values) in &map {
                let values: Vec<&str> = values.as_array().unwrap().iter().filter_map(Value::as_str).collect();
                prop_assert_eq!(event.query(name).collect::<Vec<_>>(), values.clone());
                let found: Vec<&str> = event.headers(name).collect();
                prop_assert!(values.iter().all(|value| found.contains(value)));
            }
        }

        #[test]
        fn any_text_is_an_event_or_none(text in "\\PC{0,64}|[\\[{\"a:,0\\]}]{0,64}") {
            prop_assert_eq!(Event::read(&text).kind, Kind::Other);
        }
    }

    #[test]
    fn sessions_with_invisible_characters_are_refused() {
        assert!(is_session_id("s1") && is_session_id("é ü/?") && is_session_id(&"x".repeat(128)));
        for bad in ["", "a\n", "a\0", "a\u{200b}", "a\u{2028}", "a\u{2029}", "\u{feff}a", "a\u{202e}b", "a\u{e0041}"] {
            assert!(!is_session_id(bad), "{bad:?}");
        }
        assert!(!is_session_id(&"x".repeat(129)));
    }
}
