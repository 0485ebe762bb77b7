//! Tokens that somebody may try, each refused for its own reason, beside the good one that it is made from.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents};
use ring::{hmac, signature::RsaEncoding};
use serde_json::{Value, json};

use super::{LONGEST_TOKEN, Rules, TokenError, verify};
use crate::jose::{Algorithm, Keys};

const NOW: i64 = 1_700_000_000;
const SECRET: &str = "a secret of at least sixty-four bytes, so that it is long enough for all of them";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Somebody who can sign.
enum Signer {
    Secret(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn new(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |curve| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
            Self::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, pkcs8.as_ref(), &random).unwrap())
        };
        match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Self::Secret(SECRET.into()),
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256 => {
                let pem = include_str!("../../../tests/fixtures/keys/rsa-2048.private.pem");
                let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
                Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()))
            }
            Algorithm::Es256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
        }
    }

    fn jwk(&self) -> Value {
        match self {
            Self::Secret(_) => Value::Null,
            Self::Rsa(pair) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": encode(public.n), "e": encode(public.e) })
            }
            Self::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Self::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()) }),
        }
    }

    fn keys(&self, algorithm: Algorithm) -> Keys {
        match self {
            Self::Secret(_) => Keys::from_secret(algorithm, SECRET).unwrap(),
            Self::Rsa(_) | Self::Ecdsa(_) | Self::Ed25519(_) => {
                let named = |name: &str, mut key: Value| {
                    key["kid"] = json!(name);
                    key
                };
                let other = Self::new(Algorithm::EdDsa).jwk();
                let second = if let Self::Ed25519(_) = self { named("k2", other) } else { named("k2", json!({ "kty": "oct" })) };
                Keys::from_public(algorithm, &json!({ "keys": [named("k1", self.jwk()), second] }).to_string()).unwrap()
            }
        }
    }

    /// A signature with an algorithm that suits the key.
    fn sign(&self, algorithm: Algorithm, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(secret) => {
                let hash = algorithm.hmac().unwrap_or(hmac::HMAC_SHA256);
                hmac::sign(&hmac::Key::new(hash, secret), text.as_bytes()).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Rs256 | Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => panic!("not with RSA"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::Ecdsa(pair) => pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        }
    }

    /// Any header and any payload, however wrong, with a good signature.
    fn token(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let text = format!("{}.{}", encode(header), encode(payload));
        let signature = self.sign(algorithm, &text);
        format!("{text}.{}", encode(signature))
    }
}

fn rules() -> Rules {
    Rules {
        issuer: Some("https://issuer.example".into()),
        audience: Some("terminal".into()),
        claims: [("token_use".to_owned(), "access".to_owned())].into(),
        max_age: Some(3600),
        single_use: true,
        ..Rules::default()
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": ["other", "terminal"], "sub": "user-1", "sessionId": "s1", "token_use": "access",
        "jti": "one", "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 300,
    })
}

/// A header with something changed; null takes it away.
fn header(algorithm: Algorithm, name: &str, value: Value) -> String {
    changed(json!({ "alg": algorithm.name(), "typ": "JWT", "kid": "k1" }), name, value)
}

fn changed(mut object: Value, name: &str, value: Value) -> String {
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
    object.to_string()
}

fn judge(algorithm: Algorithm, signer: &Signer, attacks: Vec<(&str, String, TokenError)>) -> usize {
    let keys = signer.keys(algorithm);
    let check = |token: &str| verify(token, &keys, &rules(), NOW).map(|_| ());
    let good = signer.token(algorithm, &header(algorithm, "typ", json!("JWT")), &claims().to_string());
    assert_eq!(check(&good), Ok(()), "the good one, {algorithm}");
    let count = attacks.len();
    for (name, token, reason) in attacks {
        assert_eq!(check(&token), Err(reason), "{algorithm}: {name}");
    }
    count
}

