//! Every managed field, edited from outside: found by `plan`, put right by `provision`.

use aws_sdk_apigatewayv2::types::{AuthorizationType, IntegrationType, RouteSettings};
use aws_sdk_dynamodb::types::{
    BillingMode, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, ProvisionedThroughput, TimeToLiveSpecification,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, Runtime};
use wsfix::local::Options;
use wsfix::provision::plan::Action;

use super::support::aws::Aws;
use super::support::{Sandbox, WEAK_ROLE, block_on, differences, elf};

const FUNCTION: &str = "websocket-handler";
const TABLE: &str = "WebSocketConnections";
const GROUP: &str = "/aws/lambda/websocket-handler";

/// One stack, edited again and again.
struct Stack {
    sandbox: Sandbox,
    aws: Aws,
    api: String,
    table_arn: String,
    function_arn: String,
    group_arn: String,
}

impl Stack {
    /// Time passes a hundred million times as fast, so that DynamoDB takes one change of the expiry after another.
    fn new(role: &str) -> Self {
        let mut sandbox = Sandbox::with(Options { speed: 1e8, ..Options::default() });
        sandbox.config.existing_role = Some(role.to_owned());
        let outputs = sandbox.provision().outputs;
        let aws = sandbox.aws();
        Self {
            aws,
            api: outputs.api_id,
            table_arn: format!("arn:aws:dynamodb:us-east-1:111122223333:table/{TABLE}"),
            function_arn: outputs.function_arn,
            group_arn: format!("arn:aws:logs:us-east-1:111122223333:log-group:{GROUP}"),
            sandbox,
        }
    }

    /// Edits, and expects exactly these differences; a provision then leaves none.
    fn drifts(&self, expected: &[&str], edit: impl AsyncFnOnce(&Self)) {
        block_on(edit(self));
        assert_eq!(differences(&self.sandbox.plan()), expected);
        self.sandbox.provision();
        assert_eq!(differences(&self.sandbox.plan()), Vec::<String>::new(), "after {expected:?}");
    }

    /// A PATCH of the function's configuration by hand.
    async fn configure(&self, change: impl FnOnce(ConfigurationEdit) -> ConfigurationEdit) {
        change(self.aws.lambda.update_function_configuration().function_name(FUNCTION)).send().await.expect("a change of the function");
    }

    async fn route(&self, key: &str) -> String {
        let routes = self.aws.api.get_routes().api_id(&self.api).send().await.expect("routes");
        let route = routes.items().iter().find(|route| route.route_key() == Some(key)).expect("the route");
        route.route_id().expect("its id").to_owned()
    }

    async fn integration(&self) -> String {
        let integrations = self.aws.api.get_integrations().api_id(&self.api).send().await.expect("integrations");
        integrations.items()[0].integration_id().expect("its id").to_owned()
    }
}

type ConfigurationEdit = aws_sdk_lambda::operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder;

