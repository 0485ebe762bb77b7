//! Requests as the handler writes them, and changed ones.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use ring::hmac;
use serde_json::{Value, json};

use crate::contract::backend;
use crate::signature::{Signed, hex, in_header};

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// With the base URL's own, and the query.
    pub(super) path: String,
    pub(super) body: String,
    pub(super) connection_id: String,
    pub(super) session_id: Option<String>,
    pub(super) request_id: String,
    pub(super) signature: Option<String>,
}

impl Sent {
    pub(super) fn to_http(&self, origin: &str) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::post(format!("{origin}{}", self.path))
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .header("User-Agent", concat!("wsfix/", env!("CARGO_PKG_VERSION")))
            .header(backend::CONNECTION_ID, in_header(&self.connection_id))
            .header(backend::REQUEST_ID, &self.request_id);
        if let Some(session_id) = &self.session_id {
            request = request.header(backend::SESSION_ID, in_header(session_id));
        }
        if let Some(signature) = &self.signature {
            request = request.header(backend::SIGNATURE, signature);
        }
        request.body(Full::from(self.body.clone()))
    }
}

/// Writes requests of one connection.
pub(super) struct Pen {
    base: String,
    pub(super) keys: Vec<hmac::Key>,
    /// Epoch seconds.
    pub(super) now: i64,
    /// What tells this run from another one.
    run: String,
    next: Cell<u32>,
}

impl Pen {
    pub(super) fn new(base: &str, keys: Vec<hmac::Key>, now: Duration) -> Self {
        let run = hex(u64::try_from(now.as_nanos()).unwrap_or_default().to_be_bytes());
        Self { base: base.to_owned(), keys, now: i64::try_from(now.as_secs()).unwrap_or_default(), run, next: Cell::default() }
    }

    /// The connection of this run.
    fn connection_id(&self) -> String {
        format!("wsfix-{}=", self.run)
    }

    /// Its session.
    fn session_id(&self) -> String {
        format!("wsfix-contract-{}", self.run)
    }

    /// A message of the client, with what the handler adds.
    pub(super) fn message(&self, mut message: Value) -> Sent {
        message["connectionId"] = json!(self.connection_id());
        message["sessionId"] = json!(self.session_id());
        if message.get("userId").is_none() {
            message["userId"] = json!("wsfix-contract");
        }
        self.sign(backend::MESSAGE_PATH, message.to_string(), Some(self.session_id()))
    }

    /// The end of a connection. `known`: whether its item was still there.
    pub(super) fn disconnect(&self, known: bool) -> Sent {
        let body = json!({
            "connectionId": self.connection_id(),
            "sessionId": known.then(|| self.session_id()),
            "userId": known.then_some("wsfix-contract"),
            "code": known.then_some(1001),
            "reason": known.then_some("Going away"),
        });
        self.sign(backend::DISCONNECT_PATH, body.to_string(), known.then(|| self.session_id()))
    }

    fn sign(&self, path: &str, body: String, session_id: Option<String>) -> Sent {
        self.next.set(self.next.get() + 1);
        let sent = Sent {
            path: format!("{}{path}", self.base),
            body,
            connection_id: self.connection_id(),
            session_id,
            request_id: format!("{}-{}=", self.run, self.next.get()),
            signature: None,
        };
        self.at(sent, 0)
    }

    /// Signed so many seconds after now.
    pub(super) fn at(&self, sent: Sent, seconds: i64) -> Sent {
        self.with_keys(sent, &self.keys, seconds)
    }

    /// Signed with other keys.
    pub(super) fn with_keys(&self, sent: Sent, keys: &[hmac::Key], seconds: i64) -> Sent {
        let signed = Signed { request_id: &sent.request_id, method: "POST", path: &sent.path, body: &sent.body };
        let signature = (!keys.is_empty()).then(|| signed.header(keys, self.now + seconds));
        Sent { signature, ..sent }
    }

    /// Signed with a key that nobody has.
    pub(super) fn by_a_stranger(&self, sent: Sent) -> Sent {
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("a key that nobody has, of {}", self.run).as_bytes());
        self.with_keys(sent, &[key], 0)
    }

    /// The path of the other request.
    pub(super) fn disconnect_path(&self) -> String {
        format!("{}{}", self.base, backend::DISCONNECT_PATH)
    }
}
