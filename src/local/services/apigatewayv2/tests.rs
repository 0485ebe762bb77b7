//! The control plane, spoken to by AWS's own SDK.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_apigatewayv2::error::ProvideErrorMetadata;
use aws_sdk_apigatewayv2::types::{AccessLogSettings, Cors, IntegrationType, ProtocolType, RouteSettings};

use crate::local::support::Lab;
use crate::local::{Delays, Options};

fn lab() -> Lab {
    Lab::start(Options::default())
}

/// Code and message of a refusal.
fn said<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> String {
    said(result).0
}

#[tokio::test]
async fn one_name_makes_two_apis_and_lists_are_paged() {
    let lab = lab();
    let (one, two) = (lab.bare_api("same").await, lab.bare_api("same").await);
    assert_ne!(one, two);
    assert_eq!(one.len(), 10);
    let page = lab.api.get_apis().max_results("1").send().await.unwrap();
    assert_eq!(page.items.unwrap()[0].api_id.as_deref(), Some(one.as_str()));
    let page = lab.api.get_apis().max_results("1").next_token(page.next_token.unwrap()).send().await.unwrap();
    assert_eq!((page.items.unwrap()[0].api_id.as_deref(), page.next_token), (Some(two.as_str()), None));
    assert_eq!(code(lab.api.get_apis().max_results("0").send().await), "BadRequestException");
    assert_eq!(code(lab.api.get_apis().next_token("no token").send().await), "BadRequestException");
    let api = lab.api.get_api().api_id(&one).send().await.unwrap();
    assert_eq!(api.api_endpoint.unwrap(), lab.url(&one, "").trim_end_matches('/'));
}

#[tokio::test]
async fn an_api_is_changed_member_by_member_and_deleted_with_its_parts() {
    let lab = lab();
    let api = lab.bare_api("a").await;
    lab.routes(&api, "f", &["$default"]).await;
    lab.api.create_stage().api_id(&api).stage_name("prod").send().await.unwrap();
    let changed = lab.api.update_api().api_id(&api).description("d").send().await.unwrap();
    assert_eq!((changed.name.as_deref(), changed.description.as_deref()), (Some("a"), Some("d")));
    lab.api.delete_api().api_id(&api).send().await.unwrap();
    let expected = ("NotFoundException".to_owned(), format!("Invalid API identifier specified 111122223333:{api}"));
    assert_eq!(said(lab.api.delete_api().api_id(&api).send().await), expected);
    assert_eq!(said(lab.api.get_routes().api_id(&api).send().await), expected);
    assert_eq!(said(lab.api.get_stage().api_id(&api).stage_name("prod").send().await), expected);
}

#[tokio::test]
async fn what_belongs_to_http_apis_is_refused() {
    let lab = lab();
    let create = || lab.api.create_api().name("a").protocol_type(ProtocolType::Websocket);
    let with = || create().route_selection_expression("$request.body.action");
    assert_eq!(code(create().send().await), "BadRequestException");
    assert_eq!(code(with().cors_configuration(Cors::builder().allow_origins("*").build()).send().await), "BadRequestException");
    assert_eq!(code(with().target("arn").send().await), "BadRequestException");
    assert_eq!(code(lab.api.create_api().name("a").protocol_type(ProtocolType::Http).send().await), "BadRequestException");
    assert_eq!(code(with().description("x".repeat(1025)).send().await), "BadRequestException");
    with().send().await.unwrap();
}

#[tokio::test]
async fn routes_have_one_key_each_and_integrations_stay_while_used() {
    let lab = lab();
    let api = lab.bare_api("a").await;
    lab.routes(&api, "f", &["$connect", "sendMessage"]).await;
    let create = |key: &str| lab.api.create_route().api_id(&api).route_key(key);
    let expected = ("ConflictException".to_owned(), "Route with key $connect already exists for this API".to_owned());
    assert_eq!(said(create("$connect").send().await), expected);
    assert_eq!(code(create("$other").send().await), "BadRequestException");
    assert_eq!(code(create("x").target("integrations/nosuch").send().await), "NotFoundException");
    let routes = lab.api.get_routes().api_id(&api).send().await.unwrap().items.unwrap();
    let rename = lab.api.update_route().api_id(&api).route_id(routes[1].route_id.as_deref().unwrap());
    assert_eq!(said(rename.clone().route_key("$connect").send().await), expected);
    assert_eq!(rename.route_key("sendMessage").operation_name("op").send().await.unwrap().operation_name.as_deref(), Some("op"));
    let integrations = lab.api.get_integrations().api_id(&api).send().await.unwrap().items.unwrap();
    let id = integrations[0].integration_id.as_deref().unwrap();
    let delete = || lab.api.delete_integration().api_id(&api).integration_id(id).send();
    let (code, text) = said(delete().await);
    assert_eq!(code, "ConflictException");
    assert!(text.starts_with("Cannot delete Integration because it is referenced by the following Routes with Ids: ["), "{text}");
    for route in routes {
        lab.api.delete_route().api_id(&api).route_id(route.route_id.unwrap()).send().await.unwrap();
    }
    delete().await.unwrap();
}