#[test]
fn every_field_of_the_table() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    let ttl = async |stack: &Stack, attribute: &str, enabled| {
        let ttl = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(enabled).build().expect("a ttl");
        stack
            .aws
            .dynamodb
            .update_time_to_live()
            .table_name(TABLE)
            .time_to_live_specification(ttl)
            .send()
            .await
            .expect("a change of the ttl");
    };
    stack.drifts(&["table WebSocketConnections: ttl_attribute"], async |stack| ttl(stack, "expiresAt", false).await);
    stack.drifts(&["table WebSocketConnections: ttl_attribute"], async |stack| {
        ttl(stack, "expiresAt", false).await;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        ttl(stack, "other", true).await;
    });
    stack.drifts(&["table WebSocketConnections: billing_mode"], async |stack| {
        let capacity = ProvisionedThroughput::builder().read_capacity_units(1).write_capacity_units(1).build().expect("a throughput");
        let index = aws_sdk_dynamodb::types::UpdateGlobalSecondaryIndexAction::builder();
        let index = index.index_name("SessionIdIndex").provisioned_throughput(capacity.clone()).build().expect("an index");
        let index = GlobalSecondaryIndexUpdate::builder().update(index).build();
        let call = stack.aws.dynamodb.update_table().table_name(TABLE).billing_mode(BillingMode::Provisioned);
        call.provisioned_throughput(capacity).global_secondary_index_updates(index).send().await.expect("a change of the billing mode");
    });
    stack.drifts(&["table WebSocketConnections: SessionIdIndex"], async |stack| {
        let delete = DeleteGlobalSecondaryIndexAction::builder().index_name("SessionIdIndex").build().expect("an index");
        let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
        stack.aws.dynamodb.update_table().table_name(TABLE).global_secondary_index_updates(update).send().await.expect("no index");
    });
    stack.drifts(&["table WebSocketConnections: resource_policy"], async |stack| {
        stack.aws.dynamodb.delete_resource_policy().resource_arn(&stack.table_arn).send().await.expect("no policy");
    });
    stack.drifts(&["table WebSocketConnections: resource_policy"], async |stack| {
        let found = stack.aws.dynamodb.get_resource_policy().resource_arn(&stack.table_arn).send().await.expect("a policy");
        let wider = found.policy().expect("a policy").replace("dynamodb:GetItem", "dynamodb:Scan");
        stack.aws.dynamodb.put_resource_policy().resource_arn(&stack.table_arn).policy(wider).send().await.expect("a policy");
    });
    for key in ["team", "wsfix:stack"] {
        stack.drifts(&[&format!("table WebSocketConnections: tags.{key}")], async |stack| {
            stack.aws.dynamodb.untag_resource().resource_arn(&stack.table_arn).tag_keys(key).send().await.expect("no tag");
        });
    }
    stack.drifts(&[], async |stack| {
        let tag = aws_sdk_dynamodb::types::Tag::builder().key("cost").value("1").build().expect("a tag");
        stack.aws.dynamodb.tag_resource().resource_arn(&stack.table_arn).tags(tag).send().await.expect("a tag of others");
        stack.aws.dynamodb.update_table().table_name(TABLE).deletion_protection_enabled(true).send().await.expect("protection");
    });
    stack.drifts(&["table WebSocketConnections: created"], async |stack| {
        stack.aws.dynamodb.update_table().table_name(TABLE).deletion_protection_enabled(false).send().await.expect("no protection");
        stack.aws.dynamodb.delete_table().table_name(TABLE).send().await.expect("no table");
    });
}

#[test]
fn every_field_of_the_log_group() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    let name = format!("log group {GROUP}");
    let retention = format!("{name}: retention_days");
    stack.drifts(&[&retention], async |stack| {
        stack.aws.logs.put_retention_policy().log_group_name(GROUP).retention_in_days(1).send().await.expect("another retention");
    });
    stack.drifts(&[&retention], async |stack| {
        stack.aws.logs.delete_retention_policy().log_group_name(GROUP).send().await.expect("no retention");
    });
    // Without its tag nothing proves that the stack made it: it is taken for one that was there before.
    for (key, fields) in [("team", ["team"].as_slice()), ("wsfix:stack", &["wsfix:adopted", "wsfix:stack"])] {
        let fields: Vec<String> = fields.iter().map(|field| format!("{name}: tags.{field}")).collect();
        stack.drifts(&fields.iter().map(String::as_str).collect::<Vec<_>>(), async |stack| {
            stack.aws.logs.untag_resource().resource_arn(&stack.group_arn).tag_keys(key).send().await.expect("no tag");
        });
    }
    stack.drifts(&[&format!("{name}: created")], async |stack| {
        stack.aws.logs.delete_log_group().log_group_name(GROUP).send().await.expect("no group");
    });
}

