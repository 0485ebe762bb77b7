//! What the findings mean: what was measured, what is certain, what is likely, and what to do. Pure.

mod closes;
mod statuses;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::verify::client::Failure;
use crate::verify::network::{TlsFault, TlsSeen};

use super::{Findings, Whom};

/// The verdict on a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// A short name for the case, for programs: `no-websocket-here`, `idle-timeout` ...
    pub case: &'static str,
    /// Whether nothing is wrong, as far as it was watched.
    pub healthy: bool,
    /// One sentence.
    pub headline: String,
    /// What was seen.
    pub measured: Vec<String>,
    /// What follows from it.
    pub certain: Vec<String>,
    /// What most often is behind it.
    pub likely: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
}

impl Verdict {
    fn new(case: &'static str, headline: impl Into<String>) -> Self {
        let headline = headline.into();
        Self { case, healthy: false, headline, measured: Vec::new(), certain: Vec::new(), likely: Vec::new(), advice: Vec::new() }
    }

    fn measured(mut self, text: impl Into<String>) -> Self {
        self.measured.push(text.into());
        self
    }

    fn certain(mut self, text: impl Into<String>) -> Self {
        self.certain.push(text.into());
        self
    }

    fn likely(mut self, text: impl Into<String>) -> Self {
        self.likely.push(text.into());
        self
    }

    fn advice(mut self, text: impl Into<String>) -> Self {
        self.advice.push(text.into());
        self
    }
}

/// What every failed handshake looks like from a web page.
const HIDDEN: &str = "a browser hides all of this: a page sees an `error` event and then close code 1006";

/// Judges findings.
#[must_use]
pub fn judge(findings: &Findings) -> Verdict {
    match &findings.failure {
        Some(failure) => failed(findings, failure),
        None => unconfirmed(findings).unwrap_or_else(|| closes::judge(findings)),
    }
}

fn failed(findings: &Findings, failure: &Failure) -> Verdict {
    let (host, port) = findings.address.as_ref().map_or(("the host", 0), |address| (address.host.as_str(), address.port));
    match failure {
        Failure::Url(why) => Verdict::new("bad-url", format!("the URL cannot be used: {why}")),
        Failure::NoSuchHost(why) => Verdict::new("no-such-host", format!("the name {host} has no address"))
            .measured(why)
            .certain("no client anywhere with this resolver reaches it, whatever the server does")
            .certain(HIDDEN)
            .likely("a slip in the name, a deleted API or service (its name goes with it), or a private zone")
            .advice("compare the URL with what `wsfix status` prints, or with the host's console"),
        Failure::Unreachable(why) => Verdict::new("unreachable", format!("nothing takes a connection on {host}, port {port}"))
            .measured(why)
            .certain("the request never left the network: neither the app nor its proxy saw it")
            .certain(HIDDEN)
            .likely("nothing listens on this port, or a firewall refuses it")
            .advice("check the port, that the server runs, and its security groups"),
        Failure::TimedOut(limit) => timed_out(findings, *limit),
        Failure::Tls { fault, detail } => tls(findings, *fault, detail),
        Failure::Unanswered(why) => unanswered(findings, why),
        Failure::NotHttp(why) => Verdict::new("not-http", "what answers there does not speak HTTP")
            .measured(why)
            .certain("no WebSocket can be opened: its handshake is an HTTP request")
            .certain(HIDDEN)
            .likely(if findings.tls.is_none() { "the port speaks TLS, and the URL says ws://" } else { "another service has this port" })
            .advice(if findings.tls.is_none() { "try wss://" } else { "check host and port" }),
        Failure::Refused(answer) => statuses::judge(findings, answer),
        Failure::NotWebSocket { wrong, .. } => Verdict::new("bad-handshake", "the server switches protocols, but not to WebSocket")
            .measured(format!("HTTP 101, but {wrong}"))
            .certain("every client has to give up here (RFC 6455, section 4.1)")
            .certain(HIDDEN)
            .likely("a proxy or a cache between the client and the server answers in its place, or the server's handshake is home-made")
            .advice("let the server use a WebSocket library, and connect to it past the proxy"),
        Failure::Broken(why) => Verdict::new("broken", "the connection broke in the handshake").measured(why).certain(HIDDEN),
    }
}

fn timed_out(findings: &Findings, limit: Duration) -> Verdict {
    let limit = seconds(limit);
    let verdict = |case, headline: &str| Verdict::new(case, headline).certain(HIDDEN);
    if findings.lookup.is_none() {
        return verdict("no-such-host", "the name server does not answer")
            .measured(format!("no answer within {limit}"))
            .advice("check this machine's network and its resolver");
    }
    if findings.tcp.is_none() {
        return verdict("unreachable", "the host does not answer at all")
            .measured(format!("no TCP connection within {limit}"))
            .likely("a firewall or a security group drops the packets, or the host is gone")
            .advice("check the port and the security groups; a private endpoint cannot be reached from outside its network");
    }
    if findings.answer.is_none() && findings.address.as_ref().is_some_and(|address| address.tls) && !tls_done(findings) {
        return verdict("tls-silent", "the server takes the connection, but does not answer the TLS handshake")
            .measured(format!("no answer within {limit}"))
            .likely("the port does not speak TLS")
            .advice("try ws://, or the port of https");
    }
    verdict("silent", "the server takes the request and never answers it")
        .measured(format!("no answer to the upgrade within {limit}"))
        .certain("DNS, TCP and TLS are in order: what hangs is the server, or what it waits for")
        .likely("a server that knows no WebSocket holds the request open, or the app waits for something before it accepts (a login, a database)")
        .advice("let the app accept first and check afterwards, or answer with a status; look into its log at the time of the request")
}

