//! The WebSocket client: one connection, with what was seen of it.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Bytes, Message, protocol::Role};
use url::Url;

use crate::contract;
use crate::secret::Secret;

use super::network::{self, Address, Stream, TlsFault};
use super::upgrade::{Answer, Ask, upgrade};

/// Where to connect, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `ws://` or `wss://`, with no token in it.
    pub url: String,
    /// The token or the ticket, where there is one; each has names of its own.
    pub token: Option<Secret>,
    /// Offers the token in the list of sub-protocols; otherwise it goes into the query string.
    pub in_subprotocol: bool,
    /// Sub-protocols to offer besides.
    pub subprotocols: Vec<String>,
    /// The session that is asked for.
    pub session: Option<String>,
    /// The `Origin` header; a browser always sends one.
    pub origin: Option<String>,
    /// Certificates in PEM that are trusted besides those that browsers trust.
    pub roots: Option<Vec<u8>>,
    /// How long each stage of the handshake may take: the name, TCP, TLS, the answer.
    pub limit: Duration,
}

impl Target {
    /// A handshake with the token in the query string.
    #[must_use]
    pub fn new(url: impl Into<String>, token: Option<Secret>) -> Self {
        Self {
            url: url.into(),
            token,
            in_subprotocol: false,
            subprotocols: Vec::new(),
            session: None,
            origin: None,
            roots: None,
            limit: Duration::from_secs(30),
        }
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
        let mut url = Url::parse(&self.url).map_err(|error| Failure::Url(format!("{} is no URL: {error}", self.url)))?;
        if let Some(session) = &self.session {
            url.query_pairs_mut().append_pair(contract::query::SESSION_ID, session);
        }
        if let Some(token) = self.token.as_ref().filter(|_| !self.in_subprotocol) {
            let name = if is_ticket(token) { contract::query::TICKET } else { contract::query::TOKEN };
            url.query_pairs_mut().append_pair(name, token.expose());
        }
        Ok(url)
    }

    /// Whether it can be tried at all.
    ///
    /// # Errors
    /// When the URL or a header is not one.
    pub fn check(&self) -> Result<(), Failure> {
        self.ask().map(drop)
    }

    /// The sub-protocols that are offered, without the token.
    pub(crate) fn offers(&self) -> Vec<String> {
        let token = self.token.as_ref().filter(|_| self.in_subprotocol).map(|token| subprotocol(token).to_owned());
        token.into_iter().chain(self.subprotocols.iter().cloned()).collect()
    }

    /// Where to connect, and what to ask for there.
    pub(crate) fn ask(&self) -> Result<(Address, Ask), Failure> {
        let url = self.with_query()?;
        let address = Address::of(&url)?;
        let header = |what: &str, text: &str| {
            let value = HeaderValue::from_str(text).map_err(|_| Failure::Url(format!("{what} cannot be sent as a header")))?;
            Ok(Some(value))
        };
        let token = self.token.as_ref().filter(|_| self.in_subprotocol);
        let offers = token.into_iter().flat_map(|token| [subprotocol(token), token.expose()]);
        let offers: Vec<&str> = offers.chain(self.subprotocols.iter().map(String::as_str)).collect();
        let subprotocols = if offers.is_empty() { None } else { header("a sub-protocol", &offers.join(", "))? };
        let subprotocols = subprotocols.map(|mut value: HeaderValue| {
            value.set_sensitive(token.is_some());
            value
        });
        let origin = self.origin.as_deref().map_or(Ok(None), |origin| header("the origin", origin))?;
        let path_and_query = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let host = address.host_header();
        Ok((address, Ask { path_and_query, host, subprotocols, origin }))
    }
}

fn is_ticket(token: &Secret) -> bool {
    token.expose().starts_with(contract::TICKET_LEAD)
}

/// The sub-protocol that announces a token, or a ticket.
pub(crate) fn subprotocol(token: &Secret) -> &'static str {
    if is_ticket(token) { contract::TICKET_SUBPROTOCOL } else { contract::TOKEN_SUBPROTOCOL }
}

