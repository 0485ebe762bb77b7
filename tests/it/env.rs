//! `wsfix env`: the front end's variable, printed and written.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Sandbox;
use crate::tool::Tool;

/// A stack, the tool beside it, and the stack's URL.
fn stack() -> (Sandbox, Tool, String) {
    let sandbox = Sandbox::new();
    let url = sandbox.provision().outputs.websocket_url;
    let tool = Tool::of(&sandbox.cloud);
    (sandbox, tool, url)
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]).args(arguments).current_dir(folder);
    let ended = git.output().expect("git");
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_stack_without_an_api_has_no_url() {
    let sandbox = Sandbox::new();
    let tool = Tool::of(&sandbox.cloud);
    tool.run(&["env", "--write", ".env"]).says(1, &["stack `terminal` has no API", "`wsfix provision` makes it"]);
    assert!(!tool.directory.path().join(".env").exists());
    tool.run(&["env", "--name", "A-B"]).says(2, &["--name"]);
    tool.run(&["env", "--write", ".env", "--format", "json"]).says(2, &["--format"]);
}

#[test]
fn it_is_printed_for_each_reader() {
    let (_sandbox, tool, url) = stack();
    let out = |arguments: &[&str]| {
        let ended = tool.run(&[&["env"], arguments].concat());
        ended.says(0, &[]);
        ended.out
    };
    assert_eq!(out(&[]), format!("NEXT_PUBLIC_WS_URL={url}\n"));
    assert_eq!(out(&["--format", "github", "--name", "websocket_url"]), format!("websocket_url={url}\n"));
    let sourced = Command::new("sh")
        .args(["-c", "eval \"$1\"; printf %s \"$WS_URL\"", "sh", &out(&["--format", "shell", "--name", "WS_URL"])])
        .output();
    assert_eq!(String::from_utf8_lossy(&sourced.expect("a shell").stdout), url);
    let json: serde_json::Value = serde_json::from_str(&out(&["--format", "json"])).expect("JSON");
    assert_eq!(json["NEXT_PUBLIC_WS_URL"], url.as_str());
    let document = tool.run(&["env", "--output", "json"]).document();
    assert_eq!((&document["result"]["name"], &document["result"]["value"]), (&"NEXT_PUBLIC_WS_URL".into(), &url.as_str().into()));
}

#[test]
fn a_file_keeps_everything_else() {
    let (_sandbox, tool, url) = stack();
    let path = tool.directory.path().join(".env.production");
    tool.file(".env.production", "# mine\r\nexport NEXT_PUBLIC_WS_URL=\"wss://abc.awsapprunner.com/ws?token=t0p-secret\" # old\r\nKEY=x");
    let written = tool.run(&["env", "--write", ".env.production"]);
    written.says(0, &[]);
    assert!(written.out.contains("it was wss://abc.awsapprunner.com/ws?..."), "{}", written.out);
    assert!(!written.out.contains("t0p-secret"));
    let wanted = format!("# mine\r\nexport NEXT_PUBLIC_WS_URL=\"{url}\" # old\r\nKEY=x");
    assert_eq!(fs::read_to_string(&path).expect("a file"), wanted);
    let backup = fs::read_to_string(tool.directory.path().join(".env.production.bak")).expect("a backup");
    assert!(backup.contains("t0p-secret"));
    let again = tool.run(&["env", "--write", ".env.production", "--output", "json"]).document();
    assert_eq!((&again["result"]["changed"], &again["result"]["backup"]), (&false.into(), &serde_json::Value::Null), "{again:#}");
    assert!(!tool.directory.path().join(".env.production.bak.1").exists());
    tool.run(&["env", "--write", "no/such/folder/.env"]).says(1, &["cannot write no/such/folder/.env", "nothing was changed"]);
}

#[test]
fn what_git_would_not_give_back_is_not_replaced() {
    let (_sandbox, tool, url) = stack();
    let folder = tool.directory.path();
    tool.file(".env", "NEXT_PUBLIC_WS_URL=wss://committed\n");
    git(folder, &["init", "-q"]);
    git(folder, &["add", ".env"]);
    git(folder, &["commit", "-q", "-m", "x"]);
    let write = |more: &[&str]| tool.run(&[&["env", "--write", ".env"], more].concat());

    tool.file(".env", "NEXT_PUBLIC_WS_URL=wss://typed-in\n");
    write(&[]).says(1, &["in no commit and not staged: NEXT_PUBLIC_WS_URL=wss://typed-in", "`--force`"]);
    assert_eq!(fs::read_to_string(folder.join(".env")).expect("a file"), "NEXT_PUBLIC_WS_URL=wss://typed-in\n");

    // Other changes are not lost.
    tool.file(".env", "NEXT_PUBLIC_WS_URL=wss://committed\nOTHER=new\n");
    write(&[]).says(0, &[]);
    assert_eq!(fs::read_to_string(folder.join(".env")).expect("a file"), format!("NEXT_PUBLIC_WS_URL={url}\nOTHER=new\n"));

    tool.file(".env", "NEXT_PUBLIC_WS_URL=wss://typed-in\n");
    git(folder, &["add", ".env"]);
    write(&[]).says(0, &[]);
    tool.file(".env", "NEXT_PUBLIC_WS_URL=wss://again\n");
    write(&["--force"]).says(0, &[]);
}
