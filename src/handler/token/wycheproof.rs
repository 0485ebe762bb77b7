//! The public vectors of the Wycheproof project.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Rules, TokenError, verify};
use crate::jose::{Algorithm, Keys};

const NOW: i64 = 1_700_000_000;

/// The keys of a group, as somebody would configure them.
fn keys(group: &Value, algorithm: Algorithm) -> Option<Keys> {
    if !algorithm.has_secret() {
        return Keys::from_public(algorithm, &group["public"].to_string()).ok();
    }
    let secret = URL_SAFE_NO_PAD.decode(group["private"]["k"].as_str()?).unwrap();
    Some(Keys::from_bytes(algorithm, &secret))
}

/// The numbers of the vectors that disagree with `verify`, and how many there are. The payloads are no claims, so that a good signature ends in an
/// error too; which one tells how far the token came.
fn judged(text: &str, algorithm: impl Fn(&Value) -> Option<Algorithm>) -> (usize, Vec<u64>, Vec<u64>) {
    let file: Value = serde_json::from_str(text).unwrap();
    let (mut count, mut accepted, mut refused) = (0, Vec::new(), Vec::new());
    for group in file["testGroups"].as_array().unwrap() {
        let Some(algorithm) = algorithm(group) else { continue };
        let keys = keys(group, algorithm);
        for vector in group["tests"].as_array().unwrap() {
            let error = keys.as_ref().map(|keys| verify(vector["jws"].as_str().unwrap(), keys, &Rules::default(), NOW).unwrap_err());
            let signature_fits = error == Some(TokenError::Claims);
            let number = vector["tcId"].as_u64().unwrap();
            match (signature_fits, vector["result"].as_str().unwrap()) {
                (true, "valid") | (false, "invalid") => {}
                (true, _) => accepted.push(number),
                (false, _) => refused.push(number),
            }
            count += 1;
        }
    }
    (count, accepted, refused)
}

fn key(group: &Value) -> &Value {
    if group["public"].is_null() { &group["private"] } else { &group["public"] }
}

#[test]
fn the_vectors_of_signatures() {
    let algorithm = |group: &Value| match (key(group)["alg"].as_str(), key(group)["kty"].as_str()) {
        (Some(name), _) => Algorithm::named(name),
        (None, Some("RSA")) => Some(Algorithm::Rs256),
        (None, _) => Some(Algorithm::Es256),
    };
    let (count, accepted, refused) = judged(include_str!("../../../tests/fixtures/wycheproof/json_web_signature.json"), algorithm);
    assert_eq!(count, 374);
    // These two lost the padding that they are about, and are the text of 357, which is valid.
    assert_eq!(accepted, [367, 370]);
    // 346 and 350 are signed with PS384, but their key says that it is for PS256. 372 and 373 are valid for those who skip letters that are not
    // base64url, which RFC 7515 section 2 does not.
    assert_eq!(refused, [346, 350, 372, 373]);
}

#[test]
fn the_vectors_of_keys() {
    let algorithm = |group: &Value| {
        let first = &key(group)["keys"][0];
        let kind = first["kty"].as_str();
        if kind == Some("oct") {
            None
        } else {
            first["alg"].as_str().map_or(Some(Algorithm::Rs256), |name| Algorithm::named(name).or(Some(Algorithm::Es256)))
        }
    };
    let (count, accepted, refused) = judged(include_str!("../../../tests/fixtures/wycheproof/json_web_key.json"), algorithm);
    assert_eq!(count, 11);
    assert_eq!(accepted, [0; 0]);
    assert_eq!(refused, [0; 0]);
}