/// Why there is no connection, or none any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The URL or a header is not one.
    #[error("{0}")]
    Url(String),
    /// The name has no address.
    #[error("no such host: {0}")]
    NoSuchHost(String),
    /// No TCP connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// No TLS.
    #[error("{fault}: {detail}")]
    Tls {
        /// What is wrong.
        fault: TlsFault,
        /// In the words of the TLS library.
        detail: String,
    },
    /// The server ended the connection instead of answering.
    #[error("the server ended the connection without an answer: {0}")]
    Unanswered(String),
    /// What came is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    NotHttp(String),
    /// The handshake was answered with a status other than 101; browsers show this as close code 1006.
    #[error("the handshake was answered with HTTP {}", .0.status)]
    Refused(Box<Answer>),
    /// The status was 101, but what came with it is no WebSocket's.
    #[error("the answer has status 101, but {wrong}")]
    NotWebSocket {
        /// What is wrong with it.
        wrong: String,
        /// The answer.
        answer: Box<Answer>,
    },
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
    Closed {
        /// The close code.
        code: u16,
        /// The text with it.
        reason: String,
    },
}

/// [`Received`], or the answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Message(Received),
    Pong,
}

/// An open connection.
pub struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    /// The answer to the handshake: status 101.
    pub answer: Answer,
    /// The sub-protocol that the server picked.
    pub subprotocol: Option<String>,
    /// How long the handshake took, name, TCP and TLS included.
    pub elapsed: Duration,
}

impl Socket {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// When the URL is wrong, nobody answers in time, or the handshake is refused.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let (address, ask) = target.ask()?;
        let started = Instant::now();
        let addresses = network::look_up(&address, target.limit).await?;
        let stream = network::connect(&addresses, target.limit).await?;
        let stream: Stream = if address.tls {
            network::secure(stream, &address.host, target.roots.as_deref(), target.limit).await.1?
        } else {
            Box::new(stream)
        };
        let mut socket = Self::open(stream, &ask, target.limit).await?;
        socket.elapsed = started.elapsed();
        Ok(socket)
    }

    /// Shakes hands on a connection.
    pub(crate) async fn open(stream: Stream, ask: &Ask, limit: Duration) -> Result<Self, Failure> {
        let (answer, io) = upgrade(stream, ask, limit).await?;
        let subprotocol = Some(answer.header(SEC_WEBSOCKET_PROTOCOL.as_str())).filter(|name| !name.is_empty()).map(str::to_owned);
        let stream = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        Ok(Self { stream, subprotocol, elapsed: answer.elapsed, answer })
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
            if let Heard::Message(received) = self.hear().await? {
                return Ok(received);
            }
        }
    }

    /// Sends a protocol ping.
    pub(crate) async fn ping(&mut self) -> Result<(), Failure> {
        self.stream.send(Message::Ping(Bytes::from_static(b"wsfix"))).await.map_err(broken)
    }

    /// Waits for whatever comes next, control frames included.
    pub(crate) async fn hear(&mut self) -> Result<Heard, Failure> {
        loop {
            return match self.stream.next().await {
                None => Err(Failure::Broken("end of stream".to_owned())),
                Some(Err(error)) => Err(broken(error)),
                Some(Ok(Message::Text(text))) => Ok(Heard::Message(Received::Text(text.as_str().to_owned()))),
                Some(Ok(Message::Binary(bytes))) => Ok(Heard::Message(Received::Binary(bytes.len()))),
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                    Ok(Heard::Message(Received::Closed { code, reason }))
                }
                Some(Ok(Message::Pong(_))) => Ok(Heard::Pong),
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => continue,
            };
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
            let Failure::Refused(answer) = failure else { panic!("{failure:?}") };
            assert_eq!((answer.status, answer.body.as_str()), (403, r#"{"message":"Forbidden"}"#));
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
                assert_eq!(socket.answer.status, 101);
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
