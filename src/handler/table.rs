//! Calls to the table, whatever is in its items.

use serde_json::{Value, json};

use crate::contract::item;

use super::Call;
use super::aws::{self, AwsError, Service};

/// Calls an operation on the table.
pub(super) async fn call(cx: &Call<'_>, operation: &'static str, mut input: Value) -> Result<Value, AwsError> {
    let dynamodb = Service {
        endpoint: &cx.settings.aws.dynamodb,
        name: "dynamodb",
        target: "DynamoDB_20120810",
        content_type: "application/x-amz-json-1.0",
    };
    input["TableName"] = json!(cx.settings.table);
    aws::call(cx, &dynamodb, operation, &input).await
}

/// Deletes an item and answers what it was; null where there was none.
pub(super) async fn take(cx: &Call<'_>, id: &str) -> Result<Value, AwsError> {
    let mut answer = call(cx, "DeleteItem", json!({ "Key": key(id), "ReturnValues": "ALL_OLD" })).await?;
    Ok(answer["Attributes"].take())
}

/// Changes an item. `false`: there is none, or the condition does not hold.
pub(super) async fn update(cx: &Call<'_>, id: &str, change: &str, condition: &str, values: Value) -> Result<bool, AwsError> {
    let input = json!({
        "Key": key(id),
        "UpdateExpression": change,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
    });
    match call(cx, "UpdateItem", input).await {
        Ok(_) => Ok(true),
        Err(error) if error.cause.is("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// The primary key of an item.
pub(super) fn key(id: &str) -> Value {
    json!({ item::CONNECTION_ID: { "S": id } })
}
