//! Judges a token: a JWT in compact form, signed with the one algorithm that the keys are for.
//!
//! The token chooses nothing: neither the algorithm nor where its key comes from. Written here on top of `ring` rather than taken from a general
//! library, since what matters (required claims, their JSON types, `crit`, the second in which a token expires) is what those leave to their caller.

#[cfg(test)]
mod attacks;
mod claims;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jose::{Keys, Rejection, object};

pub(crate) use claims::{Claims, Rules};

/// API Gateway takes no longer request line than this, so neither do we.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Why a token is refused. None of it says what the token holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is larger than 16 KB")]
    Large,
    #[error("the token is not a JWT in compact form")]
    Form,
    #[error("the token's header is not a JSON object with unique names")]
    Header,
    #[error("the token has critical header parameters")]
    Critical,
    #[error("the token's payload is not encoded (`b64`)")]
    Unencoded,
    #[error("the token is for another purpose, by its `typ`")]
    Purpose,
    #[error("the token holds another token, by its `cty`")]
    Nested,
    #[error("the token's algorithm is not the configured one")]
    Algorithm,
    #[error("the token's key is not known")]
    Key,
    #[error("the token's signature does not fit")]
    Signature,
    #[error("the token's claims are not a JSON object with unique names")]
    Claims,
    #[error("the token has no `{0}`")]
    Missing(String),
    #[error("the token's `{0}` has the wrong JSON type")]
    Type(String),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token was issued in the future")]
    Future,
    #[error("the token is older than allowed")]
    Old,
    #[error("the token's `{0}` is not the configured one")]
    Other(String),
}

/// Judges a token at `now`, in epoch seconds.
pub(crate) fn verify(token: &str, keys: &Keys, rules: &Rules, now: i64) -> Result<Claims, TokenError> {
    if token.len() > LONGEST_TOKEN {
        return Err(TokenError::Large);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Form)?;
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header = object(&header).ok_or(TokenError::Header)?;
    let key = check_header(&header, keys)?;
    keys.verify(key, signed.as_bytes(), &signature).map_err(|rejection| match rejection {
        Rejection::UnknownKey => TokenError::Key,
        Rejection::Signature => TokenError::Signature,
    })?;
    claims::judge(&object(&payload).ok_or(TokenError::Claims)?, rules, now)
}

/// Judges the header and answers with the name of the key. Members that offer a key (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
fn check_header<'a>(header: &'a Map<String, Value>, keys: &Keys) -> Result<Option<&'a str>, TokenError> {
    // RFC 7515 section 4.1.11: what is not understood must be refused, and nothing is.
    if header.contains_key("crit") {
        return Err(TokenError::Critical);
    }
    if header.get("b64").is_some_and(|encoded| *encoded != Value::Bool(true)) {
        return Err(TokenError::Unencoded);
    }
    // RFC 8725 section 3.11: the same issuer signs tokens for other purposes (`logout+jwt`, `dpop+jwt`) with the same key.
    match header.get("typ") {
        None => {}
        Some(Value::String(kind)) if is_for_access(kind) => {}
        Some(_) => return Err(TokenError::Purpose),
    }
    match header.get("cty") {
        None => {}
        Some(Value::String(kind)) if !media_type(kind).eq_ignore_ascii_case("jwt") => {}
        Some(_) => return Err(TokenError::Nested),
    }
    if header.get("alg").and_then(Value::as_str) != Some(keys.algorithm().name()) {
        return Err(TokenError::Algorithm);
    }
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(_) => Err(TokenError::Header),
    }
}

/// A JWT, or an access token of RFC 9068.
fn is_for_access(kind: &str) -> bool {
    ["jwt", "at+jwt"].iter().any(|known| media_type(kind).eq_ignore_ascii_case(known))
}

/// RFC 7515 section 4.1.9: `application/` may be left out.
fn media_type(kind: &str) -> &str {
    const LEAD: &str = "application/";
    match kind.split_at_checked(LEAD.len()) {
        Some((lead, rest)) if lead.eq_ignore_ascii_case(LEAD) => rest,
        Some(_) | None => kind,
    }
}

/// Whether a text has the form of a token: it must not be repeated to anybody.
pub(crate) fn looks_like_one(text: &str) -> bool {
    let mut parts = text.split('.');
    let header = parts.next().unwrap_or_default();
    parts.count() == 2 && decode(header).is_ok_and(|header| object(&header).is_some())
}

/// Strict: no padding, no other alphabet, no stray bits at the end.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Form)
}
