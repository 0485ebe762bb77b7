//! The table of connections: who a connection is. Items are input like any other, and judged when they are read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::contract::{EXPIRY_MARGIN_SECONDS, MAX_CONNECTION_SECONDS, SESSION_INDEX, item};

use super::Call;
use super::aws::AwsError;
use super::error::Problem;
use super::event::is_session_id;
use super::table;

/// An item may lie this much further ahead than a new one, for clocks that differ.
const CLOCK_SLACK_SECONDS: i64 = 60;
/// More connections than one process sees in the time that it keeps them.
const MOST_KEPT: usize = 1000;
/// Most connections of one session that a message goes to.
const MOST_OF_SESSION: usize = 100;

/// Who a connection is, as the handshake found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) session_id: String,
    pub(super) user_id: Option<String>,
    /// Epoch milliseconds.
    pub(super) connected_at: Option<u64>,
    /// Whether large messages travel in parts.
    pub(super) parts: bool,
    /// The connection that this one goes on from.
    pub(super) resumed_from: Option<String>,
    /// The connection that goes on from this one.
    pub(super) resumed_by: Option<String>,
    /// Whether the client was told to connect anew.
    pub(super) reconnect_told: bool,
    /// Epoch seconds.
    expires_at: i64,
    /// Epoch seconds.
    auth_until: Option<i64>,
}

/// What a handshake stores.
pub(super) struct New<'a> {
    pub(super) connection_id: &'a str,
    pub(super) session_id: &'a str,
    pub(super) user_id: Option<&'a str>,
    /// Epoch milliseconds.
    pub(super) connected_at: u64,
    pub(super) source_ip: Option<&'a str>,
    /// Epoch seconds.
    pub(super) auth_until: Option<i64>,
    /// Whether large messages travel in parts.
    pub(super) parts: bool,
    /// The connection that this one goes on from.
    pub(super) resumed_from: Option<&'a str>,
}

impl New<'_> {
    fn item(&self, now: i64) -> Value {
        let mut item = json!({
            item::CONNECTION_ID: { "S": self.connection_id },
            item::SESSION_ID: { "S": self.session_id },
            item::CONNECTED_AT: { "N": self.connected_at.to_string() },
            item::EXPIRES_AT: { "N": (now + MAX_CONNECTION_SECONDS + EXPIRY_MARGIN_SECONDS).to_string() },
        });
        if let Some(user_id) = self.user_id {
            item[item::USER_ID] = json!({ "S": user_id });
        }
        if let Some(source_ip) = self.source_ip {
            item[item::SOURCE_IP] = json!({ "S": source_ip });
        }
        if let Some(auth_until) = self.auth_until {
            item[item::AUTH_UNTIL] = json!({ "N": auth_until.to_string() });
        }
        if self.parts {
            item[item::PARTS] = json!({ "BOOL": true });
        }
        if let Some(resumed_from) = self.resumed_from {
            item[item::RESUMED_FROM] = json!({ "S": resumed_from });
        }
        item
    }
}

impl Connection {
    /// Reads an item. `None`: it is damaged.
    fn read(stored: &Value, connection_id: &str) -> Option<Self> {
        let text = |name: &str| stored[name]["S"].as_str();
        let number = |name: &str| stored[name]["N"].as_str()?.parse::<i64>().ok();
        let user_id = match stored.get(item::USER_ID) {
            None => None,
            Some(_) => Some(text(item::USER_ID)?.to_owned()),
        };
        let auth_until = match stored.get(item::AUTH_UNTIL) {
            None => None,
            Some(_) => Some(number(item::AUTH_UNTIL)?),
        };
        let session_id = text(item::SESSION_ID).filter(|session| is_session_id(session))?.to_owned();
        let ours = text(item::CONNECTION_ID) == Some(connection_id);
        ours.then_some(Self {
            session_id,
            user_id,
            connected_at: number(item::CONNECTED_AT).and_then(|ms| u64::try_from(ms).ok()),
            parts: stored[item::PARTS]["BOOL"].as_bool().unwrap_or(false),
            resumed_from: text(item::RESUMED_FROM).map(str::to_owned),
            resumed_by: text(item::RESUMED_BY).map(str::to_owned),
            reconnect_told: stored.get(item::RECONNECT_TOLD_AT).is_some(),
            expires_at: number(item::EXPIRES_AT)?,
            auth_until,
        })
    }

    /// Whether messages of this connection may pass at `now`. DynamoDB deletes items days after their time (DynamoDB guide, TTL), so
    /// the time is checked here.
    fn judge(&self, now: i64, enforce_expiry: bool) -> Result<(), Problem> {
        let furthest = now + MAX_CONNECTION_SECONDS + EXPIRY_MARGIN_SECONDS + CLOCK_SLACK_SECONDS;
        if self.expires_at <= now || self.expires_at > furthest {
            return Err(Problem::UnknownConnection);
        }
        if enforce_expiry && self.auth_until.is_some_and(|until| until <= now) {
            return Err(Problem::AuthExpired);
        }
        Ok(())
    }
}

