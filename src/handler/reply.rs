//! The way to clients: `@connections`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::aws::{self, Cause};
use super::error::Problem;
use super::http::{HttpError, LARGEST_ANSWER, Peer};
use super::parts::{LARGEST_FRAME, split};
use super::settings::BaseUrl;
use super::{Call, connections};

const ATTEMPTS: u32 = 3;
const ATTEMPT_LIMIT: Duration = Duration::from_secs(3);
/// A connection's id is one segment of the path, whatever is in it; a dot is encoded too, so that no id is a step up.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// A client on the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'a> {
    pub(super) connection_id: &'a str,
    /// Whether it takes large messages in parts.
    pub(super) parts: bool,
}

/// Posts texts to a client, one after the other. `false`: one could not be sent, nor were those after it.
pub(super) async fn deliver<'t>(
    cx: &Call<'_>,
    base: &BaseUrl,
    client: &Client<'_>,
    request_id: &str,
    texts: impl Iterator<Item = &'t str>,
) -> bool {
    for (nth, text) in texts.enumerate() {
        let frames = if client.parts && text.len() > LARGEST_FRAME {
            // A client that puts parts together must be able to tell those of several messages apart.
            let id = if nth == 0 { request_id.to_owned() } else { format!("{request_id}.{nth}") };
            split(text, &id)
        } else {
            vec![text.to_owned()]
        };
        for frame in frames {
            let cause = match post(cx, base, client.connection_id, frame).await {
                Ok(()) => continue,
                Err(cause) => cause,
            };
            if !matches!(cause, Cause::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. }) {
                failed(cx, client.connection_id, &cause).await;
                return false;
            }
            let problem = Problem::ReplyTooLarge;
            cx.log().problem(client.connection_id, problem.code(), request_id);
            if let Err(cause) = post(cx, base, client.connection_id, problem.to_json(request_id).to_string()).await {
                failed(cx, client.connection_id, &cause).await;
                return false;
            }
        }
    }
    true
}

/// Only the client's going away changes anything: its item goes too.
async fn failed(cx: &Call<'_>, connection_id: &str, cause: &Cause) {
    match cause {
        Cause::Refused { status: StatusCode::GONE, .. } => {
            cx.log().failed("the reply", &"the client has gone");
            connections::delete(cx, connection_id).await;
        }
        Cause::Refused { status: StatusCode::FORBIDDEN, .. } => {
            cx.log().failed("the reply", cause);
            if !cx.deps.denial_told.swap(true, Ordering::Relaxed) {
                let remedy = "replies need execute-api:ManageConnections in the execution role, and the right DOMAIN_NAME and STAGE; \
                              without that permission set WSFIX_REPLY to route-response";
                cx.log().failed("the configuration of replies", &remedy);
            }
        }
        Cause::NoCredentials | Cause::Unsigned(_) | Cause::Http(_) | Cause::Refused { .. } | Cause::Answer(_) => {
            cx.log().failed("the reply", cause);
        }
    }
}

/// Posts to `@connections`. Repeated after 429, 5xx and lost connections; a time limit is not, since the client may have got the text.
async fn post(cx: &Call<'_>, base: &BaseUrl, connection_id: &str, text: String) -> Result<(), Cause> {
    let url = base.url(&base.path(&format!("/@connections/{}", utf8_percent_encode(connection_id, SEGMENT))));
    let body = Bytes::from(text);
    let mut attempts = 1;
    loop {
        let cause = match attempt(cx, &url, body.clone()).await {
            Ok(()) => return Ok(()),
            Err(cause) => cause,
        };
        let again = match &cause {
            Cause::Refused { status, .. } => *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
            Cause::Http(HttpError::Connect(_) | HttpError::Broken(_)) => true,
            Cause::Http(HttpError::Timeout | HttpError::TooLarge(_)) | Cause::NoCredentials | Cause::Unsigned(_) | Cause::Answer(_) => {
                false
            }
        };
        if attempts == ATTEMPTS || !again || !aws::pause(cx, attempts, cx.deadline).await {
            return Err(cause);
        }
        attempts += 1;
    }
}

async fn attempt(cx: &Call<'_>, url: &str, body: Bytes) -> Result<(), Cause> {
    let request = aws::signed(cx, "execute-api", url, &[("content-type", "application/octet-stream")], body)?;
    let answer = cx.deps.http.send(Peer::Aws, request, cx.deadline.left(ATTEMPT_LIMIT), LARGEST_ANSWER, cx.now_ms()).await?;
    if answer.status.is_success() { Ok(()) } else { Err(aws::refusal(&answer)) }
}

#[cfg(test)]
mod tests;
