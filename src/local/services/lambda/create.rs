//! `CreateFunction`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;

use super::code::Code;
use super::error::{conflict, constraint, invalid};
use super::input::{CodeInput, ConfigurationInput, architecture, check_name, read};
use super::model::{Function, Just, Logging, Settings};
use super::policy::Policy;
use super::pool::Pool;
use super::state::{arn_of, name_in};
use super::triggers::Triggers;
use super::{read as reading, tags};
use crate::local::faults::Quirk;
use crate::local::ids;
use crate::local::wire::{Answer, Call, Caller, Outcome, ServiceError};
use crate::local::world::World;
use crate::policy::Context;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CreateInput {
    architectures: Option<Vec<String>>,
    code: Option<CodeInput>,
    function_name: Option<String>,
    package_type: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    configuration: ConfigurationInput,
}

/// What a request cannot be made without.
fn required<T>(member: &str, value: Option<T>) -> Result<T, ServiceError> {
    value.ok_or_else(|| {
        let rule = "Member must not be null";
        let message = format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: {rule}");
        ServiceError::new(400, "ValidationException", message)
    })
}

/// A role in this account that the caller may pass and that Lambda may assume.
pub(super) fn check_role(world: &World, caller: &Caller, role: &str) -> Result<(), ServiceError> {
    if role.split(':').nth(4) != Some(world.account.id.as_str()) {
        return Err(ServiceError::new(403, "AccessDeniedException", "Cross-account pass role is not allowed."));
    }
    // The denial is Lambda's own, in Lambda's shape.
    let context = Context::default().with("iam:PassedToService", "lambda.amazonaws.com");
    if let Err(denied) = world.authorize_with(caller, "iam:PassRole", role, None, &context) {
        return Err(ServiceError::new(403, "AccessDeniedException", denied.message));
    }
    if world.may_assume(role, "lambda.amazonaws.com") == Some(true) && !world.faults.take_quirk(Quirk::RoleNotAssumable) {
        Ok(())
    } else {
        Err(invalid("The role defined for the function cannot be assumed by Lambda."))
    }
}

/// Unpacks where it does not keep others waiting.
pub(super) async fn unpack(zip: Vec<u8>) -> Result<Arc<Code>, ServiceError> {
    let unpacked = tokio::task::spawn_blocking(move || Code::unpack(&zip)).await;
    unpacked.map_err(|error| ServiceError::new(500, "ServiceException", error.to_string()))?.map(Arc::new)
}

pub(super) async fn create(world: &Arc<World>, call: &Call) -> Outcome {
    let CreateInput { architectures, code, function_name, package_type, tags, configuration } = read(call)?;
    let name = name_in(world, &required("functionName", function_name)?)?;
    check_name(&name)?;
    let arn = arn_of(world, &name);
    let tags = tags.unwrap_or_default();
    let context = Context::default().with_request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    world.authorize_with(&call.caller, "lambda:CreateFunction", &arn, None, &context)?;
    if !tags.is_empty() {
        world.authorize_with(&call.caller, "lambda:TagResource", &arn, None, &context)?;
        tags::check(&tags)?;
    }
    match package_type.as_deref() {
        None | Some("Zip") => {}
        Some("Image") => return Err(invalid("The local cloud has no functions from images: PackageType must be Zip.")),
        Some(other) => return Err(constraint(other, "packageType", "Member must satisfy enum value set: [Zip, Image]")),
    }
    let code = required("code", code)?;
    if configuration.runtime.is_none() || configuration.handler.is_none() {
        return Err(invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages."));
    }
    required("role", configuration.role.as_ref())?;
    let zip = code.zip()?.ok_or_else(|| invalid("Please provide a source for function code."))?;
    let mut settings = Settings {
        role: String::new(),
        description: String::new(),
        handler: String::new(),
        runtime: String::new(),
        timeout: 3,
        memory_size: 128,
        storage_size: 512,
        architecture: architecture(architectures.as_deref())?.unwrap_or_else(|| "x86_64".to_owned()),
        environment: BTreeMap::new(),
        logging: Logging { json: false, group: format!("/aws/lambda/{name}"), application_level: None, system_level: None },
        tracing: "PassThrough".to_owned(),
        code: unpack(zip).await?,
    };
    configuration.over(&mut settings)?;
    check_role(world, &call.caller, &settings.role)?;

    let mut functions = world.functions.lock();
    if functions.contains_key(&name) {
        return Err(conflict(format!("Function already exist: {name}")));
    }
    let function = Function {
        arn,
        pool: Arc::new(Pool::new(Arc::new(settings.clone()))),
        settings,
        last_modified: reading::last_modified(world),
        revision_id: ids::uuid(),
        tags,
        policy: Policy::default(),
        reserved: None,
        active_at: Instant::now() + world.delays.function,
        updated_at: None,
        gone_at: None,
        triggers: Triggers::default(),
        name: name.clone(),
    };
    let answer = Answer::json(201, &function.configuration(Just::Created));
    functions.insert(name, function);
    Ok(answer)
}
