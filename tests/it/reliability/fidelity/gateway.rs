//! Lines 1 to 8: the control plane of API Gateway.

use std::time::Duration;

use serde_json::{Value, json};
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::local::{Delays, Options};

use super::wire::{Lab, closed, hear, say, until};

#[tokio::test]
async fn line_01_one_name_makes_two_apis_and_lists_are_paged_by_a_text() {
    let lab = Lab::new();
    let (one, two) = (lab.bare_api("same").await, lab.bare_api("same").await);
    assert_ne!(one, two);
    let first = lab.api("GET", "/apis?maxResults=1", Value::Null).await.ok();
    assert_eq!((first["items"].as_array().map(Vec::len), &first["items"][0]["apiId"]), (Some(1), &json!(one)));
    let token = first["nextToken"].as_str().expect("a token");
    let second = lab.api("GET", &format!("/apis?maxResults=1&nextToken={token}"), Value::Null).await.ok();
    assert_eq!((&second["items"][0]["apiId"], &second["nextToken"]), (&json!(two), &Value::Null));
    for wrong in ["one", "0", "501", ""] {
        lab.api("GET", &format!("/apis?maxResults={wrong}"), Value::Null).await.is(400, "BadRequestException", "maxResults");
    }
}

#[tokio::test]
async fn line_02_a_stage_before_its_routes_records_a_failure_and_deploys_later() {
    let delays = Delays { deployment: Duration::from_millis(700), ..Delays::default() };
    let lab = Lab::with(Options { delays, ..Options::default() });
    lab.function("f", "").await;
    let api = lab.bare_api("late").await;
    lab.permit("f", "all", &format!("{api}/*")).await.ok();
    lab.stage(&api).await;
    let stage = async || lab.api("GET", &format!("/apis/{api}/stages/prod"), Value::Null).await.ok();
    let message = until(async || stage().await["lastDeploymentStatusMessage"].as_str().map(str::to_owned)).await.expect("a message");
    assert_eq!(message, "Deployment attempt failed: Unable to deploy API because no routes exist in this API");
    assert_eq!(lab.handshake(&api).await, 403);
    let target = lab.integration(&api, "f").await;
    lab.route(&api, "$connect", &target).await.ok();
    // The route is there, and is not served before the deployment that it triggers.
    assert_eq!(lab.handshake(&api).await, 403);
    let id = until(async || stage().await["deploymentId"].as_str().map(str::to_owned)).await.expect("a deployment");
    assert_eq!(lab.handshake(&api).await, 101);
    assert_eq!(stage().await["lastDeploymentStatusMessage"], json!(format!("Successfully deployed stage with deployment ID '{id}'")));
    let deployment = lab.api("GET", &format!("/apis/{api}/deployments/{id}"), Value::Null).await.ok();
    assert_eq!(deployment["description"], "Automatic deployment triggered by changes to the Api configuration");
}

