//! Stacks, each broken in one way: the layer that `verify` puts first. The table in docs/verify.md comes from here.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_apigatewayv2::types::RouteSettings;
use wsfix::config::Reply;
use wsfix::secret::Secret;

use super::backend::{Backend, Fault};
use super::stack::{LACKING, Stack};
use crate::support::{WEAK_ROLE, block_on, console, docs, elf};

/// One way to break a stack.
struct Case {
    what: &'static str,
    /// Layer and cause of what is to be looked at first.
    expected: (&'static str, &'static str),
    /// Before it is made.
    make: fn(&mut Stack),
    /// Once it stands.
    damage: fn(&mut Stack),
    flags: &'static [&'static str],
    /// `provision` does not put it right: nobody else gets the stack.
    last: bool,
}

fn case(what: &'static str, expected: (&'static str, &'static str), damage: fn(&mut Stack)) -> Case {
    Case { what, expected, make: |_| {}, damage, flags: &[], last: false }
}

const FUNCTION: &str = "websocket-handler";
const TABLE: &str = "WebSocketConnections";

fn cases() -> Vec<Case> {
    let mut cases = control_plane();
    cases.extend(roles());
    cases.extend(data());
    cases.extend(backends());
    cases
}

fn control_plane() -> Vec<Case> {
    vec![
        case("the API is deleted", ("api", "no-api"), |stack| {
            block_on(stack.sandbox.aws().api.delete_api().api_id(stack.api()).send()).expect("deleted");
        }),
        case("the API's endpoint is switched off", ("api", "no-api"), |stack| {
            let update = stack.sandbox.aws().api.update_api().api_id(stack.api()).disable_execute_api_endpoint(true);
            block_on(update.send()).expect("updated");
        }),
        case("the route `$default` is deleted", ("routes", "no-route"), |stack| delete_route(stack, "$default")),
        case("the route `$default` was never deployed", ("routes", "route-not-served"), undeploy),
        case("the integration calls another function", ("routes", "wrong-integration"), |stack| {
            let (aws, api) = (stack.sandbox.aws(), stack.api());
            let all = block_on(aws.api.get_integrations().api_id(&api).send()).expect("integrations");
            let one = all.items().first().expect("an integration");
            let uri = one.integration_uri().expect("a URI").replace(FUNCTION, "another");
            let update = aws.api.update_integration().api_id(&api).integration_id(one.integration_id().expect("an id"));
            block_on(update.integration_uri(uri).send()).expect("updated");
        }),
        case("the stage is deleted", ("stage", "no-stage"), |stack| {
            block_on(stack.sandbox.aws().api.delete_stage().api_id(stack.api()).stage_name("prod").send()).expect("deleted");
        }),
        case("the stage's throttle is 0", ("stage", "throttled"), |stack| {
            let none = RouteSettings::builder().throttling_rate_limit(0.0).throttling_burst_limit(0).build();
            let update = stack.sandbox.aws().api.update_stage().api_id(stack.api()).stage_name("prod");
            block_on(update.default_route_settings(none.clone()).route_settings("$connect", none).send()).expect("updated");
        }),
        case("the function is deleted", ("function", "no-function"), |stack| {
            block_on(stack.sandbox.aws().lambda.delete_function().function_name(FUNCTION).send()).expect("deleted");
        }),
        case("the function's code cannot start", ("function", "function-crashed"), |stack| {
            let file = stack.tool.directory.path().join("broken");
            std::fs::write(&file, elf::executable(b"broken")).expect("a file");
            let zip = block_on(wsfix::provision::bundle::build(
                Some(&file),
                stack.sandbox.config.function.architecture,
                &crate::support::Heard::default(),
            ));
            let zip = aws_sdk_lambda::primitives::Blob::new(zip.expect("a zip").zip.to_vec());
            let update = stack.sandbox.aws().lambda.update_function_code().function_name(FUNCTION);
            block_on(update.zip_file(zip).send()).expect("updated");
        }),
        case("the function's time limit is 30 s", ("function", "time-limits"), |stack| {
            let update = stack.sandbox.aws().lambda.update_function_configuration().function_name(FUNCTION);
            block_on(update.timeout(30).send()).expect("updated");
        }),
        case("the function's permission is removed", ("permission", "not-permitted"), |stack| {
            remove_permission(stack);
        }),
        case("the function's permission names another API", ("permission", "not-permitted"), |stack| {
            let statement = remove_permission(stack);
            let add = stack.sandbox.aws().lambda.add_permission().function_name(FUNCTION).statement_id(statement);
            let add = add.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com");
            block_on(add.source_arn("arn:aws:execute-api:us-east-1:111122223333:other/prod/*").send()).expect("added");
        }),
    ]
}

