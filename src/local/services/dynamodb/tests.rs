//! Operations as a caller meets them, one after the other.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer;
use crate::local::wire::{Caller, Service, tests::call};
use crate::local::world::World;
use crate::local::{Account, Delays, Options};

const TABLE_ARN: &str = "arn:aws:dynamodb:us-east-1:111122223333:table/Connections";

fn world(delays: Delays) -> Arc<World> {
    Arc::new(World::new(&Options { delays, ..Options::default() }, 4566))
}

async fn ask_as(world: &Arc<World>, caller: Option<&Caller>, operation: &str, body: &Value) -> Result<Value, String> {
    let mut request = call(Service::DynamoDb, operation, body.to_string());
    if let Some(caller) = caller {
        request.caller = caller.clone();
    }
    match answer(world, &request).await {
        Ok(answer) => Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null)),
        Err(error) => Err(format!("{}: {}", error.code, error.message)),
    }
}

async fn ask(world: &Arc<World>, operation: &str, body: Value) -> Result<Value, String> {
    ask_as(world, None, operation, &body).await
}

fn create() -> Value {
    json!({
        "TableName": "Connections",
        "AttributeDefinitions": [{"AttributeName": "connectionId", "AttributeType": "S"}, {"AttributeName": "sessionId", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "connectionId", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [{"IndexName": "SessionIdIndex", "KeySchema": [{"AttributeName": "sessionId", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"}}],
        "Tags": [{"Key": "wsfix:stack", "Value": "terminal"}],
    })
}

fn item(connection: &str, session: &str) -> Value {
    json!({"connectionId": {"S": connection}, "sessionId": {"S": session}, "expiresAt": {"N": "1"}})
}

async fn with_table() -> Arc<World> {
    let world = world(Delays::default());
    ask(&world, "CreateTable", create()).await.unwrap();
    world
}

fn named() -> Value {
    json!({"TableName": "Connections"})
}

#[tokio::test]
async fn a_table_is_described_as_it_was_made() {
    let world = world(Delays::default());
    let made = ask(&world, "CreateTable", create()).await.unwrap();
    assert_eq!(made["TableDescription"]["TableStatus"], "CREATING");
    let table = ask(&world, "DescribeTable", named()).await.unwrap()["Table"].clone();
    assert_eq!((&table["TableStatus"], &table["TableArn"]), (&json!("ACTIVE"), &json!(TABLE_ARN)));
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE");
    assert_eq!(table["GlobalSecondaryIndexes"][0]["Projection"], json!({"ProjectionType": "ALL"}));
    let tags = ask(&world, "ListTagsOfResource", json!({"ResourceArn": TABLE_ARN})).await.unwrap();
    assert_eq!(tags, json!({"Tags": [{"Key": "wsfix:stack", "Value": "terminal"}]}));
    assert_eq!(ask(&world, "CreateTable", create()).await.unwrap_err(), "ResourceInUseException: Table already exists: Connections");
}

#[tokio::test]
async fn what_create_table_refuses() {
    let world = world(Delays::default());
    for (pointer, value, said) in [
        (
            "/TableName",
            json!("ab"),
            "Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
        ),
        ("/TableName", json!("a b c"), "regular expression pattern"),
        (
            "/AttributeDefinitions/1/AttributeName",
            json!("other"),
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [sessionId]",
        ),
        ("/AttributeDefinitions/1/AttributeType", json!("BOOL"), "enum value set: [B, N, S]"),
        ("/KeySchema/0/KeyType", json!("RANGE"), "The first KeySchemaElement is not a HASH key type"),
        ("/BillingMode", json!("PROVISIONED"), "must both be specified when BillingMode is PROVISIONED"),
        ("/BillingMode", json!("FREE"), "enum value set: [PROVISIONED, PAY_PER_REQUEST]"),
        ("/GlobalSecondaryIndexes/0/Projection", json!({}), "Unknown ProjectionType: null"),
        ("/GlobalSecondaryIndexes", json!([]), "List of GlobalSecondaryIndexes is empty"),
        ("/GlobalSecondaryIndexes", Value::Null, "Number of attributes in KeySchema does not exactly match"),
        ("/Tags/0/Key", json!("aws:x"), "aws: prefixed tag key names are not allowed"),
    ] {
        let mut body = create();
        *body.pointer_mut(pointer).unwrap() = value;
        let error = ask(&world, "CreateTable", body).await.unwrap_err();
        assert!(error.starts_with("ValidationException: ") && error.contains(said), "{error}");
    }
    let mut body = create();
    body["ProvisionedThroughput"] = json!({"ReadCapacityUnits": 1, "WriteCapacityUnits": 1});
    assert!(ask(&world, "CreateTable", body).await.unwrap_err().contains("can be specified when BillingMode is PAY_PER_REQUEST"));
    let mut body = create();
    body["AttributeDefinitions"].as_array_mut().unwrap().push(json!({"AttributeName": "userId", "AttributeType": "S"}));
    assert!(ask(&world, "CreateTable", body).await.unwrap_err().contains("Some AttributeDefinitions are not used"));
    let tables = ask(&world, "ListTables", json!({})).await.unwrap();
    assert_eq!(tables, json!({"TableNames": []}));
}

#[tokio::test]
async fn a_table_on_its_way_refuses_what_aws_refuses() {
    let slow = Duration::from_millis(300);
    let world = world(Delays { table: slow, deletion: slow, read: Duration::from_millis(60), ..Delays::default() });
    ask(&world, "CreateTable", create()).await.unwrap();
    let unseen = ask(&world, "DescribeTable", named()).await.unwrap_err();
    assert_eq!(unseen, "ResourceNotFoundException: Requested resource not found: Table: Connections not found");
    let being = "ResourceInUseException: Attempt to change a resource which is still in use: Table is being";
    let ttl = json!({"TableName": "Connections", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "expiresAt"}});
    assert_eq!(ask(&world, "UpdateTimeToLive", ttl.clone()).await.unwrap_err(), format!("{being} created: Connections"));
    assert!(ask(&world, "DescribeTimeToLive", named()).await.unwrap_err().contains("while table is in CREATING state"));
    assert_eq!(ask(&world, "DeleteTable", named()).await.unwrap_err(), format!("{being} created: Connections"));
    let put = json!({"TableName": "Connections", "Item": item("c", "s")});
    assert_eq!(ask(&world, "PutItem", put).await.unwrap_err(), "ResourceNotFoundException: Requested resource not found");
    tokio::time::sleep(slow).await;
    assert_eq!(ask(&world, "DescribeTable", named()).await.unwrap()["Table"]["TableStatus"], "ACTIVE");
    ask(&world, "UpdateTimeToLive", ttl).await.unwrap();
    assert_eq!(ask(&world, "DeleteTable", named()).await.unwrap()["TableDescription"]["TableStatus"], "DELETING");
    assert_eq!(ask(&world, "DeleteTable", named()).await.unwrap_err(), format!("{being} deleted: Connections"));
    assert_eq!(ask(&world, "CreateTable", create()).await.unwrap_err(), format!("{being} deleted: Connections"));
    assert_eq!(ask(&world, "DescribeTable", named()).await.unwrap()["Table"]["TableStatus"], "ACTIVE", "a late read");
    tokio::time::sleep(slow).await;
    assert!(ask(&world, "DescribeTable", named()).await.unwrap_err().starts_with("ResourceNotFoundException"));
}

#[tokio::test]
async fn an_index_is_added_and_deleted_one_at_a_time() {
    let world = world(Delays { backfill: Duration::from_secs(600), ..Delays::default() });
    let mut body = create();
    body.as_object_mut().unwrap().remove("GlobalSecondaryIndexes");
    body["AttributeDefinitions"].as_array_mut().unwrap().pop();
    ask(&world, "CreateTable", body).await.unwrap();
    let add = |definitions: &Value| {
        json!({"TableName": "Connections", "AttributeDefinitions": definitions,
        "GlobalSecondaryIndexUpdates": [{"Create": create()["GlobalSecondaryIndexes"][0].clone()}]})
    };
    let one = json!([{"AttributeName": "sessionId", "AttributeType": "S"}]);
    assert!(ask(&world, "UpdateTable", add(&one)).await.unwrap_err().contains("Some index key attributes are not defined"));
    let answered = ask(&world, "UpdateTable", add(&create()["AttributeDefinitions"])).await.unwrap();
    assert_eq!(answered["TableDescription"]["GlobalSecondaryIndexes"], Value::Null);
    let index = ask(&world, "DescribeTable", named()).await.unwrap()["Table"]["GlobalSecondaryIndexes"][0].clone();
    assert_eq!((&index["IndexStatus"], &index["Backfilling"]), (&json!("CREATING"), &json!(true)));
    let refused = "ResourceInUseException: Cannot delete table while indexes are being created, updated, or deleted.";
    assert_eq!(ask(&world, "DeleteTable", named()).await.unwrap_err(), refused);
    let drop = json!({"TableName": "Connections", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "SessionIdIndex"}}]});
    assert!(ask(&world, "UpdateTable", drop).await.unwrap_err().starts_with("LimitExceededException: "));
}

#[tokio::test]
async fn a_deleted_index_takes_its_attribute_along() {
    let world = with_table().await;
    let drop = json!({"TableName": "Connections", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "SessionIdIndex"}}]});
    ask(&world, "UpdateTable", drop.clone()).await.unwrap();
    let table = ask(&world, "DescribeTable", named()).await.unwrap()["Table"].clone();
    assert_eq!(table["AttributeDefinitions"], json!([{"AttributeName": "connectionId", "AttributeType": "S"}]));
    assert!(ask(&world, "UpdateTable", drop).await.unwrap_err().starts_with("ResourceNotFoundException"));
    assert!(ask(&world, "UpdateTable", named()).await.unwrap_err().contains("At least one of"));
}

