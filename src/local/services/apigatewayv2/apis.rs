//! `CreateApi` and what follows from it. Names are not unique: the same name twice makes two APIs.

use serde::Deserialize;
use serde_json::json;

use super::model::{Api, Pairs};
use super::paging::page;
use super::request::{bad_request, check_length, date, no_such_api, read};
use super::state::with_api;
use crate::local::ids;
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ApiInput {
    name: Option<String>,
    protocol_type: Option<String>,
    route_selection_expression: Option<String>,
    api_key_selection_expression: Option<String>,
    cors_configuration: Option<serde_json::Value>,
    credentials_arn: Option<String>,
    description: Option<String>,
    disable_execute_api_endpoint: Option<bool>,
    disable_schema_validation: Option<bool>,
    ip_address_type: Option<String>,
    route_key: Option<String>,
    tags: Option<Pairs>,
    target: Option<String>,
    version: Option<String>,
}

impl ApiInput {
    fn check(&self) -> Result<(), ServiceError> {
        check_length("name", self.name.as_deref(), 1, 128)?;
        check_length("description", self.description.as_deref(), 0, 1024)?;
        check_length("version", self.version.as_deref(), 1, 64)?;
        if self.cors_configuration.is_some() {
            return Err(bad_request("CORS configuration is supported only for HTTP APIs"));
        }
        if self.route_key.is_some() || self.target.is_some() || self.credentials_arn.is_some() {
            return Err(bad_request("Quick create is supported only for HTTP APIs"));
        }
        if self.route_selection_expression.as_deref().is_some_and(|expression| expression.trim().is_empty()) {
            return Err(bad_request("Invalid routeSelectionExpression specified"));
        }
        if let Some(kind) = &self.ip_address_type
            && !["ipv4", "dualstack"].contains(&kind.as_str())
        {
            return Err(bad_request(format!("Invalid ipAddressType specified {kind}. Must be one of ipv4, dualstack")));
        }
        Ok(())
    }
}

pub(super) fn create(world: &World, call: &Call) -> Outcome {
    let input: ApiInput = read(call)?;
    input.check()?;
    let name = input.name.ok_or_else(|| bad_request("The name of the API is required"))?;
    match input.protocol_type.as_deref() {
        Some("WEBSOCKET") => {}
        Some("HTTP") => return Err(bad_request("The local cloud has no HTTP APIs: protocolType must be WEBSOCKET")),
        _ => return Err(bad_request("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")),
    }
    let expression = input.route_selection_expression;
    let expression = expression.ok_or_else(|| bad_request("Route selection expression is required for WEBSOCKET protocol"))?;
    let api_id = ids::alphanumeric(10);
    let host = world.endpoint.replacen("http", "ws", 1);
    let api = Api {
        api_endpoint: format!("{host}/_aws/execute-api/{api_id}"),
        api_id,
        name,
        protocol_type: "WEBSOCKET",
        route_selection_expression: expression,
        api_key_selection_expression: input.api_key_selection_expression.unwrap_or_else(|| "$request.header.x-api-key".to_owned()),
        created_date: date(world),
        description: input.description,
        version: input.version,
        disable_schema_validation: input.disable_schema_validation,
        disable_execute_api_endpoint: input.disable_execute_api_endpoint.unwrap_or_default(),
        ip_address_type: input.ip_address_type.unwrap_or_else(|| "ipv4".to_owned()),
        tags: super::tags::over(Pairs::new(), input.tags.unwrap_or_default())?,
        integrations: Vec::new(),
        routes: Vec::new(),
        stages: Vec::new(),
        deployments: Vec::new(),
    };
    let answer = Answer::json(201, &json!(api));
    world.apis.lock().apis.push(api);
    Ok(answer)
}

pub(super) fn list(world: &World, call: &Call) -> Outcome {
    page(call, world.apis.lock().apis.seen(), |api| &api.api_id)
}

pub(super) fn get(world: &World, id: &str) -> Outcome {
    let mut state = world.apis.lock();
    let api = state.apis.seen().iter().find(|api| api.api_id == id).ok_or_else(|| no_such_api(world, id))?;
    Ok(Answer::json(200, &json!(api)))
}

pub(super) fn update(world: &World, call: &Call, id: &str) -> Outcome {
    let input: ApiInput = read(call)?;
    input.check()?;
    with_api(world, id, |api| {
        let expression = input.route_selection_expression.filter(|expression| *expression != api.route_selection_expression);
        let redeploys = expression.is_some();
        api.route_selection_expression = expression.unwrap_or_else(|| api.route_selection_expression.clone());
        api.name = input.name.unwrap_or_else(|| api.name.clone());
        api.description = input.description.or_else(|| api.description.take());
        api.version = input.version.or_else(|| api.version.take());
        api.disable_schema_validation = input.disable_schema_validation.or(api.disable_schema_validation);
        api.disable_execute_api_endpoint = input.disable_execute_api_endpoint.unwrap_or(api.disable_execute_api_endpoint);
        if let Some(expression) = input.api_key_selection_expression {
            api.api_key_selection_expression = expression;
        }
        if let Some(kind) = input.ip_address_type {
            api.ip_address_type = kind;
        }
        if redeploys {
            api.changed(world);
        }
        Ok(Answer::json(200, &json!(api)))
    })
}

/// Its routes, integrations, stages and deployments go with it, and the sockets that are open; permissions of functions stay.
pub(super) fn delete(world: &World, id: &str) -> Outcome {
    let mut state = world.apis.lock();
    let place = state.apis.iter().position(|api| api.api_id == id).ok_or_else(|| no_such_api(world, id))?;
    state.apis.remove(place);
    drop(state);
    world.connections.close_api(id);
    Ok(Answer::empty(204))
}
