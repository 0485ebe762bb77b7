//! Public keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037): one key, or a set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
#[cfg(feature = "cli")]
use ring::{agreement, rand::SystemRandom};
use serde_json::{Map, Value, json};

use super::Algorithm;
use super::json::object;

/// The largest set that is read, in bytes.
pub(crate) const LARGEST_SET: usize = 256 * 1024;
/// Shorter RSA keys are not to be used (RFC 7518 section 3.3), longer ones only take time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// A key's name in a message.
const LONGEST_SHOWN: usize = 64;

/// Checks signatures of one algorithm.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    Rsa { parameters: &'static RsaParameters, modulus: Vec<u8>, exponent: Vec<u8> },
    Curve(UnparsedPublicKey<Vec<u8>>),
}

impl PublicKey {
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { parameters, modulus, exponent } => {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, signed, signature).is_ok()
            }
            Self::Curve(key) => key.verify(signed, signature).is_ok(),
        }
    }
}

/// One key with its name.
#[derive(Clone, Debug)]
pub(crate) struct Jwk {
    /// `kid`.
    pub(crate) name: Option<String>,
    pub(crate) key: PublicKey,
    /// The key alone, for comparison and for the function's environment.
    members: Value,
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

/// Why a key cannot check the tokens of an algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("is not a JSON object")]
    Form,
    #[error("is a private key: take it out of there, whoever can read it can make tokens")]
    Private,
    #[error("is another kind of key (`kty`)")]
    Kind,
    #[error("is on another curve (`crv`)")]
    Curve,
    #[error("is for another algorithm (`alg`)")]
    Algorithm,
    #[error("is not for signatures (`use`)")]
    Use,
    #[error("is not for checking signatures (`key_ops`)")]
    Operations,
    #[error("has no name in text (`kid`)")]
    Name,
    #[error("has no good `{0}`")]
    Member(&'static str),
    #[error("has {0} bits, 2048 to 8192 are needed")]
    Bits(usize),
    #[cfg(feature = "cli")]
    #[error("is no point of its curve")]
    Point,
    #[error("is weak: its modulus comes from a faulty generator (ROCA, CVE-2017-15361)")]
    Roca,
}

/// Why a text is of no use as public keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwksError {
    #[error("not a JWK Set: a JSON object with a list `keys`, and no name in it twice")]
    Form,
    #[error("larger than 256 KB")]
    Large,
    #[error("the key {0}")]
    Key(String),
    #[error("no key that can check {algorithm}{}", .why.iter().map(|why| format!("; the key {why}")).collect::<String>())]
    None { algorithm: Algorithm, why: Vec<String> },
}

/// What a text with public keys holds.
#[derive(Clone, Debug)]
pub(crate) enum Read {
    /// A single key, for every token.
    One(Jwk),
    /// A set, in which a token names its key. The keys that cannot check the algorithm are left out; why not is beside them.
    Set(Vec<Jwk>, Vec<String>),
}

/// Reads a key or a set.
pub(crate) fn read(algorithm: Algorithm, text: &str) -> Result<Read, JwksError> {
    if text.len() > LARGEST_SET {
        return Err(JwksError::Large);
    }
    let document = object(text.as_bytes()).ok_or(JwksError::Form)?;
    if document.contains_key("kty") && !document.contains_key("keys") {
        return key(algorithm, &document).map(Read::One).map_err(|unfit| JwksError::Key(unfit.to_string()));
    }
    let Some(Value::Array(entries)) = document.get("keys") else { return Err(JwksError::Form) };
    let (mut keys, mut unfit): (Vec<Jwk>, Vec<String>) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.as_object().ok_or(Unfit::Form).and_then(|members| key(algorithm, members)) {
            Ok(key) if keys.contains(&key) => {}
            Ok(key) => keys.push(key),
            Err(why) => unfit.push(format!("{}{why}", shown(entry))),
        }
    }
    Ok(Read::Set(keys, unfit))
}

/// The same keys with nothing but what is needed, in an order that does not depend on theirs. An error: they cannot check any token.
#[cfg(feature = "cli")]
pub(crate) fn compact(algorithm: Algorithm, text: &str) -> Result<String, JwksError> {
    match read(algorithm, text)? {
        Read::One(key) if !is_point(&key.key) => Err(JwksError::Key(Unfit::Point.to_string())),
        Read::One(key) => Ok(key.members.to_string()),
        Read::Set(keys, why) if keys.is_empty() => Err(JwksError::None { algorithm, why }),
        Read::Set(keys, _) => {
            let mut keys: Vec<String> = keys.iter().map(|key| key.members.to_string()).collect();
            keys.sort();
            Ok(format!("{{\"keys\":[{}]}}", keys.join(",")))
        }
    }
}

/// Whether a key of ECDSA is a point of its curve. A signature of one that is not never fits, without a reason; an agreement says it.
#[cfg(feature = "cli")]
fn is_point(key: &PublicKey) -> bool {
    let PublicKey::Curve(key) = key else { return true };
    let curve = match key.as_ref().len() {
        65 => &agreement::ECDH_P256,
        97 => &agreement::ECDH_P384,
        _ => return true,
    };
    let own = agreement::EphemeralPrivateKey::generate(curve, &SystemRandom::new());
    own.and_then(|own| agreement::agree_ephemeral(own, &agreement::UnparsedPublicKey::new(curve, key), |_| ())).is_ok()
}

