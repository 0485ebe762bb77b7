//! The runs that things go wrong in: one that makes everything, two that change all that can be changed, one that takes it away.

use aws_sdk_apigatewayv2::types::{AuthorizationType, IntegrationType, RouteSettings};
use aws_sdk_dynamodb::types::{DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, TimeToLiveSpecification};
use wsfix::config::AccessLogs;
use wsfix::local::Options;
use wsfix::local::account::Account;
use wsfix::local::calls::CallRecord;
use wsfix::provision::Error;

use crate::support::aws::Aws;
use crate::support::{GOOD_ROLE, Sandbox, WEAK_ROLE, block_on};

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    /// Nothing is there.
    Fresh,
    /// Nearly every field was edited by hand.
    Edited,
    /// The function gets another role, so that replies travel another way, and requests are logged no more.
    Settings,
    /// All of it goes.
    Teardown,
}

/// The user and the weak role, in an account that logs what stages do.
const ACCOUNT: &str = "extends: default\napi_gateway_log_role: apigateway-logs\n";
const FUNCTION: &str = "websocket-handler";
const TABLE: &str = "WebSocketConnections";
const GROUP: &str = "/aws/lambda/websocket-handler";

impl Scene {
    pub(super) const ALL: [Self; 4] = [Self::Fresh, Self::Edited, Self::Settings, Self::Teardown];

    /// As the tables say it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "provision",
            Self::Edited => "repair",
            Self::Settings => "change",
            Self::Teardown => "teardown",
        }
    }

    /// The account just before the run.
    pub(super) fn set(self) -> Sandbox {
        let mut sandbox = empty();
        if self != Self::Fresh {
            let made = sandbox.provision().outputs;
            match self {
                Self::Edited => block_on(edit(&sandbox.aws(), &made.api_id)),
                Self::Settings => {
                    sandbox.config.existing_role = Some(GOOD_ROLE.to_owned());
                    sandbox.config.access_logs = AccessLogs::Off;
                }
                Self::Fresh | Self::Teardown => {}
            }
        }
        sandbox.cloud.calls().clear();
        sandbox.cloud.faults().clear();
        sandbox
    }

    /// The run itself; answers with what it told.
    pub(super) fn run(self, sandbox: &Sandbox) -> Result<Vec<String>, Error> {
        let notes = match self {
            Self::Teardown => sandbox.try_teardown()?.notes,
            Self::Fresh | Self::Edited | Self::Settings => sandbox.try_provision()?.plan.notes,
        };
        Ok([notes, sandbox.heard.notes()].concat())
    }

    /// As a person starts it.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        if self == Self::Teardown { &["teardown", "--yes"] } else { &["provision"] }
    }

    /// Every call of the run when nothing goes wrong.
    pub(super) fn calls(self) -> Vec<CallRecord> {
        let sandbox = self.set();
        self.run(&sandbox).unwrap_or_else(|error| panic!("{}: {error:#?}", self.name()));
        let mut calls = sandbox.cloud.calls().all();
        calls.sort_by_key(|call| call.started);
        calls
    }
}

/// An account with nothing in it, and a config. Time passes so fast that a table's expiry may change at once.
pub(super) fn empty() -> Sandbox {
    let account = Account::parse(ACCOUNT, "test").expect("an account");
    let mut sandbox = Sandbox::with(Options { account, speed: 1e8, ..Options::default() });
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    sandbox.config.api.routes.truncate(1);
    sandbox.config.connection.pace.pause = std::time::Duration::from_millis(2);
    sandbox
}

async fn edit(aws: &Aws, api: &str) {
    table(aws).await;
    function(aws, api).await;
    parts(aws, api).await;
}