#[test]
fn every_field_of_the_function() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    let found = |field: &str| format!("function {FUNCTION}: {field}");
    stack.drifts(&[&found("code")], async |stack| {
        let other = Blob::new(other_code().await);
        stack.aws.lambda.update_function_code().function_name(FUNCTION).zip_file(other).send().await.expect("other code");
    });
    stack.drifts(&[&found("role")], async |stack| {
        stack.configure(|call| call.role(format!("arn:aws:iam::111122223333:role/{WEAK_ROLE}"))).await;
    });
    stack.drifts(&[&found("runtime")], async |stack| stack.configure(|call| call.runtime(Runtime::Providedal2)).await);
    stack.drifts(&[&found("handler")], async |stack| stack.configure(|call| call.handler("main")).await);
    stack.drifts(&[&found("timeout_seconds")], async |stack| stack.configure(|call| call.timeout(3)).await);
    stack.drifts(&[&found("memory_mb")], async |stack| stack.configure(|call| call.memory_size(128)).await);
    stack.drifts(&[&found("description")], async |stack| stack.configure(|call| call.description("mine")).await);
    let variables = ["TABLE_NAME", "APP_RUNNER_URL", "JWT_SECRET", "WSFIX_SIGNING_KEY", "DOMAIN_NAME", "STAGE", "WSFIX_REPLY", "GREETING"];
    for variable in variables {
        stack.drifts(&[&found(&format!("environment.{variable}"))], async |stack| {
            stack.environment(|all| drop(all.insert(variable.to_owned(), "edited".to_owned()))).await;
        });
        stack.drifts(&[&found(&format!("environment.{variable}"))], async |stack| {
            stack.environment(|all| drop(all.remove(variable))).await;
        });
    }
    stack.drifts(&[&found("environment.EXTRA")], async |stack| {
        stack.environment(|all| drop(all.insert("EXTRA".to_owned(), "1".to_owned()))).await;
    });
    for key in ["team", "wsfix:stack"] {
        stack.drifts(&[&found(&format!("tags.{key}"))], async |stack| {
            stack.aws.lambda.untag_resource().resource(&stack.function_arn).tag_keys(key).send().await.expect("no tag");
        });
    }
    stack.drifts(&[&found("created"), &format!("permission {FUNCTION}: created")], async |stack| {
        stack.aws.lambda.delete_function().function_name(FUNCTION).send().await.expect("no function");
    });
}

impl Stack {
    async fn environment(&self, change: impl FnOnce(&mut std::collections::HashMap<String, String>)) {
        let found = self.aws.lambda.get_function_configuration().function_name(FUNCTION).send().await.expect("the function");
        let mut all = found.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
        change(&mut all);
        self.configure(|call| call.environment(Environment::builder().set_variables(Some(all)).build())).await;
    }
}

async fn other_code() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bootstrap");
    std::fs::write(&path, elf::executable(b"other")).expect("a handler");
    let heard = super::support::Heard::default();
    let built = wsfix::provision::bundle::build(Some(&path), wsfix::config::Architecture::X86_64, &heard).await;
    built.expect("a bundle").zip.to_vec()
}

#[test]
fn the_permission() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    let sid = format!("wsfix-{}", stack.api);
    stack.drifts(&["permission websocket-handler: created"], async |stack| {
        stack.aws.lambda.remove_permission().function_name(FUNCTION).statement_id(&sid).send().await.expect("no statement");
    });
    stack.drifts(&["permission websocket-handler: source_arn", "permission websocket-handler: source_account"], async |stack| {
        stack.aws.lambda.remove_permission().function_name(FUNCTION).statement_id(&sid).send().await.expect("no statement");
        let call = stack.aws.lambda.add_permission().function_name(FUNCTION).statement_id(&sid).action("lambda:InvokeFunction");
        call.principal("apigateway.amazonaws.com").send().await.expect("a wider statement");
    });
    stack.drifts(&["permission websocket-handler: statement wsfix-gone"], async |stack| {
        let call = stack.aws.lambda.add_permission().function_name(FUNCTION).statement_id("wsfix-gone").action("lambda:InvokeFunction");
        call.principal("apigateway.amazonaws.com")
            .source_arn("arn:aws:execute-api:us-east-1:111122223333:gone/*")
            .send()
            .await
            .expect("a stale one");
    });
    stack.drifts(&[], async |stack| {
        let call = stack.aws.lambda.add_permission().function_name(FUNCTION).statement_id("by-hand").action("lambda:InvokeFunction");
        call.principal("events.amazonaws.com").send().await.expect("a statement of others");
    });
}

