//! The lines of the function's log group: read, followed without losing or doubling one, and why there are none.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Answer;
use super::aws::Clients;
use super::desired::Desired;
use super::error::{AwsError, Cause, Error};
use super::evidence;
use super::observed::{Found, Observed};
use super::plan::ApiCall;
use super::resource::Context;
use super::{Stop, roles};
use crate::config::Config;

const FILTER_LOG_EVENTS: ApiCall = ApiCall { name: "FilterLogEvents", iam: "logs:FilterLogEvents" };
const DESCRIBE_LOG_STREAMS: ApiCall = ApiCall { name: "DescribeLogStreams", iam: "logs:DescribeLogStreams" };

/// What Lambda writes the lines with, as the role.
const WRITES: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// Pages that are read where all is wanted at once.
const MOST_PAGES: usize = 20;

/// Lines come in up to so many milliseconds after others that are younger.
const LATE_MS: i64 = 120_000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What CloudWatch Logs knows it by; the same in every answer.
    pub id: String,
    /// The log stream: one for each sandbox of the function.
    pub stream: String,
    /// When it was written, epoch milliseconds.
    pub timestamp: i64,
    /// The line, without its end.
    pub message: String,
}

/// How a reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All there is was handed over.
    Done,
    /// Somebody asked to stop.
    Stopped,
    /// There is no such log group.
    NoGroup,
}

/// The log group of a stack's function.
pub struct LogGroup {
    clients: Clients,
    name: String,
}

impl LogGroup {
    /// That of the function which the config names. Calls nobody but what the credentials need.
    ///
    /// # Errors
    /// When there is no Region.
    pub async fn of(config: &Config) -> Result<Self, Error> {
        let clients = Clients::connect(&config.connection).await.map_err(|refusal| Error::Refused(vec![refusal]))?;
        Ok(Self { clients, name: Desired::partly(config).log_group() })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands over its lines since then (epoch milliseconds), page by page, by their time.
    ///
    /// # Errors
    /// When they may not be read, or there is no answer.
    pub async fn read(&self, since: i64, stop: &Stop, take: impl FnMut(Vec<Line>)) -> Result<Reading, Error> {
        Ok(pages(&self.clients, &self.name, since, stop, take).await?)
    }
}

/// One page of a group's lines since then (epoch milliseconds), by their time, and what the next page is asked for with. A page has up to 10,000
/// lines or 1 MB; an empty one need not be the last (CloudWatch Logs, FilterLogEvents).
async fn page(clients: &Clients, group: &str, since: i64, token: Option<String>) -> Result<(Vec<Line>, Option<String>), AwsError> {
    let call = clients.logs.filter_log_events().log_group_name(group).start_time(since).set_next_token(token);
    let page = call.send().await.explain(FILTER_LOG_EVENTS, group)?;
    let line = |event: &aws_sdk_cloudwatchlogs::types::FilteredLogEvent| Line {
        id: event.event_id().unwrap_or_default().to_owned(),
        stream: event.log_stream_name().unwrap_or_default().to_owned(),
        timestamp: event.timestamp().unwrap_or_default(),
        message: event.message().unwrap_or_default().trim_end().to_owned(),
    };
    let mut lines: Vec<Line> = page.events().iter().map(line).collect();
    lines.sort_by_key(|line| line.timestamp);
    Ok((lines, page.next_token().filter(|token| !token.is_empty()).map(str::to_owned)))
}

/// Hands over the lines of a group since then, page by page.
async fn pages(clients: &Clients, group: &str, since: i64, stop: &Stop, mut take: impl FnMut(Vec<Line>)) -> Result<Reading, AwsError> {
    let mut token = None;
    loop {
        let (lines, next) = match page(clients, group, since, token).await {
            Err(error) if error.cause == Cause::NotFound => return Ok(Reading::NoGroup),
            read => read?,
        };
        take(lines);
        if next.is_none() {
            return Ok(Reading::Done);
        }
        if stop.requested() {
            return Ok(Reading::Stopped);
        }
        token = next;
    }
}

/// Lines, as many as were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// In the order in which CloudWatch Logs tells them.
    pub lines: Vec<Line>,
    /// There are more that were not read.
    pub cut: bool,
}

