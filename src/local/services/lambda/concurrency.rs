//! Reserved concurrency, and the limits of the account.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::error::{constraint, invalid};
use super::input::read;
use super::state::{authorize, name_in, with_function};
use crate::local::wire::{Answer, Call, Outcome};
use crate::local::world::World;

/// Events that all functions together may run at the same time.
pub(super) const ACCOUNT: u64 = 1000;
/// What reservations must leave to functions without one.
const UNRESERVED: u64 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ConcurrencyInput {
    reserved_concurrent_executions: Option<i64>,
}

pub(super) fn put(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:PutFunctionConcurrency", &name)?;
    let input: ConcurrencyInput = read(call)?;
    let wanted = input.reserved_concurrent_executions.unwrap_or(-1);
    let reserved = u64::try_from(wanted).map_err(|_| {
        constraint(&wanted.to_string(), "reservedConcurrentExecutions", "Member must have value greater than or equal to 0")
    })?;
    let others: u64 =
        world.functions.lock().values().filter(|function| function.name != name).filter_map(|function| function.reserved).sum();
    if reserved + others + UNRESERVED > ACCOUNT {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    with_function(world, &name, |function| {
        function.reserved = Some(reserved);
        Ok(Answer::json(200, &json!({ "ReservedConcurrentExecutions": reserved })))
    })
}

pub(super) fn get(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:GetFunctionConcurrency", &name)?;
    with_function(world, &name, |function| {
        let body = function.reserved.map_or_else(|| json!({}), |reserved| json!({ "ReservedConcurrentExecutions": reserved }));
        Ok(Answer::json(200, &body))
    })
}

pub(super) fn delete(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:DeleteFunctionConcurrency", &name)?;
    with_function(world, &name, |function| {
        function.reserved = None;
        Ok(Answer::empty(204))
    })
}

pub(super) fn account(world: &Arc<World>, call: &Call) -> Outcome {
    world.authorize(&call.caller, "lambda:GetAccountSettings", "*", None)?;
    let functions = world.functions.lock();
    let reserved: u64 = functions.values().filter_map(|function| function.reserved).sum();
    let size: usize = functions.values().map(|function| function.settings.code.size).sum();
    Ok(Answer::json(
        200,
        &json!({
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800_u64,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": ACCOUNT,
                "UnreservedConcurrentExecutions": ACCOUNT - reserved,
            },
            "AccountUsage": { "TotalCodeSize": size, "FunctionCount": functions.len() },
        }),
    ))
}
