//! Teardown deletes what is proven to be the stack's, tells of the rest, and keeps what it is told to keep.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_apigatewayv2::types::IntegrationType;
use aws_sdk_dynamodb::types::{AttributeValue, Tag};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::{Value, json};
use wsfix::config::Algorithm;
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::local::{Cloud, Options};
use wsfix::provision::{Consent, Error, TornDown};
use wsfix::secret::Secret;
use wsfix::verify::{self, Received, Socket, Target};

use crate::handler;
use crate::support::aws::Aws;
use crate::support::{Sandbox, block_on, console, differences, docs};
use crate::tool::Tool;

const TABLE: &str = "WebSocketConnections";
const FUNCTION: &str = "websocket-handler";
const GROUP: &str = "/aws/lambda/websocket-handler";

/// How a teardown ended, in few words, and what it did.
fn ended(sandbox: &Sandbox) -> (String, Option<TornDown>) {
    let before = sandbox.leftovers();
    let done = sandbox.plan_teardown().and_then(|plan| sandbox.teardown_listed(&plan));
    match done {
        Ok(TornDown { deleted, left }) => {
            let words = match left.as_slice() {
                [] => format!("{} deleted, 0 left", deleted.len()),
                left => format!("{} deleted, {} left: {}", deleted.len(), left.len(), left.join(", ")),
            };
            (words, Some(TornDown { deleted, left }))
        }
        Err(error) => {
            assert_eq!(sandbox.leftovers(), before, "something was deleted, though: {error:#?}");
            let words = match error {
                Error::Refused(all) => all.iter().map(|one| format!("{}: {}", one.resource, one.reason)).collect::<Vec<_>>().join("; "),
                Error::Incomplete { errors, .. } => {
                    errors.iter().map(|error| format!("{error}: {}", error.said.clone().unwrap_or_default())).collect()
                }
                other => panic!("{other:#?}"),
            };
            (format!("refused, nothing deleted: {words}"), None)
        }
    }
}

/// What somebody did to the stack, what the person allows, and what is in the way afterwards (`None`: nothing).
struct Case {
    name: &'static str,
    consent: Consent,
    prepare: fn(&Sandbox, &Aws),
    /// Takes out what is in the way.
    repair: Option<fn(&Sandbox, &Aws)>,
}

const NOTHING: Consent = Consent { adopt: false, delete_adopted: false, keep_data: false, keep_logs: false };

fn case(name: &'static str, prepare: fn(&Sandbox, &Aws), repair: fn(&Sandbox, &Aws)) -> Case {
    Case { name, consent: NOTHING, prepare, repair: Some(repair) }
}

fn api(sandbox: &Sandbox) -> String {
    sandbox.status().outputs.expect("a stack").api_id
}

fn table_arn() -> String {
    format!("arn:aws:dynamodb:us-east-1:111122223333:table/{TABLE}")
}

async fn tag(aws: &Aws, value: &str) {
    let tag = Tag::builder().key("wsfix:stack").value(value).build().expect("a tag");
    aws.dynamodb.tag_resource().resource_arn(table_arn()).tags(tag).send().await.expect("a tag");
}

fn protect(aws: &Aws, on: bool) {
    block_on(aws.dynamodb.update_table().table_name(TABLE).deletion_protection_enabled(on).send()).expect("protection");
}

/// What API Gateway makes at the first line of an execution.
fn execution_logs(sandbox: &Sandbox, aws: &Aws) -> String {
    let name = format!("/aws/apigateway/{}/prod", api(sandbox));
    block_on(aws.logs.create_log_group().log_group_name(&name).send()).expect("a log group");
    name
}

fn protect_group(aws: &Aws, name: &str, on: bool) {
    let call = aws.logs.put_log_group_deletion_protection().log_group_identifier(name).deletion_protection_enabled(on);
    block_on(call.send()).expect("protection");
}

fn by_hand(sandbox: &Sandbox, aws: &Aws) {
    let api = api(sandbox);
    block_on(async {
        let call = aws.api.create_integration().api_id(&api).integration_type(IntegrationType::HttpProxy).integration_method("POST");
        let made = call.integration_uri("https://elsewhere.example/hook").send().await.expect("an integration");
        let target = format!("integrations/{}", made.integration_id().expect("its id"));
        aws.api.create_route().api_id(&api).route_key("legacy").target(target).send().await.expect("a route");
    });
}

