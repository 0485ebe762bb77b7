//! Line 12: DynamoDB.

use std::time::Duration;

use serde_json::{Value, json};
use wsfix::local::{Delays, Options};

use super::wire::{Lab, Reply, until};

const IN_USE: &str = "ResourceInUseException";
const NOT_FOUND: &str = "ResourceNotFoundException";
const VALIDATION: &str = "ValidationException";

fn lab(delays: Delays, speed: f64) -> Lab {
    Lab::with(Options { delays, speed, ..Options::default() })
}

fn index() -> Value {
    json!({"IndexName": "SessionIdIndex", "KeySchema": [{"AttributeName": "sessionId", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"}})
}

fn attributes(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"AttributeName": name, "AttributeType": "S"})).collect()
}

async fn create(lab: &Lab, indexed: bool) -> Reply {
    let mut body = json!({"TableName": "Connections", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes(if indexed { &["connectionId", "sessionId"] } else { &["connectionId"] }),
        "KeySchema": [{"AttributeName": "connectionId", "KeyType": "HASH"}]});
    if indexed {
        body["GlobalSecondaryIndexes"] = json!([index()]);
    }
    lab.dynamodb("CreateTable", body).await
}

async fn named(lab: &Lab, operation: &str) -> Reply {
    lab.dynamodb(operation, json!({"TableName": "Connections"})).await
}

async fn expiry(lab: &Lab, enabled: bool, attribute: &str) -> Reply {
    let body = json!({"TableName": "Connections", "TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute}});
    lab.dynamodb("UpdateTimeToLive", body).await
}

async fn put(lab: &Lab, item: Value) -> Reply {
    lab.dynamodb("PutItem", json!({"TableName": "Connections", "Item": item})).await
}

async fn query(lab: &Lab, consistent: bool) -> Reply {
    let body = json!({"TableName": "Connections", "IndexName": "SessionIdIndex", "KeyConditionExpression": "sessionId = :s",
        "ExpressionAttributeValues": {":s": {"S": "s"}}, "ConsistentRead": consistent});
    lab.dynamodb("Query", body).await
}

#[tokio::test]
async fn line_12_every_error_is_400_with_a_prefix() {
    let lab = Lab::new();
    let kind = |reply: &Reply| (reply.status, reply.json()["__type"].as_str().unwrap_or_default().to_owned());
    let missing = named(&lab, "DescribeTable").await;
    assert_eq!(kind(&missing), (400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException".to_owned()));
    assert_eq!(missing.message(), "Requested resource not found: Table: Connections not found");
    create(&lab, true).await.ok();
    create(&lab, true).await.is(400, IN_USE, "Table already exists: Connections");
    let wrong = lab.dynamodb("CreateTable", json!({"TableName": "x"})).await;
    assert_eq!(kind(&wrong), (400, "com.amazon.coral.validate#ValidationException".to_owned()));
    let condition = json!({"TableName": "Connections", "Item": {"connectionId": {"S": "c"}},
        "ConditionExpression": "attribute_exists(connectionId)"});
    lab.dynamodb("PutItem", condition).await.is(400, "ConditionalCheckFailedException", "conditional request failed");
    lab.dynamodb("NoSuchOperation", json!({})).await.is(400, "UnknownOperationException", "");
}

#[tokio::test]
async fn line_12_a_table_is_creating_and_takes_nothing() {
    let delays = Delays { table: Duration::from_millis(700), deletion: Duration::from_millis(400), ..Delays::default() };
    let lab = lab(delays, 1.0);
    assert_eq!(create(&lab, true).await.ok()["TableDescription"]["TableStatus"], "CREATING");
    let described = named(&lab, "DescribeTable").await.ok();
    assert_eq!(described["Table"]["TableStatus"], "CREATING");
    assert_eq!(described["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING");
    let being = "Attempt to change a resource which is still in use: Table is being created: Connections";
    expiry(&lab, true, "expiresAt").await.is(400, IN_USE, being);
    named(&lab, "DeleteTable").await.is(400, IN_USE, being);
    named(&lab, "DescribeTimeToLive").await.is(400, VALIDATION, "Cannot describe time to live while table is in CREATING state");
    put(&lab, json!({"connectionId": {"S": "c"}})).await.is(400, NOT_FOUND, "Requested resource not found");
    let active = async || (named(&lab, "DescribeTable").await.json()["Table"]["TableStatus"] == "ACTIVE").then_some(());
    until(active).await.expect("an active table");
    assert_eq!(named(&lab, "DescribeTable").await.ok()["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE");
    assert_eq!(named(&lab, "DeleteTable").await.ok()["TableDescription"]["TableStatus"], "DELETING");
    named(&lab, "DeleteTable").await.is(400, IN_USE, "Table is being deleted: Connections");
    until(async || (named(&lab, "DescribeTable").await.status == 400).then_some(())).await.expect("no table");
}

#[tokio::test]
async fn line_12_an_index_that_fills_keeps_its_table() {
    let lab = lab(Delays { backfill: Duration::from_millis(900), ..Delays::default() }, 1.0);
    create(&lab, false).await.ok();
    let body = json!({"TableName": "Connections", "AttributeDefinitions": attributes(&["connectionId", "sessionId"]),
        "GlobalSecondaryIndexUpdates": [{"Create": index()}]});
    let answer = lab.dynamodb("UpdateTable", body).await.ok();
    assert_eq!(answer["TableDescription"]["GlobalSecondaryIndexes"], Value::Null, "the answer shows what was there before");
    let table = named(&lab, "DescribeTable").await.ok()["Table"].clone();
    assert_eq!(table["TableStatus"], "ACTIVE");
    let filling = &table["GlobalSecondaryIndexes"][0];
    assert_eq!((&filling["IndexStatus"], &filling["Backfilling"]), (&json!("CREATING"), &json!(true)));
    let text = "Cannot delete table while indexes are being created, updated, or deleted.";
    named(&lab, "DeleteTable").await.is(400, IN_USE, text);
    let drop = json!({"TableName": "Connections", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "SessionIdIndex"}}]});
    let one = "Only 1 online index can be created or deleted simultaneously per table";
    lab.dynamodb("UpdateTable", drop).await.is(400, "LimitExceededException", one);
    until(async || (named(&lab, "DeleteTable").await.status == 200).then_some(())).await.expect("a deletion");
}

#[tokio::test]
async fn line_12_expiry_is_changed_seldom() {
    // 31 minutes pass in half a second.
    let lab = lab(Delays::default(), 3600.0);
    create(&lab, false).await.ok();
    expiry(&lab, false, "expiresAt").await.is(400, VALIDATION, "TimeToLive is already disabled");
    expiry(&lab, true, "expiresAt").await.ok();
    let described = named(&lab, "DescribeTimeToLive").await.ok();
    assert_eq!(described["TimeToLiveDescription"], json!({"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}));
    expiry(&lab, true, "expiresAt").await.is(400, VALIDATION, "TimeToLive is already enabled");
    let other = "TimeToLive is active on a different AttributeName: current AttributeName is expiresAt";
    expiry(&lab, true, "ttl").await.is(400, VALIDATION, other);
    let soon = expiry(&lab, false, "expiresAt").await;
    soon.is(400, VALIDATION, "Time to live has been modified multiple times within a fixed interval");
    until(async || (expiry(&lab, false, "expiresAt").await.status == 200).then_some(())).await.expect("a change");
    let described = named(&lab, "DescribeTimeToLive").await.ok();
    assert_eq!(described["TimeToLiveDescription"], json!({"TimeToLiveStatus": "DISABLED"}));
}

#[tokio::test]
async fn line_12_reads_are_late() {
    let lab = lab(Delays { read: Duration::from_millis(500), index: Duration::from_millis(700), ..Delays::default() }, 1.0);
    create(&lab, true).await.ok();
    named(&lab, "DescribeTable").await.is(400, NOT_FOUND, "Table: Connections not found");
    until(async || (named(&lab, "DescribeTable").await.status == 200).then_some(())).await.expect("a table");
    put(&lab, json!({"connectionId": {"S": "c"}, "sessionId": {"S": "s"}})).await.ok();
    assert_eq!(query(&lab, false).await.ok()["Count"], 0, "the index does not have it yet");
    until(async || (query(&lab, false).await.ok()["Count"] == 1).then_some(())).await.expect("an item in the index");
    query(&lab, true).await.is(400, VALIDATION, "Consistent reads are not supported on global secondary indexes");
    named(&lab, "DeleteTable").await.ok();
    assert_eq!(named(&lab, "DescribeTable").await.ok()["Table"]["TableStatus"], "ACTIVE", "a read that does not know yet");
}

#[tokio::test]
async fn line_12_items_stay_when_they_have_expired_and_keys_are_not_empty() {
    let lab = Lab::new();
    create(&lab, true).await.ok();
    expiry(&lab, true, "expiresAt").await.ok();
    put(&lab, json!({"connectionId": {"S": "c"}, "sessionId": {"S": "s"}, "expiresAt": {"N": "1"}})).await.ok();
    assert_eq!(query(&lab, false).await.ok()["Count"], 1);
    let get = json!({"TableName": "Connections", "Key": {"connectionId": {"S": "c"}}});
    assert_eq!(lab.dynamodb("GetItem", get).await.ok()["Item"]["expiresAt"]["N"], "1");
    put(&lab, json!({"connectionId": {"S": ""}})).await.is(400, VALIDATION, "cannot contain an empty string value");
    let empty = put(&lab, json!({"connectionId": {"S": "d"}, "sessionId": {"S": ""}})).await;
    empty.is(400, VALIDATION, "IndexKey: sessionId");
    // Without the index's key an item is just not in the index.
    put(&lab, json!({"connectionId": {"S": "d"}})).await.ok();
}
