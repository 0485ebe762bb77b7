//! CloudWatch Logs: groups, streams and events.

mod events;
mod groups;
mod pattern;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::local::json::{invalid, need};
use crate::local::protocol;
use crate::local::wire::{Answer, Call, Outcome, Service, ServiceError};
use crate::local::world::World;
use crate::policy::{Context, Decision};
use groups::Group;

/// All log groups, by name.
#[derive(Default)]
pub(crate) struct Groups(Mutex<State>);

#[derive(Default)]
struct State {
    groups: BTreeMap<String, Group>,
    /// Groups that a late delivery will make again, and when.
    returning: Vec<(Instant, String)>,
}

impl Groups {
    /// The names of all groups.
    pub(crate) fn names(&self, now_ms: i64) -> Vec<String> {
        self.now(now_ms).groups.keys().cloned().collect()
    }

    /// The groups as they are now.
    fn now(&self, now_ms: i64) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (back, later): (Vec<_>, Vec<_>) = std::mem::take(&mut state.returning).into_iter().partition(|(at, _)| *at <= now);
        state.returning = later;
        for (_, name) in back {
            state.groups.entry(name).or_insert_with(|| Group::new(now_ms));
        }
        state
    }
}

/// Answers an operation of CloudWatch Logs.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    let body = match call.operation.as_str() {
        "CreateLogGroup" => groups::create(world, call),
        "DeleteLogGroup" => groups::delete(world, call),
        "DescribeLogGroups" => groups::describe(world, call),
        "PutRetentionPolicy" => groups::put_retention(world, call),
        "DeleteRetentionPolicy" => groups::delete_retention(world, call),
        "PutLogGroupDeletionProtection" => groups::protect(world, call),
        "TagResource" => groups::tag(world, call),
        "UntagResource" => groups::untag(world, call),
        "ListTagsForResource" => groups::list_tags(world, call),
        "CreateLogStream" => streams::create(world, call),
        "DeleteLogStream" => streams::delete(world, call),
        "DescribeLogStreams" => streams::describe(world, call),
        "PutLogEvents" => events::put(world, call),
        "GetLogEvents" => events::get(world, call),
        "FilterLogEvents" => events::filter(world, call),
        other => return Err(protocol::unknown_operation(Service::Logs, other)),
    }?;
    Ok(if body.is_null() { Answer::empty(200) } else { Answer::json(200, &body) })
}

/// The body of an operation's answer; null: none.
type Body = Result<Value, ServiceError>;

const INVALID: &str = "InvalidParameterException";

fn parameter(text: impl Into<String>) -> ServiceError {
    ServiceError::new(400, INVALID, text)
}

fn group_not_found() -> ServiceError {
    ServiceError::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn stream_not_found() -> ServiceError {
    ServiceError::new(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}

/// `logGroupName`, or the name in `logGroupIdentifier`, which may be an ARN.
fn group_name(name: Option<String>, identifier: Option<String>) -> Result<String, ServiceError> {
    let identified =
        identifier.map(|given| given.split_once(":log-group:").map_or(given.clone(), |(_, name)| name.trim_end_matches(":*").to_owned()));
    let name = need(INVALID, "logGroupName", name.or(identified))?;
    if name.is_empty() || name.len() > 512 {
        return Err(invalid(INVALID, "logGroupName", &name, "Member must have length between 1 and 512"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte)) {
        return Err(invalid(INVALID, "logGroupName", &name, r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"));
    }
    Ok(name)
}

/// The group's name in `resourceArn`.
fn name_in_arn(world: &World, arn: Option<String>) -> Result<String, ServiceError> {
    let arn = need(INVALID, "resourceArn", arn)?;
    let name = arn.strip_prefix(&world.arn("logs", "log-group:")).map(|name| name.trim_end_matches(":*").to_owned());
    name.ok_or_else(|| parameter(format!("Invalid resource ARN: {arn}")))
}

/// May the caller do the called operation with a group?
fn allow(world: &World, call: &Call, group: &str) -> Result<(), ServiceError> {
    allow_action(world, &call.caller, &call.operation, group, &Context::default())
}

/// The resource of these actions has an empty stream at its end, and policies may also name the group without it: an Allow for either
/// is enough, a Deny for either counts.
fn allow_action(
    world: &World,
    caller: &crate::local::wire::Caller,
    operation: &str,
    group: &str,
    context: &Context,
) -> Result<(), ServiceError> {
    let action = format!("logs:{operation}");
    let with_stream = world.arn("logs", &format!("log-group:{group}:log-stream:"));
    let plain = world.arn("logs", &format!("log-group:{group}"));
    let decide = |resource: &str| world.decide(caller, &action, resource, None, context);
    match (decide(&with_stream), decide(&plain)) {
        (Decision::Denied(reason), _) if reason.explicit => Err(world.denial(caller, &action, &with_stream, &reason)),
        (_, Decision::Denied(reason)) if reason.explicit => Err(world.denial(caller, &action, &with_stream, &reason)),
        (Decision::Allowed, _) | (_, Decision::Allowed) => Ok(()),
        (Decision::Denied(reason), Decision::Denied(_)) => Err(world.denial(caller, &action, &with_stream, &reason)),
    }
}

/// May the caller do the called operation with a stream?
fn allow_stream(world: &World, call: &Call, group: &str, stream: &str) -> Result<(), ServiceError> {
    let resource = world.arn("logs", &format!("log-group:{group}:log-stream:{stream}"));
    world.authorize(&call.caller, &format!("logs:{}", call.operation), &resource, None)
}

/// Where a page starts, as the last one said.
fn offset(token: Option<&str>) -> Result<usize, ServiceError> {
    token.map_or(Some(0), |token| token.strip_prefix("at-")?.parse().ok()).ok_or_else(|| parameter("The specified nextToken is invalid."))
}

fn limit(given: Option<usize>, most: usize) -> Result<usize, ServiceError> {
    match given {
        None => Ok(most),
        Some(0) => Err(invalid(INVALID, "limit", "0", "Member must have value greater than or equal to 1")),
        Some(limit) if limit > most => {
            Err(invalid(INVALID, "limit", &limit.to_string(), &format!("Member must have value less than or equal to {most}")))
        }
        Some(limit) => Ok(limit),
    }
}