fn take_out(sandbox: &Sandbox, aws: &Aws) {
    let api = api(sandbox);
    block_on(async {
        let routes = aws.api.get_routes().api_id(&api).send().await.expect("routes");
        let route = routes.items().iter().find(|route| route.route_key() == Some("legacy")).expect("the route");
        aws.api.delete_route().api_id(&api).route_id(route.route_id().expect("its id")).send().await.expect("gone");
        let target = route.target().expect("a target").trim_start_matches("integrations/");
        aws.api.delete_integration().api_id(&api).integration_id(target).send().await.expect("gone");
    });
}

fn cases() -> Vec<Case> {
    vec![
        Case { name: "nothing", consent: NOTHING, prepare: |_, _| {}, repair: None },
        case("the table's tag names another stack", |_, aws| block_on(tag(aws, "other")), |_, aws| block_on(tag(aws, "terminal"))),
        case("the table is protected against deletion", |_, aws| protect(aws, true), |_, aws| protect(aws, false)),
        case(
            "an event source calls the function",
            |_, aws| {
                let call = aws.lambda.create_event_source_mapping().function_name(FUNCTION);
                block_on(call.event_source_arn("arn:aws:sqs:us-east-1:111122223333:jobs").send()).expect("a mapping");
            },
            |_, aws| {
                let all = block_on(aws.lambda.list_event_source_mappings().function_name(FUNCTION).send()).expect("mappings");
                let id = all.event_source_mappings()[0].uuid().expect("its id").to_owned();
                block_on(aws.lambda.delete_event_source_mapping().uuid(id).send()).expect("gone");
            },
        ),
        case(
            "the function has an alias",
            |_, aws| {
                drop(block_on(aws.lambda.create_alias().function_name(FUNCTION).name("live").function_version("$LATEST").send()).unwrap())
            },
            |_, aws| drop(block_on(aws.lambda.delete_alias().function_name(FUNCTION).name("live").send()).unwrap()),
        ),
        case(
            "the function has a URL of its own",
            |_, aws| {
                let call = aws.lambda.create_function_url_config().function_name(FUNCTION).auth_type(FunctionUrlAuthType::AwsIam);
                block_on(call.send()).expect("a URL");
            },
            |_, aws| drop(block_on(aws.lambda.delete_function_url_config().function_name(FUNCTION).send()).unwrap()),
        ),
        case(
            "a statement lets somebody else call the function",
            |_, aws| {
                let call = aws.lambda.add_permission().function_name(FUNCTION).statement_id("nightly").action("lambda:InvokeFunction");
                let call = call.principal("events.amazonaws.com").source_arn("arn:aws:events:us-east-1:111122223333:rule/nightly");
                block_on(call.send()).expect("a statement");
            },
            |_, aws| drop(block_on(aws.lambda.remove_permission().function_name(FUNCTION).statement_id("nightly").send()).unwrap()),
        ),
        case("a route by hand, to something else", by_hand, take_out),
        case(
            "a stage by hand",
            |sandbox, aws| drop(block_on(aws.api.create_stage().api_id(api(sandbox)).stage_name("trial").send()).unwrap()),
            |sandbox, aws| drop(block_on(aws.api.delete_stage().api_id(api(sandbox)).stage_name("trial").send()).unwrap()),
        ),
        case(
            "a custom domain name leads to the API",
            |sandbox, aws| {
                // What API Gateway logged is there still.
                execution_logs(sandbox, aws);
                let message = "Deleting API X failed. Please remove all API mappings for the API from your custom domain names.";
                let kind = Kind::Error { status: 400, code: "BadRequestException".to_owned(), message: message.to_owned() };
                sandbox.cloud.faults().plan(Fault { operation: "DeleteApi".to_owned(), nth: 1, times: 1, moment: Moment::Before, kind });
            },
            |_, _| {},
        ),
        case("the function's log group is protected", |_, aws| protect_group(aws, GROUP, true), |_, aws| protect_group(aws, GROUP, false)),
        case(
            "the API's execution logs are protected",
            |sandbox, aws| protect_group(aws, &execution_logs(sandbox, aws), true),
            |sandbox, aws| protect_group(aws, &format!("/aws/apigateway/{}/prod", api(sandbox)), false),
        ),
        Case { name: "`--keep-data`", consent: Consent { keep_data: true, ..NOTHING }, prepare: |_, _| {}, repair: None },
        Case {
            name: "`--keep-data`, and the table is protected",
            consent: Consent { keep_data: true, ..NOTHING },
            prepare: |_, aws| protect(aws, true),
            repair: Some(|_, aws| protect(aws, false)),
        },
        Case { name: "`--keep-logs`", consent: Consent { keep_logs: true, ..NOTHING }, prepare: |_, _| {}, repair: None },
    ]
}

