//! Small servers, each with one fault.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};
use wsfix::verify::doctor::Options;

use super::{Case, options, scaled};

/// Listens on a free port, and serves every connection with `serve`.
async fn listen<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    format!("ws://{address}/ws")
}

/// Reads a request's head.
async fn head(stream: &mut (impl AsyncRead + Unpin)) {
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => seen.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
}

/// Answers every request with this text.
async fn answers(text: &'static str) -> Options {
    options(
        &listen(move |mut stream| async move {
            head(&mut stream).await;
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        })
        .await,
    )
}

/// Accepts WebSockets and hands each to `serve`.
async fn accepts<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(WebSocketStream<TcpStream>) -> F + Send + Sync + 'static,
) -> Options {
    let serve = Arc::new(serve);
    let url = listen(move |stream| {
        let serve = Arc::clone(&serve);
        async move {
            if let Ok(socket) = accept_async(stream).await {
                serve(socket).await;
            }
        }
    });
    options(&url.await)
}

/// Answers messages until the client goes.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A server that answers messages, and a request that is no upgrade with 426, as most do; its host and port.
pub(super) async fn echo_server() -> String {
    let url = listen(|mut stream| async move {
        let mut seen = [0; 2048];
        let read = stream.peek(&mut seen).await.unwrap_or_default();
        if !String::from_utf8_lossy(&seen[..read]).to_lowercase().contains("upgrade: websocket") {
            head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n").await;
        } else if let Ok(socket) = accept_async(stream).await {
            echo(socket).await;
        }
    });
    url.await.trim_start_matches("ws://").trim_end_matches("/ws").to_owned()
}

/// A server of plain HTTP that finds fault with everything.
async fn plain() -> String {
    let url = listen(|mut stream| async move {
        let _ = stream.read(&mut [0; 2048]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    });
    url.await
}

/// Ends the TCP connection after a time without anything that `counts`.
async fn idle(mut socket: WebSocketStream<TcpStream>, limit: Duration, counts: fn(&Message) -> bool) {
    let mut over = tokio::time::Instant::now() + limit;
    while let Ok(Some(Ok(message))) = tokio::time::timeout_at(over, socket.next()).await {
        if counts(&message) {
            over = tokio::time::Instant::now() + limit;
        }
    }
}

async fn close(mut socket: WebSocketStream<TcpStream>, code: u16, reason: &'static str) {
    let frame = CloseFrame { code: code.into(), reason: reason.into() };
    let _ = socket.close(Some(frame)).await;
    while let Some(Ok(_)) = socket.next().await {}
}

pub(super) async fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("takes no TCP connection", "unreachable", options(&closed_port().await)),
        Case::new("a name without an address", "no-such-host", options("ws://name.invalid/ws")),
        Case::new(
            "takes the connection and never answers",
            "silent",
            Options {
                target: wsfix::verify::Target { limit: scaled(5.0), ..options(&silent().await).target },
                ..options("ws://unused.invalid")
            },
        ),
        Case::new(
            "ends the connection without an answer",
            "dropped",
            options(&listen(|mut stream| async move { head(&mut stream).await }).await),
        ),
        Case::new("does not speak HTTP", "not-http", answers("220 mail.example ESMTP\r\n").await),
        Case::new(
            "403 as Envoy answers at AWS App Runner",
            "no-websocket-here",
            answers("HTTP/1.1 403 Forbidden\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n").await,
        ),
        Case::new("404", "not-found", answers("HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nNot Found").await),
        Case::new(
            "426",
            "upgrade-stripped",
            answers("HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n").await,
        ),
        Case::new(
            "200, the page of a single-page app",
            "upgrade-ignored",
            answers("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<!DOCTYPE html>").await,
        ),
        Case::new(
            "301 to https",
            "redirected",
            answers("HTTP/1.1 301 Moved Permanently\r\nlocation: https://example.com/ws?token=x\r\ncontent-length: 0\r\n\r\n").await,
        ),
        Case::new("401", "unauthorized", answers("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await),
        Case::new("429", "throttled", answers("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n").await),
        Case::new(
            "503 of a load balancer without a healthy target",
            "backend-down",
            answers("HTTP/1.1 503 Service Unavailable\r\nserver: awselb/2.0\r\ncontent-length: 0\r\n\r\n").await,
        ),
        Case::new(
            "101 with a wrong Sec-WebSocket-Accept",
            "bad-handshake",
            answers("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: AAAA\r\n\r\n")
                .await,
        ),
        Case::new("confirms no sub-protocol", "subprotocol-not-confirmed", {
            let options = accepts(echo).await;
            Options { target: wsfix::verify::Target { subprotocols: vec!["chat.v1".to_owned()], ..options.target }, ..options }
        }),
        Case::new("stays open", "healthy", accepts(echo).await),
        Case::new(
            "drops TCP 25 s after the handshake, whatever goes over it",
            "lifetime",
            accepts(|socket| async move {
                let _ = tokio::time::timeout(scaled(25.0), echo(socket)).await;
            })
            .await,
        ),
        Case::new(
            "drops TCP after 10 s without traffic; pings count",
            "idle-timeout",
            accepts(|socket| idle(socket, scaled(10.0), |_| true)).await,
        ),
        Case::new(
            "drops TCP after 10 s without a message; pings do not count",
            "idle-timeout",
            accepts(|socket| idle(socket, scaled(10.0), Message::is_text)).await,
        ),
        Case::new("closes at once with 1008 `no token`", "closed-by-app", accepts(|socket| close(socket, 1008, "no token")).await),
        Case::new(
            "closes with 1009 on a message",
            "too-big",
            accepts(|mut socket| async move {
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() {
                        return close(socket, 1009, "").await;
                    }
                }
            })
            .await,
        ),
        Case::new(
            "crashes on a message",
            "breaks-on-message",
            accepts(|mut socket| async move {
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() {
                        return;
                    }
                }
            })
            .await,
        ),
    ];
    cases.extend(tls_cases().await);
    cases
}

