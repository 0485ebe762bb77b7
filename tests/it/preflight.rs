//! What is known to be denied, before anything is made.

use wsfix::local::Options;
use wsfix::local::account::Account;
use wsfix::provision::Error;
use wsfix::provision::preflight::Necessity;

use super::support::{Sandbox, block_on, differences};
use super::tool::Tool;

fn account(name: &str) -> Account {
    Account::of(name).expect("an account")
}

/// The default account, whose user is denied these actions too.
fn denying(actions: &[&str]) -> Account {
    let text = format!(
        "extends: default\nusers:\n  - {{name: dev, managed_policies: [RestrictedUserResourceIsolation, Guard]}}\npolicies:\n  Guard:\n    \
         Version: \"2012-10-17\"\n    Statement:\n      - {{Sid: Guarded, Effect: Deny, Action: [{}], Resource: \"*\"}}\n",
        actions.join(", ")
    );
    Account::parse(&text, "test").expect("an account")
}

fn sandbox(account: Account) -> Sandbox {
    Sandbox::with(Options { account, ..Options::default() })
}

/// The denials that stop a run, in words.
fn refused(sandbox: &Sandbox) -> Vec<String> {
    let outcome = sandbox.try_provision();
    let Err(Error::Refused(refusals)) = outcome else { panic!("not refused: {outcome:#?}, {:#?}", sandbox.mutating()) };
    assert_eq!(sandbox.mutating(), Vec::<String>::new(), "nothing is made");
    refusals.into_iter().map(|refusal| format!("{}: {}\n    {}", refusal.resource, refusal.reason, refusal.remedy)).collect()
}

#[test]
fn everything_that_is_denied_is_told_at_once_and_nothing_is_made() {
    let sandbox = sandbox(denying(&["iam:PassRole", "lambda:CreateFunction", "apigateway:POST", "dynamodb:TagResource"]));
    let told = refused(&sandbox);
    for action in ["iam:PassRole", "lambda:CreateFunction", "apigateway:POST"] {
        assert!(told.iter().any(|line| line.starts_with(&format!("permission {action}: "))), "{action}: {told:#?}");
    }
    assert!(
        told.iter().all(|line| line.contains("explicitly, in the identity-based policy") && line.contains("outranks every allow")),
        "{told:#?}"
    );
    assert!(!told.iter().any(|line| line.contains("TagResource")), "optional: {told:#?}");
    assert_eq!(told.len(), 3, "one for all parts of the API: {told:#?}");
}

#[test]
fn each_kind_of_denial_is_told_apart() {
    for (name, words) in [
        ("pass-role-denied", ["permission iam:PassRole", "explicitly, in the identity-based policy", "only a change to the policy"]),
        ("pass-role-missing", ["permission iam:PassRole", "no identity-based policy allows it", "to allow `iam:PassRole`"]),
        ("boundary", ["permission iam:PassRole", "no permissions boundary allows it", "whoever owns the permissions boundary"]),
        ("scp", ["permission apigateway:POST", "service control policy", "the administrators of the organisation"]),
    ] {
        let mut sandbox = sandbox(account(name));
        if name == "pass-role-missing" {
            sandbox.config.existing_role = Some("chat-handler".to_owned());
        }
        let told = refused(&sandbox).join("\n");
        assert!(words.iter().all(|word| told.contains(word)), "{name}: {told}");
    }
}

/// Where nothing can be simulated, the caller's own policies are read: the user's, and those of groups.
#[test]
fn without_the_simulator_the_callers_policies_are_read() {
    let told = refused(&sandbox(denying(&["iam:SimulatePrincipalPolicy", "iam:PassRole"])));
    assert!(told.len() == 1 && told[0].contains("Guard"), "{told:#?}");
    sandbox(account("group-policies")).provision();
}

