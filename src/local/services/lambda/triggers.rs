//! Aliases, function URLs and event source mappings: kept and listed, so that who looks for other users of a function finds them. Nothing is
//! invoked by them here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{conflict, constraint, invalid, not_found};
use super::input::read;
use super::model::Function;
use super::read::{last_modified, parameter};
use super::state::{authorize, name_in, with_function};
use crate::local::ids;
use crate::local::wire::{Answer, Call, Outcome};
use crate::local::world::World;

/// What hangs on one function.
#[derive(Clone, Debug, Default)]
pub(super) struct Triggers {
    /// Names, each with its version.
    aliases: BTreeMap<String, String>,
    url: Option<Value>,
    /// By their ids.
    event_sources: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    name: Option<String>,
    function_version: Option<String>,
    auth_type: Option<String>,
    event_source_arn: Option<String>,
    function_name: Option<String>,
}

fn alias(function: &Function, name: &str, version: &str) -> Value {
    json!({ "AliasArn": format!("{}:{name}", function.arn), "Name": name, "FunctionVersion": version, "Description": "" })
}

pub(super) fn create_alias(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:CreateAlias", &name)?;
    let input: Input = read(call)?;
    let wanted = input.name.unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if wanted.is_empty() || wanted.bytes().all(|b| b.is_ascii_digit()) || !wanted.chars().all(plain) {
        return Err(constraint(&wanted, "name", "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"));
    }
    let version = input.function_version.unwrap_or_default();
    with_function(world, &name, |function| {
        // There are no published versions here.
        if version != "$LATEST" {
            return Err(not_found(format!("Function not found: {}:{version}", function.arn)));
        }
        if function.triggers.aliases.contains_key(&wanted) {
            return Err(conflict(format!("Alias already exists: {}:{wanted}", function.arn)));
        }
        let shown = alias(function, &wanted, &version);
        function.triggers.aliases.insert(wanted, version);
        Ok(Answer::json(201, &shown))
    })
}

pub(super) fn aliases(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:ListAliases", &name)?;
    with_function(world, &name, |function| {
        let all: Vec<Value> = function.triggers.aliases.iter().map(|(name, version)| alias(function, name, version)).collect();
        Ok(Answer::json(200, &json!({ "Aliases": all })))
    })
}

pub(super) fn delete_alias(world: &Arc<World>, call: &Call, reference: &str, alias: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:DeleteAlias", &name)?;
    with_function(world, &name, |function| {
        // One that is not there is deleted already (Lambda, DeleteAlias).
        function.triggers.aliases.remove(alias);
        Ok(Answer::empty(204))
    })
}

pub(super) fn create_url(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:CreateFunctionUrlConfig", &name)?;
    let input: Input = read(call)?;
    let auth = input.auth_type.unwrap_or_default();
    if auth != "NONE" && auth != "AWS_IAM" {
        return Err(constraint(&auth, "authType", "Member must satisfy enum value set: [NONE, AWS_IAM]"));
    }
    let now = last_modified(world);
    with_function(world, &name, |function| {
        if function.triggers.url.is_some() {
            return Err(conflict(format!(
                "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for this Lambda function",
                function.arn
            )));
        }
        let shown = json!({
            "FunctionUrl": format!("https://{}.lambda-url.{}.on.aws/", ids::alphanumeric(32), world.region),
            "FunctionArn": function.arn,
            "AuthType": auth,
            "InvokeMode": "BUFFERED",
            "CreationTime": now,
            "LastModifiedTime": now,
        });
        function.triggers.url = Some(shown.clone());
        Ok(Answer::json(201, &shown))
    })
}

pub(super) fn urls(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:ListFunctionUrlConfigs", &name)?;
    with_function(world, &name, |function| {
        let all: Vec<&Value> = function.triggers.url.iter().collect();
        Ok(Answer::json(200, &json!({ "FunctionUrlConfigs": all })))
    })
}

pub(super) fn delete_url(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:DeleteFunctionUrlConfig", &name)?;
    with_function(world, &name, |function| {
        function.triggers.url.take().ok_or_else(|| not_found("The resource you requested does not exist."))?;
        Ok(Answer::empty(204))
    })
}

pub(super) fn create_event_source(world: &Arc<World>, call: &Call) -> Outcome {
    world.authorize(&call.caller, "lambda:CreateEventSourceMapping", "*", None)?;
    let input: Input = read(call)?;
    let name = name_in(world, &input.function_name.unwrap_or_default())?;
    let source = input.event_source_arn.filter(|arn| arn.starts_with("arn:")).ok_or_else(|| invalid("Unrecognized event source."))?;
    with_function(world, &name, |function| {
        let id = ids::uuid();
        let shown = json!({ "UUID": id, "EventSourceArn": source, "FunctionArn": function.arn, "State": "Enabled", "BatchSize": 10 });
        function.triggers.event_sources.insert(id, shown.clone());
        Ok(Answer::json(202, &shown))
    })
}

pub(super) fn event_sources(world: &Arc<World>, call: &Call) -> Outcome {
    world.authorize(&call.caller, "lambda:ListEventSourceMappings", "*", None)?;
    let only = parameter(call, "FunctionName").map(|reference| name_in(world, &reference)).transpose()?;
    let functions = world.functions.lock();
    let of = functions.values().filter(|function| only.as_ref().is_none_or(|name| *name == function.name));
    let all: Vec<&Value> = of.flat_map(|function| function.triggers.event_sources.values()).collect();
    Ok(Answer::json(200, &json!({ "EventSourceMappings": all })))
}

pub(super) fn delete_event_source(world: &Arc<World>, call: &Call, id: &str) -> Outcome {
    world.authorize(&call.caller, "lambda:DeleteEventSourceMapping", "*", None)?;
    let mut functions = world.functions.lock();
    let mut gone = functions.values_mut().filter_map(|function| function.triggers.event_sources.remove(id));
    let mut shown = gone.next().ok_or_else(|| not_found("The resource you requested does not exist."))?;
    shown["State"] = "Deleting".into();
    Ok(Answer::json(202, &shown))
}
