//! Integrations: where routes lead. Nobody checks here that the function exists or lets itself be invoked.

use serde::Deserialize;
use serde_json::json;

use super::model::{Api, Integration};
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
struct IntegrationInput {
    connection_type: Option<String>,
    content_handling_strategy: Option<String>,
    credentials_arn: Option<String>,
    description: Option<String>,
    integration_method: Option<String>,
    integration_response_selection_expression: Option<String>,
    integration_type: Option<String>,
    integration_uri: Option<String>,
    passthrough_behavior: Option<String>,
    timeout_in_millis: Option<i64>,
}

impl IntegrationInput {
    fn check(&self) -> Result<(), ServiceError> {
        check_length("description", self.description.as_deref(), 0, 1024)?;
        check_length("integrationUri", self.integration_uri.as_deref(), 1, 2048)?;
        one_of("integrationType", self.integration_type.as_deref(), &["AWS", "HTTP", "MOCK", "HTTP_PROXY", "AWS_PROXY"])?;
        one_of("connectionType", self.connection_type.as_deref(), &["INTERNET", "VPC_LINK"])?;
        one_of("passthroughBehavior", self.passthrough_behavior.as_deref(), &["WHEN_NO_MATCH", "NEVER", "WHEN_NO_TEMPLATES"])?;
        one_of("contentHandlingStrategy", self.content_handling_strategy.as_deref(), &["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"])?;
        match self.timeout_in_millis {
            Some(time) if !(50..=29_000).contains(&time) => Err(bad_request("Timeout should be between 50 ms and 29000 ms")),
            _ => Ok(()),
        }
    }

    fn over(self, old: Integration) -> Result<Integration, ServiceError> {
        let new = Integration {
            integration_id: old.integration_id,
            integration_type: self.integration_type.unwrap_or(old.integration_type),
            connection_type: self.connection_type.unwrap_or(old.connection_type),
            passthrough_behavior: self.passthrough_behavior.unwrap_or(old.passthrough_behavior),
            payload_format_version: old.payload_format_version,
            timeout_in_millis: self.timeout_in_millis.unwrap_or(old.timeout_in_millis),
            integration_method: self.integration_method.or(old.integration_method),
            integration_uri: self.integration_uri.or(old.integration_uri),
            content_handling_strategy: self.content_handling_strategy.or(old.content_handling_strategy),
            credentials_arn: self.credentials_arn.or(old.credentials_arn),
            description: self.description.or(old.description),
            integration_response_selection_expression: self
                .integration_response_selection_expression
                .or(old.integration_response_selection_expression),
        };
        if new.integration_type != "MOCK" && new.integration_uri.is_none() {
            return Err(bad_request("Integration URI is required"));
        }
        Ok(new)
    }
}

fn one_of(member: &str, value: Option<&str>, allowed: &[&str]) -> Result<(), ServiceError> {
    match value {
        Some(value) if !allowed.contains(&value) => {
            Err(bad_request(format!("Invalid {member} specified {value}. Must be one of [{}]", allowed.join(", "))))
        }
        _ => Ok(()),
    }
}

pub(super) fn create(world: &World, call: &Call, api_id: &str) -> Outcome {
    let input: IntegrationInput = read(call)?;
    input.check()?;
    let kind = input.integration_type.clone().ok_or_else(|| bad_request("Integration type is required"))?;
    with_api(world, api_id, |api| {
        if api.integrations.len() >= MOST {
            return Err(too_many("Integrations", MOST));
        }
        let blank = Integration {
            integration_id: ids::alphanumeric(7),
            integration_type: kind,
            connection_type: "INTERNET".to_owned(),
            passthrough_behavior: "WHEN_NO_MATCH".to_owned(),
            payload_format_version: "1.0".to_owned(),
            timeout_in_millis: 29_000,
            integration_method: None,
            integration_uri: None,
            content_handling_strategy: None,
            credentials_arn: None,
            description: None,
            integration_response_selection_expression: None,
        };
        let integration = input.over(blank)?;
        let answer = Answer::json(201, &json!(integration));
        api.integrations.push(integration);
        api.changed(world);
        Ok(answer)
    })
}

pub(super) fn list(world: &World, call: &Call, api_id: &str) -> Outcome {
    with_api(world, api_id, |api| page(call, &api.integrations, |integration| &integration.integration_id))
}

fn find<'a>(api: &'a mut Api, id: &str) -> Result<&'a mut Integration, ServiceError> {
    let found = api.integrations.iter_mut().find(|integration| integration.integration_id == id);
    found.ok_or_else(|| no_such("Integration", id))
}

pub(super) fn get(world: &World, api_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| Ok(Answer::json(200, &json!(find(api, id)?))))
}

pub(super) fn update(world: &World, call: &Call, api_id: &str, id: &str) -> Outcome {
    let input: IntegrationInput = read(call)?;
    input.check()?;
    with_api(world, api_id, |api| {
        let integration = find(api, id)?;
        *integration = input.over(integration.clone())?;
        let answer = Answer::json(200, &json!(integration));
        api.changed(world);
        Ok(answer)
    })
}

pub(super) fn delete(world: &World, api_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| {
        find(api, id)?;
        let users: Vec<&str> =
            api.routes.iter().filter(|route| route.integration_id() == Some(id)).map(|route| route.route_id.as_str()).collect();
        if !users.is_empty() {
            return Err(conflict(format!(
                "Cannot delete Integration because it is referenced by the following Routes with Ids: [{}]",
                users.join(", ")
            )));
        }
        api.integrations.retain(|integration| integration.integration_id != id);
        api.changed(world);
        Ok(Answer::empty(204))
    })
}
