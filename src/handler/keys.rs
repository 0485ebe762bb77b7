//! The keys that tokens and tickets are checked with: from the environment, or read from where it says and kept for a while.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::jose::{Algorithm, JwksError, Keys, LARGEST_SET, SecretError};

use super::Call;
use super::aws::{self, AwsError, Service};
use super::error::Refusal;
use super::http::{HttpError, Peer};
use super::settings::keys::{KeyError, Reference, TicketKeys, TokenKeys, hmac_keys};
use super::ticket::{self, Ticket, TicketError};
use super::token::{self, Claims, TokenError};

/// Longest time for the keys of an issuer.
const FETCH_LIMIT: Duration = Duration::from_secs(3);

/// How long something that was read counts, in milliseconds.
struct Terms {
    /// After this time it is read again.
    fresh: u64,
    /// So long it counts where reading it again fails.
    most: u64,
    /// The shortest time between two reads, however they end.
    pause: u64,
}

/// A changed secret counts after 5 minutes at the latest, and one that is gone no longer.
const SECRET: Terms = Terms { fresh: 300_000, most: 300_000, pause: 0 };
/// An issuer's keys change seldom; an issuer that is down for hours does not end the service.
const ISSUER: Terms = Terms { fresh: 600_000, most: 86_400_000, pause: REREAD_PAUSE };
/// Whoever sends forged tokens causes no more reads than one in this time, in milliseconds.
const REREAD_PAUSE: u64 = 60_000;

/// What was read.
pub(super) struct Cache {
    tokens: Slot<Keys>,
    tickets: Slot<Vec<hmac::Key>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { tokens: Slot::new("the key of tokens"), tickets: Slot::new("the key of tickets") }
    }
}

