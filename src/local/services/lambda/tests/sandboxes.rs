use std::time::{Duration, Instant};

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, InvocationType, LogFormat, LogType, LoggingConfig};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::local::Options;
use crate::local::services::lambda::fixture::zip;
use crate::local::support::{Lab, bootstrap};

fn lab() -> Lab {
    Lab::start(Options::default())
}

#[tokio::test]
async fn an_event_goes_in_and_an_answer_comes_out() {
    let lab = lab();
    lab.function("echo", "", "result = {'got': event, 'arn': response.headers['Lambda-Runtime-Invoked-Function-Arn']}")
        .send()
        .await
        .unwrap();
    let (answer, failed) = lab.invoke("echo", r#"{"a":1}"#).await;
    assert_eq!(answer, json!({"got": {"a": 1}, "arn": "arn:aws:lambda:us-east-1:111122223333:function:echo"}));
    assert!(!failed);
}

#[tokio::test]
async fn the_deadline_is_the_timeout() {
    let lab = lab();
    let body = "result = int(response.headers['Lambda-Runtime-Deadline-Ms']) - time.time() * 1000";
    lab.function("deadline", "", body).timeout(28).send().await.unwrap();
    let left = lab.invoke("deadline", "{}").await.0.as_f64().unwrap();
    assert!((26_000.0..28_001.0).contains(&left), "{left}");
}

#[tokio::test]
async fn the_environment_holds_what_lambda_sets_and_nothing_else() {
    let lab = lab();
    let environment = Environment::builder().variables("STAGE", "prod").variables("PATH", "/mine:/bin").build();
    lab.function("env", "", "result = dict(os.environ)").environment(environment).send().await.unwrap();
    let (variables, _) = lab.invoke("env", "{}").await;
    for (name, value) in [
        ("STAGE", "prod"),
        ("PATH", "/mine:/bin"),
        ("AWS_ENDPOINT_URL", lab.cloud.endpoint()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "env"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/env"),
        ("_HANDLER", "bootstrap"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_LOG_STREAM_NAME"] {
        assert!(variables[name].as_str().is_some_and(|value| !value.is_empty()), "{name}");
    }
    let own = ["AWS_", "LAMBDA_", "_HANDLER", "LANG", "LD_LIBRARY_PATH", "LC_CTYPE", "PATH", "TZ", "STAGE"];
    let foreign: Vec<_> = variables.as_object().unwrap().keys().filter(|name| !own.iter().any(|own| name.starts_with(own))).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[tokio::test]
async fn one_sandbox_takes_one_event_at_a_time_and_is_used_again() {
    let lab = lab();
    // Each waits for the other, so that one process alone would never be done with the first.
    let meet = "def meet(folder):\n    open(f'{folder}/{os.getpid()}', 'w').close()\n    while len(os.listdir(folder)) < 2:\n        time.sleep(0.01)";
    let code = "meet(event['folder']) if 'folder' in event else None; result = os.getpid()";
    lab.function("pid", meet, code).timeout(20).send().await.unwrap();
    let (first, _) = lab.invoke("pid", "{}").await;
    let (second, _) = lab.invoke("pid", "{}").await;
    assert_eq!(first, second);
    let folder = tempfile::tempdir().unwrap();
    let event = serde_json::json!({ "folder": folder.path() }).to_string();
    let ((one, failed), (two, late)) = tokio::join!(lab.invoke("pid", &event), lab.invoke("pid", &event));
    assert!(!failed && !late, "{one} {two}");
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_sandbox_is_frozen_between_events() {
    let lab = lab();
    let ticker = "ticks = 0\ndef tick():\n    global ticks\n    while True:\n        ticks += 1\n        time.sleep(0.01)\nthreading.Thread(target=tick, daemon=True).start()";
    lab.function("ticks", ticker, "result = [ticks, (time.sleep(0.3), ticks)[1]]").send().await.unwrap();
    let (first, _) = lab.invoke("ticks", "{}").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (second, _) = lab.invoke("ticks", "{}").await;
    let numbers = |value: &serde_json::Value| (value[0].as_i64().unwrap(), value[1].as_i64().unwrap());
    let ((start, end), (later, _)) = (numbers(&first), numbers(&second));
    assert!(end - start > 10, "it runs during an event: {first}");
    assert!(later - end < 15, "it stands still after it: {first} {second}");
}

#[tokio::test]
async fn a_timeout_kills_the_sandbox_and_the_next_event_gets_a_new_one() {
    let lab = lab();
    lab.function("slow", "", "time.sleep(event['sleep']); result = os.getpid()").timeout(1).send().await.unwrap();
    let (before, _) = lab.invoke("slow", r#"{"sleep":0}"#).await;
    let started = Instant::now();
    let (answer, failed) = lab.invoke("slow", r#"{"sleep":9}"#).await;
    assert!(failed && started.elapsed() < Duration::from_secs(3));
    assert_eq!(answer["errorType"], "Sandbox.Timedout");
    assert!(answer["errorMessage"].as_str().unwrap().ends_with("Error: Task timed out after 1.00 seconds"), "{answer}");
    let (after, _) = lab.invoke("slow", r#"{"sleep":0}"#).await;
    assert_ne!(before, after);
}

#[tokio::test]
async fn crashes_and_reported_errors_reach_the_caller() {
    let lab = lab();
    lab.function("crash", "", "os._exit(3)").send().await.unwrap();
    lab.function("signal", "", "os.kill(os.getpid(), 9)").send().await.unwrap();
    let report = "call('POST', 'invocation/' + id + '/error', '{\"errorType\":\"Mine\",\"errorMessage\":\"why\"}')\ncontinue";
    lab.function("report", "", report).send().await.unwrap();
    lab.function("init", "sys.exit(1)", "").send().await.unwrap();
    lab.function("init-error", "call('POST', 'init/error', '{\"errorType\":\"Init\",\"errorMessage\":\"no\"}'); sys.exit(1)", "")
        .send()
        .await
        .unwrap();
    lab.function("large", "", "result = 'x' * 6291556").send().await.unwrap();
    for (name, kind, text) in [
        ("crash", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("signal", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ("report", "Mine", "why"),
        ("init", "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ("init-error", "Init", "no"),
        ("large", "Function.ResponseSizeTooLarge", "(6291556 bytes)"),
    ] {
        let (answer, failed) = lab.invoke(name, "{}").await;
        assert!(failed && answer["errorType"] == kind && answer["errorMessage"].as_str().unwrap().contains(text), "{name}: {answer}");
    }
}

#[tokio::test]
async fn what_cannot_start_fails_at_the_first_event_and_not_before() {
    let lab = lab();
    let mut arm = [0; 64];
    arm[..4].copy_from_slice(b"\x7fELF");
    arm[18] = 0xb7;
    for (name, files, text) in [
        ("missing", ("other", 0o755, &b"x"[..]), "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        ("mode", ("bootstrap", 0o644, b"#!/bin/sh\n"), "permission denied"),
        ("machine", ("bootstrap", 0o755, &arm), "exec format error"),
        ("garbage", ("bootstrap", 0o755, b"no program"), "exec format error"),
        ("interpreter", ("bootstrap", 0o755, b"#!/no/such/interpreter\n"), "no such file or directory"),
    ] {
        lab.function_of(name, &zip(&[files])).send().await.unwrap();
        let (answer, failed) = lab.invoke(name, "{}").await;
        assert!(failed && answer["errorType"] == "Runtime.InvalidEntrypoint", "{name}: {answer}");
        assert!(answer["errorMessage"].as_str().unwrap().contains(text), "{name}: {answer}");
    }
}

#[tokio::test]
async fn log_lines_surround_what_the_function_prints() {
    let lab = lab();
    let body = "print('to stdout')\nsys.stdout.flush()\nprint('to stderr', file=sys.stderr)";
    lab.function("lines", "print('starting', flush=True)", body).send().await.unwrap();
    let answer = lab.lambda.invoke().function_name("lines").log_type(LogType::Tail).payload(Blob::new("{}")).send().await.unwrap();
    let tail = String::from_utf8(STANDARD.decode(answer.log_result.unwrap()).unwrap()).unwrap();
    let kinds: Vec<&str> = tail.lines().map(|line| line.split([' ', '\t']).next().unwrap()).collect();
    assert_eq!(kinds, ["START", "to", "to", "END", "REPORT"], "{tail}");
    assert!(tail.contains("Version: $LATEST") && tail.contains("Init Duration: ") && tail.contains("Memory Size: 128 MB"), "{tail}");
    assert_eq!(answer.executed_version.as_deref(), Some("$LATEST"));
    let lines = lab.lines.lock().unwrap();
    let starts: Vec<_> = lines.iter().map(|line| line.message.split([' ', '\t']).next().unwrap()).collect();
    assert_eq!(starts, ["INIT_START", "starting", "START", "to", "to", "END", "REPORT"]);
    assert!(lines.iter().all(|line| line.group == "/aws/lambda/lines" && line.stream.contains("/[$LATEST]")));
}

#[tokio::test]
async fn json_logs_have_platform_records() {
    let lab = lab();
    let logging = LoggingConfig::builder().log_format(LogFormat::Json).log_group("/mine").build();
    lab.function("json", "", "result = os.environ['AWS_LAMBDA_LOG_FORMAT']").logging_config(logging).send().await.unwrap();
    let answer = lab.lambda.invoke().function_name("json").log_type(LogType::Tail).payload(Blob::new("{}")).send().await.unwrap();
    assert_eq!(answer.payload.unwrap().as_ref(), b"\"JSON\"");
    let lines = lab.lines.lock().unwrap();
    let kinds: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(&line.message).unwrap()["type"].clone()).collect();
    assert_eq!(kinds, ["platform.initStart", "platform.start", "platform.report"]);
    assert!(lines.iter().all(|line| line.group == "/mine"));
}

#[tokio::test]
async fn an_update_replaces_sandboxes() {
    let lab = lab();
    lab.function("update", "", "result = [os.environ.get('VV'), 1]").send().await.unwrap();
    assert_eq!(lab.invoke("update", "{}").await.0, json!([null, 1]));
    let environment = Environment::builder().variables("VV", "new").build();
    lab.lambda.update_function_configuration().function_name("update").environment(environment).send().await.unwrap();
    assert_eq!(lab.invoke("update", "{}").await.0, json!(["new", 1]));
    let code = zip(&[("bootstrap", 0o755, bootstrap("", "result = [os.environ.get('VV'), 2]").as_bytes())]);
    lab.lambda.update_function_code().function_name("update").zip_file(Blob::new(code)).send().await.unwrap();
    assert_eq!(lab.invoke("update", "{}").await.0, json!(["new", 2]));
}

#[tokio::test]
async fn events_may_be_queued_or_only_checked() {
    let lab = lab();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seen");
    lab.function("queued", "", &format!("open({file:?}, 'w').write('seen')")).send().await.unwrap();
    let send = |kind| lab.lambda.invoke().function_name("queued").invocation_type(kind).payload(Blob::new("{}")).send();
    assert_eq!(send(InvocationType::DryRun).await.unwrap().status_code, 204);
    assert!(!file.exists());
    assert_eq!(send(InvocationType::Event).await.unwrap().status_code, 202);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !file.exists() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(file.exists());
}

#[tokio::test]
async fn reserved_concurrency_is_a_limit() {
    let lab = lab();
    lab.function("one", "", "time.sleep(0.4)").send().await.unwrap();
    lab.lambda.put_function_concurrency().function_name("one").reserved_concurrent_executions(1).send().await.unwrap();
    let invoke = || lab.lambda.invoke().function_name("one").payload(Blob::new("{}")).send();
    let (first, second) = tokio::join!(invoke(), invoke());
    let error = first.err().or(second.err()).unwrap();
    assert_eq!(error.code(), Some("TooManyRequestsException"));
}

#[tokio::test]
async fn sandboxes_end_with_the_cloud() {
    let lab = lab();
    lab.function("pid", "", "result = os.getpid()").send().await.unwrap();
    let pid = lab.invoke("pid", "{}").await.0;
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    assert!(process.exists() || cfg!(not(target_os = "linux")));
    tokio::task::spawn_blocking(move || drop(lab)).await.unwrap();
    let alive = || std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let deadline = Instant::now() + Duration::from_secs(5);
    while alive() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!alive());
}
