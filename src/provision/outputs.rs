//! Observed -> Outputs. Pure.

use serde::Serialize;

use super::plan::Plan;

/// What a person needs from a stack. Its JSON is part of the interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outputs {
    /// `wss://{apiId}.execute-api.{region}.amazonaws.com/{stage}`, or the local cloud's.
    pub websocket_url: String,
    /// Base URL of `@connections`, stage included.
    pub management_url: String,
    /// The API's id.
    pub api_id: String,
    /// The stage's name.
    pub stage: String,
    /// ARN of the function.
    pub function_arn: String,
    /// Name of the table.
    pub table: String,
    /// Name of the log group.
    pub log_group: String,
    /// ARN of the execution role.
    pub role_arn: String,
    /// `management-api` or `route-response`.
    pub reply: String,
    /// The Region.
    pub region: String,
}

/// What `status` reports.
#[derive(Clone, Debug)]
pub struct Status {
    /// One line a resource.
    pub resources: Vec<ResourceStatus>,
    /// `None` where the stack has no API.
    pub outputs: Option<Outputs>,
    /// What differs from the config; `None` where the config is not complete enough to tell.
    pub drift: Option<Plan>,
}

/// One resource, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceStatus {
    /// `table`, `function` ...
    pub kind: &'static str,
    /// The name that a person knows it by.
    pub name: String,
    /// `absent`, `unknown`, or AWS's own word: `ACTIVE`, `Pending`, `DEPLOYED`.
    pub state: String,
    /// Whether it can do its work; `None`: could not be read.
    pub healthy: Option<bool>,
    /// Why it is not healthy, what was changed but never deployed, and the like; empty: nothing to say.
    pub detail: String,
}
