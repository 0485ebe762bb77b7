//! Operations as a caller meets them, one after the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::answer;
use crate::local::faults::Quirk;
use crate::local::wire::{Service, tests::call};
use crate::local::world::World;
use crate::local::{LogLine, Options};

const GROUP: &str = "/aws/lambda/websocket-handler";
const ARN: &str = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/websocket-handler";

fn world() -> Arc<World> {
    Arc::new(World::new(&Options::default(), 4566))
}

async fn ask(world: &Arc<World>, operation: &str, body: Value) -> Result<Value, String> {
    match answer(world, &call(Service::Logs, operation, body.to_string())).await {
        Ok(answer) => Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null)),
        Err(error) => Err(format!("{}: {}", error.code, error.message)),
    }
}

fn group() -> Value {
    json!({"logGroupName": GROUP})
}

#[tokio::test]
async fn a_group_is_made_kept_and_deleted() {
    let world = world();
    ask(&world, "CreateLogGroup", json!({"logGroupName": GROUP, "tags": {"wsfix:stack": "terminal"}})).await.unwrap();
    let again = ask(&world, "CreateLogGroup", group()).await.unwrap_err();
    assert_eq!(again, "ResourceAlreadyExistsException: The specified log group already exists");
    ask(&world, "CreateLogGroup", json!({"logGroupName": format!("{GROUP}2")})).await.unwrap();
    ask(&world, "PutRetentionPolicy", json!({"logGroupName": GROUP, "retentionInDays": 14})).await.unwrap();
    let listed = ask(&world, "DescribeLogGroups", json!({"logGroupNamePrefix": GROUP})).await.unwrap();
    let groups = listed["logGroups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!((&groups[0]["arn"], &groups[0]["logGroupArn"]), (&json!(format!("{ARN}:*")), &json!(ARN)));
    assert_eq!((&groups[0]["retentionInDays"], &groups[1]["retentionInDays"]), (&json!(14), &Value::Null));
    let tags = ask(&world, "ListTagsForResource", json!({"resourceArn": ARN})).await.unwrap();
    assert_eq!(tags, json!({"tags": {"wsfix:stack": "terminal"}}));
    ask(&world, "UntagResource", json!({"resourceArn": ARN, "tagKeys": ["wsfix:stack"]})).await.unwrap();
    ask(&world, "DeleteRetentionPolicy", group()).await.unwrap();
    ask(&world, "DeleteLogGroup", group()).await.unwrap();
    let gone = ask(&world, "DeleteLogGroup", group()).await.unwrap_err();
    assert_eq!(gone, "ResourceNotFoundException: The specified log group does not exist.");
}

#[tokio::test]
async fn bad_values_are_refused() {
    let world = world();
    for (operation, body, said) in [
        ("CreateLogGroup", json!({"logGroupName": "a b"}), "regular expression pattern"),
        ("CreateLogGroup", json!({}), "Value null at 'logGroupName'"),
        ("CreateLogGroup", json!({"logGroupName": "aws/x"}), "reserved for AWS"),
        ("PutRetentionPolicy", json!({"logGroupName": GROUP, "retentionInDays": 10}), "Value '10' at 'retentionInDays'"),
        ("DescribeLogGroups", json!({"limit": 51}), "Value '51' at 'limit'"),
        ("DescribeLogGroups", json!({"nextToken": "x"}), "nextToken is invalid"),
        ("FilterLogEvents", json!({"logGroupName": GROUP, "filterPattern": "{ $.a = 1 }"}), "Invalid filter pattern"),
    ] {
        let error = ask(&world, operation, body).await.unwrap_err();
        assert!(error.starts_with("InvalidParameterException: ") && error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn lists_of_groups_are_paged() {
    let world = world();
    for at in 0..3 {
        ask(&world, "CreateLogGroup", json!({"logGroupName": format!("/g/{at}")})).await.unwrap();
    }
    let first = ask(&world, "DescribeLogGroups", json!({"limit": 2})).await.unwrap();
    assert_eq!(first["logGroups"].as_array().unwrap().len(), 2);
    let rest = ask(&world, "DescribeLogGroups", json!({"limit": 2, "nextToken": first["nextToken"]})).await.unwrap();
    assert_eq!((rest["logGroups"].as_array().unwrap().len(), &rest["nextToken"]), (1, &Value::Null));
}

#[tokio::test]
async fn a_function_writes_only_what_its_role_may() {
    let told: Arc<Mutex<Vec<LogLine>>> = Arc::default();
    let sink = Arc::clone(&told);
    let on_log = Some(Arc::new(move |line: &LogLine| sink.lock().unwrap().push(line.clone())) as crate::local::OnLog);
    let world = Arc::new(World::new(&Options { on_log, ..Options::default() }, 4566));
    let lines = ["START".to_owned(), "[WebSocket] Connected: c1".to_owned()];
    let of = |role: &str| world.session_caller(&format!("arn:aws:iam::111122223333:role/{role}"), "websocket-handler");
    world.write_logs(&of("ec2-instance"), GROUP, "s", &lines);
    assert!(told.lock().unwrap().is_empty());
    assert!(ask(&world, "FilterLogEvents", group()).await.unwrap_err().starts_with("ResourceNotFoundException"));
    world.write_logs(&of("lambda_basic_execution"), GROUP, "2026/01/31/[$LATEST]0a", &lines);
    assert_eq!(told.lock().unwrap().len(), 2);
    let found = ask(&world, "FilterLogEvents", json!({"logGroupName": GROUP, "filterPattern": "Connected"})).await.unwrap();
    assert_eq!(found["events"][0]["message"], "[WebSocket] Connected: c1");
    let streams =
        ask(&world, "DescribeLogStreams", json!({"logGroupName": GROUP, "orderBy": "LastEventTime", "descending": true})).await.unwrap();
    assert_eq!(streams["logStreams"][0]["logStreamName"], "2026/01/31/[$LATEST]0a");
}

#[tokio::test]
async fn a_search_may_have_an_empty_page_before_its_end() {
    let world = world();
    ask(&world, "CreateLogGroup", group()).await.unwrap();
    ask(&world, "CreateLogStream", json!({"logGroupName": GROUP, "logStreamName": "s"})).await.unwrap();
    let noise: Vec<Value> =
        (0..1000).map(|at| json!({"timestamp": at, "message": "noise"})).chain([json!({"timestamp": 1000, "message": "found"})]).collect();
    ask(&world, "PutLogEvents", json!({"logGroupName": GROUP, "logStreamName": "s", "logEvents": noise})).await.unwrap();
    let mut search = json!({"logGroupName": GROUP, "filterPattern": "found"});
    let first = ask(&world, "FilterLogEvents", search.clone()).await.unwrap();
    assert_eq!((first["events"].as_array().unwrap().len(), &first["nextToken"]), (0, &json!("at-1000")));
    search["nextToken"] = first["nextToken"].clone();
    let second = ask(&world, "FilterLogEvents", search).await.unwrap();
    assert_eq!((&second["events"][0]["message"], &second["nextToken"]), (&json!("found"), &Value::Null));
    let late = json!({"logGroupName": GROUP, "logStreamName": "s", "logEvents": [{"timestamp": 2, "message": "b"}, {"timestamp": 1, "message": "a"}]});
    assert!(ask(&world, "PutLogEvents", late).await.unwrap_err().contains("chronological order"));
}

#[tokio::test]
async fn a_stream_is_read_until_the_token_stays() {
    let world = world();
    ask(&world, "CreateLogGroup", group()).await.unwrap();
    ask(&world, "CreateLogStream", json!({"logGroupName": GROUP, "logStreamName": "s"})).await.unwrap();
    let events: Vec<Value> = (0..3).map(|at| json!({"timestamp": at, "message": at.to_string()})).collect();
    ask(&world, "PutLogEvents", json!({"logGroupName": GROUP, "logStreamName": "s", "logEvents": events})).await.unwrap();
    let mut read = json!({"logGroupName": GROUP, "logStreamName": "s", "startFromHead": true, "limit": 2});
    let first = ask(&world, "GetLogEvents", read.clone()).await.unwrap();
    assert_eq!(first["events"].as_array().unwrap().len(), 2);
    read["nextToken"] = first["nextForwardToken"].clone();
    let second = ask(&world, "GetLogEvents", read.clone()).await.unwrap();
    assert_eq!(second["events"].as_array().unwrap().len(), 1);
    read["nextToken"] = second["nextForwardToken"].clone();
    let third = ask(&world, "GetLogEvents", read).await.unwrap();
    assert_eq!((third["events"].as_array().unwrap().len(), &third["nextForwardToken"]), (0, &second["nextForwardToken"]));
}

#[tokio::test]
async fn a_late_delivery_makes_a_deleted_group_again_once() {
    let world = world();
    world.faults.quirk(Quirk::LogGroupReturns);
    for expected in [1, 0] {
        let _ = ask(&world, "CreateLogGroup", group()).await;
        ask(&world, "DeleteLogGroup", group()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(80)).await;
        let listed = ask(&world, "DescribeLogGroups", json!({})).await.unwrap();
        assert_eq!(listed["logGroups"].as_array().unwrap().len(), expected);
    }
}
