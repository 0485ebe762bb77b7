//! API Gateway v2 as far as a WebSocket API needs it: APIs, integrations, routes, stages, deployments, tags.
//!
//! It has no HTTP APIs, authorizers, models or domain names. Deployments are snapshots: what was not deployed is not served.

mod apis;
mod deployments;
mod integrations;
mod model;
mod paging;
mod request;
mod routes;
mod settings;
mod stages;
mod state;
mod tags;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::local::wire::{Call, Outcome, ServiceError};
use crate::local::world::World;
use crate::policy::Context;

pub(crate) use model::{Integration, Route, Snapshot};
pub(crate) use state::{Apis, StageView};

/// Authorises and runs one operation.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    let path = call.path.strip_prefix("/v2").unwrap_or(&call.path).trim_end_matches('/');
    authorize(world, call, path)?;
    if ["CreateApi", "UpdateApi", "DeleteApi", "TagResource", "UntagResource"].contains(&call.operation.as_str()) {
        world.apis.lock().apis.keep(world.delays.read);
    }
    let decoded: Vec<String> = path.trim_start_matches('/').split('/').map(request::decode).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match (call.operation.as_str(), parts.as_slice()) {
        ("CreateApi", _) => apis::create(world, call),
        ("GetApis", _) => apis::list(world, call),
        ("GetApi", [_, api]) => apis::get(world, api),
        ("UpdateApi", [_, api]) => apis::update(world, call, api),
        ("DeleteApi", [_, api]) => apis::delete(world, api),
        ("CreateIntegration", [_, api, _]) => integrations::create(world, call, api),
        ("GetIntegrations", [_, api, _]) => integrations::list(world, call, api),
        ("GetIntegration", [_, api, _, id]) => integrations::get(world, api, id),
        ("UpdateIntegration", [_, api, _, id]) => integrations::update(world, call, api, id),
        ("DeleteIntegration", [_, api, _, id]) => integrations::delete(world, api, id),
        ("CreateRoute", [_, api, _]) => routes::create(world, call, api),
        ("GetRoutes", [_, api, _]) => routes::list(world, call, api),
        ("GetRoute", [_, api, _, id]) => routes::get(world, api, id),
        ("UpdateRoute", [_, api, _, id]) => routes::update(world, call, api, id),
        ("DeleteRoute", [_, api, _, id]) => routes::delete(world, api, id),
        ("CreateRouteResponse", [_, api, _, route, _]) => routes::create_response(world, call, api, route),
        ("GetRouteResponses", [_, api, _, route, _]) => routes::list_responses(world, call, api, route),
        ("GetRouteResponse", [_, api, _, route, _, id]) => routes::get_response(world, api, route, id),
        ("UpdateRouteResponse", [_, api, _, route, _, id]) => routes::update_response(world, call, api, route, id),
        ("DeleteRouteResponse", [_, api, _, route, _, id]) => routes::delete_response(world, api, route, id),
        ("CreateStage", [_, api, _]) => stages::create(world, call, api),
        ("GetStages", [_, api, _]) => stages::list(world, call, api),
        ("GetStage", [_, api, _, name]) => stages::get(world, api, name),
        ("UpdateStage", [_, api, _, name]) => stages::update(world, call, api, name),
        ("DeleteStage", [_, api, _, name]) => stages::delete(world, api, name),
        ("DeleteAccessLogSettings", [_, api, _, name, _]) => stages::delete_access_log(world, api, name),
        ("DeleteRouteSettings", [_, api, _, name, _, route]) => stages::delete_route_settings(world, api, name, route),
        ("CreateDeployment", [_, api, _]) => deployments::create(world, call, api),
        ("GetDeployments", [_, api, _]) => deployments::list(world, call, api),
        ("GetDeployment", [_, api, _, id]) => deployments::get(world, api, id),
        ("UpdateDeployment", [_, api, _, id]) => deployments::update(world, call, api, id),
        ("DeleteDeployment", [_, api, _, id]) => deployments::delete(world, api, id),
        ("GetTags", [_, arn @ ..]) => tags::get(world, &arn.join("/")),
        ("TagResource", [_, arn @ ..]) => tags::tag(world, call, &arn.join("/")),
        ("UntagResource", [_, arn @ ..]) => tags::untag(world, call, &arn.join("/")),
        (operation, _) => Err(ServiceError::new(
            501,
            "NotImplementedException",
            format!("{operation} is not part of the local cloud; it has WebSocket APIs alone"),
        )),
    }
}

/// The actions are the HTTP verbs, on ARNs without an account. Tags that come with a call are authorised too.
fn authorize(world: &World, call: &Call, path: &str) -> Result<(), ServiceError> {
    let root = request::root(world);
    let new = request::tags_in(call);
    let old = path.split('/').nth(2).filter(|_| path.starts_with("/apis/")).and_then(|id| world.apis.tags(id)).unwrap_or_default();
    let context = Context::default()
        .with_request_tags(new.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        .with_resource_tags(old.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let allow = |action: &str, path: &str| world.authorize_with(&call.caller, action, &format!("{root}{path}"), None, &context);
    allow(&format!("apigateway:{}", call.method.as_str()), path)?;
    match call.operation.as_str() {
        "CreateApi" if !new.is_empty() => {
            let encoded = format!("{root}/apis/*").replace(':', "%3A").replace('/', "%2F");
            allow("apigateway:POST", &format!("/tags/{encoded}"))
        }
        // This action is in no list of actions, yet AWS asks for it when a stage is created with tags.
        "CreateStage" if !new.is_empty() => allow("apigateway:TagResource", path),
        _ => Ok(()),
    }
}
