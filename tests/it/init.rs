//! `wsfix init`: the file that it writes, and the files that it leaves.

use std::fs;

use wsfix::local::{Cloud, Options};

use crate::tool::Tool;

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
