//! The demo backend: an HTTP service as an application would have one behind the gateway, with a terminal that is none.
//!
//! It runs no command of the system unless it was told to, and then only for requests that carry the signature of the gateway's function.

mod shell;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::guard::{self, Door};
use crate::contract::backend;
use crate::secret::Secret;
use shell::Shell;
use signature::Verifier;

/// The largest request: a message of the gateway and what the function adds to it.
const LARGEST: usize = 256 * 1024;
/// So many of each kind are remembered.
const REMEMBERED: usize = 1000;

/// How a [`Backend`] is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The key of `X-Wsfix-Signature`, or two separated by a comma; `None`: requests are not checked.
    pub signing_key: Option<Secret>,
    /// Commands run in a real shell, as whoever started this. Needs a key.
    pub allow_commands: bool,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The gateway's connection id.
    pub connection_id: String,
    /// The session that the function vouches for.
    pub session_id: String,
    /// `ping`, `command`, `resize`, or what else was sent.
    pub kind: String,
}

/// A disconnect that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// The gateway's connection id.
    pub connection_id: String,
    /// The session, where the function still knew it.
    pub session_id: Option<String>,
    /// The close code, where the gateway said one.
    pub code: Option<i64>,
}

/// A running demo backend. It ends when this is dropped.
pub struct Backend {
    url: String,
    state: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    verifier: Option<Verifier>,
    shell: Shell,
    messages: Mutex<VecDeque<Message>>,
    disconnects: Mutex<VecDeque<Disconnect>>,
}

impl Backend {
    /// Starts on a free port of 127.0.0.1, in a thread of its own: callers need no runtime.
    ///
    /// # Errors
    /// When commands are allowed without a key, when a key is empty, or when the system gives no port or thread.
    pub fn start(options: Options) -> io::Result<Self> {
        let verifier = options.signing_key.as_ref().map(Verifier::new).transpose()?;
        if options.allow_commands && verifier.is_none() {
            let message = "commands may run only where requests are signed: any program on this machine could send some else";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Shared {
            address,
            verifier,
            shell: Shell::new(options.allow_commands),
            messages: Mutex::default(),
            disconnects: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = state.clone();
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let router = Router::new().fallback(answer).with_state(served);
                tokio::select! {
                    _ = stopped => {}
                    _ = axum::serve(listener, router).into_future() => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        };
        let thread = std::thread::Builder::new().name("wsfix-backend".to_owned()).spawn(serve)?;
        Ok(Self { url: format!("http://{address}"), state, stop: Some(stop), thread: Some(thread) })
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The last messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state.messages.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The last disconnects, oldest first.
    #[must_use]
    pub fn disconnects(&self) -> Vec<Disconnect> {
        self.state.disconnects.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Keeps the last ones.
fn remember<T>(list: &Mutex<VecDeque<T>>, item: T) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.push_back(item);
    if list.len() > REMEMBERED {
        list.pop_front();
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn document(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn refusal(status: StatusCode, why: &str) -> Response {
    document(status, &json!({ "error": why }))
}

async fn answer(State(state): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(why) = guard::refusal(Door::Control, &parts.uri, &parts.headers, state.address) {
        return refusal(StatusCode::FORBIDDEN, why);
    }
    let path = parts.uri.path();
    if path != backend::MESSAGE_PATH && path != backend::DISCONNECT_PATH {
        return refusal(StatusCode::NOT_FOUND, "there is nothing here");
    }
    if parts.method != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "only POST is served here");
    }
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or did not arrive");
    };
    let header = |name| parts.headers.get(name).and_then(|header| header.to_str().ok());
    let seconds = i64::try_from(now().as_secs()).unwrap_or(i64::MAX);
    let signed = match &state.verifier {
        Some(verifier) => {
            let id = header(backend::REQUEST_ID).unwrap_or_default();
            // As it was sent: a query that somebody added is not what was signed.
            let path = parts.uri.path_and_query().map_or(path, PathAndQuery::as_str);
            let request = signature::Request { id, method: parts.method.as_str(), path, body: &body };
            match verifier.check(header(backend::SIGNATURE), &request, seconds) {
                Ok(signed) => Some((verifier, signed)),
                Err(why) => return refusal(StatusCode::UNAUTHORIZED, why),
            }
        }
        None => None,
    };
    let Ok(Value::Object(message)) = serde_json::from_slice(&body) else {
        return refusal(StatusCode::BAD_REQUEST, "the body is no JSON object");
    };
    let text = |name: &str| message.get(name).and_then(Value::as_str);
    let Some(connection_id) = text("connectionId") else {
        return refusal(StatusCode::BAD_REQUEST, "connectionId is missing");
    };
    if path == backend::DISCONNECT_PATH {
        let code = message.get("code").and_then(Value::as_i64);
        let session_id = text("sessionId").map(str::to_owned);
        state.shell.forget(session_id.as_deref());
        remember(&state.disconnects, Disconnect { connection_id: connection_id.to_owned(), session_id, code });
        return document(StatusCode::OK, &json!({ "ok": true }));
    }
    let Some(session_id) = text("sessionId") else {
        return refusal(StatusCode::BAD_REQUEST, "sessionId is missing");
    };
    let kind = text("type").unwrap_or_default();
    // A second "ls" does no harm, a second "rm" may: what was signed for one run runs once.
    if let (Some((verifier, signed)), "command") = (signed, kind)
        && !verifier.is_first(&signed, seconds)
    {
        return refusal(StatusCode::UNAUTHORIZED, "this signed request has been used");
    }
    let seen = Message { connection_id: connection_id.to_owned(), session_id: session_id.to_owned(), kind: kind.to_owned() };
    remember(&state.messages, seen);
    document(StatusCode::OK, &reply(&state, kind, session_id, &message).await)
}

/// What the client is told.
async fn reply(state: &Shared, kind: &str, session_id: &str, message: &Map<String, Value>) -> Value {
    match kind {
        "ping" => json!({ "type": "pong", "timestamp": u64::try_from(now().as_millis()).unwrap_or(u64::MAX) }),
        "command" => match message.get("command").and_then(Value::as_str) {
            Some(command) => {
                let ran = state.shell.run(session_id, command).await;
                json!({ "type": "command_result", "output": ran.output, "exitCode": ran.exit_code, "cwd": ran.directory })
            }
            None => error("bad_request", "command must be a text"),
        },
        "resize" => {
            let size = |name: &str| message.get(name).and_then(Value::as_u64).filter(|size| (1..=1000).contains(size));
            match (size("cols"), size("rows")) {
                (Some(cols), Some(rows)) => json!({ "type": "resize_ack", "cols": cols, "rows": rows }),
                _ => error("bad_request", "cols and rows must be numbers from 1 to 1000"),
            }
        }
        _ => error("unknown_type", "type must be ping, command or resize"),
    }
}

fn error(code: &str, message: &str) -> Value {
    json!({ "type": "error", "code": code, "message": message })
}
