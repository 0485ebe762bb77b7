//! Lines 9 to 11: functions, from CreateFunction to the process.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wsfix::local::faults::Quirk;
use wsfix::local::{Delays, Options};

use super::wire::{Lab, until, zipped};

const CONFLICT: &str = "ResourceConflictException";
const INVALID: &str = "InvalidParameterValueException";

fn slow(millis: u64) -> Lab {
    let delays = Delays { function: Duration::from_millis(millis), ..Delays::default() };
    Lab::with(Options { delays, ..Options::default() })
}

async fn active(lab: &Lab, name: &str) -> Value {
    let done = async || {
        let found = lab.lambda("GET", &format!("/{name}/configuration"), Value::Null).await.ok();
        (found["State"] == "Active" && found["LastUpdateStatus"] == "Successful").then_some(found)
    };
    until(done).await.expect("an active function")
}

#[tokio::test]
async fn line_09_a_function_is_pending_and_then_active() {
    let lab = slow(600);
    let code = lab.bootstrap("", "");
    let made = lab.create("f", ("bootstrap", 0o755, code.as_bytes()), Value::Null).await;
    assert_eq!((made.status, &made.json()["State"], &made.json()["StateReasonCode"]), (201, &json!("Pending"), &json!("Creating")));
    let pending = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
    lab.lambda("PUT", "/f/configuration", json!({"Timeout": 5})).await.is(409, CONFLICT, pending);
    lab.lambda("POST", "/f/invocations", json!({})).await.is(409, CONFLICT, pending);
    assert_eq!(lab.lambda("GET", "/f/configuration", Value::Null).await.ok()["State"], "Pending");
    active(&lab, "f").await;
}

#[tokio::test]
async fn line_09_updates_go_one_at_a_time_and_the_old_code_serves_meanwhile() {
    let lab = slow(800);
    let version = |number: u8| zipped(("bootstrap", 0o755, lab.bootstrap("", &format!("result = {number}")).as_bytes()));
    lab.create("f", ("bootstrap", 0o755, lab.bootstrap("", "result = 1").as_bytes()), Value::Null).await.ok();
    active(&lab, "f").await;
    assert_eq!(lab.invoke("f", json!({})).await.0, 1);
    let updated = lab.lambda("PUT", "/f/code", json!({"ZipFile": version(2)})).await.ok();
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    let text = "The operation cannot be performed at this time. An update is in progress for resource: \
                arn:aws:lambda:us-east-1:111122223333:function:f";
    lab.lambda("PUT", "/f/configuration", json!({"Timeout": 5})).await.is(409, CONFLICT, text);
    lab.lambda("PUT", "/f/code", json!({"ZipFile": version(3)})).await.is(409, CONFLICT, text);
    assert_eq!(lab.invoke("f", json!({})).await.0, 1);
    active(&lab, "f").await;
    assert_eq!(lab.invoke("f", json!({})).await.0, 2);
}

#[tokio::test]
async fn line_09_a_new_role_cannot_be_assumed_at_first() {
    let lab = Lab::with(Options { quirks: vec![Quirk::RoleNotAssumable; 2], ..Options::default() });
    let create = async || lab.create("f", ("bootstrap", 0o755, b"#!/bin/sh\n"), Value::Null).await;
    for _ in 0..2 {
        create().await.is(400, INVALID, "The role defined for the function cannot be assumed by Lambda.");
    }
    create().await.ok();
    create().await.is(409, CONFLICT, "Function already exist: f");
}

#[tokio::test]
async fn line_09_statements_have_their_id_once() {
    let lab = Lab::new();
    lab.function("f", "").await;
    lab.permit("f", "one", "abc/*").await.ok();
    let text = "The statement id (one) provided already exists. Please provide a new statement id, or remove the existing statement.";
    lab.permit("f", "one", "abc/*").await.is(409, CONFLICT, text);
}

