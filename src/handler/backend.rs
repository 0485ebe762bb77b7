//! Requests to the backend, signed so that it can tell that they came through the gateway.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use ring::hmac;

use crate::contract::backend;

use super::Call;
use super::error::Problem;
use super::http::{HttpError, Peer};
use super::sign::hex;

/// What a header value may not hold as it is: anything but visible ASCII, and the sign of the encoding itself.
const NOT_IN_HEADERS: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Whom a request is about.
pub(super) struct About<'a> {
    pub(super) connection_id: &'a str,
    pub(super) session_id: Option<&'a str>,
    pub(super) request_id: &'a str,
}

/// Posts a JSON text and answers what the backend says, up to `largest` bytes. Sent once: the backend may have acted on a request that failed.
pub(super) async fn post(cx: &Call<'_>, path: &str, about: &About<'_>, body: String, largest: usize) -> Result<Bytes, Problem> {
    let settings = cx.settings;
    let path = settings.backend.path(path);
    let request_id = in_header(about.request_id);
    let mut request = Request::post(settings.backend.url(&path))
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .header("User-Agent", concat!("wsfix-handler/", env!("CARGO_PKG_VERSION")))
        .header(backend::CONNECTION_ID, in_header(about.connection_id))
        .header(backend::REQUEST_ID, &request_id);
    if let Some(session_id) = about.session_id {
        request = request.header(backend::SESSION_ID, in_header(session_id));
    }
    if !settings.signing_keys.is_empty() {
        request = request.header(backend::SIGNATURE, signature(&settings.signing_keys, cx.now(), &request_id, "POST", &path, &body));
    }
    let request = request.body(Full::from(body)).map_err(|error| {
        cx.log().failed("the request to the backend", &error);
        Problem::Internal
    })?;
    let limit = cx.deadline.left(settings.backend_timeout);
    let answer = match cx.deps.http.send(Peer::Backend, request, limit, largest, cx.now_ms()).await {
        Ok(answer) => answer,
        Err(error) => {
            cx.log().failed("the backend", &error);
            return Err(match error {
                HttpError::Timeout => Problem::BackendTimeout,
                HttpError::Connect(_) | HttpError::Broken(_) => Problem::BackendUnreachable,
                HttpError::TooLarge(_) => Problem::ReplyTooLarge,
            });
        }
    };
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    cx.log().failed("the backend", &format_args!("status {}{}", answer.status.as_u16(), hint(answer.status)));
    Err(Problem::BackendError)
}

/// What a status usually means here.
fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => ": does it check signatures with another WSFIX_SIGNING_KEY?",
        StatusCode::NOT_FOUND => ": does it serve the path that messages are posted to?",
        _ if status.is_redirection() => ": redirects are not followed",
        _ => "",
    }
}

/// The value of the signature's header: one `v1` a key. The request's id tells two equal messages of one second from one that is replayed.
fn signature(keys: &[hmac::Key], now: i64, request_id: &str, method: &str, path: &str, body: &str) -> String {
    let signed = format!("{now}.{request_id}.{method}.{path}.{body}");
    keys.iter().fold(format!("t={now}"), |header, key| format!("{header},v1={}", hex(hmac::sign(key, signed.as_bytes()))))
}

fn in_header(text: &str) -> String {
    utf8_percent_encode(text, NOT_IN_HEADERS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_a_known_request() {
        let keys = ["k".repeat(32), "l".repeat(32)].map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
        let sign = |keys: &[hmac::Key]| signature(keys, 1_700_000_000, "R1knNHGmtjMFqVg=", "POST", "/base/api/ws/message", r#"{"a":1}"#);
        let (first, second) = (
            "ba4c95bc2264c2e5ce66e616e000e1271ddf79d272225407c5223a8bdf143549",
            "289daddd1ef6d1c6f6f938da80b14bd4e8e6a5738fa807b5998991e991c1af77",
        );
        assert_eq!(sign(&keys), format!("t=1700000000,v1={first},v1={second}"));
        assert_eq!(sign(&keys[..1]), format!("t=1700000000,v1={first}"));
    }

    #[test]
    fn ids_are_headers_as_they_are_or_encoded() {
        assert_eq!(in_header("R1kmxc2VNjMCFIA="), "R1kmxc2VNjMCFIA=");
        assert_eq!(in_header("é 1%\r\nX: y"), "%C3%A9%201%25%0D%0AX:%20y");
    }
}
