//! `wsfix roles`, and how a role is found where none is named.

use wsfix::local::account::Account;
use wsfix::local::{Cloud, Options};

use super::tool::{Ended, Tool};

/// The tool in one of the accounts that come with it.
fn of(account: &str) -> (Cloud, Tool) {
    let account = Account::of(account).expect("an account");
    let cloud = Cloud::start(Options { account, ..Options::default() }).expect("a cloud");
    let tool = Tool::of(&cloud);
    (cloud, tool)
}

fn show(ended: &Ended) -> String {
    format!("{}{}exit {}", ended.out, ended.err, ended.code.unwrap_or(-1))
}

/// What the tool says in an account.
fn said(account: &str, arguments: &[&str]) -> String {
    let (_cloud, tool) = of(account);
    show(&tool.run(arguments))
}

#[test]
fn the_roles_of_the_built_in_account() {
    insta::assert_snapshot!(said("default", &["roles", "--all"]), @r"
      ROLE                                   FITNESS        WHY
      service-role/nightly-report-role-x7k2  fit
      websocket-handler-role                 fit
      lambda_basic_execution                 fit with help  the table's resource policy lets it in; replies travel by route-response
      partner-functions                      unknown        a condition on aws:SourceAccount in its trust policy decides; the function runs, and writes no log lines at all
      apigateway-logs                        not fit        its trust policy names apigateway.amazonaws.com, not lambda.amazonaws.com
      ec2-instance                           not fit        its trust policy names ec2.amazonaws.com, not lambda.amazonaws.com
      edge-functions                         not fit        its trust policy names edgelambda.amazonaws.com, not lambda.amazonaws.com

    `wsfix roles nightly-report-role-x7k2` says more; `wsfix provision --existing-role nightly-report-role-x7k2` uses it.
    exit 0
    ");
}

#[test]
fn one_role_has_each_permission_with_its_evidence() {
    insta::assert_snapshot!(said("weak-role", &["roles", "lambda_basic_execution"]), @r"
    role `lambda_basic_execution`: fit with help

      ARN    arn:aws:iam::111122223333:role/lambda_basic_execution
      trust  lambda.amazonaws.com may assume it
      reply  route-response: the role may not do execute-api:ManageConnections (no identity-based policy allows it), which this mode does not need

      PERMISSION                     ON                                         ANSWER
      dynamodb:PutItem               WebSocketConnections                       denied   no identity-based policy allows it; the table's resource policy lets it in
      dynamodb:GetItem               WebSocketConnections                       denied   no identity-based policy allows it; the table's resource policy lets it in
      dynamodb:DeleteItem            WebSocketConnections                       denied   no identity-based policy allows it; the table's resource policy lets it in
      dynamodb:UpdateItem            WebSocketConnections                       denied   no identity-based policy allows it; the table's resource policy lets it in
      dynamodb:Query                 WebSocketConnections/index/SessionIdIndex  denied   no identity-based policy allows it; the table's resource policy lets it in
      execute-api:ManageConnections  prod/POST/@connections/*                   denied   no identity-based policy allows it; replies travel by route response
      logs:CreateLogStream           /aws/lambda/websocket-handler:*            allowed  by AWSLambdaBasicExecutionRole
      logs:PutLogEvents              /aws/lambda/websocket-handler:*            allowed  by AWSLambdaBasicExecutionRole

    Left to ask for: nothing.
    Not needed, but the role would do without help:
      allow the role dynamodb:PutItem, GetItem, DeleteItem, UpdateItem on arn:aws:dynamodb:us-east-1:111122223333:table/WebSocketConnections
      allow the role dynamodb:Query on arn:aws:dynamodb:us-east-1:111122223333:table/WebSocketConnections/index/SessionIdIndex
      allow the role execute-api:ManageConnections on arn:aws:execute-api:us-east-1:111122223333:*/prod/POST/@connections/*
    exit 0
    ");
}

/// Where the simulation is denied, reading the policies comes to the same.
#[test]
fn both_ways_to_judge_agree() {
    assert_eq!(said("simulate-denied", &["roles", "--all"]), said("default", &["roles", "--all"]));
    let details = |account| said(account, &["roles", "websocket-handler-role"]);
    assert_eq!(details("simulate-denied"), details("default"));
}

#[test]
fn several_roles_and_nobody_to_ask_are_a_list() {
    insta::assert_snapshot!(said("several-fit-roles", &["provision", "--existing-role"]).split_once("error").map_or("", |(_, rest)| rest), @r"
    : 3 roles of the account can serve, and none is the best:
        arn:aws:iam::111122223333:role/chat-handler  (fit)
        arn:aws:iam::111122223333:role/websocket-handler-role  (fit)
        arn:aws:iam::111122223333:role/lambda_basic_execution  (fit with help: the table's resource policy lets it in; replies travel by route-response)
    hint: name one with `--existing-role` (`existing_role` in the config); `wsfix roles` says more about them
    exit 2
    ");
}

#[test]
fn the_only_role_that_serves_is_taken() {
    for (account, role) in [("weak-role", "lambda_basic_execution"), ("role-path", "service-role/chat-handler-role-a1b2c3d4")] {
        let (_cloud, tool) = of(account);
        let ended = tool.run(&["provision", "--existing-role", "--output", "json"]);
        assert_eq!(ended.code, Some(0), "{}", show(&ended));
        assert!(ended.out.contains(&format!("\"role_arn\": \"arn:aws:iam::111122223333:role/{role}\"")), "{}", ended.out);
    }
}

#[test]
fn names_that_are_not_there_are_told_with_those_that_are() {
    insta::assert_snapshot!(said("default", &["roles", "lambda-basic-execution"]), @r"
    error: role lambda-basic-execution: there is no such role
    hint: did you mean `lambda_basic_execution`? `wsfix roles` lists those that fit
    exit 1
    ");
    insta::assert_snapshot!(said("default", &["roles", "arn:aws:iam::444455556666:role/x"]), @r"
    error: role arn:aws:iam::444455556666:role/x: it is of the account 444455556666, and the credentials are of 111122223333: Lambda takes a role of its own account alone
    hint: name another role with `--existing-role` (`existing_role` in the config); `wsfix roles` lists those that fit
    exit 1
    ");
    insta::assert_snapshot!(said("default", &["roles", "ec2-instance"]), @r"
    role `ec2-instance`: not fit

      ARN    arn:aws:iam::111122223333:role/ec2-instance
      trust  its trust policy names ec2.amazonaws.com, not lambda.amazonaws.com

    Left to ask for: a trust policy that lets lambda.amazonaws.com do sts:AssumeRole.
    exit 3
    ");
}

/// Roles of many shapes, and what becomes of each.
const SHAPES: &[(&str, &str, &str)] = &[
    ("everything", "[{Effect: Allow, Action: '*', Resource: '*'}]", "fit"),
    ("all-but-iam", "[{Effect: Allow, NotAction: 'iam:*', Resource: '*'}]", "fit"),
    ("services", "[{Effect: Allow, Action: ['dynamodb:*', 'execute-api:Manage*', 'logs:*'], Resource: '*'}]", "fit"),
    ("this-region", "[{Effect: Allow, Action: '*', Resource: '*', Condition: {StringEquals: {'aws:RequestedRegion': us-east-1}}}]", "fit"),
    (
        "other-region",
        "[{Effect: Allow, Action: '*', Resource: '*', Condition: {StringEquals: {'aws:RequestedRegion': eu-west-1}}}]",
        "fit with help",
    ),
    (
        "this-function",
        "[{Effect: Allow, Action: '*', Resource: '*', Condition: {ArnLike: {'lambda:SourceFunctionArn': 'arn:aws:lambda:*:*:function:websocket-*'}}}]",
        "fit",
    ),
    ("some-address", "[{Effect: Allow, Action: '*', Resource: '*', Condition: {IpAddress: {'aws:SourceIp': 10.0.0.0/8}}}]", "unknown"),
    (
        "no-index",
        "[{Effect: Allow, Action: 'dynamodb:*', Resource: '*/WebSocketConnections'}, {Effect: Allow, Action: ['execute-api:*', 'logs:*'], Resource: '*'}]",
        "fit with help",
    ),
    ("all-but-table", "[{Effect: Allow, Action: '*', NotResource: '*/WebSocketConnections'}]", "fit with help"),
    ("denies-items", "[{Effect: Allow, Action: '*', Resource: '*'}, {Effect: Deny, Action: 'dynamodb:Delete*', Resource: '*'}]", "not fit"),
    (
        "denies-all-else",
        "[{Effect: Allow, Action: '*', Resource: '*'}, {Effect: Deny, NotAction: ['logs:*', 'dynamodb:*'], Resource: '*'}]",
        "fit with help",
    ),
    ("denies-logs", "[{Effect: Allow, Action: '*', Resource: '*'}, {Effect: Deny, Action: 'logs:*', Resource: '*'}]", "fit"),
    ("bounded", "[{Effect: Allow, Action: '*', Resource: '*'}]", "not fit"),
];

/// Each shape as [`SHAPES`] says, by simulation and, where that is denied, by reading.
#[test]
fn roles_of_many_shapes() {
    for denied in ["iam:CreateRole", "iam:SimulatePrincipalPolicy"] {
        let mut text = format!(
            "account: '111122223333'\nusers:\n- name: dev\n  access_key_id: AKIAWSFIXLOCALDEV001\n  secret_access_key: wsfix-local-secret\n  inline_policies:\n    \
             all: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Action: '*', Resource: '*'}}, {{Effect: Deny, Action: '{denied}', Resource: '*'}}]}}\n\
             policies:\n  Logs: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Action: 'logs:*', Resource: '*'}}]}}\nroles:\n"
        );
        for (name, statements, _) in SHAPES {
            let boundary = if *name == "bounded" { "  permissions_boundary: Logs\n" } else { "" };
            text += &format!(
                "- name: {name}\n{boundary}  trust: {{Version: '2012-10-17', Statement: [{{Effect: Allow, Principal: {{Service: lambda.amazonaws.com}}, Action: 'sts:AssumeRole'}}]}}\n  \
                 inline_policies:\n    own: {{Version: '2012-10-17', Statement: {statements}}}\n"
            );
        }
        let account = Account::parse(&text, "shapes").unwrap_or_else(|error| panic!("{error}\n{text}"));
        let cloud = Cloud::start(Options { account, ..Options::default() }).expect("a cloud");
        let ended = Tool::of(&cloud).run(&["roles", "--all", "--output", "json"]);
        let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", show(&ended)));
        let roles = document["result"]["roles"].as_array().expect("roles");
        for (name, _, fitness) in SHAPES {
            let role = roles.iter().find(|role| role["name"] == *name).unwrap_or_else(|| panic!("{name} is not listed"));
            assert_eq!(role["fitness"], *fitness, "{name}, {denied} denied: {role:#}");
        }
    }
}

/// A role that is named is judged as far as it can be, whatever is denied.
#[test]
fn what_cannot_be_read_is_unknown_and_stops_nothing() {
    let one = "lambda_basic_execution";
    let denied = "iam:SimulatePrincipalPolicy is denied; iam:ListAttachedRolePolicies is denied";
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("list-roles-denied", &["roles"], &["the account's roles cannot be listed", "iam:ListRoles", "wsfix roles NAME", "exit 1"]),
        ("list-roles-denied", &["roles", one], &["fit with help", "exit 0"]),
        ("get-role-denied", &["roles", one], &["fit with help", "lambda.amazonaws.com may assume it", "exit 0"]),
        ("iam-denied", &["roles", one], &["`: unknown", "its trust policy cannot be read", denied, "exit 0"]),
        ("bounded-role", &["roles", "bounded-handler"], &["not fit", "let the permissions boundary allow dynamodb:PutItem", "exit 3"]),
    ];
    for (account, arguments, words) in cases {
        let told = said(account, arguments);
        for word in *words {
            assert!(told.contains(word), "{account}: `{word}` is missing in\n{told}");
        }
    }
}
