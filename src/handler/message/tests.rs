use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::handler::testing::{Bench, Cloud, ID, NOW, Reply as StubReply, Scene, Seen, Stub, item, message_event, reply};

const TEXT: &str = r#"{"action":"sendMessage","type":"command","command":"ls -la"}"#;

struct Tried {
    answer: Value,
    /// What the backend got.
    forwarded: Vec<Seen>,
    /// What the client got.
    sent: Vec<String>,
    cloud: Cloud,
    log: String,
}

impl Tried {
    /// The code of the only message that the client got, which is an error.
    fn code(&self) -> String {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        let error: Value = serde_json::from_str(&self.sent[0]).unwrap();
        assert_eq!((&error["type"], &error["requestId"]), (&json!("error"), &json!("R1knNHGmtjMFqVg=")));
        assert!(error["message"].is_string());
        error["code"].as_str().unwrap().to_owned()
    }
}

async fn try_with(
    changes: &[(&str, &str)],
    stored: Option<Value>,
    event: Value,
    backend: impl Fn(&Seen) -> StubReply + Send + Sync + 'static,
) -> Tried {
    let scene = Scene::start(changes, backend).await;
    scene.cloud.forget(ID);
    if let Some(stored) = stored {
        scene.cloud.store(ID, stored);
    }
    let answer = scene.bench.handle(&event).await;
    let (forwarded, sent, log) = (scene.backend.requests(), scene.sent_to(ID), scene.bench.log());
    Tried { answer, forwarded, sent, cloud: scene.cloud, log }
}

async fn answered(body: &'static str) -> Tried {
    try_with(&[], Some(item()), message_event(TEXT), move |_| reply(200, body)).await
}

#[tokio::test]
async fn a_message_goes_to_the_backend_and_its_answer_comes_back_as_it_was() {
    let tried = answered("{ \"type\":\"output\",  \"data\":\"total 0\\n\" }").await;
    assert_eq!(tried.answer, json!({ "statusCode": 200 }));
    assert_eq!(tried.sent, ["{ \"type\":\"output\",  \"data\":\"total 0\\n\" }"]);
    let [seen] = &tried.forwarded[..] else { panic!("{:?}", tried.forwarded) };
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/base/api/ws/message"));
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("x-connection-id"), ID);
    assert_eq!(seen.header("x-session-id"), "s1");
    assert_eq!(seen.header("x-request-id"), "R1knNHGmtjMFqVg=");
    assert_eq!(seen.header("x-wsfix-signature"), "");
    assert_eq!(
        seen.body,
        r#"{"action":"sendMessage","type":"command","command":"ls -la","connectionId":"R1kmxc2VNjMCFIA=","sessionId":"s1","userId":"user-1"}"#
    );
    assert_eq!(
        tried.log,
        "[WebSocket] Route: sendMessage, ConnectionId: R1kmxc2VNjMCFIA=\n[WebSocket] Message from R1kmxc2VNjMCFIA=: { type: 'command' }"
    );
}

#[tokio::test]
async fn requests_are_signed_with_every_key() {
    let keys = ["k".repeat(32), "l".repeat(40)];
    let tried = try_with(&[("WSFIX_SIGNING_KEY", &keys.join(","))], Some(item()), message_event(TEXT), |_| reply(204, "")).await;
    let seen = &tried.forwarded[0];
    let expected = keys.iter().fold(format!("t={NOW}"), |header, key| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
        let tag = ring::hmac::sign(&key, format!("{NOW}.R1knNHGmtjMFqVg=.POST./base/api/ws/message.{}", seen.body).as_bytes());
        tag.as_ref().iter().fold(header + ",v1=", |header, byte| format!("{header}{byte:02x}"))
    });
    assert_eq!(seen.header("x-wsfix-signature"), expected);
}

#[tokio::test]
async fn the_function_may_return_the_answer_instead() {
    let route_response = [("WSFIX_REPLY", "route-response")];
    let tried = try_with(&route_response, Some(item()), message_event(TEXT), |_| reply(200, "{\"a\":1}")).await;
    assert_eq!((tried.answer, tried.sent.len()), (json!({ "statusCode": 200, "body": "{\"a\":1}" }), 0));
    let tried = try_with(&route_response, Some(item()), message_event(TEXT), |_| reply(204, "")).await;
    assert_eq!(tried.answer, json!({ "statusCode": 200 }));
    let tried = try_with(&route_response, None, message_event(TEXT), |_| reply(200, "{}")).await;
    assert!(tried.answer["body"].as_str().unwrap().contains("unknown_connection"), "{}", tried.answer);
}

