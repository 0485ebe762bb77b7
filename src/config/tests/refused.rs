//! What is refused, and how.

use super::{Bench, with_file};

#[test]
fn all_problems_come_at_once_with_place_text_and_remedy() {
    let mut bench = with_file(
        "stack: terminal\nstak: x\nfunction:\n  timeout_seconds: 60\n  memory_mb: \"256\"\n  environment: { A: b, AWS_REGION: hidden-value }\n\
         api: { stage: $default, routes: [sendMessage, $mine, sendMessage] }\nreply: magic\n",
    );
    bench.set("WSFIX_LOG_RETENTION_DAYS", "15");
    bench.flags.backend_url = Some("http://backend.example".into());
    let told = bench.told();
    let expected = "\
the configuration has 11 problems

wsfix.yaml:2:1: there is no setting `stak`
  2 | stak: x
    | ^^^^
  fix: did you mean `stack`?

wsfix.yaml:4:20: `function.timeout_seconds` cannot be 60
  4 |   timeout_seconds: 60
    |                    ^^
  fix: write a whole number from 2 to 28: API Gateway gives up after 29 seconds, and the backend needs at least one of them

wsfix.yaml:5:14: `function.memory_mb` must be a whole number, this is a text: leave out the quotes
  5 |   memory_mb: \"256\"
    |              ^^^^^
  fix: write a whole number from 128 to 10240 (MB)

wsfix.yaml:6:18: `function.environment` cannot set `A`
";
    assert!(told.starts_with(expected), "{told}");
    for part in [
        "`function.environment` cannot set `AWS_REGION`",
        "`api.stage` cannot be `$default`",
        "a route key cannot be `$mine`",
        "the route `sendMessage` is there twice",
        "`reply` cannot be `magic`",
        "--backend-url: `backend_url` sends sessions and commands over plain http",
        "environment variable WSFIX_LOG_RETENTION_DAYS: CloudWatch Logs cannot keep logs for 15 days\n  fix: write 30;",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("hidden-value"), "{told}");
}

/// A file, and parts of what is said about it.
pub(super) fn refused(text: &str, parts: &[&str]) {
    let told = with_file(text).load().map(|loaded| panic!("{text:?} gives {:?}", loaded.config)).unwrap_err().to_string();
    for part in parts {
        assert!(told.contains(part), "{text:?} should say {part:?}, says:\n{told}");
    }
}

#[test]
fn impossible_values_are_refused() {
    for (text, parts) in [
        ("stack: \"a;b\"\n", &["wsfix.yaml:1:8: `stack` cannot be `a;b`"][..]),
        ("region: mumbai\n", &["`region` cannot be `mumbai`", "ap-south-1"]),
        ("table: ab\n", &["`table` cannot be", "3 to 255"]),
        ("log_retention_days: 0\n", &["`log_retention_days` cannot be 0"]),
        ("access_logs: yes\n", &["`access_logs` cannot be `yes`", "did you mean `on`?"]),
        ("log_retention_days: 8\n", &["for 8 days", "write 14"]),
        ("existing_role: arn:aws:iam::111122223333:user/dev\n", &["not of a role"]),
        ("backend_url: http://10.0.0.1\n", &["plain http"]),
        ("backend_url: https://x.example/?a=1\n", &["query"]),
        ("backend_timeout_seconds: 28\n", &["the function itself ends after 28"]),
        ("function: { timeout_seconds: 10 }\nbackend_timeout_seconds: 15\n", &["ends after 10", "write at most 9"]),
        ("function: { timeout_seconds: 1 }\n", &["cannot be 1"]),
        ("function: { memory_mb: 64 }\n", &["from 128 to 10240"]),
        ("function: { memory_mb: 1.5 }\n", &["must be a whole number, this is a number"]),
        ("function: { memory_mb: 99999999999999999999 }\n", &["must be a whole number"]),
        ("function: { name: a.b }\n", &["`function.name` cannot be"]),
        ("function: { architecture: aarch64 }\n", &["did you mean `arm64`"]),
        ("function: { environment: { JWT_SECRET: x } }\n", &["wsfix sets it"]),
        ("function: { environment: { WSFIX_X: x } }\n", &["wsfix sets it"]),
        ("function: { environment: { AWS_ENDPOINT_URL_S3: x } }\n", &["away from AWS"]),
        ("function: { environment: { 1A: x } }\n", &["a letter first"]),
        ("function: { environment: { PORT: 8080 } }\n", &["`function.environment.PORT` must be a text, this is a number", "quotes"]),
        ("function: { environment: [a] }\n", &["must be a mapping, this is a list"]),
        ("api: { stage: a.b }\n", &["`api.stage` cannot be `a.b`"]),
        ("api: { routes: sendMessage }\n", &["must be a list, this is a text"]),
        ("api: { routes: [\"\", $x, 1] }\n", &["cannot be ``", "`$x`", "must be a text, this is a number"]),
        ("api: { route_selection_expression: action }\n", &["$request.body.action"]),
        ("api: { throttle: { connect: { rate: 0 } } }\n", &["at least 1"]),
        ("jwt: { leeway_seconds: 301 }\n", &["from 0 to 300"]),
        ("jwt: { token_from: [cookie] }\n", &["`query`, `subprotocol` or `ticket`"]),
        ("jwt: { token_from: [] }\n", &["nobody could connect"]),
        ("jwt: { token_from: [query, query] }\n", &["twice"]),
        ("jwt: x\n", &["`jwt` must be a mapping", "`algorithm: ...`"]),
        ("allowed_origins: [https://a.example/]\n", &["write `https://a.example`"]),
        ("require_origin: yes\n", &["must be true or false, this is `yes`"]),
        ("session_cache_seconds: -1\n", &["cannot be -1"]),
        ("sequence: yes\n", &["`sequence`", "`yes`", "on", "off"]),
        ("max_message_kb: 64\n", &["cannot be 64", "from 128 to 4096"]),
        ("tags: { aws:x: y }\n", &["belongs to AWS"]),
        ("tags: { wsfix:stack: y }\n", &["the stack's name is set with `stack`"]),
        ("tags: { a: \"<b>\" }\n", &["cannot have this value"]),
        ("tags: { 1: a }\n", &["a key in `tags` must be a text"]),
        ("endpoint_url: localhost:4566\n", &["no scheme"]),
        ("reply: [auto]\n", &["must be a text, this is a list"]),
        ("stack: \"\"\n", &["`stack` cannot be ``"]),
        ("jwt: { issuer: \"\" }\n", &["`jwt.issuer` is empty"]),
        ("1: 2\n", &["a key in the file must be a text"]),
        ("stack: a\nstack: b\n", &["`stack` is written twice, first in line 1"]),
        ("tags: { a: x, a: y }\n", &["`tags.a` is written twice"]),
        ("memory_mb: 256\n", &["did you mean `function.memory_mb`?"]),
        ("function: { memory: 256 }\n", &["there is no setting `function.memory`"]),
        ("xyzzy: 1\n", &["there is no setting `xyzzy`", "known here: stack, region"]),
    ] {
        refused(text, parts);
    }
}

