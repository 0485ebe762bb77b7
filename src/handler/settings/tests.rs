use std::collections::HashMap;

use super::keys::{Reference, TicketKeys, TokenKeys};
use super::*;
use crate::jose::Algorithm;

const SECRET: &str = "a secret of at least thirty-two bytes";

fn read(changes: &[(&str, &str)]) -> Result<Settings, String> {
    let mut variables: HashMap<&str, &str> = HashMap::from([
        ("TABLE_NAME", "WebSocketConnections"),
        ("APP_RUNNER_URL", "https://backend.example/base/"),
        ("JWT_SECRET", SECRET),
        ("DOMAIN_NAME", "abc.execute-api.eu-west-1.amazonaws.com"),
        ("STAGE", "prod"),
        ("AWS_REGION", "eu-west-1"),
    ]);
    variables.extend(changes.iter().copied());
    Settings::read(&|name| variables.get(name).map(|value| (*value).to_owned())).map_err(|error| error.to_string())
}

fn wrong(changes: &[(&str, &str)]) -> String {
    read(changes).err().unwrap_or_default()
}

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

#[test]
fn the_defaults() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.backend.url(&settings.backend.path("/api/ws/message")), "https://backend.example/base/api/ws/message");
    assert_eq!(settings.reply, Reply::ManagementApi(url("https://abc.execute-api.eu-west-1.amazonaws.com/prod")));
    assert_eq!(settings.token_from, TokenFrom { query: true, subprotocol: true, ticket: false });
    assert_eq!(settings.origins, Origins { allowed: vec![], required: false });
    assert_eq!((settings.rules.leeway, settings.enforce_expiry), (30, true));
    assert_eq!((settings.backend_timeout, settings.session_cache), (Duration::from_secs(20), Duration::ZERO));
    assert_eq!(settings.aws.dynamodb, url("https://dynamodb.eu-west-1.amazonaws.com"));
    assert!(settings.signing_keys.is_empty());
}

