//! Words and exit codes of the command line, as a person meets them.

use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::tool::{Ended, Tool};

const COMMANDS: [&str; 16] = [
    "init",
    "provision",
    "plan",
    "status",
    "stacks",
    "teardown",
    "logs",
    "env",
    "roles",
    "build",
    "verify",
    "doctor",
    "template",
    "contract",
    "dev",
    "completions",
];

#[test]
fn help_lists_what_is_there_and_nothing_else() {
    let help = Tool::new().run(&["--help"]);
    assert_eq!(help.code, Some(0));
    let listed = help.out.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A line that goes on is indented further.
    let listed = listed.filter(|line| !line.starts_with("   "));
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, COMMANDS);
    assert!(help.out.contains("Exit codes: 0 done or nothing to do"), "{}", help.out);
}

#[test]
fn every_command_has_help_with_an_example() {
    let tool = Tool::new();
    for command in COMMANDS {
        for flag in ["-h", "--help"] {
            let help = tool.run(&[command, flag]);
            assert_eq!(help.code, Some(0), "{command}");
            assert!(help.out.contains("Examples:\n  wsfix "), "{}", help.out);
            let widest = help.out.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{command}: {widest:?}");
            assert!(!help.out.contains('\x1b'));
        }
    }
}

#[test]
fn the_short_help_of_provision_fits_one_screen() {
    let help = Tool::new().run(&["provision", "-h"]).out;
    assert!(help.lines().count() <= 50, "{} lines\n{help}", help.lines().count());
    for flag in ["--existing-role", "--backend-url", "--jwt-secret", "--route", "--stack", "--handler"] {
        assert!(help.contains(flag), "{flag}\n{help}");
    }
}

#[test]
fn slips_are_told_with_what_was_meant() {
    let tool = Tool::new();
    tool.run(&["provison"]).says(2, &["unrecognized subcommand", "'provision'"]);
    tool.run(&["plan", "--exsting-role", "x"]).says(2, &["unexpected argument", "'--existing-role'"]);
    tool.run(&["dev", "--speed", "0"]).says(2, &["a number from 0.001 to 100000"]);
    tool.run(&["dev", "--port", "70000"]).says(2, &["--port <PORT>"]);
    tool.run(&["dev", "--allow-commands", "--backend-url", "http://127.0.0.1:1"]).says(2, &["cannot be used with"]);
    tool.run(&[]).says(2, &["Usage: wsfix"]);
}

#[test]
fn teardown_without_a_terminal_needs_to_be_told() {
    let ended = Tool::new().run(&["teardown"]);
    ended.says(2, &["there is no terminal to ask in", "hint: `--yes` deletes without asking"]);
    assert_eq!(ended.out, "");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let tool = Tool::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = tool.run(&["completions", shell]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.out.contains("teardown") && ended.err.is_empty(), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is_one() {
    let tool = Tool::new();
    let wsfix = assert_cmd::cargo::cargo_bin("wsfix");
    let mut child = std::process::Command::new(&wsfix)
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir(tool.directory.path())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(&wsfix).args(["completions", "bash"]).stdout(full).output().unwrap();
    Ended::of(output).says(1, &["error: cannot write to standard output"]);
}

#[test]
fn dev_says_what_keeps_it_from_starting() {
    let tool = Tool::new();
    tool.run(&["dev", "--once", "--endpoint-url", "http://127.0.0.1:1"]).says(2, &["--endpoint-url has no meaning for `dev`"]);
    tool.run(&["dev", "--account", "weak"]).says(2, &["no account `weak`", "  weak-role  ", "  default  "]);
    tool.run(&["dev", "--once", "--account", "missing.yaml"]).says(2, &["missing.yaml", "No such file"]);
    tool.file("account.yaml", "account: \"111122223333\"\nuserz: []\n");
    tool.run(&["dev", "--once", "--account", "account.yaml"]).says(2, &["account.yaml:2:", "userz"]);
    tool.file("account.yaml", "account: \"111122223333\"\n");
    tool.run(&["dev", "--once", "--account", "account.yaml"]).says(2, &["no user with an access key"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = tool.run(&["dev", "--port", &port]);
    ended.says(1, &[&format!("port {port} on 127.0.0.1 is in use"), "`--port 0` takes any free one"]);
    tool.run(&["dev", "--listen", "here"]).says(2, &["--listen <ADDRESS>", "invalid IP address"]);
    let ended = tool.run(&["dev", "--listen", "203.0.113.7", "--port", "0"]);
    ended.says(1, &["cannot listen on port 0 of 203.0.113.7", "`--listen` takes an address of this machine"]);
}

#[test]
fn with_json_there_is_one_document_whatever_happens() {
    let ended = Tool::new().run(&["teardown", "--output", "json"]);
    let document: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&document["v"], &document["command"], &document["exit"]), (&Value::from(1), &Value::from("teardown"), &Value::from(2)));
    assert_eq!(document["error"]["failures"][0]["hint"], "`--yes` deletes without asking");
    for line in ended.err.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["v"], 1);
        assert!(event["event"].is_string() && event["t"].is_number(), "{line}");
    }
}

#[test]
fn all_that_is_wrong_with_the_config_is_told_at_once() {
    let tool = Tool::new();
    let secret = "a-secret-that-must-not-be-seen-anywhere";
    let flags = ["plan", "--stage", "a b", "--timeout", "40", "--tag", "x", "--jwt-secret", secret];
    let ended = tool.run(&flags);
    ended.says(
        2,
        &[
            "error: --stage:",
            "error: --timeout:",
            "error: --tag:",
            "error: --jwt-secret:",
            "the backend's URL is missing",
            "5 problems; nothing was called",
        ],
    );
    assert!(!ended.err.contains(secret), "{}", ended.err);
    assert_eq!(ended.out, "");

    tool.file("wsfix.yaml", &format!("stack: terminal\njwt:\n  secret: {secret}\napi:\n  stagee: prod\n"));
    let ended = tool.run(&["status"]);
    ended.says(
        2,
        &[
            "error: wsfix.yaml:3:11: `jwt.secret` holds a secret in clear text",
            "  3 |   secret: ****\n    |           ^^^^",
            "`api.stage`?",
        ],
    );
    assert!(!ended.err.contains(secret), "{}", ended.err);
}
