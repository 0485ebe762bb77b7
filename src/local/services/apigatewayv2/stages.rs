//! Stages: names under which deployments are served.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::model::{Api, Deployment, Pairs, Stage};
use super::paging::page;
use super::request::{bad_request, check_length, conflict, date, no_such, read, too_many};
use super::settings::{AccessLogSettings, RouteSettings, routes_over, variables_over};
use super::state::with_api;
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// Quota of an API.
const MOST: usize = 10;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StageInput {
    access_log_settings: Option<AccessLogSettings>,
    auto_deploy: Option<bool>,
    default_route_settings: Option<RouteSettings>,
    deployment_id: Option<String>,
    description: Option<String>,
    route_settings: Option<BTreeMap<String, RouteSettings>>,
    stage_name: Option<String>,
    stage_variables: Option<Pairs>,
    tags: Option<Pairs>,
}

impl StageInput {
    /// Logs of a WebSocket API need a role that belongs to the account; it is asked for before anything else of them.
    fn check(&self, world: &World) -> Result<(), ServiceError> {
        check_length("description", self.description.as_deref(), 0, 1024)?;
        let settings = self.default_route_settings.iter().chain(self.route_settings.iter().flat_map(BTreeMap::values));
        let logs = self.access_log_settings.is_some() || settings.into_iter().any(RouteSettings::wants_logs);
        if logs && world.apis.logs_role().is_none() {
            return Err(bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging"));
        }
        Ok(())
    }

    /// Everything but the name, the deployment and the tags, over what was there.
    fn apply(&mut self, stage: &mut Stage) -> Result<(), ServiceError> {
        if let Some(settings) = self.access_log_settings.take() {
            stage.access_log_settings = Some(settings.stored_over(stage.access_log_settings.take())?);
        }
        if let Some(settings) = self.default_route_settings.take() {
            stage.default_route_settings = settings.stored_over(&stage.default_route_settings)?;
        }
        if let Some(routes) = self.route_settings.take() {
            routes_over(routes, &mut stage.route_settings)?;
        }
        if let Some(variables) = self.stage_variables.take() {
            variables_over(variables, &mut stage.stage_variables)?;
        }
        stage.description = self.description.take().or_else(|| stage.description.take());
        Ok(())
    }
}

fn deployment_of(api: &Api, id: &str) -> Result<Deployment, ServiceError> {
    let found = api.deployments.iter().find(|deployment| deployment.deployment_id == id);
    found.cloned().ok_or_else(|| no_such("Deployment", id))
}

pub(super) fn create(world: &World, call: &Call, api_id: &str) -> Outcome {
    let mut input: StageInput = read(call)?;
    let name = input.stage_name.clone().ok_or_else(|| bad_request("Stage name is required"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name == "$default" {
        return Err(bad_request("Stages cannot be named $default for WebSocket APIs"));
    }
    if name.is_empty() || name.len() > 128 || !name.chars().all(plain) {
        return Err(bad_request("Stage name only allows a-zA-Z0-9_-"));
    }
    let automatic = input.auto_deploy.unwrap_or_default();
    if automatic && input.deployment_id.is_some() {
        return Err(bad_request("deploymentId cannot be set when autoDeploy is enabled"));
    }
    input.check(world)?;
    with_api(world, api_id, |api| {
        if api.stages.iter().any(|stage| stage.stage_name == name) {
            return Err(conflict("Stage already exists"));
        }
        if api.stages.len() >= MOST {
            return Err(too_many("Stages", MOST));
        }
        let now = date(world);
        let mut stage = Stage {
            stage_name: name.clone(),
            auto_deploy: automatic,
            created_date: now.clone(),
            last_updated_date: now,
            deployment_id: None,
            description: None,
            last_deployment_status_message: None,
            access_log_settings: None,
            default_route_settings: RouteSettings::untouched(),
            route_settings: BTreeMap::new(),
            stage_variables: Pairs::new(),
            tags: super::tags::over(Pairs::new(), input.tags.take().unwrap_or_default())?,
            served: None,
            coming: None,
            deploys_at: automatic.then(|| Instant::now() + world.delays.deployment),
        };
        input.apply(&mut stage)?;
        if let Some(id) = &input.deployment_id {
            stage.point_to(&deployment_of(api, id)?);
        }
        api.stages.push(stage);
        api.settle(world);
        Ok(Answer::json(201, &json!(find(api, &name)?)))
    })
}

pub(super) fn list(world: &World, call: &Call, api_id: &str) -> Outcome {
    with_api(world, api_id, |api| page(call, &api.stages, |stage| &stage.stage_name))
}

fn find<'a>(api: &'a mut Api, name: &str) -> Result<&'a mut Stage, ServiceError> {
    let found = api.stages.iter_mut().find(|stage| stage.stage_name == name);
    found.ok_or_else(|| ServiceError::new(404, "NotFoundException", "Invalid stage identifier specified"))
}

pub(super) fn get(world: &World, api_id: &str, name: &str) -> Outcome {
    with_api(world, api_id, |api| Ok(Answer::json(200, &json!(find(api, name)?))))
}

pub(super) fn update(world: &World, call: &Call, api_id: &str, name: &str) -> Outcome {
    let mut input: StageInput = read(call)?;
    input.check(world)?;
    with_api(world, api_id, |api| {
        find(api, name)?;
        let deployment = input.deployment_id.as_deref().map(|id| deployment_of(api, id)).transpose()?;
        let stage = find(api, name)?;
        let automatic = input.auto_deploy.unwrap_or(stage.auto_deploy);
        if automatic && deployment.is_some() {
            return Err(bad_request("deploymentId cannot be updated when autoDeploy is enabled"));
        }
        let mut new = stage.clone();
        input.apply(&mut new)?;
        if automatic && !new.auto_deploy {
            new.deploys_at = Some(Instant::now() + world.delays.deployment);
        }
        new.auto_deploy = automatic;
        new.deploys_at = new.deploys_at.filter(|_| automatic);
        if let Some(deployment) = &deployment {
            new.point_to(deployment);
        }
        new.last_updated_date = date(world);
        *stage = new;
        api.settle(world);
        Ok(Answer::json(200, &json!(find(api, name)?)))
    })
}

pub(super) fn delete(world: &World, api_id: &str, name: &str) -> Outcome {
    with_api(world, api_id, |api| {
        find(api, name)?;
        api.stages.retain(|stage| stage.stage_name != name);
        Ok(())
    })?;
    world.connections.close_stage(api_id, name);
    Ok(Answer::empty(204))
}

pub(super) fn delete_access_log(world: &World, api_id: &str, name: &str) -> Outcome {
    with_api(world, api_id, |api| {
        find(api, name)?.access_log_settings = None;
        Ok(Answer::empty(204))
    })
}

pub(super) fn delete_route_settings(world: &World, api_id: &str, name: &str, route_key: &str) -> Outcome {
    with_api(world, api_id, |api| match find(api, name)?.route_settings.remove(route_key) {
        Some(_) => Ok(Answer::empty(204)),
        None => Err(no_such("Route", route_key)),
    })
}