/// Ids differ from run to run.
fn stable(text: &str, sandbox: &Sandbox, aws: &Aws) -> String {
    let api = api(sandbox);
    let integrations = block_on(aws.api.get_integrations().api_id(&api).send()).expect("integrations");
    let ids = integrations.items().iter().filter_map(|one| one.integration_id());
    let text = ids.fold(text.replace(&api, "API"), |text, id| text.replace(id, "INTEGRATION"));
    let url = |word: &str| word.contains(".lambda-url.");
    text.split(' ').map(|word| if url(word) { "https://URL-ID.lambda-url.us-east-1.on.aws/" } else { word }).collect::<Vec<_>>().join(" ")
}

/// What is in the way is told and nothing is deleted; once it is out of the way everything goes, and what is kept is taken up again.
#[test]
fn teardown_tells_of_what_others_have_and_deletes_all_that_is_proven() {
    let mut table = "| somebody did, or the person said | `wsfix teardown` | and once that is out of the way |\n|---|---|---|\n".to_owned();
    for Case { name, consent, prepare, repair } in cases() {
        let mut sandbox = Sandbox::new();
        let aws = sandbox.aws();
        sandbox.provision();
        prepare(&sandbox, &aws);
        sandbox.consent = consent;
        let listed =
            stable(&sandbox.plan_teardown().map_or_else(|error| format!("{error:?}"), |plan| plan.notes.join(" ")), &sandbox, &aws);
        assert!(!listed.contains("not known"), "{name}: {listed}");
        let api_and_all = (api(&sandbox), block_on(aws.api.get_apis().send()).expect("apis").items().len());
        let (words, done) = ended(&sandbox);
        let words = if done.is_some() { words } else { stable(&words, &sandbox, &aws) };
        assert!(api_and_all.1 == 1 && !words.contains(&api_and_all.0), "{name}: {words}");
        // What is kept, and what was in the way, is taken up again by the next provision; it shows no difference afterwards.
        if let Some(repair) = repair {
            repair(&sandbox, &aws);
        }
        sandbox.consent = Consent::default();
        let again = if done.as_ref().is_some_and(|done| done.left.is_empty()) {
            "-".to_owned()
        } else {
            if done.is_some() {
                sandbox.provision();
                assert_eq!(differences(&sandbox.plan()), Vec::<String>::new(), "{name}");
            }
            let (again, _) = ended(&sandbox);
            again
        };
        assert_eq!(sandbox.leftovers(), Vec::<String>::new(), "{name}");
        table += &format!("| {name} | {words} | {again} |\n");
    }
    docs::hold("reliability.md", "teardown", &table);
}

#[test]
fn what_was_made_after_the_list_was_read_is_not_deleted() {
    let sandbox = Sandbox::new();
    sandbox.provision();
    let plan = sandbox.plan_teardown().expect("a list");
    // Somebody deletes the stack and makes it anew while the question waits: its API is another one.
    sandbox.teardown();
    sandbox.provision();
    let before = sandbox.leftovers();
    let Err(Error::Refused(refusals)) = sandbox.teardown_listed(&plan) else { panic!("it was deleted") };
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    assert!(refusals[0].resource.starts_with("api ") && refusals[0].reason.contains("after the list"), "{refusals:#?}");
    assert_eq!(sandbox.leftovers(), before);
    // A mark that is taken off meanwhile is seen, too.
    let plan = sandbox.plan_teardown().expect("a list");
    block_on(tag(&sandbox.aws(), "other"));
    let Err(Error::Refused(refusals)) = sandbox.teardown_listed(&plan) else { panic!("it was deleted") };
    assert!(refusals[0].reason.contains("`other`"), "{refusals:#?}");
    assert_eq!(sandbox.leftovers(), before);
    // What is gone already is no obstacle.
    block_on(tag(&sandbox.aws(), "terminal"));
    block_on(sandbox.aws().lambda.delete_function().function_name(FUNCTION).send()).expect("gone");
    let done = sandbox.teardown_listed(&plan).expect("the rest goes");
    assert!(!done.deleted.contains(&format!("function {FUNCTION}")) && done.left.is_empty(), "{done:?}");
}

