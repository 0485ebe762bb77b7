use serde_json::json;

use super::*;
use crate::handler::testing::{Bench, Cloud, ID, NOW, Stub, handshake, reply, token, with_header};

fn good_token() -> String {
    token(&json!({ "sub": "user-1", "sessionId": "s1", "exp": NOW + 300 }))
}

struct Tried {
    answer: Value,
    item: Option<Value>,
    log: String,
    aws_calls: usize,
    backend_calls: usize,
}

async fn try_with(changes: &[(&str, &str)], event: &Value) -> Tried {
    let cloud = Cloud::default();
    let (aws, backend) = (cloud.start().await, Stub::start(|_| reply(200, "{}")).await);
    let bench = Bench::new(&aws.url(), &backend.url(), changes);
    let answer = bench.handle(event).await;
    let log = bench.log();
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");
    Tried { answer, item: cloud.item(ID), log, aws_calls: aws.requests().len(), backend_calls: backend.requests().len() }
}

/// A refusal: its status, and that it cost nothing.
async fn refused(changes: &[(&str, &str)], event: &Value) -> Value {
    let tried = try_with(changes, event).await;
    assert_eq!((tried.aws_calls, tried.backend_calls), (0, 0), "{}", tried.log);
    assert!(tried.log.contains("[WebSocket] Refused: R1kmxc2VNjMCFIA=, Status: "), "{}", tried.log);
    tried.answer["statusCode"].clone()
}

#[tokio::test]
async fn a_good_handshake_is_stored_and_logged() {
    let tried = try_with(&[], &handshake(&[("token", &good_token()), ("sessionId", "s1")])).await;
    assert_eq!(tried.answer, json!({ "statusCode": 200 }));
    assert_eq!(
        tried.item,
        Some(json!({
            "connectionId": { "S": ID },
            "sessionId": { "S": "s1" },
            "userId": { "S": "user-1" },
            "connectedAt": { "N": "1689794896123" },
            "expiresAt": { "N": "1700007800" },
            "authUntil": { "N": "1700000330" },
            "sourceIp": { "S": "203.0.113.9" },
        }))
    );
    assert_eq!(
        tried.log,
        "[WebSocket] Route: $connect, ConnectionId: R1kmxc2VNjMCFIA=\n[WebSocket] Connected: R1kmxc2VNjMCFIA=, Session: s1"
    );
    assert_eq!((tried.aws_calls, tried.backend_calls), (1, 0));
}

#[tokio::test]
async fn what_is_unknown_is_not_stored() {
    let mut event = handshake(&[("token", &token(&json!({ "exp": NOW + 300 }))), ("sessionId", "s1")]);
    event["requestContext"]["identity"] = json!(null);
    let tried = try_with(&[("WSFIX_ENFORCE_EXP", "false")], &event).await;
    let item = tried.item.unwrap();
    let names: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["connectedAt", "connectionId", "expiresAt", "sessionId"]);
}

#[tokio::test]
async fn bad_tokens_are_401() {
    let expired = token(&json!({ "exp": NOW - 30, "sessionId": "s1" }));
    let other_secret = good_token().replace(['A', 'Q'], "g");
    for bad in ["", "x", "a.b.c", &expired, &other_secret] {
        assert_eq!(refused(&[], &handshake(&[("token", bad), ("sessionId", "s1")])).await, 401, "{bad}");
    }
    assert_eq!(refused(&[], &handshake(&[("sessionId", "s1")])).await, 401);
    assert_eq!(refused(&[("WSFIX_TOKEN_FROM", "subprotocol")], &handshake(&[("token", &good_token())])).await, 401);
    let cookie = with_header(handshake(&[("sessionId", "s1")]), "Cookie", &[&format!("token={}", good_token())]);
    assert_eq!(refused(&[], &cookie).await, 401);
}

#[tokio::test]
async fn another_session_is_403() {
    assert_eq!(refused(&[], &handshake(&[("token", &good_token()), ("sessionId", "s2")])).await, 403);
    let bound = [("WSFIX_SESSION_CLAIM", "sid")];
    assert_eq!(refused(&bound, &handshake(&[("token", &good_token()), ("sessionId", "s1")])).await, 403);
}

#[tokio::test]
async fn malformed_handshakes_are_400() {
    let free = token(&json!({ "exp": NOW + 300 }));
    assert_eq!(refused(&[], &handshake(&[("token", &free)])).await, 400);
    assert_eq!(refused(&[], &handshake(&[("token", &free), ("sessionId", "")])).await, 400);
    assert_eq!(refused(&[], &handshake(&[("token", &free), ("sessionId", "a\nb")])).await, 400);
    assert_eq!(refused(&[], &handshake(&[("token", &free), ("sessionId", &"x".repeat(129))])).await, 400);
    let unprintable = token(&json!({ "exp": NOW + 300, "sessionId": "a\u{200b}" }));
    assert_eq!(refused(&[], &handshake(&[("token", &unprintable)])).await, 400);
    let mut twice = handshake(&[("token", &free), ("sessionId", "s1")]);
    twice["multiValueQueryStringParameters"]["sessionId"] = json!(["s1", "s2"]);
    assert_eq!(refused(&[], &twice).await, 400);
    twice["multiValueQueryStringParameters"]["token"] = json!([free, good_token()]);
    assert_eq!(refused(&[], &twice).await, 400);
}

#[tokio::test]
async fn the_token_alone_may_name_the_session() {
    let tried = try_with(&[], &handshake(&[("token", &good_token())])).await;
    assert_eq!(tried.item.unwrap()["sessionId"]["S"], "s1");
}