/// A key's name for a message, with a space.
fn shown(entry: &Value) -> String {
    let name = entry["kid"].as_str().unwrap_or_default();
    if name.is_empty() { String::new() } else { format!("`{}` ", name.escape_debug().take(LONGEST_SHOWN).collect::<String>()) }
}

fn key(algorithm: Algorithm, jwk: &Map<String, Value>) -> Result<Jwk, Unfit> {
    let text = |name| jwk.get(name).map(Value::as_str);
    if ["d", "p", "q", "k"].iter().any(|private| jwk.contains_key(*private)) {
        return Err(Unfit::Private);
    }
    let (kind, curve) = kind(algorithm).ok_or(Unfit::Kind)?;
    if text("kty") != Some(Some(kind)) {
        return Err(Unfit::Kind);
    }
    if curve.is_some() && text("crv") != Some(curve) {
        return Err(Unfit::Curve);
    }
    if !matches!(text("alg"), None | Some(Some(_))) || text("alg").flatten().is_some_and(|alg| alg != algorithm.name()) {
        return Err(Unfit::Algorithm);
    }
    if !matches!(text("use"), None | Some(Some("sig"))) {
        return Err(Unfit::Use);
    }
    let verify = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(|operation| operation == "verify"));
    if jwk.get("key_ops").is_some_and(|list| !verify(list)) {
        return Err(Unfit::Operations);
    }
    let name = match text("kid") {
        None => None,
        Some(name) => Some(name.ok_or(Unfit::Name)?.to_owned()),
    };
    let bytes = |name: &'static str| {
        let text = text(name).flatten().ok_or(Unfit::Member(name))?;
        URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| !bytes.is_empty()).ok_or(Unfit::Member(name))
    };
    let sized = |name, length| bytes(name).and_then(|bytes| if bytes.len() == length { Ok(bytes) } else { Err(Unfit::Member(name)) });
    let point = |length| Ok::<_, Unfit>([vec![4], sized("x", length)?, sized("y", length)?].concat());
    let on_curve = |curve: &'static dyn VerificationAlgorithm, point| PublicKey::Curve(UnparsedPublicKey::new(curve, point));
    let (key, used): (_, &[&str]) = match algorithm {
        Algorithm::Rs256 => (rsa(&signature::RSA_PKCS1_2048_8192_SHA256, bytes("n")?, bytes("e")?)?, &["n", "e"]),
        Algorithm::Rs384 => (rsa(&signature::RSA_PKCS1_2048_8192_SHA384, bytes("n")?, bytes("e")?)?, &["n", "e"]),
        Algorithm::Rs512 => (rsa(&signature::RSA_PKCS1_2048_8192_SHA512, bytes("n")?, bytes("e")?)?, &["n", "e"]),
        Algorithm::Ps256 => (rsa(&signature::RSA_PSS_2048_8192_SHA256, bytes("n")?, bytes("e")?)?, &["n", "e"]),
        Algorithm::Es256 => (on_curve(&signature::ECDSA_P256_SHA256_FIXED, point(32)?), &["crv", "x", "y"]),
        Algorithm::Es384 => (on_curve(&signature::ECDSA_P384_SHA384_FIXED, point(48)?), &["crv", "x", "y"]),
        Algorithm::EdDsa => (on_curve(&signature::ED25519, sized("x", 32)?), &["crv", "x"]),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return Err(Unfit::Kind),
    };
    let mut members = json!({ "kty": kind });
    for name in used.iter().chain(&["kid"]) {
        if let Some(value) = jwk.get(*name) {
            members[*name] = value.clone();
        }
    }
    Ok(Jwk { name, key, members })
}

/// The `kty` of an algorithm's keys, and their `crv`. `None`: its keys are secret.
fn kind(algorithm: Algorithm) -> Option<(&'static str, Option<&'static str>)> {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256 => Some(("RSA", None)),
        Algorithm::Es256 => Some(("EC", Some("P-256"))),
        Algorithm::Es384 => Some(("EC", Some("P-384"))),
        Algorithm::EdDsa => Some(("OKP", Some("Ed25519"))),
    }
}

fn rsa(parameters: &'static RsaParameters, modulus: Vec<u8>, exponent: Vec<u8>) -> Result<PublicKey, Unfit> {
    // Odd, without zeros in front, and an exponent of 3 to 33 bits: what `ring` takes.
    let good = |number: &[u8]| number.first().is_some_and(|first| *first != 0) && number.last().is_some_and(|last| last % 2 == 1);
    if !good(&modulus) {
        return Err(Unfit::Member("n"));
    }
    let value = exponent.iter().take(6).fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if !good(&exponent) || !(3..1 << 33).contains(&value) {
        return Err(Unfit::Member("e"));
    }
    let unused = modulus.first().map_or(0, |first| first.leading_zeros()) as usize;
    let bits = modulus.len() * 8 - unused;
    if !RSA_BITS.contains(&bits) {
        return Err(Unfit::Bits(bits));
    }
    if is_roca(&modulus) {
        return Err(Unfit::Roca);
    }
    Ok(PublicKey::Rsa { parameters, modulus, exponent })
}

/// Whether a modulus has the fingerprint of the faulty generator, which can be factored: modulo each small prime it is a power of 65537
/// ("The Return of Coppersmith's Attack", section 2.3). One other key in 10^8 has it too.
fn is_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131,
        137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            let found = power == rest;
            power = power * 65537 % prime;
            found
        })
    })
}
