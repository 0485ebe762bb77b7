//! What counts once: tickets, and tokens where the configuration says so. Each leaves an item in the table until it would have expired anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::contract::{EXPIRY_MARGIN_SECONDS, item};

use super::aws::AwsError;
use super::{Call, table};

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ticket,
    Token,
}

impl Kind {
    /// How the item's key begins. No connection's id has a `#`.
    fn lead(self) -> &'static str {
        match self {
            Self::Ticket => "ticket#",
            Self::Token => "token#",
        }
    }
}

/// Uses something up for a connection; `until`, in epoch seconds, it must not be used again. `false`: it has been used.
///
/// The item has no session, so that it is in no index and is never taken for a connection. The condition lets the same handshake repeat its
/// write, whose answer may have been lost.
pub(super) async fn claim(cx: &Call<'_>, kind: Kind, name: &str, until: i64, connection_id: &str) -> Result<bool, AwsError> {
    let key = format!("{}{}", kind.lead(), URL_SAFE_NO_PAD.encode(digest(&SHA256, name.as_bytes())));
    let input = json!({
        "Item": {
            item::CONNECTION_ID: { "S": key },
            item::USED_BY: { "S": connection_id },
            item::EXPIRES_AT: { "N": until.saturating_add(EXPIRY_MARGIN_SECONDS).to_string() },
        },
        "ConditionExpression": format!("attribute_not_exists({}) OR {} = :by", item::CONNECTION_ID, item::USED_BY),
        "ExpressionAttributeValues": { ":by": { "S": connection_id } },
    });
    match table::call(cx, "PutItem", input).await {
        Ok(_) => Ok(true),
        Err(error) if error.cause.is("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(error),
    }
}
