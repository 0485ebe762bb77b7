use std::collections::HashMap;

use super::*;

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
    assert_eq!(settings.token_from, TokenFrom { query: true, subprotocol: true });
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
fn keys_come_from_one_place() {
    assert!(wrong(&[("JWT_SECRET", "")]).contains("JWT_SECRET is not set"));
    assert!(wrong(&[("JWT_SECRET_REF", "ssm:/a")]).contains("set one of them"));
    let from = |reference: &str| read(&[("JWT_SECRET", ""), ("JWT_SECRET_REF", reference)]).map(|settings| settings.key);
    assert!(matches!(from("ssm:/app/jwt"), Ok(KeySource::Ssm(name)) if name == "/app/jwt"));
    assert!(matches!(from("secretsmanager:arn:aws:x"), Ok(KeySource::SecretsManager(id)) if id == "arn:aws:x"));
    for bad in ["ssm:", "vault:x", "plain"] {
        assert!(from(bad).is_err(), "{bad}");
    }
}

#[test]
fn signing_keys_are_long_few_and_not_the_secret_of_tokens() {
    let two = format!("{}, {}", "a".repeat(32), "b".repeat(32));
    assert_eq!(read(&[("WSFIX_SIGNING_KEY", &two)]).unwrap().signing_keys.len(), 2);
    assert!(wrong(&[("WSFIX_SIGNING_KEY", &format!("{two},{}", "c".repeat(32)))]).contains("more than two"));
    assert!(wrong(&[("WSFIX_SIGNING_KEY", SECRET)]).contains("the same as JWT_SECRET"));
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
