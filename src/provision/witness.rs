//! What a stack at work leaves behind: items in its table, lines in its log.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::answer::Answer;
use super::aws::Clients;
use super::desired::Desired;
use super::error::{AwsError, Error};
use super::log_lines::{self, Lines};
use super::plan::ApiCall;
use crate::config::Config;
use crate::contract::{SESSION_INDEX, item};

const QUERY: ApiCall = ApiCall { name: "Query", iam: "dynamodb:Query" };

/// Reads what a stack leaves behind. Changes nothing.
pub struct Witness {
    clients: Clients,
    table: String,
    log_group: String,
}

/// The item of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// API Gateway's id.
    pub connection_id: String,
    /// The token's `sub`.
    pub user_id: Option<String>,
    /// When DynamoDB may delete it, epoch seconds.
    pub expires_at: Option<i64>,
}

impl Item {
    /// `None`: not the item of a connection.
    fn read(attributes: &HashMap<String, AttributeValue>) -> Option<Self> {
        let text = |name: &str| attributes.get(name)?.as_s().ok().cloned();
        let expires_at = attributes.get(item::EXPIRES_AT).and_then(|value| value.as_n().ok()?.parse().ok());
        Some(Self { connection_id: text(item::CONNECTION_ID)?, user_id: text(item::USER_ID), expires_at })
    }
}

impl Witness {
    /// Of the stack that the config names.
    ///
    /// # Errors
    /// When no Region is known.
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let clients = Clients::connect(&config.connection).await.map_err(|refusal| Error::Refused(vec![refusal]))?;
        let want = Desired::partly(config);
        Ok(Self { clients, log_group: want.log_group(), table: want.table })
    }

    /// The items of a session, as the index has them: it may be a moment behind the table.
    ///
    /// # Errors
    /// When the index cannot be asked.
    pub async fn items(&self, session: &str) -> Result<Vec<Item>, AwsError> {
        let call = self.clients.dynamodb.query().table_name(&self.table).index_name(SESSION_INDEX);
        let call = call.key_condition_expression("#session = :session").expression_attribute_names("#session", item::SESSION_ID);
        let call = call.expression_attribute_values(":session", AttributeValue::S(session.to_owned()));
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let page = call.clone().set_exclusive_start_key(start).send().await.explain(QUERY, &self.table)?;
            items.extend(page.items().iter().filter_map(Item::read));
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// The lines that the function logged since then (epoch milliseconds), each stream's in order.
    ///
    /// # Errors
    /// When the log group is not there, or cannot be read.
    pub async fn lines(&self, since: i64) -> Result<Lines, AwsError> {
        let mut read = log_lines::since(&self.clients, &self.log_group, since).await?;
        // Lines of one stream have an order, those of several have not.
        read.lines.sort_by(|one, other| (&one.stream, one.timestamp).cmp(&(&other.stream, other.timestamp)));
        Ok(read)
    }

    /// The function's log group.
    #[must_use]
    pub fn log_group(&self) -> &str {
        &self.log_group
    }

    /// The table of connections.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_needs_nothing_but_its_connection() {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let mut attributes = HashMap::from([("expiresAt".to_owned(), AttributeValue::N("soon".to_owned()))]);
        assert_eq!(Item::read(&attributes), None);
        attributes.insert("connectionId".to_owned(), text("a="));
        let item = Item { connection_id: "a=".to_owned(), user_id: None, expires_at: None };
        assert_eq!(Item::read(&attributes), Some(item.clone()));
        attributes.insert("expiresAt".to_owned(), AttributeValue::N("1700".to_owned()));
        assert_eq!(Item::read(&attributes), Some(Item { expires_at: Some(1700), ..item }));
    }
}
