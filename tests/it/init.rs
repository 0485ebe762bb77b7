//! `wsfix init`: the file that it writes, and the files that it leaves.

use std::fs;

use wsfix::local::account::Account;
use wsfix::local::{Cloud, Options};

use crate::tool::{Ended, Tool};

#[test]
fn what_the_folder_tells_is_in_the_file_and_no_secret_is() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    fs::remove_file(tool.directory.path().join("wsfix.yaml")).expect("the file of other tests");
    tool.file("package.json", r#"{"dependencies":{"express":"5"}}"#);
    tool.file(".env", "JWT_SIGNING_SECRET=hunter2-hunter2\nNEXT_PUBLIC_WS_URL=wss://abc.us-east-1.awsapprunner.com/ws?token=t0ken\n");
    let made = tool.run(&["init", "--yes", "--allowed-origin", "https://app.example"]);
    made.says(0, &["found     package.json: Express", "NEXT_PUBLIC_WS_URL leads to https://abc.us-east-1.awsapprunner.com"]);
    for words in
        ["wsfix.yaml is written.", "export JWT_SIGNING_SECRET=...", "export WSFIX_SIGNING_KEY=$(openssl rand -hex 32)", "  wsfix plan\n"]
    {
        assert!(made.out.contains(words), "{words}\n{}", made.out);
    }
    let text = fs::read_to_string(tool.directory.path().join("wsfix.yaml")).expect("the file");
    for line in [
        "stack: terminal",
        "backend_url: https://abc.us-east-1.awsapprunner.com",
        "  secret: env:JWT_SIGNING_SECRET",
        "allowed_origins: [\"https://app.example\"]",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    for secret in ["hunter2", "t0ken"] {
        assert!(!format!("{text}{}{}", made.out, made.err).contains(secret), "{secret}");
    }
    // The next command works with it.
    tool.run(&["status"]).says(0, &[]);

    tool.run(&["init", "--yes"]).says(2, &["wsfix.yaml is there already", "`--force`"]);
    assert_eq!(fs::read_to_string(tool.directory.path().join("wsfix.yaml")).expect("the file"), text);
    let again = tool.run(&["init", "--yes", "--force", "--stack", "other", "--output", "json"]).document();
    assert!(again["result"]["backup"].as_str().is_some_and(|name| name.ends_with("wsfix.yaml.bak")), "{again:#}");
    assert_eq!(fs::read_to_string(tool.directory.path().join("wsfix.yaml.bak")).expect("the old one"), text);
}

#[test]
fn nothing_is_written_that_the_config_would_refuse() {
    let tool = Tool::new();
    tool.run(&["init"]).says(2, &["nobody can be asked here", "`--yes`"]);
    let secret = "a-secret-that-must-not-be-seen-anywhere";
    let refused = tool.run(&["init", "--yes", "--jwt-secret", secret, "--backend-url", "http://far.example"]);
    refused.says(2, &["jwt.secret", "backend_url"]);
    assert!(!refused.err.contains(secret), "{}", refused.err);
    assert_eq!(fs::read_dir(tool.directory.path()).expect("a folder").count(), 0);
}

/// A cloud whose account has these services.
fn with_services(services: &str) -> Cloud {
    let text = format!("extends: default\n{services}");
    let account = Account::parse(&text, "account.yaml").expect("an account");
    Cloud::start(Options { account, ..Options::default() }).expect("a cloud")
}

/// `init --yes` in an empty folder, and the line of the file that is about the backend.
fn init(cloud: &Cloud, change: impl FnOnce(&mut Tool)) -> (Ended, String) {
    let mut tool = Tool::of(cloud);
    fs::remove_file(tool.directory.path().join("wsfix.yaml")).expect("the file of other tests");
    change(&mut tool);
    let ended = tool.run(&["init", "--yes"]);
    let text = fs::read_to_string(tool.directory.path().join("wsfix.yaml")).expect("the file");
    let line = text.lines().find(|line| line.contains("backend_url:")).expect("the backend").to_owned();
    (ended, line)
}

const OPEN: &str = "# backend_url: https://abc123.us-east-1.awsapprunner.com";

#[test]
fn the_only_service_that_runs_is_taken() {
    let mut services = "apprunner_services:\n  terminal-backend: {url: abc.us-east-1.awsapprunner.com}\n".to_owned();
    // More than one page of them, and before the one that runs.
    (0..20).for_each(|number| services.push_str(&format!("  old-{number:02}: {{status: PAUSED}}\n")));
    let cloud = with_services(&services);
    let (taken, line) = init(&cloud, |_| {});
    taken.says(
        0,
        &["found     App Runner: terminal-backend at https://abc.us-east-1.awsapprunner.com, RUNNING", "App Runner: old-00 at https://"],
    );
    assert_eq!(line, "backend_url: https://abc.us-east-1.awsapprunner.com");
    let lists = |cloud: &Cloud| cloud.calls().all().iter().filter(|call| call.operation == "ListServices").count();
    assert_eq!(lists(&cloud), 2);
    // What the folder or a flag says is not asked for.
    let (_, line) = init(&cloud, |tool| tool.file(".env", "BACKEND_URL=https://own.example\n"));
    assert_eq!(line, "backend_url: https://own.example");
    assert_eq!(lists(&cloud), 2);
}

#[test]
fn of_several_services_none_is_taken() {
    let cloud = with_services(
        "apprunner_services:\n  one-one: {url: one.example}\n  two-two: {url: two.example}\n  three: {url: three.example, status: PAUSED}\n",
    );
    let (told, line) = init(&cloud, |_| {});
    told.says(
        0,
        &["note: several App Runner services run; name the backend by `--backend-url`: https://one.example, https://two.example\n"],
    );
    assert_eq!(line, OPEN);
}

#[test]
fn services_that_cannot_be_listed_stop_nothing() {
    let services = "apprunner_services: {one-one: {url: one.example}}\n";
    let deny = "service_control_policies: {none: {Statement: {Effect: Deny, Action: 'apprunner:*', Resource: '*'}}}\n";
    let without = "note: no App Runner service is proposed as the backend";
    let notes = |ended: &Ended| ended.err.matches("note:").count();

    let (denied, line) = init(&with_services(&format!("{services}{deny}")), |_| {});
    denied.says(0, &[&format!("{without} (apprunner:ListServices is not allowed)")]);
    assert_eq!((line.as_str(), notes(&denied)), (OPEN, 1), "{}", denied.err);

    let cloud = with_services(services);
    let (stranger, line) = init(&cloud, |tool| tool.set("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-this-key"));
    stranger.says(0, &[&format!("{without} (there are no AWS credentials, or they are wrong or expired)")]);
    assert_eq!((line.as_str(), notes(&stranger)), (OPEN, 1), "{}", stranger.err);

    // Nobody listens there.
    let (alone, line) = init(&cloud, |tool| tool.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9"));
    alone.says(0, &[without]);
    assert_eq!((line.as_str(), notes(&alone)), (OPEN, 1), "{}", alone.err);

    let before = cloud.calls().all().len();
    let (nowhere, line) = init(&cloud, |tool| tool.set("AWS_REGION", ""));
    assert_eq!((line.as_str(), notes(&nowhere), cloud.calls().all().len()), (OPEN, 0, before), "{}", nowhere.err);
}
