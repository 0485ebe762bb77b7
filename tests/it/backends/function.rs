//! The handler's binary with all that it needs: the Runtime API, a table with one connection, and a way to the backend that keeps what passes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const HANDLER: &str = env!("CARGO_BIN_EXE_wsfix-handler");

/// A request as the handler sent it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Sent {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// A copy with another value of a header, or without it.
    pub(super) fn with_header(&self, name: &str, value: Option<&str>) -> Self {
        let mut copy = self.clone();
        copy.headers.retain(|(key, _)| key != name);
        copy.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        copy
    }

    /// The status of this request at a server.
    pub(super) fn status_at(&self, url: &str) -> u16 {
        self.to(url).0
    }

    /// Status and body of this request at a server.
    fn to(&self, url: &str) -> (u16, String) {
        let host = url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("the backend listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in self.headers.iter().filter(|(name, _)| !["host", "connection", "content-length"].contains(&name.as_str())) {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n{}", self.body.len(), self.body);
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
    }
}

/// What the servers share.
struct World {
    backend: String,
    /// Whether requests to the backend end here.
    held: Mutex<bool>,
    sent: Mutex<Option<(Sent, u16)>>,
    events: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<String>>,
    answers: Mutex<Sender<Value>>,
}

/// A running handler, one event after the other.
pub(super) struct Function {
    child: Child,
    world: Arc<World>,
    events: tokio::sync::mpsc::UnboundedSender<String>,
    answers: Receiver<Value>,
    number: u32,
    _servers: Runtime,
}

impl Function {
    /// Starts a handler that signs with `key` for the backend at `url`.
    pub(super) fn start(key: &str, url: &str) -> Self {
        let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = servers.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (events, given) = tokio::sync::mpsc::unbounded_channel();
        let (answered, answers) = channel();
        let world = Arc::new(World {
            backend: url.to_owned(),
            held: Mutex::new(false),
            sent: Mutex::default(),
            events: tokio::sync::Mutex::new(given),
            answers: Mutex::new(answered),
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&world));
        servers.spawn(async move { axum::serve(listener, app).await });
        let here = format!("http://{address}");
        let child = Command::new(HANDLER)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .envs([("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
            .envs([("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "a-secret")])
            .envs([("AWS_ENDPOINT_URL", here.as_str()), ("APP_RUNNER_URL", &here), ("WSFIX_SIGNING_KEY", key)])
            .envs([("TABLE_NAME", "t"), ("JWT_SECRET", "a secret of at least thirty-two bytes"), ("WSFIX_REPLY", "route-response")])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, world, events, answers, number: 0, _servers: servers }
    }

    fn handle(&mut self, event: Value) -> Value {
        self.events.send(event.to_string()).unwrap();
        self.answers.recv_timeout(Duration::from_secs(20)).expect("the handler answers")
    }

    fn context(&mut self, kind: &str) -> Value {
        self.number += 1;
        let id = format!("R1knNH{:06}MjMFqVg=", self.number);
        json!({ "eventType": kind, "routeKey": "$default", "connectionId": "R1kmxc2VNjMCFIA=", "requestId": id })
    }

    /// Gives the handler a message and answers what the client gets.
    pub(super) fn message(&mut self, message: &Value) -> Value {
        let context = self.context("MESSAGE");
        let answer = self.handle(json!({ "requestContext": context, "body": message.to_string() }));
        serde_json::from_str(answer["body"].as_str().unwrap_or("null")).unwrap()
    }

    /// Tells the handler that the connection has ended.
    pub(super) fn disconnect(&mut self) {
        let context = self.context("DISCONNECT");
        self.handle(json!({ "requestContext": context }));
    }

    /// From now on nothing reaches the backend.
    pub(super) fn hold(&self) {
        *self.world.held.lock().unwrap() = true;
    }

    pub(super) fn last_sent(&self) -> Sent {
        self.world.sent.lock().unwrap().clone().expect("a request").0
    }

    /// The backend's status.
    pub(super) fn last_status(&self) -> u16 {
        self.world.sent.lock().unwrap().clone().expect("a request").1
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(status: u16, body: String) -> Response {
    let response = Response::builder().status(status);
    let response = response.header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    let response = response.header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:111122223333:function:f");
    response.header("lambda-runtime-deadline-ms", (super::epoch() * 1000 + 28_000).to_string()).body(Body::from(body)).unwrap()
}

/// Answers for Lambda and for the table, and hands on what is for the backend.
async fn serve(State(world): State<Arc<World>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let path = head.uri.path().to_owned();
    if path.ends_with("/invocation/next") {
        return match world.events.lock().await.recv().await {
            Some(event) => answer(200, event),
            None => answer(500, String::new()),
        };
    }
    if path.starts_with("/2018-06-01/") {
        let _ = world.answers.lock().unwrap().send(serde_json::from_str(&body).unwrap());
        return answer(202, String::new());
    }
    if let Some(target) = head.headers.get("x-amz-target") {
        let name = if target.as_bytes().ends_with(b"GetItem") { "Item" } else { "Attributes" };
        let item = json!({
            "connectionId": { "S": "R1kmxc2VNjMCFIA=" },
            "sessionId": { "S": "s1" },
            "connectedAt": { "N": (super::epoch() * 1000).to_string() },
            "expiresAt": { "N": (super::epoch() + 7200).to_string() },
        });
        return answer(200, json!({ name: item }).to_string());
    }
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let sent = Sent { method: head.method.to_string(), path, headers, body };
    let held = *world.held.lock().unwrap();
    let (status, body) = if held {
        (204, String::new())
    } else {
        let (sent, backend) = (sent.clone(), world.backend.clone());
        tokio::task::spawn_blocking(move || sent.to(&backend)).await.unwrap()
    };
    *world.sent.lock().unwrap() = Some((sent, status));
    answer(status, body)
}
