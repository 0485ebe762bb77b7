//! The functions of the account.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;

use super::error::no_function;
use super::model::Function;
use super::policy;
use crate::local::services::apigatewayv2::partition;
use crate::local::wire::ServiceError;
use crate::local::world::World;

/// Sandboxes that may start at the same time: more would only slow each other down.
const STARTS: usize = 8;

/// All functions, and the processes that run them.
pub(crate) struct Functions {
    state: Mutex<BTreeMap<String, Function>>,
    pub(super) processes: Arc<Processes>,
    pub(super) starts: Arc<Semaphore>,
}

impl Default for Functions {
    fn default() -> Self {
        Self { state: Mutex::default(), processes: Arc::default(), starts: Arc::new(Semaphore::new(STARTS)) }
    }
}

/// The process groups that live, by their leader's id.
#[derive(Debug, Default)]
pub(super) struct Processes(Mutex<HashSet<i32>>);

impl Processes {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Functions {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Function>> {
        let mut functions = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        functions.retain(|_, function| function.gone_at.is_none_or(|at| at > now));
        functions.values_mut().for_each(|function| function.settle(now));
        functions
    }

    /// Whether the function's resource policy lets API Gateway invoke it for this source; `false` where there is no such function.
    pub(crate) fn lets_api_gateway(&self, name: &str, source_arn: &str, account: &str) -> bool {
        let functions = self.lock();
        functions.get(name).is_some_and(|function| policy::lets_service(&function.policy, "apigateway.amazonaws.com", source_arn, account))
    }

    /// Ends all sandboxes at once. Nothing can be invoked after that.
    pub(crate) fn stop(&self) {
        self.lock().clear();
        self.starts.close();
        for leader in self.processes.lock().drain() {
            super::process::kill(leader);
        }
    }
}

/// `arn:aws:lambda:R:A:function:NAME`
pub(super) fn arn_of(world: &World, name: &str) -> String {
    format!("arn:{}:lambda:{}:{}:function:{name}", partition(&world.region), world.region, world.account.id)
}

/// The bare name in a name, a partial ARN or an ARN. Only `$LATEST` exists of a function.
pub(crate) fn name_in(world: &World, reference: &str) -> Result<String, ServiceError> {
    let rest = match reference.rsplit_once(":function:") {
        None => reference,
        Some((owner, rest)) => {
            let account = owner.rsplit(':').next().unwrap_or_default();
            let here = owner == account || owner == format!("arn:{}:lambda:{}:{account}", partition(&world.region), world.region);
            if account != world.account.id || !here {
                return Err(no_function(reference));
            }
            rest
        }
    };
    match rest.split_once(':') {
        None => Ok(rest.to_owned()),
        Some((name, "$LATEST")) => Ok(name.to_owned()),
        Some(_) => Err(no_function(&arn_of(world, rest))),
    }
}

/// Looks at or changes one function, with all that was due in it done.
pub(super) fn with_function<T>(
    world: &World,
    name: &str,
    act: impl FnOnce(&mut Function) -> Result<T, ServiceError>,
) -> Result<T, ServiceError> {
    let mut functions = world.functions.lock();
    act(functions.get_mut(name).ok_or_else(|| no_function(&arn_of(world, name)))?)
}
