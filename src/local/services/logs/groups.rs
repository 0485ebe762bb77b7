//! Log groups: made, kept for so many days, tagged, listed, deleted.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::streams::Stream;
use super::{Body, INVALID, allow, allow_action, group_name, group_not_found, limit, name_in_arn, offset, parameter};
use crate::local::faults::Quirk;
use crate::local::json::{invalid, need, read};
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::policy::Context;

/// The days that PutRetentionPolicy takes.
const RETENTIONS: [i64; 22] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// Tags per group.
const TAG_LIMIT: usize = 50;

/// A log group.
pub(super) struct Group {
    pub created_ms: i64,
    /// `None`: forever.
    pub retention_days: Option<i64>,
    pub class: String,
    pub protected: bool,
    pub tags: BTreeMap<String, String>,
    pub streams: BTreeMap<String, Stream>,
}

impl Group {
    pub(super) fn new(now_ms: i64) -> Self {
        let class = "STANDARD".to_owned();
        Self { created_ms: now_ms, retention_days: None, class, protected: false, tags: BTreeMap::new(), streams: BTreeMap::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    resource_arn: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    tag_keys: Option<Vec<String>>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
    retention_in_days: Option<i64>,
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

fn request_tags(tags: &BTreeMap<String, String>) -> Context {
    Context::default().with_request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    if tags.len() > TAG_LIMIT {
        return Err(ServiceError::new(400, "TooManyTagsException", "A resource can have no more than 50 tags."));
    }
    let bad = |(key, value): &(&String, &String)| {
        key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 || key.to_ascii_lowercase().starts_with("aws:")
    };
    match tags.iter().find(bad) {
        Some((key, _)) => Err(parameter(format!("The tag key '{key}' is not valid."))),
        None => Ok(()),
    }
}

pub(super) fn create(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = group_name(input.log_group_name, None)?;
    let tags = input.tags.unwrap_or_default();
    check_tags(&tags)?;
    allow_action(world, &call.caller, "CreateLogGroup", &name, &request_tags(&tags))?;
    if !tags.is_empty() {
        allow_action(world, &call.caller, "TagResource", &name, &request_tags(&tags))?;
    }
    if name.to_ascii_lowercase().starts_with("aws/") {
        return Err(parameter("Log groups starting with AWS/ are reserved for AWS."));
    }
    let class = input.log_group_class.unwrap_or_else(|| "STANDARD".to_owned());
    if !["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"].contains(&class.as_str()) {
        let constraint = "Member must satisfy enum value set: [INFREQUENT_ACCESS, STANDARD, DELIVERY]";
        return Err(invalid(INVALID, "logGroupClass", &class, constraint));
    }
    let now = world.clock.now_ms();
    let mut state = world.logs.now(now);
    if state.groups.contains_key(&name) {
        return Err(ServiceError::new(400, "ResourceAlreadyExistsException", "The specified log group already exists"));
    }
    let group = Group { class, protected: input.deletion_protection_enabled.unwrap_or_default(), tags, ..Group::new(now) };
    state.groups.insert(name, group);
    Ok(Value::Null)
}

pub(super) fn delete(world: &World, call: &Call) -> Body {
    let name = group_name(read::<Input>(call)?.log_group_name, None)?;
    allow(world, call, &name)?;
    let mut state = world.logs.now(world.clock.now_ms());
    if state.groups.get(&name).ok_or_else(group_not_found)?.protected {
        let text = "Cannot delete the log group: deletion protection is enabled.";
        return Err(ServiceError::new(400, "ValidationException", text));
    }
    state.groups.remove(&name);
    if world.faults.take_quirk(Quirk::LogGroupReturns) {
        // While what wrote the lines is still on its way out.
        state.returning.push((Instant::now() + world.delays.deletion / 2, name));
    }
    Ok(Value::Null)
}

pub(super) fn describe(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let prefix = input.log_group_name_prefix.unwrap_or_default();
    let pattern = input.log_group_name_pattern.unwrap_or_default();
    if !prefix.is_empty() && !pattern.is_empty() {
        return Err(parameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    // A list is of no group in particular.
    allow_action(world, &call.caller, "DescribeLogGroups", "", &Context::default())?;
    let (start, limit) = (offset(input.next_token.as_deref())?, limit(input.limit, 50)?);
    let state = world.logs.now(world.clock.now_ms());
    let all: Vec<_> = state.groups.iter().filter(|(name, _)| name.starts_with(&prefix) && name.contains(&pattern)).collect();
    let page: Vec<Value> = all.iter().skip(start).take(limit).map(|(name, group)| description(world, name, group)).collect();
    let mut body = json!({"logGroups": page});
    if all.len() > start + limit {
        body["nextToken"] = Value::from(format!("at-{}", start + limit));
    }
    Ok(body)
}

fn description(world: &World, name: &str, group: &Group) -> Value {
    let arn = world.arn("logs", &format!("log-group:{name}"));
    let bytes: usize = group.streams.values().map(Stream::bytes).sum();
    let mut description = json!({
        "logGroupName": name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": bytes,
        "logGroupClass": group.class,
        "deletionProtectionEnabled": group.protected,
    });
    if let Some(days) = group.retention_days {
        description["retentionInDays"] = Value::from(days);
    }
    description
}

pub(super) fn put_retention(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = group_name(input.log_group_name, None)?;
    let days = need(INVALID, "retentionInDays", input.retention_in_days)?;
    allow(world, call, &name)?;
    if !RETENTIONS.contains(&days) {
        let valid: Vec<String> = RETENTIONS.iter().map(ToString::to_string).collect();
        let constraint = format!("Member must satisfy enum value set: [{}]", valid.join(", "));
        return Err(invalid(INVALID, "retentionInDays", &days.to_string(), &constraint));
    }
    let mut state = world.logs.now(world.clock.now_ms());
    state.groups.get_mut(&name).ok_or_else(group_not_found)?.retention_days = Some(days);
    Ok(Value::Null)
}

pub(super) fn delete_retention(world: &World, call: &Call) -> Body {
    let name = group_name(read::<Input>(call)?.log_group_name, None)?;
    allow(world, call, &name)?;
    let mut state = world.logs.now(world.clock.now_ms());
    state.groups.get_mut(&name).ok_or_else(group_not_found)?.retention_days = None;
    Ok(Value::Null)
}

pub(super) fn protect(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = group_name(None, input.log_group_identifier)?;
    let protected = need(INVALID, "deletionProtectionEnabled", input.deletion_protection_enabled)?;
    allow(world, call, &name)?;
    let mut state = world.logs.now(world.clock.now_ms());
    state.groups.get_mut(&name).ok_or_else(group_not_found)?.protected = protected;
    Ok(Value::Null)
}

pub(super) fn tag(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = name_in_arn(world, input.resource_arn)?;
    let tags = need(INVALID, "tags", input.tags)?;
    check_tags(&tags)?;
    allow_action(world, &call.caller, "TagResource", &name, &request_tags(&tags))?;
    let mut state = world.logs.now(world.clock.now_ms());
    let group = state.groups.get_mut(&name).ok_or_else(group_not_found)?;
    let mut all = group.tags.clone();
    all.extend(tags);
    check_tags(&all)?;
    group.tags = all;
    Ok(Value::Null)
}

pub(super) fn untag(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = name_in_arn(world, input.resource_arn)?;
    let keys = need(INVALID, "tagKeys", input.tag_keys)?;
    let context = keys.iter().fold(Context::default(), |context, key| context.with("aws:TagKeys", key));
    allow_action(world, &call.caller, "UntagResource", &name, &context)?;
    let mut state = world.logs.now(world.clock.now_ms());
    state.groups.get_mut(&name).ok_or_else(group_not_found)?.tags.retain(|key, _| !keys.contains(key));
    Ok(Value::Null)
}

pub(super) fn list_tags(world: &World, call: &Call) -> Body {
    let name = name_in_arn(world, read::<Input>(call)?.resource_arn)?;
    allow(world, call, &name)?;
    let state = world.logs.now(world.clock.now_ms());
    Ok(json!({"tags": state.groups.get(&name).ok_or_else(group_not_found)?.tags}))
}
