//! The resources as they are kept and shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::settings::{AccessLogSettings, RouteSettings};

/// Tags or stage variables.
pub(super) type Pairs = BTreeMap<String, String>;

/// A WebSocket API with all that belongs to it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Api {
    pub api_id: String,
    pub api_endpoint: String,
    pub name: String,
    pub protocol_type: &'static str,
    pub route_selection_expression: String,
    pub api_key_selection_expression: String,
    pub created_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_schema_validation: Option<bool>,
    pub disable_execute_api_endpoint: bool,
    pub ip_address_type: String,
    pub tags: Pairs,
    #[serde(skip)]
    pub integrations: Vec<Integration>,
    #[serde(skip)]
    pub routes: Vec<Route>,
    #[serde(skip)]
    pub stages: Vec<Stage>,
    #[serde(skip)]
    pub deployments: Vec<Deployment>,
}

/// What a route leads to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Integration {
    pub integration_id: String,
    pub integration_type: String,
    pub connection_type: String,
    pub passthrough_behavior: String,
    pub payload_format_version: String,
    pub timeout_in_millis: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_handling_strategy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_response_selection_expression: Option<String>,
}

/// One route key and where it leads.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Route {
    pub route_id: String,
    pub route_key: String,
    pub api_key_required: bool,
    pub authorization_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_response_selection_expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_selection_expression: Option<String>,
    #[serde(skip)]
    pub responses: Vec<RouteResponse>,
}

impl Route {
    /// The id in `integrations/{id}`.
    pub(crate) fn integration_id(&self) -> Option<&str> {
        self.target.as_deref()?.strip_prefix("integrations/")
    }

    /// Whether what the integration answers is sent to the client.
    pub(crate) fn is_two_way(&self) -> bool {
        self.route_response_selection_expression.as_deref() == Some("$default")
            && self.responses.iter().any(|response| response.route_response_key == "$default")
    }
}

/// Makes a route answer its client.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RouteResponse {
    pub route_response_id: String,
    pub route_response_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_selection_expression: Option<String>,
}

/// A name under which one deployment is served.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stage {
    pub stage_name: String,
    pub auto_deploy: bool,
    pub created_date: String,
    pub last_updated_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_deployment_status_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLogSettings>,
    pub default_route_settings: RouteSettings,
    pub route_settings: BTreeMap<String, RouteSettings>,
    pub stage_variables: Pairs,
    pub tags: Pairs,
    /// What handshakes and messages meet.
    #[serde(skip)]
    pub served: Option<Arc<Snapshot>>,
    /// What they will meet, and when: a deployment takes a moment.
    #[serde(skip)]
    pub coming: Option<(Instant, Arc<Snapshot>)>,
    /// When the automatic deployment happens.
    #[serde(skip)]
    pub deploys_at: Option<Instant>,
}

/// Routes and integrations as they were at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub route_selection_expression: String,
    pub routes: Vec<Route>,
    pub integrations: Vec<Integration>,
}

impl Snapshot {
    /// The route of a key.
    pub(crate) fn route(&self, key: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.route_key == key)
    }

    /// Where a route leads.
    pub(crate) fn integration(&self, route: &Route) -> Option<&Integration> {
        let id = route.integration_id()?;
        self.integrations.iter().find(|integration| integration.integration_id == id)
    }
}

/// One snapshot, as the account shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deployment {
    pub deployment_id: String,
    pub auto_deployed: bool,
    pub created_date: String,
    pub deployment_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip)]
    pub snapshot: Arc<Snapshot>,
    /// When `PENDING` becomes `DEPLOYED`.
    #[serde(skip)]
    pub ready_at: Instant,
}
