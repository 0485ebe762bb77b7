//! The APIs of the account, and what is deployed of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::model::{Api, Deployment, Pairs, Snapshot, Stage};
use super::request::{date, no_such_api};
use super::settings::{AccessLogSettings, RouteSettings};
use crate::local::ids;
use crate::local::late::Late;
use crate::local::wire::ServiceError;
use crate::local::world::World;

const AUTOMATIC: &str = "Automatic deployment triggered by changes to the Api configuration";
const NO_ROUTES: &str = "Deployment attempt failed: Unable to deploy API because no routes exist in this API";

/// All APIs.
#[derive(Default)]
pub(crate) struct Apis {
    state: Mutex<State>,
    /// The account's role for logs of API Gateway; without one no stage can have logs.
    logs_role: Option<String>,
}

#[derive(Default)]
pub(super) struct State {
    pub apis: Late<Vec<Api>>,
}

/// What the data plane has to know of a stage.
#[derive(Clone, Debug)]
pub(crate) struct StageView {
    pub snapshot: Arc<Snapshot>,
    pub default_route_settings: RouteSettings,
    pub route_settings: BTreeMap<String, RouteSettings>,
    pub variables: BTreeMap<String, String>,
    /// ARN of the log group and format of the access logs.
    pub access_log: Option<(String, String)>,
}

impl Apis {
    /// The names of all APIs; two may be the same.
    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().apis.iter().map(|api| api.name.clone()).collect()
    }

    /// None yet, in an account with this role for logs.
    pub(crate) fn new(logs_role: Option<String>) -> Self {
        Self { state: Mutex::default(), logs_role }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The role that API Gateway writes logs with, if the account has one.
    pub(crate) fn logs_role(&self) -> Option<&str> {
        self.logs_role.as_deref()
    }

    /// The tags of an API.
    pub(super) fn tags(&self, api_id: &str) -> Option<Pairs> {
        self.lock().apis.iter().find(|api| api.api_id == api_id).map(|api| api.tags.clone())
    }

    /// A stage as it is served now; `None`: no such API or stage, nothing deployed, or the endpoint is switched off.
    pub(crate) fn stage(&self, world: &World, api_id: &str, stage_name: &str) -> Option<StageView> {
        let mut state = self.lock();
        let api = state.apis.iter_mut().find(|api| api.api_id == api_id)?;
        api.settle(world);
        let stage = api.stages.iter().find(|stage| stage.stage_name == stage_name)?;
        if api.disable_execute_api_endpoint {
            return None;
        }
        Some(StageView {
            snapshot: stage.served.clone()?,
            default_route_settings: stage.default_route_settings.clone(),
            route_settings: stage.route_settings.clone(),
            variables: stage.stage_variables.clone(),
            access_log: stage.access_log_settings.as_ref().and_then(AccessLogSettings::complete),
        })
    }
}

/// Looks at or changes one API, with all that was due in it done.
pub(super) fn with_api<T>(world: &World, api_id: &str, act: impl FnOnce(&mut Api) -> Result<T, ServiceError>) -> Result<T, ServiceError> {
    let mut state = world.apis.lock();
    let api = state.apis.iter_mut().find(|api| api.api_id == api_id).ok_or_else(|| no_such_api(world, api_id))?;
    api.settle(world);
    act(api)
}

impl Api {
    /// Does what is due: automatic deployments, and deployments that are ready by now.
    pub(super) fn settle(&mut self, world: &World) {
        let now = Instant::now();
        let due: Vec<usize> = (0..self.stages.len()).filter(|index| self.stages[*index].deploys_at.is_some_and(|at| at <= now)).collect();
        for index in due {
            self.deploy_automatically(world, index, now);
        }
        for deployment in self.deployments.iter_mut().filter(|deployment| deployment.ready_at <= now) {
            deployment.deployment_status = "DEPLOYED";
        }
        for stage in &mut self.stages {
            if let Some((_, snapshot)) = stage.coming.take_if(|(at, _)| *at <= now) {
                stage.served = Some(snapshot);
            }
        }
    }

    fn deploy_automatically(&mut self, world: &World, index: usize, now: Instant) {
        if self.routes.is_empty() {
            let stage = &mut self.stages[index];
            stage.deploys_at = None;
            stage.last_deployment_status_message = Some(NO_ROUTES.to_owned());
            return;
        }
        let deployment = self.snapshot(world, Some(AUTOMATIC.to_owned()), true, now);
        let stage = &mut self.stages[index];
        stage.deploys_at = None;
        stage.last_deployment_status_message =
            Some(format!("Successfully deployed stage with deployment ID '{}'", deployment.deployment_id));
        stage.point_to(&deployment);
        self.deployments.push(deployment);
    }

    /// Freezes routes and integrations as they are.
    pub(super) fn snapshot(&self, world: &World, description: Option<String>, automatic: bool, ready_at: Instant) -> Deployment {
        Deployment {
            deployment_id: ids::alphanumeric(6),
            auto_deployed: automatic,
            created_date: date(world),
            deployment_status: "PENDING",
            description,
            snapshot: Arc::new(Snapshot {
                route_selection_expression: self.route_selection_expression.clone(),
                routes: self.routes.clone(),
                integrations: self.integrations.clone(),
            }),
            ready_at,
        }
    }

    /// To be told after any change that needs a deployment to be seen: stages that deploy by themselves will.
    pub(super) fn changed(&mut self, world: &World) {
        let at = Instant::now() + world.delays.deployment;
        for stage in self.stages.iter_mut().filter(|stage| stage.auto_deploy) {
            stage.deploys_at.get_or_insert(at);
        }
        self.settle(world);
    }
}

impl Stage {
    /// Serves a deployment as soon as it is ready.
    pub(super) fn point_to(&mut self, deployment: &Deployment) {
        self.deployment_id = Some(deployment.deployment_id.clone());
        self.coming = Some((deployment.ready_at, deployment.snapshot.clone()));
    }
}