#[tokio::test]
async fn a_protected_table_stays() {
    let world = with_table().await;
    let protect = |on: bool| json!({"TableName": "Connections", "DeletionProtectionEnabled": on});
    ask(&world, "UpdateTable", protect(true)).await.unwrap();
    assert!(ask(&world, "DeleteTable", named()).await.unwrap_err().starts_with("ValidationException: Resource cannot be deleted"));
    ask(&world, "UpdateTable", protect(false)).await.unwrap();
    ask(&world, "DeleteTable", named()).await.unwrap();
}

#[tokio::test]
async fn items_come_and_go_under_conditions() {
    let world = with_table().await;
    let put = |item: Value| json!({"TableName": "Connections", "Item": item, "ConditionExpression": "attribute_not_exists(connectionId)"});
    ask(&world, "PutItem", put(item("c1", "s1"))).await.unwrap();
    assert_eq!(
        ask(&world, "PutItem", put(item("c1", "s2"))).await.unwrap_err(),
        "ConditionalCheckFailedException: The conditional request failed"
    );
    let key = json!({"TableName": "Connections", "Key": {"connectionId": {"S": "c1"}}});
    assert_eq!(ask(&world, "GetItem", key.clone()).await.unwrap(), json!({"Item": item("c1", "s1")}));
    let mut late = key.clone();
    late["UpdateExpression"] = json!("SET seen = :t");
    late["ConditionExpression"] = json!("attribute_exists(connectionId)");
    late["ExpressionAttributeValues"] = json!({":t": {"N": "5"}});
    late["ReturnValues"] = json!("UPDATED_NEW");
    assert_eq!(ask(&world, "UpdateItem", late.clone()).await.unwrap(), json!({"Attributes": {"seen": {"N": "5"}}}));
    let mut gone = key.clone();
    gone["ReturnValues"] = json!("ALL_OLD");
    assert_eq!(ask(&world, "DeleteItem", gone).await.unwrap()["Attributes"]["sessionId"], json!({"S": "s1"}));
    assert_eq!(ask(&world, "DeleteItem", key.clone()).await.unwrap(), json!({}));
    assert_eq!(ask(&world, "GetItem", key).await.unwrap(), json!({}));
    assert!(ask(&world, "UpdateItem", late).await.unwrap_err().starts_with("ConditionalCheckFailedException"));
}

