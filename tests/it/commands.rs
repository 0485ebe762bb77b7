//! The commands against a local cloud, from the outside.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde_json::{Value, json};
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::local::{Cloud, Delays, Options};

use crate::handler;
use crate::tool::{Ended, Tool, signal};

fn cloud() -> Cloud {
    Cloud::start(Options::default()).expect("a cloud")
}

/// Every call takes so long that a signal comes in the middle.
fn slow_cloud() -> Cloud {
    let delays = Delays { call: Duration::from_millis(100), ..Delays::default() };
    Cloud::start(Options { delays, ..Options::default() }).expect("a cloud")
}

#[test]
fn a_stack_lives_from_plan_to_teardown() {
    let cloud = cloud();
    let tool = Tool::of(&cloud);

    let plan = tool.run(&["plan", "--calls"]);
    plan.says(3, &[]);
    for words in
        ["  + table WebSocketConnections", "  + route sendMessage", "CreateTable", "dynamodb:CreateTable", "`wsfix provision` makes it so."]
    {
        assert!(plan.out.contains(words), "{words}\n{}", plan.out);
    }

    let made = tool.run(&["provision"]);
    made.says(0, &["created   table WebSocketConnections", "created   function websocket-handler", " created, 0 updated, 0 deleted in "]);
    let url = format!("WebSocket URL  ws://127.0.0.1:{}/_aws/execute-api/", cloud.port());
    assert!(made.out.contains(&url), "{}", made.out);

    tool.run(&["provision"]).says(0, &["nothing to do: the stack is as it should be"]);
    let plan = tool.run(&["plan"]);
    plan.says(0, &[]);
    assert!(plan.out.contains("Nothing to do: all "), "{}", plan.out);

    let drift = tool.run(&["plan", "--memory", "512"]);
    drift.says(3, &[]);
    assert!(drift.out.contains("  ~ function websocket-handler\n        memory_mb: 256 -> 512\n"), "{}", drift.out);

    let status = tool.run(&["status"]);
    status.says(0, &[]);
    for words in ["ACTIVE", "DEPLOYED", "Everything is as the config says.", "WebSocket URL"] {
        assert!(status.out.contains(words), "{words}\n{}", status.out);
    }

    let gone = tool.run(&["teardown", "--yes"]);
    gone.says(0, &["stack `terminal` owns, and this deletes:", "  - table WebSocketConnections", "deleted   function websocket-handler"]);
    assert!(gone.out.contains("4 resources of stack `terminal` deleted in "), "{}", gone.out);
    let gone = tool.run(&["teardown", "--yes"]);
    assert_eq!((gone.code, gone.out.trim()), (Some(0), "Nothing to delete: stack `terminal` owns nothing here."));
    assert!(tool.run(&["status"]).out.contains("There is no API yet"));
}

#[test]
fn with_json_every_command_answers_one_document() {
    let cloud = cloud();
    let tool = Tool::of(&cloud);
    let run = |command: &[&str], exit: i32| {
        let ended = tool.run(&[command, &["--output", "json"]].concat());
        assert_eq!(ended.code, Some(exit), "{}\n{}", ended.out, ended.err);
        let document = ended.document();
        assert_eq!((&document["v"], &document["command"], &document["exit"]), (&json!(1), &json!(command[0]), &json!(exit)));
        assert!(ended.events().iter().all(|event| event["v"] == 1 && event["event"].is_string() && event["t"].is_number()));
        (document["result"].clone(), ended.events())
    };
    let (plan, _) = run(&["plan"], 3);
    assert_eq!(plan["summary"]["keep"], 1, "the role: {plan}");
    let steps = plan["steps"].as_array().expect("steps");
    assert!(steps.iter().any(|step| step["kind"] == "table" && step["calls"][0]["iam"] == "dynamodb:CreateTable"), "{plan}");

    let (made, events) = run(&["provision"], 0);
    assert!(made["outputs"]["websocket_url"].as_str().is_some_and(|url| url.starts_with("ws://")), "{made}");
    let planned = events.iter().find(|event| event["event"] == "planned").expect("planned");
    let finished = events.iter().filter(|event| event["event"] == "finished" && event["action"] == "create").count();
    assert_eq!(planned["create"], finished);

    let (status, _) = run(&["status"], 0);
    assert_eq!(status["outputs"], made["outputs"]);
    assert!(status["resources"].as_array().is_some_and(|all| all.iter().all(|one| one["healthy"] == true)), "{status}");
    let (gone, _) = run(&["teardown", "--yes"], 0);
    assert_eq!(gone["deleted"].as_array().map(Vec::len), Some(4), "{gone}");
}

