//! Access and execution logs of the stage.

use aws_sdk_apigatewayv2::types::LoggingLevel;
use wsfix::config::AccessLogs;
use wsfix::local::Options;
use wsfix::local::account::Account;
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::provision::Error;

use super::support::{Sandbox, block_on, differences};

const GROUP: &str = "/aws/apigateway/terminal";
const WITH_ROLE: &str = "extends: default\napi_gateway_log_role: apigateway-logs\n";

/// An account of which API Gateway has a role for logs, and whose user is denied these actions.
fn with_role(denied: &[&str]) -> Sandbox {
    let mut text = WITH_ROLE.to_owned();
    if !denied.is_empty() {
        let rule = format!("[{{Effect: Deny, Action: [{}], Resource: '*'}}]", denied.join(", "));
        text.push_str(&format!("service_control_policies:\n  no: {{Version: '2012-10-17', Statement: {rule}}}\n"));
    }
    account(&text)
}

fn account(text: &str) -> Sandbox {
    Sandbox::with(Options { account: Account::parse(text, "test").expect("an account"), ..Options::default() })
}

/// Destination of the access logs and level of the execution logs, of messages and of handshakes.
fn logs_of(sandbox: &Sandbox) -> (Option<String>, Vec<LoggingLevel>) {
    let aws = sandbox.aws();
    let api = sandbox.status().outputs.expect("outputs").api_id;
    let stage = block_on(aws.api.get_stage().api_id(api).stage_name("prod").send()).expect("a stage");
    let settings = stage.default_route_settings().into_iter().chain(stage.route_settings().and_then(|routes| routes.get("$connect")));
    assert!(settings.clone().all(|settings| settings.data_trace_enabled() == Some(false)));
    let levels = settings.map(|settings| settings.logging_level().cloned().expect("a level")).collect();
    (stage.access_log_settings().and_then(|log| log.destination_arn()).map(str::to_owned), levels)
}

fn destination() -> Option<String> {
    Some(format!("arn:aws:logs:us-east-1:111122223333:log-group:{GROUP}"))
}

fn on() -> (Option<String>, Vec<LoggingLevel>) {
    (destination(), vec![LoggingLevel::Error, LoggingLevel::Error])
}

fn off() -> (Option<String>, Vec<LoggingLevel>) {
    (None, vec![LoggingLevel::Off, LoggingLevel::Off])
}

#[test]
fn logs_are_written_where_the_account_has_a_role_and_go_with_the_stack() {
    let sandbox = with_role(&[]);
    sandbox.provision();
    assert_eq!(logs_of(&sandbox), on());
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    let status = sandbox.status();
    let group = status.resources.iter().find(|resource| resource.kind == "access log group").expect("the log group");
    assert_eq!((group.name.as_str(), group.detail.as_str()), (GROUP, "lines are kept for 14 days"));
    assert!(status.resources.iter().any(|resource| resource.kind == "stage" && resource.detail.contains(GROUP)));
    // The one that API Gateway makes for execution logs goes too, and that of another API stays.
    let (aws, api) = (sandbox.aws(), status.outputs.expect("outputs").api_id);
    for name in
        [format!("/aws/apigateway/{api}/prod"), format!("API-Gateway-Execution-Logs_{api}/prod"), format!("/aws/apigateway/x{api}/prod")]
    {
        block_on(aws.logs.create_log_group().log_group_name(name).send()).expect("a log group");
    }
    sandbox.teardown();
    assert_eq!(sandbox.leftovers(), [format!("/aws/apigateway/x{api}/prod")]);
}