/// Attacks on what every algorithm shares.
fn general(algorithm: Algorithm, signer: &Signer) -> Vec<(&'static str, String, TokenError)> {
    let payload = claims().to_string();
    let with = |name: &str, value: Value| signer.token(algorithm, &header(algorithm, name, value), &payload);
    let raw = |header: &str| signer.token(algorithm, header, &payload);
    let alg = algorithm.name();
    let usual = header(algorithm, "typ", json!("JWT"));
    let good = signer.token(algorithm, &usual, &payload);
    let [head, body, tail] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let claim = |name: &str, value: Value| signer.token(algorithm, &usual, &changed(claims(), name, value));
    let say = |payload: &str| signer.token(algorithm, &usual, payload);
    let stranger = Signer::new(Algorithm::EdDsa);
    let offered = |name: &str, value: Value| stranger.token(Algorithm::EdDsa, &header(algorithm, name, value), &payload);
    let twice = |name: &str| payload.replacen('{', &format!("{{{name}:1,"), 1);
    let nested = |inner: &str| payload.replacen('{', &format!("{{\"more\":{inner},"), 1);
    let missing = |name: &str| TokenError::Missing(name.to_owned());
    let typed = |name: &str| TokenError::Type(name.to_owned());
    let other = |name: &str| TokenError::Other(name.to_owned());
    let other_body = encode(changed(claims(), "sub", json!("admin")));
    let stray = format!("{head}.{body}.{tail}A");
    vec![
        ("alg none", with("alg", json!("none")), TokenError::Algorithm),
        ("alg none, unsigned", format!("{}.{body}.", encode(r#"{"alg":"none"}"#)), TokenError::Algorithm),
        ("alg None", with("alg", json!("None")), TokenError::Algorithm),
        ("alg NONE", with("alg", json!("NONE")), TokenError::Algorithm),
        ("alg nOnE", with("alg", json!("nOnE")), TokenError::Algorithm),
        ("alg in small letters", with("alg", json!(alg.to_lowercase() + "x")), TokenError::Algorithm),
        ("alg with a space", with("alg", json!(format!("{alg} "))), TokenError::Algorithm),
        ("alg with a zero byte", with("alg", json!(format!("{alg}\0"))), TokenError::Algorithm),
        ("alg as a list", with("alg", json!([alg])), TokenError::Algorithm),
        ("alg as a number", with("alg", json!(256)), TokenError::Algorithm),
        ("alg empty", with("alg", json!("")), TokenError::Algorithm),
        ("no alg", with("alg", Value::Null), TokenError::Algorithm),
        ("alg null", raw(r#"{"alg":null}"#), TokenError::Algorithm),
        ("alg twice", raw(&format!(r#"{{"alg":"none","alg":"{alg}","kid":"k1"}}"#)), TokenError::Header),
        ("alg twice, once escaped", raw(&format!(r#"{{"\u0061lg":"none","alg":"{alg}","kid":"k1"}}"#)), TokenError::Header),
        ("a name twice inside the header", raw(&format!(r#"{{"alg":"{alg}","kid":"k1","x":{{"a":1,"a":2}}}}"#)), TokenError::Header),
        ("crit", with("crit", json!(["exp"])), TokenError::Critical),
        ("crit empty", with("crit", json!([])), TokenError::Critical),
        ("crit null", raw(&format!(r#"{{"alg":"{alg}","kid":"k1","crit":null}}"#)), TokenError::Critical),
        ("crit and b64", raw(&format!(r#"{{"alg":"{alg}","kid":"k1","crit":["b64"],"b64":false}}"#)), TokenError::Critical),
        ("b64 false", with("b64", json!(false)), TokenError::Unencoded),
        ("b64 in text", with("b64", json!("false")), TokenError::Unencoded),
        ("a logout token", with("typ", json!("logout+jwt")), TokenError::Purpose),
        ("a proof of possession", with("typ", json!("dpop+jwt")), TokenError::Purpose),
        ("an event", with("typ", json!("application/secevent+jwt")), TokenError::Purpose),
        ("typ as a number", with("typ", json!(1)), TokenError::Purpose),
        ("typ empty", with("typ", json!("")), TokenError::Purpose),
        ("a token in a token", with("cty", json!("JWT")), TokenError::Nested),
        ("a token in a token, spelt out", with("cty", json!("application/jwt")), TokenError::Nested),
        ("cty as a list", with("cty", json!(["JWT"])), TokenError::Nested),
        ("kid as a number", with("kid", json!(1)), TokenError::Header),
        ("kid as a list", with("kid", json!(["k1"])), TokenError::Header),
        ("kid null", raw(&format!(r#"{{"alg":"{alg}","kid":null}}"#)), TokenError::Header),
        ("its own key in jwk", offered("jwk", stranger.jwk()), TokenError::Signature),
        ("its own key behind jku", offered("jku", json!("https://evil.example/jwks.json")), TokenError::Signature),
        ("its own key behind x5u", offered("x5u", json!("https://evil.example/x.pem")), TokenError::Signature),
        ("its own key in x5c", offered("x5c", json!(["MIIB"])), TokenError::Signature),
        ("no signature", format!("{head}.{body}."), TokenError::Signature),
        ("half a signature", format!("{head}.{body}.{}", &tail[..tail.len() / 2 / 4 * 4]), TokenError::Signature),
        ("another payload", format!("{head}.{other_body}.{tail}"), TokenError::Signature),
        ("another header", format!("{}.{body}.{tail}", encode(header(algorithm, "x", json!(1)))), TokenError::Signature),
        (
            "a signature of zeros",
            format!("{head}.{body}.{}", encode(vec![0; URL_SAFE_NO_PAD.decode(tail).unwrap().len()])),
            TokenError::Signature,
        ),
        (
            "a signature of ones",
            format!("{head}.{body}.{}", encode(vec![255; URL_SAFE_NO_PAD.decode(tail).unwrap().len()])),
            TokenError::Signature,
        ),
        ("nothing", String::new(), TokenError::Form),
        ("two parts", format!("{head}.{body}"), TokenError::Form),
        ("four parts", format!("{good}.{tail}"), TokenError::Form),
        ("five parts, as if encrypted", format!("{head}.{body}.{tail}.{tail}.{tail}"), TokenError::Form),
        ("the JSON form", json!({ "protected": head, "payload": body, "signature": tail }).to_string(), TokenError::Form),
        ("padding", format!("{head}=.{body}.{tail}"), TokenError::Form),
        ("padding at the end", format!("{good}="), TokenError::Form),
        ("white space before", format!(" {good}"), TokenError::Form),
        ("white space after", format!("{good}\n"), TokenError::Form),
        ("a line break inside", format!("{head}.\r\n{body}.{tail}"), TokenError::Form),
        ("a zero byte", format!("{head}.{body}\0.{tail}"), TokenError::Form),
        ("the other alphabet", format!("{head}.{body}+/.{tail}"), TokenError::Form),
        ("letters beyond ASCII", format!("{head}.{body}é.{tail}"), TokenError::Form),
        ("a letter too many", stray, if tail.len() % 4 == 0 { TokenError::Form } else { TokenError::Signature }),
        ("too long", say(&nested(&json!("x".repeat(LONGEST_TOKEN)).to_string())), TokenError::Large),
        ("a header that is a list", raw("[]"), TokenError::Header),
        ("a header with something behind it", raw(&format!("{usual} x")), TokenError::Header),
        ("a header with a byte order mark", raw(&format!("\u{feff}{usual}")), TokenError::Header),
        ("an empty header", raw(""), TokenError::Header),
        ("claims that are a list", say(&format!("[{payload}]")), TokenError::Claims),
        ("claims that are text", say(&json!(payload).to_string()), TokenError::Claims),
        ("a claim twice", say(&twice("\"exp\"")), TokenError::Claims),
        ("a claim twice, once escaped", say(&twice(r#""\u0065xp""#)), TokenError::Claims),
        ("a name twice inside a claim", say(&nested(r#"{"a":1,"a":2}"#)), TokenError::Claims),
        ("a number without an end", say(&nested("1e400")), TokenError::Claims),
        ("claims without a bottom", say(&nested(&format!("{}{}", "[".repeat(500), "]".repeat(500)))), TokenError::Claims),
        ("claims hidden in the parser's own name", say(&json!({ "$serde_json::private::RawValue": payload }).to_string()), missing("exp")),
        ("no exp", claim("exp", Value::Null), missing("exp")),
        ("exp null", say(&payload.replace(&format!("\"exp\":{}", NOW + 300), "\"exp\":null")), typed("exp")),
        ("exp in text", claim("exp", json!("1800000000")), typed("exp")),
        ("exp in a list", claim("exp", json!([NOW + 300])), typed("exp")),
        ("expired this second", claim("exp", json!(NOW)), TokenError::Expired),
        ("expired before time began", claim("exp", json!(-1e300)), TokenError::Expired),
        ("not yet", claim("nbf", json!(NOW + 1)), TokenError::NotYet),
        ("nbf at the end of time", claim("nbf", json!(u64::MAX)), TokenError::NotYet),
        ("nbf in text", claim("nbf", json!("0")), typed("nbf")),
        ("issued in the future", claim("iat", json!(NOW + 1)), TokenError::Future),
        ("iat in text", claim("iat", json!("0")), typed("iat")),
        ("no iat", claim("iat", Value::Null), missing("iat")),
        ("too old", claim("iat", json!(NOW - 3600)), TokenError::Old),
        ("iat before time began", claim("iat", json!(i64::MIN)), TokenError::Old),
        ("no iss", claim("iss", Value::Null), missing("iss")),
        ("another iss", claim("iss", json!("https://issuer.example/")), other("iss")),
        ("iss in capitals", claim("iss", json!("https://ISSUER.example")), other("iss")),
        ("iss in a list", claim("iss", json!(["https://issuer.example"])), typed("iss")),
        ("no aud", claim("aud", Value::Null), missing("aud")),
        ("another aud", claim("aud", json!("terminal2")), other("aud")),
        ("aud with others only", claim("aud", json!(["a", "b"])), other("aud")),
        ("an empty list of aud", claim("aud", json!([])), other("aud")),
        ("aud in an object", claim("aud", json!({ "terminal": true })), typed("aud")),
        ("aud with a number", claim("aud", json!(["terminal", 1])), typed("aud")),
        ("no token_use", claim("token_use", Value::Null), missing("token_use")),
        ("another token_use", claim("token_use", json!("id")), other("token_use")),
        ("token_use as a number", claim("token_use", json!(1)), typed("token_use")),
        ("sub as a number", claim("sub", json!(1)), typed("sub")),
        ("no jti", claim("jti", Value::Null), missing("jti")),
        ("jti empty", claim("jti", json!("")), missing("jti")),
        ("jti as a number", claim("jti", json!(1)), typed("jti")),
    ]
}

#[test]
fn every_algorithm_refuses_every_attack_for_its_reason() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm);
        let attacks = general(algorithm, &signer);
        assert!(judge(algorithm, &signer, attacks) >= 100, "{algorithm}");
    }
}

#[test]
fn a_key_serves_its_one_algorithm() {
    let payload = claims().to_string();
    for (algorithm, others) in [
        (Algorithm::Hs256, &[Algorithm::Hs384, Algorithm::Hs512][..]),
        (Algorithm::Hs512, &[Algorithm::Hs256]),
        (Algorithm::Rs256, &[Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256]),
        (Algorithm::Ps256, &[Algorithm::Rs256]),
    ] {
        let signer = Signer::new(algorithm);
        let keys = signer.keys(algorithm);
        for other in others {
            // Good under the other algorithm, which the token names; or good under it, and named as the configured one.
            let named = signer.token(*other, &header(*other, "typ", json!("JWT")), &payload);
            assert_eq!(verify(&named, &keys, &rules(), NOW).unwrap_err(), TokenError::Algorithm, "{algorithm} {other}");
            let disguised = signer.token(*other, &header(algorithm, "typ", json!("JWT")), &payload);
            assert_eq!(verify(&disguised, &keys, &rules(), NOW).unwrap_err(), TokenError::Signature, "{algorithm} {other}");
            assert!(verify(&named, &signer.keys(*other), &rules(), NOW).is_ok(), "{other}");
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let pem = include_str!("../../../tests/fixtures/keys/rsa-2048.pem");
    let signer = Signer::new(Algorithm::Rs256);
    let keys = signer.keys(Algorithm::Rs256);
    let jwk = signer.jwk();
    for secret in
        [pem.as_bytes(), pem.trim().as_bytes(), jwk.to_string().as_bytes(), &URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap()]
    {
        for name in [Algorithm::Hs256, Algorithm::Rs256] {
            let forged = Signer::Secret(secret.to_vec()).token(Algorithm::Hs256, &header(name, "typ", json!("JWT")), &claims().to_string());
            let reason = if name == Algorithm::Hs256 { TokenError::Algorithm } else { TokenError::Signature };
            assert_eq!(verify(&forged, &keys, &rules(), NOW).unwrap_err(), reason);
        }
    }
}

#[test]
fn a_token_names_its_key_and_no_other() {
    let (first, second) = (Signer::new(Algorithm::EdDsa), Signer::new(Algorithm::EdDsa));
    let named = |signer: &Signer, name: Option<&str>| {
        let mut key = signer.jwk();
        if let Some(name) = name {
            key["kid"] = json!(name);
        }
        key
    };
    let signed =
        |signer: &Signer, name: Value| signer.token(Algorithm::EdDsa, &header(Algorithm::EdDsa, "kid", name), &claims().to_string());
    let check = |document: Value, token: &str| {
        let keys = Keys::from_public(Algorithm::EdDsa, &document.to_string()).unwrap();
        verify(token, &keys, &rules(), NOW).map(|_| ())
    };
    let both = json!({ "keys": [named(&first, Some("k1")), named(&second, Some("k2"))] });
    let one = json!({ "keys": [named(&first, Some("k1")), { "kty": "RSA", "kid": "k2" }] });
    let nameless = json!({ "keys": [named(&first, None)] });
    let clash = json!({ "keys": [named(&first, Some("k1")), named(&second, Some("k1"))] });
    let same = json!({ "keys": [named(&first, Some("k1")), named(&first, Some("k1"))] });
    let single = named(&first, Some("k9"));
    for (what, document, token, expected) in [
        ("its key", &both, signed(&first, json!("k1")), Ok(())),
        ("the other's name", &both, signed(&first, json!("k2")), Err(TokenError::Signature)),
        ("nobody's name", &both, signed(&first, json!("k3")), Err(TokenError::Key)),
        ("a path", &both, signed(&first, json!("../../../../dev/null")), Err(TokenError::Key)),
        ("a query", &both, signed(&first, json!("k1' OR '1'='1")), Err(TokenError::Key)),
        ("an empty name", &both, signed(&first, json!("")), Err(TokenError::Key)),
        ("a name in capitals", &both, signed(&first, json!("K1")), Err(TokenError::Key)),
        ("no name, two keys", &both, signed(&first, Value::Null), Err(TokenError::Key)),
        ("no name, one key that counts", &one, signed(&first, Value::Null), Ok(())),
        ("a key without a name, a token without one", &nameless, signed(&first, Value::Null), Ok(())),
        ("a key without a name, a token with one", &nameless, signed(&first, json!("k1")), Err(TokenError::Key)),
        ("two keys of one name", &clash, signed(&first, json!("k1")), Err(TokenError::Key)),
        ("one key twice", &same, signed(&first, json!("k1")), Ok(())),
        ("a single key serves every name", &single, signed(&first, json!("k1")), Ok(())),
        ("a single key serves no name", &single, signed(&first, Value::Null), Ok(())),
        ("a single key is the key", &single, signed(&second, json!("k9")), Err(TokenError::Signature)),
    ] {
        assert_eq!(check(document.clone(), &token), expected, "{what}");
    }
}

#[test]
fn signatures_of_ecdsa_have_one_form() {
    let signer = Signer::new(Algorithm::Es256);
    let keys = signer.keys(Algorithm::Es256);
    let good = signer.token(Algorithm::Es256, &header(Algorithm::Es256, "typ", json!("JWT")), &claims().to_string());
    let (signed, tail) = good.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(tail).unwrap();
    let (r, s) = raw.split_at(32);
    let number = |part: &[u8]| {
        let padded = if part[0] >= 128 { [&[0], part].concat() } else { part.to_vec() };
        [vec![2, u8::try_from(padded.len()).unwrap()], padded].concat()
    };
    let inner = [number(r), number(s)].concat();
    let der = [vec![0x30, u8::try_from(inner.len()).unwrap()], inner].concat();
    let order = [
        255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 188, 230, 250, 173, 167, 23, 158, 132, 243, 185, 202, 194,
        252, 99, 37, 81,
    ];
    for (what, signature) in [
        ("DER", der),
        ("r and s zero", vec![0; 64]),
        ("r and s the order", [order, order].concat()),
        ("r zero", [&[0; 32], s].concat()),
        ("s zero", [r, &[0; 32]].concat()),
        ("a zero in front", [&[0], raw.as_slice()].concat()),
        ("r and s changed about", [s, r].concat()),
    ] {
        let bad = format!("{signed}.{}", encode(signature));
        assert_eq!(verify(&bad, &keys, &rules(), NOW).unwrap_err(), TokenError::Signature, "{what}");
    }
}
