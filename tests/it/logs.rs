//! `wsfix logs`: lines read, picked, followed and summed up; and what it says where there are none.

use std::io::{BufRead, BufReader};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use serde_json::Value;
use wsfix::local::Options;
use wsfix::local::account::Account;

use crate::support::aws::Aws;
use crate::support::{Sandbox, block_on};
use crate::tool::{Tool, signal};

const GROUP: &str = "/aws/lambda/websocket-handler";

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis()).expect("a time")
}

/// Writes lines into a stream, each at its time.
async fn write(aws: &Aws, stream: &str, lines: &[(i64, String)]) {
    let _ = aws.logs.create_log_stream().log_group_name(GROUP).log_stream_name(stream).send().await;
    let event = |(at, text): &(i64, String)| InputLogEvent::builder().timestamp(*at).message(text).build().expect("an event");
    let call = aws.logs.put_log_events().log_group_name(GROUP).log_stream_name(stream);
    call.set_log_events(Some(lines.iter().map(event).collect())).send().await.expect("lines");
}

/// One invocation as it stands in the log.
fn invocation(at: i64, request: &str, lines: &[&str]) -> Vec<(i64, String)> {
    let mut all = vec![format!("START RequestId: {request} Version: $LATEST")];
    all.extend(lines.iter().map(|line| format!("[WebSocket] {line}")));
    all.push(format!("END RequestId: {request}"));
    all.push(format!(
        "REPORT RequestId: {request}\tDuration: 3.10 ms\tBilled Duration: 4 ms\tMemory Size: 256 MB\tMax Memory Used: 20 MB\tInit Duration: 9.00 ms\t"
    ));
    all.into_iter().map(|line| (at, line)).collect()
}

#[test]
fn where_there_are_no_lines_it_says_why() {
    let sandbox = Sandbox::new();
    let tool = Tool::of(&sandbox.cloud);
    tool.run(&["logs"]).says(1, &["there is no function `websocket-handler` in us-east-1", "`wsfix provision` makes it"]);
    sandbox.provision();
    let quiet = tool.run(&["logs"]);
    quiet.says(0, &["the function was never invoked: log group /aws/lambda/websocket-handler has no stream"]);
    assert_eq!(quiet.out, "");
    let aws = sandbox.aws();
    block_on(async {
        write(&aws, "s", &invocation(now() - 3_600_000, "r0", &[])).await;
    });
    tool.run(&["logs"]).says(0, &["no line since ", "the last one that is known of is of ", "`--since` looks further back"]);
    tool.run(&["logs", "--since", "2h", "--filter", "nothing like it"]).says(0, &["none of the 3 lines since "]);
    tool.run(&["logs", "--since", "yesterday"]).says(2, &["--since"]);
    block_on(aws.logs.delete_log_group().log_group_name(GROUP).send()).expect("no group");
    tool.run(&["logs", "--stats"])
        .says(0, &["there is no log group /aws/lambda/websocket-handler: the function was never invoked, or the group was deleted"]);
}