async fn table(aws: &Aws) {
    let arn = format!("arn:aws:dynamodb:us-east-1:111122223333:table/{TABLE}");
    let off = TimeToLiveSpecification::builder().attribute_name("expiresAt").enabled(false).build().expect("an expiry");
    aws.dynamodb.update_time_to_live().table_name(TABLE).time_to_live_specification(off).send().await.expect("no expiry");
    let delete = DeleteGlobalSecondaryIndexAction::builder().index_name("SessionIdIndex").build().expect("an index");
    let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
    aws.dynamodb.update_table().table_name(TABLE).global_secondary_index_updates(update).send().await.expect("no index");
    aws.dynamodb.delete_resource_policy().resource_arn(&arn).send().await.expect("no policy");
    aws.dynamodb.untag_resource().resource_arn(&arn).tag_keys("team").send().await.expect("no tag");
    aws.logs.put_retention_policy().log_group_name(GROUP).retention_in_days(1).send().await.expect("another retention");
    let group = format!("arn:aws:logs:us-east-1:111122223333:log-group:{GROUP}");
    aws.logs.untag_resource().resource_arn(group).tag_keys("team").send().await.expect("no tag");
}

async fn function(aws: &Aws, api: &str) {
    let arn = format!("arn:aws:lambda:us-east-1:111122223333:function:{FUNCTION}");
    aws.lambda.update_function_configuration().function_name(FUNCTION).memory_size(128).send().await.expect("less memory");
    let zip = aws_sdk_lambda::primitives::Blob::new(crate::support::console::zip(b"other").await);
    aws.lambda.update_function_code().function_name(FUNCTION).zip_file(zip).send().await.expect("other code");
    aws.lambda.untag_resource().resource(arn).tag_keys("team").send().await.expect("no tag");
    let call = aws.lambda.remove_permission().function_name(FUNCTION).statement_id(format!("wsfix-{api}"));
    call.send().await.expect("no statement");
    for sid in [format!("wsfix-{api}"), "wsfix-gone".to_owned()] {
        let call = aws.lambda.add_permission().function_name(FUNCTION).statement_id(sid).action("lambda:InvokeFunction");
        call.principal("apigateway.amazonaws.com").send().await.expect("a wider statement");
    }
}

async fn parts(aws: &Aws, api: &str) {
    let arn = format!("arn:aws:apigateway:us-east-1::/apis/{api}");
    aws.api.untag_resource().resource_arn(arn).tag_keys("team").send().await.expect("no tag");
    aws.api.update_api().api_id(api).route_selection_expression("$request.body.type").send().await.expect("an expression");
    let integrations = aws.api.get_integrations().api_id(api).send().await.expect("integrations");
    let integration = integrations.items()[0].integration_id().expect("an id");
    aws.api.update_integration().api_id(api).integration_id(integration).timeout_in_millis(5000).send().await.expect("a timeout");
    let call = aws.api.create_integration().api_id(api).integration_type(IntegrationType::AwsProxy).integration_method("POST");
    let call = call.integration_uri(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111122223333:function:other/invocations",
    );
    call.description("managed-by=wsfix;stack=terminal").send().await.expect("a spare integration");
    let routes = aws.api.get_routes().api_id(api).send().await.expect("routes");
    for route in routes.items() {
        let id = route.route_id().expect("an id");
        match route.route_key() {
            Some("$connect") => {
                let call = aws.api.update_route().api_id(api).route_id(id).authorization_type(AuthorizationType::AwsIam);
                call.send().await.expect("an authorization");
            }
            Some("$default") => {
                let found = aws.api.get_route_responses().api_id(api).route_id(id).send().await.expect("responses");
                let response = found.items()[0].route_response_id().expect("an id");
                aws.api.delete_route_response().api_id(api).route_id(id).route_response_id(response).send().await.expect("none");
            }
            Some("resize") => drop(aws.api.delete_route().api_id(api).route_id(id).send().await.expect("no route")),
            _ => {}
        }
    }
    let target = format!("integrations/{integration}");
    aws.api.create_route().api_id(api).route_key("byHand").target(target).send().await.expect("a route");
    let settings = RouteSettings::builder().throttling_rate_limit(1.0).throttling_burst_limit(1).build();
    let call = aws.api.update_stage().api_id(api).stage_name("prod").auto_deploy(false).route_settings("resize", settings);
    call.send().await.expect("other settings");
}
