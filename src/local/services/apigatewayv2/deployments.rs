//! Deployments: snapshots of routes and integrations.

use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::model::{Api, Deployment};
use super::paging::page;
use super::request::{bad_request, check_length, no_such, read};
use super::state::with_api;
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeploymentInput {
    description: Option<String>,
    stage_name: Option<String>,
}

pub(super) fn create(world: &World, call: &Call, api_id: &str) -> Outcome {
    let input: DeploymentInput = read(call)?;
    check_length("description", input.description.as_deref(), 0, 1024)?;
    with_api(world, api_id, |api| {
        if api.routes.is_empty() {
            return Err(bad_request("At least one route is required before deploying the Api"));
        }
        let deployment = api.snapshot(world, input.description, false, Instant::now() + world.delays.deployment);
        if let Some(name) = &input.stage_name {
            let found = api.stages.iter_mut().find(|stage| stage.stage_name == *name);
            let stage = found.ok_or_else(|| ServiceError::new(404, "NotFoundException", "Invalid stage identifier specified"))?;
            if stage.auto_deploy {
                return Err(bad_request("Deployments cannot be made for a stage that has autoDeploy enabled"));
            }
            stage.point_to(&deployment);
        }
        let id = deployment.deployment_id.clone();
        api.deployments.push(deployment);
        api.settle(world);
        Ok(Answer::json(201, &json!(find(api, &id)?)))
    })
}

pub(super) fn list(world: &World, call: &Call, api_id: &str) -> Outcome {
    with_api(world, api_id, |api| page(call, &api.deployments, |deployment| &deployment.deployment_id))
}

fn find<'a>(api: &'a mut Api, id: &str) -> Result<&'a mut Deployment, ServiceError> {
    api.deployments.iter_mut().find(|deployment| deployment.deployment_id == id).ok_or_else(|| no_such("Deployment", id))
}

pub(super) fn get(world: &World, api_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| Ok(Answer::json(200, &json!(find(api, id)?))))
}

pub(super) fn update(world: &World, call: &Call, api_id: &str, id: &str) -> Outcome {
    let input: DeploymentInput = read(call)?;
    check_length("description", input.description.as_deref(), 0, 1024)?;
    with_api(world, api_id, |api| {
        let deployment = find(api, id)?;
        deployment.description = input.description.or_else(|| deployment.description.take());
        Ok(Answer::json(200, &json!(deployment)))
    })
}

pub(super) fn delete(world: &World, api_id: &str, id: &str) -> Outcome {
    with_api(world, api_id, |api| {
        find(api, id)?;
        if api.stages.iter().any(|stage| stage.deployment_id.as_deref() == Some(id)) {
            return Err(bad_request("Active stages pointing to this deployment must be moved or deleted"));
        }
        api.deployments.retain(|deployment| deployment.deployment_id != id);
        Ok(Answer::empty(204))
    })
}
