//! Line 14, up to the upgrade: what `$connect` and the gateway make of a handshake.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::wire::{Lab, Socket, say};

#[tokio::test]
async fn line_14_a_handshake_has_the_status_of_connect() {
    let lab = Lab::new();
    let answer = "q = event['queryStringParameters']['answer']\nif q == 'crash': os._exit(1)\nresult = json.loads(q)";
    let api = lab.served(answer, &["$connect"]).await;
    let status = async |answer: &str| {
        let answer: String = percent_encoding::utf8_percent_encode(answer, percent_encoding::NON_ALPHANUMERIC).collect();
        lab.connect(format!("{}?answer={answer}", lab.url(&api))).await.map_or_else(|refused| refused.0, |_| 101)
    };
    for (answer, expected) in [
        (r#"{"statusCode":200}"#, 101),
        (r#"{"statusCode":201,"body":"x"}"#, 101),
        (r#"{"statusCode":301}"#, 301),
        (r#"{"statusCode":401}"#, 401),
        (r#"{"statusCode":403}"#, 403),
        (r#"{"statusCode":501}"#, 501),
        ("null", 502),
        (r#"{"status":200}"#, 502),
        ("crash", 502),
    ] {
        assert_eq!(status(answer).await, expected, "{answer}");
    }
}

#[tokio::test]
async fn line_14_a_handshake_waits_for_connect_and_no_longer_than_the_integration() {
    let lab = Lab::new();
    let api = lab.served("time.sleep(0.5)", &["$connect"]).await;
    let began = Instant::now();
    assert_eq!(lab.handshake(&api).await, 101);
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    let found = lab.api("GET", &format!("/apis/{api}/integrations"), Value::Null).await.ok();
    let id = found["items"][0]["integrationId"].as_str().expect("an id").to_owned();
    lab.api("PATCH", &format!("/apis/{api}/integrations/{id}"), json!({"timeoutInMillis": 29_001})).await.is(
        400,
        "BadRequestException",
        "29000",
    );
    lab.api("PATCH", &format!("/apis/{api}/integrations/{id}"), json!({"timeoutInMillis": 100})).await.ok();
    assert_eq!(lab.handshake(&api).await, 504);
}

#[tokio::test]
async fn line_14_what_is_not_served_is_forbidden() {
    let lab = Lab::new();
    let api = lab.served("", &["$connect"]).await;
    let bare = lab.bare_api("bare").await;
    lab.stage(&bare).await;
    let upgrade = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")];
    for path in [format!("{api}/test"), "nosuchapi0/prod".to_owned(), format!("{bare}/prod")] {
        let reply = lab.raw("GET", &format!("/_aws/execute-api/{path}"), &upgrade, b"").await;
        assert_eq!((reply.status, reply.body.as_str()), (403, r#"{"message":"Forbidden"}"#), "{path}");
        assert_eq!(reply.header("x-amzn-errortype"), "ForbiddenException", "{path}");
    }
    assert_eq!(lab.raw("GET", &format!("/_aws/execute-api/{api}/prod"), &[], b"").await.status, 426, "no upgrade is asked for");
    lab.api("PATCH", &format!("/apis/{api}"), json!({"disableExecuteApiEndpoint": true})).await.ok();
    assert_eq!(lab.handshake(&api).await, 403);
    lab.api("PATCH", &format!("/apis/{api}"), json!({"disableExecuteApiEndpoint": false})).await.ok();
    lab.lambda("PUT", "/f/concurrency", json!({"ReservedConcurrentExecutions": 0})).await.ok();
    assert_eq!(lab.handshake(&api).await, 429, "the function is throttled");
}

#[tokio::test]
async fn line_14_nothing_is_compressed_and_the_subprotocol_is_the_functions_choice() {
    let lab = Lab::new();
    let choose = "if 'Sec-WebSocket-Protocol' in event['headers']: result['headers'] = {'Sec-WebSocket-Protocol': 'wsfix.jwt'}";
    let api = lab.served(choose, &["$connect"]).await;
    let mut request = lab.url(&api).into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-extensions", "permessage-deflate; client_max_window_bits".parse().expect("a header"));
    request.headers_mut().insert("sec-websocket-protocol", "wsfix.jwt, token".parse().expect("a header"));
    let (_, response) = tokio_tungstenite::connect_async(request).await.expect("a socket");
    assert_eq!(response.headers()["sec-websocket-protocol"], "wsfix.jwt");
    assert!(response.headers().get("sec-websocket-extensions").is_none());
    assert_eq!(lab.wait_events(1).await[0]["headers"]["Sec-WebSocket-Extensions"], "permessage-deflate; client_max_window_bits");
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|members| members.keys().map(String::as_str).collect()).unwrap_or_default()
}

async fn end(mut socket: Socket) {
    use futures_util::StreamExt as _;
    socket.close(None).await.expect("a close");
    while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
}

#[tokio::test]
async fn line_14_events_have_the_shape_of_the_gateways() {
    let lab = Lab::new();
    let api = lab.served("", &["$connect", "$default", "$disconnect"]).await;
    let mut request = format!("{}?a=1&a=2&t=x%2By", lab.url(&api)).into_client_request().expect("a request");
    request.headers_mut().insert("user-agent", "test/1".parse().expect("a header"));
    let mut socket = lab.connect(request).await.expect("a socket");
    say(&mut socket, r#"{"x":1}"#).await;
    lab.wait_events(2).await;
    end(socket).await;
    let events = lab.wait_events(3).await;
    let [connect, message, disconnect] = events.as_slice() else { panic!("{events:#?}") };

    let everywhere =
        ["apiId", "connectedAt", "connectionId", "domainName", "eventType", "extendedRequestId", "identity", "messageDirection"];
    let context = |more: &[&'static str]| {
        let mut names: Vec<&str> =
            everywhere.into_iter().chain(["requestId", "requestTime", "requestTimeEpoch", "routeKey", "stage"]).collect();
        names.extend(more);
        names.sort_unstable();
        names
    };
    assert_eq!(
        keys(connect),
        ["headers", "isBase64Encoded", "multiValueHeaders", "multiValueQueryStringParameters", "queryStringParameters", "requestContext"]
    );
    assert_eq!(keys(&connect["requestContext"]), context(&[]));
    assert_eq!(connect["queryStringParameters"], json!({"a": "2", "t": "x+y"}));
    assert_eq!(connect["multiValueQueryStringParameters"]["a"], json!(["1", "2"]));
    assert_eq!(connect["requestContext"]["identity"], json!({"sourceIp": "127.0.0.1", "userAgent": "test/1"}));
    assert_eq!(keys(message), ["body", "isBase64Encoded", "requestContext"]);
    assert_eq!(keys(&message["requestContext"]), context(&["messageId"]));
    assert_eq!((&message["body"], &message["isBase64Encoded"]), (&json!(r#"{"x":1}"#), &json!(false)));
    assert_eq!(keys(disconnect), ["headers", "isBase64Encoded", "multiValueHeaders", "requestContext"]);
    assert_eq!(keys(&disconnect["requestContext"]), context(&["disconnectReason", "disconnectStatusCode"]));
    let host = format!("{api}.execute-api.us-east-1.amazonaws.com");
    assert_eq!(disconnect["headers"], json!({"Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}));
    assert_eq!(disconnect["multiValueHeaders"], json!({"Host": [host], "x-api-key": [""], "X-Forwarded-For": [""], "x-restapi": [""]}));
    let ended = &disconnect["requestContext"];
    assert_eq!(ended["disconnectStatusCode"], 1005);
    assert_eq!(ended["disconnectReason"], "Client-side close frame status not set");

    for (event, kind, route) in
        [(connect, "CONNECT", "$connect"), (message, "MESSAGE", "$default"), (disconnect, "DISCONNECT", "$disconnect")]
    {
        let context = &event["requestContext"];
        assert_eq!((&context["eventType"], &context["routeKey"]), (&json!(kind), &json!(route)));
        assert_eq!(context["requestId"], context["extendedRequestId"]);
        assert!(context["connectedAt"].is_i64() && context["requestTimeEpoch"].is_i64(), "{context}");
        let time = context["requestTime"].as_str().unwrap_or_default();
        assert!(time.len() == 26 && time.ends_with(" +0000") && time[11..].starts_with(':'), "{time}");
        let id = context["connectionId"].as_str().unwrap_or_default();
        assert!(id.len() == 16 && id.ends_with('='), "{id}");
    }
    assert_ne!(message["requestContext"]["messageId"], message["requestContext"]["requestId"]);
}