#[tokio::test]
async fn tokens_come_in_the_list_of_subprotocols_too() {
    let list = |list: &str| with_header(handshake(&[("sessionId", "s1")]), "sec-websocket-protocol", &[&list.replace('T', &good_token())]);
    let chosen = json!({ "statusCode": 200, "headers": { "Sec-WebSocket-Protocol": "wsfix.jwt" } });
    for offer in ["wsfix.jwt, T", "wsfix.jwt,T", "chat.v1, wsfix.jwt, T", "wsfix.jwt, T, chat.v1"] {
        let tried = try_with(&[], &list(offer)).await;
        assert_eq!(tried.answer, chosen, "{offer}");
        assert_eq!(tried.item.unwrap()["sessionId"]["S"], "s1");
    }
    let lines = with_header(handshake(&[("sessionId", "s1")]), "Sec-WebSocket-Protocol", &["chat.v1", "wsfix.jwt", &good_token()]);
    assert_eq!(try_with(&[], &lines).await.answer, chosen);
    assert_eq!(refused(&[], &list("wsfix.jwt")).await, 401);
    assert_eq!(refused(&[], &list("T, wsfix.jwt")).await, 401);
    assert_eq!(refused(&[("WSFIX_TOKEN_FROM", "query")], &list("wsfix.jwt, T")).await, 401);
}

#[tokio::test]
async fn an_offered_subprotocol_is_confirmed_and_never_a_token() {
    let offer = |list: &str| {
        let event = handshake(&[("token", &good_token()), ("sessionId", "s1")]);
        with_header(event, "Sec-WebSocket-Protocol", &[&list.replace('T', &good_token())])
    };
    for (list, chosen) in [("chat.v1, chat.v2", "chat.v1"), ("T, chat.v2", "chat.v2"), ("wsfix.jwt, T", "wsfix.jwt"), ("a b, ok", "ok")] {
        let answer = try_with(&[], &offer(list)).await.answer;
        assert_eq!(answer["headers"]["Sec-WebSocket-Protocol"], chosen, "{list}");
    }
    assert_eq!(try_with(&[], &offer("T")).await.answer, json!({ "statusCode": 200 }));
    let other = token(&json!({ "exp": NOW + 301, "sessionId": "s1" }));
    assert_eq!(refused(&[], &offer(&format!("wsfix.jwt, {other}"))).await, 400);
}

#[tokio::test]
async fn origins_are_compared_whole() {
    let list = [("WSFIX_ALLOWED_ORIGINS", "https://app.example, http://localhost:3000")];
    let from = |origins: &[&str]| with_header(handshake(&[("token", &good_token()), ("sessionId", "s1")]), "Origin", origins);
    assert_eq!(try_with(&list, &from(&["https://app.example"])).await.answer["statusCode"], 200);
    assert_eq!(try_with(&[], &from(&["https://evil.example"])).await.answer["statusCode"], 200);
    for bad in [
        &["https://app.example.evil.example"][..],
        &["https://evil.example/https://app.example"],
        &["http://app.example"],
        &["https://app.example:8443"],
        &["https://app.example/"],
        &["https://APP.example"],
        &["null"],
        &[""],
        &["https://app.example, https://evil.example"],
        &["https://app.example", "https://evil.example"],
    ] {
        assert_eq!(refused(&list, &from(bad)).await, 403, "{bad:?}");
    }
    let mut without = from(&[]);
    without["headers"]["Origin"] = json!(null);
    assert_eq!(try_with(&list, &without).await.answer["statusCode"], 200);
    assert_eq!(refused(&[("WSFIX_REQUIRE_ORIGIN", "true")], &without).await, 403);
}

#[tokio::test]
async fn a_connection_that_cannot_be_stored_is_refused() {
    let event = handshake(&[("token", &good_token()), ("sessionId", "s1")]);
    for (status, body) in [
        (400, r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: x is not authorized"}"#),
        (400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}"#),
        (500, "{}"),
        (200, "<html>"),
        (0, ""),
    ] {
        let aws = Stub::start(move |_| reply(status, body)).await;
        let bench = Bench::new(&aws.url(), "https://backend.example", &[]);
        assert_eq!(bench.handle(&event).await, json!({ "statusCode": 500 }), "{status} {body}");
        assert!(bench.log().contains("[WebSocket] Failed: the table of connections: PutItem: "), "{}", bench.log());
    }
}

#[tokio::test]
async fn an_item_that_is_there_already_is_kept_unless_it_is_our_own() {
    let event = handshake(&[("token", &good_token()), ("sessionId", "s1")]);
    // The first answer is lost after the item was stored.
    let cloud = Cloud::default();
    let (kept, calls) = (cloud.clone(), std::sync::atomic::AtomicUsize::new(0));
    let aws = Stub::start(move |seen| {
        let answer = kept.answer(seen);
        if calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 { reply(0, "") } else { answer }
    })
    .await;
    let bench = Bench::new(&aws.url(), "https://backend.example", &[]);
    assert_eq!(bench.handle(&event).await["statusCode"], 200);

    let cloud = Cloud::default();
    cloud.store(ID, json!({ "connectionId": { "S": ID }, "sessionId": { "S": "theirs" } }));
    let aws = cloud.start().await;
    let bench = Bench::new(&aws.url(), "https://backend.example", &[]);
    assert_eq!(bench.handle(&event).await["statusCode"], 500);
    assert_eq!(cloud.item(ID).unwrap()["sessionId"]["S"], "theirs");
}