/// A teardown ended between the API and its logs: the function says still which API it was.
#[test]
fn execution_logs_are_found_when_their_api_is_gone() {
    let sandbox = Sandbox::new();
    let aws = sandbox.aws();
    let gone = sandbox.provision().outputs.api_id;
    let logs = execution_logs(&sandbox, &aws);
    block_on(aws.api.delete_api().api_id(&gone).send()).expect("no API");
    assert!(sandbox.teardown().deletions().any(|step| step.kind == "execution logs" && step.name == logs));
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());

    // An API that is there, whosever it is, keeps its own.
    sandbox.provision();
    let logs = execution_logs(&sandbox, &aws);
    let untag = aws.api.untag_resource().resource_arn(format!("arn:aws:apigateway:us-east-1::/apis/{}", api(&sandbox)));
    let id = api(&sandbox);
    block_on(untag.tag_keys("wsfix:stack").send()).expect("no tag");
    block_on(aws.api.update_api().api_id(&id).description("mine").send()).expect("no mark");
    sandbox.teardown();
    assert_eq!(sandbox.leftovers(), [id, logs]);
}

/// Whoever may not delete log groups is told of those that are left, and the rest goes.
#[test]
fn execution_logs_that_may_not_be_deleted_are_told() {
    let sandbox = Sandbox::new();
    sandbox.provision();
    let logs = execution_logs(&sandbox, &sandbox.aws());
    let kind = Kind::Error { status: 400, code: "AccessDeniedException".to_owned(), message: "not allowed".to_owned() };
    sandbox.cloud.faults().plan(Fault { operation: "DeleteLogGroup".to_owned(), nth: 1, times: 1, moment: Moment::Before, kind });
    let (words, done) = ended(&sandbox);
    assert_eq!(words, "4 deleted, 0 left", "{done:?}");
    assert!(sandbox.heard.notes().iter().any(|note| note.contains(&format!("the execution logs in {logs} are left"))));
    assert_eq!(sandbox.leftovers(), [logs]);
}

#[test]
fn nothing_of_another_stack_or_of_nobody_is_deleted() {
    let mut sandbox = Sandbox::new();
    block_on(console::whole(&sandbox.aws(), &sandbox.config));
    let before = sandbox.leftovers();
    let plan = sandbox.teardown();
    assert!(plan.is_empty() && plan.notes.len() == 4, "{:#?}", plan.notes);
    assert_eq!(sandbox.leftovers(), before);

    let mut other = Sandbox::new();
    other.provision();
    let before = other.leftovers();
    std::mem::swap(&mut sandbox.config.stack, &mut other.config.stack);
    other.config.stack = "other".to_owned();
    let plan = other.teardown();
    assert!(plan.is_empty() && plan.notes.iter().any(|note| note.contains("belongs to the stack `terminal`")), "{:#?}", plan.notes);
    assert_eq!(other.leftovers(), before);
}

async fn row(aws: &Aws, id: &str, session: &str) {
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() + 600;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = aws.dynamodb.put_item().table_name(TABLE).item("connectionId", text(id)).item("sessionId", text(session));
    put.item("expiresAt", AttributeValue::N(expires.to_string())).send().await.expect("a row");
}

