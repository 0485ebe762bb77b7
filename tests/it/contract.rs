//! `wsfix contract`: backends that keep it, and backends that break each part of it.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use ring::hmac;
use serde_json::{Value, json};
use wsfix::local::backend::{self, Backend};
use wsfix::secret::Secret;
use wsfix::verify::backend::{ALL, Check, Options, Outcome, examine};

use crate::support::{block_on, docs};
use crate::tool::Tool;

const KEY: &str = "the-signing-key-of-now-0123456789";
/// Longest time for an answer; only the slow backend takes it.
const LIMIT: Duration = Duration::from_millis(1_500);

/// Runs the tool against a backend that is as it must be.
pub(crate) fn passes(url: &str, key: &str) {
    let mut tool = Tool::new();
    tool.set("WSFIX_SIGNING_KEY", key);
    let ended = tool.run(&["contract", url, "--output", "json"]);
    let document = ended.document();
    assert_eq!(ended.code, Some(0), "{document:#}");
    let checks = document["result"]["checks"].as_array().expect("checks");
    assert!(checks.len() == ALL.len() && checks.iter().all(|check| check["verdict"] == "passed"), "{document:#}");
}

/// A backend with one thing wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    NoRoute,
    Redirect,
    NoJson,
    LargeAnswer,
    AsciiOnly,
    ForgetsResize,
    KnowsBodies,
    OneAtATime,
    StrictTypes,
    NeedsUser,
    SmallBodies,
    Slow,
    NoDisconnect,
    NeedsSession,
    EndsOnce,
    Open,
    AnyTag,
    NoClock,
    TightClock,
    NoMemory,
    FirstTag,
    SaysForbidden,
    Crashes,
}

const FLAWS: &[(Flaw, &str)] = &[
    (Flaw::NoRoute, "has another path for messages"),
    (Flaw::Redirect, "redirects to the path with a slash at its end"),
    (Flaw::NoJson, "answers with plain text"),
    (Flaw::LargeAnswer, "answers with 200 KB"),
    (Flaw::AsciiOnly, "checks the signature over text that it has re-encoded"),
    (Flaw::ForgetsResize, "answers a resize after a command with 500"),
    (Flaw::KnowsBodies, "takes an equal body for a repetition"),
    (Flaw::OneAtATime, "handles one request at a time and refuses others"),
    (Flaw::StrictTypes, "answers an unknown type with 400"),
    (Flaw::NeedsUser, "needs a user"),
    (Flaw::SmallBodies, "takes bodies of 100 KB, as Express does by itself"),
    (Flaw::Slow, "takes longer than the limit for a resize"),
    (Flaw::NoDisconnect, "does not serve disconnects"),
    (Flaw::NeedsSession, "needs the session of a disconnect"),
    (Flaw::EndsOnce, "answers a second disconnect with 404"),
    (Flaw::Open, "checks no signature"),
    (Flaw::AnyTag, "wants a signature, and does not compare it"),
    (Flaw::NoClock, "does not look at the signature's time"),
    (Flaw::TightClock, "takes signatures of one minute"),
    (Flaw::NoMemory, "does not remember what it has let in"),
    (Flaw::FirstTag, "compares the first of two tags alone"),
    (Flaw::SaysForbidden, "refuses with 403"),
    (Flaw::Crashes, "answers a signature that it cannot read with 500"),
];

#[derive(Default)]
struct Memory {
    used: HashSet<String>,
    bodies: HashSet<Vec<u8>>,
    last: String,
    ended: bool,
}

struct Server {
    flaw: Option<Flaw>,
    memory: Mutex<Memory>,
    running: AtomicUsize,
}

