//! What people bring along: resources of the wanted names that are nobody's.

use aws_sdk_apigatewayv2::types::ProtocolType;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, KeyType, Projection, ProjectionType, ProvisionedThroughput, ScalarAttributeType,
};
use wsfix::local::Options;
use wsfix::local::account::Account;
use wsfix::local::calls::CallRecord;
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::provision::{Consent, Error, Status};

use super::support::console::{self, attribute, key, text};
use super::support::{Sandbox, block_on, differences};
use super::tool::Tool;

const ADOPT: Consent = Consent { adopt: true, delete_adopted: false, keep_data: false, keep_logs: false };
const DELETE: Consent = Consent { adopt: false, delete_adopted: true, keep_data: false, keep_logs: false };

/// A sandbox with a half-made stack in it, and the API's id.
fn half_made() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let api = block_on(console::whole(&sandbox.aws(), &sandbox.config));
    sandbox.cloud.calls().clear();
    sandbox.cloud.faults().clear();
    (sandbox, api)
}

/// The names of the half-made stack's own resources.
fn brought(api: &str) -> Vec<String> {
    let mut names = vec!["WebSocketConnections".to_owned(), "websocket-handler".to_owned(), api.to_owned()];
    names.push("/aws/lambda/websocket-handler".to_owned());
    names
}

/// Ids are made up anew each time.
fn without_ids(text: &str, api: &str, aws: &super::support::aws::Aws) -> String {
    let integrations = block_on(aws.api.get_integrations().api_id(api).send()).expect("integrations");
    let routes = block_on(aws.api.get_routes().api_id(api).send()).expect("routes");
    let ids = integrations.items().iter().filter_map(|one| Some((one.integration_id()?, "INTEGRATION")));
    let ids = ids.chain(routes.items().iter().filter_map(|one| Some((one.route_id()?, "ROUTE"))));
    ids.fold(text.replace(api, "API"), |text, (id, word)| text.replace(id, word))
}

fn refusals(sandbox: &Sandbox) -> String {
    let refused = sandbox.try_provision();
    let Err(Error::Refused(refusals)) = refused else { panic!("not refused: {refused:#?}") };
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    let lines = refusals.iter().map(|refusal| format!("{}: {}\n  {}\n", refusal.resource, refusal.reason, refusal.remedy));
    lines.collect()
}

/// The resources that `status` says are adopted.
fn adopted(status: &Status) -> Vec<&'static str> {
    status.resources.iter().filter(|resource| resource.detail.starts_with("adopted")).map(|resource| resource.kind).collect()
}