fn tls_done(findings: &Findings) -> bool {
    findings.tls.as_ref().is_some_and(|(seen, _)| seen.version.is_some())
}

fn unanswered(findings: &Findings, why: &str) -> Verdict {
    let verdict = Verdict::new("dropped", "the server ends the connection instead of answering the upgrade")
        .measured(why)
        .certain("the request reached something that listens, and it gave no HTTP answer")
        .certain(HIDDEN);
    if findings.tls.is_none() {
        verdict
            .likely("the port speaks TLS and the URL says ws://, or the app crashed on the request")
            .advice("try wss://; else look for a crash in the app's log")
    } else {
        verdict
            .likely("the app crashed on the request, or a proxy cuts off what it does not know")
            .advice("look for a crash in the app's log at this time")
    }
}

fn tls(findings: &Findings, fault: TlsFault, detail: &str) -> Verdict {
    let seen = findings.tls.as_ref().map(|(seen, _)| seen);
    let host = findings.address.as_ref().map_or("the host", |address| address.host.as_str());
    let (case, likely, advice) = match fault {
        TlsFault::Expired => {
            ("tls-expired", "the renewal has failed", "renew the certificate, and let the server read the new one (most need a reload)")
        }
        TlsFault::NotYetValid => ("tls-not-yet-valid", "the clock of this machine or of the issuer is wrong", "check the clock"),
        TlsFault::WrongName => (
            "tls-wrong-name",
            "the server has no certificate for this name and shows its default one",
            "issue a certificate with this name, or use the name that it has",
        ),
        TlsFault::UnknownIssuer => (
            "tls-unknown-issuer",
            "a self-signed certificate, a company's own authority, or a missing intermediate certificate",
            "install the full chain from a public authority; `--ca-file` trusts one more here",
        ),
        TlsFault::Certificate => ("tls-certificate", "the certificate is damaged or not made for servers", "issue a new one"),
        TlsFault::NotTls => (
            "tls-not-spoken",
            "the port is for plain HTTP, and the URL says wss://",
            "use the port of https, or ws:// where the network is trusted",
        ),
        TlsFault::Handshake => (
            "tls-handshake",
            "no common TLS version or cipher, no certificate for this name, or a port that does not speak TLS at all",
            "check the name and the port; allow TLS 1.2 and 1.3",
        ),
    };
    let verdict = Verdict::new(case, format!("{fault}")).measured(detail);
    let verdict = match seen.and_then(|seen: &TlsSeen| seen.certificate.as_ref()) {
        Some(certificate) => {
            let names = if certificate.names.is_empty() { "no name".to_owned() } else { certificate.names.join(", ") };
            verdict.measured(format!(
                "the certificate for {host} names {names}; issuer {}; valid until {}",
                certificate.issuer,
                day(certificate.not_after)
            ))
        }
        None => verdict,
    };
    verdict
        .certain("no browser goes on from here, and none offers to make an exception for a WebSocket")
        .certain(HIDDEN)
        .likely(likely)
        .advice(advice)
}

/// A browser gives up where it offered sub-protocols and none is confirmed; other clients may not (WHATWG WebSockets, RFC 6455 section 4.1).
fn unconfirmed(findings: &Findings) -> Option<Verdict> {
    let answer = findings.answer.as_ref()?;
    if findings.offered.is_empty() || !answer.header("sec-websocket-protocol").is_empty() {
        return None;
    }
    let verdict = Verdict::new("subprotocol-not-confirmed", "the server accepts, but confirms none of the sub-protocols that were offered")
        .measured(format!("offered: {}; the answer has no Sec-WebSocket-Protocol", findings.offered.join(", ")))
        .certain(
            "browsers close such a connection themselves and report 1006; command-line clients often go on, so that it seems to work there",
        );
    Some(match findings.who.as_ref().map(|who| who.whom) {
        Some(Whom::ApiGateway) => verdict
            .likely("the function behind $connect does not return the header; API Gateway picks none by itself")
            .advice("return {\"statusCode\": 200, \"headers\": {\"Sec-WebSocket-Protocol\": \"...\"}} from $connect; wsfix's handler does"),
        _ => verdict
            .likely("the server's WebSocket library has no list of sub-protocols")
            .advice("let the server pick one of those that the client offers, or offer none in the client"),
    })
}

/// `60 s`, `2.5 s`, `10 min`, `2 h`.
fn seconds(time: Duration) -> String {
    let secs = time.as_secs_f64();
    let whole = |value: f64| (value - value.round()).abs() < 0.05;
    let show = |value: f64, unit: &str| if whole(value) { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") };
    if secs < 1.0 {
        format!("{:.0} ms", secs * 1000.0)
    } else if secs < 180.0 {
        show(secs, "s")
    } else if secs < 7_000.0 {
        show(secs / 60.0, "min")
    } else {
        show(secs / 3600.0, "h")
    }
}

fn day(epoch: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(epoch).map_or_else(|_| epoch.to_string(), |time| time.date().to_string())
}