#[tokio::test]
async fn integrations_have_limits() {
    let lab = lab();
    let api = lab.bare_api("a").await;
    let create = || lab.api.create_integration().api_id(&api).integration_type(IntegrationType::AwsProxy);
    assert_eq!(code(create().send().await), "BadRequestException");
    assert_eq!(code(create().integration_uri("u").timeout_in_millis(29_001).send().await), "BadRequestException");
    let made = create().integration_uri("u").send().await.unwrap();
    assert_eq!((made.timeout_in_millis, made.connection_type.unwrap().as_str()), (Some(29_000), "INTERNET"));
    let update = lab.api.update_integration().api_id(&api).integration_id(made.integration_id.unwrap());
    assert_eq!(update.timeout_in_millis(50).send().await.unwrap().integration_uri.as_deref(), Some("u"));
}

#[tokio::test]
async fn a_stage_deploys_by_itself_with_a_delay() {
    let delays = Delays { deployment: Duration::from_millis(300), ..Delays::default() };
    let lab = Lab::start(Options { delays, ..Options::default() });
    let api = lab.bare_api("a").await;
    let stage = || async { lab.api.get_stage().api_id(&api).stage_name("prod").send().await.unwrap() };
    lab.api.create_stage().api_id(&api).stage_name("prod").auto_deploy(true).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(350)).await;
    let failed = "Deployment attempt failed: Unable to deploy API because no routes exist in this API";
    assert_eq!(stage().await.last_deployment_status_message.as_deref(), Some(failed));
    lab.routes(&api, "f", &["$connect", "$default"]).await;
    assert_eq!(stage().await.deployment_id, None);
    tokio::time::sleep(Duration::from_millis(350)).await;
    let deployed = stage().await;
    let id = deployed.deployment_id.unwrap();
    assert_eq!(deployed.last_deployment_status_message.unwrap(), format!("Successfully deployed stage with deployment ID '{id}'"));
    let deployments = lab.api.get_deployments().api_id(&api).send().await.unwrap().items.unwrap();
    assert_eq!(deployments.len(), 1);
    assert_eq!(deployments[0].auto_deployed, Some(true));
    assert_eq!(deployments[0].description.as_deref(), Some("Automatic deployment triggered by changes to the Api configuration"));
}

#[tokio::test]
async fn deployments_need_routes_and_stay_while_used() {
    let lab = lab();
    let api = lab.bare_api("a").await;
    let deploy = || lab.api.create_deployment().api_id(&api);
    let expected = ("BadRequestException".to_owned(), "At least one route is required before deploying the Api".to_owned());
    assert_eq!(said(deploy().send().await), expected);
    lab.routes(&api, "f", &["$default"]).await;
    assert_eq!(code(deploy().stage_name("nosuch").send().await), "NotFoundException");
    let one = deploy().send().await.unwrap().deployment_id.unwrap();
    let create = lab.api.create_stage().api_id(&api).stage_name("prod");
    assert_eq!(code(create.clone().deployment_id("nosuch").send().await), "NotFoundException");
    create.deployment_id(&one).send().await.unwrap();
    let delete = || lab.api.delete_deployment().api_id(&api).deployment_id(&one).send();
    assert_eq!(code(delete().await), "BadRequestException");
    deploy().stage_name("prod").send().await.unwrap();
    delete().await.unwrap();
    let update = lab.api.update_stage().api_id(&api).stage_name("prod").auto_deploy(true);
    assert_eq!(code(update.clone().deployment_id(&one).send().await), "NotFoundException");
    update.send().await.unwrap();
    assert_eq!(code(deploy().stage_name("prod").send().await), "BadRequestException");
}

#[tokio::test]
async fn stages_refuse_what_websocket_apis_do_not_have() {
    let lab = lab();
    let api = lab.bare_api("a").await;
    let create = |name: &str| lab.api.create_stage().api_id(&api).stage_name(name);
    assert_eq!(code(create("$default").send().await), "BadRequestException");
    assert_eq!(code(create("no/slash").send().await), "BadRequestException");
    let logs = AccessLogSettings::builder().destination_arn("arn:aws:logs:us-east-1:111122223333:log-group:g").format("$context.requestId");
    let expected = "CloudWatch Logs role ARN must be set in account settings to enable logging";
    assert_eq!(said(create("prod").access_log_settings(logs.build()).send().await).1, expected);
    let loud = RouteSettings::builder().logging_level(aws_sdk_apigatewayv2::types::LoggingLevel::Info).build();
    assert_eq!(said(create("prod").default_route_settings(loud).send().await).1, expected);
    create("prod").send().await.unwrap();
    assert_eq!(code(create("prod").send().await), "ConflictException");
    for number in 0..9 {
        create(&format!("s{number}")).send().await.unwrap();
    }
    assert_eq!(code(create("eleventh").send().await), "TooManyRequestsException");
}

