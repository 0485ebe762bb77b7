//! Log streams.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, INVALID, allow, allow_stream, group_name, group_not_found, limit, offset, parameter, stream_not_found};
use crate::local::ids;
use crate::local::json::{invalid, need, read};
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;

/// So many lines of a stream are kept at least; with twice as many, the oldest half goes.
const KEPT: usize = 10_000;

/// A stream, its events by time.
pub(super) struct Stream {
    pub created_ms: i64,
    pub events: Vec<Event>,
}

/// One line.
#[derive(Clone)]
pub(super) struct Event {
    pub id: String,
    pub timestamp: i64,
    pub ingested_ms: i64,
    pub message: String,
}

impl Stream {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { created_ms: now_ms, events: Vec::new() }
    }

    /// Adds a line; its place is that of its time, not of its coming.
    pub(super) fn push(&mut self, timestamp: i64, ingested_ms: i64, message: String) {
        // Ids sort by time, as AWS's do.
        let id = format!("{timestamp:020}{:020}", self.events.len())
            + &ids::alphanumeric(16).replace(|letter: char| letter.is_ascii_alphabetic(), "0");
        let at = self.events.partition_point(|event| event.timestamp <= timestamp);
        self.events.insert(at, Event { id, timestamp, ingested_ms, message });
        if self.events.len() >= 2 * KEPT {
            self.events.drain(..KEPT);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.message.len() + 26).sum()
    }

    fn last_event_ms(&self) -> Option<i64> {
        self.events.last().map(|event| event.timestamp)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    #[serde(default)]
    descending: bool,
    limit: Option<usize>,
    next_token: Option<String>,
}

/// A stream's name: 1 to 512 characters, neither `:` nor `*`.
pub(super) fn stream_name(name: Option<String>) -> Result<String, ServiceError> {
    let name = need(INVALID, "logStreamName", name)?;
    if name.is_empty() || name.len() > 512 || name.contains([':', '*']) {
        return Err(invalid(INVALID, "logStreamName", &name, "Member must satisfy regular expression pattern: [^:*]*"));
    }
    Ok(name)
}

pub(super) fn create(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let (group, name) = (group_name(input.log_group_name, None)?, stream_name(input.log_stream_name)?);
    allow_stream(world, call, &group, &name)?;
    let now = world.clock.now_ms();
    let mut state = world.logs.now(now);
    let group = state.groups.get_mut(&group).ok_or_else(group_not_found)?;
    if group.streams.contains_key(&name) {
        return Err(ServiceError::new(400, "ResourceAlreadyExistsException", "The specified log stream already exists"));
    }
    group.streams.insert(name, Stream::new(now));
    Ok(Value::Null)
}

pub(super) fn delete(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let (group, name) = (group_name(input.log_group_name, None)?, stream_name(input.log_stream_name)?);
    allow_stream(world, call, &group, &name)?;
    let mut state = world.logs.now(world.clock.now_ms());
    let group = state.groups.get_mut(&group).ok_or_else(group_not_found)?;
    group.streams.remove(&name).ok_or_else(stream_not_found)?;
    Ok(Value::Null)
}

pub(super) fn describe(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = group_name(input.log_group_name, input.log_group_identifier)?;
    allow(world, call, &name)?;
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    let by_time = match input.order_by.as_deref() {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") if prefix.is_empty() => true,
        Some("LastEventTime") => return Err(parameter("Cannot order by LastEventTime with a logStreamNamePrefix.")),
        Some(other) => {
            return Err(invalid(INVALID, "orderBy", other, "Member must satisfy enum value set: [LogStreamName, LastEventTime]"));
        }
    };
    let (start, limit) = (offset(input.next_token.as_deref())?, limit(input.limit, 50)?);
    let state = world.logs.now(world.clock.now_ms());
    let group = state.groups.get(&name).ok_or_else(group_not_found)?;
    let mut streams: Vec<(&String, &Stream)> = group.streams.iter().filter(|(stream, _)| stream.starts_with(&prefix)).collect();
    if by_time {
        streams.sort_by_key(|(_, stream)| stream.last_event_ms().unwrap_or(stream.created_ms));
    }
    if input.descending {
        streams.reverse();
    }
    let describe = |(stream, content): &(&String, &Stream)| {
        let mut description = json!({
            "logStreamName": stream,
            "creationTime": content.created_ms,
            "arn": world.arn("logs", &format!("log-group:{name}:log-stream:{stream}")),
            "storedBytes": 0,
        });
        if let (Some(first), Some(last)) = (content.events.first(), content.events.last()) {
            description["firstEventTimestamp"] = first.timestamp.into();
            description["lastEventTimestamp"] = last.timestamp.into();
            description["lastIngestionTime"] = last.ingested_ms.into();
            description["uploadSequenceToken"] = content.events.len().to_string().into();
        }
        description
    };
    let page: Vec<Value> = streams.iter().skip(start).take(limit).map(describe).collect();
    let mut body = json!({"logStreams": page});
    if streams.len() > start + limit {
        body["nextToken"] = Value::from(format!("at-{}", start + limit));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Stream};

    #[test]
    fn a_stream_does_not_grow_without_end() {
        let mut stream = Stream::new(0);
        (0..5 * KEPT).for_each(|number| stream.push(i64::try_from(number).unwrap(), 0, String::new()));
        assert!((KEPT..2 * KEPT).contains(&stream.events.len()), "{}", stream.events.len());
        assert_eq!(stream.last_event_ms(), i64::try_from(5 * KEPT - 1).ok());
    }
}
