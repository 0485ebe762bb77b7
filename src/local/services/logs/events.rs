//! Log events: written, read from a stream, and searched for in a group.

use serde::Deserialize;
use serde_json::{Value, json};

use super::groups::Group;
use super::pattern::Pattern;
use super::streams::{Event, Stream, stream_name};
use super::{Body, INVALID, allow, allow_action, allow_stream, group_name, group_not_found, limit, offset, parameter, stream_not_found};
use crate::local::LogLine;
use crate::local::json::{need, read};
use crate::local::wire::{Call, Caller};
use crate::local::world::World;
use crate::policy::Context;

/// FilterLogEvents looks at this many events for one page: a page may be empty and still not be the last.
const SEARCHED: usize = 1000;
/// Events in one PutLogEvents.
const BATCH: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    log_events: Option<Vec<InputEvent>>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    #[serde(default)]
    start_from_head: bool,
    limit: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct InputEvent {
    timestamp: i64,
    message: String,
}

pub(super) fn put(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let (group, name) = (group_name(input.log_group_name, None)?, stream_name(input.log_stream_name)?);
    let events = need(INVALID, "logEvents", input.log_events)?;
    allow_stream(world, call, &group, &name)?;
    if events.is_empty() || events.len() > BATCH {
        return Err(parameter(format!("logEvents must have 1 to {BATCH} members")));
    }
    if events.windows(2).any(|pair| pair[0].timestamp > pair[1].timestamp) {
        return Err(parameter("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let now = world.clock.now_ms();
    let lines: Vec<LogLine> = {
        let mut state = world.logs.now(now);
        let stream = state.groups.get_mut(&group).ok_or_else(group_not_found)?.streams.get_mut(&name).ok_or_else(stream_not_found)?;
        let mut line = |event: InputEvent| {
            stream.push(event.timestamp, now, event.message.clone());
            LogLine { group: group.clone(), stream: name.clone(), timestamp: event.timestamp, message: event.message }
        };
        events.into_iter().map(&mut line).collect()
    };
    tell(world, &lines);
    Ok(json!({"nextSequenceToken": crate::local::ids::hex(&crate::local::ids::bytes::<16>())}))
}

fn tell(world: &World, lines: &[LogLine]) {
    if let Some(on_log) = &world.on_log {
        lines.iter().for_each(|line| on_log(line));
    }
}

impl World {
    /// Writes lines as the role of a function would: created group and stream included, where the role may; else they are lost, as on AWS.
    pub(crate) fn write_logs(&self, caller: &Caller, group: &str, stream: &str, lines: &[String]) {
        let now = self.clock.now_ms();
        let there = |found: fn(&Group, &str) -> bool| self.logs.now(now).groups.get(group).is_some_and(|group| found(group, stream));
        let (has_group, has_stream) = (there(|_, _| true), there(|group, stream| group.streams.contains_key(stream)));
        let resource = self.arn("logs", &format!("log-group:{group}:log-stream:{stream}"));
        let may = |action: &str| self.authorize(caller, action, &resource, None).is_ok();
        if !has_group && allow_action(self, caller, "CreateLogGroup", group, &Context::default()).is_err() {
            return;
        }
        if (!has_stream && !may("logs:CreateLogStream")) || !may("logs:PutLogEvents") {
            return;
        }
        {
            let mut state = self.logs.now(now);
            let into = state.groups.entry(group.to_owned()).or_insert_with(|| Group::new(now));
            let into = into.streams.entry(stream.to_owned()).or_insert_with(|| Stream::new(now));
            lines.iter().for_each(|line| into.push(now, now, line.clone()));
        }
        let line =
            |message: &String| LogLine { group: group.to_owned(), stream: stream.to_owned(), timestamp: now, message: message.clone() };
        tell(self, &lines.iter().map(line).collect::<Vec<_>>());
    }
}

pub(super) fn get(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let group = group_name(input.log_group_name, input.log_group_identifier)?;
    let name = stream_name(input.log_stream_name)?;
    allow_stream(world, call, &group, &name)?;
    let limit = limit(input.limit, 10_000)?;
    let state = world.logs.now(world.clock.now_ms());
    let stream = state.groups.get(&group).ok_or_else(group_not_found)?.streams.get(&name).ok_or_else(stream_not_found)?;
    // The end is not included here, other than in FilterLogEvents.
    let inside = |event: &&Event| {
        input.start_time.is_none_or(|start| event.timestamp >= start) && input.end_time.is_none_or(|end| event.timestamp < end)
    };
    let events: Vec<&Event> = stream.events.iter().filter(inside).collect();
    let place = |token: &str| token.split_once("/at-").and_then(|(_, at)| at.parse::<usize>().ok()).filter(|at| *at <= events.len());
    let (start, end) = match input.next_token.as_deref() {
        None if input.start_from_head => (0, events.len().min(limit)),
        None => (events.len().saturating_sub(limit), events.len()),
        Some(token) => {
            let at = place(token).ok_or_else(|| parameter("The specified nextToken is invalid."))?;
            if token.starts_with('f') { (at, events.len().min(at + limit)) } else { (at.saturating_sub(limit), at) }
        }
    };
    let show = |event: &&Event| json!({"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested_ms});
    Ok(json!({
        "events": events[start..end].iter().map(show).collect::<Vec<_>>(),
        // At the end the token stays the same.
        "nextForwardToken": format!("f/at-{end}"),
        "nextBackwardToken": format!("b/at-{start}"),
    }))
}

pub(super) fn filter(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = group_name(input.log_group_name, input.log_group_identifier)?;
    allow(world, call, &name)?;
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(parameter("logStreamNamePrefix and logStreamNames are mutually exclusive parameters."));
    }
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default()).map_err(parameter)?;
    let (start, limit) = (offset(input.next_token.as_deref())?, limit(input.limit, 10_000)?);
    let state = world.logs.now(world.clock.now_ms());
    let group = state.groups.get(&name).ok_or_else(group_not_found)?;
    let wanted = |stream: &str| match (&input.log_stream_names, &input.log_stream_name_prefix) {
        (Some(names), _) => names.iter().any(|name| name == stream),
        (None, Some(prefix)) => stream.starts_with(prefix.as_str()),
        (None, None) => true,
    };
    let inside = |event: &Event| {
        input.start_time.is_none_or(|start| event.timestamp >= start) && input.end_time.is_none_or(|end| event.timestamp <= end)
    };
    let streams = group.streams.iter().filter(|(stream, _)| wanted(stream));
    let mut events: Vec<(&String, &Event)> =
        streams.flat_map(|(name, stream)| stream.events.iter().map(move |event| (name, event))).collect();
    events.retain(|(_, event)| inside(event));
    events.sort_by_key(|(_, event)| event.timestamp);
    let mut found = Vec::new();
    let mut at = start;
    while at < events.len() && found.len() < limit && at < start + SEARCHED {
        let (stream, event) = events[at];
        if pattern.matches(&event.message) {
            found.push(json!({"logStreamName": stream, "timestamp": event.timestamp, "message": event.message,
                "ingestionTime": event.ingested_ms, "eventId": event.id}));
        }
        at += 1;
    }
    let mut body = json!({"events": found, "searchedLogStreams": []});
    if at < events.len() {
        body["nextToken"] = Value::from(format!("at-{at}"));
    }
    Ok(body)
}
