//! Whether a backend keeps its side: it is asked what the handler would ask, and what it has to refuse.
//!
//! `rules` is what is demanded, `request` what is sent; here the two come together.

mod request;
mod rules;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use ring::hmac;
use url::Url;

use crate::https::{self, Client};
use crate::secret::Secret;
use request::{Pen, Sent};
pub use rules::{ALL, Rule};
use rules::{Step, Want};

/// The most that the handler takes of an answer (API Gateway quotas, WebSocket message size).
const LARGEST_ANSWER: usize = 128 * 1024;

/// What is asked, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The backend's base URL, `https` or `http`.
    pub url: Url,
    /// The signing key, or two separated by a comma. `None`: nothing is signed.
    pub signing_key: Option<Secret>,
    /// The longest that one answer may take.
    pub limit: Duration,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The backend does it right.
    Passed,
    /// It does not.
    Failed,
    /// It could not be tried.
    Skipped,
}

impl Outcome {
    /// For programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One rule, tried.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is demanded.
    pub rule: &'static Rule,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, or why it was not tried. May have text of the backend in it.
    pub evidence: String,
    /// How long it took.
    pub time: Duration,
}

/// A complete answer.
struct Reply {
    status: StatusCode,
    body: Vec<u8>,
    time: Duration,
}

/// Goes through all rules and tells of each as it ends.
///
/// # Errors
/// When the URL is not one of a backend, or the key is empty; says why.
pub async fn examine(options: &Options, mut tell: impl FnMut(&Check)) -> Result<Vec<Check>, String> {
    let asker = Asker::new(options)?;
    let (mut checks, mut slowest, mut hopeless) = (Vec::new(), Duration::ZERO, None);
    for rule in &ALL {
        let started = Instant::now();
        let (outcome, evidence) = match &hopeless {
            Some(why) => (Outcome::Skipped, String::clone(why)),
            None if rule.signed && asker.pen.keys.is_empty() => (Outcome::Skipped, "there is no signing key to sign with".to_owned()),
            None if rule.is_about_time() => in_time(slowest, options.limit, &checks),
            None => {
                let (outcome, evidence, time) = asker.try_rule(rule).await;
                slowest = slowest.max(time);
                (outcome, evidence)
            }
        };
        if checks.is_empty() && outcome == Outcome::Failed {
            hopeless = Some(format!("not tried: {} failed", rule.name));
        }
        let check = Check { rule, outcome, evidence, time: started.elapsed() };
        tell(&check);
        checks.push(check);
    }
    Ok(checks)
}

/// Whether all answers came in time.
fn in_time(slowest: Duration, limit: Duration, checks: &[Check]) -> (Outcome, String) {
    let late = checks.iter().find(|check| check.outcome == Outcome::Failed && check.evidence.starts_with(NO_ANSWER));
    match late {
        Some(late) => (Outcome::Failed, format!("{}: {}", late.rule.name, late.evidence)),
        None => (Outcome::Passed, format!("the slowest answer took {slowest:.1?} of {limit:?}")),
    }
}

const NO_ANSWER: &str = "no answer within ";

struct Asker {
    client: Client,
    /// Scheme and authority.
    origin: String,
    pen: Pen,
    limit: Duration,
}

impl Asker {
    fn new(options: &Options) -> Result<Self, String> {
        let Options { url, signing_key, limit } = options;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err("it is no http or https URL".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err("it has a query, a fragment or a password; the base URL of the backend is meant".to_owned());
        }
        let keys = signing_key.as_ref().map_or("", Secret::expose);
        let keys: Vec<&str> = keys.split(',').map(str::trim).filter(|key| !key.is_empty()).collect();
        if signing_key.is_some() && keys.is_empty() {
            return Err("the signing key is empty".to_owned());
        }
        let keys = keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            client: https::client().map_err(|error| error.to_string())?,
            origin: url.origin().ascii_serialization(),
            pen: Pen::new(url.path().trim_end_matches('/'), keys, now),
            limit: *limit,
        })
    }

    /// The outcome, what was seen, and the longest time of an answer.
    async fn try_rule(&self, rule: &Rule) -> (Outcome, String, Duration) {
        let steps: Vec<Step> = (rule.steps)(&self.pen);
        let replies = if rule.together {
            join_all(steps.iter().map(|step| self.ask(&step.request))).await
        } else {
            let mut replies = Vec::new();
            for step in &steps {
                replies.push(self.ask(&step.request).await);
            }
            replies
        };
        let slowest = replies.iter().flatten().map(|reply| reply.time).max().unwrap_or_default();
        let mut seen = Vec::new();
        for (step, reply) in steps.iter().zip(&replies) {
            let (right, evidence) = judge(step.want, reply);
            let evidence = if step.what.is_empty() { evidence } else { format!("{}: {evidence}", step.what) };
            if !right {
                return (Outcome::Failed, evidence, slowest);
            }
            seen.push(evidence);
        }
        (Outcome::Passed, seen.join("; "), slowest)
    }

    async fn ask(&self, sent: &Sent) -> Result<Reply, String> {
        let started = Instant::now();
        let request = sent.to_http(&self.origin).map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| format!("cannot be asked: {}", with_sources(&error)))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await;
            let body =
                body.map_err(|error| format!("status {}, and an answer that breaks off or is over 128 KB: {error}", head.status.as_u16()))?;
            Ok(Reply { status: head.status, body: body.to_bytes().to_vec(), time: started.elapsed() })
        };
        let answer = tokio::time::timeout(self.limit, exchange).await;
        answer.unwrap_or_else(|_| Err(format!("{NO_ANSWER}{:?}", self.limit)))
    }
}

/// Whether an answer is what was wanted, and what it was.
fn judge(want: Want, reply: &Result<Reply, String>) -> (bool, String) {
    let reply = match reply {
        Ok(reply) => reply,
        Err(why) => return (false, why.clone()),
    };
    let status = reply.status.as_u16();
    let json = reply.body.is_empty() || serde_json::from_slice::<serde_json::Value>(&reply.body).is_ok();
    let good = reply.status.is_success();
    let mut evidence = format!("status {status} after {:.1?}", reply.time);
    let beginning = beginning(&reply.body);
    if !beginning.is_empty() {
        evidence.push_str(&format!(", {beginning}"));
    }
    match want {
        Want::Answer if good && !json => (false, format!("no JSON: {evidence}")),
        Want::Answer | Want::Done => (good, evidence),
        Want::Refused => (reply.status == StatusCode::UNAUTHORIZED, evidence),
    }
}

/// The first characters of a body.
fn beginning(body: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(body);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > SHOWN { text.chars().take(SHOWN).chain("...".chars()).collect() } else { text }
}

/// An error and what is behind it: the first alone says that something failed, and no more.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        words.push(error.to_string());
        source = error.source();
    }
    words.dedup();
    words.join(": ")
}
