//! Lambda's side of one process: starts it, hands it events through the Runtime API, takes its answers, reads what it cost.

use std::convert::Infallible;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::candidates::Candidate;
use crate::events::now;

/// A program that does not answer for this long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the process does at the Runtime API.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    /// It asks for an event.
    Next,
    /// It answers the event.
    Answer(String),
    /// It failed.
    Failed(String),
}

/// The Runtime API's state: what is to be handed out, and where calls are told.
struct Api {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    calls: mpsc::UnboundedSender<Call>,
}

/// A process and its Runtime API.
pub(crate) struct Function {
    child: Child,
    started: Instant,
    events: mpsc::UnboundedSender<String>,
    calls: mpsc::UnboundedReceiver<Call>,
}

impl Function {
    /// Starts a process. It has not asked for an event yet.
    pub(crate) async fn start(candidate: &Candidate, environment: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (events, given) = mpsc::unbounded_channel();
        let (told, calls) = mpsc::unbounded_channel();
        let api = Arc::new(Api { events: Mutex::new(given), calls: told });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let api = Arc::clone(&api);
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(request, &api));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let mut command = Command::new(&candidate.command[0]);
        command.args(&candidate.command[1..]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("AWS_LAMBDA_RUNTIME_API", address);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        Self { child: command.spawn().expect("the program starts"), started, events, calls }
    }

    async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(PATIENCE, self.calls.recv()).await;
        call.unwrap_or_else(|_| panic!("a program does nothing: {:?}", self.child)).expect("the Runtime API's tasks live")
    }

    /// Waits until it asks for an event.
    pub(crate) async fn next(&mut self) {
        let call = self.call().await;
        assert_eq!(call, Call::Next, "a program answers what it was not asked");
    }

    /// Gives it an event and waits for its answer, which must be a good one. It has not asked for the next event yet.
    pub(crate) async fn handle(&mut self, event: String) -> Duration {
        let given = Instant::now();
        self.events.send(event).expect("the Runtime API's tasks live");
        let call = self.call().await;
        let took = given.elapsed();
        let is_good = |text: &str| text.contains(r#""statusCode":200"#) || text.contains(r#""requestContext":"#);
        assert!(matches!(&call, Call::Answer(text) if is_good(text)), "an event went wrong: {call:?}");
        took
    }

    /// Time since its start.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Processor time of all its threads so far, to the nanosecond. What a thread does at this moment is not counted yet, so that all of
    /// them have to be at rest.
    pub(crate) fn processor(&self) -> Duration {
        let since = Instant::now();
        while self.read("stat").any(|line| is_running(&line)) && since.elapsed() < Duration::from_millis(200) {
            std::thread::yield_now();
        }
        Duration::from_nanos(self.read("schedstat").filter_map(|line| line.split(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// A file of each thread; one that ends meanwhile is left out.
    fn read<'a>(&self, file: &'a str) -> impl Iterator<Item = String> + use<'a> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the process lives");
        threads.filter_map(move |thread| fs::read_to_string(thread.ok()?.path().join(file)).ok())
    }

    /// Most memory that it had at once, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// The state comes after the name, which is in brackets and may hold anything.
fn is_running(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn answer(request: Request<Incoming>, api: &Api) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = || String::from_utf8_lossy(&body).into_owned();
    let response = Response::builder();
    let response = match (head.method, head.uri.path().rsplit('/').next()) {
        (Method::GET, Some("next")) => {
            let _ = api.calls.send(Call::Next);
            let event = api.events.lock().await.recv().await.unwrap_or_default();
            let deadline = now() + Duration::from_secs(28);
            response
                .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
                .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:111122223333:function:websocket-handler")
                .header("content-type", "application/json")
                .body(Full::from(event))
        }
        (Method::POST, Some("response")) => {
            let _ = api.calls.send(Call::Answer(text()));
            response.status(202).body(Full::default())
        }
        _ => {
            let _ = api.calls.send(Call::Failed(text()));
            response.status(202).body(Full::default())
        }
    };
    Ok(response.expect("a response"))
}
