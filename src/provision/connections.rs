//! The open connections, as the table has them: one row for each.
//!
//! Rows of other kinds (parts of messages, used tickets and tokens) have no session, and a row whose time is over is one that DynamoDB has not
//! deleted yet (DynamoDB guide, TTL): neither counts.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;

use super::answer::Answer;
use super::desired::Desired;
use super::error::AwsError;
use super::observed::{Found, Observed};
use super::plan::ApiCall;
use super::resource::Context;
use super::resources::table;
use crate::contract::item;

pub(crate) const SCAN: ApiCall = ApiCall { name: "Scan", iam: "dynamodb:Scan" };

/// What is known of the open connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connections {
    /// There is no table of this stack.
    NoTable,
    /// The table may not be read; says which call failed, and how.
    Unknown(String),
    /// These are open.
    Open(Vec<Connection>),
}

/// One open connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// API Gateway's id.
    pub id: String,
    /// Its session.
    pub session_id: String,
    /// When it was made, in epoch milliseconds.
    pub connected_at: Option<u64>,
}

impl Connection {
    /// `None`: not a row of a connection.
    fn read(row: &Row) -> Option<Self> {
        let text = |name: &str| row.get(name)?.as_s().ok().cloned();
        let connected_at = row.get(item::CONNECTED_AT).and_then(|value| value.as_n().ok()?.parse().ok());
        Some(Self { id: text(item::CONNECTION_ID)?, session_id: text(item::SESSION_ID)?, connected_at })
    }
}

/// The open connections of a stack that was read. A table that is not proven to be the stack's is not looked into.
pub(crate) async fn of_stack(cx: &Context<'_>, seen: &Observed) -> Result<Connections, AwsError> {
    let ours = seen.table.present().is_some_and(|live| table::is_ours(&cx.want, seen, live));
    if let Found::Unknown(why) = &seen.table {
        return Ok(Connections::Unknown(why.clone()));
    }
    if !ours {
        return Ok(Connections::NoTable);
    }
    Ok(match Found::optional(open(cx).await)? {
        Found::Present(open) => Connections::Open(open),
        Found::Unknown(why) => Connections::Unknown(why),
        Found::Absent => Connections::NoTable,
    })
}

/// The connections that are open now. Reads the whole table: a megabyte of rows for each call.
pub(crate) async fn open(cx: &Context<'_>) -> Result<Vec<Connection>, AwsError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let living = format!("attribute_exists({}) AND {} > :now", item::SESSION_ID, item::EXPIRES_AT);
    let call = cx.clients.dynamodb.scan().filter_expression(living).expression_attribute_values(":now", AttributeValue::N(now.to_string()));
    let call = call.projection_expression([item::CONNECTION_ID, item::SESSION_ID, item::CONNECTED_AT].join(", ")).consistent_read(true);
    let mut open = Vec::new();
    pages(&cx.want, call, |row| open.extend(Connection::read(&row))).await?;
    Ok(open)
}

/// One row of the table.
pub(crate) type Row = HashMap<String, AttributeValue>;

/// Hands over each row that a scan of the stack's table finds, page by page.
pub(crate) async fn pages(
    want: &Desired,
    call: aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder,
    mut take: impl FnMut(Row),
) -> Result<(), AwsError> {
    let mut start = None;
    loop {
        let page = call.clone().table_name(&want.table).set_exclusive_start_key(start).send().await.explain(SCAN, &want.table)?;
        page.items.unwrap_or_default().into_iter().for_each(&mut take);
        start = page.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_session_is_no_connection() {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let mut row =
            Row::from([("connectionId".to_owned(), text("a=")), ("connectedAt".to_owned(), AttributeValue::N("1700".to_owned()))]);
        assert_eq!(Connection::read(&row), None);
        row.insert("sessionId".to_owned(), text("s"));
        let connection = Connection { id: "a=".to_owned(), session_id: "s".to_owned(), connected_at: Some(1700) };
        assert_eq!(Connection::read(&row), Some(connection.clone()));
        row.insert("connectedAt".to_owned(), text("yesterday"));
        assert_eq!(Connection::read(&row), Some(Connection { connected_at: None, ..connection }));
    }
}
