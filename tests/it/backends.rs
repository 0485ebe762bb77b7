//! The backends of `templates/`, each asked by the handler's binary itself, and then by somebody who changes or repeats what it sent.
//! `examples.rs` asks the one of `examples/` the same.

#[path = "backends/function.rs"]
mod function;

#[path = "../../templates/backend-axum/main.rs"]
#[allow(dead_code, clippy::disallowed_methods, reason = "what a person copies")]
mod with_axum;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ring::hmac;
use serde_json::{Value, json};

use crate::emulators::PYTHON;
use crate::support::packages::node_project;
use crate::support::skip;
use crate::tool::signal;
use function::{Function, Sent};

pub(crate) const KEY: &str = "the-signing-key-of-now-0123456789";
const NEXT_KEY: &str = "the-signing-key-of-tomorrow-0123456789";
const WRONG_KEY: &str = "a-signing-key-that-nobody-knows-0123456789";

/// A program that listens, until it is dropped.
pub(crate) struct Listening {
    child: Child,
    pub(crate) url: String,
}

impl Listening {
    /// Starts a program and waits for the line that says its port, after `mark`, on stdout or stderr.
    pub(crate) fn start(command: &mut Command, on_stderr: bool, mark: &str) -> Self {
        command.env("WSFIX_SIGNING_KEY", format!("{NEXT_KEY},{KEY}")).stdin(Stdio::null());
        if on_stderr {
            command.stderr(Stdio::piped()).stdout(Stdio::null())
        } else {
            command.stdout(Stdio::piped())
        };
        let mut child = command.spawn().expect("the program starts");
        let lines: Box<dyn std::io::Read + Send> =
            if on_stderr { Box::new(child.stderr.take().unwrap()) } else { Box::new(child.stdout.take().unwrap()) };
        let mut lines = BufReader::new(lines).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains(mark)).expect("it says where it listens");
        let rest = line.split(mark).nth(1).unwrap();
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        // Read on, so that it never blocks on what it writes.
        std::thread::spawn(move || lines.count());
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// Asks it to end, which it must do in order.
    pub(crate) fn end(mut self) {
        signal(&self.child, "-TERM");
        let ended = self.child.wait().expect("a child");
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn template(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(name)
}

fn epoch() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The same request with a signature of another time, which is right.
fn signed_at(sent: &Sent, time: i64) -> Sent {
    let text = format!("{time}.{}.{}.{}.{}", sent.header("x-request-id"), sent.method, sent.path, sent.body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), text.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    sent.with_header("x-wsfix-signature", Some(&format!("t={time},v1={hex}")))
}

/// Goes through all that a backend of `templates/` must let in and refuse.
fn judge(url: &str) {
    let accepted = judge_signatures(url, "echo");
    assert_eq!(accepted["sessionId"], "s1", "the stored session is what the backend sees");
}

/// Goes through all that a backend must let in and refuse; what it answers to a command, which is a message of type `kind`.
pub(crate) fn judge_signatures(url: &str, kind: &str) -> Value {
    let mut function = Function::start(KEY, url);
    let accepted = function.message(&json!({ "type": "command", "command": "ls" }));
    assert_eq!(accepted["type"], kind, "{accepted}");
    let first = function.last_sent();
    assert_eq!(function.message(&json!({ "type": "ping" }))["type"], "pong");
    for _ in 0..2 {
        let equal = function.message(&json!({ "type": "command", "command": "ls" }));
        assert_eq!(equal["type"], kind, "equal messages of one second are no replay: {equal}");
    }
    function.disconnect();
    assert_eq!(function.last_status(), 204, "the disconnect is let in");
    assert_eq!(first.status_at(url), 401, "a replay");

    // This one does not arrive, so that nothing but the change is wrong with its copies.
    function.hold();
    function.message(&json!({ "type": "command", "command": "rm -r build" }));
    let held = function.last_sent();
    let signature = held.header("x-wsfix-signature").to_owned();
    let now = epoch();
    for (what, changed) in [
        ("another body", Sent { body: held.body.replace("build", "/"), ..held.clone() }),
        ("another path", Sent { path: "/api/ws/disconnect".into(), ..held.clone() }),
        ("a query", Sent { path: format!("{}?a=1", held.path), ..held.clone() }),
        ("another method", Sent { method: "PUT".into(), ..held.clone() }),
        ("another request", held.with_header("x-request-id", Some("another"))),
        ("no signature", held.with_header("x-wsfix-signature", None)),
        ("an empty signature", held.with_header("x-wsfix-signature", Some(""))),
        ("no tag", held.with_header("x-wsfix-signature", Some(&format!("t={now}")))),
        ("no time", held.with_header("x-wsfix-signature", Some(signature.split_once(',').unwrap().1))),
        ("another time", held.with_header("x-wsfix-signature", Some(&signature.replace(",v1", "0,v1")))),
        ("half a tag", held.with_header("x-wsfix-signature", Some(&signature[..signature.len() - 32]))),
        ("a tag that is no hex", held.with_header("x-wsfix-signature", Some(&format!("t={now},v1={}", "é".repeat(32))))),
        ("too old", signed_at(&held, now - 310)),
        ("of the future", signed_at(&held, now + 310)),
    ] {
        // Where the method has no route, a backend may say that first.
        let refused: &[u16] = if what == "another method" { &[401, 404, 405] } else { &[401] };
        assert!(refused.contains(&changed.status_at(url)), "{what}");
    }
    assert_eq!(signed_at(&held, now - 290).status_at(url), 200, "old, but not too old");
    let twice = held.with_header("x-wsfix-signature", Some(&format!("{signature},v1={}", "0".repeat(64))));
    assert_eq!(twice.status_at(url), 200, "one tag of two fits");
    assert_eq!(held.status_at(url), 401, "the same with the other tag left out");

    crate::contract::passes(url, KEY);
    let mut stranger = Function::start(WRONG_KEY, url);
    let refused = stranger.message(&json!({ "type": "ping" }));
    assert_eq!((stranger.last_status(), &refused["code"]), (401, &json!("backend_error")), "{refused}");
    accepted
}

#[test]
fn express_lets_in_what_the_handler_signed() {
    let folder = match node_project(&template("backend-express"), "external-express") {
        Ok(folder) => folder,
        Err(why) => {
            return skip("backend-express", &format!("its npm packages cannot be installed: {}", why.lines().last().unwrap_or_default()));
        }
    };
    let mut command = Command::new("node");
    command.arg("server.mjs").current_dir(&folder).env("PORT", "0");
    judge(&Listening::start(&mut command, false, "listening on port ").url);
}

#[test]
fn fastapi_lets_in_what_the_handler_signed() {
    let python = match &*PYTHON {
        Ok(python) => python,
        Err(why) => {
            return skip(
                "backend-fastapi",
                &format!("its Python packages cannot be installed: {}", why.lines().last().unwrap_or_default()),
            );
        }
    };
    let mut command = Command::new(python);
    command.args(["-m", "uvicorn", "--port", "0", "main:app"]).current_dir(template("backend-fastapi")).env("PYTHONDONTWRITEBYTECODE", "1");
    judge(&Listening::start(&mut command, true, "running on http://127.0.0.1:").url);
}

#[test]
fn axum_lets_in_what_the_handler_signed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let wsfix = with_axum::Wsfix::new(&format!("{NEXT_KEY},{KEY}")).unwrap();
    runtime.spawn(async move { axum::serve(listener, with_axum::router(wsfix)).await });
    judge(&url);
    assert!(with_axum::Wsfix::new("short").is_none() && with_axum::Wsfix::new(&format!("{KEY},")).is_none());
}
