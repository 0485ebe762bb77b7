//! A stack that works.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};
use wsfix::config::{SecretSource, TokenFrom};

use super::stack::{Stack, check};
use crate::tool::{Ended, signal};

fn verdicts(ended: &Ended) -> BTreeSet<String> {
    let document = ended.document();
    let checks = document["result"]["checks"].as_array().expect("checks").clone();
    checks.iter().map(|check| check["verdict"].as_str().expect("a verdict").to_owned()).collect()
}

#[test]
fn a_stack_that_works_passes_with_everything_known() {
    let mut stack = Stack::new(1.0);
    stack.sandbox.provision();
    let before = stack.sandbox.cloud.inventory();
    stack.sandbox.cloud.calls().clear();

    let ended = stack.verify(&["--limits", "--hold", "1s", "--ping", "300ms", "--junit", "report.xml"]);
    ended.says(0, &[]);
    assert_eq!(verdicts(&ended), BTreeSet::from(["passed".to_owned()]), "{}", ended.out);
    let document = ended.document();
    assert_eq!((&document["result"]["layer"], &document["result"]["ok"]), (&Value::Null, &json!(true)));
    let held = check(&document, "stays open")["evidence"].as_str().expect("evidence");
    assert!(held.contains(" messages, ") && !held.contains(" 0 messages, ") && !held.contains(" 0 answers"), "{held}");
    let report = std::fs::read_to_string(stack.tool.directory.path().join("report.xml")).expect("a report");
    let checks = document["result"]["checks"].as_array().expect("checks").len();
    assert!(report.contains(&format!(r#"tests="{checks}" skipped="0" failures="0""#)), "{report}");
    let told = ended.events().iter().filter(|event| event["event"] == "check").count();
    assert_eq!(told, checks, "each check is told once");

    let of_tool = |caller: &str| !caller.ends_with("/websocket-handler");
    let calls = stack.sandbox.cloud.calls().all();
    let changing: Vec<_> = calls.iter().filter(|call| call.is_mutating() && of_tool(&call.caller)).map(|call| &call.operation).collect();
    assert!(changing.is_empty(), "{changing:?}");
    assert_eq!(stack.sandbox.cloud.inventory(), before);
    for secret in ["0123456789abcdef0123456789abcdef", "eyJ"] {
        assert!(![&ended.out, &ended.err, &report].iter().any(|text| text.contains(secret)), "{secret} is shown");
    }

    a_given_token_is_shown_to_nobody(&mut stack);
    an_interrupt_tells_what_was_seen(&stack);
    tickets_are_signed_where_nothing_else_is_taken(&mut stack);
}

/// Nobody can make it expire, and it is good for one session.
fn a_given_token_is_shown_to_nobody(stack: &mut Stack) {
    let token = "h.eyJzZXNzaW9uSWQiOiJzMSJ9.s";
    stack.tool.set("TOKEN", token);
    let refused = stack.verify(&["--token", "env:TOKEN", "--hold", "0s"]);
    refused.says(3, &[]);
    let document = refused.document();
    assert_eq!(document["result"]["layer"], "token", "{document:#}");
    assert!(check(&document, "good token")["evidence"].as_str().is_some_and(|seen| seen.starts_with("HTTP 401")), "{document:#}");
    assert!(!refused.out.contains(token) && !refused.err.contains(token));

    let expires = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs() + 600;
    let claims = json!({ "sub": "ann", "exp": expires, "sessionId": "hers" });
    let secret = wsfix::secret::Secret::new("0123456789abcdef0123456789abcdef");
    let good = wsfix::verify::mint(wsfix::config::Algorithm::Hs256, &secret, &claims).expect("a token");
    stack.tool.file("token", good.expose());
    for flags in [["--token", "file:token"], ["--token-command", "cat token"]] {
        let ended = stack.verify(&[&flags[..], &["--hold", "0s"]].concat());
        ended.says(0, &[]);
        let document = ended.document();
        let skipped = check(&document, "an expired token");
        assert!(skipped["verdict"] == "skipped" && check(&document, "another session")["verdict"] == "passed", "{document:#}");
        assert!(check(&document, "in the table")["evidence"].as_str().is_some_and(|seen| seen.contains(" of user ann,")), "{document:#}");
        assert!(!ended.out.contains(good.expose()) && !ended.err.contains(good.expose()));
    }
}

fn an_interrupt_tells_what_was_seen(stack: &Stack) {
    let mut child = stack.tool.start(&["verify", "--output", "json", "--hold", "60s"]);
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let held = lines.by_ref().map_while(Result::ok).any(|line| line.contains("the connection is gone from the table"));
    assert!(held, "it never came so far");
    signal(&child, "-INT");
    drop(lines);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130));
    let document: Value = serde_json::from_slice(&ended.stdout).expect("a document");
    assert_eq!(check(&document, "good token")["verdict"], "passed", "{document:#}");
}

fn tickets_are_signed_where_nothing_else_is_taken(stack: &mut Stack) {
    const KEY: &str = "a ticket key of at least thirty-two bytes";
    stack.sandbox.config.jwt.token_from = vec![TokenFrom::Ticket];
    stack.sandbox.config.jwt.ticket_key = Some(SecretSource::Value(wsfix::secret::Secret::new(KEY)));
    stack.sandbox.provision();
    stack.tool.set("WSFIX_TICKET_KEY", KEY);
    stack.tool.file("wsfix.yaml", "jwt: {token_from: [ticket]}\n");
    let ended = stack.verify(&["--hold", "0s"]);
    ended.says(0, &[]);
    assert_eq!(verdicts(&ended), BTreeSet::from(["passed".to_owned()]), "{}", ended.out);
    let confirmed = check(&ended.document(), "as sub-protocol")["evidence"].clone();
    assert!(confirmed.as_str().is_some_and(|seen| seen.contains("sub-protocol wsfix.ticket,")), "{confirmed}");
    assert!(!ended.out.contains("wst1.") && !ended.err.contains("wst1."));
}

#[test]
fn what_may_not_be_read_is_unknown_and_no_failure() {
    let stack = Stack::new(1.0);
    stack.sandbox.provision();
    let url = stack.sandbox.status().outputs.expect("outputs").websocket_url;
    let mut tool = crate::tool::Tool::new();
    tool.set("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    tool.file("wsfix.yaml", "jwt: {session_claim: sessionId}\n");
    let usual = ["verify", "--output", "json", "--timeout", "4s", "--wait", "1s", "--hold", "0s"];

    // Nobody's keys, and no Region: only what a client sees.
    let ended = tool.run(&[&usual[..], &["--url", &url]].concat());
    ended.says(0, &["only what a client sees is checked"]);
    let document = ended.document();
    for known in ["good token", "`ping`", "another session", "the client closes"] {
        assert_eq!(check(&document, known)["verdict"], "passed", "{document:#}");
    }
    assert_eq!(check(&document, "is in the table")["verdict"], "unknown", "{document:#}");
    assert_eq!(check(&document, "the log lines arrive")["verdict"], "unknown", "{document:#}");
    assert_eq!(check(&document, "hears of the end")["verdict"], "skipped", "{document:#}");

    tool.run(&usual).says(1, &["no AWS Region is set"]);
    tool.run(&["verify", "--junit", "no/such/folder/x.xml"]).says(2, &["--junit no/such/folder/x.xml", "hint: name a file in a folder"]);
    tool.run(&["verify", "--url", "https://example.com"]).says(2, &["--url: ", "wss://host/path"]);
    tool.run(&["verify", "--token", "abc"]).says(2, &["--token: ", "env:NAME"]);
    tool.run(&["verify", "--url", &url, "--token-command", "exit 3"]).says(1, &["--token-command: it ended with exit status: 3"]);
    tool.run(&["verify", "--hold", "1s", "--ping", "0s"]).says(2, &["a time above zero is needed"]);
    tool.set("JWT_SECRET", "");
    tool.run(&["verify", "--url", &url]).says(2, &["no token can be signed here", "--token-command"]);
}