#[tokio::test]
async fn no_answer_is_no_message() {
    for body in ["", " \r\n"] {
        let tried = answered(body).await;
        assert_eq!((tried.answer, tried.sent.len()), (json!({ "statusCode": 200 }), 0));
    }
}

#[tokio::test]
async fn the_backend_hears_who_sent_it_from_us_alone() {
    let hostile = r#"{"sessionId":"victim","SESSIONID":"victim","session\u0049d":"victim","\u017fessionId":"victim","ſessionId":"victim",
        "connectionId":"x","ConnectionID":["x"],"connectıonid":"x","userId":null,"USERID":{"a":1},"__proto__":{"sessionId":"victim"},
        "type":"command","big":12345678901234567890.123456789,"exponent":1e999,"lone":"\ud800","nested":{"sessionId":"kept"},"type":"ping"}"#;
    let tried = try_with(&[], Some(item()), message_event(hostile), |_| reply(204, "")).await;
    let body = tried.forwarded[0].body.as_str();
    assert_eq!(
        body,
        r#"{"type":"command","big":12345678901234567890.123456789,"exponent":1e999,"lone":"\ud800","nested":{"sessionId":"kept"},"type":"ping","connectionId":"R1kmxc2VNjMCFIA=","sessionId":"s1","userId":"user-1"}"#
    );
    assert!(tried.log.contains("{ type: 'ping' }"), "{}", tried.log);
}