#[cfg(test)]
impl Connection {
    pub(super) fn for_tests(session_id: &str) -> Self {
        let item = json!({ item::CONNECTION_ID: { "S": "c" }, item::SESSION_ID: { "S": session_id }, item::EXPIRES_AT: { "N": "1" } });
        Self::read(&item, "c").unwrap()
    }
}

/// Connections as last read, for those who allow it.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, (Connection, u64)>>);

impl Cache {
    fn get(&self, connection_id: &str, kept: Duration, now_ms: u64) -> Option<Connection> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, read_at) = known.get(connection_id)?;
        (Duration::from_millis(now_ms.saturating_sub(*read_at)) < kept).then(|| connection.clone())
    }

    fn put(&self, connection_id: &str, connection: &Connection, now_ms: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(connection_id.to_owned(), (connection.clone(), now_ms));
    }

    pub(super) fn forget(&self, connection_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(connection_id);
    }
}

/// Stores a new connection. An item that is there already stays as it is, and is an error.
pub(super) async fn put(cx: &Call<'_>, new: &New<'_>) -> Result<(), AwsError> {
    let item = new.item(cx.now());
    let condition = format!("attribute_not_exists({})", item::CONNECTION_ID);
    match table::call(cx, "PutItem", json!({ "Item": item, "ConditionExpression": condition })).await {
        Ok(_) => Ok(()),
        // An attempt whose answer was lost may have stored it: then what is there is what we wrote.
        Err(error) if error.attempts > 1 && error.cause.is("ConditionalCheckFailedException") => {
            match stored(cx, new.connection_id).await {
                Ok(found) if found == item => Ok(()),
                Ok(_) | Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// The item of a connection; null where there is none.
async fn stored(cx: &Call<'_>, connection_id: &str) -> Result<Value, AwsError> {
    let mut answer = table::call(cx, "GetItem", json!({ "Key": table::key(connection_id), "ConsistentRead": true })).await?;
    Ok(answer["Item"].take())
}

/// Who sends a message, if it may pass.
pub(super) async fn sender(cx: &Call<'_>, connection_id: &str) -> Result<Connection, Problem> {
    let cache = &cx.deps.sessions;
    let connection = match cache.get(connection_id, cx.settings.session_cache, cx.now_ms()) {
        Some(connection) => connection,
        None => {
            let item = stored(cx, connection_id).await.map_err(|error| {
                cx.log().failed("the table of connections", &error);
                Problem::Internal
            })?;
            let connection = Connection::read(&item, connection_id).ok_or(Problem::UnknownConnection)?;
            if !cx.settings.session_cache.is_zero() {
                cache.put(connection_id, &connection, cx.now_ms());
            }
            connection
        }
    };
    connection.judge(cx.now(), cx.settings.enforce_expiry)?;
    Ok(connection)
}

/// Deletes a connection and tells who it was, where that is still known. Failure is logged, and the item then ends by its own time.
pub(super) async fn delete(cx: &Call<'_>, connection_id: &str) -> Option<Connection> {
    cx.deps.sessions.forget(connection_id);
    match table::take(cx, connection_id).await {
        Ok(item) => Connection::read(&item, connection_id),
        Err(error) => {
            cx.log().failed("the table of connections", &error);
            None
        }
    }
}

/// The living connections of a session with their ids, as the index knows them: a new one may be missing for a moment. Failure is logged.
pub(super) async fn of_session(cx: &Call<'_>, session_id: &str) -> Vec<(String, Connection)> {
    let input = json!({
        "IndexName": SESSION_INDEX,
        "KeyConditionExpression": format!("{} = :session", item::SESSION_ID),
        "ExpressionAttributeValues": { ":session": { "S": session_id } },
        "Limit": MOST_OF_SESSION,
    });
    let answer = match table::call(cx, "Query", input).await {
        Ok(answer) => answer,
        Err(error) => {
            cx.log().failed("the connections of the session", &error);
            return Vec::new();
        }
    };
    if answer.get("LastEvaluatedKey").is_some() {
        cx.log().failed("the connections of the session", &format_args!("more than {MOST_OF_SESSION}: the others get nothing"));
    }
    let living = |stored: &Value| {
        let id = stored[item::CONNECTION_ID]["S"].as_str()?;
        let connection = Connection::read(stored, id)?;
        let alive = connection.session_id == session_id && connection.judge(cx.now(), cx.settings.enforce_expiry).is_ok();
        alive.then(|| (id.to_owned(), connection))
    };
    answer["Items"].as_array().into_iter().flatten().filter_map(living).collect()
}