/// Only where there is one. It is in nobody's way: whoever may not delete it can provision all the same.
#[test]
fn the_right_to_delete_a_spare_api_is_asked_for_where_there_is_one() {
    let sandbox = sandbox(denying(&["apigateway:DELETE"]));
    sandbox.provision();
    let asked = || {
        let checks = sandbox.preflight().checks;
        let of_api = checks.into_iter().filter(|check| check.action == "apigateway:DELETE" && check.why.contains("deletes a"));
        of_api.map(|check| (check.resource, check.phase, check.necessity, check.answer.word())).collect::<Vec<_>>()
    };
    assert!(asked().iter().all(|(_, phase, necessity, _)| (*phase, *necessity) == ("teardown", Necessity::Later)), "{:?}", asked());
    let aws = sandbox.aws();
    let call = aws.api.create_api().name("Copy").protocol_type(aws_sdk_apigatewayv2::types::ProtocolType::Websocket);
    let call = call.route_selection_expression("$request.body.action").tags("wsfix:stack", "terminal");
    let id = block_on(call.send()).expect("an api").api_id.expect("its id");
    let arn = format!("arn:aws:apigateway:us-east-1::/apis/{id}");
    let now: Vec<_> = asked().into_iter().filter(|(_, phase, ..)| *phase != "teardown").collect();
    assert_eq!(now, [(arn, "provision", Necessity::Optional, "denied")]);
    sandbox.provision();
    assert!(sandbox.heard.notes().iter().any(|note| note.contains(&format!("the spare API {id} is left"))));
    assert_eq!(differences(&sandbox.plan()), [format!("spare api {id}: deleted")]);
}

/// What cannot be known stops nothing.
#[test]
fn unknown_is_no_denial() {
    for name in ["iam-denied", "simulate-denied", "get-role-denied"] {
        sandbox(account(name)).provision();
    }
}

/// Sessions, single sign-on and the account itself get as far as a user does.
#[test]
fn callers_of_every_kind_pass() {
    for name in ["assumed-role", "sso-role", "root"] {
        let account = account(name);
        let key = account.caller_key().expect("a key").clone();
        let mut sandbox = sandbox(account);
        sandbox.config.connection.keys = Some(wsfix::config::Keys {
            access_key_id: key.access_key_id.clone(),
            secret_access_key: wsfix::secret::Secret::new(key.secret_access_key.clone()),
            session_token: key.session_token.clone().map(wsfix::secret::Secret::new),
        });
        sandbox.provision();
    }
}

#[test]
fn a_run_without_changes_asks_nothing_and_one_with_changes_asks_once() {
    let sandbox = Sandbox::new();
    let asked = |sandbox: &Sandbox| sandbox.cloud.calls().all().iter().filter(|call| call.operation == "SimulatePrincipalPolicy").count();
    sandbox.provision();
    assert_eq!(asked(&sandbox), 2, "about the role, and about the caller");
    sandbox.cloud.calls().clear();
    sandbox.provision();
    assert_eq!(asked(&sandbox), 1, "about the role alone");
    sandbox.cloud.calls().clear();
    sandbox.change_handler(b"other");
    assert_eq!(differences(&sandbox.plan()), ["function websocket-handler: code"]);
    sandbox.provision();
    assert!(sandbox.mutating().contains(&"UpdateFunctionCode".to_owned()));
}

#[test]
fn a_plan_with_preflight_shows_both_principals_and_changes_nothing() {
    let sandbox = sandbox(denying(&["iam:PassRole", "logs:PutRetentionPolicy"]));
    let tool = Tool::of(&sandbox.cloud);
    let shown = tool.run(&["plan", "--preflight", "--no-color"]);
    assert_eq!(shown.code, Some(1), "{}", shown.err);
    for words in [
        "caller  user arn:aws:iam::111122223333:user/dev",
        "denied   provision  iam:PassRole on arn:aws:iam::111122223333:role/lambda_basic_execution",
        "allowed  provision",
        "allowed  teardown",
        "log lines never expire",
        "execution role  arn:aws:iam::111122223333:role/lambda_basic_execution",
        "denied   serve",
        "1 permission denied: `wsfix provision` would stop before anything is made",
        "in the way: statement Guarded of the identity-based policy arn:aws:iam::111122223333:policy/Guard",
    ] {
        assert!(shown.out.contains(words), "`{words}` is missing in:\n{}", shown.out);
    }
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    let told = tool.run(&["plan", "--preflight", "--output", "json"]);
    let preflight = &told.document()["result"]["preflight"];
    let pass = preflight["checks"].as_array().expect("checks").iter().find(|check| check["action"] == "iam:PassRole").expect("PassRole");
    assert_eq!((pass["answer"].as_str(), pass["necessity"].as_str()), (Some("denied"), Some("needed")), "{pass}");
    assert_eq!(pass["denied"]["layer"], "identity");
    assert_eq!(preflight["in_the_way"][0]["sid"], "Guarded");
    tool.run(&["provision"]).says(1, &["error: permission iam:PassRole: on ", "hint: an explicit deny outranks every allow"]);
}
