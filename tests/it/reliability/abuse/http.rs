//! Requests that are none, or that are too much.

use std::net::SocketAddr;

/// The status of each answer in turn, or that there was none.
pub(super) fn statuses(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let all: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3.min(rest.len())]).collect();
    if all.is_empty() { "closed".to_owned() } else { all.join(", then ") }
}

/// Whether a request ends in the middle, so that the end of the connection is part of it.
pub(super) fn is_cut_short(what: &str) -> bool {
    ["half a request line", "a body shorter than its length"].contains(&what)
}

/// What is sent, by what is wrong with it.
pub(super) fn cases(address: SocketAddr) -> Vec<(&'static str, Vec<u8>)> {
    let host = format!("Host: {address}\r\nConnection: close\r\n");
    let with = |line: &str, rest: &str| format!("{line}\r\n{host}{rest}").into_bytes();
    let many: String = (0..300).map(|number| format!("X-{number}: y\r\n")).collect();
    let large = "x".repeat(1024 * 1024);
    vec![
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting".to_vec()),
        ("a line that is no request", b"GARBAGE\r\n\r\n".to_vec()),
        ("half a request line", b"GET /".to_vec()),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("no `Host`", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec()),
        ("the `Host` of somebody else", b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_vec()),
        ("a whole URL of somebody else", with("GET http://evil.example/ HTTP/1.1", "\r\n")),
        ("a space before the colon", with("GET / HTTP/1.1", "Accept : x\r\n\r\n")),
        ("a header with NUL in it", with("GET / HTTP/1.1", "X: a\0b\r\n\r\n")),
        ("a header folded onto two lines", with("GET / HTTP/1.1", "X: a\r\n b\r\n\r\n")),
        ("a header of 1 MB", with("GET / HTTP/1.1", &format!("X: {large}\r\n\r\n"))),
        ("300 headers", with("GET / HTTP/1.1", &format!("{many}\r\n"))),
        ("a path of 1 MB", with(&format!("GET /{large} HTTP/1.1"), "\r\n")),
        ("two lengths", with("POST / HTTP/1.1", "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")),
        ("a negative length", with("POST / HTTP/1.1", "Content-Length: -1\r\n\r\n")),
        ("a length beyond all numbers", with("POST / HTTP/1.1", "Content-Length: 99999999999999999999\r\n\r\n")),
        ("a body shorter than its length", with("POST / HTTP/1.1", "Content-Length: 100\r\n\r\nabc")),
        ("a chunk that is no number", with("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n")),
        ("a chunk beyond all numbers", with("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")),
        ("an encoding that is not chunked", with("POST / HTTP/1.1", "Transfer-Encoding: gzip\r\n\r\nabc")),
        (
            "a length and chunks at once, with a request hidden behind them: one answer, and the end",
            format!(
                "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n\
                 0\r\n\r\nGET /next HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
            )
            .into_bytes(),
        ),
        (
            "a body of 3 MB for a service that takes 2",
            with("POST / HTTP/1.1", &format!("Content-Length: {}\r\n\r\n{}", 3 << 20, "x".repeat(3 << 20))),
        ),
        ("a path that leads out of the API", with("GET /_aws/execute-api/../../etc/passwd HTTP/1.1", "\r\n")),
        ("a path that is no UTF-8", with("GET /_aws/execute-api/%ff%00/%2e%2e HTTP/1.1", "\r\n")),
    ]
}
