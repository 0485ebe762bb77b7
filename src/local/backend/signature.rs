//! Whether a request came through the gateway: the check that every backend should make.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use ring::hmac;

use crate::contract::backend::SIGNATURE_TOLERANCE_SECONDS;
use crate::secret::Secret;

/// The key, and the signatures that were used already.
pub(super) struct Signatures {
    key: hmac::Key,
    /// When each was made, by its text.
    used: Mutex<HashMap<String, i64>>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Missing,
    Stale,
    Wrong,
    Repeated,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no signature",
            Self::Stale => "the signature's time is off",
            Self::Wrong => "the signature is wrong",
            Self::Repeated => "the signature was used before",
        })
    }
}

impl Signatures {
    pub(super) fn new(key: &Secret) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes()), used: Mutex::default() }
    }

    /// Checks `t=SECONDS,v1=HEX[,v1=HEX]` over `t.METHOD.path.body` at `now` (epoch seconds); `once`: the same signature is good once only.
    pub(super) fn check(&self, header: &str, method: &str, path: &str, body: &[u8], now: i64, once: bool) -> Result<(), Refused> {
        let mut parts = header.split(',').filter_map(|part| part.split_once('='));
        let time = parts.clone().find(|(name, _)| *name == "t").and_then(|(_, time)| time.parse::<i64>().ok()).ok_or(Refused::Missing)?;
        if time.abs_diff(now) > SIGNATURE_TOLERANCE_SECONDS.unsigned_abs() {
            return Err(Refused::Stale);
        }
        let mut signed = format!("{time}.{method}.{path}.").into_bytes();
        signed.extend_from_slice(body);
        let good = parts.any(|(name, tag)| name == "v1" && unhex(tag).is_some_and(|tag| hmac::verify(&self.key, &signed, &tag).is_ok()));
        if !good {
            return Err(Refused::Wrong);
        }
        if once && !self.first_use(&signed, time, now) {
            return Err(Refused::Repeated);
        }
        Ok(())
    }

    /// Remembered by what was signed, not by the header: the same signature can be written in several ways.
    fn first_use(&self, signed: &[u8], time: i64, now: i64) -> bool {
        let name: String = hmac::sign(&self.key, signed).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, made| now - *made <= SIGNATURE_TOLERANCE_SECONDS);
        used.insert(name, time).is_none()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;
    const PATH: &str = "/base/api/ws/message";
    const BODY: &[u8] = br#"{"a":1}"#;
    /// By `openssl dgst -sha256 -hmac` with 32 times `k`.
    const GOOD: &str = "t=1700000000,v1=671c33dbc29e313e4c9a20465794da778fe05d7505313f2a2245b5343072db34";

    fn check(header: &str, path: &str, body: &[u8], now: i64) -> Result<(), Refused> {
        Signatures::new(&Secret::new("k".repeat(32))).check(header, "POST", path, body, now, false)
    }

    #[test]
    fn a_good_signature_passes_also_beside_that_of_another_key() {
        assert_eq!(check(GOOD, PATH, BODY, NOW), Ok(()));
        assert_eq!(check(GOOD, PATH, BODY, NOW + 300), Ok(()));
        let two = GOOD.replace(",v1=", &format!(",v1={},v1=", "0".repeat(64)));
        assert_eq!(check(&two, PATH, BODY, NOW), Ok(()));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(check("", PATH, BODY, NOW), Err(Refused::Missing));
        assert_eq!(check("t=x,v1=00", PATH, BODY, NOW), Err(Refused::Missing));
        assert_eq!(check("t=1700000000", PATH, BODY, NOW), Err(Refused::Wrong));
        assert_eq!(check("t=1700000000,v1=é0", PATH, BODY, NOW), Err(Refused::Wrong));
        assert_eq!(check(GOOD, "/api/ws/message", BODY, NOW), Err(Refused::Wrong));
        assert_eq!(check(GOOD, PATH, br#"{"a":2}"#, NOW), Err(Refused::Wrong));
        assert_eq!(check(&GOOD.replace("1700000000", "1700000001"), PATH, BODY, NOW), Err(Refused::Wrong));
        assert_eq!(check(GOOD, PATH, BODY, NOW + 301), Err(Refused::Stale));
        assert_eq!(check(GOOD, PATH, BODY, NOW - 301), Err(Refused::Stale));
        let other = Signatures::new(&Secret::new("l".repeat(32)));
        assert_eq!(other.check(GOOD, "POST", PATH, BODY, NOW, false), Err(Refused::Wrong));
    }

    #[test]
    fn once_means_once_in_any_spelling() {
        let signatures = Signatures::new(&Secret::new("k".repeat(32)));
        let once = |header: &str| signatures.check(header, "POST", PATH, BODY, NOW, true);
        assert_eq!(once(GOOD), Ok(()));
        assert_eq!(once(GOOD), Err(Refused::Repeated));
        assert_eq!(once(&GOOD.replace("671c33dbc", "671C33DBC")), Err(Refused::Repeated));
    }
}
