//! The request to an administrator: what it asks for is enough, and nothing that it calls needed can be left out.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wsfix::local::Options;
use wsfix::local::account::Account;
use wsfix::provision::Error;

use super::support::Sandbox;
use super::tool::Tool;

/// An account in which somebody has keys and nothing else, but for these policies and this role.
fn account(policies: &Value, roles: &Value) -> Account {
    let user = json!({
        "name": "dev", "access_key_id": "AKIAWSFIXLOCALDEV001", "secret_access_key": "wsfix-local-secret", "inline_policies": policies,
    });
    Account::parse(&json!({ "account": "111122223333", "users": [user], "roles": roles }).to_string(), "test").expect("an account")
}

fn sandbox(account: Account) -> Sandbox {
    Sandbox::with(Options { account, ..Options::default() })
}

/// What somebody without any right asks for.
fn request() -> Value {
    let mut sandbox = sandbox(account(&json!({}), &json!([])));
    sandbox.config.existing_role = None;
    sandbox.request().json()
}

/// The user's policies and the role, as an administrator would make them from the request.
fn granted(request: &Value) -> (Value, Value) {
    let policies = request["deployer"].as_array().expect("policies").iter();
    let policies: serde_json::Map<String, Value> =
        policies.map(|policy| (policy["name"].as_str().expect("a name").to_owned(), policy["document"].clone())).collect();
    let role = &request["role"];
    let role = json!([{
        "name": role["name"], "trust": role["trust_policy"], "inline_policies": { "handler": role["policy"]["document"] },
    }]);
    (policies.into(), role)
}

fn with_the_role_of(request: &Value, account: Account) -> Sandbox {
    let mut sandbox = sandbox(account);
    sandbox.config.existing_role = request["role"]["name"].as_str().map(str::to_owned);
    sandbox
}

/// Makes the stack and deletes it.
fn life(sandbox: &Sandbox) -> Result<(), Error> {
    sandbox.try_provision()?;
    sandbox.try_teardown()?;
    Ok(())
}

#[test]
fn what_is_asked_for_is_enough_and_nothing_is_left() {
    let request = request();
    assert_eq!((&request["role"]["standing"], &request["caller"]), (&"missing".into(), &"arn:aws:iam::111122223333:user/dev".into()));
    let (policies, role) = granted(&request);
    let sandbox = with_the_role_of(&request, account(&policies, &role));
    let made = sandbox.provision();
    assert_eq!(made.outputs.reply, "management-api");
    assert_eq!(super::support::differences(&sandbox.plan()), Vec::<String>::new());
    sandbox.teardown();
    assert!(sandbox.teardown().is_empty());
}

/// The whole tour, with a client and the real handler.
#[test]
fn the_handler_serves_with_what_is_asked_for() {
    let (mut policies, role) = granted(&request());
    // The tour looks at the table to judge, which the stack itself does not take.
    policies["tour"] = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "dynamodb:Query", "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/*" }] });
    let user = json!({
        "name": "dev", "access_key_id": "AKIAWSFIXLOCALDEV001", "secret_access_key": "wsfix-local-secret", "inline_policies": policies,
    });
    let tool = Tool::new();
    tool.file("account.yaml", &json!({ "account": "111122223333", "users": [user], "roles": role }).to_string());
    let name = role[0]["name"].as_str().expect("a name");
    let ended = tool.run(&["dev", "--once", "--account", "account.yaml", "--existing-role", name]);
    ended.says(0, &[]);
}

/// The places of the actions of statements without which nothing works.
fn needed(policies: &Value) -> Vec<(String, usize, String)> {
    let mut places = Vec::new();
    for (name, policy) in policies.as_object().expect("policies") {
        for (at, statement) in policy["Statement"].as_array().expect("statements").iter().enumerate() {
            if statement["Sid"].as_str().is_some_and(|sid| sid.contains("Optional")) {
                continue;
            }
            let actions = statement["Action"].as_array().cloned().unwrap_or_else(|| vec![statement["Action"].clone()]);
            places.extend(actions.iter().filter_map(Value::as_str).map(|action| (name.clone(), at, action.to_owned())));
        }
    }
    places
}

/// The policies without one action of one statement.
fn without(policies: &Value, (name, at, action): &(String, usize, String)) -> Value {
    let mut policies = policies.clone();
    let statement = &mut policies[name]["Statement"][*at];
    let left: Vec<Value> = statement["Action"].as_array().into_iter().flatten().filter(|other| *other != action).cloned().collect();
    // A statement without an action is none: this one is about nothing that is called.
    statement["Action"] = if left.is_empty() { json!("sts:GetCallerIdentity") } else { left.into() };
    policies
}

/// Each needed action is taken away, and something fails, but for those that only a changed stack calls.
#[test]
fn no_needed_action_can_be_left_out() {
    let request = request();
    let (policies, role) = granted(&request);
    let places = needed(&policies);
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sandbox = with_the_role_of(&request, account(&without(&policies, place), &role));
                    if life(&sandbox).is_ok() {
                        missed.lock().expect("a list").push(place.2.clone());
                    }
                }
            });
        }
    });
    let mut missed = missed.into_inner().expect("a list");
    missed.sort();
    assert!(places.len() > missed.len() + 8, "{places:?}");
    let only_for_changes = [
        "apigateway:PATCH",
        "dynamodb:UpdateTable",
        "lambda:RemovePermission",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    ];
    assert_eq!(missed, only_for_changes);
}