/// Why there are no keys. Without them everybody is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the stored secret is not text")]
    NotText,
    #[error("the stored secret has no text `{0}`, or is not a JSON object")]
    NoMember(String),
    #[error("the stored secret is {0}")]
    Secret(#[from] SecretError),
    #[error("the stored secret {0}")]
    Key(#[from] KeyError),
    #[error("what the issuer answered is {0}")]
    Jwks(#[from] JwksError),
    #[error("the issuer: {0}")]
    Issuer(#[from] HttpError),
    #[error("the issuer: status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("the issuer: the answer is not text")]
    NotUtf8,
    #[error("the issuer's URL: {0}")]
    Url(#[from] http::Error),
    #[error("they could not be read less than a minute ago")]
    Pausing,
    #[error("no time is left to read them")]
    NoTime,
}

/// Judges a token with the keys of now, and once more with newer ones where those may be the reason of a refusal.
pub(super) async fn check_token(cx: &Call<'_>, text: &str) -> Result<Claims, Refusal> {
    let Some(source) = &cx.settings.token_keys else { return Err(Refusal::NoToken) };
    let judge = |keys: &Keys| token::verify(text, keys, &cx.settings.rules, cx.now());
    let (terms, doubtful) = match source {
        TokenKeys::Inline(keys) => return Ok(judge(keys)?),
        // A secret that was changed shows in signatures that do not fit; an issuer's new key has a new name.
        TokenKeys::Stored(..) => (SECRET, TokenError::Signature),
        TokenKeys::Issuer(..) => (ISSUER, TokenError::Key),
    };
    let unreadable = |_| Refusal::Internal("the key of tokens cannot be read");
    let slot = &cx.deps.keys.tokens;
    let keys = slot.get(cx, &terms, None, async || read_token_keys(cx, source).await).await.map_err(unreadable)?;
    match judge(&keys) {
        Err(error) if error == doubtful => {
            let newer = slot.get(cx, &terms, Some(&keys), async || read_token_keys(cx, source).await).await.map_err(unreadable)?;
            if Arc::ptr_eq(&keys, &newer) { Err(error.into()) } else { Ok(judge(&newer)?) }
        }
        judged => Ok(judged?),
    }
}

/// Judges a ticket, as [`check_token`] does a token.
pub(super) async fn check_ticket(cx: &Call<'_>, text: &str) -> Result<Ticket, Refusal> {
    let Some(source) = &cx.settings.ticket_keys else { return Err(Refusal::NoToken) };
    let judge = |keys: &[hmac::Key]| ticket::verify(text, keys, cx.now());
    let reference = match source {
        TicketKeys::Inline(keys) => return Ok(judge(keys)?),
        TicketKeys::Stored(reference) => reference,
    };
    let unreadable = |_| Refusal::Internal("the key of tickets cannot be read");
    let read = async || Ok(hmac_keys(&read_secret(cx, reference).await?)?);
    let slot = &cx.deps.keys.tickets;
    let keys = slot.get(cx, &SECRET, None, read).await.map_err(unreadable)?;
    match judge(&keys) {
        Err(error @ TicketError::Mac) => {
            let newer = slot.get(cx, &SECRET, Some(&keys), read).await.map_err(unreadable)?;
            if Arc::ptr_eq(&keys, &newer) { Err(error.into()) } else { Ok(judge(&newer)?) }
        }
        judged => Ok(judged?),
    }
}

/// Something that is read now and then, by one event at a time.
struct Slot<T> {
    /// For the log.
    what: &'static str,
    kept: Mutex<Kept<T>>,
}

/// Times are in epoch milliseconds.
struct Kept<T> {
    value: Option<(Arc<T>, u64)>,
    tried_at: Option<u64>,
}

impl<T> Slot<T> {
    fn new(what: &'static str) -> Self {
        Self { what, kept: Mutex::new(Kept { value: None, tried_at: None }) }
    }

    /// What is kept, or what is read now: where nothing is kept, where it is no longer fresh, and where it is `doubted`, at most once a minute.
    /// Failures are logged.
    async fn get(
        &self,
        cx: &Call<'_>,
        terms: &Terms,
        doubted: Option<&Arc<T>>,
        read: impl AsyncFn() -> Result<T, KeysError>,
    ) -> Result<Arc<T>, KeysError> {
        let failed = |error| {
            cx.log().failed(self.what, &error);
            error
        };
        // Held while reading, so that events at the same time do not all read.
        let waited = tokio::time::timeout(cx.deadline.left(Duration::MAX), self.kept.lock()).await;
        let mut kept = waited.map_err(|_| failed(KeysError::NoTime))?;
        let now = cx.now_ms();
        let age = |since: u64| now.saturating_sub(since);
        let doubt = doubted.is_some_and(|doubted| kept.value.as_ref().is_some_and(|(value, _)| Arc::ptr_eq(value, doubted)));
        let fresh = kept.value.as_ref().is_some_and(|(_, read_at)| age(*read_at) < terms.fresh);
        let pause = if doubt { REREAD_PAUSE } else { terms.pause };
        let may_read = kept.tried_at.is_none_or(|tried_at| age(tried_at) >= pause);
        let result = match (doubt || !fresh, may_read) {
            (false, _) => Ok(None),
            (true, true) => {
                kept.tried_at = Some(now);
                read().await.map(Some)
            }
            (true, false) if fresh => Ok(None),
            (true, false) => Err(KeysError::Pausing),
        };
        match (result, &kept.value) {
            (Ok(Some(value)), _) => {
                let value = Arc::new(value);
                kept.value = Some((value.clone(), now));
                Ok(value)
            }
            (Ok(None), Some((value, _))) => Ok(value.clone()),
            (Ok(None), None) => Err(failed(KeysError::Pausing)),
            (Err(error), Some((value, read_at))) if age(*read_at) < terms.most => {
                if !matches!(error, KeysError::Pausing) {
                    failed(error);
                }
                Ok(value.clone())
            }
            (Err(error), _) => Err(failed(error)),
        }
    }
}

async fn read_token_keys(cx: &Call<'_>, source: &TokenKeys) -> Result<Keys, KeysError> {
    match source {
        TokenKeys::Inline(keys) => Ok(keys.clone()),
        TokenKeys::Stored(algorithm, reference) => Ok(Keys::from_secret(*algorithm, &read_secret(cx, reference).await?)?),
        TokenKeys::Issuer(algorithm, url) => fetch(cx, *algorithm, url).await,
    }
}

/// Asks the issuer. Redirects are not followed.
async fn fetch(cx: &Call<'_>, algorithm: Algorithm, url: &str) -> Result<Keys, KeysError> {
    let request = Request::get(url).header("accept", "application/json").body(Full::<Bytes>::default())?;
    let answer = cx.deps.http.send(Peer::Aws, request, cx.deadline.left(FETCH_LIMIT), LARGEST_SET, cx.now_ms()).await?;
    if answer.status != StatusCode::OK {
        return Err(KeysError::Status(answer.status));
    }
    let text = std::str::from_utf8(&answer.body).map_err(|_| KeysError::NotUtf8)?;
    Ok(Keys::from_public(algorithm, text)?)
}

async fn read_secret(cx: &Call<'_>, reference: &Reference) -> Result<String, KeysError> {
    const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
    match reference {
        Reference::Ssm(name) => {
            let ssm = Service { endpoint: &cx.settings.aws.ssm, name: "ssm", target: "AmazonSSM", content_type: CONTENT_TYPE };
            let answer = aws::call(cx, &ssm, "GetParameter", &json!({ "Name": name, "WithDecryption": true })).await?;
            answer["Parameter"]["Value"].as_str().map(str::to_owned).ok_or(KeysError::NotText)
        }
        Reference::SecretsManager { id, member } => {
            let endpoint = &cx.settings.aws.secrets_manager;
            let service = Service { endpoint, name: "secretsmanager", target: "secretsmanager", content_type: CONTENT_TYPE };
            let answer = aws::call(cx, &service, "GetSecretValue", &json!({ "SecretId": id })).await?;
            let text = answer["SecretString"].as_str().ok_or(KeysError::NotText)?;
            let Some(member) = member else { return Ok(text.to_owned()) };
            let members: Value = serde_json::from_str(text).unwrap_or_default();
            members[member].as_str().map(str::to_owned).ok_or_else(|| KeysError::NoMember(member.clone()))
        }
    }
}
#[cfg(test)]
mod tests;
