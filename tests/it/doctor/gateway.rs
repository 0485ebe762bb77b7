//! The local cloud's gateway, broken in one way after the other.

use std::path::PathBuf;

use wsfix::verify::doctor::Options;

use super::{Case, options, run};
use crate::support::Sandbox;

/// The handshake alone is tried.
fn handshake(url: &str) -> Options {
    Options { watch: std::time::Duration::ZERO, ..options(url) }
}

pub(super) fn rows() -> String {
    let mut rows = String::new();
    let mut add = |server, expected, options| rows.push_str(&run(super::rows(vec![Case::new(server, expected, options)])));
    let mut sandbox = Sandbox::new();
    sandbox.config.function.handler = Some(PathBuf::from(env!("CARGO_BIN_EXE_wsfix-handler")));
    let url = sandbox.provision().outputs.websocket_url;
    let aws = sandbox.aws();
    let api = url.split("/_aws/execute-api/").nth(1).and_then(|rest| rest.split('/').next()).expect("an API").to_owned();
    add("API Gateway: no token", "gateway-401", handshake(&format!("{url}?sessionId=s1")));
    add("API Gateway: a stage that is not there", "gateway-403", handshake(&url.replace("/prod", "/production")));

    let unpermitted = aws.lambda.remove_permission().function_name("websocket-handler");
    let policy = crate::support::block_on(aws.lambda.get_policy().function_name("websocket-handler").send()).expect("a policy");
    let policy: serde_json::Value = serde_json::from_str(policy.policy().unwrap_or_default()).expect("JSON");
    let statement = policy["Statement"][0]["Sid"].as_str().expect("a statement").to_owned();
    crate::support::block_on(unpermitted.statement_id(statement).send()).expect("removed");
    add("API Gateway: the function's permission is removed", "gateway-500", handshake(&url));
    sandbox.provision();

    let settings = aws_sdk_apigatewayv2::types::RouteSettings::builder().throttling_rate_limit(0.0).throttling_burst_limit(0).build();
    let stage = aws.api.update_stage().api_id(&api).stage_name("prod");
    let stage = stage.default_route_settings(settings.clone()).route_settings("$connect", settings);
    crate::support::block_on(stage.send()).expect("throttled");
    add("API Gateway: a throttle of 0", "gateway-429", handshake(&url));
    sandbox.provision();

    // An executable of no kind that the machine knows.
    let broken = Sandbox::new();
    let url = broken.provision().outputs.websocket_url;
    add("API Gateway: the function cannot start", "gateway-502", handshake(&url));
    rows
}
