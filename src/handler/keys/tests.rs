use std::sync::Mutex as StdMutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::handler::testing::{Bench, Cloud, NOW, Reply, SECRET, Seen, Stub, handshake, reply, token};

/// A handshake for `s1` with this token, on a connection of its own.
fn event(token: &str, id: &str) -> Value {
    let mut event = handshake(&[("token", token), ("sessionId", "s1")]);
    event["requestContext"]["connectionId"] = json!(id);
    event
}

async fn status(bench: &Bench, token: &str, id: &str) -> Value {
    bench.handle(&event(token, id)).await["statusCode"].clone()
}

fn claims() -> Value {
    json!({ "exp": NOW + 100_000 })
}

/// A cloud whose stores hold what `stored` says, where one is asked.
async fn stores(cloud: &Cloud, stored: Arc<StdMutex<Reply>>) -> Stub {
    let cloud = cloud.clone();
    let is_read = |seen: &Seen| matches!(seen.operation(), "GetParameter" | "GetSecretValue");
    Stub::start(move |seen| if is_read(seen) { stored.lock().unwrap().clone() } else { cloud.answer(seen) }).await
}

fn parameter(value: &str) -> Reply {
    reply(200, &json!({ "Parameter": { "Value": value } }).to_string())
}

fn reads(stub: &Stub) -> usize {
    stub.requests().iter().filter(|seen| matches!(seen.operation(), "GetParameter" | "GetSecretValue")).count()
}

/// A token of another secret.
fn token_of(secret: &str) -> String {
    let text = token(&claims());
    let (signed, _) = text.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}

const OTHER: &str = "another secret of at least thirty-two bytes";

#[tokio::test]
async fn secrets_are_read_where_the_reference_says_and_kept() {
    let members = json!({ "name": "x", "jwt": SECRET }).to_string();
    for (reference, operation, input, body) in [
        (
            "ssm:/app/jwt",
            "GetParameter",
            json!({ "Name": "/app/jwt", "WithDecryption": true }),
            json!({ "Parameter": { "Value": SECRET } }),
        ),
        ("secretsmanager:app/jwt", "GetSecretValue", json!({ "SecretId": "app/jwt" }), json!({ "SecretString": SECRET })),
        ("secretsmanager:app#jwt", "GetSecretValue", json!({ "SecretId": "app" }), json!({ "SecretString": members })),
    ] {
        let stored = Arc::new(StdMutex::new(reply(200, &body.to_string())));
        let aws = stores(&Cloud::default(), stored).await;
        let bench = Bench::new(&aws.url(), "https://backend.example", &[("JWT_SECRET", ""), ("JWT_SECRET_REF", reference)]);
        for id in ["a=", "b="] {
            assert_eq!(status(&bench, &token(&claims()), id).await, 200, "{}", bench.log());
        }
        let seen = aws.requests();
        assert_eq!(seen.iter().map(Seen::operation).collect::<Vec<_>>(), [operation, "PutItem", "PutItem"]);
        assert_eq!(seen[0].header("content-type"), "application/x-amz-json-1.1");
        assert_eq!(seen[0].json(), input);
    }
}

