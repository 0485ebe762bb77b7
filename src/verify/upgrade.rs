//! The upgrade from HTTP to WebSocket: one request, and the whole answer, which browsers keep to themselves.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::client::Failure;
use super::network::Stream;

/// The longest piece of an answer's body that is kept.
const BODY_LIMIT: usize = 2048;

/// How long a body may take that nobody needs.
const BODY_TIME: Duration = Duration::from_secs(2);

/// What a server said to an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The beginning of the body.
    pub body: String,
    /// From the request to the answer's head.
    pub elapsed: Duration,
}

impl Answer {
    /// A header as text; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) path_and_query: String,
    pub(crate) host: String,
    pub(crate) subprotocols: Option<HeaderValue>,
    pub(crate) origin: Option<HeaderValue>,
}

/// Asks for the upgrade. With status 101 and everything that belongs to it, the connection is open.
pub(crate) async fn upgrade(stream: Stream, ask: &Ask, limit: Duration) -> Result<(Answer, TokioIo<Upgraded>), Failure> {
    let started = Instant::now();
    let key = generate_key();
    let answered = timeout(limit, send(stream, ask, &key)).await.map_err(|_| Failure::TimedOut(limit))?;
    let mut response = answered.map_err(|error| unanswered(&error))?;
    let mut answer =
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body: String::new(), elapsed: started.elapsed() };
    if answer.status != 101 {
        answer.body = beginning(response.into_body()).await;
        return Err(Failure::Refused(Box::new(answer)));
    }
    if let Some(wrong) = wrong(&answer, &key, ask) {
        return Err(Failure::NotWebSocket { wrong, answer: Box::new(answer) });
    }
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(|error| unanswered(&error))?;
    Ok((answer, TokioIo::new(upgraded)))
}

async fn send(stream: Stream, ask: &Ask, key: &str) -> Result<Response<Incoming>, hyper::Error> {
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = ask.path_and_query.parse().unwrap_or_default();
    let mut put = |name: HeaderName, value: Option<HeaderValue>| value.map(|value| request.headers_mut().insert(name, value));
    put(HOST, HeaderValue::from_str(&ask.host).ok());
    put(CONNECTION, Some(HeaderValue::from_static("Upgrade")));
    put(UPGRADE, Some(HeaderValue::from_static("websocket")));
    put(SEC_WEBSOCKET_VERSION, Some(HeaderValue::from_static("13")));
    put(SEC_WEBSOCKET_KEY, HeaderValue::from_str(key).ok());
    put(SEC_WEBSOCKET_PROTOCOL, ask.subprotocols.clone());
    put(http::header::ORIGIN, ask.origin.clone());
    put(http::header::USER_AGENT, Some(HeaderValue::from_static(concat!("wsfix/", env!("CARGO_PKG_VERSION")))));
    sender.send_request(request).await
}

async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            bytes.extend(frame.into_data().unwrap_or_default());
            if bytes.len() >= BODY_LIMIT {
                break;
            }
        }
    };
    let _ = timeout(BODY_TIME, read).await;
    bytes.truncate(BODY_LIMIT);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What makes a client give up after a 101 (RFC 6455, section 4.1).
fn wrong(answer: &Answer, key: &str, ask: &Ask) -> Option<String> {
    let lists = |name: &str, token: &str| answer.header(name).split(',').any(|word| word.trim().eq_ignore_ascii_case(token));
    if !lists(UPGRADE.as_str(), "websocket") || !lists(CONNECTION.as_str(), "upgrade") {
        return Some("the headers Upgrade and Connection are not those of a WebSocket".to_owned());
    }
    if answer.header(SEC_WEBSOCKET_ACCEPT.as_str()) != derive_accept_key(key.as_bytes()) {
        return Some("Sec-WebSocket-Accept does not fit the key that was sent".to_owned());
    }
    let offered = ask.subprotocols.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let picked = answer.header(SEC_WEBSOCKET_PROTOCOL.as_str());
    if !picked.is_empty() && !offered.split(',').any(|word| word.trim() == picked) {
        return Some("Sec-WebSocket-Protocol names one that was not offered".to_owned());
    }
    None
}

/// There was a connection, and no answer on it.
fn unanswered(error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return Failure::NotHttp(chain(error));
    }
    Failure::Unanswered(chain(error))
}

/// An error with what is below it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = inner.source();
    }
    text
}
