//! A half-made stack as somebody leaves it who followed instructions for the console: the names that the config has, no tags, no marks.

use aws_sdk_apigatewayv2::types::{IntegrationType, ProtocolType};
use aws_sdk_dynamodb::types::{AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};
use wsfix::config::{Architecture, Config};

use super::aws::Aws;
use super::{Heard, WEAK_ROLE, elf};

/// The account and Region of the built-in account.
const PLACE: &str = "us-east-1:111122223333";

pub(crate) fn text(name: &str) -> AttributeDefinition {
    attribute(name, ScalarAttributeType::S)
}

pub(crate) fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().expect("an attribute")
}

pub(crate) fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key")
}

/// Everything, in the order of the instructions. Answers with the API's id.
pub(crate) async fn whole(aws: &Aws, config: &Config) -> String {
    table(aws, config).await;
    function(aws, config).await;
    log_group(aws, config).await;
    let api = api(aws, config).await;
    wiring(aws, config, &api).await;
    api
}

/// The table without an index and without expiry, with one item in it.
pub(crate) async fn table(aws: &Aws, config: &Config) {
    let call = aws.dynamodb.create_table().table_name(&config.table).billing_mode(BillingMode::PayPerRequest);
    let call = call.key_schema(key("connectionId", KeyType::Hash)).attribute_definitions(text("connectionId"));
    call.send().await.expect("a table");
    let put = aws.dynamodb.put_item().table_name(&config.table).item("connectionId", AttributeValue::S("old".to_owned()));
    put.send().await.expect("an item");
}

/// The function with the console's defaults (3 s, 128 MB) and variables of a person's own.
pub(crate) async fn function(aws: &Aws, config: &Config) {
    let zip = FunctionCode::builder().zip_file(Blob::new(zip(b"by hand").await)).build();
    let environment = Environment::builder().variables("TABLE_NAME", &config.table).variables("DEBUG", "1").build();
    let call = aws.lambda.create_function().function_name(&config.function.name).code(zip).environment(environment);
    let call = call.runtime(Runtime::Providedal2023).handler("hello.handler").role(format!("arn:aws:iam::111122223333:role/{WEAK_ROLE}"));
    call.send().await.expect("a function");
}

/// The log group that Lambda makes at the first line.
pub(crate) async fn log_group(aws: &Aws, config: &Config) {
    let name = format!("/aws/lambda/{}", config.function.name);
    aws.logs.create_log_group().log_group_name(name).send().await.expect("a log group");
}

/// An API of the wanted name, with nothing in it.
pub(crate) async fn api(aws: &Aws, config: &Config) -> String {
    let call = aws.api.create_api().name(&config.api.name).protocol_type(ProtocolType::Websocket);
    let made = call.route_selection_expression("$request.body.type").description("terminal, by hand").send().await.expect("an api");
    made.api_id().expect("its id").to_owned()
}

/// What the console's assistant puts into an API: an integration a route, the function's permissions, a stage and its deployment; and one
/// route to another function.
pub(crate) async fn wiring(aws: &Aws, config: &Config, api: &str) {
    let function = &config.function.name;
    for (route, target) in [("$connect", function.as_str()), ("$disconnect", function), ("$default", function), ("legacy", "old-handler")] {
        let uri =
            format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:{PLACE}:function:{target}/invocations");
        let call = aws.api.create_integration().api_id(api).integration_type(IntegrationType::AwsProxy).integration_method("POST");
        let made = call.integration_uri(uri).send().await.expect("an integration");
        let target = format!("integrations/{}", made.integration_id().expect("its id"));
        aws.api.create_route().api_id(api).route_key(route).target(target).send().await.expect("a route");
        if route != "legacy" {
            let sid = format!("by-console-{}", route.trim_start_matches('$'));
            let call = aws.lambda.add_permission().function_name(function).statement_id(sid).action("lambda:InvokeFunction");
            let call = call.principal("apigateway.amazonaws.com").source_arn(format!("arn:aws:execute-api:{PLACE}:{api}/*/{route}"));
            call.send().await.expect("a statement");
        }
    }
    aws.api.create_stage().api_id(api).stage_name(&config.api.stage).send().await.expect("a stage");
    aws.api.create_deployment().api_id(api).stage_name(&config.api.stage).send().await.expect("a deployment");
}

pub(crate) async fn zip(mark: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bootstrap");
    std::fs::write(&path, elf::executable(mark)).expect("a handler");
    let built = wsfix::provision::bundle::build(Some(&path), Architecture::X86_64, &Heard::default()).await;
    built.expect("a bundle").zip.to_vec()
}