async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("ws://{}/ws", listener.local_addr().expect("an address"))
}

async fn silent() -> String {
    listen(|mut stream| async move {
        head(&mut stream).await;
        let _ = stream.read(&mut [0; 16]).await;
    })
    .await
}

/// A certificate of a server, by an authority of this test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem().into_bytes();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Listens with a certificate for `name`, which was good until the end of `year`.
    async fn server(&self, name: &str, year: i32) -> Options {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 12, 31));
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a server");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let url = listen(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                if let Ok(socket) = accept_async(stream).await {
                    echo(socket).await;
                }
            }
        });
        let options = options(&url.await.replace("ws://127.0.0.1", "wss://localhost"));
        Options { target: wsfix::verify::Target { roots: Some(self.pem.clone()), ..options.target }, ..options }
    }
}

async fn tls_cases() -> Vec<Case> {
    let authority = Authority::new();
    let good = authority.server("localhost", 2099).await;
    let unknown = Options { target: wsfix::verify::Target { roots: None, ..good.target.clone() }, ..good.clone() };
    let plain = plain().await;
    let url = good.target.url.replace("wss://", "ws://");
    vec![
        Case::new("TLS, all in order", "healthy", good),
        Case::new("TLS with an expired certificate", "tls-expired", authority.server("localhost", 2021).await),
        Case::new("TLS with a certificate for another name", "tls-wrong-name", authority.server("example.com", 2099).await),
        Case::new("TLS with a certificate of an unknown authority", "tls-unknown-issuer", unknown),
        Case::new("plain HTTP where the URL says wss://", "tls-not-spoken", options(&plain.replace("ws://", "wss://"))),
        Case::new("TLS where the URL says ws://", "not-http", options(&url)),
    ]
}
