use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};

use super::{Events, closed, next, served};
use crate::local::support::Lab;
use crate::local::{Options, faults};

fn lab() -> Lab {
    Lab::start(Options::default())
}

fn hours_in_seconds(speed: f64) -> Lab {
    Lab::start(Options { speed, ..Options::default() })
}

#[tokio::test]
async fn a_message_becomes_an_event_and_the_answer_is_thrown_away() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &(events.note() + "result = {'statusCode': 200, 'body': 'unseen'}"), &["sendMessage", "$default"]).await;
    let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
    let body = r#"{"action":"sendMessage","x":"é"}"#;
    socket.send(body.into()).await.unwrap();
    let event = events.wait(1).await.remove(0);
    assert_eq!(event["body"], body);
    assert_eq!((&event["isBase64Encoded"], &event["headers"]), (&false.into(), &serde_json::Value::Null));
    let context = &event["requestContext"];
    assert_eq!((&context["routeKey"], &context["eventType"]), (&"sendMessage".into(), &"MESSAGE".into()));
    assert!(context["messageId"].is_string() && context["messageId"] != context["requestId"]);
    assert!(tokio::time::timeout(Duration::from_millis(200), socket.next()).await.is_err());
}

#[tokio::test]
async fn a_route_response_sends_the_answer() {
    let lab = lab();
    let events = Events::new();
    let body = "m = json.loads(event['body'])\nresult = m.get('answer', {'statusCode': 200, 'body': 'you said ' + m['text']})\n";
    let api = served(&lab, &(body.to_owned() + &events.note()), &["$default"]).await;
    let route = lab.api.get_routes().api_id(&api).send().await.unwrap().items.unwrap().remove(0).route_id.unwrap();
    let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
    lab.api.update_route().api_id(&api).route_id(&route).route_response_selection_expression("$default").send().await.unwrap();
    socket.send(r#"{"text":"too early"}"#.into()).await.unwrap();
    events.wait(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    lab.api.create_route_response().api_id(&api).route_id(&route).route_response_key("$default").send().await.unwrap();
    socket.send(r#"{"text":"hi"}"#.into()).await.unwrap();
    assert_eq!(next(&mut socket).await, "you said hi");
    for answer in ["null", r#"{"body":"no status"}"#, r#"{"statusCode":500,"body":"x"}"#] {
        socket.send(format!(r#"{{"text":"","answer":{answer}}}"#).into()).await.unwrap();
        assert_eq!(next(&mut socket).await["message"], "Internal server error", "{answer}");
    }
}

#[tokio::test]
async fn error_frames_say_what_went_wrong_and_the_socket_stays_open() {
    let lab = lab();
    let body = "if event['body'] == 'slow': time.sleep(2)\nif event['body'] == 'crash': os._exit(1)";
    let api = served(&lab, body, &["$connect", "known"]).await;
    // `$connect` has no body.
    lab.lambda
        .update_function_code()
        .function_name("f")
        .zip_file(aws_sdk_lambda::primitives::Blob::new(crate::local::services::lambda::fixture::zip(&[(
            "bootstrap",
            0o755,
            crate::local::support::bootstrap(
                "",
                "m = json.loads(event.get('body', '{}'))\nif m.get('do') == 'slow': time.sleep(2)\nif m.get('do') == 'crash': os._exit(1)",
            )
            .as_bytes(),
        )])))
        .send()
        .await
        .unwrap();
    let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
    socket.send(r#"{"action":"unknown"}"#.into()).await.unwrap();
    let frame = next(&mut socket).await;
    assert_eq!(frame["message"], "Forbidden");
    assert!(frame["connectionId"].is_string() && frame["requestId"].is_string());
    socket.send(r#"{"action":"known","do":"crash"}"#.into()).await.unwrap();
    assert_eq!(next(&mut socket).await["message"], "Internal server error");
    let integration = lab.api.get_integrations().api_id(&api).send().await.unwrap().items.unwrap().remove(0).integration_id.unwrap();
    lab.api.update_integration().api_id(&api).integration_id(integration).timeout_in_millis(300).send().await.unwrap();
    socket.send(r#"{"action":"known","do":"slow"}"#.into()).await.unwrap();
    assert_eq!(next(&mut socket).await["message"], "Endpoint request timed out");
    lab.lambda.remove_permission().function_name("f").statement_id(&api).send().await.unwrap();
    socket.send(r#"{"action":"known"}"#.into()).await.unwrap();
    assert_eq!(next(&mut socket).await["message"], "Internal server error");
}

#[tokio::test]
async fn messages_of_one_connection_may_overtake_each_other() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &("time.sleep(json.loads(event['body'])['s'])\n".to_owned() + &events.note()), &["$default"]).await;
    let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
    socket.send(r#"{"s":0.6}"#.into()).await.unwrap();
    socket.send(r#"{"s":0}"#.into()).await.unwrap();
    let bodies: Vec<_> = events.wait(2).await.iter().map(|event| event["body"].clone()).collect();
    assert_eq!(bodies, [r#"{"s":0}"#, r#"{"s":0.6}"#]);
}

#[tokio::test]
async fn what_is_too_big_closes_with_1009() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$default", "$disconnect"]).await;
    let url = lab.url(&api, "prod");
    let mut socket = lab.connect(&url).await.unwrap();
    socket.send("x".repeat(32 * 1024).into()).await.unwrap();
    assert_eq!(events.wait(1).await[0]["body"].as_str().unwrap().len(), 32 * 1024);
    socket.send("x".repeat(32 * 1024 + 1).into()).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1009);
    assert_eq!(events.wait(2).await[1]["requestContext"]["disconnectStatusCode"], 1009);

    let fragment = |first: bool, last: bool, size: usize| {
        let code = if first { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(vec![b'x'; size], OpCode::Data(code), last))
    };
    let mut socket = lab.connect(&url).await.unwrap();
    for number in 0..4 {
        socket.send(fragment(number == 0, number == 3, 32 * 1024)).await.unwrap();
    }
    assert_eq!(events.wait(3).await[2]["body"].as_str().unwrap().len(), 128 * 1024);
    for number in 0..4 {
        socket.send(fragment(number == 0, false, 32 * 1024)).await.unwrap();
    }
    socket.send(fragment(false, true, 1)).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1009);
}

#[tokio::test]
async fn a_client_that_goes_on_sending_still_learns_why_it_was_closed() {
    let lab = lab();
    let api = served(&lab, "", &["$default"]).await;
    let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
    socket.send("x".repeat(8 << 20).into()).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1009);
}

#[tokio::test]
async fn binary_and_broken_frames_close_too() {
    let lab = lab();
    let api = served(&lab, "", &["$default"]).await;
    let url = lab.url(&api, "prod");
    let mut socket = lab.connect(&url).await.unwrap();
    let started = Instant::now();
    socket.send(Message::Binary(vec![1, 2, 3].into())).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1003);
    while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    assert!(started.elapsed() < Duration::from_secs(1), "the end does not wait for a time limit");
    for (frame, code) in [
        (Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true), 1007),
        (Frame::message(vec![b'x'], OpCode::Data(Data::Continue), true), 1002),
        (Frame::message(vec![b'x'], OpCode::Data(Data::Reserved(3)), true), 1002),
    ] {
        let mut socket = lab.connect(&url).await.unwrap();
        socket.send(Message::Frame(frame)).await.unwrap();
        assert_eq!(closed(&mut socket).await.0, code);
    }
}

#[tokio::test]
async fn pings_are_answered_and_are_no_activity() {
    // 10 minutes pass in 0.6 seconds.
    let lab = hours_in_seconds(1000.0);
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$default", "$disconnect"]).await;
    let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
    socket.send(Message::Ping(vec![7].into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong(vec![7].into()));
    let started = Instant::now();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        socket.send(Message::Ping(vec![].into())).await.unwrap();
    }
    assert_eq!(closed(&mut socket).await, (1001, "Going away".to_owned()));
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    let context = events.wait(1).await.remove(0)["requestContext"].clone();
    assert_eq!((&context["eventType"], &context["disconnectStatusCode"]), (&"DISCONNECT".into(), &1001.into()));
}

#[tokio::test]
async fn two_hours_end_even_a_busy_connection() {
    // Two hours pass in 1.2 seconds, ten minutes in 0.1.
    let lab = hours_in_seconds(6000.0);
    let api = lab.bare_api("busy").await;
    let create = lab.api.create_integration().api_id(&api).integration_type(aws_sdk_apigatewayv2::types::IntegrationType::Mock);
    let integration = create.send().await.unwrap().integration_id.unwrap();
    let target = format!("integrations/{integration}");
    lab.api.create_route().api_id(&api).route_key("$default").target(target).send().await.unwrap();
    lab.api.create_stage().api_id(&api).stage_name("prod").auto_deploy(true).send().await.unwrap();
    // On a machine that is busy with other things a connection may fall silent for 0.1 seconds.
    let mut lived = Vec::new();
    while lived.len() < 10 {
        let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
        let started = Instant::now();
        let close = loop {
            let _ = socket.send("{}".into()).await;
            if let Ok(Some(Ok(Message::Close(frame)))) = tokio::time::timeout(Duration::from_millis(10), socket.next()).await {
                break frame.unwrap();
            }
        };
        assert_eq!(u16::from(close.code), 1001);
        lived.push(started.elapsed().as_millis());
        if (1150..10_000).contains(&started.elapsed().as_millis()) {
            return;
        }
    }
    panic!("{lived:?}");
}

#[tokio::test]
async fn the_end_is_told_with_code_and_reason() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$disconnect"]).await;
    let url = lab.url(&api, "prod");
    let mut expected = Vec::new();
    for (frame, code, reason) in [
        (Some(CloseFrame { code: 1000.into(), reason: "bye".into() }), 1000, "bye"),
        (Some(CloseFrame { code: 4001.into(), reason: "".into() }), 4001, ""),
        (None, 1005, "Client-side close frame status not set"),
    ] {
        let mut socket = lab.connect(&url).await.unwrap();
        socket.close(frame).await.unwrap();
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
        expected.push((code, reason));
        let all = events.wait(expected.len()).await;
        let context = &all.last().unwrap()["requestContext"];
        assert_eq!((&context["disconnectStatusCode"], &context["disconnectReason"]), (&code.into(), &reason.into()));
    }
    drop(lab.connect(&url).await.unwrap());
    let event = events.wait(4).await.remove(3);
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1006);
    let host = format!("{api}.execute-api.us-east-1.amazonaws.com");
    let headers = serde_json::json!({"Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""});
    assert_eq!(event["headers"], headers);
}

#[tokio::test]
async fn the_end_may_be_lost_on_request() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$disconnect"]).await;
    lab.cloud.faults().plan(faults::Fault {
        operation: "$disconnect".to_owned(),
        nth: 1,
        times: 1,
        moment: faults::Moment::Before,
        kind: faults::Kind::Reset,
    });
    for _ in 0..2 {
        let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
        socket.close(None).await.unwrap();
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    }
    events.wait(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(events.all().len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_during_connect_is_told_off_as_lost() {
    use tokio::io::AsyncWriteExt;
    let lab = lab();
    let events = Events::new();
    let body = format!("{}if event['requestContext']['eventType'] == 'CONNECT': time.sleep(0.3)", events.note());
    let api = served(&lab, &body, &["$connect", "$disconnect"]).await;
    let host = format!("127.0.0.1:{}", lab.cloud.port());
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let request = format!(
        "GET /_aws/execute-api/{api}/prod HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    events.wait(1).await;
    drop(stream);
    let event = events.wait(2).await.remove(1);
    assert_eq!(
        (&event["requestContext"]["eventType"], &event["requestContext"]["disconnectStatusCode"]),
        (&"DISCONNECT".into(), &1006.into())
    );
}