#[tokio::test]
async fn line_03_without_auto_deploy_a_deployment_is_a_snapshot() {
    let lab = Lab::new();
    lab.function("f", "").await;
    lab.function("g", "").await;
    let api = lab.bare_api("manual").await;
    for function in ["f", "g"] {
        lab.permit(function, "all", &format!("{api}/*")).await.ok();
    }
    let target = lab.integration(&api, "f").await;
    lab.route(&api, "old", &target).await.ok();
    lab.api("POST", &format!("/apis/{api}/stages"), json!({"stageName": "prod"})).await.ok();
    assert_eq!(lab.handshake(&api).await, 403, "nothing is deployed");
    let deploy = async |body| lab.api("POST", &format!("/apis/{api}/deployments"), body).await.ok();
    deploy(json!({"stageName": "prod"})).await;
    lab.route(&api, "new", &target).await.ok();
    let mut socket = lab.open(&api).await;
    let forbidden = async |socket: &mut _| {
        say(socket, r#"{"action":"new"}"#).await;
        hear(socket).await.starts_with(r#"{"message": "Forbidden", "connectionId":""#)
    };
    assert!(forbidden(&mut socket).await);
    // A deployment that no stage points to is not served either.
    let id = deploy(json!({})).await["deploymentId"].as_str().expect("an id").to_owned();
    assert!(forbidden(&mut socket).await);
    assert_eq!(lab.events().len(), 0);
    lab.api("PATCH", &format!("/apis/{api}/stages/prod"), json!({"deploymentId": id})).await.ok();
    say(&mut socket, r#"{"action":"new"}"#).await;
    assert_eq!(lab.wait_events(1).await[0]["requestContext"]["routeKey"], "new");
    // Integrations are frozen too: this one leads elsewhere, but not before it is deployed.
    let other =
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111122223333:function:none/invocations";
    lab.api("PATCH", &format!("/apis/{api}/{target}"), json!({"integrationUri": other})).await.ok();
    say(&mut socket, r#"{"action":"new"}"#).await;
    lab.wait_events(2).await;
    deploy(json!({"stageName": "prod"})).await;
    say(&mut socket, r#"{"action":"new"}"#).await;
    assert!(hear(&mut socket).await.starts_with(r#"{"message": "Internal server error", "#));
}

#[tokio::test]
async fn line_04_settings_without_throttle_numbers_let_nobody_in() {
    let lab = Lab::new();
    let api = lab.served("", &["$connect"]).await;
    let stage = format!("/apis/{api}/stages/prod");
    assert_eq!(lab.handshake(&api).await, 101);
    let stored = lab.api("PATCH", &stage, json!({"defaultRouteSettings": {"detailedMetricsEnabled": true}})).await.ok();
    assert_eq!(stored["defaultRouteSettings"]["throttlingBurstLimit"], 0);
    assert_eq!(stored["defaultRouteSettings"]["throttlingRateLimit"], 0.0);
    let refused = lab.connect(lab.url(&api)).await.expect_err("refused");
    assert_eq!(refused, (429, r#"{"message":"Too Many Requests"}"#.to_owned()));
    // An entry of a route replaces all defaults for that route.
    let limits = json!({"throttlingBurstLimit": 5, "throttlingRateLimit": 10});
    let body = json!({"defaultRouteSettings": limits, "routeSettings": {"$connect": {"detailedMetricsEnabled": true}}});
    lab.api("PATCH", &stage, body).await.ok();
    assert_eq!(lab.handshake(&api).await, 429);
    lab.api("DELETE", &format!("{stage}/routesettings/%24connect"), Value::Null).await.ok();
    until(async || (lab.handshake(&api).await == 101).then_some(())).await.expect("let in");
}

#[tokio::test]
async fn line_05_without_permission_nothing_reaches_the_function() {
    let lab = Lab::new();
    lab.function("f", "").await;
    let api = lab.bare_api("api").await;
    let target = lab.integration(&api, "f").await;
    for key in ["$connect", "$default"] {
        lab.route(&api, key, &target).await.ok();
    }
    lab.stage(&api).await;
    assert_eq!(lab.handshake(&api).await, 500, "no policy at all");
    for (id, source) in [("api", "other/*".to_owned()), ("stage", format!("{api}/test/*")), ("route", format!("{api}/prod/other"))] {
        lab.permit("f", id, &source).await.ok();
        assert_eq!(lab.handshake(&api).await, 500, "{source}");
    }
    lab.permit("f", "connect", &format!("{api}/prod/$connect")).await.ok();
    let mut socket = lab.open(&api).await;
    let before = lab.wait_events(1).await.len();
    say(&mut socket, "{}").await;
    assert!(hear(&mut socket).await.starts_with(r#"{"message": "Internal server error", "connectionId":""#));
    assert_eq!((before, lab.events().len()), (1, 1));
    let lines = lab.logs("FilterLogEvents", json!({"logGroupName": "/aws/lambda/f", "filterPattern": "\"START RequestId\""})).await.ok();
    assert_eq!(lines["events"].as_array().map(Vec::len), Some(1), "{lines}");
}

#[tokio::test]
async fn line_06_access_logs_need_the_accounts_role_and_a_plain_arn() {
    let body = |arn: &str| json!({"stageName": "prod", "accessLogSettings": {"destinationArn": arn, "format": "$context.requestId"}});
    let group = "arn:aws:logs:us-east-1:111122223333:log-group:g";
    let lab = Lab::new();
    let api = lab.bare_api("api").await;
    let text = "CloudWatch Logs role ARN must be set in account settings to enable logging";
    lab.api("POST", &format!("/apis/{api}/stages"), body(group)).await.is(400, "BadRequestException", text);
    let loud = json!({"stageName": "prod", "defaultRouteSettings": {"loggingLevel": "INFO"}});
    lab.api("POST", &format!("/apis/{api}/stages"), loud).await.is(400, "BadRequestException", text);
    let lab = Lab::account("access-logs");
    let api = lab.bare_api("api").await;
    lab.api("POST", &format!("/apis/{api}/stages"), body(&format!("{group}:*"))).await.is(400, "BadRequestException", "Invalid ARN");
    lab.api("POST", &format!("/apis/{api}/stages"), body(group)).await.ok();
}

#[tokio::test]
async fn line_07_what_belongs_to_http_apis_is_refused() {
    let lab = Lab::new();
    let api = lab.bare_api("api").await;
    let stage = json!({"stageName": "$default"});
    lab.api("POST", &format!("/apis/{api}/stages"), stage).await.is(400, "BadRequestException", "$default");
    let cors = json!({"name": "a", "protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action",
        "corsConfiguration": {"allowOrigins": ["*"]}});
    lab.api("POST", "/apis", cors).await.is(400, "BadRequestException", "CORS");
}

#[tokio::test]
async fn line_08_conflicts_are_409_and_too_much_is_429() {
    let lab = Lab::new();
    let api = lab.bare_api("api").await;
    let target = lab.integration(&api, "f").await;
    lab.route(&api, "$connect", &target).await.ok();
    let route = lab.route(&api, "$connect", &target).await;
    route.is(409, "ConflictException", "Route with key $connect already exists for this API");
    let referenced = "Cannot delete Integration because it is referenced by the following Routes with Ids: [";
    lab.api("DELETE", &format!("/apis/{api}/{target}"), Value::Null).await.is(409, "ConflictException", referenced);
    let plan = |status, code: &str, message: &str| {
        let kind = Kind::Error { status, code: code.to_owned(), message: message.to_owned() };
        lab.cloud.faults().plan(Fault { operation: "UpdateApi".to_owned(), nth: 1, times: 1, moment: Moment::Before, kind });
    };
    let text = "Unable to complete operation due to concurrent modification. Please try again later.";
    for (status, code, text) in [(409, "ConflictException", text), (429, "TooManyRequestsException", "Too Many Requests")] {
        lab.cloud.faults().clear();
        plan(status, code, text);
        let change = async || lab.api("PATCH", &format!("/apis/{api}"), json!({"description": "d"})).await;
        change().await.is(status, code, text);
        change().await.ok();
    }
    // Without injection too, where quotas count: 40 at once.
    let lab = Lab::with(Options { quotas: true, ..Options::default() });
    let mut last = lab.api("GET", "/apis", Value::Null).await;
    for _ in 0..200 {
        if last.status != 200 {
            break;
        }
        last = lab.api("GET", "/apis", Value::Null).await;
    }
    last.is(429, "TooManyRequestsException", "Too Many Requests");
}

#[tokio::test]
async fn line_16_a_deleted_api_closes_its_sockets() {
    let lab = Lab::new();
    let api = lab.served("", &["$default"]).await;
    let mut socket = lab.open(&api).await;
    lab.api("DELETE", &format!("/apis/{api}"), Value::Null).await.ok();
    assert_eq!(closed(&mut socket).await.0, 1001);
    assert_eq!(lab.handshake(&api).await, 403);
}