#[test]
fn a_failure_in_the_middle_says_what_stands_and_how_to_go_on() {
    let cloud = cloud();
    let tool = Tool::of(&cloud);
    let kind = Kind::Error { status: 400, code: "BadRequestException".to_owned(), message: "no such luck".to_owned() };
    cloud.faults().plan(Fault { operation: "CreateStage".to_owned(), nth: 1, times: 1, moment: Moment::Before, kind });
    let failed = tool.run(&["provision"]);
    failed.says(
        1,
        &[
            "error: cannot create stage `",
            "  action    apigateway:POST (CreateStage)",
            "AWS said  BadRequestException: no such luck",
            "(request ",
            "done so far: ",
            "the same command goes on from here, `wsfix teardown` deletes what was made",
        ],
    );
    assert_eq!(failed.out, "");
    tool.run(&["provision"]).says(0, &["created   stage prod"]);
}

#[test]
fn wrong_credentials_and_a_silent_endpoint_are_told_apart() {
    let cloud = cloud();
    let mut tool = Tool::of(&cloud);
    tool.set("AWS_ACCESS_KEY_ID", "AKIAWSFIXLOCALNOBODY");
    tool.run(&["plan"]).says(1, &["AWS said", "hint: this access key does not exist there"]);
    tool.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    tool.run(&["plan"]).says(1, &["error: cannot ", "hint: check the network and the proxy"]);
}

#[test]
fn a_profile_that_is_named_wins_over_keys_in_the_environment() {
    let cloud = cloud();
    let mut tool = Tool::of(&cloud);
    tool.file("credentials", "[good]\naws_access_key_id = AKIAWSFIXLOCALDEV001\naws_secret_access_key = wsfix-local-secret\n");
    let file = tool.directory.path().join("credentials").display().to_string();
    tool.set("AWS_SHARED_CREDENTIALS_FILE", &file);
    tool.run(&["plan", "--profile", "missing"]).says(1, &["`missing`", "hint: `aws configure list-profiles`"]);
    tool.set("AWS_ACCESS_KEY_ID", "AKIAWSFIXLOCALNOBODY");
    tool.run(&["plan", "--profile", "good"]).says(3, &[]);
    tool.set("AWS_PROFILE", "good");
    tool.run(&["plan"]).says(1, &["hint: this access key does not exist there"]);
}

#[test]
fn a_role_that_is_missing_or_unfit_stops_the_run_before_anything_is_made() {
    let cloud = cloud();
    let tool = Tool::of(&cloud);
    tool.run(&["provision", "--existing-role", "no-such-role"]).says(1, &["no-such-role"]);
    tool.run(&["provision", "--existing-role", "ec2-instance"]).says(1, &["ec2-instance", "lambda.amazonaws.com"]);
    assert!(cloud.calls().all().iter().all(|call| !call.is_mutating()));
}

/// Waits for an event of a run with `--output json`; answers what is left of standard error.
fn await_event(child: &mut std::process::Child, wanted: &str, action: &str) -> BufReader<std::process::ChildStderr> {
    let mut lines = BufReader::new(child.stderr.take().expect("standard error"));
    loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).expect("a line"), 0, "it ended before `{wanted}`");
        if serde_json::from_str::<Value>(&line).is_ok_and(|event| event["event"] == wanted && event["action"] == action) {
            return lines;
        }
    }
}

/// Waits for its end, having read a part of standard error already.
fn rest(child: std::process::Child, mut lines: BufReader<std::process::ChildStderr>) -> Ended {
    let mut err = String::new();
    lines.read_to_string(&mut err).expect("text");
    let mut ended = Ended::of(child.wait_with_output().expect("its end"));
    ended.err = err;
    ended
}

#[test]
fn an_interrupt_lets_running_calls_finish_and_the_next_run_goes_on() {
    for name in ["-INT", "-TERM"] {
        let cloud = slow_cloud();
        let tool = Tool::of(&cloud);
        let mut child = tool.start(&["provision", "--output", "json"]);
        let lines = await_event(&mut child, "finished", "create");
        signal(&child, name);
        let ended = rest(child, lines);
        assert_eq!(ended.code, Some(130), "{}\n{}", ended.out, ended.err);
        let error = ended.document()["error"].clone();
        assert_eq!(error["message"], "stopped: the calls that were under way have finished");
        assert!(error["left"].as_array().is_some_and(|left| !left.is_empty()), "{error}");
        assert!(error["next"].as_str().is_some_and(|next| next.starts_with("the same command goes on")), "{error}");
        tool.run(&["provision"]).says(0, &[]);
        tool.run(&["plan"]).says(0, &[]);
    }
}

