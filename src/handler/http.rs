//! The HTTP client of everything that the handler calls: no redirects, a limit on time and size, connections kept between events.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The most that is read of an answer where nothing else is said: the largest message of a WebSocket API (API Gateway quotas).
pub(crate) const LARGEST_ANSWER: usize = 128 * 1024;
/// Node's own server closes idle connections after 5 s, and a request that meets the close may not be repeated.
const BACKEND_IDLE: Duration = Duration::from_secs(4);
const AWS_IDLE: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The variable that names a file with more authorities; AWS's own tools have it too.
pub(crate) const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Aws,
    Backend,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// AWS's `x-amzn-ErrorType`.
    pub(crate) error_type: Option<String>,
    pub(crate) body: Bytes,
}

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("no answer in time")]
    Timeout,
    /// Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The request may have arrived.
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

struct Pools {
    /// Remembers TLS sessions, so that new pools resume them.
    connector: HttpsConnector<HttpConnector>,
    aws: Pool,
    backend: Pool,
    /// Epoch milliseconds.
    last_used: u64,
}

impl Pools {
    fn new(connector: HttpsConnector<HttpConnector>, now_ms: u64) -> Self {
        let pool = |idle| Client::builder(TokioExecutor::new()).pool_idle_timeout(idle).build(connector.clone());
        Self { aws: pool(AWS_IDLE), backend: pool(BACKEND_IDLE), connector, last_used: now_ms }
    }

    /// Whether the process did nothing for so long that the other ends have gone. The pools' own clock may stand still while it is frozen.
    fn slept(&self, now_ms: u64) -> bool {
        Duration::from_millis(now_ms.saturating_sub(self.last_used)) > AWS_IDLE
    }
}

/// Makes its connections when they are first needed.
#[derive(Default)]
pub(crate) struct Http {
    /// A PEM file with authorities to trust besides the public ones.
    authorities: Option<String>,
    pools: Mutex<Option<Pools>>,
}

impl Http {
    /// `authorities`: a PEM file with authorities to trust besides the public ones.
    pub(crate) fn new(authorities: Option<String>) -> Self {
        Self { authorities, ..Self::default() }
    }

    /// Sends a request and reads all of the answer, up to `largest` bytes, within `limit`. Zero: nothing is sent.
    pub(crate) async fn send(
        &self,
        peer: Peer,
        request: Request<Full<Bytes>>,
        limit: Duration,
        largest: usize,
        now_ms: u64,
    ) -> Result<Answer, HttpError> {
        if limit.is_zero() {
            return Err(HttpError::Timeout);
        }
        let pool = self.pool(peer, now_ms)?;
        tokio::time::timeout(limit, exchange(&pool, request, largest)).await.map_err(|_| HttpError::Timeout)?
    }

    fn pool(&self, peer: Peer, now_ms: u64) -> Result<Pool, HttpError> {
        let mut kept = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pools = match kept.take() {
            None => Pools::new(connector(self.authorities.as_deref()).map_err(HttpError::Connect)?, now_ms),
            Some(old) if old.slept(now_ms) => Pools::new(old.connector, now_ms),
            Some(pools) => pools,
        };
        pools.last_used = now_ms;
        let pool = match peer {
            Peer::Aws => pools.aws.clone(),
            Peer::Backend => pools.backend.clone(),
        };
        *kept = Some(pools);
        Ok(pool)
    }
}

fn connector(authorities: Option<&str>) -> Result<HttpsConnector<HttpConnector>, String> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_LIMIT));
    tcp.enforce_http(false);
    // The provider is named, so that another one in the same build cannot make the choice ambiguous.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(authorities)?)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp))
}

/// The public authorities, and those of a PEM file.
fn roots(authorities: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = authorities {
        let wrong = |error: &dyn std::fmt::Display| format!("{CA_BUNDLE} names a file that cannot be used: {error}");
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
            roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
        }
    }
    Ok(roots)
}

