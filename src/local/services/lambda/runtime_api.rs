//! The Runtime API, version 2018-06-01: how a runtime asks for events and answers them. Each sandbox has its own on loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The largest answer of a function.
pub(super) const LARGEST_ANSWER: usize = 6_291_556;

/// What the runtime did, for the sandbox that owns it.
pub(super) enum Signal {
    /// It waits for an event.
    Next(oneshot::Sender<Event>),
    /// It answered an event; `None`: with more than [`LARGEST_ANSWER`] bytes.
    Response { id: String, body: Option<Bytes>, known: oneshot::Sender<bool> },
    /// It says that an event went wrong.
    Error { id: String, body: Bytes, known: oneshot::Sender<bool> },
    /// It says that it cannot start.
    InitError { body: Bytes },
}

/// One event on its way to the runtime.
pub(super) struct Event {
    pub id: String,
    pub payload: Bytes,
    /// Epoch milliseconds, in real time: so long may the process work.
    pub deadline_ms: u128,
    pub arn: String,
    pub trace_id: String,
}

/// A listening Runtime API; it ends when this is dropped.
pub(super) struct RuntimeApi {
    pub address: SocketAddr,
    pub signals: mpsc::Receiver<Signal>,
    task: JoinHandle<io::Result<()>>,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RuntimeApi {
    /// Starts to listen on a free port.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, signals) = mpsc::channel(16);
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(sender);
        let task = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, signals, task })
    }
}

type Signals = State<mpsc::Sender<Signal>>;

fn refusal(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, json!({ "errorType": kind, "errorMessage": message }).to_string()).into_response()
}

/// The sandbox is gone; a runtime that sees this has to exit.
fn container_error() -> Response {
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "ContainerError", "The sandbox has ended")
}

async fn next(State(signals): Signals) -> Response {
    let (sender, event) = oneshot::channel();
    if signals.send(Signal::Next(sender)).await.is_err() {
        return container_error();
    }
    let Ok(event) = event.await else { return container_error() };
    Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", event.id)
        .header("Lambda-Runtime-Deadline-Ms", event.deadline_ms.to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", event.arn)
        .header("Lambda-Runtime-Trace-Id", event.trace_id)
        .body(Body::from(event.payload))
        .unwrap_or_else(|_| container_error())
}

/// What the sandbox says to an answer.
async fn accepted(known: oneshot::Receiver<bool>) -> Response {
    match known.await {
        Ok(true) => (StatusCode::ACCEPTED, json!({ "status": "OK" }).to_string()).into_response(),
        Ok(false) => refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Err(_) => container_error(),
    }
}

async fn response(State(signals): Signals, Path(id): Path<String>, body: Body) -> Response {
    let body = to_bytes(body, LARGEST_ANSWER).await.ok();
    let too_large = body.is_none();
    let (sender, known) = oneshot::channel();
    if signals.send(Signal::Response { id, body, known: sender }).await.is_err() {
        return container_error();
    }
    let answer = accepted(known).await;
    if too_large && answer.status().is_success() {
        let message = format!("Exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes).");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
    }
    answer
}

/// The error's document, with the type from the header where the body has none.
async fn error_body(headers: &HeaderMap, body: Body) -> Bytes {
    let body = to_bytes(body, LARGEST_ANSWER).await.unwrap_or_default();
    if serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|document| document.is_object()) {
        return body;
    }
    let kind = headers.get("lambda-runtime-function-error-type").and_then(|kind| kind.to_str().ok());
    Bytes::from(json!({ "errorType": kind.unwrap_or("Runtime.Unknown"), "errorMessage": "" }).to_string())
}

async fn error(State(signals): Signals, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let body = error_body(&headers, body).await;
    let (sender, known) = oneshot::channel();
    match signals.send(Signal::Error { id, body, known: sender }).await {
        Ok(()) => accepted(known).await,
        Err(_) => container_error(),
    }
}

async fn init_error(State(signals): Signals, headers: HeaderMap, body: Body) -> Response {
    let body = error_body(&headers, body).await;
    match signals.send(Signal::InitError { body }).await {
        Ok(()) => (StatusCode::ACCEPTED, json!({ "status": "OK" }).to_string()).into_response(),
        Err(_) => container_error(),
    }
}
