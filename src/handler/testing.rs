//! Servers on loopback that stand for AWS and for a backend, and what a test needs to run the handler against them.

mod cloud;
mod stub;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

pub(crate) use cloud::Cloud;
pub(crate) use stub::{Reply, Seen, Step, Stub, perform, reply, steps};

use super::Deps;

/// The connection of the recorded events.
pub(crate) const ID: &str = "R1kmxc2VNjMCFIA=";

/// An item as a handshake stores it.
pub(crate) fn item() -> Value {
    json!({
        "connectionId": { "S": ID },
        "sessionId": { "S": "s1" },
        "userId": { "S": "user-1" },
        "connectedAt": { "N": "1699999999000" },
        "expiresAt": { "N": (NOW + 7800).to_string() },
        "authUntil": { "N": (NOW + 300).to_string() },
        "sourceIp": { "S": "203.0.113.9" },
    })
}

pub(crate) fn connect_event() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/events/connect.json")).unwrap()
}

/// A recorded message with another body.
pub(crate) fn message_event(body: &str) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../tests/fixtures/events/message.json")).unwrap();
    event["body"] = json!(body);
    event
}

pub(crate) fn disconnect_event() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/events/disconnect.json")).unwrap()
}

/// The recorded handshake with other parameters in its query string.
pub(crate) fn handshake(query: &[(&str, &str)]) -> Value {
    let mut event = connect_event();
    event["queryStringParameters"] = query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    event["multiValueQueryStringParameters"] = query.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    event
}

/// An event with a header, once for each value.
pub(crate) fn with_header(mut event: Value, name: &str, values: &[&str]) -> Value {
    event["headers"][name] = json!(values.last());
    event["multiValueHeaders"][name] = json!(values);
    event
}

/// A good signature on any claims.
pub(crate) fn token(claims: &Value) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(claims.to_string().as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), text.as_bytes());
    format!("{text}.{}", encode(tag.as_ref()))
}

/// The time in tests: epoch seconds.
pub(crate) const NOW: i64 = 1_700_000_000;
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;
/// A function's usual time limit.
pub(crate) const DEADLINE_MS: u64 = NOW_MS + 28_000;
pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

/// The handler with an environment of its own, and what it logs. When it goes, the log is searched for everything secret.
pub(crate) struct Bench {
    pub(crate) deps: Deps,
    lines: Arc<Mutex<Vec<String>>>,
    clock: Arc<AtomicU64>,
    secrets: Vec<String>,
}

impl Bench {
    /// `aws` serves the table and `@connections`, below `/prod`.
    pub(crate) fn new(aws: &str, backend: &str, changes: &[(&str, &str)]) -> Self {
        let mut variables: HashMap<String, String> = HashMap::new();
        let management = format!("{aws}/prod");
        let usual = [
            ("TABLE_NAME", "WebSocketConnections"),
            ("APP_RUNNER_URL", backend),
            ("JWT_SECRET", SECRET),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", "a-session-token"),
            ("AWS_ENDPOINT_URL", aws),
            ("WSFIX_MANAGEMENT_URL", &management),
        ];
        variables.extend(usual.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let names = ["JWT_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WSFIX_SIGNING_KEY", "WSFIX_TICKET_KEY"];
        let secret = names.map(|name| variables.get(name));
        let secrets =
            secret.iter().flatten().flat_map(|value| value.split(',')).filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let (lines, clock) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(NOW_MS)));
        let (sink, hand) = (Arc::clone(&lines), Arc::clone(&clock));
        let deps = Deps::new(
            move |name| variables.get(name).filter(|value| !value.is_empty()).cloned(),
            move || hand.load(Ordering::SeqCst),
            move |line| sink.lock().unwrap().push(line.to_owned()),
        );
        Self { deps, lines, clock, secrets }
    }

    /// Handles an event within a function's usual time limit.
    pub(crate) async fn handle(&self, event: &Value) -> Value {
        self.handle_within(event, DEADLINE_MS - NOW_MS).await
    }

    /// Handles an event within some milliseconds.
    pub(crate) async fn handle_within(&self, event: &Value, limit_ms: u64) -> Value {
        super::handle(&event.to_string(), self.clock.load(Ordering::SeqCst) + limit_ms, &self.deps).await
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    /// All lines so far.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let log = self.log();
        if !std::thread::panicking() {
            // Every JWT begins with the base64 of `{"`.
            assert!(!log.contains("eyJ") && !log.contains("wst1."), "a token is in the log: {log}");
            assert!(self.secrets.iter().all(|secret| !log.contains(secret)), "a secret is in the log: {log}");
        }
    }
}

/// The handler between a table with `@connections` and a backend.
pub(crate) struct Scene {
    pub(crate) cloud: Cloud,
    pub(crate) aws: Stub,
    pub(crate) backend: Stub,
    pub(crate) bench: Bench,
}

impl Scene {
    /// The recorded connection is stored; the backend's paths begin with `/base`.
    pub(crate) async fn start(changes: &[(&str, &str)], backend: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let cloud = Cloud::default();
        cloud.store(ID, item());
        let (aws, backend) = (cloud.start().await, Stub::start(backend).await);
        let bench = Bench::new(&aws.url(), &format!("{}/base", backend.url()), changes);
        Self { cloud, aws, backend, bench }
    }

    /// What the client of a connection got; the id is one without characters that a path encodes, but for `=`.
    pub(crate) fn sent_to(&self, connection_id: &str) -> Vec<String> {
        let path = format!("/prod/@connections/{}", connection_id.replace('=', "%3D"));
        self.aws.requests().into_iter().filter(|seen| seen.path == path).map(|seen| seen.body).collect()
    }

    /// The operations on the table so far.
    pub(crate) fn table_calls(&self) -> Vec<String> {
        let operations = self.aws.requests().iter().map(|seen| seen.operation().to_owned()).collect::<Vec<_>>();
        operations.into_iter().filter(|operation| !operation.is_empty()).collect()
    }
}