async fn exchange(pool: &Pool, request: Request<Full<Bytes>>, largest: usize) -> Result<Answer, HttpError> {
    let response = pool.request(request).await.map_err(|error| {
        let text = chain(&error);
        if error.is_connect() { HttpError::Connect(text) } else { HttpError::Broken(text) }
    })?;
    let status = response.status();
    let error_type = response.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Limited::new(response.into_body(), largest).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { HttpError::TooLarge(largest) } else { HttpError::Broken(chain(error.as_ref())) }
    })?;
    Ok(Answer { status, error_type, body: body.to_bytes() })
}

/// An error with its causes: hyper's own text says only which step failed.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::testing::{Stub, reply};

    async fn get(http: &Http, url: &str, limit: Duration, now_ms: u64) -> Result<Answer, HttpError> {
        http.send(Peer::Backend, Request::get(url).body(Full::default()).unwrap(), limit, LARGEST_ANSWER, now_ms).await
    }

    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn connections_are_kept_and_given_up_after_a_sleep() {
        let stub = Stub::start(|_| reply(200, "ok")).await;
        let http = Http::default();
        for now_ms in [0, 1000, 60_000, 61_000] {
            assert_eq!(get(&http, &stub.url(), LONG, now_ms).await.unwrap().body, "ok");
        }
        assert_eq!(stub.connections(), 2);
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let stub = Stub::start(|_| reply(307, "").with("location", "/elsewhere")).await;
        assert_eq!(get(&Http::default(), &stub.url(), LONG, 0).await.unwrap().status, 307);
        assert_eq!(stub.requests().len(), 1);
    }

    #[tokio::test]
    async fn large_answers_are_cut_off() {
        let stub = Stub::start(|request| reply(200, &"x".repeat(LARGEST_ANSWER + usize::from(request.path == "/more")))).await;
        let http = Http::default();
        assert_eq!(get(&http, &stub.url(), LONG, 0).await.unwrap().body.len(), LARGEST_ANSWER);
        assert!(matches!(get(&http, &format!("{}/more", stub.url()), LONG, 0).await, Err(HttpError::TooLarge(LARGEST_ANSWER))));
    }

    #[tokio::test]
    async fn silence_refusal_and_a_lost_connection_are_told_apart() {
        let http = Http::default();
        let silent = Stub::start(|_| reply(200, "late").after(Duration::from_secs(30))).await;
        assert!(matches!(get(&http, &silent.url(), Duration::from_millis(50), 0).await, Err(HttpError::Timeout)));
        assert!(matches!(get(&http, &silent.url(), Duration::ZERO, 0).await, Err(HttpError::Timeout)));
        assert_eq!(silent.requests().len(), 1);
        let broken = Stub::start(|_| reply(0, "")).await;
        assert!(matches!(get(&http, &broken.url(), LONG, 0).await, Err(HttpError::Broken(_))));
        let gone = broken.close();
        assert!(matches!(get(&http, &gone, LONG, 0).await, Err(HttpError::Connect(_))));
    }

    /// A server with the certificate of `tests/fixtures/tls`, and its URL.
    #[cfg(feature = "cli")]
    async fn tls_server() -> String {
        use rustls::pki_types::PrivateKeyDer;
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let chain = vec![CertificateDer::from_pem_slice(include_bytes!("../../tests/fixtures/tls/server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../tests/fixtures/tls/server.key")).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
        });
        format!("https://localhost:{port}")
    }

    #[cfg(feature = "cli")]
    #[tokio::test]
    async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
        let url = tls_server().await;
        let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem");
        assert_eq!(get(&Http::new(Some(bundle.to_owned())), &url, LONG, 0).await.unwrap().body, "ok");
        let stranger = get(&Http::default(), &url, LONG, 0).await.unwrap_err().to_string();
        assert!(stranger.contains("UnknownIssuer"), "{stranger}");
        let missing = get(&Http::new(Some("/nowhere.pem".to_owned())), &url, LONG, 0).await.unwrap_err().to_string();
        assert!(missing.starts_with("cannot connect: AWS_CA_BUNDLE names a file that cannot be used: "), "{missing}");
    }
}