#[tokio::test]
async fn items_that_dynamodb_refuses() {
    let world = with_table().await;
    let big = "x".repeat(400 * 1024);
    for (item, said) in [
        (json!({"sessionId": {"S": "s"}}), "Missing the key connectionId in the item"),
        (json!({"connectionId": {"N": "1"}}), "Type mismatch for key connectionId expected: S actual: N"),
        (json!({"connectionId": {"S": ""}}), "cannot contain an empty string value. Key: connectionId"),
        (json!({"connectionId": {"S": "c"}, "sessionId": {"S": ""}}), "IndexName: SessionIdIndex, IndexKey: sessionId"),
        (
            json!({"connectionId": {"S": "c"}, "sessionId": {"N": "1"}}),
            "Type mismatch for Index Key sessionId Expected: S Actual: N IndexName: SessionIdIndex",
        ),
        (json!({"connectionId": {"S": "c"}, "body": {"S": big}}), "Item size has exceeded the maximum allowed size"),
    ] {
        let error = ask(&world, "PutItem", json!({"TableName": "Connections", "Item": item})).await.unwrap_err();
        assert!(error.starts_with("ValidationException: ") && error.contains(said), "{error}");
    }
    ask(&world, "PutItem", json!({"TableName": "Connections", "Item": {"connectionId": {"S": "sparse"}}})).await.unwrap();
    let wrong = json!({"TableName": "Connections", "Key": {"sessionId": {"S": "c1"}}});
    assert!(ask(&world, "GetItem", wrong).await.unwrap_err().ends_with("The provided key element does not match the schema"));
}

