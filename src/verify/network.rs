//! The way to a server, stage by stage: its addresses, TCP, TLS; each with what was seen.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::client::Failure;

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `wss://`
    pub tls: bool,
    /// A name, or an IP address without brackets.
    pub host: String,
    /// The port, the scheme's own where the URL has none.
    pub port: u16,
}

impl Address {
    /// Reads a `ws://` or `wss://` URL.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of(url: &Url) -> Result<Self, Failure> {
        let tls = match url.scheme() {
            "wss" => true,
            "ws" => false,
            other => return Err(Failure::Url(format!("the URL starts with {other}:, not with ws:// or wss://"))),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return Err(Failure::Url("the URL has no host".to_owned())),
        };
        Ok(Self { tls, host, port: url.port().unwrap_or(if tls { 443 } else { 80 }) })
    }

    /// As the header `Host` says it: without the scheme's own port.
    #[must_use]
    pub fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

/// The addresses of a host.
///
/// # Errors
/// When the name has none.
pub async fn look_up(address: &Address, limit: Duration) -> Result<Vec<SocketAddr>, Failure> {
    let found = timeout(limit, tokio::net::lookup_host((address.host.as_str(), address.port))).await;
    let found: Vec<SocketAddr> = match found {
        Err(_) => return Err(Failure::TimedOut(limit)),
        Ok(Err(error)) => return Err(Failure::NoSuchHost(format!("{}: {error}", address.host))),
        Ok(Ok(found)) => found.collect(),
    };
    if found.is_empty() { Err(Failure::NoSuchHost(format!("{}: no address", address.host))) } else { Ok(found) }
}

/// Connects to the first address that answers.
///
/// # Errors
/// When none does; says what each of them did.
pub async fn connect(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Failure> {
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut told = Vec::new();
    let mut late = true;
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small frames should not wait for one another.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => {
                late = false;
                told.push(format!("{address}: {error}"));
            }
            Err(_) => told.push(format!("{address}: no answer within {share:?}")),
        }
    }
    if late { Err(Failure::TimedOut(limit)) } else { Err(Failure::Unreachable(told.join("; "))) }
}

/// What a server showed in the TLS handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSeen {
    /// `TLSv1_3`, where it came so far.
    pub version: Option<String>,
    /// Its certificate, where it showed one.
    pub certificate: Option<Certificate>,
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Names and addresses that it is good for.
    pub names: Vec<String>,
    /// Epoch seconds.
    pub not_before: i64,
    /// Epoch seconds.
    pub not_after: i64,
}

/// What is wrong with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The certificate's time is over.
    Expired,
    /// Its time has not come: most often a wrong clock.
    NotYetValid,
    /// It is for other names.
    WrongName,
    /// Nobody whom browsers trust has signed it.
    UnknownIssuer,
    /// Something else with the certificate.
    Certificate,
    /// What answers does not speak TLS.
    NotTls,
    /// The server broke off.
    Handshake,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::WrongName => "the certificate is for other names",
            Self::UnknownIssuer => "the certificate is signed by nobody whom browsers trust",
            Self::Certificate => "the certificate is refused",
            Self::NotTls => "what answers there does not speak TLS",
            Self::Handshake => "the TLS handshake failed",
        })
    }
}

/// Speaks TLS with the server, and keeps its certificate even where that is refused.
///
/// `roots`: certificates in PEM that are trusted besides those that browsers trust.
///
/// # Errors
/// When the certificate is refused, or there is no TLS.
pub async fn secure(stream: TcpStream, host: &str, roots: Option<&[u8]>, limit: Duration) -> (TlsSeen, Result<Stream, Failure>) {
    let witness = match Witness::new(roots) {
        Ok(witness) => Arc::new(witness),
        Err(why) => return (TlsSeen::default(), Err(Failure::Url(why))),
    };
    let config = ClientConfig::builder_with_provider(Arc::clone(&witness.provider))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::clone(&witness) as Arc<_>).with_no_client_auth());
    let (Ok(mut config), Ok(name)) = (config, ServerName::try_from(host.to_owned())) else {
        return (TlsSeen::default(), Err(Failure::Url(format!("{host} is no name that TLS knows"))));
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()]; // as browsers do for WebSockets
    let handshake = timeout(limit, TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
    let certificate = witness.seen();
    match handshake {
        Ok(Ok(stream)) => {
            let version = stream.get_ref().1.protocol_version().and_then(|version| version.as_str().map(str::to_owned));
            (TlsSeen { version, certificate }, Ok(Box::new(stream)))
        }
        Ok(Err(error)) => (TlsSeen { version: None, certificate }, Err(fault(&error))),
        Err(_) => (TlsSeen { version: None, certificate }, Err(Failure::TimedOut(limit))),
    }
}

fn fault(error: &std::io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls adds errors as it likes")]
    let fault = match inner {
        Some(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::WrongName,
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            _ => TlsFault::Certificate,
        },
        Some(rustls::Error::InvalidMessage(_)) => TlsFault::NotTls,
        _ => TlsFault::Handshake,
    };
    Failure::Tls { fault, detail: error.to_string() }
}

/// A connection, with or without TLS.
pub type Stream = Box<dyn Transport>;

/// What bytes go over.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// Judges certificates as browsers do, and remembers the one that it saw.
#[derive(Debug)]
struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<Vec<u8>>>,
}

impl Witness {
    fn new(extra: Option<&[u8]>) -> Result<Self, String> {
        use rustls::pki_types::pem::PemObject;
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in extra.into_iter().flat_map(CertificateDer::pem_slice_iter) {
            let certificate = certificate.map_err(|error| format!("the trusted certificates are not PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("a trusted certificate cannot be read: {error}"))?;
        }
        let provider = Arc::new(ring::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        Ok(Self { judge: judge.map_err(|error| error.to_string())?, provider, shown: Mutex::default() })
    }

    fn seen(&self) -> Option<Certificate> {
        let shown = self.shown.lock().ok()?;
        read(shown.as_deref()?)
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut shown) = self.shown.lock() {
            *shown = Some(end.to_vec());
        }
        self.judge.verify_server_cert(end, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

fn read(der: &[u8]) -> Option<Certificate> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|extension| &extension.value.general_names);
    #[expect(clippy::wildcard_enum_match_arm, reason = "other names are no hosts")]
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => ip(bytes),
        _ => None,
    });
    Some(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names: names.collect(),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

fn ip(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_addresses() {
        let of = |url: &str| Address::of(&Url::parse(url).unwrap());
        let address = of("wss://Example.com/prod?x=1").unwrap();
        assert_eq!(
            (address.tls, address.host.as_str(), address.port, address.host_header().as_str()),
            (true, "example.com", 443, "example.com")
        );
        let address = of("ws://[::1]:8080/").unwrap();
        assert_eq!((address.host.as_str(), address.host_header().as_str()), ("::1", "[::1]:8080"));
        assert!(matches!(of("https://example.com"), Err(Failure::Url(_))));
    }
}
