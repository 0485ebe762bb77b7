use aws_sdk_apigatewayv2::types::{AccessLogSettings, LoggingLevel, RouteSettings};
use futures_util::SinkExt;
use serde_json::Value;

use super::next;
use crate::local::Options;
use crate::local::account::Account;
use crate::local::support::Lab;

const GROUP: &str = "arn:aws:logs:us-east-1:111122223333:log-group:/requests";
const FORMAT: &str = r#"{"id":"$context.requestId","key":"$context.routeKey","status":$context.status,"error":"$context.error.message"}"#;

fn lab() -> Lab {
    let account = Account::parse("extends: access-logs\n", "test").unwrap();
    Lab::start(Options { account, ..Options::default() })
}

fn settings(destination: &str) -> AccessLogSettings {
    AccessLogSettings::builder().destination_arn(destination).format(FORMAT).build()
}

/// The lines of a group, once there are so many.
async fn lines(lab: &Lab, group: &str, count: usize) -> Vec<String> {
    for _ in 0..500 {
        let found: Vec<String> =
            lab.lines.lock().unwrap().iter().filter(|line| line.group == group).map(|line| line.message.clone()).collect();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no {count} lines in {group}: {:?}", lab.lines.lock().unwrap());
}

#[tokio::test]
async fn every_request_is_a_line_and_every_failed_execution_another() {
    let lab = lab();
    lab.function("f", "", "if 'crash' in event.get('body', ''): os._exit(1)").timeout(28).send().await.unwrap();
    let api = lab.api("f", &["$connect", "$disconnect", "known"]).await;
    let level = RouteSettings::builder().logging_level(LoggingLevel::Error).throttling_burst_limit(9).throttling_rate_limit(9.0).build();
    let stage = lab.api.update_stage().api_id(&api).stage_name("prod").default_route_settings(level);
    stage.access_log_settings(settings(GROUP)).send().await.unwrap();
    let mut socket = lab.connect(lab.url(&api, "prod") + "?token=a-secret").await.unwrap();
    for body in [r#"{"action":"known"}"#, r#"{"action":"none"}"#, r#"{"action":"known","do":"crash"}"#] {
        socket.send(body.into()).await.unwrap();
        if !body.ends_with(r#""known"}"#) {
            next(&mut socket).await;
        }
    }
    socket.close(None).await.unwrap();
    let lines = lines(&lab, "/requests", 5).await;
    let seen = lines.iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        format!("{} {} {}", line["key"].as_str().unwrap(), line["status"], line["error"].as_str().unwrap())
    });
    let mut seen: Vec<String> = seen.collect();
    seen.sort();
    assert_eq!(seen, [" 403 Forbidden", "$connect 200 -", "$disconnect 200 -", "known 200 -", "known 500 Internal server error"]);
    assert!(!lines.concat().contains("a-secret"));
    let failed = self::lines(&lab, &format!("/aws/apigateway/{api}/prod"), 1).await;
    assert!(failed.len() == 1 && failed[0].ends_with("customer function error"), "{failed:?}");
}

#[tokio::test]
async fn logs_need_a_role_of_the_account_and_a_plain_arn() {
    let refused = async |lab: &Lab, destination: &str| {
        let api = lab.bare_api("api").await;
        let call = lab.api.create_stage().api_id(&api).stage_name("prod").access_log_settings(settings(destination));
        call.send().await.unwrap_err().into_service_error().meta().message().unwrap_or_default().to_owned()
    };
    let without = Lab::start(Options::default());
    assert_eq!(refused(&without, GROUP).await, "CloudWatch Logs role ARN must be set in account settings to enable logging");
    assert!(refused(&lab(), &format!("{GROUP}:*")).await.contains("Invalid ARN"));
}