/// The lines of a group since then (epoch milliseconds), at once. A group that is not there is an error.
pub(crate) async fn since(clients: &Clients, group: &str, since: i64) -> Result<Lines, AwsError> {
    let (mut read, mut token) = (Lines::default(), None);
    for _ in 0..MOST_PAGES {
        let (lines, next) = page(clients, group, since, token).await?;
        read.lines.extend(lines);
        if next.is_none() {
            return Ok(read);
        }
        token = next;
    }
    read.cut = true;
    Ok(read)
}

/// Which lines of overlapping readings are new.
#[derive(Debug)]
pub struct Follower {
    from: i64,
    newest: i64,
    /// The ids of the lines since `from`, by their time.
    seen: BTreeMap<i64, BTreeSet<String>>,
}

impl Follower {
    /// Follows from then on, in epoch milliseconds.
    #[must_use]
    pub fn new(from: i64) -> Self {
        Self { from, newest: from, seen: BTreeMap::new() }
    }

    /// Where the next reading has to begin.
    #[must_use]
    pub fn from(&self) -> i64 {
        self.from
    }

    /// Those that were not handed over before.
    pub fn fresh(&mut self, lines: Vec<Line>) -> Vec<Line> {
        lines.into_iter().filter(|line| self.seen.entry(line.timestamp).or_default().insert(line.id.clone())).collect()
    }

    /// A reading is complete: the next one begins as far back as lines may still come in. `now` (epoch milliseconds) keeps a line with a wrong time from
    /// ending it all.
    pub fn complete(&mut self, now: i64) {
        let newest = self.seen.range(..=now).next_back().map_or(self.newest, |(timestamp, _)| *timestamp);
        self.newest = self.newest.max(newest);
        self.from = self.from.max(self.newest - LATE_MS);
        self.seen = self.seen.split_off(&self.from);
    }
}

/// Why no line can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// In sentences, the weightiest first; empty: nothing stands in the way.
    pub reasons: Vec<String>,
    /// Whether there is a function at all, as far as that is known.
    pub function: bool,
    /// When the youngest line was written, in epoch milliseconds, where that is known.
    pub last: Option<i64>,
}

/// Why no line can be read, of a stack that was looked at.
pub(crate) async fn silence(cx: &Context<'_>, seen: &Observed) -> Result<Silence, AwsError> {
    let (function, group) = (&cx.want.function.name, cx.want.log_group());
    let mut silence = Silence { function: true, ..Silence::default() };
    match &seen.function {
        Found::Present(_) => {}
        Found::Absent => {
            silence.function = false;
            silence.reasons.push(format!("there is no function `{function}` in {}", seen.place.region));
            return Ok(silence);
        }
        Found::Unknown(why) => silence.reasons.push(format!("whether there is a function `{function}` cannot be read: {why}")),
    }
    let denied = unwritable(cx, seen);
    let writes = denied.is_none();
    silence.reasons.extend(denied);
    match &seen.log_group {
        Found::Absent => silence.reasons.push(format!(
            "there is no log group {group}: {}",
            match writes {
                true => "the function was never invoked, or the group was deleted; `wsfix provision` makes it anew",
                false => "`wsfix provision` makes it",
            }
        )),
        Found::Unknown(why) => silence.reasons.push(format!("whether there is a log group {group} cannot be read: {why}")),
        Found::Present(_) => match Found::optional(last_line(cx, &group).await)? {
            Found::Present(Some(last)) => silence.last = Some(last),
            Found::Present(None) if writes => {
                silence.reasons.push(format!("the function was never invoked: log group {group} has no stream"))
            }
            Found::Present(None) | Found::Absent | Found::Unknown(_) => {}
        },
    }
    Ok(silence)
}