#[tokio::test]
async fn settings_and_variables_are_merged() {
    let lab = lab();
    let api = lab.bare_api("a").await;
    let settings = RouteSettings::builder().data_trace_enabled(false).build();
    let made = lab.api.create_stage().api_id(&api).stage_name("prod").default_route_settings(settings.clone()).send().await.unwrap();
    let stored = made.default_route_settings.unwrap();
    assert_eq!((stored.throttling_burst_limit, stored.throttling_rate_limit), (Some(0), Some(0.0)));
    let update = || lab.api.update_stage().api_id(&api).stage_name("prod");
    update().stage_variables("a", "1").stage_variables("b", "2").route_settings("$connect", settings).send().await.unwrap();
    let got = update().stage_variables("a", "").send().await.unwrap();
    assert_eq!(got.stage_variables.unwrap(), HashMap::from([("b".to_owned(), "2".to_owned())]));
    assert_eq!(got.route_settings.unwrap()["$connect"].throttling_burst_limit, Some(0));
    let delete = || lab.api.delete_route_settings().api_id(&api).stage_name("prod").route_key("$connect").send();
    delete().await.unwrap();
    assert_eq!(code(delete().await), "NotFoundException");
    lab.api.delete_access_log_settings().api_id(&api).stage_name("prod").send().await.unwrap();
    lab.api.delete_stage().api_id(&api).stage_name("prod").send().await.unwrap();
    assert_eq!(code(update().send().await), "NotFoundException");
}

#[tokio::test]
async fn tags_belong_to_apis_and_stages() {
    let lab = lab();
    let api = lab.api.create_api().name("a").protocol_type(ProtocolType::Websocket).route_selection_expression("$request.body.action");
    let api = api.tags("wsfix:stack", "terminal").send().await.unwrap().api_id.unwrap();
    lab.api.create_stage().api_id(&api).stage_name("prod").tags("s", "1").send().await.unwrap();
    let arn = format!("arn:aws:apigateway:us-east-1::/apis/{api}");
    lab.api.tag_resource().resource_arn(&arn).tags("k", "v").tags("l", "w").send().await.unwrap();
    lab.api.untag_resource().resource_arn(&arn).tag_keys("l").send().await.unwrap();
    let tags = |arn: String| lab.api.get_tags().resource_arn(arn).send();
    let expected = HashMap::from([("wsfix:stack".to_owned(), "terminal".to_owned()), ("k".to_owned(), "v".to_owned())]);
    assert_eq!(tags(arn.clone()).await.unwrap().tags.unwrap(), expected);
    assert_eq!(lab.api.get_api().api_id(&api).send().await.unwrap().tags.unwrap(), expected);
    assert_eq!(tags(format!("{arn}/stages/prod")).await.unwrap().tags.unwrap()["s"], "1");
    assert_eq!(code(tags("arn:aws:apigateway:us-east-1::/apis/nosuch".to_owned()).await), "NotFoundException");
    assert_eq!(code(lab.api.tag_resource().resource_arn(&arn).tags("aws:x", "v").send().await), "BadRequestException");
}

#[tokio::test]
async fn route_responses_have_one_key() {
    let lab = lab();
    let api = lab.bare_api("a").await;
    lab.routes(&api, "f", &["$default"]).await;
    let route = lab.api.get_routes().api_id(&api).send().await.unwrap().items.unwrap().remove(0).route_id.unwrap();
    let create = |key: &str| lab.api.create_route_response().api_id(&api).route_id(&route).route_response_key(key).send();
    assert_eq!(code(create("other").await), "BadRequestException");
    let id = create("$default").await.unwrap().route_response_id.unwrap();
    assert_eq!(code(create("$default").await), "ConflictException");
    let list = lab.api.get_route_responses().api_id(&api).route_id(&route).send().await.unwrap().items.unwrap();
    assert_eq!(list[0].route_response_key.as_deref(), Some("$default"));
    lab.api.delete_route_response().api_id(&api).route_id(&route).route_response_id(&id).send().await.unwrap();
    let gone = lab.api.get_route_response().api_id(&api).route_id(&route).route_response_id(&id).send().await;
    assert_eq!(code(gone), "NotFoundException");
}