#[test]
fn the_setting_is_switched() {
    let mut sandbox = with_role(&[]);
    sandbox.config.access_logs = AccessLogs::Off;
    sandbox.provision();
    assert!(!sandbox.cloud.calls().all().iter().any(|call| call.operation == "GetAccount"));
    assert_eq!(logs_of(&sandbox), off());
    sandbox.config.access_logs = AccessLogs::On;
    sandbox.provision();
    assert_eq!(logs_of(&sandbox), on());
    sandbox.config.access_logs = AccessLogs::Off;
    let plan = sandbox.plan();
    assert!(plan.steps.iter().flat_map(|step| &step.calls).any(|call| call.name == "DeleteAccessLogSettings"));
    sandbox.provision();
    assert_eq!(logs_of(&sandbox), off());
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    sandbox.config.access_logs = AccessLogs::Auto;
    sandbox.provision();
    assert_eq!(logs_of(&sandbox), on());
    sandbox.config.access_logs = AccessLogs::Off;
    sandbox.teardown();
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[test]
fn without_a_role_auto_goes_without_and_on_is_refused() {
    let mut sandbox = Sandbox::new();
    let made = sandbox.provision();
    assert!(made.plan.notes.iter().any(|note| note.contains("no access logs: the account has no role")), "{:#?}", made.plan.notes);
    assert_eq!(logs_of(&sandbox), off());
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    sandbox.config.access_logs = AccessLogs::On;
    sandbox.cloud.calls().clear();
    let Err(Error::Refused(refusals)) = sandbox.try_provision() else { panic!("not refused") };
    assert!(refusals.len() == 1 && refusals[0].remedy.contains("aws apigateway update-account"), "{refusals:#?}");
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
}

/// What somebody else set up is neither taken for ours nor taken away.
#[test]
fn logs_of_somebody_else_are_left() {
    let mut sandbox = with_role(&[]);
    sandbox.config.access_logs = AccessLogs::Off;
    sandbox.provision();
    let (aws, api) = (sandbox.aws(), sandbox.status().outputs.expect("outputs").api_id);
    let own = "arn:aws:logs:us-east-1:111122223333:log-group:own";
    block_on(async {
        aws.logs.create_log_group().log_group_name("own").send().await.expect("a log group");
        aws.logs.create_log_group().log_group_name(GROUP).send().await.expect("a log group");
        let log = aws_sdk_apigatewayv2::types::AccessLogSettings::builder().destination_arn(own).format("$context.requestId").build();
        aws.api.update_stage().api_id(&api).stage_name("prod").access_log_settings(log).send().await.expect("settings");
    });
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    assert_eq!(logs_of(&sandbox).0.as_deref(), Some(own));
    // The group is not ours: `auto` goes without it, `on` says so.
    sandbox.config.access_logs = AccessLogs::Auto;
    let plan = sandbox.plan();
    assert_eq!(differences(&plan), Vec::<String>::new());
    assert!(plan.notes.iter().any(|note| note.contains(GROUP) && note.contains("neither a tag")), "{:#?}", plan.notes);
    sandbox.config.access_logs = AccessLogs::On;
    assert!(matches!(sandbox.try_plan(), Err(Error::Refused(_))));
    sandbox.config.access_logs = AccessLogs::Off;
    sandbox.teardown();
    assert_eq!(sandbox.leftovers(), [GROUP, "own"]);
}

/// What is denied is told once, stops nothing, and is no difference from then on.
#[test]
fn denials_are_told_and_stop_nothing() {
    let cases: &[(&[&str], &str, bool)] = &[
        (&["logs:CreateLogGroup"], "access log group is not made", false),
        (&["logs:CreateLogGroup", "logs:DescribeLogGroups"], "access log group is not made", false),
        (&["logs:PutRetentionPolicy"], "access log group's lines never expire", true),
        (&["logs:TagResource"], "access log group gets no tags", true),
        (&["logs:ListTagsForResource", "logs:DescribeLogGroups"], "", true),
    ];
    for (actions, note, written) in cases {
        let sandbox = with_role(actions);
        sandbox.try_provision().unwrap_or_else(|error| panic!("{actions:?}: {error:#?}"));
        assert!(
            note.is_empty() || sandbox.heard.notes().iter().any(|text| text.contains(note)),
            "{actions:?}: {:#?}",
            sandbox.heard.notes()
        );
        assert_eq!(logs_of(&sandbox), if *written { on() } else { off() }, "{actions:?}");
        let again: Vec<String> =
            differences(&sandbox.plan()).into_iter().filter(|text| text.contains("access") || text.contains("stage")).collect();
        assert_eq!(again, Vec::<String>::new(), "{actions:?}");
    }
}

#[test]
fn a_setting_that_cannot_be_read_is_left_as_it_is() {
    let sandbox = with_role(&[]);
    sandbox.provision();
    let rule = "service_control_policies:\n  no: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 'apigateway:GET', Resource: '*account'}]}\n";
    let denied = account(&format!("{WITH_ROLE}{rule}"));
    let made = denied.provision();
    assert!(
        made.plan.notes.iter().any(|note| note.contains("no access logs: whether") && note.contains("apigateway:GET")),
        "{:#?}",
        made.plan.notes
    );
    assert_eq!(logs_of(&denied), off());
    assert_eq!(differences(&denied.plan()), Vec::<String>::new());
}

/// The settings themselves are denied: the stage is made without, and remembers it.
#[test]
fn a_stage_that_was_denied_logs_says_so_until_they_are_asked_for() {
    let mut sandbox = with_role(&[]);
    let message = "User: u is not authorized to perform: apigateway:POST with an explicit deny in an identity-based policy".to_owned();
    sandbox.cloud.faults().plan(Fault {
        operation: "CreateStage".to_owned(),
        nth: 1,
        times: 1,
        moment: Moment::Before,
        kind: Kind::Error { status: 403, code: "AccessDeniedException".to_owned(), message },
    });
    sandbox.provision();
    assert!(sandbox.heard.notes().iter().any(|note| note.contains("goes without access logs")), "{:#?}", sandbox.heard.notes());
    assert_eq!(logs_of(&sandbox), off());
    let plan = sandbox.plan();
    assert_eq!(differences(&plan), Vec::<String>::new());
    assert!(plan.notes.iter().any(|note| note.contains(";logs-denied")), "{:#?}", plan.notes);
    sandbox.config.access_logs = AccessLogs::On;
    sandbox.provision();
    assert_eq!(logs_of(&sandbox), on());
    sandbox.config.access_logs = AccessLogs::Auto;
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}
