//! Events and neighbours that do what they should not: the client is told, in time, and the next event is served.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::testing::{ID, NOW, Reply, Scene, Step, Stub, connect_event, disconnect_event, item, message_event, reply, steps, token};

/// Enough for a call, and short enough to wait for the end of.
const LIMIT_MS: u64 = 900;
const PAUSE: Duration = Duration::from_millis(10);

fn say(text: impl AsRef<[u8]>) -> Step {
    Step::Say(text.as_ref().to_vec())
}

fn hang() -> Step {
    Step::Wait(Duration::from_secs(60))
}

/// An answer 200 with this body.
fn ok(body: impl AsRef<[u8]>) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.as_ref().len());
    steps([say(head), say(body)])
}

/// Answers that end a call to any neighbour without a result.
fn broken() -> Vec<(&'static str, Reply)> {
    let endless = |head: &str| steps([say(head), Step::Forever(vec![b'x'; 16 * 1024], Duration::ZERO)]);
    vec![
        ("closes", steps([])),
        ("resets", steps([Step::Reset])),
        ("says nothing", steps([hang()])),
        ("is another protocol", steps([say("SSH-2.0-OpenSSH_9.6\r\n"), hang()])),
        ("begins with NUL", steps([say([0; 64])])),
        ("closes in the status line", steps([say("HTTP/1.1 20")])),
        ("closes in the headers", steps([say("HTTP/1.1 200 OK\r\ncontent-le")])),
        ("stops in the headers", steps([say("HTTP/1.1 200 OK\r\ncontent-le"), hang()])),
        ("drips headers", steps([say("HTTP/1.1 200 OK\r\n"), Step::Forever(b"a: b\r\n".to_vec(), PAUSE)])),
        ("has endless headers", endless("HTTP/1.1 200 OK\r\na: ")),
        ("has a status of letters", steps([say("HTTP/1.1 abc OK\r\n\r\n")])),
        ("closes in the body", steps([say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}")])),
        ("resets in the body", steps([say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"), Step::Wait(PAUSE), Step::Reset])),
        ("stops in the body", steps([say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"), hang()])),
        ("drips the body", steps([say("HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n"), Step::Forever(b" ".to_vec(), PAUSE)])),
        ("has two lengths", steps([say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}")])),
        ("has a negative length", steps([say("HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}")])),
        ("has a chunk of no size", steps([say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n")])),
        ("has a chunk too far", steps([say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n")])),
        ("closes between chunks", steps([say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n")])),
        ("is endless", endless("HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n")),
        ("is endless without a length", endless("HTTP/1.0 200 OK\r\n\r\n")),
        ("hints early and no more", steps([say("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), hang()])),
        ("hints forever", steps([Step::Forever(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec(), PAUSE)])),
        ("is no text", ok(b"\xff\xfe{\0}\0")),
        ("is no JSON", ok("<html>secret</html>")),
        ("is half of a JSON", ok("{\"a\":")),
        ("is compressed", ok(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0")),
        ("is too large", ok("x".repeat(128 * 1024 + 1))),
    ]
}

/// Tries all cases, a few at the same time: most of them wait for the end of their event.
async fn each<T, F: Future<Output = ()>>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) -> F) {
    futures_util::stream::iter(cases).for_each_concurrent(12, check).await;
}

/// Whether an answer came in time and is one that API Gateway takes.
async fn answer(scene: &Scene, event: &Value, what: &str) -> Value {
    let started = Instant::now();
    let answer = scene.bench.handle_within(event, LIMIT_MS).await;
    assert!(started.elapsed() < Duration::from_millis(LIMIT_MS), "{what}: {:?}", started.elapsed());
    assert!(answer["statusCode"].is_u64(), "{what}: {answer}");
    answer
}

/// The codes of the errors that the client got.
fn codes(scene: &Scene) -> Vec<String> {
    let read = |text: &String| serde_json::from_str::<Value>(text).unwrap();
    let error = |message: Value| {
        assert_eq!((&message["type"], &message["requestId"]), (&json!("error"), &json!("R1knNHGmtjMFqVg=")), "{message}");
        message["code"].as_str().unwrap().to_owned()
    };
    scene.sent_to(ID).iter().map(read).filter(|message| message["type"] == "error").map(error).collect()
}

/// The same message once more, when the neighbour is well again.
async fn next_is_served(scene: &Scene, what: &str) {
    scene.cloud.heal();
    answer(scene, &message_event(r#"{"type":"well"}"#), what).await;
    assert_eq!(scene.sent_to(ID).last().map(String::as_str), Some("\"well\""), "{what}: {}", scene.bench.log());
}

/// A backend that does something else with everything but messages of type `well`.
async fn with_backend(changes: &[(&str, &str)], behaviour: Reply) -> Scene {
    Scene::start(changes, move |seen| if seen.body.contains("\"well\"") { reply(200, "\"well\"") } else { behaviour.clone() }).await
}

#[tokio::test]
async fn a_backend_that_breaks_is_told_to_the_client() {
    each(broken(), |(what, behaviour)| async move {
        let scene = with_backend(&[], behaviour).await;
        answer(&scene, &message_event("{}"), what).await;
        let codes = codes(&scene);
        assert!(
            matches!(&codes[..], [code] if code.starts_with("backend_") || matches!(code.as_str(), "bad_reply" | "reply_too_large")),
            "{what}: {codes:?}"
        );
        assert_eq!(scene.backend.requests().len(), 1, "{what}: a message is sent once");
        next_is_served(&scene, what).await;
    })
    .await;
}

#[tokio::test]
async fn odd_answers_of_a_backend_are_understood_or_refused() {
    let deep = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
    let cases = [
        (
            "103 first",
            steps([say("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")]),
            "{}",
        ),
        ("100 first", steps([say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")]), "{}"),
        ("HTTP/1.0", steps([say("HTTP/1.0 200 OK\r\n\r\n{}")]), "{}"),
        ("more than its length", steps([say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}{\"injected\":1}")]), "{}"),
        ("chunks", steps([say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n")]), "{}"),
        ("deep", ok(&deep), &deep),
        ("the largest", ok(format!("\"{}\"", "x".repeat(128 * 1024 - 2))), &format!("\"{}\"", "x".repeat(128 * 1024 - 2))),
        ("101", steps([say("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{}")]), "backend_error"),
        ("a byte order mark", ok("\u{feff}{}"), "bad_reply"),
        ("a lone surrogate", ok("\"\\ud800\""), "\"\\ud800\""),
        ("an own push type", ok(r#"{"type":"wsfix.push","messages":"#), "bad_reply"),
        ("a deep push", ok(format!(r#"{{"type":"wsfix.push","messages":[{{"data":{deep}}}]}}"#)), &deep),
    ];
    each(cases, |(what, behaviour, expected)| async move {
        let scene = with_backend(&[], behaviour).await;
        answer(&scene, &message_event("{}"), what).await;
        let [sent] = &scene.sent_to(ID)[..] else { panic!("{what}: one message") };
        assert!(sent == expected || codes(&scene) == [expected], "{what}: {}", &sent[..sent.len().min(200)]);
        next_is_served(&scene, what).await;
    })
    .await;
}

#[tokio::test]
async fn redirects_lead_nowhere() {
    let elsewhere = Stub::start(|_| reply(200, "{}")).await;
    for status in [301, 302, 303, 307, 308] {
        let scene = with_backend(&[], reply(status, "").with("location", &elsewhere.url())).await;
        answer(&scene, &message_event("{}"), "a redirect").await;
        assert_eq!((codes(&scene), scene.backend.requests().len()), (vec!["backend_error".to_owned()], 1));
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn tls_that_fails_is_told_to_the_client() {
    let alert = say(b"\x15\x03\x03\0\x02\x02\x28");
    for (what, behaviour) in
        [("an alert", steps([alert])), ("plain text", steps([say("HTTP/1.1 400 Bad Request\r\n\r\n")])), ("silence", steps([hang()]))]
    {
        // The greeting has no line end where the stub looks for one, so it is answered by the connection's end or not at all.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let behaviour = behaviour.clone();
                tokio::spawn(async move { super::testing::perform(&mut stream, behaviour).await });
            }
        });
        let scene = Scene::start(&[("APP_RUNNER_URL", &url)], |_| reply(200, "{}")).await;
        answer(&scene, &message_event("{}"), what).await;
        let expected = if what == "silence" { "backend_timeout" } else { "backend_unreachable" };
        assert_eq!(codes(&scene), [expected], "{what}");
        server.abort();
    }
}

/// How DynamoDB fails: as any server may, and in its own words.
fn broken_table() -> Vec<(&'static str, Reply)> {
    let error = |code: &str| json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no" }).to_string();
    let mut all = broken();
    all.extend([
        ("is throttled", reply(400, &error("ProvisionedThroughputExceededException"))),
        ("throttles requests", reply(400, &error("ThrottlingException"))),
        ("fails", reply(500, &error("InternalServerError"))),
        ("is unavailable", reply(503, "")),
        ("is not there", reply(400, &error("ResourceNotFoundException"))),
        ("denies", reply(400, &error("AccessDeniedException"))),
        ("knows no such token", reply(400, &error("UnrecognizedClientException"))),
        ("redirects", reply(307, "").with("location", "http://127.0.0.1:1/")),
        ("is deep", reply(200, &"[".repeat(60_000))),
        ("is null", reply(200, "null")),
        ("is a number", reply(200, "-1")),
        ("is a list", reply(200, "[{}]")),
    ]);
    all
}

/// Items that no handshake of ours has stored, or answers of another shape.
fn strange_items() -> Vec<(&'static str, Value)> {
    let changed = |name: &str, value: Value| {
        let mut stored = item();
        stored[name] = value;
        json!({ "Item": stored })
    };
    vec![
        ("no item", json!({})),
        ("a list", json!({ "Item": [] })),
        ("a text", json!({ "Item": "x" })),
        ("names without values", json!({ "Item": { "connectionId": {}, "sessionId": {}, "expiresAt": {} } })),
        ("a session of line breaks", changed("sessionId", json!({ "S": "s1\r\nX-Injected: 1" }))),
        ("a session that is too long", changed("sessionId", json!({ "S": "x".repeat(129) }))),
        ("an item of another connection", changed("connectionId", json!({ "S": "other=" }))),
        ("an expiry far ahead", changed("expiresAt", json!({ "N": i64::MAX.to_string() }))),
        ("an expiry before all time", changed("expiresAt", json!({ "N": i64::MIN.to_string() }))),
        ("a list of users", changed("userId", json!({ "SS": ["a"] }))),
    ]
}

#[tokio::test]
async fn a_table_that_breaks_forwards_nothing_and_is_told() {
    each(broken_table(), |(what, behaviour)| async move {
        let scene = with_backend(&[], reply(200, "{}")).await;
        scene.cloud.refuse("GetItem", behaviour);
        answer(&scene, &message_event("{}"), what).await;
        assert_eq!((codes(&scene), scene.backend.requests().len()), (vec!["internal_error".to_owned()], 0), "{what}");
        next_is_served(&scene, what).await;
    })
    .await;
}

#[tokio::test]
async fn an_index_that_breaks_keeps_nothing_from_the_sender() {
    let list = r#"{"type":"wsfix.push","messages":[{"to":"session","data":1},{"data":2}]}"#;
    each(broken_table(), |(what, behaviour)| async move {
        let scene = with_backend(&[], reply(200, list)).await;
        scene.cloud.refuse("Query", behaviour);
        answer(&scene, &message_event("{}"), what).await;
        assert_eq!(scene.sent_to(ID), ["1", "2"], "{what}");
        assert!(scene.bench.log().contains("Failed: the connections of the session: Query: "), "{what}: {}", scene.bench.log());
        next_is_served(&scene, what).await;
    })
    .await;
}

#[tokio::test]
async fn a_table_that_cannot_note_the_end_keeps_no_reply_back() {
    each(broken_table(), |(what, behaviour)| async move {
        let scene = with_backend(&[], reply(200, "{}")).await;
        let mut stored = item();
        stored["connectedAt"] = json!({ "N": (NOW - 7000).to_string() + "000" });
        scene.cloud.store(ID, stored);
        scene.cloud.refuse("UpdateItem", behaviour);
        let mut event = message_event("{}");
        event["requestContext"]["requestTimeEpoch"] = json!(NOW * 1000);
        answer(&scene, &event, what).await;
        assert_eq!(scene.sent_to(ID), ["{}"], "{what}");
        assert!(scene.bench.log().contains("Failed: the notice to connect anew: UpdateItem: "), "{what}: {}", scene.bench.log());
    })
    .await;
}

#[tokio::test]
async fn items_that_are_not_ours_forward_nothing() {
    each(strange_items(), |(what, stored)| async move {
        let scene = with_backend(&[], reply(200, "{}")).await;
        scene.cloud.refuse("GetItem", reply(200, &stored.to_string()));
        answer(&scene, &message_event("{}"), what).await;
        assert_eq!((codes(&scene), scene.backend.requests().len()), (vec!["unknown_connection".to_owned()], 0), "{what}");
        next_is_served(&scene, what).await;
    })
    .await;
}

#[tokio::test]
async fn strange_values_beside_the_session_do_no_harm() {
    for (name, value) in [
        ("connectedAt", json!({ "N": "-1" })),
        ("connectedAt", json!({ "N": "1e400" })),
        ("connectedAt", json!({ "N": u64::MAX.to_string() })),
        ("parts", json!({ "S": "yes" })),
        ("resumedFrom", json!({ "N": "1" })),
        ("reconnectToldAt", json!([])),
    ] {
        let scene = with_backend(&[], reply(200, "{}")).await;
        let mut stored = item();
        stored[name] = value;
        scene.cloud.store(ID, stored);
        answer(&scene, &message_event("{}"), name).await;
        assert_eq!(scene.sent_to(ID), ["{}"], "{name}");
    }
}

#[tokio::test]
async fn a_handshake_whose_connection_cannot_be_stored_is_refused() {
    let mut event = connect_event();
    event["multiValueQueryStringParameters"] = json!({ "token": [token(&json!({ "exp": NOW + 300 }))], "sessionId": ["s1"] });
    let event = &event;
    each(broken_table(), |(what, behaviour)| async move {
        let scene = with_backend(&[], reply(200, "{}")).await;
        scene.cloud.forget(ID);
        scene.cloud.refuse("PutItem", behaviour);
        assert_eq!(answer(&scene, event, what).await, json!({ "statusCode": 500 }), "{what}");
        scene.cloud.heal();
        assert_eq!(answer(&scene, event, what).await, json!({ "statusCode": 200 }), "{what}");
    })
    .await;
}

#[tokio::test]
async fn a_disconnect_ends_in_time_whatever_the_table_does() {
    each(broken_table(), |(what, behaviour)| async move {
        let scene = with_backend(&[], reply(204, "")).await;
        scene.cloud.refuse("DeleteItem", behaviour);
        // A table that hangs has several seconds, so that here nothing is left for the backend.
        assert_eq!(answer(&scene, &disconnect_event(), what).await, json!({ "statusCode": 200 }), "{what}");
        next_is_served(&scene, what).await;
    })
    .await;
}

#[tokio::test]
async fn a_disconnect_is_told_to_the_backend_though_the_table_fails() {
    let scene = with_backend(&[], reply(204, "")).await;
    scene.cloud.refuse("DeleteItem", reply(500, "{}"));
    scene.bench.handle(&disconnect_event()).await;
    let [seen] = &scene.backend.requests()[..] else { panic!("one request") };
    assert_eq!((&seen.json()["connectionId"], &seen.json()["sessionId"]), (&json!(ID), &Value::Null));
}

#[tokio::test]
async fn replies_that_cannot_be_sent_are_logged_and_end_in_time() {
    let mut refusals = broken();
    // What an answer with success says is not looked at.
    refusals.retain(|(what, _)| !what.starts_with("is no ") && !["is half of a JSON", "is compressed"].contains(what));
    for status in [400, 403, 404, 410, 413, 429, 500, 502, 503, 504] {
        refusals.push(("refuses", reply(status, r#"{"message":"Forbidden"}"#)));
    }
    each(refusals, |(what, behaviour)| async move {
        let scene = with_backend(&[], reply(200, "{}")).await;
        scene.cloud.refuse("@connections", behaviour);
        assert_eq!(answer(&scene, &message_event("{}"), what).await, json!({ "statusCode": 200 }), "{what}");
        let log = scene.bench.log();
        assert!(log.contains("[WebSocket] Failed: the reply: ") || log.contains("Code: reply_too_large"), "{what}: {log}");
        scene.cloud.store(ID, item());
        next_is_served(&scene, what).await;
    })
    .await;
}

#[tokio::test]
async fn bodies_of_any_kind_get_an_answer() {
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(128 * 1024 - 11));
    let scene = with_backend(&[], reply(200, "{}")).await;
    let nested = |inner: &str| format!("{{\"a\":{}{inner}{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for (body, encoded, code) in [
        (Value::Null, false, Some("bad_message")),
        (json!(1), false, Some("bad_message")),
        (json!({ "type": "x" }), false, Some("bad_message")),
        (json!(["{}"]), false, Some("bad_message")),
        (json!(""), true, Some("bad_message")),
        (json!("e30"), true, Some("bad_message")),
        (json!("/w=="), true, Some("bad_message")),
        (json!("e30="), true, None),
        (json!("{}\u{0}"), false, Some("bad_message")),
        (json!("{\"a\":\u{1}}"), false, Some("bad_message")),
        (json!("{\"a\":1,}"), false, Some("bad_message")),
        (json!("{'a':1}"), false, Some("bad_message")),
        (json!("{\"a\":NaN}"), false, Some("bad_message")),
        (json!("{\"\":\"\"}"), false, None),
        (json!(nested("1")), false, None),
        (json!(nested("")), false, Some("bad_message")),
        (json!("{".repeat(100_000)), false, Some("bad_message")),
        (json!(format!("{{\"a\":{}", "[".repeat(100_000))), false, Some("bad_message")),
        (json!(large), false, None),
        (json!(format!("{{{}\"z\":1}}", "\"k\":0,".repeat(20_000))), false, None),
        (json!("{\"type\":\"\\u0000\\r\\n[WebSocket] Connected: forged\"}"), false, None),
    ] {
        let before = (scene.sent_to(ID).len(), scene.backend.requests().len());
        let mut event = message_event("");
        event["body"] = body;
        event["isBase64Encoded"] = json!(encoded);
        let shown: String = event["body"].to_string().chars().take(60).collect();
        answer(&scene, &event, &shown).await;
        let sent = scene.sent_to(ID).split_off(before.0);
        assert_eq!(sent.len(), 1, "{shown}");
        assert_eq!(codes(&scene).last().filter(|_| sent[0] != "{}").map(String::as_str), code, "{shown}");
        assert_eq!(scene.backend.requests().len() - before.1, usize::from(code.is_none()), "{shown}");
    }
    assert!(scene.bench.log().lines().all(|line| line.starts_with("[WebSocket] ")), "{}", scene.bench.log());
    next_is_served(&scene, "all of them").await;
}

#[tokio::test]
async fn nothing_in_a_message_adds_to_the_requests_about_it() {
    let mut hostile = item();
    hostile["userId"] = json!({ "S": "u\r\nX-Session-Id: victim\r\n\r\nPOST /evil" });
    hostile["sessionId"] = json!({ "S": "é s/../%0d%0a" });
    hostile["connectionId"] = json!({ "S": "a\r\nX-Connection-Id: b" });
    let scene = with_backend(&[], reply(200, "{}")).await;
    scene.cloud.store("a\r\nX-Connection-Id: b", hostile);
    let mut event = message_event(r#"{"headers":{"X-Session-Id":"victim"},"type":"x\r\ny"}"#);
    event["requestContext"]["connectionId"] = json!("a\r\nX-Connection-Id: b");
    event["requestContext"]["requestId"] = json!("r\r\nX-Request-Id: q");
    event["headers"] = json!({ "X-Session-Id": "victim", "X-Wsfix-Signature": "forged", "Host": "evil.example" });
    event["requestContext"]["domainName"] = json!("evil.example");
    event["requestContext"]["stage"] = json!("../evil");
    answer(&scene, &event, "header injection").await;
    let [seen] = &scene.backend.requests()[..] else { panic!("one request") };
    assert_eq!(seen.header("x-connection-id"), "a%0D%0AX-Connection-Id:%20b");
    assert_eq!((seen.header("x-session-id"), seen.header("x-request-id")), ("%C3%A9%20s/../%250d%250a", "r%0D%0AX-Request-Id:%20q"));
    assert_eq!((seen.path.as_str(), seen.header("x-wsfix-signature")), ("/base/api/ws/message", ""));
    assert_eq!(seen.json()["sessionId"], "é s/../%0d%0a");
    let paths: Vec<String> = scene.aws.requests().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/", "/prod/@connections/a%0D%0AX%2DConnection%2DId%3A%20b"].map(|path| path.replace("%2D", "-")));
    assert!(scene.bench.log().lines().all(|line| line.starts_with("[WebSocket] ")), "{}", scene.bench.log());
}

#[tokio::test]
async fn parameters_that_stand_twice_refuse_the_handshake() {
    let good = token(&json!({ "exp": NOW + 300 }));
    for (parameters, status) in [
        (json!({ "token": [good], "sessionId": ["s1", "s1"] }), 400),
        (json!({ "token": [good], "sessionId": ["s1", "victim"] }), 400),
        (json!({ "token": [good, good], "sessionId": ["s1"] }), 400),
        (json!({ "token": [good], "sessionId": ["s1"], "resume": ["a=", "b="] }), 400),
        (json!({ "token": [good], "sessionId": [1, null, "s1"], "parts": ["1", "1"] }), 200),
        (json!({ "token": good, "sessionId": "s1" }), 401),
        (json!({ "TOKEN": [good], "sessionId": ["s1"] }), 401),
    ] {
        let scene = Scene::start(&[], |_| reply(204, "")).await;
        scene.cloud.forget(ID);
        let mut event = connect_event();
        event["multiValueQueryStringParameters"] = parameters.clone();
        event["queryStringParameters"] = Value::Null;
        assert_eq!(answer(&scene, &event, "a handshake").await, json!({ "statusCode": status }), "{parameters}");
        assert_eq!(scene.aws.requests().len(), usize::from(status == 200));
    }
}
