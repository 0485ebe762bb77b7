//! The functions of the account.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;

use super::error::no_function;
use super::model::Function;
use crate::local::late::Late;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::policy::Context;

/// Sandboxes that may start at the same time: more would only slow each other down.
const STARTS: usize = 8;

/// All functions.
pub(crate) struct Functions {
    state: Mutex<Late<BTreeMap<String, Function>>>,
    pub(super) starts: Arc<Semaphore>,
}

impl Default for Functions {
    fn default() -> Self {
        Self { state: Mutex::default(), starts: Arc::new(Semaphore::new(STARTS)) }
    }
}

impl Functions {
    /// The names of all functions.
    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Late<BTreeMap<String, Function>>> {
        let mut functions = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        functions.retain(|_, function| function.gone_at.is_none_or(|at| at > now));
        functions.values_mut().for_each(|function| function.settle(now));
        functions
    }

    /// The resource policy of a function, if there is one.
    pub(crate) fn policy(&self, name: &str) -> Option<serde_json::Value> {
        self.lock().get(name)?.policy.document()
    }
}

/// `arn:aws:lambda:R:A:function:NAME`
pub(super) fn arn_of(world: &World, name: &str) -> String {
    world.arn("lambda", &format!("function:{name}"))
}

/// The bare name in a name, a partial ARN or an ARN. Only `$LATEST` exists of a function.
pub(crate) fn name_in(world: &World, reference: &str) -> Result<String, ServiceError> {
    let rest = match reference.rsplit_once(":function:") {
        None => reference,
        Some((owner, rest)) => {
            let account = owner.rsplit(':').next().unwrap_or_default();
            let here = owner == account || owner == format!("arn:aws:lambda:{}:{account}", world.region);
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

/// Looks at one function as reads see it.
pub(super) fn see_function<T>(
    world: &World,
    name: &str,
    look: impl FnOnce(&Function) -> Result<T, ServiceError>,
) -> Result<T, ServiceError> {
    let mut functions = world.functions.lock();
    look(functions.seen().get(name).ok_or_else(|| no_function(&arn_of(world, name)))?)
}

/// Authorises an action on one function, with its tags in the context of conditions.
pub(super) fn authorize(world: &World, call: &Call, action: &str, name: &str) -> Result<(), ServiceError> {
    let tags = world.functions.lock().get(name).map(|function| function.tags.clone()).unwrap_or_default();
    let context = Context::default().with_resource_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    world.authorize_with(&call.caller, action, &arn_of(world, name), None, &context)
}