#[tokio::test]
async fn without_the_secret_everybody_is_refused() {
    for (body, why) in [
        (reply(400, r#"{"__type":"ParameterNotFound"}"#), "ParameterNotFound"),
        (parameter("short"), "the stored secret is shorter than 32 bytes, which HS256 needs"),
        (reply(200, "{}"), "the stored secret is not text"),
        (parameter(""), "shorter than 32 bytes"),
        (parameter(&json!({ "jwt": SECRET }).to_string()), "the stored secret is a JSON object: name the member that holds the secret"),
    ] {
        let aws = stores(&Cloud::default(), Arc::new(StdMutex::new(body))).await;
        let bench = Bench::new(&aws.url(), "https://backend.example", &[("JWT_SECRET", ""), ("JWT_SECRET_REF", "ssm:/app/jwt")]);
        assert_eq!(status(&bench, &token(&claims()), "a=").await, 500);
        let log = bench.log();
        assert!(log.contains("Failed: the key of tokens: ") && log.contains(why) && !log.contains(SECRET), "{log}");
    }
}

#[tokio::test]
async fn a_changed_secret_counts_at_once_and_forged_tokens_read_it_once_a_minute() {
    let stored = Arc::new(StdMutex::new(parameter(SECRET)));
    let aws = stores(&Cloud::default(), Arc::clone(&stored)).await;
    let bench = Bench::new(&aws.url(), "https://backend.example", &[("JWT_SECRET", ""), ("JWT_SECRET_REF", "ssm:/app/jwt")]);
    let (old, new) = (token(&claims()), token_of(OTHER));
    assert_eq!(status(&bench, &old, "a=").await, 200);
    bench.pass(60_000);
    assert_eq!(status(&bench, &new, "b=").await, 401, "not changed yet");
    assert_eq!(reads(&aws), 2);
    *stored.lock().unwrap() = parameter(OTHER);
    bench.pass(59_999);
    assert_eq!(status(&bench, &new, "b=").await, 401, "read less than a minute ago");
    assert_eq!(reads(&aws), 2);
    bench.pass(1);
    assert_eq!(status(&bench, &new, "b=").await, 200);
    assert_eq!(status(&bench, &old, "c=").await, 401);
    assert_eq!(reads(&aws), 3);
    // Both count while it is a list.
    *stored.lock().unwrap() = parameter(&json!([OTHER, SECRET]).to_string());
    bench.pass(60_000);
    assert_eq!((status(&bench, &old, "c=").await, status(&bench, &new, "d=").await), (json!(200), json!(200)));
    assert_eq!(reads(&aws), 4);
}

#[tokio::test]
async fn a_secret_is_at_most_five_minutes_old() {
    let stored = Arc::new(StdMutex::new(parameter(SECRET)));
    let aws = stores(&Cloud::default(), Arc::clone(&stored)).await;
    let bench = Bench::new(&aws.url(), "https://backend.example", &[("JWT_SECRET", ""), ("JWT_SECRET_REF", "ssm:/app/jwt")]);
    let good = token(&claims());
    assert_eq!(status(&bench, &good, "a=").await, 200);
    *stored.lock().unwrap() = reply(400, r#"{"__type":"ParameterNotFound"}"#);
    bench.pass(299_999);
    assert_eq!(status(&bench, &good, "b=").await, 200);
    bench.pass(1);
    assert_eq!(status(&bench, &good, "c=").await, 500);
    *stored.lock().unwrap() = parameter(SECRET);
    assert_eq!(status(&bench, &good, "d=").await, 200, "a store that is back is asked at once");
}

/// An issuer with Ed25519 keys by name.
struct Issuer {
    answer: Arc<StdMutex<Reply>>,
    stub: Stub,
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn set(keys: &[(&str, u8)]) -> String {
    let jwk = |(name, seed): &(&str, u8)| {
        let x = URL_SAFE_NO_PAD.encode(pair(*seed).public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "x": x, "use": "sig", "alg": "EdDSA" })
    };
    json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() }).to_string()
}

fn named_token(name: &str, seed: u8) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(json!({ "alg": "EdDSA", "kid": name }).to_string()), encode(claims().to_string()));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair(seed).sign(signed.as_bytes())))
}

impl Issuer {
    async fn start(answer: Reply) -> Self {
        let answer = Arc::new(StdMutex::new(answer));
        let kept = Arc::clone(&answer);
        Self { answer, stub: Stub::start(move |_| kept.lock().unwrap().clone()).await }
    }

    fn set(&self, answer: Reply) {
        *self.answer.lock().unwrap() = answer;
    }

    fn fetches(&self) -> usize {
        self.stub.requests().len()
    }

    fn bench(&self, aws: &Stub) -> Bench {
        let url = format!("{}/keys?app=1", self.stub.url());
        let changes = [("JWT_SECRET", ""), ("WSFIX_JWKS_URL", &url), ("WSFIX_JWT_ALGORITHM", "EdDSA")];
        Bench::new(&aws.url(), "https://backend.example", &changes)
    }
}

