//! Many connections at once, through the gateway, the real handler and the built-in backend: each message is answered once, or it is told.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use wsfix::config::Throttle;
use wsfix::local::Options;
use wsfix::local::backend::{self, Backend};

use super::{Sandbox, WEAK_ROLE, block_on};

/// New connections per second: the account takes 500.
const CONNECTS: f64 = 200.0;
/// After the last message so long for the last answer.
const LAST: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    /// Messages of all connections together.
    pub(crate) per_second: f64,
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) sent: usize,
    /// Messages without an answer.
    pub(crate) lost: usize,
    /// Answers beyond the first.
    pub(crate) doubled: usize,
    /// Anything else that came: error frames, ends of connections.
    pub(crate) other: Vec<String>,
    /// From each message to its first answer, sorted.
    pub(crate) delays: Vec<Duration>,
    /// From the first message to the last answer.
    pub(crate) took: Duration,
}

impl Measured {
    fn add(&mut self, one: Self) {
        self.sent += one.sent;
        self.lost += one.lost;
        self.doubled += one.doubled;
        self.other.extend(one.other);
        self.delays.extend(one.delays);
        self.took = self.took.max(one.took);
    }

    /// The delay that so many of a thousand messages did not exceed.
    pub(crate) fn delay(&self, per_mille: usize) -> Duration {
        let at = (self.delays.len() * per_mille / 1000).min(self.delays.len().saturating_sub(1));
        self.delays.get(at).copied().unwrap_or_default()
    }
}

/// Starts everything, and runs the load against it.
pub(crate) fn run(load: Load, handler: PathBuf) -> Measured {
    let mut sandbox = Sandbox::with(Options::default());
    let options = backend::Options { signing_key: sandbox.config.signing_key.clone(), allow_commands: false };
    let backend = Backend::start(options).expect("a backend");
    let config = &mut sandbox.config;
    config.function.handler = Some(handler);
    config.existing_role = Some(WEAK_ROLE.to_owned());
    config.backend_url = Some(backend.url());
    // What is measured is what the local cloud can do, not what the stage lets through.
    config.api.connect_throttle = Throttle { rate: 1000, burst: 2000 };
    config.api.message_throttle = Throttle { rate: 9000, burst: 5000 };
    let url = sandbox.provision().outputs.websocket_url;
    block_on(all(load, &url))
}

async fn all(load: Load, url: &str) -> Measured {
    let connected = Instant::now() + Duration::from_secs(1) + Duration::from_secs_f64(f64::from(load.connections) / CONNECTS);
    let one = |number: u32| {
        let url = format!("{url}?sessionId=load-{number}&token={}", token(&format!("load-{number}")));
        let connects = connected - Duration::from_secs_f64(f64::from(load.connections - number) / CONNECTS);
        let period = Duration::from_secs_f64(f64::from(load.connections) / load.per_second);
        let first = connected + Duration::from_secs_f64(f64::from(number) / load.per_second);
        tokio::spawn(connection(url, connects, first, period, connected + load.time))
    };
    let tasks: Vec<_> = (0..load.connections).map(one).collect();
    let mut measured = Measured::default();
    for task in tasks {
        measured.add(task.await.expect("a connection's task"));
    }
    measured.delays.sort_unstable();
    measured
}

/// One connection from its handshake to its end: a message each `period` from `first` to `last`.
async fn connection(url: String, connects: Instant, first: Instant, period: Duration, last: Instant) -> Measured {
    sleep_until(connects).await;
    let mut measured = Measured::default();
    let mut socket = match timeout(LAST, tokio_tungstenite::connect_async(&url)).await {
        Ok(Ok((socket, _))) => socket,
        Ok(Err(error)) => {
            measured.other.push(format!("no connection: {error}"));
            return measured;
        }
        Err(_) => {
            measured.other.push("no connection in time".to_owned());
            return measured;
        }
    };
    // When each message was sent, and how often it was answered.
    let mut messages: Vec<(Instant, usize)> = Vec::new();
    let (mut next, mut answered) = (first, 0);
    loop {
        let wake = if next < last { next } else { last + LAST };
        if next >= last && answered == messages.len() {
            break;
        }
        tokio::select! {
            () = sleep_until(wake) => {
                if next >= last {
                    break;
                }
                let text = json!({ "action": "sendMessage", "type": "command", "command": format!("echo {}", messages.len()) });
                messages.push((Instant::now(), 0));
                next += period;
                if let Err(error) = socket.send(Message::text(text.to_string())).await {
                    measured.other.push(format!("not sent: {error}"));
                    break;
                }
            }
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => match number_in(&text).and_then(|number| messages.get_mut(number)) {
                    Some((sent, answers)) => {
                        *answers += 1;
                        if *answers == 1 {
                            answered += 1;
                            measured.delays.push(sent.elapsed());
                        }
                    }
                    None => measured.other.push(text.to_string()),
                },
                Some(Ok(Message::Close(frame))) => {
                    measured.other.push(format!("closed: {frame:?}"));
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    measured.other.push(format!("broken: {error}"));
                    break;
                }
                None => break,
            }
        }
    }
    measured.took = first.elapsed();
    // What is doubled may come a little later than the first.
    while let Ok(Some(Ok(Message::Text(text)))) = timeout(Duration::from_millis(200), socket.next()).await {
        match number_in(&text).and_then(|number| messages.get_mut(number)) {
            Some((_, answers)) => *answers += 1,
            None => measured.other.push(text.to_string()),
        }
    }
    let _ = timeout(Duration::from_secs(5), socket.close(None)).await;
    measured.sent = messages.len();
    measured.lost = messages.iter().filter(|(_, answers)| *answers == 0).count();
    measured.doubled = messages.iter().map(|(_, answers)| answers.saturating_sub(1)).sum();
    measured
}

/// The number of the message that this answers.
fn number_in(text: &str) -> Option<usize> {
    serde_json::from_str::<Value>(text).ok()?.get("output")?.as_str()?.trim().parse().ok()
}

/// A token as the sandbox's config wants it.
fn token(session: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({ "alg": "HS256", "typ": "JWT" }));
    let body = part(&json!({ "sub": session, "sessionId": session, "exp": now + 3600 }));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
    let signature = ring::hmac::sign(&key, format!("{head}.{body}").as_bytes());
    format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(signature))
}
