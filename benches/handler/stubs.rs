//! DynamoDB, `@connections` and a backend on loopback, behind TLS, that answer at once and count what they are asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::events::now;

/// What was asked so far, of all three.
#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    exchanges: AtomicU64,
}

/// Three servers.
pub(crate) struct Stubs {
    pub(crate) dynamodb: String,
    pub(crate) gateway: String,
    pub(crate) backend: String,
    counters: Arc<Counters>,
}

impl Stubs {
    pub(crate) async fn start() -> Self {
        let counters = Arc::new(Counters::default());
        let server = || serve(Arc::clone(&counters));
        let (dynamodb, gateway, backend) = (server().await, server().await, server().await);
        Self { dynamodb, gateway, backend, counters }
    }

    /// TCP connections and HTTP exchanges since the start.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.counters.connections.load(Ordering::Relaxed), self.counters.exchanges.load(Ordering::Relaxed))
    }
}

fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("../../tests/fixtures/tls/server.pem"));
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../tests/fixtures/tls/server.key")).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Starts a server and answers its URL.
async fn serve(counters: Arc<Counters>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = acceptor();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counters.connections.fetch_add(1, Ordering::Relaxed);
            let _ = stream.set_nodelay(true);
            let (acceptor, counters) = (acceptor.clone(), Arc::clone(&counters));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request| answer(request, &counters));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    format!("https://localhost:{port}")
}

async fn answer(request: Request<Incoming>, counters: &Counters) -> Result<Response<Full<Bytes>>, Infallible> {
    counters.exchanges.fetch_add(1, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let operation = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()?.split('.').next_back());
    let text = match (operation, head.uri.path()) {
        (Some("GetItem"), _) => json!({ "Item": item(&body) }).to_string(),
        (Some("DeleteItem"), _) => json!({ "Attributes": item(&body) }).to_string(),
        (Some(_), _) => "{}".to_owned(),
        (None, "/api/ws/message") => r#"{"type":"output","output":"total 8\ndrwxr-xr-x 2 root root 4096 .","exitCode":0}"#.to_owned(),
        (None, _) => String::new(),
    };
    let kind = if operation.is_some() { "application/x-amz-json-1.0" } else { "application/json" };
    Ok(Response::builder().header("content-type", kind).body(Full::from(text)).expect("a response"))
}

/// The item that a handshake stored for the connection that is asked for.
fn item(request: &[u8]) -> Value {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    json!({
        "connectionId": request["Key"]["connectionId"],
        "sessionId": { "S": "s1" },
        "userId": { "S": "user-1" },
        "connectedAt": { "N": "1689794896123" },
        "expiresAt": { "N": (now().as_secs() + 7800).to_string() },
        "authUntil": { "N": (now().as_secs() + 3600).to_string() },
        "sourceIp": { "S": "203.0.113.9" },
    })
}
