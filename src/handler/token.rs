//! Judges a token: a JWT in compact form, signed with the one algorithm that the keys are for.
//!
//! The token chooses nothing: neither the algorithm nor the key. Written here on top of `ring` rather than taken from a general library, since what
//! matters (required claims, their JSON types, `crit`, the second in which a token expires) is what those leave to their caller.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The claim that names the session, where the configuration names no other.
const DEFAULT_SESSION_CLAIM: &str = "sessionId";
/// API Gateway takes no longer request line than this, so neither do we.
const LONGEST_TOKEN: usize = 16 * 1024;

/// What tokens are checked with. Each kind of key has its one algorithm.
#[derive(Clone)]
pub(crate) enum Keys {
    /// HS256; one of the keys must fit.
    Hmac(Vec<hmac::Key>),
}

impl Keys {
    /// The shortest secret that HS256 may have, in bytes (RFC 7518 section 3.2).
    pub(crate) const SHORTEST_SECRET: usize = 32;

    /// The keys of HS256. `None`: the secret is too short.
    pub(crate) fn hs256(secret: &str) -> Option<Self> {
        let long_enough = secret.len() >= Self::SHORTEST_SECRET;
        long_enough.then(|| Self::Hmac(vec![hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())]))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "HS256",
        }
    }

    fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(keys) => keys.iter().any(|key| hmac::verify(key, signed, signature).is_ok()),
        }
    }
}

/// What a token must say besides being signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// The claim that must be there and equal the session.
    pub(crate) session_claim: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    /// Seconds that clocks may differ.
    pub(crate) leeway: i64,
}

/// Why a token is refused. None of it says what the token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is not a JWT in compact form")]
    Form,
    #[error("the token's algorithm is not the configured one")]
    Algorithm,
    #[error("the token has critical header parameters")]
    Critical,
    #[error("the token's signature does not fit")]
    Signature,
    #[error("the token's claims are not a JSON object with unique names")]
    Claims,
    #[error("the token has no `{0}`")]
    Missing(&'static str),
    #[error("the token's `{0}` has the wrong JSON type")]
    Type(&'static str),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token's `{0}` is not the configured one")]
    Other(&'static str),
}

/// What an accepted token says.
#[derive(Debug)]
pub(crate) struct Claims {
    /// `sub`.
    pub(crate) subject: Option<String>,
    /// `exp` and the leeway, in epoch seconds.
    pub(crate) valid_until: i64,
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

/// Judges a token at `now`, in epoch seconds.
pub(crate) fn verify(token: &str, keys: &Keys, rules: &Rules, now: i64) -> Result<Claims, TokenError> {
    if token.len() > LONGEST_TOKEN {
        return Err(TokenError::Form);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Form)?;
    let header = object(&decode(header)?).ok_or(TokenError::Form)?;
    if header.contains_key("crit") {
        return Err(TokenError::Critical);
    }
    if header.get("alg").and_then(Value::as_str) != Some(keys.algorithm()) {
        return Err(TokenError::Algorithm);
    }
    if !keys.verify(signed.as_bytes(), &decode(signature)?) {
        return Err(TokenError::Signature);
    }
    let claims = object(&decode(payload)?).ok_or(TokenError::Claims)?;
    judge(&claims, rules, now)
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

fn judge(claims: &Map<String, Value>, rules: &Rules, now: i64) -> Result<Claims, TokenError> {
    let expires = date(claims, "exp", f64::floor)?.ok_or(TokenError::Missing("exp"))?;
    let valid_until = expires.saturating_add(rules.leeway);
    if valid_until <= now {
        return Err(TokenError::Expired);
    }
    if date(claims, "nbf", f64::ceil)?.is_some_and(|not_before| not_before > now.saturating_add(rules.leeway)) {
        return Err(TokenError::NotYet);
    }
    if let Some(issuer) = &rules.issuer {
        let said = claims.get("iss").ok_or(TokenError::Missing("iss"))?;
        if said.as_str().ok_or(TokenError::Type("iss"))? != issuer {
            return Err(TokenError::Other("iss"));
        }
    }
    if let Some(audience) = &rules.audience {
        let said = claims.get("aud").ok_or(TokenError::Missing("aud"))?;
        if !texts(said).ok_or(TokenError::Type("aud"))?.contains(&audience.as_str()) {
            return Err(TokenError::Other("aud"));
        }
    }
    let subject = match claims.get("sub") {
        None => None,
        Some(Value::String(subject)) => Some(subject.clone()).filter(|subject| !subject.is_empty()),
        Some(_) => return Err(TokenError::Type("sub")),
    };
    let session = match (claims.get(rules.session_claim.as_deref().unwrap_or(DEFAULT_SESSION_CLAIM)), &rules.session_claim) {
        (Some(Value::String(session)), _) => Binding::To(session.clone()),
        (None, None) => Binding::Free,
        (Some(_), _) | (None, Some(_)) => Binding::Broken,
    };
    Ok(Claims { subject, valid_until, session })
}

/// A NumericDate in whole seconds. What is out of range is as far away as can be said.
#[expect(clippy::cast_possible_truncation, reason = "a cast of a float to an integer saturates, as wanted")]
fn date(claims: &Map<String, Value>, name: &'static str, round: fn(f64) -> f64) -> Result<Option<i64>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_i64().or_else(|| number.as_f64().map(|seconds| round(seconds) as i64))),
        Some(_) => Err(TokenError::Type(name)),
    }
}

/// The values of `aud`: text, or a list of nothing but text.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// A JSON object in which no name stands twice (RFC 7515 section 4, RFC 7519 section 4).
fn object(json: &[u8]) -> Option<Map<String, Value>> {
    struct Unique;
    impl<'de> Visitor<'de> for Unique {
        type Value = Map<String, Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with unique names")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut object = Map::new();
            while let Some((name, value)) = members.next_entry::<String, Value>()? {
                if object.insert(name, value).is_some() {
                    return Err(de::Error::custom("a name stands twice"));
                }
            }
            Ok(object)
        }
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let object = reader.deserialize_map(Unique).ok()?;
    reader.end().ok()?;
    Some(object)
}

#[cfg(test)]
mod tests;