impl Server {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The status of what is refused.
    fn check(&self, head: &HeaderMap, path: &str, body: &[u8]) -> Result<(), u16> {
        if self.has(Flaw::Open) {
            return Ok(());
        }
        let refused = if self.has(Flaw::SaysForbidden) { 403 } else { 401 };
        let text = |name: &str| head.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (header, id) = (text("x-wsfix-signature"), text("x-request-id"));
        if self.has(Flaw::AnyTag) {
            return if header.is_empty() { Err(refused) } else { Ok(()) };
        }
        let unread = if self.has(Flaw::Crashes) && !header.is_empty() { 500 } else { refused };
        let (time, tags) = header.split_once(",v1=").ok_or(unread)?;
        let time: i64 = time.strip_prefix("t=").and_then(|time| time.parse().ok()).ok_or(unread)?;
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()).expect("a time");
        let window = if self.has(Flaw::TightClock) { 60 } else { 300 };
        if (now - time).abs() > window && !self.has(Flaw::NoClock) {
            return Err(refused);
        }
        let mut signed = format!("{time}.{id}.POST.{path}.").into_bytes();
        signed.extend(if self.has(Flaw::AsciiOnly) {
            String::from_utf8_lossy(body).replace(|c: char| !c.is_ascii(), "?").into_bytes()
        } else {
            body.to_vec()
        });
        let tag: String = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), &signed)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let most = if self.has(Flaw::FirstTag) { 1 } else { 4 };
        if !tags.split(",v1=").take(most).any(|other| other == tag) {
            return Err(refused);
        }
        let first = self.memory.lock().expect("memory").used.insert(tag);
        if first || self.has(Flaw::NoMemory) { Ok(()) } else { Err(refused) }
    }

    async fn answer(&self, path: &str, body: &[u8]) -> (u16, String) {
        let message: Value = serde_json::from_slice(body).expect("JSON");
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        if path == "/base/api/ws/disconnect" {
            let ended = std::mem::replace(&mut self.memory.lock().expect("memory").ended, true);
            return match () {
                () if self.has(Flaw::NoDisconnect) => (404, String::new()),
                () if self.has(Flaw::NeedsSession) && message["sessionId"].is_null() => (500, String::new()),
                () if self.has(Flaw::EndsOnce) && ended => (404, String::new()),
                () => (204, String::new()),
            };
        }
        let (before, known) = {
            let mut memory = self.memory.lock().expect("memory");
            (std::mem::replace(&mut memory.last, kind.clone()), !memory.bodies.insert(body.to_vec()))
        };
        if self.has(Flaw::Slow) && kind == "resize" {
            tokio::time::sleep(LIMIT * 2).await;
        }
        match () {
            () if self.has(Flaw::NoRoute) => (404, "<html>no such page</html>".to_owned()),
            () if self.has(Flaw::Redirect) => (308, String::new()),
            () if self.has(Flaw::NoJson) => (200, "ok".to_owned()),
            () if self.has(Flaw::LargeAnswer) => (200, json!({ "text": "x".repeat(200 * 1024) }).to_string()),
            () if self.has(Flaw::ForgetsResize) && kind == "resize" && before == "command" => (500, String::new()),
            () if self.has(Flaw::KnowsBodies) && known => (409, String::new()),
            () if self.has(Flaw::StrictTypes) && !["ping", "command", "resize", "input"].contains(&kind.as_str()) => (400, String::new()),
            () if self.has(Flaw::NeedsUser) && message["userId"].is_null() => (422, String::new()),
            () if self.has(Flaw::SmallBodies) && body.len() > 100 * 1024 => (413, String::new()),
            () => (200, json!({ "type": if kind == "ping" { "pong" } else { "echo" } }).to_string()),
        }
    }
}

async fn serve(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let path = head.uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
    let busy = server.running.fetch_add(1, Ordering::SeqCst) > 0;
    let (status, text) = match server.check(&head.headers, &path, &body) {
        Err(status) => (status, String::new()),
        Ok(()) if server.has(Flaw::OneAtATime) && busy => (503, String::new()),
        Ok(()) => {
            if server.has(Flaw::OneAtATime) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            server.answer(&path, &body).await
        }
    };
    server.running.fetch_sub(1, Ordering::SeqCst);
    let moved = if status == 308 { format!("{path}/") } else { String::new() };
    Response::builder().status(status).header("location", moved).body(Body::from(text)).expect("an answer")
}

/// All checks of a backend with a flaw.
fn checks(flaw: Option<Flaw>, key: Option<&str>) -> Vec<Check> {
    block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/base", listener.local_addr().expect("an address"));
        let server = Arc::new(Server { flaw, memory: Mutex::default(), running: AtomicUsize::new(0) });
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(serve).with_state(server)).await });
        // A machine that is busy is no slow backend.
        let limit = if flaw == Some(Flaw::Slow) { LIMIT } else { Duration::from_secs(20) };
        let options = Options { url: url.parse().expect("a URL"), signing_key: key.map(Secret::new), limit };
        examine(&options, |_| {}).await.expect("a good URL")
    })
}

