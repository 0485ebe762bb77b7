//! Lambda: the control plane of functions, and the sandboxes that run their `bootstrap`.
//!
//! It has zip packages for `provided.*` runtimes; no versions, layers or images. Aliases, function URLs and event sources are only kept.

mod code;
mod concurrency;
mod create;
mod error;
mod input;
mod invoke;
mod logs;
mod model;
mod policy;
mod pool;
mod process;
mod read;
mod runtime_api;
mod sandbox;
mod state;
mod tags;
#[cfg(test)]
mod tests;
mod triggers;
mod update;

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::local::wire::{Call, Outcome, ServiceError};
use crate::local::world::World;

#[cfg(test)]
pub(crate) use code::fixture;
pub(crate) use invoke::{Refusal, run};
pub(crate) use read::{CODE, package};
pub(crate) use state::{Functions, name_in};

/// What changes functions, and what belongs to them.
const CHANGES: [&str; 10] = [
    "CreateFunction",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "DeleteFunction",
    "AddPermission",
    "RemovePermission",
    "PutFunctionConcurrency",
    "DeleteFunctionConcurrency",
    "TagResource",
    "UntagResource",
];

/// Authorises and runs one operation.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    if CHANGES.contains(&call.operation.as_str()) {
        world.functions.lock().keep(world.delays.read);
    }
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    // The first part is a date: each operation has the one of the day on which it came.
    let parts: Vec<String> = call.path.trim_matches('/').split('/').skip(1).map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (call.operation.as_str(), parts.as_slice()) {
        ("CreateFunction", _) => create::create(world, call).await,
        ("ListFunctions", _) => read::list(world, call),
        ("CreateAlias", [_, name, _]) => triggers::create_alias(world, call, name),
        ("ListAliases", [_, name, _]) => triggers::aliases(world, call, name),
        ("DeleteAlias", [_, name, _, alias]) => triggers::delete_alias(world, call, name, alias),
        ("CreateFunctionUrlConfig", [_, name, _]) => triggers::create_url(world, call, name),
        ("ListFunctionUrlConfigs", [_, name, _]) => triggers::urls(world, call, name),
        ("DeleteFunctionUrlConfig", [_, name, _]) => triggers::delete_url(world, call, name),
        ("CreateEventSourceMapping", _) => triggers::create_event_source(world, call),
        ("ListEventSourceMappings", _) => triggers::event_sources(world, call),
        ("DeleteEventSourceMapping", [_, id]) => triggers::delete_event_source(world, call, id),
        ("GetFunction", [_, name]) => read::get(world, call, name),
        ("GetFunctionConfiguration", [_, name, _]) => read::configuration(world, call, name),
        ("UpdateFunctionCode", [_, name, _]) => update::code(world, call, name).await,
        ("UpdateFunctionConfiguration", [_, name, _]) => update::configuration(world, call, name),
        ("DeleteFunction", [_, name]) => update::delete(world, call, name),
        ("Invoke", [_, name, _]) => invoke::invoke(world, call, name).await,
        ("AddPermission", [_, name, _]) => policy::add(world, call, name),
        ("GetPolicy", [_, name, _]) => policy::get(world, call, name),
        ("RemovePermission", [_, name, _, statement]) => policy::remove(world, call, name, statement),
        ("PutFunctionConcurrency", [_, name, _]) => concurrency::put(world, call, name),
        ("GetFunctionConcurrency", [_, name, _]) => concurrency::get(world, call, name),
        ("DeleteFunctionConcurrency", [_, name, _]) => concurrency::delete(world, call, name),
        ("GetAccountSettings", _) => concurrency::account(world, call),
        ("ListTags", [_, arn @ ..]) => tags::list(world, call, &arn.join("/")),
        ("TagResource", [_, arn @ ..]) => tags::tag(world, call, &arn.join("/")),
        ("UntagResource", [_, arn @ ..]) => tags::untag(world, call, &arn.join("/")),
        (operation, _) => {
            let message = format!("{operation} is not part of the local cloud; it has functions from zip packages alone");
            Err(ServiceError::new(501, "NotImplementedException", message))
        }
    }
}
