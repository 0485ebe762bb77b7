//! The policies of `wsfix template`: they are enough, and not one statement of them is too much.

use serde_json::{Value, json};
use wsfix::config::Config;
use wsfix::local::account::Account;
use wsfix::local::{Cloud, Options};
use wsfix::template::{Filled, Given, Template};

use crate::support::{Sandbox, WEAK_ROLE, block_on};
use crate::tool::Tool;

const ACCOUNT: &str = "111122223333";

pub(crate) fn filled(name: &str, config: &Config) -> Filled {
    let template = Template::named(name).expect("a template");
    block_on(template.fill(Given { config, account: Some(ACCOUNT) })).expect("it is filled in")
}

/// The statements of a policy's files.
fn statements(filled: &Filled) -> Vec<Value> {
    let document = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    filled.files.iter().flat_map(|file| document(&file.text)["Statement"].as_array().expect("statements").clone()).collect()
}

fn policy(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The account whose user `dev` may do this, and nothing else.
fn account(statements: &[Value]) -> Account {
    let file = json!({
        "extends": "default",
        "users": [{ "name": "dev", "managed_policies": ["Deployer"], "groups": [] }],
        "policies": { "Deployer": policy(statements) },
    });
    Account::parse(&file.to_string(), "test").expect("an account")
}

/// What fails in a stack's life: where it ended too early, and the operations. DynamoDB and CloudWatch Logs deny with the status of any other error.
fn failures(config: &Config, statements: &[Value]) -> Vec<String> {
    let mut sandbox = Sandbox::with(Options { account: account(statements), ..Options::default() });
    sandbox.config = Config { connection: sandbox.config.connection.clone(), ..config.clone() };
    let mut told = Vec::new();
    told.extend(sandbox.try_provision().err().map(|_| "provision".to_owned()));
    // Every field of everything that can be changed.
    sandbox.config.function.memory_mb += 1;
    sandbox.config.log_retention_days = 30;
    sandbox.config.api.stage = "next".to_owned();
    sandbox.config.api.routes = vec!["another".to_owned()];
    sandbox.config.api.name = "Another".to_owned();
    sandbox.config.tags.insert("more".to_owned(), "tags".to_owned());
    sandbox.change_handler(b"new");
    told.extend(sandbox.try_provision().err().map(|_| "provision after changes".to_owned()));
    told.extend(sandbox.try_teardown().err().map(|_| "teardown".to_owned()));
    let calls = sandbox.cloud.calls().all();
    told.extend(calls.iter().filter(|call| call.status >= 400).map(|call| format!("{} {}", call.operation, call.status)));
    told.extend(sandbox.heard.notes().into_iter().filter(|note| note.contains("denied")));
    told.sort();
    told.dedup();
    told
}

#[test]
fn the_deployer_s_policy_is_enough_and_no_statement_of_it_is_too_much() {
    let sandbox = Sandbox::new();
    let mut config = sandbox.config.clone();
    config.existing_role = Some(WEAK_ROLE.to_owned());
    let all = statements(&filled("deployer-policy", &config));
    let usual = failures(&config, &all);
    // `teardown` tries it, and does without: nobody should be asked to allow the whole for that.
    let denied = |told: &&String| told.contains("403") && !told.starts_with("ListEventSourceMappings");
    assert_eq!(usual.iter().filter(denied).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(!usual.iter().any(|told| told.contains("denied") || told.contains("provision") || told.contains("teardown")), "{usual:#?}");
    let missed: Vec<&str> = (0..all.len())
        .filter(|left_out| {
            let rest: Vec<Value> = all.iter().enumerate().filter(|(at, _)| at != left_out).map(|(_, one)| one.clone()).collect();
            failures(&config, &rest).iter().all(|told| usual.contains(told))
        })
        .filter_map(|at| all[at]["Sid"].as_str())
        .collect();
    // Reading policies that are not there, logs and connections: other commands, or another account, need these.
    assert!(missed.iter().all(|sid| sid.contains("Optional")), "{missed:?}");
    for sid in ["TableOptional", "TableTagsOptional", "TablePolicyOptional", "FunctionTagsOptional", "LogsOptional", "ReadRolesOptional"] {
        assert!(!missed.contains(&sid), "{sid}");
    }
}

/// What an id stands for cannot be narrower; anything else is the stack's own.
#[test]
fn the_deployer_s_policy_reaches_nothing_else() {
    let sandbox = Sandbox::new();
    let all = statements(&filled("deployer-policy", &sandbox.config));
    for statement in &all {
        let list = |member: &Value| match member {
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>(),
            one => vec![one.as_str().expect("a text").to_owned()],
        };
        assert_eq!(statement["Effect"], "Allow");
        let actions = list(&statement["Action"]);
        assert!(actions.iter().all(|action| !action.contains('*')), "{statement}");
        let writes = actions
            .iter()
            .filter(|action| action.starts_with("iam:"))
            .filter(|action| !["iam:Get", "iam:List", "iam:Simulate", "iam:PassRole"].iter().any(|harmless| action.starts_with(harmless)));
        assert_eq!(writes.count(), 0, "{statement}");
        for resource in list(&statement["Resource"]) {
            assert!(resource.starts_with("arn:aws:"), "{statement}");
            let service = resource.split(':').nth(2).unwrap_or_default();
            if ["dynamodb", "lambda"].contains(&service) {
                assert!(!resource.contains('*'), "{statement}");
            }
        }
    }
    let others = Sandbox::with(Options { account: account(&all), ..Options::default() });
    let aws = others.aws();
    let refused = block_on(aws.lambda.delete_function().function_name("another").send()).expect_err("it is another's");
    assert_eq!(refused.raw_response().map(|answer| answer.status().as_u16()), Some(403));
    let refused = block_on(aws.dynamodb.delete_table().table_name("Another").send()).expect_err("it is another's");
    assert_eq!(refused.raw_response().map(|answer| answer.status().as_u16()), Some(400), "AccessDeniedException of DynamoDB");
}

#[test]
fn the_execution_role_s_policy_is_all_that_the_handler_does_and_no_statement_of_it_is_too_much() {
    let sandbox = Sandbox::new();
    let mut config = sandbox.config.clone();
    config.existing_role = Some("least".to_owned());
    let all = statements(&filled("execution-role-policy", &config));
    let trust: Value = serde_json::from_str(&filled("trust-policy", &config).files[0].text).expect("JSON");
    let lacking = |statements: &[Value]| {
        let role = json!({ "name": "least", "trust": trust, "inline_policies": { "own": policy(statements) } });
        let file = json!({ "extends": "default", "roles": [role] });
        let account = Account::parse(&file.to_string(), "test").expect("an account");
        let cloud = Cloud::start(Options { account, ..Options::default() }).expect("a cloud");
        let ended = Tool::of(&cloud).run(&["roles", "least", "--output", "json"]);
        let permissions = ended.document()["result"]["roles"][0]["permissions"].as_array().expect("a list").clone();
        assert!(permissions.len() >= 8, "{permissions:#?}");
        permissions.into_iter().filter(|one| one["answer"] != "allowed").map(|one| one["action"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(lacking(&all), Vec::<String>::new());
    for left_out in 0..all.len() {
        let rest: Vec<Value> = all.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, one)| one.clone()).collect();
        assert_ne!(lacking(&rest), Vec::<String>::new(), "without {}", all[left_out]);
    }
}

#[test]
fn files_are_written_all_or_none() {
    let tool = Tool::new();
    let first = tool.run(&["template", "backend-express", "--out", "app"]);
    first.says(0, &[]);
    assert_eq!(first.out, "app/server.mjs\napp/package.json\napp/package-lock.json\n");
    tool.run(&["template", "backend-express", "--out", "app"]).says(0, &[]);
    tool.file("app/package.json", "{ \"mine\": true }");
    std::fs::remove_file(tool.directory.path().join("app/server.mjs")).expect("it was there");
    let refused = tool.run(&["template", "backend-express", "--out", "app"]);
    refused.says(1, &["app/package.json is there already, and is not the same: nothing was written", "`--force` writes over it"]);
    assert!(!tool.directory.path().join("app/server.mjs").exists());
    tool.run(&["template", "backend-express", "--out", "app", "--force"]).says(0, &[]);
    tool.run(&["template", "trust-policy", "--out", "trust.json"]).says(0, &[]);
    assert!(std::fs::read_to_string(tool.directory.path().join("trust.json")).expect("a file").contains("lambda.amazonaws.com"));
    tool.run(&["template", "sam"]).says(0, &["`--out FOLDER` writes README.md, LICENSE too"]);
    tool.run(&["template", "smam"]).says(2, &["invalid value 'smam'", "sam"]);
    tool.run(&["template", "deployer-policy", "--account", "12"]).says(2, &["an account has 12 digits"]);
    let list = tool.run(&["template", "--list"]);
    assert_eq!(tool.run(&["template"]).out, list.out);
    assert_eq!(list.out.lines().count(), wsfix::template::TEMPLATES.len(), "{}", list.out);
}