#[test]
fn every_field_of_the_api_and_the_integration() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    let api = |field: &str| format!("api TerminalWebSocketAPI: {field}");
    let redeployed = "stage prod: deployment";
    stack.drifts(&[&api("name")], async |stack| {
        stack.aws.api.update_api().api_id(&stack.api).name("Renamed").send().await.expect("a name");
    });
    stack.drifts(&[&api("route_selection_expression"), redeployed], async |stack| {
        stack.aws.api.update_api().api_id(&stack.api).route_selection_expression("$request.body.type").send().await.expect("an expression");
    });
    stack.drifts(&[&api("description")], async |stack| {
        stack.aws.api.update_api().api_id(&stack.api).description("mine").send().await.expect("a description");
    });
    stack.drifts(&[&api("disable_execute_api_endpoint")], async |stack| {
        stack.aws.api.update_api().api_id(&stack.api).disable_execute_api_endpoint(true).send().await.expect("no endpoint");
    });
    for key in ["team", "wsfix:stack"] {
        stack.drifts(&[&api(&format!("tags.{key}"))], async |stack| {
            let arn = format!("arn:aws:apigateway:us-east-1::/apis/{}", stack.api);
            stack.aws.api.untag_resource().resource_arn(arn).tag_keys(key).send().await.expect("no tag");
        });
    }
    let integration = |field: &str| format!("integration shared: {field}");
    stack.drifts(&[&integration("uri"), redeployed], async |stack| {
        let id = stack.integration().await;
        let uri = stack.function_arn.replace(FUNCTION, "other");
        let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{uri}/invocations");
        stack.aws.api.update_integration().api_id(&stack.api).integration_id(id).integration_uri(uri).send().await.expect("a uri");
    });
    stack.drifts(&[&integration("type"), redeployed], async |stack| {
        let id = stack.integration().await;
        let call = stack.aws.api.update_integration().api_id(&stack.api).integration_id(id).integration_type(IntegrationType::Aws);
        call.send().await.expect("a type");
    });
    stack.drifts(&[&integration("timeout_millis"), redeployed], async |stack| {
        let id = stack.integration().await;
        stack.aws.api.update_integration().api_id(&stack.api).integration_id(id).timeout_in_millis(5000).send().await.expect("a timeout");
    });
    stack.drifts(&[&integration("description"), redeployed], async |stack| {
        let id = stack.integration().await;
        stack.aws.api.update_integration().api_id(&stack.api).integration_id(id).description("mine").send().await.expect("a description");
    });
}

#[test]
fn every_field_of_the_routes_and_their_responses() {
    let stack = Stack::new(WEAK_ROLE);
    let redeployed = "stage prod: deployment";
    for key in ["$connect", "$disconnect", "$default", "sendMessage"] {
        let route = |field: &str| format!("route {key}: {field}");
        stack.drifts(&[&route("target"), redeployed], async |stack| {
            let id = stack.route(key).await;
            let call = stack.aws.api.create_integration().api_id(&stack.api).integration_type(IntegrationType::Mock);
            let other = call.send().await.expect("an integration").integration_id().expect("its id").to_owned();
            let target = format!("integrations/{other}");
            stack.aws.api.update_route().api_id(&stack.api).route_id(id).target(target).send().await.expect("a target");
        });
    }
    stack.drifts(&["route $connect: authorization_type", redeployed], async |stack| {
        let id = stack.route("$connect").await;
        let call = stack.aws.api.update_route().api_id(&stack.api).route_id(id).authorization_type(AuthorizationType::AwsIam);
        call.send().await.expect("an authorization");
    });
    stack.drifts(&["route $connect: api_key_required", redeployed], async |stack| {
        let id = stack.route("$connect").await;
        stack.aws.api.update_route().api_id(&stack.api).route_id(id).api_key_required(true).send().await.expect("a key");
    });
    stack.drifts(&["route response $default: created", redeployed], async |stack| {
        let id = stack.route("$default").await;
        let found = stack.aws.api.get_route_responses().api_id(&stack.api).route_id(&id).send().await.expect("responses");
        let response = found.items()[0].route_response_id().expect("its id");
        stack
            .aws
            .api
            .delete_route_response()
            .api_id(&stack.api)
            .route_id(&id)
            .route_response_id(response)
            .send()
            .await
            .expect("no response");
    });
    stack.drifts(&["route sendMessage: created", "route response sendMessage: created", redeployed], async |stack| {
        let id = stack.route("sendMessage").await;
        stack.aws.api.delete_route().api_id(&stack.api).route_id(id).send().await.expect("no route");
    });
    stack.drifts(&["route byHand: deleted", redeployed], async |stack| {
        let target = format!("integrations/{}", stack.integration().await);
        stack.aws.api.create_route().api_id(&stack.api).route_key("byHand").target(target).send().await.expect("a route");
    });
}

