//! The keys of tokens and tickets: one source, one algorithm, and keys that are good for it.

use super::refused::refused;
use super::{Bench, KEY, SECRET, with_file};
use crate::config::{Algorithm, PublicKeys, Purpose, SecretSource};
use crate::secret::Secret;

const RSA: &str = include_str!("../../../tests/fixtures/keys/rsa-2048.pem");
const P256: &str = include_str!("../../../tests/fixtures/keys/ec-p256.pem");

/// A directory with every test key in it, a file, and no secret in the environment.
fn bench(text: &str) -> Bench {
    let mut bench = with_file(text);
    bench.environment.remove("JWT_SECRET");
    for name in [
        "rsa-2048",
        "rsa-2048.pkcs1",
        "rsa-2048.private",
        "rsa-1024",
        "rsa-pss-2048",
        "ec-p256",
        "ec-p384",
        "ec-p521",
        "ed25519",
        "x25519",
        "certificate",
    ] {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/keys/{name}.pem"));
        bench.write(&format!("{name}.pem"), std::fs::read(file).unwrap());
    }
    bench
}

fn keys(text: &str) -> (Algorithm, String) {
    let jwt = bench(text).config().jwt;
    assert_eq!(jwt.secret, None);
    match jwt.keys {
        Some(PublicKeys::Given(keys)) => (jwt.algorithm, keys),
        other => panic!("{other:?}"),
    }
}