#[test]
fn a_second_interrupt_stops_at_once() {
    let delays = Delays { call: Duration::from_secs(2), ..Delays::default() };
    let cloud = Cloud::start(Options { delays, ..Options::default() }).expect("a cloud");
    let tool = Tool::of(&cloud);
    let mut child = tool.start(&["provision", "--output", "json"]);
    let lines = await_event(&mut child, "started", "look");
    signal(&child, "-INT");
    child.stderr = None;
    let mut lines = lines;
    loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).expect("a line"), 0, "it ended after one interrupt");
        if line.contains("Ctrl-C once more stops at once") {
            break;
        }
    }
    signal(&child, "-INT");
    let since = std::time::Instant::now();
    let ended = rest(child, lines);
    assert!(since.elapsed() < Duration::from_millis(1500), "{:?}", since.elapsed());
    assert_eq!(ended.code, Some(130));
    assert!(ended.document()["error"]["message"].as_str().is_some_and(|text| text.starts_with("stopped at once")), "{}", ended.out);
}

#[test]
fn build_writes_the_same_zip_twice() {
    let tool = Tool::of(&cloud());
    let built = tool.run(&["build", "--out", "one.zip"]);
    built.says(0, &[]);
    assert!(built.out.starts_with("one.zip  "), "{}", built.out);
    let again = tool.run(&["build", "--out", "two.zip", "--output", "json"]).document();
    assert_eq!(again["result"]["file"], "two.zip");
    assert!(built.out.contains(again["result"]["code_sha256"].as_str().expect("a digest")));
    let read = |name| std::fs::read(tool.directory.path().join(name)).expect("a zip");
    assert_eq!(read("one.zip"), read("two.zip"));

    tool.file("broken", "#!/bin/sh\nexit 0\n");
    tool.run(&["build", "--handler", "broken"]).says(1, &["broken is a script: no handler", "hint: give a zip with `bootstrap` in it"]);
    tool.run(&["build", "--handler", "bootstrap", "--architecture", "arm64"]).says(1, &["error: ", "hint: "]);
    tool.run(&["build", "--out", "no/such/directory/x.zip"]).says(1, &["error: cannot write no/such/directory/x.zip"]);
}

#[test]
fn the_tour_of_dev_passes_with_the_weak_role_and_with_a_good_one() {
    let tool = Tool::new();
    let handler = handler::zip();
    for (role, reply, address) in
        [("lambda_basic_execution", "route-response", "127.0.0.1"), ("websocket-handler-role", "management-api", "0.0.0.0")]
    {
        let ended = tool.run(&["dev", "--once", "--handler", handler, "--existing-role", role, "--listen", address, "--output", "json"]);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
        let document = ended.document();
        let checks = document["result"]["checks"].as_array().expect("checks");
        assert!(checks.iter().all(|check| check["verdict"] == "passed") && checks.len() >= 19, "{document:#}");
        let told = ended.events().iter().filter(|event| event["event"] == "check").count();
        assert_eq!(told, checks.len());
        let evidence = checks.iter().find(|check| check["name"] == "the stack is provisioned").expect("provisioned");
        assert!(evidence["evidence"].as_str().is_some_and(|text| text.contains(reply)), "{evidence}");
        let warned =
            ended.events().iter().any(|event| event["text"].as_str().is_some_and(|text| text.starts_with("whoever reaches 0.0.0.0:")));
        assert_eq!(warned, address == "0.0.0.0", "{}", ended.err);
    }
}

#[test]
fn dev_serves_until_it_is_interrupted() {
    let tool = Tool::new();
    let mut child = tool.start(&["dev", "--port", "0", "--output", "json", "--handler", handler::zip()]);
    let mut errors = child.stderr.take().expect("standard error");
    let drained = std::thread::spawn(move || {
        let mut err = String::new();
        errors.read_to_string(&mut err).map(|_| err)
    });
    let mut out = BufReader::new(child.stdout.take().expect("standard output"));
    let mut document = String::new();
    while !document.ends_with("\n}\n") {
        assert_ne!(out.read_line(&mut document).expect("a line"), 0, "it ended: {document}");
    }
    let document: Value = serde_json::from_str(&document).expect("a document");
    let result = &document["result"];
    for name in ["websocket_url", "page_url", "endpoint_url", "token", "session_id", "access_key_id", "backend_url"] {
        assert!(result[name].is_string(), "{name}: {document:#}");
    }
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    let err = drained.join().expect("a thread").expect("text");
    assert!(err.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{err}");
    let address = result["endpoint_url"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
    assert!(std::net::TcpStream::connect(address).is_err(), "something still listens at {address}");
}