#[test]
fn without_consent_all_that_stands_in_the_way_is_listed_and_nothing_is_changed() {
    let (sandbox, api) = half_made();
    insta::assert_snapshot!(refusals(&sandbox).replace(&api, "API"), @r#"
    table WebSocketConnections: it is there already, and neither a tag `wsfix:stack` nor a description says that it is this stack's
      `--adopt` takes it into this stack, and `wsfix plan --adopt` shows what that changes; or set another `table`
    log group /aws/lambda/websocket-handler: it is there already, and neither a tag `wsfix:stack` nor a description says that it is this stack's
      `--adopt` takes it into this stack, and `wsfix plan --adopt` shows what that changes; or set another `function.name`, or delete it
    api TerminalWebSocketAPI: an API of this name, API: it is there already, and neither a tag `wsfix:stack` nor a description says that it is this stack's
      `--adopt` takes it into this stack, and `wsfix plan --adopt` shows what that changes; or set another `api.name`
    function websocket-handler: it is there already, and neither a tag `wsfix:stack` nor a description says that it is this stack's
      `--adopt` takes it into this stack, and `wsfix plan --adopt` shows what that changes; or set another `function.name` (`--function-name`)
    "#);
}

#[test]
fn a_plan_shows_field_by_field_what_adopting_changes() {
    let (sandbox, api) = half_made();
    let tool = Tool::of(&sandbox.cloud);
    let planned = tool.run(&["plan", "--adopt", "--existing-role", "websocket-handler-role"]);
    assert_eq!(planned.code, Some(3), "{}\n{}", planned.out, planned.err);
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    let shown = without_ids(&planned.out, &api, &sandbox.aws());
    let filters = [
        (r"code: \S+ -> \S+", "code: OLD -> NEW"),
        (r"127\.0\.0\.1:\d+", "CLOUD"),
        (r"deployment: \w+", "deployment: DEPLOYMENT"),
        (r"WsfixStackterminalZTakenOver Allow .*; WsfixStackterminalZTakenOverZIndex Allow .*", "TWO STATEMENTS"),
    ];
    insta::with_settings!({ filters => filters }, { insta::assert_snapshot!(shown, @r#"
    stack `terminal`
      @ table WebSocketConnections  (it is there already)
            SessionIdIndex: (nothing) -> present
            ttl_attribute: (nothing) -> expiresAt
            resource_policy: (nothing) -> TWO STATEMENTS
            tags.wsfix:adopted: (nothing) -> true
            tags.wsfix:stack: (nothing) -> terminal
      @ log group /aws/lambda/websocket-handler  (it is there already)
            retention_days: never expires -> 14
            tags.wsfix:adopted: (nothing) -> true
            tags.wsfix:stack: (nothing) -> terminal
      @ api TerminalWebSocketAPI  (it is there already)
            route_selection_expression: $request.body.type -> $request.body.action
            description: terminal, by hand -> managed-by=wsfix;stack=terminal;adopted
            tags.wsfix:adopted: (nothing) -> true
            tags.wsfix:stack: (nothing) -> terminal
      @ function websocket-handler  (it is there already)
            code: OLD -> NEW
            role: arn:aws:iam::111122223333:role/lambda_basic_execution -> arn:aws:iam::111122223333:role/websocket-handler-role
            handler: hello.handler -> bootstrap
            timeout_seconds: 3 -> 28
            memory_mb: 128 -> 256
            description: (nothing) -> managed-by=wsfix;stack=terminal;adopted
            environment.APP_RUNNER_URL: (nothing) -> https://backend.example
            environment.DOMAIN_NAME: (nothing) -> API.execute-api.us-east-1.amazonaws.com
            environment.JWT_SECRET: (nothing) -> (sensitive)
            environment.STAGE: (nothing) -> prod
            environment.WSFIX_MANAGEMENT_URL: (nothing) -> http://CLOUD/_aws/execute-api/API/prod
            environment.WSFIX_REPLY: (nothing) -> management-api
            environment.DEBUG: (sensitive) -> (nothing)
            tags.wsfix:adopted: (nothing) -> true
            tags.wsfix:stack: (nothing) -> terminal
      + permission websocket-handler
      ~ integration shared
            description: (nothing) -> managed-by=wsfix;stack=terminal;adopted
      ~ route $disconnect
            target: integrations/INTEGRATION -> integrations/INTEGRATION
      ~ route $default
            target: integrations/INTEGRATION -> integrations/INTEGRATION
      + route sendMessage
      ~ stage prod
            auto_deploy: false -> true
            messages.rate: (nothing) -> 500
            messages.burst: (nothing) -> 1000
            $connect.rate: (nothing) -> 50
            $connect.burst: (nothing) -> 100
            $connect.data_trace: (nothing) -> false
            deployment: DEPLOYMENT -> automatic, after the changes
      note: table WebSocketConnections: its items (about 1) stay; those without `expiresAt` never expire
      note: log group /aws/lambda/websocket-handler: its lines older than 14 days will be deleted; `--log-retention` keeps them longer
      note: no access logs: the account has no role that API Gateway writes logs with; an administrator can set one
      note: function websocket-handler: its code is REPLACED by wsfix's handler, and nothing keeps the old one; `aws lambda get-function --function-name websocket-handler --query Code.Location --output text` says where it can be downloaded before
      note: replies travel by management-api: the role allows execute-api:ManageConnections
      note: function websocket-handler: its policy goes on to name others: apigateway.amazonaws.com (by-console-connect, for arn:aws:execute-api:us-east-1:111122223333:API/*/$connect), apigateway.amazonaws.com (by-console-disconnect, for arn:aws:execute-api:us-east-1:111122223333:API/*/$disconnect), apigateway.amazonaws.com (by-console-default, for arn:aws:execute-api:us-east-1:111122223333:API/*/$default)
      note: the adopted API has the route `legacy` to integrations/INTEGRATION, which the config does not name: it is left; `aws apigatewayv2 delete-route --api-id API --route-id ROUTE` deletes it
      note: the API has integrations that wsfix did not make; they are left: old-handler (INTEGRATION), websocket-handler (INTEGRATION), websocket-handler (INTEGRATION)

    Plan: 4 to adopt, 2 to create, 4 to update, 0 to delete, 2 as they should be. `wsfix provision --adopt` makes it so.
    "#); });
}

/// What is lost is told while it can still be stopped.
#[test]
fn a_run_tells_what_it_adopts_before_its_first_step() {
    let (sandbox, _) = half_made();
    let tool = Tool::of(&sandbox.cloud);
    let made = tool.run(&["provision", "--adopt"]);
    made.says(0, &["adopting  table WebSocketConnections\n        SessionIdIndex: (nothing) -> present\n", "4 adopted, "]);
    let at = |words: &str| made.err.find(words).unwrap_or_else(|| panic!("`{words}` is missing in:\n{}", made.err));
    let told = [at("adopting  function websocket-handler"), at("its code is REPLACED")];
    let first = [at("adopted   "), at("created   ")].into_iter().min().expect("a step");
    assert!(told.iter().all(|told| *told < first), "{}", made.err);
    assert_eq!(made.err.matches("its code is REPLACED").count(), 1, "{}", made.err);
    let gone = tool.run(&["teardown", "--yes", "--output", "json"]).document();
    assert_eq!(gone["result"]["deleted"], serde_json::json!([]));
    assert_eq!(gone["result"]["left"].as_array().map(Vec::len), Some(4), "{gone:#}");
}

#[test]
fn an_adopted_stack_is_like_any_other_and_outlives_a_teardown() {
    let (mut sandbox, api) = half_made();
    sandbox.consent = ADOPT;
    let made = sandbox.provision();
    assert_eq!(made.outputs.api_id, api);
    sandbox.consent = Consent::default();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    assert_eq!(adopted(&sandbox.status()), ["table", "log group", "api", "function"]);
    sandbox.cloud.calls().clear();
    sandbox.provision();
    assert_eq!(sandbox.mutating(), Vec::<String>::new());

    // What else was in it is there still.
    let aws = sandbox.aws();
    block_on(async {
        let items = aws.dynamodb.scan().table_name("WebSocketConnections").send().await.expect("items");
        assert_eq!(items.count(), 1);
        let routes = aws.api.get_routes().api_id(&api).send().await.expect("routes");
        assert!(routes.items().iter().any(|route| route.route_key() == Some("legacy")));
        assert_eq!(aws.api.get_integrations().api_id(&api).send().await.expect("integrations").items().len(), 4);
        let policy = aws.lambda.get_policy().function_name("websocket-handler").send().await.expect("a policy");
        let policy = policy.policy().expect("a policy");
        assert!(policy.contains("by-console-connect") && policy.contains(&format!("wsfix-{api}")), "{policy}");
    });

    let plan = sandbox.teardown();
    assert!(plan.is_empty(), "{:#?}", differences(&plan));
    insta::assert_snapshot!(plan.notes.join("\n").replace(&api, "API"), @r#"
    table WebSocketConnections was there before the stack and is left, with its items (about 1); `--include-adopted` or `aws dynamodb delete-table --table-name WebSocketConnections` deletes it
    log group /aws/lambda/websocket-handler was there before the stack and is left, with its lines; `--include-adopted` or `aws logs delete-log-group --log-group-name /aws/lambda/websocket-handler` deletes it
    api TerminalWebSocketAPI was there before the stack and is left, with its routes, integrations and stages; `--include-adopted` or `aws apigatewayv2 delete-api --api-id API` deletes it
    function websocket-handler was there before the stack and is left, with its code and its settings, the secrets among them; `--include-adopted` or `aws lambda delete-function --function-name websocket-handler` deletes it
    "#);
    assert_eq!(sandbox.leftovers(), brought(&api));
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());

    sandbox.consent = DELETE;
    assert_eq!(sandbox.teardown().changes().count(), 4);
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[test]
fn teardown_deletes_what_wsfix_made_beside_what_it_adopted() {
    // The function alone was there: the statement for the API goes with the API.
    let mut sandbox = Sandbox::new();
    block_on(console::function(&sandbox.aws(), &sandbox.config));
    sandbox.consent = ADOPT;
    sandbox.provision();
    let gone = differences(&sandbox.teardown());
    let deleted = ["table WebSocketConnections", "log group /aws/lambda/websocket-handler", "api TerminalWebSocketAPI"];
    let deleted = deleted.into_iter().chain(["permission websocket-handler"]).map(|name| format!("{name}: deleted"));
    assert_eq!(gone, deleted.collect::<Vec<_>>());
    assert_eq!(sandbox.leftovers(), ["websocket-handler"]);
    block_on(sandbox.aws().lambda.get_policy().function_name("websocket-handler").send()).expect_err("no statement is left");

    // The API alone was there.
    let mut sandbox = Sandbox::new();
    let aws = sandbox.aws();
    let api = block_on(console::api(&aws, &sandbox.config));
    sandbox.consent = ADOPT;
    sandbox.provision();
    let plan = sandbox.teardown();
    assert_eq!(plan.changes().count(), 3, "{:#?}", differences(&plan));
    assert!(plan.notes.iter().any(|note| note.contains("every handshake then gets 500")), "{:#?}", plan.notes);
    assert_eq!(sandbox.leftovers(), [api]);
    // Its marks stay: the next run needs no consent.
    sandbox.consent = Consent::default();
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

#[test]
fn where_tags_are_denied_the_other_marks_say_that_it_was_adopted() {
    let template = include_str!("../../templates/accounts/default.yaml");
    let tags = "Action: [dynamodb:TagResource, lambda:TagResource, logs:TagResource, apigateway:TagResource, iam:Add*,";
    let account = Account::parse(&template.replace("Action: [iam:Add*,", tags), "test").expect("an account");
    let mut sandbox = Sandbox::with(Options { account, ..Options::default() });
    let api = block_on(console::whole(&sandbox.aws(), &sandbox.config));
    sandbox.consent = ADOPT;
    sandbox.provision();
    sandbox.consent = Consent::default();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    assert_eq!(adopted(&sandbox.status()), ["table", "api", "function"]);
    let plan = sandbox.teardown();
    assert!(plan.is_empty(), "{:#?}", differences(&plan));
    assert!(plan.notes.iter().any(|note| note.contains("`aws logs delete-log-group")), "{:#?}", plan.notes);
    assert_eq!(sandbox.leftovers(), brought(&api));
}

/// Each changing call of an adoption fails once, as a kill ends it. What was there before is never deleted, and the next run with consent ends the work.
#[test]
fn an_adoption_that_fails_at_any_call_is_finished_by_the_next() {
    let (mut first, _) = half_made();
    first.config.api.routes.truncate(1);
    first.consent = ADOPT;
    first.provision();
    let mut calls: Vec<(String, u32)> = Vec::new();
    for call in first.cloud.calls().all().iter().filter(|call| CallRecord::is_mutating(call) && call.service != "sts") {
        let name = format!("{}:{}", call.service, call.operation);
        let nth = calls.iter().filter(|(other, _)| *other == name).count();
        calls.push((name, u32::try_from(nth + 1).expect("few calls")));
    }
    assert!(calls.len() >= 14, "{calls:?}");
    for (operation, nth) in calls {
        // A tag is the first change of what is adopted; what fails before any other call has ended another one.
        let moments: &[Moment] = if operation.ends_with(":TagResource") { &[Moment::Before, Moment::After] } else { &[Moment::After] };
        for moment in moments.iter().copied() {
            let at = format!("{operation}#{nth} {moment:?}");
            let (mut sandbox, api) = half_made();
            sandbox.config.api.routes.truncate(1);
            let kind = Kind::Error { status: 400, code: "InjectedException".to_owned(), message: "made up".to_owned() };
            sandbox.cloud.faults().plan(Fault { operation: operation.clone(), nth, times: 1, moment, kind });
            sandbox.consent = ADOPT;
            sandbox.try_provision().expect_err(&at);
            sandbox.cloud.faults().clear();

            // Somebody gives up here: without consent what is not marked yet is refused, and nothing of it is deleted.
            sandbox.consent = Consent::default();
            let _ = sandbox.try_provision();
            sandbox.try_teardown().unwrap_or_else(|error| panic!("{at}: {error:#?}"));
            assert_eq!(sandbox.leftovers(), brought(&api), "{at}");

            sandbox.consent = ADOPT;
            sandbox.try_provision().unwrap_or_else(|error| panic!("{at}: {error:#?}"));
            sandbox.consent = Consent::default();
            let status = sandbox.status();
            assert_eq!(status.drift.as_ref().map(differences), Some(Vec::new()), "{at}");
            assert_eq!(adopted(&status), ["table", "log group", "api", "function"], "{at}");
        }
    }
}

#[test]
fn tables_that_cannot_be_made_fit_are_refused_and_others_are_changed() {
    let table = |edit: &dyn Fn(TableCall) -> TableCall| {
        let mut sandbox = Sandbox::new();
        let aws = sandbox.aws();
        let call = aws.dynamodb.create_table().table_name("WebSocketConnections").billing_mode(BillingMode::PayPerRequest);
        block_on(edit(call).send()).expect("a table");
        sandbox.consent = ADOPT;
        sandbox.cloud.calls().clear();
        sandbox
    };
    let index = |hash: &str| {
        let all = Projection::builder().projection_type(ProjectionType::All).build();
        let index = GlobalSecondaryIndex::builder().index_name("SessionIdIndex").key_schema(key(hash, KeyType::Hash)).projection(all);
        index.build().expect("an index")
    };
    let connections = |call: TableCall| call.key_schema(key("connectionId", KeyType::Hash)).attribute_definitions(text("connectionId"));
    let mut shown = String::new();
    let cases: &[&dyn Fn(TableCall) -> TableCall] = &[
        &|call| call.key_schema(key("id", KeyType::Hash)).attribute_definitions(text("id")),
        &|call| {
            let call = connections(call).key_schema(key("at", KeyType::Range));
            call.attribute_definitions(attribute("at", ScalarAttributeType::N))
        },
        &|call| {
            let call = call.key_schema(key("connectionId", KeyType::Hash));
            call.attribute_definitions(attribute("connectionId", ScalarAttributeType::N))
        },
        &|call| connections(call).attribute_definitions(text("userId")).global_secondary_indexes(index("userId")),
        &|call| {
            let number = attribute("sessionId", ScalarAttributeType::N);
            connections(call).attribute_definitions(number).global_secondary_indexes(index("sessionId"))
        },
    ];
    for case in cases {
        let mut sandbox = table(*case);
        let with_consent = refusals(&sandbox);
        sandbox.consent = Consent::default();
        assert_eq!(refusals(&sandbox), with_consent, "consent changes nothing about it");
        shown.push_str(&with_consent);
    }
    insta::assert_snapshot!(shown, @r#"
    table WebSocketConnections: it is there already, is not this stack's, and cannot be adopted: its key is `id HASH`, not `connectionId HASH`
      set another `table`, or delete what is in the way: AWS cannot change keys in place
    table WebSocketConnections: it is there already, is not this stack's, and cannot be adopted: its key is `connectionId HASH, at RANGE`, not `connectionId HASH`
      set another `table`, or delete what is in the way: AWS cannot change keys in place
    table WebSocketConnections: it is there already, is not this stack's, and cannot be adopted: its attribute `connectionId` is of type N, not S
      set another `table`, or delete what is in the way: AWS cannot change keys in place
    table WebSocketConnections: it is there already, is not this stack's, and cannot be adopted: the key of SessionIdIndex is `userId HASH`, not `sessionId HASH`
      set another `table`, or delete what is in the way: AWS cannot change keys in place
    table WebSocketConnections: it is there already, is not this stack's, and cannot be adopted: its attribute `sessionId` is of type N, not S
      set another `table`, or delete what is in the way: AWS cannot change keys in place
    "#);

    let throughput = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(5).build().expect("a throughput");
    let sandbox = table(&|call| connections(call).billing_mode(BillingMode::Provisioned).provisioned_throughput(throughput.clone()));
    let plan = sandbox.plan();
    assert!(format!("{plan:?}").contains(r#"field: "billing_mode", from: "PROVISIONED", to: "PAY_PER_REQUEST""#), "{plan:#?}");
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

type TableCall = aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;

/// A resource policy is written as a whole: what others have in it is sent along.
#[test]
fn statements_of_others_in_the_policy_of_a_table_stay() {
    let mut sandbox = Sandbox::new();
    let aws = sandbox.aws();
    let arn = "arn:aws:dynamodb:us-east-1:111122223333:table/WebSocketConnections";
    let own = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Sid":"Own","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:user/dev"}},"Action":"dynamodb:Scan","Resource":"{arn}"}}}}"#
    );
    block_on(console::table(&aws, &sandbox.config));
    block_on(aws.dynamodb.put_resource_policy().resource_arn(arn).policy(own).send()).expect("a policy");
    sandbox.consent = ADOPT;
    let plan = sandbox.plan();
    assert!(plan.notes.iter().any(|note| note.contains("1 statement(s) of its resource policy")), "{:#?}", plan.notes);
    sandbox.provision();
    sandbox.consent = Consent::default();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    let found = block_on(aws.dynamodb.get_resource_policy().resource_arn(arn).send()).expect("a policy");
    let found = found.policy().expect("a policy");
    assert!(found.contains("\"Own\"") && found.contains("WsfixStackterminalZTakenOver"), "{found}");
}

#[test]
fn what_is_not_clearly_nobodys_is_not_adopted() {
    let mut shown = String::new();
    let mut refuse = |sandbox: &Sandbox, ids: &[String]| {
        sandbox.cloud.calls().clear();
        let text = refusals(sandbox);
        let named = ids.iter().enumerate().fold(text, |text, (at, id)| text.replace(id, &format!("API{}", at + 1)));
        shown.push_str(&named);
    };
    let api = |sandbox: &Sandbox, tag: Option<(&str, &str)>| {
        let aws = sandbox.aws();
        let call = aws.api.create_api().name(&sandbox.config.api.name).protocol_type(ProtocolType::Websocket);
        let call = call.route_selection_expression("$request.body.action");
        let call = call.set_tags(tag.map(|(key, value)| [(key.to_owned(), value.to_owned())].into()));
        block_on(call.send()).expect("an api").api_id().expect("its id").to_owned()
    };

    // Two of one name: a person says which one is meant.
    let mut sandbox = Sandbox::new();
    sandbox.consent = ADOPT;
    let mut ids = vec![api(&sandbox, None), api(&sandbox, None)];
    ids.sort();
    let aws = sandbox.aws();
    let text = {
        sandbox.cloud.calls().clear();
        refusals(&sandbox)
    };
    assert!(ids.iter().all(|id| text.contains(id)) && text.contains("2 APIs have this name, and none is this stack's"), "{text}");
    assert!(text.contains("--tags wsfix:stack=terminal,wsfix:adopted=true"), "{text}");
    let arn = format!("arn:aws:apigateway:us-east-1::/apis/{}", ids[1]);
    let tagged = aws.api.tag_resource().resource_arn(arn).tags("wsfix:stack", "terminal").tags("wsfix:adopted", "true");
    block_on(tagged.send()).expect("tags");
    assert_eq!(sandbox.provision().outputs.api_id, ids[1]);
    sandbox.teardown();
    let mut left = sandbox.leftovers();
    left.sort();
    assert_eq!(left, ids);

    // Another stack's.
    let mut sandbox = Sandbox::new();
    sandbox.consent = ADOPT;
    let other = api(&sandbox, Some(("wsfix:stack", "other")));
    refuse(&sandbox, &[other]);

    // Tags that cannot be read could say anything.
    let template = include_str!("../../templates/accounts/default.yaml");
    let denied = "Action: [dynamodb:ListTagsOfResource, lambda:ListTags, logs:ListTagsForResource, iam:Add*,";
    let account = Account::parse(&template.replace("Action: [iam:Add*,", denied), "test").expect("an account");
    let mut sandbox = Sandbox::with(Options { account, ..Options::default() });
    let aws = sandbox.aws();
    block_on(async {
        console::table(&aws, &sandbox.config).await;
        console::function(&aws, &sandbox.config).await;
        console::log_group(&aws, &sandbox.config).await;
    });
    sandbox.consent = ADOPT;
    refuse(&sandbox, &[]);
    insta::assert_snapshot!(shown, @r#"
    api TerminalWebSocketAPI: an API of this name, API1: it is there already and belongs to the stack `other`
      set another `api.name`; what has another stack's mark is never adopted
    table WebSocketConnections: it is there already, and its tags cannot be read, so that nothing proves it to be this stack's
      have dynamodb:ListTagsOfResource and dynamodb:GetResourcePolicy allowed, which tells whose it is; or set another `table`
    function websocket-handler: it is there already, and its tags cannot be read, so that nothing proves it to be this stack's
      have lambda:ListTags allowed, which tells whose it is; or set another `function.name` (`--function-name`)
    "#);
}

/// Settings of a foreign route are the person's own, as the route is.
#[test]
fn the_stage_of_an_adopted_api_keeps_the_settings_of_foreign_routes() {
    let (mut sandbox, api) = half_made();
    let aws = sandbox.aws();
    let settings = aws_sdk_apigatewayv2::types::RouteSettings::builder().throttling_rate_limit(7.0).throttling_burst_limit(7).build();
    let call = aws.api.update_stage().api_id(&api).stage_name("prod").route_settings("legacy", settings);
    block_on(call.send()).expect("settings");
    sandbox.consent = ADOPT;
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    let stage = block_on(aws.api.get_stage().api_id(&api).stage_name("prod").send()).expect("the stage");
    let kept = stage.route_settings().and_then(|all| all.get("legacy")).and_then(|settings| settings.throttling_rate_limit());
    assert_eq!(kept, Some(7.0));
    assert_eq!(stage.auto_deploy(), Some(true));
}
