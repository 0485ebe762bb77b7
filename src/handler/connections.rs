//! The table of connections: who a connection is. Items are input like any other, and judged when they are read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::contract::{EXPIRY_MARGIN_SECONDS, MAX_CONNECTION_SECONDS, item};

use super::Call;
use super::aws::{self, AwsError, Service};
use super::error::Problem;
use super::event::is_session_id;

/// An item may lie this much further ahead than a new one, for clocks that differ.
const CLOCK_SLACK_SECONDS: i64 = 60;
/// More connections than one process sees in the time that it keeps them.
const MOST_KEPT: usize = 1000;

/// Who a connection is, as the handshake found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) session_id: String,
    pub(super) user_id: Option<String>,
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
        ours.then_some(Self { session_id, user_id, expires_at: number(item::EXPIRES_AT)?, auth_until })
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
        Self { session_id: session_id.to_owned(), user_id: None, expires_at: i64::MAX, auth_until: None }
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

    fn forget(&self, connection_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(connection_id);
    }
}

fn dynamodb<'a>(cx: &'a Call<'_>) -> Service<'a> {
    Service {
        endpoint: &cx.settings.aws.dynamodb,
        name: "dynamodb",
        target: "DynamoDB_20120810",
        content_type: "application/x-amz-json-1.0",
    }
}

fn key(connection_id: &str) -> Value {
    json!({ item::CONNECTION_ID: { "S": connection_id } })
}

/// Stores a new connection. An item that is there already stays as it is, and is an error.
pub(super) async fn put(cx: &Call<'_>, new: &New<'_>) -> Result<(), AwsError> {
    let item = new.item(cx.now());
    let condition = format!("attribute_not_exists({})", item::CONNECTION_ID);
    let input = json!({ "TableName": cx.settings.table, "Item": item, "ConditionExpression": condition });
    match aws::call(cx, &dynamodb(cx), "PutItem", &input).await {
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
    let input = json!({ "TableName": cx.settings.table, "Key": key(connection_id), "ConsistentRead": true });
    let mut answer = aws::call(cx, &dynamodb(cx), "GetItem", &input).await?;
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
    let input = json!({ "TableName": cx.settings.table, "Key": key(connection_id), "ReturnValues": "ALL_OLD" });
    match aws::call(cx, &dynamodb(cx), "DeleteItem", &input).await {
        Ok(answer) => Connection::read(&answer["Attributes"], connection_id),
        Err(error) => {
            cx.log().failed("the table of connections", &error);
            None
        }
    }
}
