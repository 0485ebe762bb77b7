//! The demo backend: what an app behind wsfix looks like, for `wsfix dev` without one.
//!
//! Plain HTTP on a port of its own, with no idea of WebSockets: it answers `ping`, `command` and `resize`, and keeps what it was told of
//! disconnects.

mod commands;
mod signature;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::contract::backend::{DISCONNECT_PATH, MESSAGE_PATH, SIGNATURE};
use crate::secret::Secret;

use signature::Signatures;

/// API Gateway delivers at most 128 KB; what wsfix adds to a message is small.
const BODY_LIMIT: usize = 256 * 1024;
/// Disconnects that are kept; the oldest go first.
const KEPT_DISCONNECTS: usize = 1000;

/// How a [`Backend`] is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The key that requests must be signed with; `None`: anybody may call.
    pub signing_key: Option<Secret>,
    /// Runs commands in a real shell. Without it they are answered from a small made-up file system.
    pub allow_commands: bool,
}

/// A disconnect that the backend was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// As API Gateway names it.
    pub connection_id: String,
    /// `None` where the connection's item was gone already.
    pub session_id: Option<String>,
}

/// A running demo backend. It ends when this is dropped.
pub struct Backend {
    address: SocketAddr,
    served: Arc<Served>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Served {
    signatures: Option<Signatures>,
    allow_commands: bool,
    disconnects: Mutex<Vec<Disconnect>>,
}

impl Backend {
    /// Starts a backend on a free port of 127.0.0.1, in a thread of its own.
    ///
    /// # Errors
    /// When there is no port or no thread to be had.
    pub fn start(options: Options) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = Arc::new(Served {
            signatures: options.signing_key.as_ref().map(Signatures::new),
            allow_commands: options.allow_commands,
            disconnects: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&served);
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let router = Router::new().fallback(answer).with_state(state);
                tokio::select! {
                    _ = stopped => {}
                    _ = axum::serve(listener, router).into_future() => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("wsfix-backend".to_owned()).spawn(serve)?;
        Ok(Self { address, served, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The disconnects that it was told of, oldest first.
    #[must_use]
    pub fn disconnects(&self) -> Vec<Disconnect> {
        self.served.disconnects.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let known = [MESSAGE_PATH, DISCONNECT_PATH].contains(&path);
    if !known {
        return reply(StatusCode::NOT_FOUND, &json!({"error": format!("there is {MESSAGE_PATH} and {DISCONNECT_PATH} here")}));
    }
    if parts.method != Method::POST {
        return reply(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": "POST only"}));
    }
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return reply(StatusCode::PAYLOAD_TOO_LARGE, &json!({"error": "the body is too large"}));
    };
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(signatures) = &served.signatures {
        let header = parts.headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // A ping may come twice and do no harm; a command must not.
        let once = message["type"] == "command";
        if let Err(refused) = signatures.check(header, "POST", path, &body, now(), once) {
            return reply(StatusCode::UNAUTHORIZED, &json!({"error": refused.to_string()}));
        }
    }
    if !message.is_object() {
        return reply(StatusCode::BAD_REQUEST, &json!({"error": "the body is not a JSON object"}));
    }
    if path == DISCONNECT_PATH {
        served.disconnected(&message);
        return Response::builder().status(StatusCode::NO_CONTENT).body(Body::empty()).unwrap_or_default();
    }
    reply(StatusCode::OK, &served.message(&message).await)
}

impl Served {
    async fn message(&self, message: &Value) -> Value {
        match message["type"].as_str() {
            Some("ping") => json!({"type": "pong", "timestamp": now()}),
            Some("resize") => match (message["cols"].as_u64(), message["rows"].as_u64()) {
                (Some(cols @ 1..=1000), Some(rows @ 1..=1000)) => json!({"type": "resize_ack", "cols": cols, "rows": rows}),
                _ => json!({"type": "error", "code": "bad_size", "message": "cols and rows are numbers from 1 to 1000"}),
            },
            Some("command") => {
                let Some(command) = message["command"].as_str() else {
                    return json!({"type": "error", "code": "bad_command", "message": "command is a text"});
                };
                let done = if self.allow_commands { commands::run(command).await } else { commands::pretend(command) };
                json!({"type": "command_result", "command": command, "output": done.output, "exitCode": done.exit_code})
            }
            _ => json!({"type": "error", "code": "unknown_type", "message": "type is ping, command or resize"}),
        }
    }

    fn disconnected(&self, message: &Value) {
        let Some(connection_id) = message["connectionId"].as_str() else { return };
        let session_id = message["sessionId"].as_str().map(str::to_owned);
        let mut disconnects = self.disconnects.lock().unwrap_or_else(PoisonError::into_inner);
        if disconnects.len() == KEPT_DISCONNECTS {
            disconnects.remove(0);
        }
        disconnects.push(Disconnect { connection_id: connection_id.to_owned(), session_id });
    }
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let response = Response::builder().status(status).header("Content-Type", "application/json").body(Body::from(body.to_string()));
    response.unwrap_or_default()
}

/// Epoch seconds. Real time, not the cloud's: a backend is not part of AWS.
fn now() -> i64 {
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(epoch.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served() -> Served {
        Served { signatures: None, allow_commands: false, disconnects: Mutex::default() }
    }

    #[tokio::test]
    async fn each_type_has_its_answer() {
        let served = served();
        assert_eq!(served.message(&json!({"type": "ping"})).await["type"], "pong");
        let resized = served.message(&json!({"type": "resize", "cols": 80, "rows": 24})).await;
        assert_eq!(resized, json!({"type": "resize_ack", "cols": 80, "rows": 24}));
        assert_eq!(served.message(&json!({"type": "resize", "cols": 0, "rows": 24})).await["code"], "bad_size");
        let ran = served.message(&json!({"type": "command", "command": "echo hi"})).await;
        assert_eq!((ran["output"].as_str(), ran["exitCode"].as_i64()), (Some("hi\n"), Some(0)));
        assert_eq!(served.message(&json!({"type": "command"})).await["code"], "bad_command");
        assert_eq!(served.message(&json!({"type": "x"})).await["code"], "unknown_type");
    }

    #[test]
    fn disconnects_are_kept_up_to_a_limit() {
        let served = served();
        for n in 0..=KEPT_DISCONNECTS {
            served.disconnected(&json!({"connectionId": n.to_string(), "sessionId": "s"}));
        }
        let kept = served.disconnects.lock().unwrap();
        assert_eq!((kept.len(), kept[0].connection_id.as_str()), (KEPT_DISCONNECTS, "1"));
    }
}
