//! Requests of accounts that were read, not read, or lack things.

use serde_json::{Value, json};

use super::*;
use crate::config::Settings;
use crate::provision::desired::tests::desired;
use crate::provision::observed::Place;

const USER: &str = "arn:aws:iam::111122223333:user/dev@example";

fn seen(caller: &str) -> Observed {
    let place = Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() };
    Observed { place, caller: caller.to_owned(), ..Observed::default() }
}

fn request(caller: &str, role: Option<&str>) -> Request {
    let want = desired(Settings { existing_role: role.map(str::to_owned), ..Settings::default() });
    let statement = json!({ "Sid": "NoTables", "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*" });
    let culprit = Culprit {
        action: "dynamodb:CreateTable".to_owned(),
        resource: "arn:aws:dynamodb:eu-west-1:111122223333:table/WebSocketConnections".to_owned(),
        policy: "Guard".to_owned(),
        arn: Some("arn:aws:iam::111122223333:policy/Guard".to_owned()),
        layer: crate::provision::evidence::Layer::Identity,
        sid: Some("NoTables".to_owned()),
        statement,
    };
    Request::new(&want, &seen(caller), &[culprit])
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().expect("statements")
}

#[test]
fn policies_are_short_enough_and_name_nothing_whole() {
    let request = request(USER, Some("r"));
    let policies = request.deployer.iter().chain(&request.role.policy);
    for policy in policies {
        assert!(policy.document.to_string().len() <= 6144, "{}", policy.name);
        let mut sids = Vec::new();
        for statement in statements(&policy.document) {
            let sid = statement["Sid"].as_str().expect("a sid").to_owned();
            assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !sids.contains(&sid), "{sid}");
            let listed = |name: &str| roles::items(&statement[name]).filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
            assert!(listed("Action").iter().all(|action| !action.contains('*')), "{statement}");
            assert!(listed("Resource").iter().all(|resource| resource != "*"), "{statement}");
            sids.push(sid);
        }
        let explained: usize = policy.statements.iter().map(|statement| statement.reasons.len()).sum();
        assert!(explained >= policy.statements.iter().map(|statement| statement.actions.len()).sum());
    }
}

#[test]
fn a_long_policy_becomes_several() {
    let statement = |sid: usize| Statement {
        sid: format!("S{sid}"),
        actions: vec!["a:B".to_owned()],
        resources: vec!["x".repeat(2000)],
        condition: None,
        optional: false,
        reasons: Vec::new(),
    };
    let policies = Policy::split("p", (0..5).map(statement).collect());
    assert_eq!(policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["p-1", "p-2", "p-3"]);
    assert_eq!(policies.iter().map(|policy| policy.statements.len()).sum::<usize>(), 5);
}

#[test]
fn who_asks_decides_how_it_is_attached() {
    let of = |caller: &str| Principal::of(caller);
    let is = |kind, name: &str| Principal { kind, name: name.to_owned() };
    assert_eq!(of("arn:aws:iam::1:user/team/ann@x"), is(PrincipalKind::User, "ann@x"));
    assert_eq!(of("arn:aws:sts::1:assumed-role/Dev/ann"), is(PrincipalKind::Role, "Dev"));
    assert_eq!(of("arn:aws:sts::1:assumed-role/AWSReservedSSO_Dev_0a/ann").kind, PrincipalKind::PermissionSet);
    assert_eq!(of("arn:aws:iam::1:root"), is(PrincipalKind::Other, ""));
}

#[test]
fn a_role_that_is_not_there_is_made_with_the_least() {
    let request = request(USER, None);
    assert_eq!((request.role.standing, request.role.name.as_str()), (Standing::Missing, "websocket-handler-role"));
    let text = request.markdown();
    assert!(text.contains("aws iam create-role --role-name websocket-handler-role"), "{text}");
    assert!(text.contains(
        "aws iam attach-user-policy --user-name dev@example --policy-arn arn:aws:iam::111122223333:policy/wsfix-terminal-deployer"
    ));
    assert!(text.contains("Placeholder: the API is not made yet"), "{text}");
    let template = request.cloudformation();
    assert_eq!(template["Resources"]["HandlerRole"]["Properties"]["RoleName"], "websocket-handler-role");
    assert_eq!(template["Resources"]["DeployerPolicy1"]["Properties"]["Users"], json!(["dev@example"]));
    let terraform = request.terraform();
    assert!(
        terraform.contains("resource \"aws_iam_role\" \"handler\"") && terraform.contains("role = aws_iam_role.handler.name"),
        "{terraform}"
    );
    let json = request.json();
    assert_eq!(json["role"]["trust_policy"]["Statement"][0]["Principal"]["Service"], "lambda.amazonaws.com");
}

#[test]
fn a_path_is_kept() {
    let request = request(USER, Some("arn:aws:iam::111122223333:role/service-role/x"));
    assert_eq!((request.role.name.as_str(), request.role.path.as_str()), ("x", "/service-role/"));
    assert_eq!(path("arn:aws:iam::111122223333:role/x"), "/");
}

#[test]
fn an_obstacle_comes_with_a_correction_and_never_with_an_allow() {
    let text = request(USER, None).markdown();
    let (_, obstacles) = text.split_once("## 3. What stands in the way").expect("obstacles");
    assert!(obstacles.contains("statement `NoTables`") && obstacles.contains("NotResource"), "{obstacles}");
    assert!(!obstacles.contains("\"Allow\""), "{obstacles}");
}

#[test]
fn texts_of_a_template_are_escaped_for_terraform() {
    let mut request = request(USER, None);
    request.role.name = "r${x}%{y}\"".to_owned();
    let terraform = request.terraform();
    assert!(terraform.contains(r#"name = "r$${x}%%{y}\"""#), "{terraform}");
}
