//! The WebSocket client: one connection, with what was seen of it.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::Url;

use crate::contract;
use crate::secret::Secret;

/// The longest piece of a refusal's body that is kept.
const BODY_LIMIT: usize = 2048;

/// Where to connect, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `ws://` or `wss://`, with no token in it.
    pub url: String,
    /// The token, where there is one.
    pub token: Option<Secret>,
    /// Offers the token in the list of sub-protocols; otherwise it goes into the query string.
    pub in_subprotocol: bool,
    /// The session that is asked for.
    pub session: Option<String>,
    /// The `Origin` header; a browser always sends one.
    pub origin: Option<String>,
    /// How long the handshake may take.
    pub limit: Duration,
}

impl Target {
    /// A handshake with the token in the query string.
    #[must_use]
    pub fn new(url: impl Into<String>, token: Option<Secret>) -> Self {
        Self { url: url.into(), token, in_subprotocol: false, session: None, origin: None, limit: Duration::from_secs(30) }
    }

    /// The same, asking for a session.
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// The same, with the token in the list of sub-protocols.
    #[must_use]
    pub fn in_subprotocol(mut self) -> Self {
        self.in_subprotocol = true;
        self
    }

    /// The whole URL. Holds the token: not to be printed.
    fn with_query(&self) -> Result<Url, Failure> {
        let mut url = Url::parse(&self.url).map_err(|error| Failure::Url(format!("{}: {error}", self.url)))?;
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(Failure::Url(format!("{} starts with neither ws:// nor wss://", self.url)));
        }
        if let Some(session) = &self.session {
            url.query_pairs_mut().append_pair(contract::query::SESSION_ID, session);
        }
        if let Some(token) = self.token.as_ref().filter(|_| !self.in_subprotocol) {
            url.query_pairs_mut().append_pair(contract::query::TOKEN, token.expose());
        }
        Ok(url)
    }

    fn request(&self) -> Result<tungstenite::handshake::client::Request, Failure> {
        let invalid = |what: &str| Failure::Url(format!("{} cannot be sent as a header", what));
        let url = self.with_query()?;
        let mut request = url.as_str().into_client_request().map_err(|_| Failure::Url(format!("{} is not a WebSocket URL", self.url)))?;
        if let Some(token) = self.token.as_ref().filter(|_| self.in_subprotocol) {
            let offer = format!("{}, {}", contract::TOKEN_SUBPROTOCOL, token.expose());
            let mut value = http::HeaderValue::from_str(&offer).map_err(|_| invalid("the token"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        if let Some(origin) = &self.origin {
            let value = http::HeaderValue::from_str(origin).map_err(|_| invalid("the origin"))?;
            request.headers_mut().insert(http::header::ORIGIN, value);
        }
        Ok(request)
    }
}

/// Why there is no connection, or none any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The URL or a header is not one.
    #[error("{0}")]
    Url(String),
    /// The handshake was answered with a status other than 101; browsers show this as close code 1006.
    #[error("the handshake was answered with HTTP {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
        /// From the first byte to the answer.
        elapsed: Duration,
    },
    /// Nothing answered, or not as a WebSocket server does.
    #[error("{0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("nothing came within {0:?}")]
    TimedOut(Duration),
    /// The connection ended without a close frame: what browsers call 1006.
    #[error("the connection broke without a close frame: {0}")]
    Broken(String),
}

/// What came from the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message; its length.
    Binary(usize),
    /// A close frame; 1005 stands for one without a code.
    Closed { code: u16, reason: String },
}

/// An open connection.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The status of the handshake's answer: 101.
    pub status: u16,
    /// The sub-protocol that the server picked.
    pub subprotocol: Option<String>,
    /// How long the handshake took, the TCP connection included.
    pub elapsed: Duration,
}

