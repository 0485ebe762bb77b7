//! Accounts in which something is denied, or in the way.

use wsfix::local::Options;
use wsfix::local::account::Account;
use wsfix::provision::Error;
use wsfix::provision::roles::Judged;

use super::support::aws::Aws;
use super::support::{GOOD_ROLE, Sandbox, WEAK_ROLE, block_on, differences};

const TEMPLATE: &str = include_str!("../../templates/accounts/default.yaml");

/// An account whose user is denied these actions besides writing IAM.
fn denying(actions: &[&str]) -> Sandbox {
    let marker = "Action: [iam:Add*,";
    assert!(TEMPLATE.contains(marker));
    let text = TEMPLATE.replace(marker, &format!("Action: [{}, iam:Add*,", actions.join(", ")));
    let account = Account::parse(&text, "test").expect("an account");
    Sandbox::with(Options { account, ..Options::default() })
}

#[test]
fn without_the_right_to_tag_descriptions_mark_the_stack() {
    let sandbox = denying(&["dynamodb:TagResource", "lambda:TagResource", "logs:TagResource", "apigateway:TagResource"]);
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    sandbox.cloud.calls().clear();
    sandbox.provision();
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    sandbox.teardown();
    let left = sandbox.leftovers();
    assert!(left.iter().all(|name| name.starts_with("/aws/lambda/")), "{left:?}");
}

/// What is optional is told, and stops nothing.
#[test]
fn optional_rights_are_missed_aloud() {
    let cases: &[(&[&str], &str)] = &[
        (&["logs:CreateLogGroup"], "log group is not made"),
        (&["logs:PutRetentionPolicy"], "lines never expire"),
        (&["logs:DescribeLogGroups", "logs:CreateLogGroup"], "log group is not made"),
        (&["dynamodb:PutResourcePolicy"], "no resource policy"),
        (&["dynamodb:UpdateTimeToLive"], "not removed by themselves"),
        (&["dynamodb:TagResource"], "table gets no tags"),
        (&["logs:TagResource"], "log group gets no tags"),
    ];
    for (actions, note) in cases {
        let sandbox = denying(actions);
        sandbox.try_provision().unwrap_or_else(|error| panic!("{actions:?}: {error:#?}"));
        let notes = sandbox.heard.notes();
        assert!(notes.iter().any(|text| text.contains(note)), "{actions:?}: {notes:#?}");
        // What was denied once is no difference from then on, and is not tried again until a person says so.
        let plan = sandbox.plan();
        assert_eq!(differences(&plan), Vec::<String>::new(), "{actions:?}");
        assert!(plan.notes.iter().any(|text| text.contains("to have it tried again")), "{actions:?}: {:#?}", plan.notes);
        sandbox.cloud.calls().clear();
        sandbox.provision();
        assert_eq!(sandbox.mutating(), Vec::<String>::new(), "{actions:?}");
    }
}

/// A table that nobody could mark is never deleted, and a note says how a person can.
#[test]
fn a_table_without_any_mark_is_not_deleted() {
    let sandbox = denying(&["dynamodb:TagResource", "dynamodb:PutResourcePolicy"]);
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    let plan = sandbox.teardown();
    assert!(
        plan.notes.iter().any(|note| note.contains("nothing on it says that this stack made it") && note.contains("aws dynamodb")),
        "{:#?}",
        plan.notes
    );
    assert_eq!(sandbox.leftovers(), ["WebSocketConnections"]);
}

