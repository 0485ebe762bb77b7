//! Routes and route responses.

use serde::Deserialize;
use serde_json::json;

use super::model::{Api, Route, RouteResponse};
use super::paging::page;
use super::request::{bad_request, check_length, conflict, no_such, read, too_many};
use super::state::with_api;
use crate::local::ids;
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// Quota of an API.
const MOST: usize = 300;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RouteInput {
    api_key_required: Option<bool>,
    authorization_type: Option<String>,
    model_selection_expression: Option<String>,
    operation_name: Option<String>,
    route_key: Option<String>,
    route_response_selection_expression: Option<String>,
    target: Option<String>,
}

impl RouteInput {
    /// What can be said without the API.
    fn check(&self) -> Result<(), ServiceError> {
        check_length("operationName", self.operation_name.as_deref(), 1, 64)?;
        check_length("target", self.target.as_deref(), 0, 128)?;
        if let Some(key) = &self.route_key
            && (key.is_empty()
                || key.len() > 128
                || (key.starts_with('$') && !["$connect", "$disconnect", "$default"].contains(&key.as_str())))
        {
            return Err(bad_request(format!("The provided route key is not valid: {key}. Route keys that begin with $ are reserved")));
        }
        match self.authorization_type.as_deref() {
            None | Some("NONE" | "AWS_IAM" | "CUSTOM") => {}
            Some(kind) => return Err(bad_request(format!("Invalid authorizationType specified {kind} for a WEBSOCKET API"))),
        }
        match self.route_response_selection_expression.as_deref() {
            None | Some("" | "$default") => Ok(()),
            Some(other) => Err(bad_request(format!("Invalid routeResponseSelectionExpression specified {other}. It must be $default"))),
        }
    }

    /// What has to fit the other parts of the API.
    fn check_in(&self, api: &Api, own_id: Option<&str>) -> Result<(), ServiceError> {
        if let Some(key) = &self.route_key
            && api.routes.iter().any(|route| route.route_key == *key && Some(route.route_id.as_str()) != own_id)
        {
            return Err(conflict(format!("Route with key {key} already exists for this API")));
        }
        if let Some(target) = self.target.as_deref().filter(|target| !target.is_empty()) {
            let id = target.strip_prefix("integrations/").ok_or_else(|| bad_request(format!("Invalid target specified {target}")))?;
            if !api.integrations.iter().any(|integration| integration.integration_id == id) {
                return Err(no_such("Integration", id));
            }
        }
        Ok(())
    }

    fn over(self, old: Route) -> Route {
        Route {
            route_id: old.route_id,
            route_key: self.route_key.unwrap_or(old.route_key),
            api_key_required: self.api_key_required.unwrap_or(old.api_key_required),
            authorization_type: self.authorization_type.unwrap_or(old.authorization_type),
            target: emptied(self.target, old.target),
            operation_name: self.operation_name.or(old.operation_name),
            route_response_selection_expression: emptied(self.route_response_selection_expression, old.route_response_selection_expression),
            model_selection_expression: emptied(self.model_selection_expression, old.model_selection_expression),
            responses: old.responses,
        }
    }
}

/// A new value over the old one; an empty text takes it away.
fn emptied(new: Option<String>, old: Option<String>) -> Option<String> {
    new.or(old).filter(|text| !text.is_empty())
}

pub(super) fn create(world: &World, call: &Call, api_id: &str) -> Outcome {
    let input: RouteInput = read(call)?;
    input.check()?;
    let key = input.route_key.clone().ok_or_else(|| bad_request("Route key is required"))?;
    with_api(world, api_id, |api| {
        input.check_in(api, None)?;
        if api.routes.len() >= MOST {
            return Err(too_many("Routes", MOST));
        }
        let route = input.over(Route {
            route_id: ids::alphanumeric(7),
            route_key: key,
            api_key_required: false,
            authorization_type: "NONE".to_owned(),
            target: None,
            operation_name: None,
            route_response_selection_expression: None,
            model_selection_expression: None,
            responses: Vec::new(),
        });
        let answer = Answer::json(201, &json!(route));
        api.routes.push(route);
        api.changed(world);
        Ok(answer)
    })
}