fn roles() -> Vec<Case> {
    let lacks = |what, expected, damage| Case { make: post_replies, ..case(what, expected, damage) };
    let not_fit = ("role", "role-not-fit");
    vec![
        lacks("the role may not do `dynamodb:PutItem`", not_fit, |stack| stack.take(LACKING[0].0)),
        lacks("the role may not do `dynamodb:GetItem`", not_fit, |stack| stack.take(LACKING[1].0)),
        lacks("the role may not do `dynamodb:DeleteItem`", not_fit, |stack| stack.take(LACKING[2].0)),
        lacks("the role may not do `execute-api:ManageConnections`, and replies are posted", ("reply", "reply-denied"), |stack| {
            stack.take(LACKING[3].0);
        }),
        lacks("the role may not write logs", ("logs", "no-lines"), |stack| stack.take(LACKING[4].0)),
        Case {
            make: |stack| stack.sandbox.config.existing_role = Some(WEAK_ROLE.to_owned()),
            ..case("the table's resource policy is removed, and the role needs it", ("role", "no-table-policy"), |stack| {
                let arn = format!("arn:aws:dynamodb:us-east-1:111122223333:table/{TABLE}");
                block_on(stack.sandbox.aws().dynamodb.delete_resource_policy().resource_arn(arn).send()).expect("deleted");
            })
        },
    ]
}

fn data() -> Vec<Case> {
    vec![
        case("the table is deleted", ("table", "no-table"), |stack| {
            block_on(stack.sandbox.aws().dynamodb.delete_table().table_name(TABLE).send()).expect("deleted");
        }),
        // DynamoDB would not change it within the hour. The table is nobody's then, and `provision` leaves it.
        Case {
            last: true,
            ..case("the table was made anew without expiry", ("table", "no-expiry"), |stack| {
                let aws = stack.sandbox.aws();
                block_on(aws.dynamodb.delete_table().table_name(TABLE).send()).expect("deleted");
                block_on(console::table(&aws, &stack.sandbox.config));
            })
        },
        case("the function works with another table", ("table", "not-stored"), |stack| {
            let aws = stack.sandbox.aws();
            let mut config = stack.sandbox.config.clone();
            config.table = "OtherConnections".to_owned();
            block_on(console::table(&aws, &config));
            stack.set("TABLE_NAME", "OtherConnections");
        }),
        case("the function checks tokens with another secret", ("token", "token-refused"), |stack| {
            stack.set("JWT_SECRET", "another secret of at least thirty-two bytes");
        }),
        case("the function wants another audience", ("token", "token-refused"), |stack| stack.set("WSFIX_AUDIENCE", "somebody-else")),
        case("the function allows another `Origin` alone", ("handshake", "handshake-403"), |stack| {
            stack.set("WSFIX_ALLOWED_ORIGINS", "https://elsewhere.example");
            stack.set("WSFIX_REQUIRE_ORIGIN", "true");
        }),
        Case {
            flags: &["--url", "wss://abc123.us-east-1.awsapprunner.com/ws"],
            ..case("the front end's URL is the old host's", ("url", "old-host"), |_| {})
        },
    ]
}

fn backends() -> Vec<Case> {
    vec![
        case("the backend is down", ("backend", "backend-unreachable"), |stack| stack.backend = None),
        case("the backend is slow", ("backend", "backend-slow"), |stack| faulty(stack, Fault::Slow)),
        case("the backend answers with a page", ("backend", "bad-reply"), |stack| faulty(stack, Fault::Page)),
        case("the backend answers 500", ("backend", "backend-error"), |stack| faulty(stack, Fault::Fails)),
        case("the backend has another signing key", ("backend", "backend-error"), |stack| {
            stack.set("WSFIX_SIGNING_KEY", "a-signing-key-that-nobody-knows-0123456789");
        }),
        case("the backend knows no `/api/ws/disconnect`", ("backend", "disconnect-unheard"), |stack| faulty(stack, Fault::NoDisconnects)),
        Case {
            flags: &["--limits"],
            ..case("the backend takes no large bodies", ("limits", "sizes"), |stack| faulty(stack, Fault::Small))
        },
    ]
}

/// The role counts only where replies are posted with it.
fn post_replies(stack: &mut Stack) {
    stack.sandbox.config.reply = Reply::ManagementApi;
}

fn faulty(stack: &mut Stack, fault: Fault) {
    let backend = Backend::start(fault);
    stack.set("APP_RUNNER_URL", &backend.url);
    stack.faulty = Some(backend);
}

fn remove_permission(stack: &Stack) -> String {
    let aws = stack.sandbox.aws();
    let policy = block_on(aws.lambda.get_policy().function_name(FUNCTION).send()).expect("a policy");
    let policy: serde_json::Value = serde_json::from_str(policy.policy().unwrap_or_default()).expect("JSON");
    let statement = policy["Statement"][0]["Sid"].as_str().expect("a statement").to_owned();
    block_on(aws.lambda.remove_permission().function_name(FUNCTION).statement_id(&statement).send()).expect("removed");
    statement
}

