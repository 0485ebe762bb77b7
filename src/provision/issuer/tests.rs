use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::*;
use crate::config::{Settings, variables};
use crate::provision::desired::tests::config as config_of;

/// Answers once, with a whole HTTP answer.
fn serve(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        let _ = stream.write_all(answer.as_bytes());
    });
    url
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn key(name: &str) -> Value {
    // RFC 8037 appendix A.2.
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": "sig", "x5t": "not needed" })
}

fn config(url: String) -> Config {
    let algorithm = Some("EdDSA".to_owned());
    config_of(Settings { jwt_algorithm: algorithm, jwks_url: Some(url), jwks_pin: Some(true), ..Settings::default() })
}

#[tokio::test]
async fn what_is_pinned_is_what_is_needed_in_an_order_of_its_own() {
    let other = json!({ "kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB" });
    let (a, b) = (key("a"), key("b"));
    let mut pinned_keys = Vec::new();
    for keys in [json!([&b, other, &a]), json!([&a, &b])] {
        let (name, variable) = pinned(&config(serve(ok(&json!({ "keys": keys }).to_string())))).await.unwrap().unwrap();
        assert_eq!(name, "WSFIX_JWKS");
        pinned_keys.push(variable.expose().to_owned());
    }
    assert_eq!(pinned_keys[0], pinned_keys[1]);
    assert!(!pinned_keys[0].contains("x5t") && !pinned_keys[0].contains("rsa"), "{}", pinned_keys[0]);
    // Nothing else in the environment says where the keys are.
    let variables = variables::of(&config("https://issuer.example/jwks.json".to_owned()));
    assert!(
        variables.contains_key("WSFIX_JWT_ALGORITHM") && !variables.keys().any(|name| name.contains("JWKS") || name.contains("SECRET"))
    );
}

#[tokio::test]
async fn nobody_is_asked_without_need() {
    assert_eq!(pinned(&config_of(Settings::default())).await, Ok(None));
}

#[tokio::test]
async fn what_is_no_key_is_refused_with_the_reason() {
    let large = format!(r#"{{"keys":[],"fill":"{}"}}"#, "x".repeat(jose::LARGEST_SET));
    for (answer, reason) in [
        (ok("<html>"), "its answer is not a JWK Set: a JSON object with a list `keys`, and no name in it twice"),
        (ok(r#"{"keys":[]}"#), "its answer is no key that can check EdDSA"),
        (
            ok(r#"{"keys":[{"kty":"EC","kid":"k1"}]}"#),
            "its answer is no key that can check EdDSA; the key `k1` is another kind of key (`kty`)",
        ),
        (ok(&large), "its answer is larger than 256 KB"),
        ("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_owned(), "it answers with status 404"),
        ("HTTP/1.1 302 X\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_owned(), "it redirects (status 302), which is not followed"),
        ("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{".to_owned(), "its answer broke off"),
    ] {
        let refusal = pinned(&config(serve(answer))).await.unwrap_err();
        assert_eq!(refusal.reason, reason);
        assert!(refusal.resource.starts_with("issuer http://127.0.0.1:") && refusal.remedy.contains("jwt.jwks: file:"), "{refusal:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refusal = pinned(&config(format!("http://{nobody}/"))).await.unwrap_err();
    assert!(refusal.reason.starts_with("it cannot be reached: "), "{refusal:?}");
}
