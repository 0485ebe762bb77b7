//! Line 14, after the upgrade: frames, limits of size and time, and the end.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use wsfix::local::Options;
use wsfix::local::faults::{Fault, Kind, Moment};

use super::wire::{Lab, Socket, closed, hear, say};

/// The frame's bytes are those of AWS: one space after `"message":` and after each comma, none elsewhere.
#[track_caller]
fn laid_out(frame: &str, message: &str) {
    let rest = frame.strip_prefix(&format!(r#"{{"message": "{message}", "connectionId":""#)).unwrap_or_else(|| panic!("{frame}"));
    let (connection, request) = rest.split_once(r#"", "requestId":""#).unwrap_or_else(|| panic!("{frame}"));
    assert!(connection.len() == 16 && request.len() == 18 && request.ends_with(r#"="}"#), "{frame}");
}

#[tokio::test]
async fn line_14_error_frames_are_laid_out_as_on_aws_and_the_socket_stays() {
    let lab = Lab::new();
    let act = "m = json.loads(event['body'])\nif m.get('slow'): time.sleep(1.5)\nif m.get('crash'): os._exit(1)";
    let api = lab.served(act, &["known"]).await;
    let mut socket = lab.open(&api).await;
    say(&mut socket, r#"{"action":"nobody"}"#).await;
    laid_out(&hear(&mut socket).await, "Forbidden");
    say(&mut socket, "no json").await;
    laid_out(&hear(&mut socket).await, "Forbidden");
    say(&mut socket, r#"{"action":"known","crash":true}"#).await;
    laid_out(&hear(&mut socket).await, "Internal server error");
    let found = lab.api("GET", &format!("/apis/{api}/integrations"), Value::Null).await.ok();
    let id = found["items"][0]["integrationId"].as_str().expect("an id").to_owned();
    lab.api("PATCH", &format!("/apis/{api}/integrations/{id}"), json!({"timeoutInMillis": 300})).await.ok();
    say(&mut socket, r#"{"action":"known","slow":true}"#).await;
    laid_out(&hear(&mut socket).await, "Endpoint request timed out");
    lab.lambda("PUT", "/f/concurrency", json!({"ReservedConcurrentExecutions": 0})).await.ok();
    say(&mut socket, r#"{"action":"known"}"#).await;
    laid_out(&hear(&mut socket).await, "Too Many Requests");
}

/// 29 seconds of an integration are five on a clock that runs fast: work needs real time, and no less.
#[tokio::test]
async fn line_14_an_integration_takes_29_seconds_at_most() {
    let lab = Lab::with(Options { speed: 100.0, ..Options::default() });
    let api = lab.served("time.sleep(20)", &["$default"]).await;
    let mut socket = lab.open(&api).await;
    let began = Instant::now();
    say(&mut socket, "{}").await;
    laid_out(&hear(&mut socket).await, "Endpoint request timed out");
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn line_14_what_the_function_returns_is_sent_with_a_route_response_alone() {
    let lab = Lab::new();
    let api = lab.served("m = json.loads(event['body'])\nresult = m['answer']", &["$default"]).await;
    let mut socket = lab.open(&api).await;
    say(&mut socket, r#"{"answer":{"statusCode":500,"body":"unseen"}}"#).await;
    lab.wait_events(1).await;
    assert!(tokio::time::timeout(Duration::from_millis(300), socket.next()).await.is_err());
    let routes = lab.api("GET", &format!("/apis/{api}/routes"), Value::Null).await.ok();
    let route = format!("/apis/{api}/routes/{}", routes["items"][0]["routeId"].as_str().expect("an id"));
    lab.api("PATCH", &route, json!({"routeResponseSelectionExpression": "$default"})).await.ok();
    lab.api("POST", &format!("{route}/routeresponses"), json!({"routeResponseKey": "$default"})).await.ok();
    say(&mut socket, r#"{"answer":{"statusCode":200,"body":"seen"}}"#).await;
    assert_eq!(hear(&mut socket).await, "seen");
    for answer in [r#"{"answer":{"statusCode":500,"body":"x"}}"#, r#"{"answer":null}"#] {
        say(&mut socket, answer).await;
        laid_out(&hear(&mut socket).await, "Internal server error");
    }
}

#[tokio::test]
async fn line_14_frames_have_32_kb_and_messages_128() {
    let lab = Lab::new();
    let api = lab.served("", &["$default"]).await;
    let part = |first: bool, last: bool, size: usize| {
        let code = if first { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(vec![b'x'; size], OpCode::Data(code), last))
    };
    let mut socket = lab.open(&api).await;
    say(&mut socket, "x".repeat(32 * 1024)).await;
    assert_eq!(lab.wait_events(1).await[0]["body"].as_str().map(str::len), Some(32 * 1024));
    for number in 0..4 {
        socket.send(part(number == 0, number == 3, 32 * 1024)).await.expect("a part");
    }
    assert_eq!(lab.wait_events(2).await[1]["body"].as_str().map(str::len), Some(128 * 1024));
    say(&mut socket, "x".repeat(32 * 1024 + 1)).await;
    assert_eq!(closed(&mut socket).await.0, 1009, "a frame");
    let mut socket = lab.open(&api).await;
    for number in 0..5 {
        let size = if number == 4 { 1 } else { 32 * 1024 };
        socket.send(part(number == 0, number == 4, size)).await.expect("a part");
    }
    assert_eq!(closed(&mut socket).await.0, 1009, "a message");
    let mut socket = lab.open(&api).await;
    socket.send(Message::Binary(vec![1].into())).await.expect("bytes");
    assert_eq!(closed(&mut socket).await.0, 1003);
}

/// How long a socket lives that sends something so often, and how it is closed; no ping comes meanwhile.
async fn life(mut socket: Socket, every: Option<Duration>) -> (Duration, u16) {
    let began = Instant::now();
    loop {
        let pause = every.unwrap_or(Duration::from_secs(10));
        match tokio::time::timeout(pause, socket.next()).await {
            Ok(Some(Ok(Message::Close(Some(frame))))) => return (began.elapsed(), frame.code.into()),
            Ok(other) => panic!("{other:?}"),
            Err(_) => drop(socket.send(Message::text("{}")).await),
        }
    }
}

#[tokio::test]
async fn line_14_ten_idle_minutes_end_a_connection_and_no_ping_keeps_it() {
    // Ten minutes pass in 1.2 seconds.
    let lab = Lab::with(Options { speed: 500.0, ..Options::default() });
    let api = lab.served("", &["$default"]).await;
    let (lived, code) = life(lab.open(&api).await, None).await;
    assert_eq!(code, 1001);
    assert!(lived >= Duration::from_millis(1150), "{lived:?}");
    // Data resets the time: this one lives longer.
    let mut socket = lab.open(&api).await;
    let began = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        say(&mut socket, "{}").await;
    }
    assert_eq!(closed(&mut socket).await, (1001, "Going away".to_owned()));
    assert!(began.elapsed() >= Duration::from_millis(2900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn line_14_two_hours_end_a_busy_connection() {
    // Two hours pass in two seconds, ten minutes in 0.17.
    let lab = Lab::with(Options { speed: 3600.0, ..Options::default() });
    let api = lab.bare_api("busy").await;
    let mock = lab.api("POST", &format!("/apis/{api}/integrations"), json!({"integrationType": "MOCK"})).await.ok();
    lab.route(&api, "$default", &format!("integrations/{}", mock["integrationId"].as_str().expect("an id"))).await.ok();
    lab.stage(&api).await;
    // On a machine that is busy with other things a connection may fall silent for so long, and end of that.
    for _ in 0..10 {
        let (lived, code) = life(lab.open(&api).await, Some(Duration::from_millis(20))).await;
        assert_eq!(code, 1001);
        assert!(lived < Duration::from_secs(10), "{lived:?}");
        if lived >= Duration::from_millis(1900) {
            return;
        }
    }
    panic!("no connection was busy for two hours");
}

#[tokio::test]
async fn line_14_the_end_may_be_lost() {
    let lab = Lab::new();
    let api = lab.served("", &["$disconnect"]).await;
    let lost = Fault { operation: "$disconnect".to_owned(), nth: 1, times: 1, moment: Moment::Before, kind: Kind::Reset };
    lab.cloud.faults().plan(lost);
    for code in [4001_u16, 4002] {
        let mut socket = lab.open(&api).await;
        let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: code.into(), reason: "bye".into() };
        socket.close(Some(frame)).await.expect("a close");
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    }
    let events = lab.wait_events(1).await;
    assert_eq!(events[0]["requestContext"]["disconnectStatusCode"], 4002);
    assert_eq!(events[0]["requestContext"]["disconnectReason"], "bye");
}
