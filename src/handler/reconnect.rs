//! The end of a connection that is known before: API Gateway closes each after two hours.
//!
//! The client is told in time, connects anew while the old connection still works, and names that one. The backend then hears of one session
//! that goes on, not of an end and a beginning.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::Ordering;

use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::contract::{MAX_CONNECTION_SECONDS, RECONNECT_SECONDS, frame, item};

use super::aws::AwsError;
use super::connections::{Connection, New};
use super::event::Event;
use super::{Call, table};

/// The notice for a client whose connection nears its end, if nobody has told it.
pub(super) async fn notice(cx: &Call<'_>, event: &Event, connection_id: &str, connection: &Connection) -> Option<String> {
    let now_ms = event.requested_at.unwrap_or_else(|| cx.now_ms());
    let age = i64::try_from(now_ms.saturating_sub(connection.connected_at?) / 1000).ok()?;
    let near = (RECONNECT_SECONDS..MAX_CONNECTION_SECONDS).contains(&age);
    let known = connection.reconnect_told || connection.resumed_by.is_some();
    if !cx.settings.reconnect_notice || !near || known || cx.deps.updates_denied.load(Ordering::Relaxed) {
        return None;
    }
    cx.deps.sessions.forget(connection_id);
    let change = format!("SET {} = :now", item::RECONNECT_TOLD_AT);
    let condition = format!("attribute_exists({}) AND attribute_not_exists({})", item::CONNECTION_ID, item::RECONNECT_TOLD_AT);
    let values = json!({ ":now": { "N": cx.now().to_string() } });
    match table::update(cx, connection_id, &change, &condition, values).await {
        Ok(first) => first.then(|| text(connection_id, MAX_CONNECTION_SECONDS - age)),
        Err(error) => {
            failed(cx, "the notice to connect anew", &error);
            None
        }
    }
}

/// Clients that connected at once must not all come back at once: half of the time that is left is theirs to spread over.
fn text(connection_id: &str, left: i64) -> String {
    let mut hasher = DefaultHasher::new();
    connection_id.hash(&mut hasher);
    let spread = u64::try_from(left / 2).unwrap_or(0).max(1);
    json!({ "type": frame::RECONNECT, "afterSeconds": hasher.finish() % spread, "withinSeconds": left, "resume": connection_id })
        .to_string()
}

/// The connection that `resume` names. Ids of API Gateway end with `=` and have no `%`: it may be encoded still.
pub(super) fn named(resume: &str) -> Option<String> {
    let id = percent_decode_str(resume).decode_utf8().ok()?;
    (1..=128).contains(&id.len()).then(|| id.into_owned())
}

/// Notes on the connection `old` that `new` goes on from it. `false`: it is not there, or another session's or user's.
pub(super) async fn supersede(cx: &Call<'_>, old: &str, new: &New<'_>) -> bool {
    if cx.deps.updates_denied.load(Ordering::Relaxed) {
        return false;
    }
    let change = format!("SET {} = :new", item::RESUMED_BY);
    let mut condition = format!("{} = :session AND {} > :now AND ", item::SESSION_ID, item::EXPIRES_AT);
    let mut values = json!({
        ":new": { "S": new.connection_id },
        ":session": { "S": new.session_id },
        ":now": { "N": cx.now().to_string() },
    });
    match new.user_id {
        Some(user_id) => {
            condition += &format!("{} = :user", item::USER_ID);
            values[":user"] = json!({ "S": user_id });
        }
        None => condition += &format!("attribute_not_exists({})", item::USER_ID),
    }
    match table::update(cx, old, &change, &condition, values).await {
        Ok(done) => done,
        Err(error) => {
            failed(cx, "the connection to go on from", &error);
            false
        }
    }
}

/// A role without the permission is asked once, not for every message.
fn failed(cx: &Call<'_>, what: &str, error: &AwsError) {
    cx.log().failed(what, error);
    if error.cause.is("AccessDeniedException") {
        cx.deps.updates_denied.store(true, Ordering::Relaxed);
        cx.log().failed("the configuration of the table", &"clients are told to connect anew where the role has dynamodb:UpdateItem");
    }
}

#[cfg(test)]
mod tests;