#[test]
fn a_route_that_leaves_the_config_leaves_the_account() {
    let mut sandbox = Sandbox::new();
    let api = sandbox.provision().outputs.api_id;
    sandbox.config.api.routes = vec!["resize".to_owned()];
    assert_eq!(differences(&sandbox.plan()), ["route sendMessage: deleted", "stage prod: deployment"]);
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    let routes = block_on(sandbox.aws().api.get_routes().api_id(api).send()).expect("routes");
    let mut keys: Vec<_> = routes.items().iter().filter_map(|route| route.route_key()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["$connect", "$default", "$disconnect", "resize"]);
}

#[test]
fn every_field_of_the_stage() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    let stage = |field: &str| format!("stage prod: {field}");
    let settings = |rate: f64, burst: i32, trace: bool| {
        let settings = RouteSettings::builder().throttling_rate_limit(rate).throttling_burst_limit(burst);
        settings.data_trace_enabled(trace).build()
    };
    stack.drifts(&[&stage("auto_deploy")], async |stack| {
        stack.aws.api.update_stage().api_id(&stack.api).stage_name("prod").auto_deploy(false).send().await.expect("by hand");
    });
    stack.drifts(&[&stage("messages.rate")], async |stack| {
        let call = stack.aws.api.update_stage().api_id(&stack.api).stage_name("prod").default_route_settings(settings(1.0, 1000, false));
        call.send().await.expect("settings");
    });
    stack.drifts(&[&stage("messages.burst")], async |stack| {
        let call = stack.aws.api.update_stage().api_id(&stack.api).stage_name("prod").default_route_settings(settings(500.0, 1, false));
        call.send().await.expect("settings");
    });
    stack.drifts(&[&stage("$connect.rate")], async |stack| {
        let call = stack.aws.api.update_stage().api_id(&stack.api).stage_name("prod").route_settings("$connect", settings(1.0, 100, false));
        call.send().await.expect("settings");
    });
    let all = ["rate", "burst", "data_trace", "logging_level"].map(|field| stage(&format!("sendMessage.{field}")));
    stack.drifts(&all.each_ref().map(String::as_str), async |stack| {
        let call =
            stack.aws.api.update_stage().api_id(&stack.api).stage_name("prod").route_settings("sendMessage", settings(1.0, 1, false));
        call.send().await.expect("settings");
    });
    stack.drifts(&[&stage("created")], async |stack| {
        stack.aws.api.delete_stage().api_id(&stack.api).stage_name("prod").send().await.expect("no stage");
    });
}

#[test]
fn a_stage_that_failed_to_deploy_is_deployed() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    // A stage beside ours keeps the API alive while every route goes, and ours records a failed attempt.
    block_on(async {
        let routes = stack.aws.api.get_routes().api_id(&stack.api).send().await.expect("routes");
        for route in routes.items() {
            stack.aws.api.delete_route().api_id(&stack.api).route_id(route.route_id().expect("an id")).send().await.expect("no route");
        }
    });
    let status = stack.sandbox.status();
    let stage = status.resources.iter().find(|resource| resource.kind == "stage").expect("a stage");
    assert_eq!((stage.healthy, stage.state.as_str()), (Some(false), "FAILED"), "{stage:#?}");
    assert!(stage.detail.contains("no routes exist"), "{stage:#?}");
    stack.sandbox.provision();
    assert_eq!(differences(&stack.sandbox.plan()), Vec::<String>::new());
}

#[test]
fn a_plan_shows_no_secret() {
    let stack = Stack::new(super::support::GOOD_ROLE);
    block_on(stack.environment(|all| {
        all.insert("JWT_SECRET".to_owned(), "leaked-in-the-account".to_owned());
        all.insert("EXTRA".to_owned(), "leaked-too".to_owned());
    }));
    let plan = stack.sandbox.plan();
    let shown = format!("{plan:?}");
    for secret in ["leaked", "0123456789abcdef", "fedcba9876543210", "hello"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let changes: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| if let Action::Update(changes) = &step.action { Some(changes) } else { None })
        .flatten()
        .collect();
    assert!(changes.iter().all(|change| change.from == "(sensitive)"), "{changes:#?}");
}
