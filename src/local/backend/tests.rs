use std::io::{Read, Write};
use std::net::TcpStream;

use ring::hmac;
use serde_json::{Value, json};

use super::{Backend, Options, now};
use crate::secret::Secret;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn signature(path: &str, body: &str) -> String {
    let at = now().as_secs();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), format!("{at}..POST.{path}.{body}").as_bytes());
    format!("t={at},v1={}", crate::local::ids::hex(tag.as_ref()))
}

/// Status and body of a request with these headers.
fn post(backend: &Backend, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let host = backend.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let mut request = format!("POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {host}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

fn message(kind: &str, more: Value) -> String {
    let mut message = json!({ "connectionId": "c=", "sessionId": "s", "type": kind });
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message.to_string()
}

const MESSAGE: &str = "/api/ws/message";

#[test]
fn each_type_has_its_answer() {
    let backend = Backend::start(Options::default()).unwrap();
    let ask = |kind: &str, more: Value| post(&backend, MESSAGE, &[], &message(kind, more));
    let (status, pong) = ask("ping", json!({}));
    assert_eq!((status, &pong["type"]), (200, &json!("pong")));
    let result = ask("command", json!({ "command": "echo hello" })).1;
    assert_eq!((&result["type"], &result["output"], &result["exitCode"]), (&json!("command_result"), &json!("hello\n"), &json!(0)));
    assert_eq!(ask("resize", json!({ "cols": 120, "rows": 40 })).1, json!({ "type": "resize_ack", "cols": 120, "rows": 40 }));
    for (kind, more) in [("nonsense", json!({})), ("resize", json!({ "cols": 0, "rows": 40 })), ("command", json!({}))] {
        let (status, answer) = ask(kind, more);
        assert_eq!((status, &answer["type"]), (200, &json!("error")), "{kind}");
    }
    let kinds: Vec<_> = backend.messages().into_iter().map(|message| message.kind).collect();
    assert_eq!(kinds, ["ping", "command", "resize", "nonsense", "resize", "command"]);
}

#[test]
fn disconnects_are_remembered() {
    let backend = Backend::start(Options::default()).unwrap();
    let body = json!({ "connectionId": "c=", "sessionId": null, "code": 1001, "reason": "" }).to_string();
    assert_eq!(post(&backend, "/api/ws/disconnect", &[], &body).0, 200);
    let [seen] = &backend.disconnects()[..] else { panic!("{:?}", backend.disconnects()) };
    assert_eq!((seen.connection_id.as_str(), &seen.session_id, seen.code), ("c=", &None, Some(1001)));
}

#[test]
fn what_is_malformed_is_refused() {
    let backend = Backend::start(Options::default()).unwrap();
    for (path, body, status) in [
        (MESSAGE, "no json", 400),
        (MESSAGE, "[]", 400),
        (MESSAGE, r#"{"type":"ping"}"#, 400),
        (MESSAGE, r#"{"connectionId":"c"}"#, 400),
        ("/", "{}", 404),
        ("/api/ws/message/", "{}", 404),
    ] {
        assert_eq!(post(&backend, path, &[], body).0, status, "{path} {body}");
    }
    assert_eq!(post(&backend, MESSAGE, &[], &"x".repeat(300_000)).0, 413);
}

#[test]
fn pages_of_other_sites_are_refused() {
    let backend = Backend::start(Options::default()).unwrap();
    let body = message("ping", json!({}));
    for header in [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Host", "evil.example")] {
        assert_eq!(post(&backend, MESSAGE, &[header], &body).0, 403, "{header:?}");
    }
}

#[test]
fn with_a_key_only_signed_requests_count_and_commands_only_once() {
    let backend = Backend::start(Options { signing_key: Some(Secret::new(KEY)), allow_commands: true }).unwrap();
    let ping = message("ping", json!({}));
    assert_eq!(post(&backend, MESSAGE, &[], &ping).0, 401);
    assert_eq!(post(&backend, MESSAGE, &[("X-Wsfix-Signature", &signature("/other", &ping))], &ping).0, 401);
    let signed = signature(MESSAGE, &ping);
    for _ in 0..2 {
        assert_eq!(post(&backend, MESSAGE, &[("X-Wsfix-Signature", &signed)], &ping).0, 200);
    }
    let command = message("command", json!({ "command": "printf %s real; exit 4" }));
    let signed = signature(MESSAGE, &command);
    let (status, result) = post(&backend, MESSAGE, &[("X-Wsfix-Signature", &signed)], &command);
    assert_eq!((status, &result["output"], &result["exitCode"]), (200, &json!("real"), &json!(4)));
    assert_eq!(post(&backend, MESSAGE, &[("X-Wsfix-Signature", &signed)], &command).0, 401);
}

#[test]
fn real_commands_need_a_key() {
    assert!(Backend::start(Options { signing_key: None, allow_commands: true }).is_err());
    assert!(Backend::start(Options { signing_key: Some(Secret::new("")), allow_commands: false }).is_err());
}