fn names(checks: &[Check], outcome: Outcome) -> Vec<&'static str> {
    checks.iter().filter(|check| check.outcome == outcome).map(|check| check.rule.name).collect()
}

#[test]
fn a_backend_that_keeps_it_passes_and_the_docs_say_what_is_demanded() {
    let good = checks(None, Some(KEY));
    assert_eq!(names(&good, Outcome::Passed).len(), ALL.len(), "{good:#?}");
    let mut table = "| check | demands | where it fails |\n|---|---|---|\n".to_owned();
    for rule in &ALL {
        table.push_str(&format!("| `{}` | {} | {} |\n", rule.name, rule.demands, rule.fix));
    }
    docs::hold("contract.md", "rules", &table);
}

#[test]
fn every_flaw_is_found_and_every_check_can_fail() {
    let found: Vec<Vec<Check>> = std::thread::scope(|scope| {
        let started: Vec<_> = FLAWS.iter().map(|(flaw, _)| scope.spawn(|| checks(Some(*flaw), Some(KEY)))).collect();
        started.into_iter().map(|thread| thread.join().expect("checks")).collect()
    });
    let mut table = "| a backend that | fails |\n|---|---|\n".to_owned();
    let mut seen = BTreeSet::new();
    for ((flaw, what), checks) in FLAWS.iter().zip(&found) {
        let failed = names(checks, Outcome::Failed);
        assert!(!failed.is_empty(), "{flaw:?} is not found");
        let rest = if names(checks, Outcome::Skipped).is_empty() { "" } else { "; the others are not tried" };
        let list: Vec<String> = failed.iter().map(|name| format!("`{name}`")).collect();
        table.push_str(&format!("| {what} | {}{rest} |\n", list.join(", ")));
        seen.extend(failed);
    }
    let never: Vec<&str> = ALL.iter().map(|rule| rule.name).filter(|name| !seen.contains(name)).collect();
    assert_eq!(never, Vec::<&str>::new(), "no backend here fails these");
    docs::hold("contract.md", "flaws", &table);
}

#[test]
fn without_a_key_signatures_are_not_tried() {
    let open = checks(Some(Flaw::Open), None);
    assert_eq!(names(&open, Outcome::Failed), Vec::<&str>::new());
    assert!(names(&open, Outcome::Skipped).contains(&"replay"));
    let strict = checks(None, None);
    assert_eq!(names(&strict, Outcome::Failed), ["ping"]);
    assert!(strict[0].evidence.starts_with("status 401") && strict[0].rule.fix.contains("WSFIX_SIGNING_KEY"), "{:?}", strict[0]);
}

#[test]
fn the_command_says_what_must_be_what_was_and_what_to_do() {
    let backend = Backend::start(backend::Options { signing_key: Some(Secret::new(KEY)), allow_commands: false }).expect("a backend");
    passes(&backend.url(), KEY);
    let mut tool = Tool::new();
    tool.run(&["contract", &backend.url()]).says(3, &["note: no signing key", "failed ", "skipped "]);
    tool.set("WSFIX_SIGNING_KEY", "another-key-that-the-backend-does-not-know");
    let failed = tool.run(&["contract", &backend.url()]);
    failed.says(3, &["ping"]);
    for words in [
        "failed: ping",
        "  must  `POST /api/ws/message`",
        "  was   status 401",
        "  fix   serve the path",
        "0 of 22 checks passed, 21 not tried",
    ] {
        assert!(failed.out.contains(words), "{words}\n{}", failed.out);
    }
    assert!(!format!("{}{}", failed.out, failed.err).contains("another-key"));
    tool.run(&["contract", "http://127.0.0.1:9"]).says(3, &["cannot be asked: ", "onnection refused"]);
    tool.run(&["contract", "ws://127.0.0.1:9"]).says(2, &["it is no http or https URL"]);
    tool.run(&["contract", "http://user:hunter2@127.0.0.1:9"]).says(2, &["a password; the base URL of the backend is meant"]);
    tool.run(&["contract", "http://127.0.0.1:9", "--signing-key", "hunter2"]).says(2, &["--signing-key: "]);
}
