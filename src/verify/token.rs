//! Tokens for tests and for development, signed with a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::contract::TICKET_LEAD;
use crate::jose::{self, Algorithm};
use crate::secret::Secret;

/// Signs `claims` with the shared secret, or with the new one of two: a compact JWT. `None`: the algorithm has no secret, or this one does not fit.
#[must_use]
pub fn mint(algorithm: Algorithm, secret: &Secret, claims: &serde_json::Value) -> Option<Secret> {
    let secrets = jose::secrets(algorithm, secret.expose()).ok()?;
    let header = URL_SAFE_NO_PAD.encode(serde_json::json!({ "alg": algorithm.name(), "typ": "JWT" }).to_string());
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed = format!("{header}.{payload}");
    let key = hmac::Key::new(algorithm.hmac()?, secrets.first()?.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    Some(Secret::new(format!("{signed}.{signature}")))
}

/// Signs a ticket with its key, or with the first of two.
#[must_use]
pub fn ticket(keys: &Secret, payload: &serde_json::Value) -> Secret {
    let key = keys.expose().split(',').next().unwrap_or_default();
    let signed = format!("{TICKET_LEAD}{}", URL_SAFE_NO_PAD.encode(payload.to_string()));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), signed.as_bytes());
    Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_its_signature_verifies() {
        let secret = Secret::new("an example key of thirty-two bytes");
        let token = mint(Algorithm::Hs256, &secret, &serde_json::json!({ "sub": "user-1", "exp": 4_102_444_800_i64 })).unwrap();
        let (signed, signature) = token.expose().rsplit_once('.').expect("a signature");
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).expect("the signature fits");
        let (header, payload) = signed.split_once('.').expect("a header");
        assert_eq!(URL_SAFE_NO_PAD.decode(header).unwrap(), br#"{"alg":"HS256","typ":"JWT"}"#);
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(claims["sub"], "user-1");
    }
}
