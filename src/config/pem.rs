//! A public key in PEM form into the JSON form that the handler reads.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

/// Ed25519 (RFC 8410 section 3).
const ED25519: &str = "1.3.101.112";
/// RSASSA-PSS: a key that says it is for nothing else (RFC 4055 section 1.2).
const RSA_PSS: &str = "1.2.840.113549.1.1.10";

/// What is wrong with a text, and what to do.
type Refused = (&'static str, &'static str);

/// The one public key in `text`, as a JSON Web Key.
pub(super) fn public_key(text: &str) -> Result<String, Refused> {
    const EXTRACT: &str = "name a file that begins with `-----BEGIN PUBLIC KEY-----`; `openssl pkey -in KEY -pubout` writes one";
    let mut blocks = Pem::iter_from_buffer(text.as_bytes());
    let block = match blocks.next() {
        Some(Ok(block)) => block,
        Some(Err(_)) => return Err(("is not in PEM form", EXTRACT)),
        None if text.trim_start().starts_with('{') => return Err(("is JSON", "`jwt.jwks` takes public keys in this form")),
        None => return Err(("is not in PEM form", EXTRACT)),
    };
    if blocks.next().is_some() {
        return Err(("holds more than one thing", "keep the public key alone; several keys are a JWK Set, for `jwt.jwks`"));
    }
    let broken = ("cannot be read as a public key", EXTRACT);
    let jwk = match block.label.as_str() {
        "PUBLIC KEY" => match SubjectPublicKeyInfo::from_der(&block.contents) {
            Ok(([], key)) => {
                of_info(&key).ok_or(("is of a kind that signs no tokens here", "RSA, P-256, P-384 and Ed25519 keys can be used"))?
            }
            Ok(_) | Err(_) => return Err(broken),
        },
        "RSA PUBLIC KEY" => match RSAPublicKey::from_der(&block.contents) {
            Ok(([], key)) => rsa(&key),
            Ok(_) | Err(_) => return Err(broken),
        },
        "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => {
            let extract =
                "take the key out of it: `openssl x509 -in CERTIFICATE -pubkey -noout`. Its dates and its issuer would not be checked";
            return Err(("is a certificate", extract));
        }
        label if label.ends_with("PRIVATE KEY") => {
            let extract = "keep it where it is, and give the public half: `openssl pkey -in KEY -pubout`";
            return Err(("is a private key, which nobody but the issuer may have", extract));
        }
        _ => return Err(broken),
    };
    Ok(jwk.to_string())
}

fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Option<Value> {
    let bytes = info.subject_public_key.data.as_ref();
    match info.algorithm.algorithm.to_id_string().as_str() {
        ED25519 => return Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(bytes) })),
        RSA_PSS => {
            let mut jwk = RSAPublicKey::from_der(bytes).ok().map(|(_, key)| rsa(&key))?;
            jwk["alg"] = json!("PS256");
            return Some(jwk);
        }
        _ => {}
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "kinds of keys that no token is signed with")]
    match info.parsed().ok()? {
        PublicKey::RSA(key) => Some(rsa(&key)),
        PublicKey::EC(point) => {
            let (curve, length) = match info.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string().as_str() {
                "1.2.840.10045.3.1.7" => ("P-256", 32),
                "1.3.132.0.34" => ("P-384", 48),
                _ => return None,
            };
            let coordinates = point.data().strip_prefix(&[4]).filter(|both| both.len() == 2 * length)?;
            let (x, y) = coordinates.split_at(length);
            Some(json!({ "kty": "EC", "crv": curve, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) }))
        }
        _ => None,
    }
}

fn rsa(key: &RSAPublicKey<'_>) -> Value {
    // A number whose first bit is set has a zero before it in DER, and none in JSON.
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        URL_SAFE_NO_PAD.encode(bytes.get(zeros..).unwrap_or_default())
    };
    json!({ "kty": "RSA", "n": number(key.modulus), "e": number(key.exponent) })
}