#[tokio::test]
async fn an_issuer_is_asked_once_and_again_for_a_new_key() {
    let issuer = Issuer::start(reply(200, &set(&[("one", 1)]))).await;
    let aws = Cloud::default().start().await;
    let bench = issuer.bench(&aws);
    assert_eq!(status(&bench, &named_token("one", 1), "a=").await, 200, "{}", bench.log());
    assert_eq!(status(&bench, &named_token("one", 1), "b=").await, 200);
    let seen = &issuer.stub.requests()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.header("authorization")), ("GET", "/keys?app=1", ""));
    // A forged signature of a known key is no reason to ask.
    bench.pass(70_000);
    assert_eq!(status(&bench, &named_token("one", 2), "c=").await, 401);
    assert_eq!(issuer.fetches(), 1);
    issuer.set(reply(200, &set(&[("one", 1), ("two", 2)])));
    assert_eq!(status(&bench, &named_token("two", 2), "c=").await, 200, "a new key works at once");
    assert_eq!(issuer.fetches(), 2);
    for _ in 0..20 {
        assert_eq!(status(&bench, &named_token("nobody", 3), "d=").await, 401);
    }
    bench.pass(59_999);
    assert_eq!(status(&bench, &named_token("nobody", 3), "d=").await, 401);
    assert_eq!(issuer.fetches(), 2);
    bench.pass(1);
    assert_eq!(status(&bench, &named_token("nobody", 3), "d=").await, 401);
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test]
async fn events_at_the_same_time_ask_once() {
    let issuer = Issuer::start(reply(200, &set(&[("one", 1)])).after(Duration::from_millis(50))).await;
    let aws = Cloud::default().start().await;
    let bench = issuer.bench(&aws);
    let good = named_token("one", 1);
    let ids: Vec<String> = (0..20).map(|n| format!("{n}=")).collect();
    let answers = join_all(ids.iter().map(|id| status(&bench, &good, id))).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(issuer.fetches(), 1);
    bench.pass(60_000);
    let forged = named_token("nobody", 3);
    let answers = join_all(ids.iter().map(|id| status(&bench, &forged, id))).await;
    assert!(answers.iter().all(|status| *status == 401), "{answers:?}");
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn an_issuer_that_fails_is_asked_once_a_minute_and_known_keys_go_on() {
    let broken = || reply(500, "");
    let issuer = Issuer::start(broken()).await;
    let aws = Cloud::default().start().await;
    let bench = issuer.bench(&aws);
    let good = named_token("one", 1);
    for _ in 0..5 {
        assert_eq!(status(&bench, &good, "a=").await, 500);
    }
    assert_eq!(issuer.fetches(), 1);
    issuer.set(reply(200, &set(&[("one", 1)])));
    bench.pass(60_000);
    assert_eq!(status(&bench, &good, "a=").await, 200);
    issuer.set(broken());
    let hours = 3_600_000;
    for (n, (passed, expected, fetches)) in
        [(599_999, 200, 2), (1, 200, 3), (1, 200, 3), (59_999, 200, 4), (23 * hours, 200, 5), (hours, 500, 6)].into_iter().enumerate()
    {
        bench.pass(passed);
        assert_eq!(status(&bench, &good, &format!("{n}=")).await, expected, "{n}: {}", bench.log());
        assert_eq!(issuer.fetches(), fetches, "{n}");
    }
    assert!(bench.log().contains("Failed: the key of tokens: the issuer: status 500"), "{}", bench.log());
}

#[tokio::test]
async fn what_an_issuer_answers_has_limits() {
    let large = format!(r#"{{"keys":[],"fill":"{}"}}"#, "x".repeat(crate::jose::LARGEST_SET));
    for (answer, why) in [
        (reply(200, &large), "the issuer: the answer is larger than 262144 bytes"),
        (reply(302, "").with("location", "/other"), "the issuer: status 302"),
        (reply(200, "<html>"), "what the issuer answered is not a JWK Set"),
        (reply(200, r#"{"keys":[],"keys":[]}"#), "what the issuer answered is not a JWK Set"),
        (reply(200, r#"{"keys":[]}"#), "what the issuer answered is no key that can check EdDSA"),
        (reply(0, ""), "the issuer: the connection broke"),
    ] {
        let issuer = Issuer::start(answer).await;
        let aws = Cloud::default().start().await;
        let bench = issuer.bench(&aws);
        assert_eq!(status(&bench, &named_token("one", 1), "a=").await, 500);
        assert!(bench.log().contains(why), "{why}: {}", bench.log());
        assert_eq!((issuer.fetches(), aws.requests().len()), (1, 0), "{why}");
    }
}

#[tokio::test]
async fn a_large_set_of_an_issuer_is_read() {
    let fill = json!({ "kty": "EC", "fill": "x".repeat(crate::jose::LARGEST_SET - 500) });
    let mut keys: Value = serde_json::from_str(&set(&[("one", 1)])).unwrap();
    keys["keys"].as_array_mut().unwrap().push(fill);
    let issuer = Issuer::start(reply(200, &keys.to_string())).await;
    let aws = Cloud::default().start().await;
    assert_eq!(status(&issuer.bench(&aws), &named_token("one", 1), "a=").await, 200);
}