#[tokio::test]
async fn an_index_is_queried_page_by_page() {
    let world = with_table().await;
    for at in 0..5 {
        ask(&world, "PutItem", json!({"TableName": "Connections", "Item": item(&format!("c{at}"), "s1")})).await.unwrap();
    }
    ask(&world, "PutItem", json!({"TableName": "Connections", "Item": item("other", "s2")})).await.unwrap();
    let mut query = json!({"TableName": "Connections", "IndexName": "SessionIdIndex", "KeyConditionExpression": "sessionId = :s",
        "ExpressionAttributeValues": {":s": {"S": "s1"}}, "Limit": 2});
    let mut found = Vec::new();
    loop {
        let page = ask(&world, "Query", query.clone()).await.unwrap();
        found.extend(page["Items"].as_array().unwrap().iter().map(|item| item["connectionId"]["S"].as_str().unwrap().to_owned()));
        if page["LastEvaluatedKey"].is_null() {
            break;
        }
        assert_eq!(page["LastEvaluatedKey"].as_object().unwrap().len(), 2);
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
    assert_eq!(found, ["c0", "c1", "c2", "c3", "c4"]);
    let count = ask(
        &world,
        "Scan",
        json!({"TableName": "Connections", "Select": "COUNT", "FilterExpression": "sessionId = :s",
        "ExpressionAttributeValues": {":s": {"S": "s2"}}}),
    )
    .await
    .unwrap();
    assert_eq!(count, json!({"Count": 1, "ScannedCount": 6}));
}

#[tokio::test]
async fn queries_that_dynamodb_refuses() {
    let world = with_table().await;
    let base = json!({"TableName": "Connections", "IndexName": "SessionIdIndex", "KeyConditionExpression": "sessionId = :s",
        "ExpressionAttributeValues": {":s": {"S": "s1"}}});
    for (member, value, said) in [
        ("ConsistentRead", json!(true), "Consistent reads are not supported on global secondary indexes"),
        ("IndexName", json!("Other"), "The table does not have the specified index: Other"),
        ("KeyConditionExpression", json!("sessionId > :s"), "Query condition missed key schema element: sessionId"),
        ("KeyConditionExpression", Value::Null, "unused in expressions"),
        ("ExpressionAttributeValues", json!({":s": {"N": "1"}}), "Condition parameter type does not match schema type"),
        ("ExpressionAttributeValues", json!({":s": {"S": ""}}), "cannot contain an empty string value"),
        ("FilterExpression", json!("attribute_exists(sessionId)"), "Filter Expression can only contain non-primary key attributes"),
        ("ExclusiveStartKey", json!({"connectionId": {"S": "c"}}), "The provided starting key is invalid"),
    ] {
        let mut body = base.clone();
        body[member] = value;
        let error = ask(&world, "Query", body).await.unwrap_err();
        assert!(error.starts_with("ValidationException: ") && error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn an_index_may_lag() {
    let world = world(Delays { index: Duration::from_millis(200), ..Delays::default() });
    ask(&world, "CreateTable", create()).await.unwrap();
    ask(&world, "PutItem", json!({"TableName": "Connections", "Item": item("c", "s")})).await.unwrap();
    let query = json!({"TableName": "Connections", "IndexName": "SessionIdIndex", "KeyConditionExpression": "sessionId = :s",
        "ExpressionAttributeValues": {":s": {"S": "s"}}});
    assert_eq!(ask(&world, "Query", query.clone()).await.unwrap()["Count"], 0);
    tokio::time::sleep(Duration::from_millis(220)).await;
    assert_eq!(ask(&world, "Query", query).await.unwrap()["Count"], 1);
}

#[tokio::test]
async fn a_weak_role_reaches_the_table_by_the_tables_policy() {
    let world = with_table().await;
    let role = "arn:aws:iam::111122223333:role/lambda_basic_execution";
    let session = world.session_caller(role, "websocket-handler");
    let get = json!({"TableName": "Connections", "Key": {"connectionId": {"S": "c1"}}});
    let denied = ask_as(&world, Some(&session), "GetItem", &get).await.unwrap_err();
    assert_eq!(
        denied,
        format!(
            "AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/lambda_basic_execution/websocket-handler is not authorized to \
             perform: dynamodb:GetItem on resource: {TABLE_ARN} because no identity-based policy allows the dynamodb:GetItem action"
        )
    );
    let policy = |role: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": role}, "Action": ["dynamodb:GetItem", "dynamodb:Query"],
            "Resource": [TABLE_ARN, format!("{TABLE_ARN}/index/*")]}]})
        .to_string()
    };
    let gone = json!({"ResourceArn": TABLE_ARN, "Policy": policy("arn:aws:iam::111122223333:role/gone")});
    assert!(ask(&world, "PutResourcePolicy", gone).await.unwrap_err().contains("Invalid principal in policy"));
    let put = ask(&world, "PutResourcePolicy", json!({"ResourceArn": TABLE_ARN, "Policy": policy(role)})).await.unwrap();
    ask_as(&world, Some(&session), "GetItem", &get).await.unwrap();
    let query = json!({"TableName": "Connections", "IndexName": "SessionIdIndex", "KeyConditionExpression": "sessionId = :s",
        "ExpressionAttributeValues": {":s": {"S": "s1"}}});
    ask_as(&world, Some(&session), "Query", &query).await.unwrap();
    assert!(ask_as(&world, Some(&session), "Scan", &named()).await.is_err());
    let read = ask(&world, "GetResourcePolicy", json!({"ResourceArn": TABLE_ARN})).await.unwrap();
    assert_eq!(read, json!({"Policy": policy(role), "RevisionId": put["RevisionId"]}));
    let stale = json!({"ResourceArn": TABLE_ARN, "ExpectedRevisionId": "1"});
    assert!(ask(&world, "DeleteResourcePolicy", stale).await.unwrap_err().starts_with("PolicyNotFoundException"));
    ask(&world, "DeleteResourcePolicy", json!({"ResourceArn": TABLE_ARN})).await.unwrap();
    assert!(ask(&world, "GetResourcePolicy", json!({"ResourceArn": TABLE_ARN})).await.unwrap_err().starts_with("PolicyNotFoundException"));
}

#[tokio::test]
async fn tags_are_authorised_by_what_they_are() {
    let text = "account: '111122223333'\nusers:\n  - name: dev\n    inline_policies:\n      own:\n        Version: '2012-10-17'\n        Statement:\n          \
                - {Effect: Allow, Action: dynamodb:CreateTable, Resource: '*'}\n          \
                - {Effect: Allow, Action: 'dynamodb:*', Resource: '*', Condition: {StringEquals: {aws:RequestTag/owner: dev}}}\n";
    let account = Account::parse(text, "f").unwrap();
    let world = Arc::new(World::new(&Options { account, ..Options::default() }, 4566));
    let denied = ask(&world, "CreateTable", create()).await.unwrap_err();
    assert!(denied.contains("perform: dynamodb:TagResource on resource:"), "{denied}");
    let mut body = create();
    body["Tags"].as_array_mut().unwrap().push(json!({"Key": "owner", "Value": "dev"}));
    ask(&world, "CreateTable", body).await.unwrap();
}
