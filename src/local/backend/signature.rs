//! The signature of requests, the checking side.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use ring::{digest, hmac};

use crate::contract::backend::SIGNATURE_TOLERANCE_SECONDS;
use crate::secret::Secret;

/// The keys that count, and what has been used.
pub(super) struct Verifier {
    keys: Vec<hmac::Key>,
    /// When each may be forgotten, in epoch seconds.
    used: Mutex<HashMap<Vec<u8>, i64>>,
}

/// What a signature covers, besides its time.
pub(super) struct Request<'a> {
    /// `X-Request-Id`.
    pub(super) id: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
}

/// What was signed rightly. The header is no measure: it can be written in several ways.
pub(super) struct Signed {
    at: i64,
    what: digest::Digest,
}

impl Verifier {
    /// One key, or two separated by a comma.
    pub(super) fn new(keys: &Secret) -> io::Result<Self> {
        let keys = keys.expose();
        if keys.split(',').any(|key| key.trim().is_empty()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the signing key is empty"));
        }
        let keys = keys.split(',').map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.trim().as_bytes())).collect();
        Ok(Self { keys, used: Mutex::default() })
    }

    /// Checks `t=<epoch seconds>,v1=<hex>[,v1=<hex>]` against what was sent; says why it is refused.
    pub(super) fn check(&self, header: Option<&str>, request: &Request<'_>, now: i64) -> Result<Signed, &'static str> {
        let header = header.ok_or("the request is not signed")?;
        let field = |name: &'static str| header.split(',').filter_map(move |part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let at: i64 = field("t").next().and_then(|text| text.parse().ok()).ok_or("the signature has no time")?;
        if now.saturating_sub(at).saturating_abs() > SIGNATURE_TOLERANCE_SECONDS {
            return Err("the signature is too old, or of the future");
        }
        let Request { id, method, path, body } = request;
        let mut signed = format!("{at}.{id}.{method}.{path}.").into_bytes();
        signed.extend_from_slice(body);
        // `verify` compares in constant time.
        let right = |tag: Vec<u8>| self.keys.iter().any(|key| hmac::verify(key, &signed, &tag).is_ok());
        if !field("v1").filter_map(unhex).take(4).any(right) {
            return Err("the signature is wrong");
        }
        Ok(Signed { at, what: digest::digest(&digest::SHA256, &signed) })
    }

    /// Whether this is used for the first time. From then on it is used.
    pub(super) fn is_first(&self, signed: &Signed, now: i64) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| *until >= now);
        used.insert(signed.what.as_ref().to_vec(), signed.at.saturating_add(SIGNATURE_TOLERANCE_SECONDS)).is_none()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::{Request, Verifier};
    use crate::secret::Secret;

    const NOW: i64 = 1_700_000_000;
    const PATH: &str = "/base/api/ws/message";
    const BODY: &[u8] = br#"{"a":1}"#;
    /// Made with `openssl dgst -sha256 -hmac` and a key of 32 `k`.
    const TAG: &str = "ba4c95bc2264c2e5ce66e616e000e1271ddf79d272225407c5223a8bdf143549";
    const REQUEST: Request<'_> = Request { id: "R1knNHGmtjMFqVg=", method: "POST", path: PATH, body: BODY };

    fn verifier() -> Verifier {
        Verifier::new(&Secret::new("k".repeat(32))).unwrap()
    }

    #[test]
    fn a_right_signature_is_right_for_300_seconds() {
        let header = format!("t={NOW},v1={TAG}");
        for (now, right) in [(NOW, true), (NOW + 300, true), (NOW - 300, true), (NOW + 301, false), (NOW - 301, false)] {
            assert_eq!(verifier().check(Some(&header), &REQUEST, now).is_ok(), right, "{now}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let right = format!("t={NOW},v1={TAG}");
        let check = |header: Option<&str>, request: Request<'_>| verifier().check(header, &request, NOW).is_ok();
        assert!(check(Some(&right), REQUEST));
        assert!(!check(None, REQUEST));
        assert!(!check(Some(&right), Request { id: "another", ..REQUEST }));
        assert!(!check(Some(&right), Request { method: "PUT", ..REQUEST }));
        assert!(!check(Some(&right), Request { path: "/api/ws/message", ..REQUEST }));
        assert!(!check(Some(&right), Request { body: br#"{"a":2}"#, ..REQUEST }));
        for header in ["", "t=", &format!("v1={TAG}"), &format!("t={NOW}"), &format!("t={NOW},v1="), &format!("t={NOW},v1=zz")] {
            assert!(!check(Some(header), REQUEST), "{header}");
        }
        assert!(!check(Some(&format!("t={},v1={TAG}", i64::MIN)), REQUEST));
    }

    #[test]
    fn either_of_two_keys_and_either_of_two_signatures_will_do() {
        let both = Verifier::new(&Secret::new(format!("{},{}", "other".repeat(8), "k".repeat(32)))).unwrap();
        let header = format!("t={NOW},v1={},v1={TAG}", "0".repeat(64));
        assert!(both.check(Some(&header), &REQUEST, NOW).is_ok());
        assert!(["", "a,"].iter().all(|keys| Verifier::new(&Secret::new(*keys)).is_err()));
    }

    #[test]
    fn a_signature_is_used_once() {
        let verifier = verifier();
        let signed = || verifier.check(Some(&format!("t={NOW},v1={TAG}")), &REQUEST, NOW).unwrap();
        assert!(verifier.is_first(&signed(), NOW));
        assert!(!verifier.is_first(&signed(), NOW));
        assert!(!verifier.is_first(&signed(), NOW + 300));
    }
}
