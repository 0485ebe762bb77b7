//! What a token must say besides being signed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::TokenError;

/// The claim that names the session, where the configuration names no other.
const DEFAULT_SESSION_CLAIM: &str = "sessionId";

/// What a token must say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// The claim that must be there and equal the session.
    pub(crate) session_claim: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    /// Claims that must be this text, or a list with it.
    pub(crate) claims: BTreeMap<String, String>,
    /// Seconds that clocks may differ.
    pub(crate) leeway: i64,
    /// Seconds that a token counts after it was issued.
    pub(crate) max_age: Option<i64>,
    /// Whether a token counts once, so that it needs a name (`jti`).
    pub(crate) single_use: bool,
}

/// What an accepted token says.
#[derive(Debug)]
pub(crate) struct Claims {
    /// `sub`.
    pub(crate) subject: Option<String>,
    /// `exp` and the leeway, in epoch seconds.
    pub(crate) valid_until: i64,
    /// `jti`, where tokens count once.
    pub(crate) name: Option<String>,
    session: Binding,
}

/// What an accepted token says about the session.
#[derive(Debug, PartialEq, Eq)]
enum Binding {
    /// Nothing, and nothing is required.
    Free,
    /// This one and no other.
    To(String),
    /// What is required is missing, or is not text.
    Broken,
}

/// The token names another session than the one that is asked for, or none where one is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongSession;

impl Claims {
    /// The session of a connection that asks for `wanted`. `Ok(None)`: neither the token nor the client names one.
    pub(crate) fn session<'a>(&'a self, wanted: Option<&'a str>) -> Result<Option<&'a str>, WrongSession> {
        match (&self.session, wanted) {
            (Binding::Broken, _) => Err(WrongSession),
            (Binding::Free, wanted) => Ok(wanted),
            (Binding::To(session), None) => Ok(Some(session)),
            (Binding::To(session), Some(wanted)) if session == wanted => Ok(Some(session)),
            (Binding::To(_), Some(_)) => Err(WrongSession),
        }
    }
}

/// Judges the claims of a signed token at `now`, in epoch seconds.
pub(super) fn judge(claims: &Map<String, Value>, rules: &Rules, now: i64) -> Result<Claims, TokenError> {
    let expires = date(claims, "exp", f64::floor)?.ok_or_else(|| TokenError::Missing("exp".to_owned()))?;
    let valid_until = expires.saturating_add(rules.leeway);
    if valid_until <= now {
        return Err(TokenError::Expired);
    }
    let soon = now.saturating_add(rules.leeway);
    if date(claims, "nbf", f64::ceil)?.is_some_and(|not_before| not_before > soon) {
        return Err(TokenError::NotYet);
    }
    let issued = date(claims, "iat", f64::floor)?;
    if issued.is_some_and(|issued| issued > soon) {
        return Err(TokenError::Future);
    }
    if let Some(max_age) = rules.max_age {
        let issued = issued.ok_or_else(|| TokenError::Missing("iat".to_owned()))?;
        if issued.saturating_add(max_age).saturating_add(rules.leeway) <= now {
            return Err(TokenError::Old);
        }
    }
    if let Some(issuer) = &rules.issuer {
        // One issuer: unlike an audience, it cannot be a list (RFC 7519 section 4.1.1).
        if text(claims, "iss")?.ok_or_else(|| TokenError::Missing("iss".to_owned()))? != issuer {
            return Err(TokenError::Other("iss".to_owned()));
        }
    }
    let audience = rules.audience.iter().map(|audience| ("aud", audience.as_str()));
    for (name, wanted) in audience.chain(rules.claims.iter().map(|(name, wanted)| (name.as_str(), wanted.as_str()))) {
        let said = claims.get(name).ok_or_else(|| TokenError::Missing(name.to_owned()))?;
        if !texts(said).ok_or_else(|| TokenError::Type(name.to_owned()))?.contains(&wanted) {
            return Err(TokenError::Other(name.to_owned()));
        }
    }
    let some = |name| text(claims, name).map(|text| text.filter(|text| !text.is_empty()).map(str::to_owned));
    let subject = some("sub")?;
    let name = if rules.single_use { Some(some("jti")?.ok_or_else(|| TokenError::Missing("jti".to_owned()))?) } else { None };
    let session = match (claims.get(rules.session_claim.as_deref().unwrap_or(DEFAULT_SESSION_CLAIM)), &rules.session_claim) {
        (Some(Value::String(session)), _) => Binding::To(session.clone()),
        (None, None) => Binding::Free,
        (Some(_), _) | (None, Some(_)) => Binding::Broken,
    };
    Ok(Claims { subject, valid_until, name, session })
}

/// A NumericDate in whole seconds. What is out of range is as far away as can be said.
#[expect(clippy::cast_possible_truncation, reason = "a cast of a float to an integer saturates, as wanted")]
fn date(claims: &Map<String, Value>, name: &str, round: fn(f64) -> f64) -> Result<Option<i64>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_i64().or_else(|| number.as_f64().map(|seconds| round(seconds) as i64))),
        Some(_) => Err(TokenError::Type(name.to_owned())),
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Type(name.to_owned())),
    }
}

/// Text, or a list of nothing but text.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}
