//! Changes to a function, one at a time; the old code and configuration serve until a change is done.

use std::sync::Arc;
use std::time::Instant;

use super::create::{check_role, unpack};
use super::error::{conflict, invalid, not_ready, stale};
use super::input::{CodeInput, ConfigurationInput, architecture, read};
use super::model::{Function, Just};
use super::read::last_modified;
use super::state::{authorize, name_in, with_function};
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// Whether a change may begin.
fn check(function: &Function, revision: Option<&str>) -> Result<(), ServiceError> {
    let state = function.state(Instant::now());
    if state != "Active" {
        return Err(not_ready(state));
    }
    if function.updated_at.is_some() {
        return Err(conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            function.arn
        )));
    }
    match revision {
        Some(revision) if revision != function.revision_id => Err(stale("GetFunction/GetAlias")),
        _ => Ok(()),
    }
}

pub(super) async fn code(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:UpdateFunctionCode", &name)?;
    let input: CodeInput = read(call)?;
    let architecture = architecture(input.architectures.as_deref())?;
    // Told before the code is unpacked, and once more after it: another update may have come in between.
    with_function(world, &name, |function| check(function, input.revision_id.as_deref()))?;
    let zip = input.zip()?.ok_or_else(|| invalid("Please provide a source for function code."))?;
    let code = unpack(zip).await?;
    with_function(world, &name, |function| {
        check(function, input.revision_id.as_deref())?;
        if input.dry_run == Some(true) {
            let mut shown = function.configuration(Just::Nothing);
            shown["CodeSha256"] = code.sha256.as_str().into();
            shown["CodeSize"] = code.size.into();
            return Ok(Answer::json(200, &shown));
        }
        function.settings.code = code;
        if let Some(architecture) = architecture {
            function.settings.architecture = architecture;
        }
        function.touch(world.delays.function, last_modified(world));
        Ok(Answer::json(200, &function.configuration(Just::Updated)))
    })
}

pub(super) fn configuration(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:UpdateFunctionConfiguration", &name)?;
    let input: ConfigurationInput = read(call)?;
    if let Some(role) = &input.role {
        // A role that is sent is passed, even where it stays the same.
        with_function(world, &name, |_| Ok(()))?;
        check_role(world, &call.caller, role)?;
    }
    with_function(world, &name, |function| {
        check(function, input.revision_id.as_deref())?;
        let mut settings = function.settings.clone();
        input.over(&mut settings)?;
        function.settings = settings;
        function.touch(world.delays.function, last_modified(world));
        Ok(Answer::json(200, &function.configuration(Just::Updated)))
    })
}

/// The policy goes with the function, its log group stays. What runs ends by itself.
pub(super) fn delete(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:DeleteFunction", &name)?;
    with_function(world, &name, |function| {
        if function.updated_at.is_some() || function.gone_at.is_some() {
            return Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                function.arn
            )));
        }
        function.gone_at = Some(Instant::now() + world.delays.deletion);
        Ok(Answer::empty(204))
    })
}