#[test]
fn items_are_exported_before_anything_is_deleted() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    tool.run(&["provision"]).says(0, &[]);
    let aws = block_on(Aws::connect(cloud.endpoint(), cloud.region(), &crate::support::keys()));
    for number in 0..3 {
        block_on(row(&aws, &format!("c{number}="), "one"));
    }
    tool.file("there.jsonl", "mine");
    tool.run(&["teardown", "--yes", "--export", "there.jsonl"]).says(2, &["there.jsonl is there already, and is not overwritten"]);
    tool.run(&["teardown", "--yes", "--export", "no/such/folder"]).says(1, &["cannot write no/such/folder", "nothing was deleted"]);
    let denied = Kind::Error { status: 400, code: "AccessDeniedException".to_owned(), message: String::new() };
    // The first one counts the connections for the list.
    cloud.faults().clear();
    cloud.faults().plan(Fault { operation: "Scan".to_owned(), nth: 2, times: 1, moment: Moment::Before, kind: denied });
    tool.run(&["teardown", "--yes", "--export", "items.jsonl"]).says(1, &["error: cannot scan `WebSocketConnections`"]);
    cloud.faults().clear();
    assert_eq!(cloud.inventory().len(), 4, "{:?}", cloud.inventory());
    assert_eq!(std::fs::read_dir(tool.directory.path()).expect("a folder").count(), 3, "no half of a file is left");

    let gone = tool.run(&["teardown", "--yes", "--export", "items.jsonl", "--output", "json"]);
    gone.says(0, &[]);
    assert_eq!(gone.document()["result"]["exported"], 3);
    let note = "connections open now: 3; they end with the API, and `--drain` tells their clients first";
    assert_eq!(gone.document()["result"]["notes"], json!([note]));
    assert_eq!(gone.document()["result"]["left"], json!([]));
    let file = tool.directory.path().join("items.jsonl");
    assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(file).expect("text");
    let mut ids: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["connectionId"]["S"].as_str().expect("an id").to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, ["c0=", "c1=", "c2="]);
    assert_eq!(std::fs::read_to_string(tool.directory.path().join("there.jsonl")).expect("text"), "mine");
}

const LIMIT: Duration = Duration::from_secs(10);

/// A stack with the real handler, and a client of it.
fn served(cloud: &Cloud, tool: &Tool) -> Target {
    tool.run(&["provision", "--handler", handler::zip()]).says(0, &[]);
    let url =
        tool.run(&["status", "--output", "json"]).document()["result"]["outputs"]["websocket_url"].as_str().expect("a URL").to_owned();
    assert!(url.contains(&cloud.port().to_string()));
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() + 600;
    let claims = json!({ "sub": "ann", "exp": expires, "sessionId": "one" });
    let token = verify::mint(Algorithm::Hs256, &Secret::new("0123456789abcdef0123456789abcdef"), &claims);
    Target::new(url, token).session("one")
}

#[test]
fn clients_are_told_and_waited_for() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    let target = served(&cloud, &tool);
    let aws = block_on(Aws::connect(cloud.endpoint(), cloud.region(), &crate::support::keys()));
    // A row that outlived its connection keeps nobody waiting.
    block_on(row(&aws, "Z2GNT6MVVxSBlOM=", "gone"));

    // A client that does not go is waited for no longer than was said.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut stays = runtime.block_on(Socket::connect(&target)).expect("a connection");
    let denied = Kind::Error { status: 403, code: "AccessDeniedException".to_owned(), message: "not allowed".to_owned() };
    cloud.faults().plan(Fault { operation: "PostToConnection".to_owned(), nth: 1, times: 100, moment: Moment::Before, kind: denied });
    let refused = tool.run(&["teardown", "--yes", "--drain", "30s"]);
    refused.says(1, &["error: cannot post to connection", "without `--drain` the stack is deleted all the same"]);
    assert_eq!(cloud.inventory().len(), 4, "nothing was deleted");
    cloud.faults().clear();

    // A client that goes ends the wait.
    let mut goes = runtime.block_on(Socket::connect(&target)).expect("a connection");
    let leaves = std::thread::spawn(move || {
        runtime.block_on(async {
            let told = goes.receive(LIMIT).await.expect("a message");
            goes.close(LIMIT).await.expect("closed");
            let Received::Text(first) = stays.receive(LIMIT).await.expect("a message") else { panic!("no text") };
            let after = stays.receive(LIMIT).await.expect("the end");
            (told, first, after)
        })
    });
    let gone = tool.run(&["teardown", "--yes", "--drain", "2s", "--output", "json"]);
    gone.says(0, &[]);
    let result = &gone.document()["result"];
    assert_eq!((&result["drained"], &result["left"]), (&json!({ "told": 2, "left": 1 }), &json!([])), "{}", gone.err);
    let (told, first, after) = leaves.join().expect("the clients");
    assert!(matches!(&told, Received::Text(text) if text == r#"{"type":"wsfix.closing","withinSeconds":2}"#), "{told:?}");
    assert_eq!(first, r#"{"type":"wsfix.closing","withinSeconds":2}"#);
    assert!(matches!(after, Received::Closed { .. }), "{after:?}");
}
