//! Lines 13 and 18: who is denied, in whose words; and who callers are.

use serde_json::{Value, json};

use super::wire::{Lab, Reply, until};

const USER: &str = "User: arn:aws:iam::111122223333:user/dev is not authorized to perform:";

/// An account whose user may do everything but this action.
fn denied(action: &str) -> Lab {
    Lab::account(&format!(
        "extends: default\nusers:\n  - name: dev\n    managed_policies: [all-but-one]\npolicies:\n  all-but-one:\n    Version: '2012-10-17'\n    Statement:\n      \
         - {{Effect: Allow, Action: '*', Resource: '*'}}\n      - {{Effect: Deny, Action: '{action}', Resource: '*'}}\n"
    ))
}

/// An account file with one user and this policy, and these lines more.
fn only(policy: &str, more: &str) -> Lab {
    Lab::account(&format!(
        "account: '111122223333'\nusers:\n  - {{name: dev, access_key_id: AKIAWSFIXLOCALDEV001, secret_access_key: s, managed_policies: [own]}}\n\
         policies:\n  own: {{Version: '2012-10-17', Statement: [{policy}]}}\n{more}"
    ))
}

/// The action, the call that asks for it, and what it is denied on.
async fn attempt(lab: &Lab, action: &str) -> Reply {
    let function = json!({"FunctionName": "f", "Role": super::wire::ROLE, "Runtime": "provided.al2023", "Handler": "b", "Tags": {"k": "v"},
        "Code": {"ZipFile": super::wire::zipped(("bootstrap", 0o755, b"#!/bin/sh\n"))}});
    let table = json!({"TableName": "ttt", "BillingMode": "PAY_PER_REQUEST", "Tags": [{"Key": "k", "Value": "v"}],
        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}]});
    let api = json!({"name": "a", "protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action"});
    match action {
        "apigateway:GET" => lab.api("GET", "/apis", Value::Null).await,
        "apigateway:POST" => lab.api("POST", "/apis", api).await,
        "apigateway:PATCH" => lab.api("PATCH", "/apis/abc", json!({})).await,
        "apigateway:DELETE" => lab.api("DELETE", "/apis/abc", Value::Null).await,
        "lambda:CreateFunction" | "lambda:TagResource" | "iam:PassRole" => lab.lambda("POST", "", function).await,
        "lambda:GetFunction" => lab.lambda("GET", "/f", Value::Null).await,
        "lambda:AddPermission" => lab.permit("f", "s", "abc/*").await,
        "lambda:GetPolicy" => lab.lambda("GET", "/f/policy", Value::Null).await,
        "lambda:DeleteFunction" => lab.lambda("DELETE", "/f", Value::Null).await,
        "lambda:InvokeFunction" => lab.lambda("POST", "/f/invocations", json!({})).await,
        "dynamodb:CreateTable" | "dynamodb:TagResource" => lab.dynamodb("CreateTable", table).await,
        "dynamodb:DescribeTable" => lab.dynamodb("DescribeTable", json!({"TableName": "ttt"})).await,
        "dynamodb:PutItem" => lab.dynamodb("PutItem", json!({"TableName": "ttt", "Item": {"a": {"S": "x"}}})).await,
        "logs:CreateLogGroup" => lab.logs("CreateLogGroup", json!({"logGroupName": "g"})).await,
        "logs:DescribeLogGroups" => lab.logs("DescribeLogGroups", json!({})).await,
        "ssm:GetParameter" => {
            let headers = [("x-amz-target", "AmazonSSM.GetParameter"), ("content-type", "application/x-amz-json-1.1")];
            lab.send("ssm", "POST", "/", &headers, br#"{"Name":"/wsfix/jwt-secret"}"#).await
        }
        "secretsmanager:GetSecretValue" => {
            let headers = [("x-amz-target", "secretsmanager.GetSecretValue"), ("content-type", "application/x-amz-json-1.1")];
            lab.send("secretsmanager", "POST", "/", &headers, br#"{"SecretId":"wsfix/jwt-secret"}"#).await
        }
        "iam:GetRole" => lab.form("iam", "Action=GetRole&RoleName=websocket-handler-role").await,
        "iam:ListRoles" => lab.form("iam", "Action=ListRoles").await,
        other => panic!("nothing asks for {other}"),
    }
}

#[tokio::test]
async fn line_13_each_action_can_be_denied_in_the_shape_of_its_service() {
    for action in [
        "apigateway:GET",
        "apigateway:POST",
        "apigateway:PATCH",
        "apigateway:DELETE",
        "lambda:CreateFunction",
        "lambda:TagResource",
        "lambda:GetFunction",
        "lambda:AddPermission",
        "lambda:GetPolicy",
        "lambda:DeleteFunction",
        "lambda:InvokeFunction",
        "iam:PassRole",
        "dynamodb:CreateTable",
        "dynamodb:TagResource",
        "dynamodb:DescribeTable",
        "dynamodb:PutItem",
        "logs:CreateLogGroup",
        "logs:DescribeLogGroups",
        "ssm:GetParameter",
        "secretsmanager:GetSecretValue",
        "iam:GetRole",
        "iam:ListRoles",
    ] {
        let lab = denied(action);
        let reply = attempt(&lab, action).await;
        let text = format!("{USER} {action} on resource: ");
        assert!(reply.body.contains(&text) && reply.body.contains(" with an explicit deny in an identity-based policy"), "{reply:#?}");
        // A role that may not be passed is Lambda's denial, and has Lambda's shape.
        let service = if action == "iam:PassRole" { "lambda" } else { action.split(':').next().unwrap_or_default() };
        match service {
            "apigateway" => assert!(reply.status == 403 && reply.json()["message"].is_string(), "{reply:#?}"),
            "lambda" => assert!(reply.status == 403 && reply.json()["Message"].is_string(), "{reply:#?}"),
            "dynamodb" => {
                let kind = "com.amazon.coral.service#AccessDeniedException";
                assert!(reply.status == 400 && reply.json()["__type"] == kind && reply.json()["Message"].is_string(), "{reply:#?}");
            }
            "iam" => assert!(reply.status == 403 && reply.body.contains("<Code>AccessDenied</Code><Message>"), "{reply:#?}"),
            _ => assert!(reply.status == 400 && reply.json()["__type"] == "AccessDeniedException", "{reply:#?}"),
        }
        if ["apigateway", "lambda"].contains(&service) {
            assert_eq!(reply.header("x-amzn-errortype"), "AccessDeniedException");
        }
    }
}

#[tokio::test]
async fn line_13_the_words_say_which_kind_of_policy_denies() {
    let all = "{Effect: Allow, Action: '*', Resource: '*'}";
    let deny = "{Effect: Deny, Action: 'lambda:*', Resource: '*'}";
    let text = async |lab: Lab| lab.lambda("GET", "", Value::Null).await.message();
    let who = format!("{USER} lambda:ListFunctions on resource: *");
    let none = |kind: &str| format!("{who} because no {kind} allows the lambda:ListFunctions action");
    let arn = "arn:aws:iam::111122223333:policy/own";
    let explicit = format!("{who} with an explicit deny in an identity-based policy");
    assert_eq!(text(only("{Effect: Allow, Action: 'logs:*', Resource: '*'}", "")).await, none("identity-based policy"));
    assert_eq!(text(only(&format!("{all}, {deny}"), "")).await, format!("{explicit}: {arn}"));
    assert_eq!(text(only(&format!("{all}, {deny}"), "denials: without-policy\n")).await, explicit);
    assert_eq!(text(only(&format!("{all}, {deny}"), "denials: without-reason\n")).await, who);
    assert_eq!(text(only(&format!("{all}, {deny}"), "denials: bare\n")).await, "Access Denied");
    let scp = |statement: &str| format!("service_control_policies:\n  guard: {{Version: '2012-10-17', Statement: [{statement}]}}\n");
    let guard = text(only(all, &scp(deny))).await;
    assert!(guard.starts_with(&format!("{who} with an explicit deny in a service control policy: arn:aws:organizations::")), "{guard}");
    assert_eq!(text(only(all, &scp("{Effect: Allow, Action: 'logs:*', Resource: '*'}"))).await, none("service control policy"));
    let boundary = |statement: &str| {
        Lab::account(&format!(
            "account: '111122223333'\nusers:\n  - {{name: dev, access_key_id: AKIAWSFIXLOCALDEV001, secret_access_key: s, managed_policies: [own], \
             permissions_boundary: edge}}\npolicies:\n  own: {{Version: '2012-10-17', Statement: [{all}]}}\n  edge: {{Version: '2012-10-17', \
             Statement: [{statement}]}}\n"
        ))
    };
    assert_eq!(text(boundary("{Effect: Allow, Action: 'logs:*', Resource: '*'}")).await, none("permissions boundary"));
    let edge = format!("{who} with an explicit deny in a permissions boundary: arn:aws:iam::111122223333:policy/edge");
    assert_eq!(text(boundary(&format!("{all}, {deny}"))).await, edge);
}

/// The handler's role may not post: told by the gateway, with the account masked, and without a reason.
#[tokio::test]
async fn line_13_a_denial_of_connections_is_masked() {
    let lab = denied("execute-api:ManageConnections");
    let api = lab.served("", &["$connect"]).await;
    let reply = lab.connections("POST", &format!("{api}/prod/@connections/R1kmxc2VNjMCFIA%3D"), b"x").await;
    let resource = format!("arn:aws:execute-api:us-east-1:********3333:{api}/prod/POST/@connections/{{connectionId}}");
    reply.is(403, "AccessDeniedException", "");
    assert_eq!(reply.message(), format!("{USER} execute-api:ManageConnections on resource: {resource}"));
}

#[tokio::test]
async fn line_18_a_trust_policy_is_percent_encoded_and_roles_have_paths() {
    let lab = Lab::account("role-path");
    let roles = lab.form("iam", "Action=ListRoles").await.body;
    let arns: Vec<&str> = roles.split("<Arn>").skip(1).filter_map(|rest| rest.split("</Arn>").next()).collect();
    let with_path = arns.iter().find(|arn| arn.matches('/').count() > 1).unwrap_or_else(|| panic!("{arns:?}"));
    let name = with_path.rsplit('/').next().unwrap_or_default();
    let role = lab.form("iam", &format!("Action=GetRole&RoleName={name}")).await.body;
    assert!(role.contains(&format!("<Arn>{with_path}</Arn>")), "{role}");
    let document = role.split("<AssumeRolePolicyDocument>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
    assert!(document.starts_with("%7B%22") && !document.contains('{') && !document.contains('+'), "{document}");
    let decoded = percent_encoding::percent_decode_str(document).decode_utf8_lossy();
    assert!(serde_json::from_str::<Value>(&decoded).is_ok_and(|trust| trust["Statement"].is_array()), "{decoded}");
}

#[tokio::test]
async fn line_18_callers_are_users_sessions_and_the_account_itself() {
    for (account, begin, end) in [
        ("default", "arn:aws:iam::111122223333:user/", "dev"),
        ("named-user", "arn:aws:iam::111122223333:user/", "@"),
        ("assumed-role", "arn:aws:sts::111122223333:assumed-role/", "/"),
        ("sso-role", "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_", "/"),
        ("root", "arn:aws:iam::111122223333:root", ""),
    ] {
        let identity = Lab::account(account).form("sts", "Action=GetCallerIdentity").await.body;
        let arn = identity.split("<Arn>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
        assert!(arn.starts_with(begin) && arn[begin.len()..].contains(end), "{account}: {arn}");
        assert!(identity.contains("<Account>111122223333</Account>"), "{identity}");
    }
    // A session's ARN has not its role's path; IAM has.
    let lab = Lab::account("sso-role");
    let roles = lab.form("iam", "Action=ListRoles").await.body;
    assert!(roles.contains(":role/aws-reserved/sso.amazonaws.com/"), "{roles}");
}

/// A policy with conditions on who asks is obeyed for a function's session too.
#[tokio::test]
async fn line_18_a_function_is_a_session_of_its_role() {
    let lab = Lab::new();
    lab.function("f", "result = os.environ['AWS_ACCESS_KEY_ID'][:4]").await;
    let (answer, _) = lab.invoke("f", json!({})).await;
    assert_eq!(answer, "ASIA");
    until(async || (lab.events().len() == 1).then_some(())).await.expect("an event");
}
