//! The events that the candidates get: the recorded ones, as of now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";
pub(crate) const SIGNING_KEY: &str = "another secret of thirty-two bytes";

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Message,
    Disconnect,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Connect, Self::Message, Self::Disconnect];

    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Message => "message",
            Self::Disconnect => "disconnect",
        }
    }

    /// An event of this kind, for a connection that no other number has.
    pub(crate) fn event(self, number: u64) -> String {
        let recorded = match self {
            Self::Connect => include_str!("../../tests/fixtures/events/connect.json"),
            Self::Message => include_str!("../../tests/fixtures/events/message.json"),
            Self::Disconnect => include_str!("../../tests/fixtures/events/disconnect.json"),
        };
        let mut event: Value = serde_json::from_str(recorded).expect("a recorded event");
        event["requestContext"]["connectionId"] = json!(format!("R1kmxc{number:08}="));
        if self == Self::Connect {
            let token = token();
            event["queryStringParameters"] = json!({ "sessionId": "s1", "token": token });
            event["multiValueQueryStringParameters"] = json!({ "sessionId": ["s1"], "token": [token] });
        }
        event.to_string()
    }
}

/// Epoch time.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock")
}

fn token() -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = json!({ "sub": "user-1", "sessionId": "s1", "iat": now().as_secs(), "exp": now().as_secs() + 3600 });
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
