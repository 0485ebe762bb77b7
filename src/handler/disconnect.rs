//! `$disconnect`: the item goes, and the backend is told. API Gateway delivers it on a best-effort basis and ignores the answer.

use serde_json::{Value, json};

use crate::contract::{backend::DISCONNECT_PATH, item};

use super::backend::{self, About};
use super::event::Event;
use super::http::LARGEST_ANSWER;
use super::{Call, connections, status};

/// Forgets a connection and tells the backend who left. A failure is logged and changes nothing.
pub(super) async fn disconnect(cx: &Call<'_>, event: &Event, connection_id: &str) -> Value {
    let connection = connections::delete(cx, connection_id).await;
    let session_id = connection.as_ref().map(|connection| connection.session_id.as_str());
    let user_id = connection.as_ref().and_then(|connection| connection.user_id.as_deref());
    cx.log().disconnected(connection_id, session_id, event.code);
    // Also without an item: a reply that met the closed connection deletes it before this event comes.
    let mut body = json!({
        item::CONNECTION_ID: connection_id,
        item::SESSION_ID: session_id,
        item::USER_ID: user_id,
        "code": event.code,
        "reason": event.reason,
    });
    if let Some(resumed_by) = connection.as_ref().and_then(|connection| connection.resumed_by.as_deref()) {
        body[item::RESUMED_BY] = json!(resumed_by);
    }
    let about = About { connection_id, session_id, request_id: &event.request_id };
    if let Err(problem) = backend::post(cx, DISCONNECT_PATH, &about, body.to_string(), LARGEST_ANSWER).await {
        cx.log().problem(connection_id, problem.code(), &event.request_id);
    }
    status(200)
}
