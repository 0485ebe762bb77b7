use aws_sdk_apigatewayv2::types::{ProtocolType, RouteSettings};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{Events, served};
use crate::local::Options;
use crate::local::support::{Lab, bootstrap};

fn lab() -> Lab {
    Lab::start(Options::default())
}

#[tokio::test]
async fn the_answer_of_connect_is_the_status_of_the_handshake() {
    let lab = lab();
    let answer = "q = event['queryStringParameters']['answer']\nif q == 'raise': os._exit(1)\nresult = json.loads(q)";
    let api = served(&lab, answer, &["$connect"]).await;
    for (answer, status) in [
        (r#"{"statusCode":401}"#, 401),
        (r#"{"statusCode":403,"body":"secret"}"#, 403),
        (r#"{"statusCode":501}"#, 501),
        (r#"{"statusCode":301}"#, 301),
        (r#"{"statusCode":101}"#, 502),
        ("null", 502),
        (r#"{"status":200}"#, 502),
        ("raise", 502),
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(answer.as_bytes()).collect();
        let (got, body) = lab.connect(format!("{}?answer={encoded}", lab.url(&api, "prod"))).await.unwrap_err();
        assert_eq!(got, status, "{answer}");
        assert!(!body.contains("secret"), "{body}");
    }
    for answer in [r#"{"statusCode":200}"#, r#"{"statusCode":201,"body":"x"}"#] {
        let encoded: String = url::form_urlencoded::byte_serialize(answer.as_bytes()).collect();
        lab.connect(format!("{}?answer={encoded}", lab.url(&api, "prod"))).await.unwrap();
    }
}

#[tokio::test]
async fn without_permission_it_is_500_and_the_function_knows_nothing() {
    let lab = lab();
    let events = Events::new();
    lab.function("f", "", &events.note()).send().await.unwrap();
    let api = lab.api_without_permission("f", &["$connect"]).await;
    let url = lab.url(&api, "prod");
    assert_eq!(lab.connect(&url).await.unwrap_err().0, 500);
    let permit = |id: &str, source: String| {
        let call = lab.lambda.add_permission().function_name("f").statement_id(id).action("lambda:InvokeFunction");
        call.principal("apigateway.amazonaws.com").source_arn(source).send()
    };
    let source = |rest: &str| format!("arn:aws:execute-api:us-east-1:111122223333:{rest}");
    permit("other-api", source("other/*/*")).await.unwrap();
    permit("other-stage", source(&format!("{api}/test/*"))).await.unwrap();
    permit("other-route", source(&format!("{api}/prod/$default"))).await.unwrap();
    assert_eq!(lab.connect(&url).await.unwrap_err().0, 500);
    assert!(events.all().is_empty());
    permit("this", source(&format!("{api}/prod/$connect"))).await.unwrap();
    lab.connect(&url).await.unwrap();
    assert_eq!(events.all().len(), 1);
}

#[tokio::test]
async fn what_is_not_served_is_forbidden() {
    let lab = lab();
    let api = served(&lab, "", &["$connect"]).await;
    let bare = lab.bare_api("bare").await;
    lab.api.create_stage().api_id(&bare).stage_name("prod").auto_deploy(true).send().await.unwrap();
    for url in [lab.url(&api, "test"), lab.url("nosuchapi0", "prod"), lab.url(&bare, "prod"), lab.url(&api, "prod/more")] {
        let refused = lab.connect(&url).await.unwrap_err();
        assert_eq!(refused, (403, r#"{"message":"Forbidden"}"#.to_owned()), "{url}");
    }
    lab.connect(lab.url(&api, "prod")).await.unwrap();
    lab.api.update_api().api_id(&api).disable_execute_api_endpoint(true).send().await.unwrap();
    assert_eq!(lab.connect(lab.url(&api, "prod")).await.unwrap_err().0, 403);
}

#[tokio::test]
async fn a_stage_that_is_made_first_serves_once_there_are_routes() {
    let lab = lab();
    lab.function("f", "", "").send().await.unwrap();
    let api = lab.bare_api("late").await;
    lab.api.create_stage().api_id(&api).stage_name("prod").auto_deploy(true).send().await.unwrap();
    assert_eq!(lab.connect(lab.url(&api, "prod")).await.unwrap_err().0, 403);
    lab.routes(&api, "f", &["$default"]).await;
    // Without a `$connect` route everybody may come in.
    lab.connect(lab.url(&api, "prod")).await.unwrap();
}

#[tokio::test]
async fn settings_without_limits_let_nobody_in() {
    let lab = lab();
    let api = served(&lab, "", &["$connect"]).await;
    let settings = |settings| lab.api.update_stage().api_id(&api).stage_name("prod").default_route_settings(settings).send();
    settings(RouteSettings::builder().detailed_metrics_enabled(true).build()).await.unwrap();
    let refused = lab.connect(lab.url(&api, "prod")).await.unwrap_err();
    assert_eq!(refused, (429, r#"{"message":"Too Many Requests"}"#.to_owned()));
    settings(RouteSettings::builder().throttling_burst_limit(5).throttling_rate_limit(10.0).build()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    lab.connect(lab.url(&api, "prod")).await.unwrap();
}

#[tokio::test]
async fn the_subprotocol_is_the_one_that_connect_names() {
    let lab = lab();
    let choose = "if 'Sec-WebSocket-Protocol' in event['headers']: result['headers'] = {'sec-websocket-protocol': 'wsfix.jwt'}";
    let api = served(&lab, choose, &["$connect"]).await;
    let mut request = lab.url(&api, "prod").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "wsfix.jwt, token".parse().unwrap());
    let (_, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "wsfix.jwt");
    assert!(response.headers().get("sec-websocket-extensions").is_none());
    let (_, response) = tokio_tungstenite::connect_async(lab.url(&api, "prod")).await.unwrap();
    assert!(response.headers().get("sec-websocket-protocol").is_none());
}

#[tokio::test]
async fn a_plain_request_is_told_to_upgrade() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let lab = lab();
    let api = served(&lab, "", &["$connect"]).await;
    let host = format!("127.0.0.1:{}", lab.cloud.port());
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let request = format!("GET /_aws/execute-api/{api}/prod HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[tokio::test]
async fn the_connect_event_is_as_api_gateway_shapes_it() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$connect"]).await;
    let mut request = format!("{}?a=1&a=2&token=x%2By%3D", lab.url(&api, "prod")).into_client_request().unwrap();
    request.headers_mut().insert("origin", "https://app.example".parse().unwrap());
    request.headers_mut().insert("user-agent", "test/1".parse().unwrap());
    let mut socket = lab.connect(request).await.unwrap();
    socket.close(None).await.unwrap();
    let event = &events.wait(1).await[0];
    let domain = format!("{api}.execute-api.us-east-1.amazonaws.com");
    assert_eq!(event["headers"]["Host"], domain);
    assert_eq!(event["headers"]["Origin"], "https://app.example");
    assert_eq!(event["headers"]["Sec-WebSocket-Version"], "13");
    assert_eq!(event["headers"]["X-Forwarded-Proto"], "https");
    assert!(event["headers"]["Connection"].is_null() && event["headers"]["Upgrade"].is_null());
    assert_eq!(event["queryStringParameters"], serde_json::json!({"a": "2", "token": "x+y="}));
    assert_eq!(event["multiValueQueryStringParameters"]["a"], serde_json::json!(["1", "2"]));
    let context = &event["requestContext"];
    for (name, value) in [("routeKey", "$connect"), ("eventType", "CONNECT"), ("stage", "prod"), ("messageDirection", "IN")] {
        assert_eq!(context[name], value);
    }
    assert_eq!((&context["domainName"], &context["apiId"]), (&domain.into(), &api.into()));
    assert_eq!(context["requestId"], context["extendedRequestId"]);
    assert_eq!(context["identity"], serde_json::json!({"sourceIp": "127.0.0.1", "userAgent": "test/1"}));
    assert!(context["connectedAt"].is_i64() && context["requestTimeEpoch"].is_i64());
    assert!(context["messageId"].is_null() && event["body"].is_null());
}

#[tokio::test]
async fn a_slow_connect_keeps_the_client_waiting_and_then_fails() {
    let lab = lab();
    lab.function("f", "", "time.sleep(0.5)").timeout(28).send().await.unwrap();
    let api = lab.api("f", &["$connect"]).await;
    let started = std::time::Instant::now();
    lab.connect(lab.url(&api, "prod")).await.unwrap();
    assert!(started.elapsed().as_millis() >= 500);
    let integration = lab.api.get_integrations().api_id(&api).send().await.unwrap().items.unwrap().remove(0).integration_id.unwrap();
    let change = lab.api.update_integration().api_id(&api).integration_id(integration).timeout_in_millis(100);
    change.send().await.unwrap();
    assert_eq!(lab.connect(lab.url(&api, "prod")).await.unwrap_err().0, 504);
}

#[tokio::test]
async fn a_broken_function_is_502() {
    let lab = lab();
    let zip = crate::local::services::lambda::fixture::zip(&[("bootstrap", 0o644, bootstrap("", "").as_bytes())]);
    lab.function_of("f", &zip).send().await.unwrap();
    let api = lab.api("f", &["$connect"]).await;
    let (status, body) = lab.connect(lab.url(&api, "prod")).await.unwrap_err();
    assert_eq!(status, 502);
    assert!(body.starts_with(r#"{"message": "Internal server error", "connectionId":""#), "{body}");
}

#[tokio::test]
async fn new_routes_wait_for_a_deployment_where_nobody_deploys_by_itself() {
    let lab = lab();
    let events = Events::new();
    lab.function("f", "", &events.note()).send().await.unwrap();
    let api = lab.api.create_api().name("manual").protocol_type(ProtocolType::Websocket).route_selection_expression("$request.body.action");
    let api = api.send().await.unwrap().api_id.unwrap();
    lab.routes(&api, "f", &["$default"]).await;
    let permit = lab.lambda.add_permission().function_name("f").statement_id("all").action("lambda:InvokeFunction");
    let source = format!("arn:aws:execute-api:us-east-1:111122223333:{api}/*");
    permit.principal("apigateway.amazonaws.com").source_arn(source).send().await.unwrap();
    lab.api.create_stage().api_id(&api).stage_name("prod").send().await.unwrap();
    assert_eq!(lab.connect(lab.url(&api, "prod")).await.unwrap_err().0, 403);
    lab.api.create_deployment().api_id(&api).stage_name("prod").send().await.unwrap();
    lab.routes(&api, "f", &["sendMessage"]).await;
    let mut socket = lab.connect(lab.url(&api, "prod")).await.unwrap();
    socket.send(r#"{"action":"sendMessage"}"#.into()).await.unwrap();
    assert_eq!(events.wait(1).await[0]["requestContext"]["routeKey"], "$default");
    lab.api.create_deployment().api_id(&api).stage_name("prod").send().await.unwrap();
    socket.send(r#"{"action":"sendMessage"}"#.into()).await.unwrap();
    assert_eq!(events.wait(2).await[1]["requestContext"]["routeKey"], "sendMessage");
}

#[tokio::test]
async fn iam_authorisation_wants_a_signature() {
    let lab = lab();
    let api = served(&lab, "", &["$connect"]).await;
    let route = lab.api.get_routes().api_id(&api).send().await.unwrap().items.unwrap().remove(0).route_id.unwrap();
    let change = lab.api.update_route().api_id(&api).route_id(route);
    change.authorization_type(aws_sdk_apigatewayv2::types::AuthorizationType::AwsIam).send().await.unwrap();
    let refused = lab.connect(lab.url(&api, "prod")).await.unwrap_err();
    assert_eq!(refused, (403, r#"{"message":"Missing Authentication Token"}"#.to_owned()));
}