#[test]
fn public_keys_in_pem_form_become_what_the_handler_reads() {
    for (file, algorithm, start) in [
        ("rsa-2048", "RS256", r#"{"e":"AQAB","kty":"RSA","n":""#),
        ("rsa-2048", "PS256", r#"{"e":"AQAB","kty":"RSA","n":""#),
        ("rsa-pss-2048", "PS256", r#"{"e":"AQAB","kty":"RSA","n":""#),
        ("ec-p256", "ES256", r#"{"crv":"P-256","kty":"EC","x":""#),
        ("ec-p384", "ES384", r#"{"crv":"P-384","kty":"EC","x":""#),
        ("ed25519", "EdDSA", r#"{"crv":"Ed25519","kty":"OKP","x":""#),
    ] {
        let (found, json) = keys(&format!("jwt: {{ algorithm: {algorithm}, public_key: file:{file}.pem }}\n"));
        assert_eq!(found.name(), algorithm);
        assert!(json.starts_with(start), "{file}: {json}");
    }
    let whole = keys("jwt: { algorithm: RS256, public_key: file:rsa-2048.pem }\n");
    assert_eq!(whole, keys("jwt: { algorithm: RS256, public_key: file:rsa-2048.pkcs1.pem }\n"));
}

#[test]
fn keys_that_do_not_fit_are_refused_with_the_way_on() {
    for (file, algorithm, parts) in [
        ("certificate", "RS256", &["is a certificate", "openssl x509 -in CERTIFICATE -pubkey -noout"][..]),
        ("rsa-2048.private", "RS256", &["is a private key", "openssl pkey -in KEY -pubout"]),
        ("rsa-1024", "RS256", &["the key has 1024 bits, 2048 to 8192 are needed"]),
        ("rsa-pss-2048", "RS256", &["is for another algorithm"]),
        ("rsa-2048", "ES256", &["is another kind of key"]),
        ("ec-p256", "ES384", &["is on another curve"]),
        ("ec-p384", "ES256", &["is on another curve"]),
        ("ec-p521", "ES256", &["of a kind that signs no tokens here", "P-384"]),
        ("x25519", "EdDSA", &["of a kind that signs no tokens here"]),
        ("ed25519", "RS256", &["is another kind of key"]),
    ] {
        let told = bench(&format!("jwt: {{ algorithm: {algorithm}, public_key: file:{file}.pem }}\n")).told();
        parts.iter().for_each(|part| assert!(told.contains(part), "{file} {algorithm}: {told}"));
        assert!(!told.contains("MII") && !told.contains("BEGIN PRIVATE"), "{told}");
    }
    for (text, part) in [
        ("plain text", "is not in PEM form"),
        ("{\"kty\":\"RSA\"}", "`jwt.jwks` takes public keys in this form"),
        (&format!("{RSA}{P256}"), "holds more than one thing"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read as a public key"),
        ("-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n", "is not in PEM form"),
    ] {
        let bench = bench("jwt: { algorithm: RS256, public_key: file:other }\n");
        bench.write("other", text);
        assert!(bench.told().contains(part), "{text}: {}", bench.told());
    }
}

#[test]
fn sets_are_reduced_to_what_is_needed() {
    let (_, one) = keys("jwt: { algorithm: ES256, public_key: file:ec-p256.pem }\n");
    let named = |name: &str| one.replace('{', &format!("{{\"kid\":\"{name}\",\"use\":\"sig\",\"x5t\":\"a\","));
    let set = |keys: &[String]| format!("{{\"keys\":[{}]}}", keys.join(","));
    let read = |text: &str| {
        let bench = bench("jwt: { algorithm: ES256, jwks: file:set.json }\n");
        bench.write("set.json", text);
        bench.load().map(|loaded| loaded.config.jwt.keys).map_err(|errors| errors.to_string())
    };
    let Ok(Some(PublicKeys::Given(kept))) = read(&set(&[named("b"), r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(), named("a")]))
    else {
        panic!("not read")
    };
    assert_eq!(kept.matches("\"kid\"").count(), 2);
    assert!(kept.find("\"a\"") < kept.find("\"b\"") && !kept.contains("x5t") && !kept.contains("RSA"), "{kept}");
    let off_curve = one.replace("\"x\":\"", "\"x\":\"A").replace(|_: char| false, "");
    for (text, part) in [
        ("[]".to_owned(), "is not a JWK Set"),
        (r#"{"keys":{}}"#.to_owned(), "is not a JWK Set"),
        (r#"{"keys":[],"keys":[]}"#.to_owned(), "is not a JWK Set"),
        (set(&[]), "is no key that can check ES256"),
        (set(&[r#"{"kty":"RSA","kid":"r1"}"#.to_owned()]), "the key `r1` is another kind of key (`kty`)"),
        (set(&[named("a").replace("sig", "enc")]), "the key `a` is not for signatures (`use`)"),
        (set(&[named("a").replace("\"use\":\"sig\"", "\"key_ops\":[\"sign\"]")]), "the key `a` is not for checking signatures (`key_ops`)"),
        (set(&[named("a").replace("\"use\":\"sig\"", "\"alg\":\"ES384\"")]), "the key `a` is for another algorithm (`alg`)"),
        (set(&[named("a").replace("\"use\":\"sig\"", "\"d\":\"AAAA\"")]), "the key `a` is a private key: take it out of there"),
        (off_curve, "has no good `x`"),
        (RSA.to_owned(), "a key in PEM form is named with `jwt.public_key`"),
        (format!("{{\"keys\":[],\"fill\":\"{}\"}}", "x".repeat(256 * 1024)), "holds more than 262144 bytes"),
    ] {
        let told = read(&text).unwrap_err();
        assert!(told.contains(part), "{}: {told}", &text[..text.len().min(99)]);
    }
    // A point that is on no curve: y of another key.
    let x_and_x = one.split("\"x\":\"").nth(1).unwrap().split('"').next().unwrap();
    let y = one.split("\"y\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(read(&one.replace(y, x_and_x)).unwrap_err().contains("is no point of its curve"));
}

#[test]
fn the_key_has_one_source_and_the_strongest_place_wins() {
    let mut both = bench("jwt: { algorithm: ES256, public_key: file:ec-p256.pem, jwks_url: https://issuer.example/keys }\n");
    assert!(both.told().contains("`jwt.public_key` and `jwt.jwks_url` are both set"), "{}", both.told());
    // A flag names another source.
    both.flags.jwks_url = Some("https://other.example/keys".into());
    let issuer = |url: &str, pin| Some(PublicKeys::Issuer { url: url.to_owned(), pin });
    assert_eq!(both.config().jwt.keys, issuer("https://other.example/keys", false));
    // A secret that happens to be in the environment does not stand against a named key.
    let mut named = bench("jwt: { algorithm: RS256, jwks_url: \"https://issuer.example/keys?app=1\", jwks_pin: true }\n");
    named.set("JWT_SECRET", SECRET);
    let jwt = named.config().jwt;
    assert_eq!((jwt.secret, jwt.keys), (None, issuer("https://issuer.example/keys?app=1", true)));
    // The variables hold the keys themselves.
    let mut variable = bench("jwt: { algorithm: ES256 }\n");
    variable.set("WSFIX_JWT_PUBLIC_KEY", P256);
    assert!(matches!(variable.config().jwt.keys, Some(PublicKeys::Given(_))));
    variable.set("JWT_SECRET", SECRET);
    assert!(variable.told().contains("`jwt.secret` and `jwt.public_key` are both set"), "{}", variable.told());
}

#[test]
fn algorithms_and_keys_fit_together() {
    for (text, parts) in [
        ("jwt: { algorithm: RS256 }\n", &["`jwt.secret` does not fit: RS256 needs a public key"][..]),
        ("jwt: { algorithm: none }\n", &["`jwt.algorithm` cannot be `none`", "`HS256`"]),
        ("jwt: { algorithm: rs256 }\n", &["did you mean `RS256`?"]),
        ("jwt: { algorithm: HS512 }\n", &["the JWT secret has fewer than 64 bytes, which HS512 needs", "openssl rand -hex 64"]),
        ("jwt: { jwks_url: https://i.example/k }\n", &["`jwt.algorithm` is missing", "RS256"]),
        ("jwt: { algorithm: HS256, jwks_url: https://i.example/k }\n", &["`jwt.jwks_url` does not fit: HS256 needs a shared secret"]),
        ("jwt: { algorithm: RS256, jwks_url: http://i.example/k }\n", &["`jwt.jwks_url` is no https URL"]),
        ("jwt: { algorithm: RS256, jwks_url: \"https://u:hunter2@i.example/k\" }\n", &["user name or a password"]),
        ("jwt: { algorithm: RS256, jwks_url: \"https://i.example/k#a\" }\n", &["`jwt.jwks_url` has a query or a fragment"]),
        ("jwt: { jwks_pin: true }\n", &["`jwt.jwks_pin` is set, but the key comes from `jwt.secret`"]),
        ("jwt: { algorithm: RS256, public_key: ssm:/a }\n", &["`jwt.public_key` cannot be kept in SSM", "file:PATH"]),
        ("jwt: { algorithm: RS256, public_key: MIIB }\n", &["`jwt.public_key` must name the place of the key"]),
        ("jwt: { algorithm: RS256, public_key: file:missing }\n", &["the key cannot be read from"]),
        ("jwt: { max_age_seconds: 0 }\n", &["0 would refuse everybody"]),
        ("jwt: { claims: { exp: a } }\n", &["`jwt.claims` cannot have `exp`"]),
        ("jwt: { claims: { a: 1 } }\n", &["`jwt.claims.a` must be a text"]),
        ("jwt: { token_from: [ticket] }\n", &["the key of tickets is missing", "WSFIX_TICKET_KEY"]),
        ("jwt: { token_from: [ticket], ticket_key: env:JWT_SECRET }\n", &[]),
    ] {
        if !parts.is_empty() {
            refused(text, parts);
        }
    }
    let mut bare = bench("jwt: { algorithm: RS256 }\n");
    assert!(bare.told().contains("the key of tokens is missing"), "{}", bare.told());
    bare.purpose = Purpose::Stack;
    assert_eq!(bare.config().jwt.keys, None);
}

#[test]
fn secrets_of_another_shape_are_refused_and_not_shown() {
    for (secret, part) in [
        (RSA, "the JWT secret is a key in PEM form"),
        (r#"{"jwt":"hunter2hunter2hunter2hunter2hunter2"}"#, "the JWT secret is a JSON object"),
        (r#"["hunter2hunter2hunter2hunter2hunter2","hunter2hunter2hunter2hunter2hunter2"]"#, "a list that holds no secrets"),
        (r#"["hunter2hunter2hunter2hunter2hunter2","hunter2"]"#, "fewer than 32 bytes"),
    ] {
        let mut bench = Bench::new();
        bench.set("JWT_SECRET", secret);
        let told = bench.told();
        assert!(told.contains(part) && !told.contains("hunter2") && !told.contains("MII"), "{told}");
    }
    let mut list = Bench::new();
    list.set("JWT_SECRET", &format!("[\"{KEY}\", \"{SECRET}\"]"));
    assert!(matches!(list.config().jwt.secret, Some(SecretSource::Value(_))));
}

#[test]
fn tickets_have_a_key_of_their_own_and_may_need_no_token() {
    let mut bench = with_file("jwt: { token_from: [ticket] }\nsigning_key: env:SIGNING\n");
    bench.environment.remove("JWT_SECRET");
    bench.set("SIGNING", KEY);
    bench.set("WSFIX_TICKET_KEY", &"t".repeat(32));
    let jwt = bench.config().jwt;
    assert_eq!((jwt.secret, jwt.keys), (None, None));
    assert_eq!(jwt.ticket_key, Some(SecretSource::Value(Secret::new("t".repeat(32)))));
    bench.set("WSFIX_TICKET_KEY", KEY);
    assert!(bench.told().contains("the signing key is the ticket key"), "{}", bench.told());
    bench.set("WSFIX_TICKET_KEY", "hunter2");
    let told = bench.told();
    assert!(told.contains("the ticket key has fewer than 32 bytes") && !told.contains("hunter2"), "{told}");
    let mut both = with_file("jwt: { token_from: [query, ticket], ticket_key: \"secretsmanager:app#ticket\" }\n");
    let stored = SecretSource::SecretsManager { id: "app".into(), member: Some("ticket".into()) };
    assert_eq!(both.config().jwt.ticket_key, Some(stored));
    both.flags.ticket_key = Some("env:JWT_SECRET".into());
    assert!(both.told().contains("the ticket key is the JWT secret"), "{}", both.told());
    // Nobody accepts tickets: their key is of no interest.
    let mut none = Bench::new();
    none.set("WSFIX_TICKET_KEY", "short");
    assert_eq!(none.config().jwt.ticket_key, None);
}