impl Socket {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// When the URL is wrong, nobody answers in time, or the handshake is refused.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let request = target.request()?;
        let started = Instant::now();
        let answer = timeout(target.limit, tokio_tungstenite::connect_async(request)).await;
        let elapsed = started.elapsed();
        let (stream, response) = match answer {
            Err(_) => return Err(Failure::TimedOut(target.limit)),
            Ok(Err(tungstenite::Error::Http(response))) => return Err(refusal(&response, elapsed)),
            Ok(Err(error)) => return Err(Failure::Unreachable(error.to_string())),
            Ok(Ok(opened)) => opened,
        };
        let subprotocol = response.headers().get(http::header::SEC_WEBSOCKET_PROTOCOL);
        let subprotocol = subprotocol.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { stream, status: response.status().as_u16(), subprotocol, elapsed })
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<(), Failure> {
        self.stream.send(Message::text(text.into())).await.map_err(broken)
    }

    /// Waits for the next message or close frame; answers protocol pings by itself.
    ///
    /// # Errors
    /// When nothing comes within `limit`, or the connection breaks.
    pub async fn receive(&mut self, limit: Duration) -> Result<Received, Failure> {
        timeout(limit, self.next()).await.unwrap_or(Err(Failure::TimedOut(limit)))
    }

    async fn next(&mut self) -> Result<Received, Failure> {
        loop {
            match self.stream.next().await {
                None => return Err(Failure::Broken("end of stream".to_owned())),
                Some(Err(error)) => return Err(broken(error)),
                Some(Ok(Message::Text(text))) => return Ok(Received::Text(text.as_str().to_owned())),
                Some(Ok(Message::Binary(bytes))) => return Ok(Received::Binary(bytes.len())),
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                    return Ok(Received::Closed { code, reason });
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            }
        }
    }

    /// Sends a text message and waits for the next text message, with the time between them.
    ///
    /// # Errors
    /// When nothing comes within `limit`, or something else than text does.
    pub async fn ask(&mut self, text: impl Into<String>, limit: Duration) -> Result<(String, Duration), Failure> {
        let started = Instant::now();
        self.send(text).await?;
        match self.receive(limit).await? {
            Received::Text(answer) => Ok((answer, started.elapsed())),
            Received::Binary(length) => Err(Failure::Broken(format!("a binary message of {length} bytes came"))),
            Received::Closed { code, reason } => Err(Failure::Broken(format!("the server closed with {code} {reason}"))),
        }
    }

    /// Closes with 1000 and waits for the other side's close frame.
    ///
    /// # Errors
    /// When the other side does not close within `limit`.
    pub async fn close(mut self, limit: Duration) -> Result<(), Failure> {
        use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.stream.close(Some(frame)).await.map_err(broken)?;
        loop {
            match self.receive(limit).await {
                Ok(Received::Closed { .. }) | Err(Failure::Broken(_)) => return Ok(()),
                Ok(Received::Text(_) | Received::Binary(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}

fn refusal(response: &http::Response<Option<Vec<u8>>>, elapsed: Duration) -> Failure {
    let body = response.body().as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(&body[..body.len().min(BODY_LIMIT)]).into_owned();
    Failure::Refused { status: response.status().as_u16(), body, elapsed }
}

fn broken(error: tungstenite::Error) -> Failure {
    Failure::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    async fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/prod", listener.local_addr().unwrap());
        (listener, url)
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    #[test]
    fn a_refused_handshake_keeps_status_and_body() {
        run(async {
            let (listener, url) = listen().await;
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 23\r\n\r\n{\"message\":\"Forbidden\"}").await.unwrap();
            });
            let failure = Socket::connect(&Target::new(url, None)).await.err().expect("refused");
            let Failure::Refused { status, body, .. } = failure else { panic!("{failure:?}") };
            assert_eq!((status, body.as_str()), (403, r#"{"message":"Forbidden"}"#));
        });
    }

    #[test]
    fn the_token_travels_where_it_is_told_to() {
        run(async {
            for in_subprotocol in [false, true] {
                let (listener, url) = listen().await;
                let server = tokio::spawn(async move {
                    let (stream, _) = listener.accept().await.unwrap();
                    let mut seen = String::new();
                    let mut socket = tokio_tungstenite::accept_hdr_async(stream, |request: &Request, mut response: Response| {
                        let offered = request.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap().to_owned());
                        seen = format!("{} {offered:?}", request.uri());
                        if offered.is_some() {
                            response.headers_mut().insert("sec-websocket-protocol", "wsfix.jwt".parse().unwrap());
                        }
                        Ok::<_, ErrorResponse>(response)
                    })
                    .await
                    .unwrap();
                    let message = socket.next().await.unwrap().unwrap();
                    socket.send(message).await.unwrap();
                    let _ = socket.next().await;
                    seen
                });
                let mut target = Target::new(url, Some(Secret::new("a.b-c.d_e"))).session("s 1&x");
                target.in_subprotocol = in_subprotocol;
                let mut socket = Socket::connect(&target).await.expect("connected");
                assert_eq!(socket.status, 101);
                assert_eq!(socket.subprotocol.as_deref(), in_subprotocol.then_some("wsfix.jwt"));
                assert_eq!(socket.ask("hello", LIMIT).await.unwrap().0, "hello");
                socket.close(LIMIT).await.unwrap();
                let seen = server.await.unwrap();
                let expected = if in_subprotocol {
                    r#"/prod?sessionId=s+1%26x Some("wsfix.jwt, a.b-c.d_e")"#
                } else {
                    "/prod?sessionId=s+1%26x&token=a.b-c.d_e None"
                };
                assert_eq!(seen, expected);
            }
        });
    }

    #[test]
    fn a_silent_server_and_a_missing_one_are_told_apart() {
        run(async {
            let (listener, url) = listen().await;
            let mut target = Target::new(url, None);
            target.limit = Duration::from_millis(50);
            assert_eq!(Socket::connect(&target).await.err(), Some(Failure::TimedOut(target.limit)));
            drop(listener);
            assert!(matches!(Socket::connect(&target).await.err(), Some(Failure::Unreachable(_))));
            assert!(matches!(Socket::connect(&Target::new("http://x", None)).await.err(), Some(Failure::Url(_))));
        });
    }
}
