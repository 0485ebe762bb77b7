//! Lines 16 and 17: what a teardown leaves, and what is lost on the way.

use std::time::Duration;

use serde_json::{Value, json};
use wsfix::local::faults::Quirk;
use wsfix::local::{Delays, Options};

use super::wire::{Lab, until};

#[tokio::test]
async fn line_16_a_deleted_api_takes_its_parts_along_and_nothing_else() {
    let lab = Lab::new();
    let api = lab.served("", &["$connect"]).await;
    assert_eq!(lab.handshake(&api).await, 101);
    lab.wait_events(1).await;
    lab.api("DELETE", &format!("/apis/{api}"), Value::Null).await.ok();
    for part in ["", "/routes", "/integrations", "/stages", "/deployments", "/stages/prod"] {
        let gone = lab.api("GET", &format!("/apis/{api}{part}"), Value::Null).await;
        gone.is(404, "NotFoundException", &format!("Invalid API identifier specified 111122223333:{api}"));
    }
    lab.api("DELETE", &format!("/apis/{api}"), Value::Null).await.is(404, "NotFoundException", "Invalid API identifier");
    let policy = lab.lambda("GET", "/f/policy", Value::Null).await.ok();
    assert!(policy["Policy"].as_str().is_some_and(|policy| policy.contains(&api)), "{policy}");
    lab.lambda("DELETE", "/f", Value::Null).await.ok();
    lab.lambda("GET", "/f/policy", Value::Null).await.is(404, "ResourceNotFoundException", "");
    let groups = lab.logs("DescribeLogGroups", json!({})).await.ok();
    assert_eq!(groups["logGroups"][0]["logGroupName"], "/aws/lambda/f");
    assert_eq!(groups["logGroups"][0]["retentionInDays"], Value::Null);
}

#[tokio::test]
async fn line_16_a_log_group_comes_back_once() {
    let delays = Delays { deletion: Duration::from_millis(600), ..Delays::default() };
    let lab = Lab::with(Options { delays, quirks: vec![Quirk::LogGroupReturns], ..Options::default() });
    let group = json!({"logGroupName": "/aws/lambda/f"});
    lab.logs("CreateLogGroup", group.clone()).await.ok();
    lab.logs("PutRetentionPolicy", json!({"logGroupName": "/aws/lambda/f", "retentionInDays": 14})).await.ok();
    lab.logs("DeleteLogGroup", group.clone()).await.ok();
    let first = async || lab.logs("DescribeLogGroups", json!({})).await.ok()["logGroups"].get(0).cloned();
    assert_eq!(first().await, None);
    let back = until(first).await.expect("the group again");
    assert_eq!(back["retentionInDays"], Value::Null, "without its settings");
    lab.logs("DeleteLogGroup", group).await.ok();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(first().await, None);
}

#[tokio::test]
async fn line_17_a_statement_is_lost_though_both_calls_succeed() {
    let lab = Lab::with(Options { quirks: vec![Quirk::PermissionLost], ..Options::default() });
    lab.function("f", "").await;
    assert_eq!(lab.permit("f", "one", "abc/*").await.status, 201);
    assert_eq!(lab.permit("f", "two", "abc/*").await.status, 201);
    let policy = lab.lambda("GET", "/f/policy", Value::Null).await.ok();
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap_or_default()).expect("a policy");
    let ids: Vec<&str> = policy["Statement"].as_array().into_iter().flatten().filter_map(|one| one["Sid"].as_str()).collect();
    assert_eq!(ids, ["two"]);
    assert_eq!(lab.permit("f", "one", "abc/*").await.status, 201, "its id is free");
}