#[test]
fn a_role_that_cannot_write_is_named() {
    let account = "extends: default\nroles:\n  - {name: lambda_basic_execution, managed_policies: [TableAndConnections]}\n";
    let account = Account::parse(account, "account.yaml").expect("an account");
    let mut sandbox = Sandbox::with(Options { account, ..Options::default() });
    sandbox.config.existing_role = Some("lambda_basic_execution".to_owned());
    sandbox.provision();
    let tool = Tool::of(&sandbox.cloud);
    let silent = tool.run(&["logs", "--output", "json"]);
    silent.says(0, &[]);
    let said = silent.document()["result"]["silence"][0].as_str().expect("a reason").to_owned();
    for words in
        ["role/lambda_basic_execution may not write logs: logs:CreateLogStream, PutLogEvents is denied", "no line of it will ever be there"]
    {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn lines_are_read_in_order_and_picked() {
    let sandbox = Sandbox::new();
    sandbox.provision();
    let aws = sandbox.aws();
    let at = now() - 60_000;
    block_on(async {
        // More than two pages; two sandboxes at the same time.
        let many: Vec<(i64, String)> = (0..2_500).map(|number| (at + number, format!("line {number}"))).collect();
        write(&aws, "many", &many).await;
        let connect =
            ["Route: $connect, ConnectionId: c1=", "Failed: the table of connections: no answer", "Refused: c1=, Status: 500, Reason: x"];
        write(&aws, "a", &invocation(at + 10_000, "r1", &connect)).await;
        let message =
            ["Route: sendMessage, ConnectionId: c2=", "Message from c2=: { type: 'ping' }", "Error: c2=, Code: bad_reply, RequestId: g2="];
        write(&aws, "b", &invocation(at + 10_000, "r2", &message)).await;
        write(&aws, "a", &[(at + 11_000, "an escape \u{1b}[2J".to_owned())]).await;
    });
    let tool = Tool::of(&sandbox.cloud);
    let out = |arguments: &[&str]| {
        let ended = tool.run(&[&["logs"], arguments].concat());
        ended.says(0, &[]);
        ended.out
    };
    let all = out(&[]);
    let numbers: Vec<usize> = all.lines().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect();
    assert!(numbers.len() == 2_500 && numbers.is_sorted(), "{}", numbers.len());
    assert!(!all.contains("REPORT") && out(&["-v"]).contains("REPORT RequestId: r1"), "Lambda's own lines are for who asks");
    assert_eq!(out(&["--filter", "Refused"]), "[WebSocket] Refused: c1=, Status: 500, Reason: x\n");
    let of_connection = "[WebSocket] Route: $connect, ConnectionId: c1=\n[WebSocket] Failed: the table of connections: no answer\n[WebSocket] Refused: c1=, Status: 500, Reason: x\n";
    assert!(out(&["--connection", "c1="]).starts_with(of_connection));
    assert_eq!(out(&["--request", "g2="]), "[WebSocket] Error: c2=, Code: bad_reply, RequestId: g2=\n");
    assert_eq!(out(&["--request", "r2"]).lines().count(), 3);

    let document = tool.run(&["logs", "--request", "r2", "--output", "json"]).document();
    let lines = document["result"]["lines"].as_array().expect("lines");
    assert_eq!(lines.len(), 6, "{document:#}");
    assert!(lines.iter().all(|line| line["request_id"] == "r2" && line["timestamp"] == at + 10_000), "{document:#}");
    assert_eq!((&lines[2]["kind"], &lines[2]["connection_id"]), (&Value::from("message"), &Value::from("c2=")));

    let stats = out(&["--stats"]);
    for words in [
        "invocations   2  (connect 1, message 1)",
        "refused (500 1)",
        "errors        bad_reply 1",
        "failed        the table of connections 1",
    ] {
        assert!(stats.contains(words), "{words}\n{stats}");
    }
}

#[test]
fn following_loses_and_doubles_no_line() {
    let sandbox = Sandbox::new();
    sandbox.provision();
    let aws = sandbox.aws();
    let at = now() - 1_000;
    block_on(write(&aws, "a", &[(at, "one".to_owned()), (at, "two".to_owned())]));
    let tool = Tool::of(&sandbox.cloud);
    let mut child = tool.start(&["logs", "-f", "--output", "json"]);
    let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
    let mut next = || {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str::<Value>(&line).expect("JSON")["message"].as_str().expect("a message").to_owned()
    };
    assert_eq!([next(), next()], ["one", "two"]);
    // Of the same millisecond, of another stream, and late.
    block_on(write(&aws, "b", &[(at - 30_000, "late".to_owned()), (at, "three".to_owned()), (at + 500, "four".to_owned())]));
    assert_eq!([next(), next(), next()], ["late", "three", "four"]);
    // The group goes and comes back.
    block_on(async {
        aws.logs.delete_log_group().log_group_name(GROUP).send().await.expect("no group");
        aws.logs.create_log_group().log_group_name(GROUP).send().await.expect("a group");
        write(&aws, "c", &[(at + 600, "five".to_owned())]).await;
    });
    assert_eq!(next(), "five");
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}
