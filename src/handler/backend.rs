//! Requests to the backend, signed so that it can tell that they came through the gateway.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;

use crate::contract::backend;
use crate::signature::{Signed, in_header};

use super::Call;
use super::error::Problem;
use super::http::{HttpError, Peer};

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
        let signed = Signed { request_id: &request_id, method: "POST", path: &path, body: &body };
        request = request.header(backend::SIGNATURE, signed.header(&settings.signing_keys, cx.now()));
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
