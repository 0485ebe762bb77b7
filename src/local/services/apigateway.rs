//! API Gateway's first API: what the account's settings are. They cannot be changed here.

use std::sync::Arc;

use serde_json::json;

use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// `GetAccount`: whether API Gateway has a role to write logs with, and the throttle of the whole account.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    let resource = format!("arn:aws:apigateway:{}::/account", world.region);
    world.authorize(&call.caller, &format!("apigateway:{}", call.method), &resource, None)?;
    if call.operation != "GetAccount" {
        let message = format!("{} is not part of the local cloud; its settings of the account cannot be changed", call.operation);
        return Err(ServiceError::new(501, "NotImplementedException", message));
    }
    let mut body = json!({
        "apiKeyVersion": "4",
        "features": ["UsagePlans"],
        "throttleSettings": { "burstLimit": 5000, "rateLimit": 10000.0 },
    });
    if let Some(role) = world.apis.logs_role() {
        body["cloudwatchRoleArn"] = role.into();
    }
    Ok(Answer::json(200, &body))
}
