use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{Bench, Cloud, DEADLINE_MS, ID, Stub, connect_event, disconnect_event, item, message_event, reply, token};
use super::*;

#[tokio::test]
async fn a_connection_lives_and_ends() {
    let cloud = Cloud::default();
    let aws = cloud.start().await;
    let backend = Stub::start(|seen| reply(if seen.path.ends_with("/message") { 200 } else { 204 }, "{\"type\":\"pong\"}")).await;
    let bench = Bench::new(&aws.url(), &backend.url(), &[]);
    let mut connect = connect_event();
    connect["multiValueQueryStringParameters"]["token"] =
        json!([token(&json!({ "sub": "user-1", "sessionId": "s1", "exp": testing::NOW + 300 }))]);
    assert_eq!(bench.handle(&connect).await, json!({ "statusCode": 200 }));
    assert_eq!(bench.handle(&message_event(r#"{"type":"ping"}"#)).await, json!({ "statusCode": 200 }));
    assert_eq!(bench.handle(&disconnect_event()).await, json!({ "statusCode": 200 }));
    assert_eq!(cloud.item(ID), None);
    let paths: Vec<_> = backend.requests().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(paths, ["/api/ws/message", "/api/ws/disconnect"]);
    assert_eq!(
        bench.log(),
        "[WebSocket] Route: $connect, ConnectionId: R1kmxc2VNjMCFIA=\n\
         [WebSocket] Connected: R1kmxc2VNjMCFIA=, Session: s1\n\
         [WebSocket] Route: sendMessage, ConnectionId: R1kmxc2VNjMCFIA=\n\
         [WebSocket] Message from R1kmxc2VNjMCFIA=: { type: 'ping' }\n\
         [WebSocket] Route: $disconnect, ConnectionId: R1kmxc2VNjMCFIA=\n\
         [WebSocket] Disconnected: R1kmxc2VNjMCFIA=, Session: s1, Code: 1005"
    );
}

#[tokio::test]
async fn the_backend_hears_who_left() {
    let cloud = Cloud::default();
    cloud.store(ID, item());
    let (aws, backend) = (cloud.start().await, Stub::start(|_| reply(204, "")).await);
    let key = "k".repeat(32);
    let bench = Bench::new(&aws.url(), &backend.url(), &[("WSFIX_SIGNING_KEY", &key)]);
    bench.handle(&disconnect_event()).await;
    bench.handle(&disconnect_event()).await;
    let [first, second] = &backend.requests()[..] else { panic!("two requests") };
    let reason = "Client-side close frame status not set";
    assert_eq!(first.json(), json!({ "connectionId": ID, "sessionId": "s1", "userId": "user-1", "code": 1005, "reason": reason }));
    assert_eq!((first.header("x-connection-id"), first.header("x-session-id")), (ID, "s1"));
    assert!(first.header("x-wsfix-signature").starts_with("t=1700000000,v1="));
    assert_eq!(second.json(), json!({ "connectionId": ID, "sessionId": null, "userId": null, "code": 1005, "reason": reason }));
}

#[tokio::test]
async fn a_disconnect_never_fails() {
    let gone = Stub::start(|_| reply(200, "")).await.close();
    let bench = Bench::new(&gone, &gone, &[]);
    assert_eq!(bench.handle(&disconnect_event()).await, json!({ "statusCode": 200 }));
    assert!(bench.log().contains("Failed: the table of connections") && bench.log().contains("Failed: the backend"), "{}", bench.log());
}

#[tokio::test]
async fn wrong_settings_refuse_and_say_why() {
    let bench = Bench::new("http://127.0.0.1:1", "http://backend.example", &[("JWT_SECRET", "hunter2")]);
    for (event, code) in [(connect_event(), 500), (message_event("{}"), 500), (disconnect_event(), 500)] {
        assert_eq!(bench.handle(&event).await, json!({ "statusCode": code }));
    }
    let log = bench.log();
    assert!(log.starts_with("[WebSocket] Failed: configuration: APP_RUNNER_URL is http"), "{log}");
    assert!(log.contains("JWT_SECRET is shorter than 32 bytes") && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn nothing_is_called_after_the_deadline() {
    let cloud = Cloud::default();
    cloud.store(ID, item());
    let (aws, backend) = (cloud.start().await, Stub::start(|_| reply(200, "{}")).await);
    let bench = Bench::new(&aws.url(), &backend.url(), &[]);
    for event in [message_event("{}"), disconnect_event()] {
        assert_eq!(handle(&event.to_string(), testing::NOW_MS + 100, &bench.deps).await["statusCode"], 200);
    }
    assert_eq!((aws.requests().len(), backend.requests().len()), (0, 0));
}

/// JSON of any shape, with the names that the handler looks for.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just("CONNECT"), Just("MESSAGE"), Just("DISCONNECT"), Just("$connect"), Just("abc="), Just("{}")].prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("requestContext"),
        Just("eventType"),
        Just("connectionId"),
        Just("routeKey"),
        Just("identity"),
        Just("headers"),
        Just("body"),
        Just("multiValueHeaders"),
        Just("queryStringParameters"),
        Just("multiValueQueryStringParameters"),
        Just("token"),
        Just("sessionId"),
        Just("isBase64Encoded"),
        Just("disconnectStatusCode"),
        Just("Origin"),
        Just("Sec-WebSocket-Protocol"),
        Just("sourceIp"),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..8).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// An event of one of the kinds, with anything else in it.
fn any_event() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![Just("CONNECT"), Just("MESSAGE"), Just("DISCONNECT")];
    (any_json(), any_json(), kind, any::<bool>()).prop_map(|(mut event, mut context, kind, is_event)| {
        if is_event {
            if !event.is_object() {
                event = json!({ "body": event });
            }
            if !context.is_object() {
                context = json!({ "identity": context });
            }
            context["eventType"] = json!(kind);
            context["connectionId"] = json!("abc=");
            event["requestContext"] = context;
        }
        event
    })
}

proptest! {
    #[test]
    fn any_event_gets_an_answer(event in any_event()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Nobody listens, and no time is left to find out.
        let bench = Bench::new("http://127.0.0.1:1", "http://127.0.0.1:1", &[]);
        let answer = runtime.block_on(handle(&event.to_string(), testing::NOW_MS, &bench.deps));
        prop_assert!(answer["statusCode"].is_u64());
        prop_assert!(bench.log().lines().all(|line| line.starts_with("[WebSocket] ")), "{}", bench.log());
    }
}

#[tokio::test]
async fn texts_that_are_no_json_and_bottomless_ones_get_an_answer() {
    let bench = Bench::new("http://127.0.0.1:1", "http://127.0.0.1:1", &[]);
    for text in
        ["", "{", "\u{0}", &"[".repeat(100_000), &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), r#"{"requestContext":1e999}"#]
    {
        assert_eq!(handle(text, DEADLINE_MS, &bench.deps).await, json!({ "statusCode": 400 }));
    }
}
