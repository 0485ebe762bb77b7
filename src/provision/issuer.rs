//! The keys of tokens, read from their issuer where the config pins them, so that the handler does not have to.

use std::error::Error as _;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};

use super::error::Refusal;

use crate::config::{Config, PublicKeys};
use crate::contract::env;
use crate::https;
use crate::jose;
use crate::secret::Secret;

/// Longest time for the whole answer.
const LIMIT: Duration = Duration::from_secs(3);

/// The variable with the pinned keys; `None`: the config pins none.
///
/// # Errors
/// When the issuer gives no keys that can check a token.
pub(crate) async fn pinned(config: &Config) -> Result<Option<(String, Secret)>, Refusal> {
    let Some(PublicKeys::Issuer { url, pin: true }) = &config.jwt.keys else { return Ok(None) };
    let refused = |reason: String| Refusal {
        resource: format!("issuer {url}"),
        reason,
        remedy: "correct `jwt.jwks_url`, or give the keys with `jwt.jwks: file:PATH`".to_owned(),
    };
    let text = tokio::time::timeout(LIMIT, fetch(url)).await;
    let text = text.map_err(|_| refused(format!("no answer within {} s", LIMIT.as_secs())))?.map_err(refused)?;
    let keys = jose::compact(config.jwt.algorithm, &text).map_err(|why| refused(format!("its answer is {why}")))?;
    Ok(Some((env::JWKS.to_owned(), Secret::new(keys))))
}

/// Gets the document. Redirects are not followed.
async fn fetch(url: &str) -> Result<String, String> {
    let client = https::client().map_err(|error| error.to_string())?;
    let request = Request::get(url).header("accept", "application/json").body(Full::default()).map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(|error| match error.source() {
        Some(source) => format!("it cannot be reached: {source}"),
        None => format!("it cannot be reached: {error}"),
    })?;
    match response.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(format!("it redirects (status {}), which is not followed", status.as_u16())),
        status => return Err(format!("it answers with status {}", status.as_u16())),
    }
    let body = Limited::new(response.into_body(), jose::LARGEST_SET).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { "its answer is larger than 256 KB".to_owned() } else { "its answer broke off".to_owned() }
    })?;
    String::from_utf8(body.to_bytes().to_vec()).map_err(|_| "its answer is not text".to_owned())
}

#[cfg(test)]
mod tests;
