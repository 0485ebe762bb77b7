//! The table of connections, read with the AWS SDK as anybody would.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;

use crate::contract;

use super::setup::Session;

/// A client of the local cloud's DynamoDB.
pub(super) struct Connections {
    client: Client,
    table: String,
}

impl Connections {
    pub(super) fn of(session: &Session) -> Self {
        let keys = &session.keys;
        let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
        let credentials = Credentials::new(&keys.access_key_id, keys.secret_access_key.expose(), token, None, "local cloud");
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(session.cloud.region().to_owned()))
            .endpoint_url(session.cloud.endpoint())
            .credentials_provider(credentials)
            .build();
        Self { client: Client::from_conf(config), table: session.outputs.table.clone() }
    }

    /// The items of a session, found by the index.
    pub(super) async fn of_session(&self, session: &str) -> Result<Vec<HashMap<String, AttributeValue>>, String> {
        let query = self.client.query().table_name(&self.table).index_name(contract::SESSION_INDEX);
        let query =
            query.key_condition_expression("#session = :session").expression_attribute_names("#session", contract::item::SESSION_ID);
        let query = query.expression_attribute_values(":session", AttributeValue::S(session.to_owned()));
        query.send().await.map(|answer| answer.items.unwrap_or_default()).map_err(|error| error.into_service_error().to_string())
    }
}

/// A text attribute.
pub(super) fn text<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// A number attribute.
pub(super) fn number(item: &HashMap<String, AttributeValue>, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
