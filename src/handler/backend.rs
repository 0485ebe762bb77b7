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
    let mut request = Request::post(settings.backend.url(&path))
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .header("User-Agent", concat!("wsfix-handler/", env!("CARGO_PKG_VERSION")))
        .header(backend::CONNECTION_ID, in_header(about.connection_id))
        .header(backend::REQUEST_ID, in_header(about.request_id));
    if let Some(session_id) = about.session_id {
        request = request.header(backend::SESSION_ID, in_header(session_id));
    }
    if !settings.signing_keys.is_empty() {
        request = request.header(backend::SIGNATURE, signature(&settings.signing_keys, cx.now(), "POST", &path, &body));
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

/// The value of the signature's header: one `v1` a key.
fn signature(keys: &[hmac::Key], now: i64, method: &str, path: &str, body: &str) -> String {
    let signed = format!("{now}.{method}.{path}.{body}");
    keys.iter().fold(format!("t={now}"), |header, key| {
        let tag = hmac::sign(key, signed.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{header},v1={hex}")
    })
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
        let header = signature(&keys, 1_700_000_000, "POST", "/base/api/ws/message", r#"{"a":1}"#);
        let (first, second) = (
            "671c33dbc29e313e4c9a20465794da778fe05d7505313f2a2245b5343072db34",
            "52ede1fd807af13a149bc0630082389e7173eac5c06e360bc419161b61a38e64",
        );
        assert_eq!(header, format!("t=1700000000,v1={first},v1={second}"));
        assert_eq!(signature(&keys[..1], 1_700_000_000, "POST", "/base/api/ws/message", r#"{"a":1}"#), format!("t=1700000000,v1={first}"));
    }

    #[test]
    fn ids_are_headers_as_they_are_or_encoded() {
        assert_eq!(in_header("R1kmxc2VNjMCFIA="), "R1kmxc2VNjMCFIA=");
        assert_eq!(in_header("é 1%\r\nX: y"), "%C3%A9%201%25%0D%0AX:%20y");
    }
}
