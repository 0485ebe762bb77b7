//! The way back to the client: posted to `@connections`, or returned by the function.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::aws::{self, Cause};
use super::error::Problem;
use super::http::{HttpError, Peer};
use super::settings::{BaseUrl, Reply};
use super::{Call, connections, status};

const ATTEMPTS: u32 = 3;
const ATTEMPT_LIMIT: Duration = Duration::from_secs(3);
/// A connection's id is one segment of the path, whatever is in it; a dot is encoded too, so that no id is a step up.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// Sends a text to the client, and answers what the function returns.
pub(super) async fn send(cx: &Call<'_>, connection_id: &str, request_id: &str, text: String) -> Value {
    match &cx.settings.reply {
        Reply::RouteResponse => return json!({ "statusCode": 200, "body": text }),
        Reply::ManagementApi(base) => match post(cx, base, connection_id, text).await {
            Ok(()) => {}
            Err(Cause::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. }) => {
                let problem = Problem::ReplyTooLarge;
                cx.log().problem(connection_id, problem.code(), request_id);
                if let Err(cause) = post(cx, base, connection_id, problem.to_json(request_id).to_string()).await {
                    failed(cx, connection_id, &cause).await;
                }
            }
            Err(cause) => failed(cx, connection_id, &cause).await,
        },
    }
    status(200)
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
            Cause::Http(HttpError::Timeout | HttpError::TooLarge) | Cause::NoCredentials | Cause::Unsigned(_) | Cause::Answer(_) => false,
        };
        if attempts == ATTEMPTS || !again || !aws::pause(cx, attempts, cx.deadline).await {
            return Err(cause);
        }
        attempts += 1;
    }
}

async fn attempt(cx: &Call<'_>, url: &str, body: Bytes) -> Result<(), Cause> {
    let request = aws::signed(cx, "execute-api", url, &[("content-type", "application/octet-stream")], body)?;
    let answer = cx.deps.http.send(Peer::Aws, request, cx.deadline.left(ATTEMPT_LIMIT), cx.now_ms()).await?;
    if answer.status.is_success() { Ok(()) } else { Err(aws::refusal(&answer)) }
}

#[cfg(test)]
mod tests;