#[test]
fn endpoints_and_partitions() {
    let local = read(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000/")]).unwrap();
    assert_eq!(local.aws.dynamodb, url("http://127.0.0.1:8000"));
    assert_eq!(local.aws.ssm, url("http://127.0.0.1:4566"));
    let china = read(&[("AWS_REGION", "cn-north-1"), ("DOMAIN_NAME", "ws.example.cn")]).unwrap();
    assert_eq!(china.aws.dynamodb, url("https://dynamodb.cn-north-1.amazonaws.com.cn"));
    let isolated = read(&[("AWS_REGION", "us-iso-east-1"), ("DOMAIN_NAME", "abc.execute-api.us-iso-east-1.c2s.ic.gov")]).unwrap();
    assert_eq!(isolated.aws.secrets_manager, url("https://secretsmanager.us-iso-east-1.c2s.ic.gov"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_nothing_that_is_secret() {
    let text = wrong(&[
        ("TABLE_NAME", ""),
        ("APP_RUNNER_URL", "http://backend.example"),
        ("JWT_SECRET", "hunter2"),
        ("WSFIX_SIGNING_KEY", "swordfish"),
        ("WSFIX_LEEWAY_SECONDS", "301"),
        ("WSFIX_TOKEN_FROM", "query,cookie"),
        ("WSFIX_REQUIRE_ORIGIN", "yes"),
        ("WSFIX_REPLY", "pigeon"),
    ]);
    for name in [
        "TABLE_NAME is not set",
        "APP_RUNNER_URL is http",
        "JWT_SECRET is shorter than 32 bytes",
        "WSFIX_SIGNING_KEY has a key shorter than 32 bytes",
        "WSFIX_LEEWAY_SECONDS is not a number from 0 to 300",
        "WSFIX_TOKEN_FROM has",
        "WSFIX_REQUIRE_ORIGIN is neither",
        "WSFIX_REPLY is neither",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
}

#[test]
fn backends_are_https_or_loopback() {
    for good in ["https://x.example", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080/a/b"] {
        assert!(read(&[("APP_RUNNER_URL", good)]).is_ok(), "{good}");
    }
    for bad in [
        "x.example",
        "ftp://x",
        "http://10.0.0.1",
        "https://u:p@x.example",
        "https://x.example/?a=b",
        "http://localhost.evil.example",
        "/a",
    ] {
        assert!(wrong(&[("APP_RUNNER_URL", bad)]).contains("APP_RUNNER_URL"), "{bad}");
    }
}

#[test]
fn origins_are_compared_as_browsers_write_them() {
    let settings = read(&[("WSFIX_ALLOWED_ORIGINS", "https://App.Example:443/, http://localhost:3000,http://a.example:80")]).unwrap();
    assert_eq!(settings.origins.allowed, ["https://app.example", "http://localhost:3000", "http://a.example"]);
}

#[test]
fn route_responses_need_no_address_of_the_api() {
    let settings = read(&[("WSFIX_REPLY", "route-response"), ("DOMAIN_NAME", ""), ("STAGE", "")]).unwrap();
    assert_eq!(settings.reply, Reply::RouteResponse);
    assert!(wrong(&[("DOMAIN_NAME", ""), ("STAGE", "")]).contains("STAGE is not set"));
    let local = read(&[("WSFIX_MANAGEMENT_URL", "http://127.0.0.1:9/_aws/execute-api/abc/prod")]).unwrap();
    assert_eq!(local.reply, Reply::ManagementApi(url("http://127.0.0.1:9/_aws/execute-api/abc/prod")));
}

#[test]
fn keys_of_tokens_come_from_one_place() {
    let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    assert!(wrong(&[("JWT_SECRET", "")]).contains("JWT_SECRET is not set, nor is JWT_SECRET_REF, WSFIX_JWKS or WSFIX_JWKS_URL"));
    assert!(wrong(&[("JWT_SECRET_REF", "ssm:/a")]).contains("JWT_SECRET_REF is set, and JWT_SECRET too: set one of them"));
    assert!(wrong(&[("WSFIX_JWKS_URL", "https://i.example/k")]).contains("WSFIX_JWKS_URL is set, and JWT_SECRET too"));
    let reference = |text: &str| match read(&[("JWT_SECRET", ""), ("JWT_SECRET_REF", text)]).map(|settings| settings.token_keys) {
        Ok(Some(TokenKeys::Stored(Algorithm::Hs256, reference))) => Some(reference),
        Ok(_) | Err(_) => None,
    };
    let secret = |id: &str, member: Option<&str>| Reference::SecretsManager { id: id.to_owned(), member: member.map(str::to_owned) };
    assert_eq!(reference("ssm:/app/jwt"), Some(Reference::Ssm("/app/jwt".to_owned())));
    assert_eq!(reference("secretsmanager:arn:aws:x"), Some(secret("arn:aws:x", None)));
    assert_eq!(reference("secretsmanager:app#jwt"), Some(secret("app", Some("jwt"))));
    for bad in ["ssm:", "vault:x", "plain", "secretsmanager:#a", "secretsmanager:a#"] {
        assert_eq!(reference(bad), None, "{bad}");
    }
    let public = |name: &str, value: &str, algorithm: &str| read(&[("JWT_SECRET", ""), (name, value), ("WSFIX_JWT_ALGORITHM", algorithm)]);
    assert!(matches!(public("WSFIX_JWKS", jwks, "EdDSA").unwrap().token_keys, Some(TokenKeys::Inline(_))));
    for (name, value, algorithm, what) in [
        ("WSFIX_JWKS", jwks, "ES256", "WSFIX_JWKS is of no use: no key that can check ES256; the key `k1` is another kind of key (`kty`)"),
        ("WSFIX_JWKS", jwks, "HS256", "WSFIX_JWKS does not fit: HS256 needs a shared secret"),
        ("WSFIX_JWKS", "{}", "EdDSA", "WSFIX_JWKS is of no use: not a JWK Set"),
        ("JWT_SECRET_REF", "ssm:/a", "RS256", "JWT_SECRET_REF does not fit: RS256 needs a public key"),
        ("WSFIX_JWKS", jwks, "none", "WSFIX_JWT_ALGORITHM is none of HS256, "),
        ("WSFIX_JWKS_URL", "http://i.example/k", "EdDSA", "WSFIX_JWKS_URL is not an https URL"),
        ("WSFIX_JWKS_URL", "https://u:p@i.example/k", "EdDSA", "WSFIX_JWKS_URL is not an https URL"),
        ("WSFIX_JWKS_URL", "file:///etc/passwd", "EdDSA", "WSFIX_JWKS_URL is not an https URL"),
        ("WSFIX_JWKS_URL", "http://127.0.0.1.evil.example/k", "EdDSA", "WSFIX_JWKS_URL is not an https URL"),
    ] {
        let told = public(name, value, algorithm).err().unwrap_or_default();
        assert!(told.contains(what), "{value} {algorithm}: {told}");
    }
    for good in ["https://i.example/k?a=b", "http://127.0.0.1:9/k", "http://localhost/k", "http://[::1]:9/k"] {
        assert!(matches!(public("WSFIX_JWKS_URL", good, "EdDSA").unwrap().token_keys, Some(TokenKeys::Issuer(_, url)) if url == good));
    }
}

#[test]
fn each_key_has_a_purpose_of_its_own() {
    let two = format!("{}, {}", "a".repeat(32), "b".repeat(32));
    assert_eq!(read(&[("WSFIX_SIGNING_KEY", &two)]).unwrap().signing_keys.len(), 2);
    assert!(wrong(&[("WSFIX_SIGNING_KEY", &format!("{two},{}", "c".repeat(32)))]).contains("WSFIX_SIGNING_KEY has more than two keys"));
    assert!(wrong(&[("WSFIX_SIGNING_KEY", SECRET)]).contains("WSFIX_SIGNING_KEY is the same as JWT_SECRET"));
    let tickets = |keys: &str, more: &[(&str, &str)]| read(&[&[("WSFIX_TOKEN_FROM", "ticket"), ("WSFIX_TICKET_KEY", keys)], more].concat());
    assert!(matches!(tickets(&two, &[]).unwrap().ticket_keys, Some(TicketKeys::Inline(keys)) if keys.len() == 2));
    for (keys, more, what) in [
        ("", &[][..], "WSFIX_TICKET_KEY is not set, nor is WSFIX_TICKET_KEY_REF"),
        ("short", &[], "WSFIX_TICKET_KEY has a key shorter than 32 bytes"),
        (SECRET, &[], "WSFIX_TICKET_KEY is the same as JWT_SECRET"),
        (two.as_str(), &[("WSFIX_SIGNING_KEY", two.as_str())], "WSFIX_SIGNING_KEY is the same as WSFIX_TICKET_KEY"),
        (two.as_str(), &[("WSFIX_TICKET_KEY_REF", "ssm:/a")], "WSFIX_TICKET_KEY_REF is set, and WSFIX_TICKET_KEY too"),
    ] {
        let told = tickets(keys, more).err().unwrap_or_default();
        assert!(told.contains(what) && !told.contains(SECRET), "{told}");
    }
    // Where tickets alone are accepted, nobody needs a key of tokens.
    let alone = tickets(&two, &[("JWT_SECRET", "")]).unwrap();
    assert!(alone.token_keys.is_none() && alone.token_from == TokenFrom { query: false, subprotocol: false, ticket: true });
}

#[test]
fn rules_of_tokens_are_read() {
    let read_rules = |name: &str, value: &str| read(&[(name, value)]).map(|settings| settings.rules);
    assert_eq!(read_rules("WSFIX_CLAIMS", r#"{"token_use":"access"}"#).unwrap().claims["token_use"], "access");
    assert_eq!(read_rules("WSFIX_MAX_TOKEN_AGE_SECONDS", "60").unwrap().max_age, Some(60));
    assert!(read_rules("WSFIX_SINGLE_USE", "true").unwrap().single_use);
    for (name, bad) in
        [("WSFIX_CLAIMS", "[]"), ("WSFIX_CLAIMS", r#"{"a":1}"#), ("WSFIX_MAX_TOKEN_AGE_SECONDS", "0"), ("WSFIX_SINGLE_USE", "1")]
    {
        assert!(read_rules(name, bad).unwrap_err().starts_with(name), "{name} {bad}");
    }
}