/// Why the function's role may not write lines, where that is known.
fn unwritable(cx: &Context<'_>, seen: &Observed) -> Option<String> {
    let role = roles::judged(&cx.want, seen)?;
    let writes = role.permissions.iter().filter(|permission| WRITES.contains(&permission.action));
    let denied: Vec<_> = writes.filter(|permission| matches!(permission.answer, evidence::Answer::Denied(_))).collect();
    let actions: Vec<&str> = denied.iter().map(|permission| permission.action).collect();
    Some(format!(
        "the function's role {} may not write logs: {} is denied ({}); the function works, and no line of it will ever be there. `wsfix roles {}` says what to ask for",
        role.arn,
        roles::together(&actions),
        denied.first()?.answer.because(),
        role.name()
    ))
}

/// When the youngest stream of a group got its last line, in epoch milliseconds; AWS knows it some minutes late. `None`: there is no stream.
async fn last_line(cx: &Context<'_>, group: &str) -> Result<Option<i64>, AwsError> {
    let call = cx.clients.logs.describe_log_streams().log_group_name(group).order_by(aws_sdk_cloudwatchlogs::types::OrderBy::LastEventTime);
    let answer = call.descending(true).limit(1).send().await.explain(DESCRIBE_LOG_STREAMS, group)?;
    Ok(answer.log_streams().first().map(|stream| stream.last_event_timestamp().or(stream.creation_time()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, timestamp: i64) -> Line {
        Line { id: id.to_owned(), stream: "s".to_owned(), timestamp, message: id.to_owned() }
    }

    fn ids(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.id).collect()
    }

    #[test]
    fn overlapping_readings_lose_and_double_nothing() {
        let mut follower = Follower::new(1_000_000);
        assert_eq!(ids(follower.fresh(vec![line("a", 1_000_001), line("b", 1_000_001)])), ["a", "b"]);
        follower.complete(1_000_500);
        assert_eq!(follower.from(), 1_000_000);
        // One of the same millisecond, and one from before, come in late.
        let read = vec![line("late", 1_000_000), line("a", 1_000_001), line("b", 1_000_001), line("c", 1_000_001), line("d", 1_000_900)];
        assert_eq!(ids(follower.fresh(read)), ["late", "c", "d"]);
        follower.complete(1_001_000);
        // Far later the beginning moves on, and what lies before it is forgotten.
        assert_eq!(ids(follower.fresh(vec![line("e", 1_500_000)])), ["e"]);
        follower.complete(1_500_001);
        assert_eq!(follower.from(), 1_500_000 - LATE_MS);
        assert_eq!(follower.seen.values().map(BTreeSet::len).sum::<usize>(), 1);
        assert_eq!(ids(follower.fresh(vec![line("f", 1_500_000 - LATE_MS), line("e", 1_500_000)])), ["f"]);
    }

    #[test]
    fn a_reading_that_breaks_off_is_repeated_without_doubles() {
        let mut follower = Follower::new(0);
        assert_eq!(ids(follower.fresh(vec![line("a", 500_000)])), ["a"]);
        // The second page failed: the next reading begins where this one did.
        assert_eq!(follower.from(), 0);
        assert_eq!(ids(follower.fresh(vec![line("a", 500_000), line("b", 600_000)])), ["b"]);
    }

    #[test]
    fn a_line_from_the_future_does_not_end_it() {
        let mut follower = Follower::new(0);
        follower.fresh(vec![line("a", 1_000), line("wrong", i64::MAX)]);
        follower.complete(2_000);
        assert_eq!(follower.from(), 0);
        assert_eq!(ids(follower.fresh(vec![line("b", 1_500), line("wrong", i64::MAX)])), ["b"]);
    }
}