#[test]
fn broken_files_are_refused() {
    for (bytes, parts) in [
        (&b""[..], &["wsfix.yaml: the file holds no settings"][..]),
        (b"# nothing\n", &["holds no settings"]),
        (b"plain\n", &["must be a mapping of settings, this is a text"]),
        (b"- a\n", &["this is a list"]),
        (b"stack:\n\tname: x\n", &["wsfix.yaml:2:2: this is not YAML", "indent with spaces"]),
        (b"stack: a\n---\nstack: b\n", &["a second YAML document begins here"]),
        (b"stack: a: b\n", &["wsfix.yaml:1:9: this is not YAML", "quotes"]),
        (b"stack: \xff\n", &["wsfix.yaml: line 1 is not UTF-8"]),
        (b"jwt: { secret: - }\n", &["not YAML"]),
        (b"tags: { a: ${B} }\n", &["`\"${NAME}\"` between"]),
    ] {
        let bench = Bench::new();
        bench.write("wsfix.yaml", bytes);
        let told = bench.told();
        parts.iter().for_each(|part| assert!(told.contains(part), "{bytes:?}: {told}"));
    }
    let mut bench = Bench::new();
    bench.file = Some("other.yaml".into());
    assert!(bench.told().starts_with("other.yaml: there is no such file"), "{}", bench.told());
    bench.file = Some(".".into());
    assert!(bench.told().contains("it is a directory"), "{}", bench.told());
    let bench = Bench::new();
    std::fs::create_dir(bench.path().join("wsfix.yaml")).unwrap();
    assert!(bench.told().contains("it is a directory"));
    let bench = Bench::new();
    bench.write("wsfix.yaml", "#".repeat(300 * 1024));
    assert!(bench.told().contains("larger than 256 KB"));
    let bench = Bench::new();
    bench.write("wsfix.yml", "stack: a\n");
    assert_eq!(bench.load().unwrap().notes, ["wsfix.yml is not read: the file is called wsfix.yaml"]);
}

#[test]
fn the_environment_must_fit_into_lambda() {
    let mut bench = Bench::new();
    bench.write("wsfix.yaml", format!("function: {{ environment: {{ BIG: {} }} }}\n", "x".repeat(3400)));
    bench.config();
    bench.write("wsfix.yaml", format!("function: {{ environment: {{ BIG: {} }} }}\n", "x".repeat(4000)));
    let told = bench.told();
    assert!(told.contains("Lambda allows 4096; the largest: BIG (4003 bytes)") && !told.contains("xxx"), "{told}");
    bench.write("wsfix.yaml", "stack: a\n");
    bench.set("JWT_SECRET", &"y".repeat(4000));
    let told = bench.told();
    assert!(told.contains("JWT_SECRET (4010 bytes)") && !told.contains("yyy"), "{told}");
}

#[test]
fn an_endpoint_that_is_set_to_nothing() {
    let mut bench = Bench::new();
    bench.set("AWS_ENDPOINT_URL_LAMBDA", "");
    assert!(bench.told().contains("AWS_ENDPOINT_URL_LAMBDA is empty"), "{}", bench.told());
    let mut bench = Bench::new();
    bench.set("AWS_ENDPOINT_URL", "");
    assert!(bench.told().contains("fix: unset AWS_ENDPOINT_URL, or give it a URL"), "{}", bench.told());
    bench.flags.endpoint_url = Some("http://127.0.0.1:4566".into());
    bench.load().expect("the flag wins, and the SDK does not look");
}