/// A role that works by the table's resource policy alone is of no use where that may not be set: the table is not made.
#[test]
fn a_weak_role_without_the_table_s_policy_is_no_stack() {
    let mut sandbox = denying(&["dynamodb:PutResourcePolicy"]);
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    let error = sandbox.try_provision().expect_err("no stack");
    let told = format!("{error:?}");
    assert!(told.contains("dynamodb:PutResourcePolicy") && matches!(error, Error::Refused(_)), "{told}");
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

/// What cannot be read is not taken for a difference.
#[test]
fn denied_reads_are_unknown_and_no_difference() {
    let cases: &[&[&str]] = &[
        &["iam:GetRole", "iam:ListRoles"],
        &["iam:SimulatePrincipalPolicy", "iam:ListAttachedRolePolicies"],
        &["iam:SimulatePrincipalPolicy", "iam:GetPolicyVersion"],
        &["iam:GetRole", "iam:ListRoles", "iam:SimulatePrincipalPolicy"],
        &["dynamodb:DescribeTimeToLive"],
        &["dynamodb:ListTagsOfResource"],
        &["dynamodb:GetResourcePolicy"],
        &["dynamodb:GetResourcePolicy", "dynamodb:ListTagsOfResource"],
        &["logs:ListTagsForResource"],
        &["logs:DescribeLogGroups"],
        &["lambda:ListTags"],
        &["lambda:GetPolicy"],
    ];
    for actions in cases {
        let sandbox = denying(actions);
        sandbox.try_provision().unwrap_or_else(|error| panic!("{actions:?}: {error:#?}"));
        let plan = sandbox.plan();
        assert_eq!(differences(&plan), Vec::<String>::new(), "{actions:?}");
        let missed = plan
            .notes
            .iter()
            .any(|note| note.contains("not compared") || note.contains("could not be read") || note.contains("is not known"));
        assert!(missed, "{actions:?}: {:#?}", plan.notes);
    }
}

#[test]
fn reads_that_nothing_can_do_without_are_refused_before_anything_is_made() {
    for action in ["dynamodb:DescribeTable", "lambda:GetFunction", "apigateway:GET"] {
        let sandbox = denying(&[action]);
        let Err(Error::Refused(refusals)) = sandbox.try_provision() else { panic!("{action}: not refused") };
        assert!(refusals.iter().any(|refusal| refusal.reason.contains(action)), "{action}: {refusals:#?}");
        assert_eq!(sandbox.mutating(), Vec::<String>::new(), "{action}");
    }
}

#[test]
fn a_denied_change_says_what_is_done_and_what_is_left() {
    for action in ["dynamodb:CreateTable", "lambda:CreateFunction", "lambda:AddPermission", "iam:PassRole"] {
        // Where IAM cannot be asked, nobody knows before.
        let sandbox = denying(&[action, "iam:Get*", "iam:List*", "iam:SimulatePrincipalPolicy"]);
        let error = sandbox.try_provision().expect_err(action);
        let Error::Incomplete { left, errors, .. } = &error else { panic!("{action}: {error:#?}") };
        assert!(errors.iter().any(|error| error.said.as_ref().is_some_and(|said| said.contains(action))), "{action}: {error:#?}");
        assert!(!left.is_empty() || action == "lambda:AddPermission", "{action}: {error:#?}");
    }
}

#[test]
fn the_role_that_people_find_first_gets_route_responses() {
    let mut sandbox = Sandbox::new();
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    let made = sandbox.provision();
    assert_eq!(made.outputs.reply, "route-response");
    assert!(
        made.plan.notes.iter().any(|note| note.contains("route-response") && note.contains("ManageConnections")),
        "{:#?}",
        made.plan.notes
    );
    sandbox.config.existing_role = Some(GOOD_ROLE.to_owned());
    let changed = differences(&sandbox.plan());
    assert!(changed.contains(&"function websocket-handler: role".to_owned()), "{changed:#?}");
    assert!(changed.contains(&"table WebSocketConnections: resource_policy".to_owned()), "{changed:#?}");
    assert!(changed.contains(&"route response $default: deleted".to_owned()), "{changed:#?}");
    assert_eq!(sandbox.provision().outputs.reply, "management-api");
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    // A role named by its ARN is the same role.
    sandbox.config.existing_role = Some("arn:aws:iam::111122223333:role/websocket-handler-role".to_owned());
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

fn refused(sandbox: &Sandbox) -> Vec<String> {
    sandbox.cloud.calls().clear();
    let refused = sandbox.try_provision();
    let Err(Error::Refused(refusals)) = refused else { panic!("not refused: {refused:#?}") };
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    assert!(refusals.iter().all(|refusal| !refusal.remedy.is_empty()), "{refusals:#?}");
    refusals.into_iter().map(|refusal| format!("{}: {}", refusal.resource, refusal.reason)).collect()
}

#[test]
fn roles_that_cannot_serve_are_refused() {
    let mut sandbox = Sandbox::new();
    for (role, reason) in [
        ("nobody", "there is no such role"),
        ("ec2-instance", "trust policy"),
        ("arn:aws:iam::111122223333:role/x/websocket-handler-role", "is arn:"),
    ] {
        sandbox.config.existing_role = Some(role.to_owned());
        let refusals = refused(&sandbox);
        assert!(refusals.len() == 1 && refusals[0].contains(reason), "{refusals:#?}");
    }
    sandbox.config.existing_role = None;
    sandbox.cloud.calls().clear();
    let Err(Error::Choice(roles)) = sandbox.try_provision() else { panic!("nothing to choose") };
    let names: Vec<&str> = roles.iter().map(Judged::name).collect();
    assert_eq!(names, ["nightly-report-role-x7k2", GOOD_ROLE, WEAK_ROLE]);
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    // A stack that stands goes on with the role that it has.
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    sandbox.provision();
    sandbox.config.existing_role = None;
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

/// Makes a stack by the same names that is not this stack's.
fn strangers(aws: &Aws, config: &wsfix::config::Config) {
    use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
    block_on(async {
        let key = KeySchemaElement::builder().attribute_name("connectionId").key_type(KeyType::Hash).build().expect("a key");
        let attribute = AttributeDefinition::builder().attribute_name("connectionId").attribute_type(ScalarAttributeType::S).build();
        let call = aws.dynamodb.create_table().table_name(&config.table).billing_mode(BillingMode::PayPerRequest);
        call.key_schema(key).attribute_definitions(attribute.expect("an attribute")).send().await.expect("a table");
        let call = aws.api.create_api().name(&config.api.name).protocol_type(aws_sdk_apigatewayv2::types::ProtocolType::Websocket);
        call.route_selection_expression("$request.body.action").tags("wsfix:stack", "other").send().await.expect("an api");
        aws.logs.create_log_group().log_group_name(format!("/aws/lambda/{}", config.function.name)).send().await.expect("a log group");
    });
}

#[test]
fn what_belongs_to_others_is_neither_changed_nor_deleted() {
    let sandbox = Sandbox::new();
    strangers(&sandbox.aws(), &sandbox.config);
    let before = sandbox.leftovers();
    let refusals = refused(&sandbox);
    assert_eq!(refusals.len(), 3, "{refusals:#?}");
    assert!(refusals.iter().any(|refusal| refusal.starts_with("api ") && refusal.contains("`other`")), "{refusals:#?}");
    assert!(sandbox.teardown().is_empty());
    assert_eq!(sandbox.leftovers(), before);
}

#[test]
fn of_two_apis_with_the_mark_one_without_a_stage_goes_and_another_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.provision();
    let aws = sandbox.aws();
    let call = aws.api.create_api().name("Copy").protocol_type(aws_sdk_apigatewayv2::types::ProtocolType::Websocket);
    let call = call.route_selection_expression("$request.body.action").tags("wsfix:stack", "terminal");
    let made = block_on(call.send()).expect("an api");
    let id = made.api_id().expect("its id");
    let plan = sandbox.plan();
    assert_eq!(differences(&plan), [format!("spare api {id}: deleted")]);
    assert!(plan.changes().flat_map(|step| &step.calls).all(|call| call.name == "DeleteApi"), "{plan:#?}");
    block_on(aws.api.create_stage().api_id(id).stage_name("test").send()).expect("a stage");
    let refusals = refused(&sandbox);
    assert!(refusals.len() == 1 && refusals[0].contains("2 APIs have this stack's mark"), "{refusals:#?}");
    assert!(matches!(sandbox.try_teardown(), Err(Error::Refused(_))));
}

#[test]
fn a_changed_name_orphans_nothing_in_silence() {
    let mut sandbox = Sandbox::new();
    sandbox.provision();
    let original = sandbox.config.clone();

    sandbox.config.table = "Connections2".to_owned();
    let refusals = refused(&sandbox);
    assert!(refusals.len() == 1 && refusals[0].contains("`WebSocketConnections`"), "{refusals:#?}");

    sandbox.config = original.clone();
    sandbox.config.function.name = "handler2".to_owned();
    let refusals = refused(&sandbox);
    assert!(refusals.len() == 1 && refusals[0].contains("`websocket-handler`"), "{refusals:#?}");

    sandbox.config = original.clone();
    sandbox.config.stack = "second".to_owned();
    assert_eq!(refused(&sandbox).len(), 4);

    sandbox.config = original.clone();
    sandbox.config.api.name = "Renamed".to_owned();
    assert!(matches!(sandbox.try_teardown(), Err(Error::Refused(_))));
    assert_eq!(
        differences(&sandbox.plan()),
        ["api TerminalWebSocketAPI: name"].map(|text| text.replace("TerminalWebSocketAPI", "Renamed"))
    );
    sandbox.provision();
    assert_eq!(sandbox.leftovers().len(), 4);

    sandbox.config.api.stage = "v2".to_owned();
    sandbox.provision();
    let plan = sandbox.plan();
    assert_eq!(differences(&plan), Vec::<String>::new());
    assert!(plan.notes.iter().any(|note| note.contains("stage `prod`")), "{:#?}", plan.notes);
    sandbox.teardown();
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[test]
fn keys_that_aws_cannot_change_are_refused() {
    use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, Tag};
    let sandbox = Sandbox::new();
    let aws = sandbox.aws();
    block_on(async {
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().expect("a key");
        let attribute = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
        let call = aws.dynamodb.create_table().table_name("WebSocketConnections").billing_mode(BillingMode::PayPerRequest);
        let call = call.tags(Tag::builder().key("wsfix:stack").value("terminal").build().expect("a tag"));
        call.key_schema(key).attribute_definitions(attribute.expect("an attribute")).send().await.expect("a table");
    });
    let refusals = refused(&sandbox);
    assert!(refusals.len() == 1 && refusals[0].contains("its key is `id HASH`"), "{refusals:#?}");
}