fn route(stack: &Stack, key: &str) -> (String, String) {
    let routes = block_on(stack.sandbox.aws().api.get_routes().api_id(stack.api()).send()).expect("routes");
    let route = routes.items().iter().find(|route| route.route_key() == Some(key)).expect("the route");
    (route.route_id().expect("an id").to_owned(), route.target().expect("a target").to_owned())
}

fn delete_route(stack: &Stack, key: &str) {
    let (id, _) = route(stack, key);
    block_on(stack.sandbox.aws().api.delete_route().api_id(stack.api()).route_id(id).send()).expect("deleted");
}

/// The route is there, and the deployment that the stage serves is older.
fn undeploy(stack: &mut Stack) {
    let (aws, api) = (stack.sandbox.aws(), stack.api());
    let (_, target) = route(stack, "$default");
    delete_route(stack, "$default");
    block_on(aws.api.update_stage().api_id(&api).stage_name("prod").auto_deploy(false).send()).expect("updated");
    block_on(aws.api.create_deployment().api_id(&api).stage_name("prod").send()).expect("deployed");
    block_on(aws.api.create_route().api_id(&api).route_key("$default").target(target).send()).expect("made");
}

/// Breaks a stack that works, or that `provision` puts right.
fn judge(case: &Case, stack: &mut Stack) -> String {
    (case.make)(stack);
    stack.sandbox.provision();
    (case.damage)(stack);
    let ended = stack.verify(&[&["--hold", "0s"], case.flags].concat());
    let document = ended.document();
    let checks = document["result"]["checks"].as_array().expect("checks");
    let (layer, cause) = case.expected;
    assert_eq!(document["result"]["layer"], layer, "{}: {document:#}", case.what);
    assert!(checks.iter().any(|check| check["cause"]["name"] == cause && check["layer"] == layer), "{}: {document:#}", case.what);
    assert_eq!(ended.code, Some(3), "{}", case.what);
    format!("| {} | {layer} | `{cause}` |\n", case.what)
}

/// Three stacks at a time; what one case has broken, the next one's `provision` puts right.
#[test]
fn every_broken_stack_fails_in_its_layer() {
    let cases = cases();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); cases.len()]));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut stack = None;
                while let Some((at, case)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cases.get(at)?))) {
                    let this = stack.get_or_insert_with(|| Stack::new(1.0));
                    this.reset();
                    let row = judge(case, this);
                    rows.lock().expect("the rows")[at] = row;
                    if case.last {
                        stack = None;
                    }
                }
            });
        }
    });
    let rows = rows.into_inner().expect("the rows").concat();
    docs::hold("verify.md", "broken", &format!("| what is broken | layer | cause |\n|---|---|---|\n{rows}"));
}

/// API Gateway closes a connection without traffic after ten minutes: two seconds, where the clock runs 300 times faster.
#[test]
fn a_connection_that_ends_before_its_time_is_told() {
    let stack = Stack::new(300.0);
    stack.sandbox.provision();
    let ended = stack.verify(&["--hold", "3s", "--idle"]);
    ended.says(3, &[]);
    let document = ended.document();
    assert_eq!(document["result"]["layer"], "hold", "{document:#}");
    let held = super::stack::check(&document, "stays open");
    assert_eq!((&held["cause"]["name"], &held["verdict"]), (&"not-held".into(), &"failed".into()), "{held:#}");
    stack.verify(&["--hold", "3s", "--ping", "500ms"]).says(0, &[]);
}

/// The secret in the tests is no secret; in the function it is another.
#[test]
fn the_summary_begins_with_the_layer_and_says_what_helps() {
    let mut stack = Stack::new(1.0);
    stack.sandbox.provision();
    stack.sandbox.config.jwt.secret = Some(wsfix::config::SecretSource::Value(Secret::new("another secret of at least thirty-two bytes")));
    stack.sandbox.provision();
    let ended = stack.tool.run(&["verify", "--hold", "0s", "--wait", "1s", "--junit", "report.xml"]);
    ended.says(3, &["FAIL"]);
    assert!(ended.out.contains("token: 401, with a token that is good  [token-refused]"), "{}", ended.out);
    assert!(ended.out.lines().last().is_some_and(|line| line.starts_with("token: ") && line.contains(" failed, ")), "{}", ended.out);
    assert!(ended.out.contains("Refused: ") && ended.out.contains("Status: 401"), "the handler's reason is shown:\n{}", ended.out);
    let report = std::fs::read_to_string(stack.tool.directory.path().join("report.xml")).expect("a report");
    assert!(report.contains(r#"type="token-refused""#), "{report}");
}