#[tokio::test]
async fn what_is_not_an_object_is_not_forwarded() {
    for text in ["", "ls", "[]", "\"a\"", "null", "1", "{", "{}x", "{\"a\":}", "{\"\\ud800\":1}", "\u{feff}{}"] {
        let tried = try_with(&[], Some(item()), message_event(text), |_| reply(200, "{}")).await;
        assert_eq!((tried.code().as_str(), tried.forwarded.len()), ("bad_message", 0), "{text:?}");
    }
    let deep = format!("{{\"deep\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let tried = try_with(&[], Some(item()), message_event(&deep), |_| reply(204, "")).await;
    assert!(tried.forwarded[0].body.starts_with(deep.trim_end_matches('}')));
}

#[tokio::test]
async fn base64_bodies_are_decoded() {
    let mut event = message_event(&STANDARD.encode(r#"{"type":"ping"}"#));
    event["isBase64Encoded"] = json!(true);
    let tried = try_with(&[], Some(item()), event.clone(), |_| reply(204, "")).await;
    assert!(tried.forwarded[0].body.starts_with(r#"{"type":"ping","#));
    event["body"] = json!("%%%");
    assert_eq!(try_with(&[], Some(item()), event, |_| reply(204, "")).await.code(), "bad_message");
}

#[tokio::test]
async fn messages_of_unknown_and_damaged_connections_stop_here() {
    let change = |name: &str, value: Value| {
        let mut changed = item();
        changed[name] = value;
        Some(changed)
    };
    let without = |name: &str| {
        let mut changed = item();
        changed.as_object_mut().unwrap().remove(name);
        Some(changed)
    };
    for stored in [
        None,
        without("sessionId"),
        without("expiresAt"),
        without("connectionId"),
        change("connectionId", json!({ "S": "other=" })),
        change("sessionId", json!({ "N": "1" })),
        change("sessionId", json!({ "S": "" })),
        change("sessionId", json!({ "S": "a\nb" })),
        change("userId", json!({ "N": "1" })),
        change("expiresAt", json!({ "S": (NOW + 60).to_string() })),
        change("expiresAt", json!({ "N": NOW.to_string() })),
        change("expiresAt", json!({ "N": "1e30" })),
        change("expiresAt", json!({ "N": (NOW + 86_400).to_string() })),
        change("authUntil", json!({ "S": "never" })),
    ] {
        let shown = format!("{stored:?}");
        let tried = try_with(&[], stored, message_event(TEXT), |_| reply(200, "{}")).await;
        assert_eq!((tried.code().as_str(), tried.forwarded.len()), ("unknown_connection", 0), "{shown}");
    }
    let expired = change("authUntil", json!({ "N": NOW.to_string() }));
    let tried = try_with(&[], expired.clone(), message_event(TEXT), |_| reply(200, "{}")).await;
    assert_eq!((tried.code().as_str(), tried.forwarded.len()), ("auth_expired", 0));
    let tried = try_with(&[("WSFIX_ENFORCE_EXP", "false")], expired, message_event(TEXT), |_| reply(200, "{}")).await;
    assert_eq!(tried.forwarded.len(), 1);
    assert_eq!(try_with(&[], without("userId"), message_event(TEXT), |_| reply(204, "")).await.forwarded[0].json()["userId"], Value::Null);
}

#[tokio::test]
async fn a_failing_backend_is_told_to_the_client() {
    for (status, body, code) in [
        (500, "{}", "backend_error"),
        (404, "not found", "backend_error"),
        (302, "", "backend_error"),
        (200, "<html>secret</html>", "bad_reply"),
        (200, "{\"a\":1} {\"b\":2}", "bad_reply"),
        (0, "", "backend_unreachable"),
    ] {
        let tried = try_with(&[], Some(item()), message_event(TEXT), move |_| reply(status, body)).await;
        assert_eq!((tried.code().as_str(), tried.forwarded.len()), (code, 1), "{status} {body}");
        assert!(!tried.log.contains("secret") && !tried.log.contains("ls -la"), "{}", tried.log);
        assert!(tried.log.contains(&format!("[WebSocket] Error: R1kmxc2VNjMCFIA=, Code: {code}, RequestId: R1knNHGmtjMFqVg=")));
        assert!(tried.cloud.item(ID).is_some());
    }
    let large = try_with(&[], Some(item()), message_event(TEXT), |_| reply(200, &format!("\"{}\"", "x".repeat(128 * 1024)))).await;
    assert_eq!(large.code(), "reply_too_large");
    let gone = Stub::start(|_| reply(200, "")).await.close();
    let down = try_with(&[("APP_RUNNER_URL", &gone)], Some(item()), message_event(TEXT), |_| reply(200, "{}")).await;
    assert_eq!(down.code(), "backend_unreachable");
}

#[tokio::test]
async fn a_slow_backend_is_given_up_in_time_for_the_reply() {
    let cloud = Cloud::default();
    cloud.store(ID, item());
    let aws = cloud.start().await;
    let backend = Stub::start(|_| reply(200, "{}").after(std::time::Duration::from_secs(30))).await;
    let bench = Bench::new(&aws.url(), &backend.url(), &[]);
    let started = std::time::Instant::now();
    // 1 s: 0.45 s for the backend after what is kept for the reply and the answer.
    let answer = crate::handler::handle(&message_event(TEXT).to_string(), crate::handler::testing::NOW_MS + 1000, &bench.deps).await;
    assert!(started.elapsed() < std::time::Duration::from_millis(700), "{:?}", started.elapsed());
    assert_eq!(answer["statusCode"], 200);
    assert!(aws.requests().last().unwrap().body.contains("backend_timeout"));
    assert_eq!(backend.requests().len(), 1);
}

#[tokio::test]
async fn the_table_is_asked_for_every_message_unless_configured() {
    for (seconds, reads) in [("0", 2), ("60", 1)] {
        let scene = Scene::start(&[("WSFIX_SESSION_CACHE_SECONDS", seconds)], |_| reply(204, "")).await;
        scene.bench.handle(&message_event(TEXT)).await;
        scene.bench.handle(&message_event(TEXT)).await;
        assert_eq!((scene.aws.requests().len(), scene.backend.requests().len()), (reads, 2));
    }
}

#[tokio::test]
async fn a_remembered_session_outlives_its_item_by_its_seconds_and_no_longer() {
    let scene = Scene::start(&[("WSFIX_SESSION_CACHE_SECONDS", "60")], |_| reply(204, "")).await;
    scene.bench.handle(&message_event(TEXT)).await;
    scene.cloud.forget(ID);
    scene.bench.pass(59_999);
    scene.bench.handle(&message_event(TEXT)).await;
    assert_eq!((scene.backend.requests().len(), scene.sent_to(ID).len()), (2, 0));
    scene.bench.pass(1);
    scene.bench.handle(&message_event(TEXT)).await;
    assert_eq!(scene.backend.requests().len(), 2);
    assert!(scene.sent_to(ID)[0].contains("unknown_connection"));
    // A refusal is not remembered.
    scene.cloud.store(ID, item());
    scene.bench.handle(&message_event(TEXT)).await;
    assert_eq!(scene.backend.requests().len(), 3);
}

#[tokio::test]
async fn a_remembered_session_ends_with_its_token_its_time_and_its_connection() {
    let remembering = [("WSFIX_SESSION_CACHE_SECONDS", "900")];
    for (passed, code) in [(300_000, "auth_expired"), (899_000, "auth_expired")] {
        let scene = Scene::start(&remembering, |_| reply(204, "")).await;
        scene.bench.handle(&message_event(TEXT)).await;
        scene.bench.pass(passed);
        scene.bench.handle(&message_event(TEXT)).await;
        assert!(scene.sent_to(ID)[0].contains(code), "{:?}", scene.sent_to(ID));
        assert_eq!(scene.table_calls(), ["GetItem"]);
    }
    let scene = Scene::start(&remembering, |_| reply(204, "")).await;
    scene.bench.handle(&message_event(TEXT)).await;
    scene.bench.handle(&crate::handler::testing::disconnect_event()).await;
    scene.bench.handle(&message_event(TEXT)).await;
    assert!(scene.sent_to(ID)[0].contains("unknown_connection"));
    let gone = Scene::start(&remembering, |_| reply(200, "{}")).await;
    gone.cloud.refuse("@connections", reply(410, ""));
    gone.bench.handle(&message_event(TEXT)).await;
    gone.bench.handle(&message_event(TEXT)).await;
    assert_eq!(
        (gone.backend.requests().len(), &gone.table_calls()[..3]),
        (1, &["GetItem".into(), "DeleteItem".into(), "GetItem".into()][..])
    );
}

#[tokio::test]
async fn a_failing_table_forwards_nothing() {
    let aws = Stub::start(|seen| if seen.operation() == "GetItem" { reply(500, "{}") } else { reply(200, "") }).await;
    let backend = Stub::start(|_| reply(200, "{}")).await;
    let bench = Bench::new(&aws.url(), &backend.url(), &[]);
    bench.handle(&message_event(TEXT)).await;
    assert!(aws.requests().last().unwrap().body.contains("internal_error"));
    assert_eq!((aws.requests().len(), backend.requests().len()), (4, 0));
}

/// A JSON value as some client may write it, spaces and all.
fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        Just(r#""\ud800\u0000""#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|values| format!("[ {} ]", values.join(" ,"))),
            proptest::collection::vec(("[a-z_I]{0,3}|sessionId", inner), 0..4).prop_map(|members| format!(
                "{{{}}}",
                members.iter().map(|(name, value)| member(name, value)).collect::<Vec<_>>().join(", ")
            )),
        ]
    })
}

proptest! {
    /// Everything else that a client wrote goes to the backend byte for byte and in its order.
    #[test]
    fn values_stay_as_they_were_written(members in proptest::collection::vec(("[a-z\"é_]{0,5}", any_value()), 0..6)) {
        let written = members.iter().map(|(name, value)| member(name, value)).collect::<Vec<_>>();
        let text = format!(" {{ {} }} ", written.join(" , "));
        let body = addressed(&Members::read(&text).unwrap(), ID, &Connection::for_tests("s1"));
        let ours = format!(r#""connectionId":"{ID}","sessionId":"s1","userId":null}}"#);
        let comma = if written.is_empty() { "" } else { "," };
        prop_assert_eq!(body, format!("{{{}{comma}{ours}", written.join(",")));
    }

    /// Whatever the client says, a reader that goes by the last name, the first or either case finds our three values.
    #[test]
    fn names_of_ours_stand_once(members in proptest::collection::vec(("[a-zA-Z_ſK]{0,6}|(?i:connectionid|sessionid|userid|resumedfrom)", "[a-z]{0,5}"), 0..8)) {
        let text = format!("{{{}}}", members.iter().map(|(name, value)| member(name, &Value::from(value.as_str()).to_string())).collect::<Vec<_>>().join(","));
        let connection = Connection::for_tests("s1");
        let body = addressed(&Members::read(&text).unwrap(), ID, &connection);
        let names = Members::read(&body).unwrap().0.into_iter().map(|(name, _)| name.to_lowercase()).collect::<Vec<_>>();
        for name in ["connectionid", "sessionid", "userid"] {
            prop_assert_eq!(names.iter().filter(|found| *found == name).count(), 1);
        }
        prop_assert!(!names.contains(&"resumedfrom".to_owned()));
        prop_assert_eq!(&serde_json::from_str::<Value>(&body).unwrap()["sessionId"], "s1");
    }
}