pub(super) fn list(world: &World, call: &Call, api_id: &str) -> Outcome {
    with_api(world, api_id, |api| page(call, &api.routes, |route| &route.route_id))
}

fn find<'a>(api: &'a mut Api, id: &str) -> Result<&'a mut Route, ServiceError> {
    api.routes.iter_mut().find(|route| route.route_id == id).ok_or_else(|| no_such("Route", id))
}

pub(super) fn get(world: &World, api_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| Ok(Answer::json(200, &json!(find(api, id)?))))
}

pub(super) fn update(world: &World, call: &Call, api_id: &str, id: &str) -> Outcome {
    let input: RouteInput = read(call)?;
    input.check()?;
    with_api(world, api_id, |api| {
        find(api, id)?;
        input.check_in(api, Some(id))?;
        let route = find(api, id)?;
        *route = input.over(route.clone());
        let answer = Answer::json(200, &json!(route));
        api.changed(world);
        Ok(answer)
    })
}

pub(super) fn delete(world: &World, api_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| {
        find(api, id)?;
        api.routes.retain(|route| route.route_id != id);
        api.changed(world);
        Ok(Answer::empty(204))
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResponseInput {
    model_selection_expression: Option<String>,
    route_response_key: Option<String>,
}

impl ResponseInput {
    fn check(&self) -> Result<(), ServiceError> {
        match self.route_response_key.as_deref() {
            None | Some("$default") => Ok(()),
            Some(key) => Err(bad_request(format!("Invalid routeResponseKey specified {key}. Only $default is supported"))),
        }
    }
}

pub(super) fn create_response(world: &World, call: &Call, api_id: &str, route_id: &str) -> Outcome {
    let input: ResponseInput = read(call)?;
    input.check()?;
    let key = input.route_response_key.ok_or_else(|| bad_request("Route response key is required"))?;
    with_api(world, api_id, |api| {
        let route = find(api, route_id)?;
        if route.responses.iter().any(|response| response.route_response_key == key) {
            return Err(conflict(format!("Route response with key {key} already exists for this route")));
        }
        let response = RouteResponse {
            route_response_id: ids::alphanumeric(6),
            route_response_key: key,
            model_selection_expression: input.model_selection_expression,
        };
        let answer = Answer::json(201, &json!(response));
        route.responses.push(response);
        api.changed(world);
        Ok(answer)
    })
}

pub(super) fn list_responses(world: &World, call: &Call, api_id: &str, route_id: &str) -> Outcome {
    with_api(world, api_id, |api| page(call, &find(api, route_id)?.responses, |response| &response.route_response_id))
}

fn find_response<'a>(api: &'a mut Api, route_id: &str, id: &str) -> Result<&'a mut RouteResponse, ServiceError> {
    let found = find(api, route_id)?.responses.iter_mut().find(|response| response.route_response_id == id);
    found.ok_or_else(|| no_such("RouteResponse", id))
}

pub(super) fn get_response(world: &World, api_id: &str, route_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| Ok(Answer::json(200, &json!(find_response(api, route_id, id)?))))
}

pub(super) fn update_response(world: &World, call: &Call, api_id: &str, route_id: &str, id: &str) -> Outcome {
    let input: ResponseInput = read(call)?;
    input.check()?;
    with_api(world, api_id, |api| {
        let response = find_response(api, route_id, id)?;
        response.model_selection_expression = emptied(input.model_selection_expression, response.model_selection_expression.take());
        let answer = Answer::json(200, &json!(response));
        api.changed(world);
        Ok(answer)
    })
}

pub(super) fn delete_response(world: &World, api_id: &str, route_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| {
        find_response(api, route_id, id)?;
        find(api, route_id)?.responses.retain(|response| response.route_response_id != id);
        api.changed(world);
        Ok(Answer::empty(204))
    })
}