#[tokio::test]
async fn line_09_variables_have_names_and_a_size() {
    let lab = Lab::new();
    let create = async |name: &str, value: &str| {
        let environment = json!({"Environment": {"Variables": {name: value}}});
        lab.create("f", ("bootstrap", 0o755, b"#!/bin/sh\n"), environment).await
    };
    for name in ["A", "1A", "_A"] {
        create(name, "x").await.is(400, "ValidationException", "[a-zA-Z]([a-zA-Z0-9_])+");
    }
    for name in ["AWS_REGION", "_HANDLER", "LAMBDA_TASK_ROOT", "AWS_ACCESS_KEY_ID"] {
        create(name, "x").await.is(400, INVALID, "reserved keys that are currently not supported for modification");
    }
    create("LONG", &"x".repeat(4100)).await.is(400, INVALID, "exceeded the 4KB limit");
    // Names, values and the JSON around them: 4,096 bytes are just enough.
    create("LONG", &"x".repeat(4096 - r#"{"LONG":""}"#.len() + 1)).await.is(400, INVALID, "exceeded the 4KB limit");
    create("LONG", &"x".repeat(4096 - r#"{"LONG":""}"#.len())).await.ok();
}

#[tokio::test]
async fn line_10_what_cannot_start_is_created_and_fails_when_it_is_invoked() {
    let lab = Lab::new();
    let mut arm = [0; 64];
    arm[..4].copy_from_slice(b"\x7fELF");
    arm[18] = 0xb7;
    for (name, file, text) in [
        ("missing", ("other", 0o755, &b"x"[..]), "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        ("mode", ("bootstrap", 0o644, b"#!/bin/sh\n"), "permission denied"),
        ("machine", ("bootstrap", 0o755, &arm), "exec format error"),
    ] {
        let made = lab.create(name, file, Value::Null).await;
        assert_eq!(made.status, 201, "{made:#?}");
        let (answer, kind) = lab.invoke(name, json!({})).await;
        assert_eq!((kind.as_str(), &answer["errorType"]), ("Unhandled", &json!("Runtime.InvalidEntrypoint")), "{answer}");
        assert!(answer["errorMessage"].as_str().is_some_and(|message| message.contains(text)), "{answer}");
    }
}

#[tokio::test]
async fn line_11_the_process_sees_lambdas_variables_and_the_functions() {
    let lab = Lab::new();
    let more = json!({"Environment": {"Variables": {"STAGE": "prod"}}});
    lab.create("f", ("bootstrap", 0o755, lab.bootstrap("", "result = dict(os.environ)").as_bytes()), more).await.ok();
    let (seen, _) = lab.invoke("f", json!({})).await;
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "STAGE",
        "TZ",
        "_HANDLER",
    ];
    // Python sets this one for itself.
    let names: Vec<&str> = seen.as_object().expect("variables").keys().map(String::as_str).filter(|name| *name != "LC_CTYPE").collect();
    assert_eq!(names, expected);
    assert_eq!((&seen["AWS_ENDPOINT_URL"], &seen["AWS_LAMBDA_FUNCTION_VERSION"]), (&json!(lab.cloud.endpoint()), &json!("$LATEST")));
}

#[tokio::test]
async fn line_11_a_process_stands_still_between_events() {
    let lab = Lab::new();
    let tick = "ticks = 0\ndef tick():\n    global ticks\n    while True:\n        ticks += 1\n        time.sleep(0.01)\n\
                threading.Thread(target=tick, daemon=True).start()";
    lab.create("f", ("bootstrap", 0o755, lab.bootstrap(tick, "result = [ticks, (time.sleep(0.3), ticks)[1]]").as_bytes()), Value::Null)
        .await
        .ok();
    let (first, _) = lab.invoke("f", json!({})).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (second, _) = lab.invoke("f", json!({})).await;
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    assert!(number(&first[1]) > number(&first[0]), "it runs during an event: {first}");
    assert!(number(&second[0]) - number(&first[1]) < 30, "it stands still after it: {first} {second}");
}

#[tokio::test]
async fn line_11_a_timeout_kills() {
    let lab = Lab::new();
    let code = lab.bootstrap("", "result = os.getpid()\nif event.get('hang'): time.sleep(60)");
    lab.create("f", ("bootstrap", 0o755, code.as_bytes()), json!({"Timeout": 1})).await.ok();
    let (before, _) = lab.invoke("f", json!({})).await;
    let (answer, kind) = lab.invoke("f", json!({"hang": true})).await;
    assert_eq!((kind.as_str(), &answer["errorType"]), ("Unhandled", &json!("Sandbox.Timedout")), "{answer}");
    assert!(answer["errorMessage"].as_str().is_some_and(|text| text.ends_with("Task timed out after 1.00 seconds")), "{answer}");
    assert_ne!(lab.invoke("f", json!({})).await.0, before);
}

/// On a clock that runs a thousand times as fast the limit of ten seconds is five: a process needs real time.
#[tokio::test]
async fn line_11_a_start_that_takes_too_long_is_tried_again_in_the_functions_own_time() {
    let lab = Lab::with(Options { speed: 1000.0, ..Options::default() });
    let marks = tempfile::tempdir().expect("a directory");
    let mark = marks.path().join("second");
    let init = format!("if not os.path.exists({mark:?}):\n    open({mark:?}, 'w').close()\n    time.sleep(60)");
    lab.create("f", ("bootstrap", 0o755, lab.bootstrap(&init, "result = 'started'").as_bytes()), Value::Null).await.ok();
    let began = Instant::now();
    assert_eq!(lab.invoke("f", json!({})).await.0, "started");
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    let lines = lab.logs("FilterLogEvents", json!({"logGroupName": "/aws/lambda/f"})).await.ok();
    assert!(lines.to_string().contains("INIT_REPORT") && lines.to_string().contains("timeout"), "{lines}");
}

#[tokio::test]
async fn line_11_more_memory_than_the_function_has_kills() {
    let lab = Lab::new();
    let code = lab.bootstrap("", "if event.get('mb'):\n    kept = b'x' * (event['mb'] << 20)\n    time.sleep(20)");
    lab.create("f", ("bootstrap", 0o755, code.as_bytes()), json!({"MemorySize": 128})).await.ok();
    assert_eq!(lab.invoke("f", json!({})).await, (json!({"statusCode": 200}), String::new()));
    let (answer, kind) = lab.invoke("f", json!({"mb": 200})).await;
    assert_eq!((kind.as_str(), &answer["errorType"]), ("Unhandled", &json!("Runtime.ExitError")), "{answer}");
    assert!(answer["errorMessage"].as_str().is_some_and(|text| text.ends_with("signal: killed")), "{answer}");
    assert_eq!(lab.invoke("f", json!({})).await.0, json!({"statusCode": 200}));
}
