//! A log line, taken apart: what it says, and which invocation and connection it belongs to. Pure.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::provision::log_lines::Line;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lambda: a sandbox starts.
    InitStart,
    /// Lambda: a sandbox did not start.
    InitReport,
    /// Lambda: an invocation begins.
    Start,
    /// Lambda: an invocation is over.
    End,
    /// Lambda: what an invocation took.
    Report,
    /// Lambda: an invocation was ended, or its process ended itself.
    Crash,
    Route,
    Connected,
    Refused,
    Message,
    Disconnected,
    /// A client is told of a problem.
    Problem,
    /// Something that an operator may have to repair.
    Failed,
    /// Anything else.
    Other,
}

impl Kind {
    /// For programs and people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InitStart => "init",
            Self::InitReport => "init-failed",
            Self::Start => "start",
            Self::End => "end",
            Self::Report => "report",
            Self::Crash => "crash",
            Self::Route => "route",
            Self::Connected => "connected",
            Self::Refused => "refused",
            Self::Message => "message",
            Self::Disconnected => "disconnected",
            Self::Problem => "error",
            Self::Failed => "failed",
            Self::Other => "other",
        }
    }

    /// Whether it only says that Lambda does its work.
    pub(super) fn is_platform(self) -> bool {
        matches!(self, Self::InitStart | Self::Start | Self::End | Self::Report)
    }

    /// Whether something went wrong.
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::InitReport | Self::Crash | Self::Refused | Self::Problem | Self::Failed)
    }
}

/// A line and all that is known of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) line: Line,
    pub(super) kind: Kind,
    /// Lambda's id of the invocation.
    pub(super) request_id: Option<String>,
    pub(super) connection_id: Option<String>,
    /// What is left to say beside the columns.
    pub(super) detail: String,
}

impl Entry {
    /// For programs.
    pub(super) fn document(&self) -> Value {
        let Self { line, kind, request_id, connection_id, .. } = self;
        json!({
            "timestamp": line.timestamp,
            "stream": line.stream,
            "kind": kind.name(),
            "request_id": request_id,
            "connection_id": connection_id,
            "message": line.message,
        })
    }
}

/// What a line says by itself.
struct Said {
    kind: Kind,
    request_id: Option<String>,
    connection_id: Option<String>,
    detail: String,
}

impl Said {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, request_id: None, connection_id: None, detail: detail.into() }
    }

    fn of(message: &str) -> Self {
        if let Some(text) = message.strip_prefix("[WebSocket] ") {
            return Self::of_handler(text).unwrap_or_else(|| Self::new(Kind::Other, message));
        }
        if message.starts_with('{')
            && let Some(said) = Self::of_json(message)
        {
            return said;
        }
        Self::of_lambda(message)
    }

    /// `Route: $connect, ConnectionId: abc=`
    fn of_handler(text: &str) -> Option<Self> {
        let on = |kind, connection_id: &str, detail: &str| {
            Some(Self { connection_id: Some(connection_id.to_owned()), ..Self::new(kind, detail) })
        };
        if let Some(rest) = text.strip_prefix("Message from ") {
            let (connection_id, said) = rest.split_once(": ")?;
            return on(Kind::Message, connection_id, said.trim_start_matches("{ ").trim_end_matches(" }"));
        }
        let (word, rest) = text.split_once(": ")?;
        let (first, more) = rest.split_once(", ").unwrap_or((rest, ""));
        match word {
            "Route" => on(Kind::Route, more.strip_prefix("ConnectionId: ")?, first),
            "Connected" => on(Kind::Connected, first, more),
            "Refused" => on(Kind::Refused, first, more),
            "Disconnected" => on(Kind::Disconnected, first, more),
            "Error" => on(Kind::Problem, first, more),
            "Failed" => Some(Self::new(Kind::Failed, rest)),
            _ => None,
        }
    }

    /// The lines that Lambda writes beside those of the function (Lambda guide, log formats).
    fn of_lambda(message: &str) -> Self {
        let of = |kind, rest: &str| {
            let (id, more) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            Self { request_id: Some(id.to_owned()), ..Self::new(kind, more.trim().replace('\t', "  ")) }
        };
        for (lead, kind) in [("START RequestId: ", Kind::Start), ("END RequestId: ", Kind::End), ("REPORT RequestId: ", Kind::Report)] {
            if let Some(rest) = message.strip_prefix(lead) {
                return of(kind, rest);
            }
        }
        if let Some(rest) = message.strip_prefix("RequestId: ").filter(|rest| rest.contains(" Error: ")) {
            return of(Kind::Crash, rest);
        }
        if let Some((before, _)) = message.split_once(" Task timed out after ") {
            let id = before.rsplit(' ').next().unwrap_or_default();
            let detail = message.split_once(id).map_or(message, |(_, rest)| rest.trim());
            return Self { request_id: Some(id.to_owned()), ..Self::new(Kind::Crash, detail) };
        }
        if let Some(rest) = message.strip_prefix("INIT_START ") {
            return Self::new(Kind::InitStart, rest);
        }
        if let Some(rest) = message.strip_prefix("INIT_REPORT ") {
            return Self::new(Kind::InitReport, rest.replace('\t', "  "));
        }
        Self::new(Kind::Other, message)
    }

    /// The same, where the function's log format is JSON.
    fn of_json(message: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(message).ok()?;
        let record = &value["record"];
        let failed = record["status"].as_str().is_some_and(|status| status != "success");
        let kind = match value["type"].as_str()? {
            "platform.initStart" => Kind::InitStart,
            "platform.initReport" if failed => Kind::InitReport,
            "platform.start" => Kind::Start,
            "platform.runtimeDone" => Kind::End,
            "platform.report" => Kind::Report,
            _ => return None,
        };
        let request_id = record["requestId"].as_str().map(str::to_owned);
        Some(Self { request_id, ..Self::new(kind, record.to_string()) })
    }
}

/// What a sandbox is at: it has one event at a time.
#[derive(Default)]
struct Invocation {
    request_id: Option<String>,
    connection_id: Option<String>,
}

/// Reads lines in their order, and knows what each sandbox is at.
#[derive(Default)]
pub(super) struct Reader {
    streams: HashMap<String, Invocation>,
}

impl Reader {
    pub(super) fn read(&mut self, line: Line) -> Entry {
        let Said { kind, request_id, connection_id, detail } = Said::of(&line.message);
        let now = self.streams.entry(line.stream.clone()).or_default();
        let begins = matches!(kind, Kind::Start | Kind::InitStart);
        if begins || (request_id.is_some() && request_id != now.request_id) {
            *now = Invocation::default();
        }
        now.request_id = request_id.or_else(|| now.request_id.take());
        now.connection_id = connection_id.or_else(|| now.connection_id.take());
        Entry { request_id: now.request_id.clone(), connection_id: now.connection_id.clone(), line, kind, detail }
    }
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) text: Option<String>,
    pub(super) connection: Option<String>,
    pub(super) request: Option<String>,
}

/// Picks the lines that are wanted. Of an invocation whose connection is not known yet, the first lines wait until it is.
pub(super) struct Picker {
    wanted: Wanted,
    waiting: HashMap<String, Vec<Entry>>,
}

impl Picker {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self { wanted, waiting: HashMap::new() }
    }

    pub(super) fn pick(&mut self, entry: Entry) -> Vec<Entry> {
        let Wanted { text, connection, request } = &self.wanted;
        let fits = |entry: &Entry| {
            text.as_ref().is_none_or(|text| entry.line.message.contains(text.as_str()))
                && request.as_ref().is_none_or(|id| entry.request_id.as_ref() == Some(id) || entry.line.message.contains(id.as_str()))
        };
        let Some(wanted) = connection else { return Some(entry).filter(fits).into_iter().collect() };
        let waiting = self.waiting.entry(entry.line.stream.clone()).or_default();
        if waiting.last().is_some_and(|before| before.request_id != entry.request_id) {
            waiting.clear();
        }
        match &entry.connection_id {
            Some(id) if id == wanted => {
                let mut all = std::mem::take(waiting);
                all.push(entry);
                all.into_iter().filter(fits).map(|entry| Entry { connection_id: Some(wanted.clone()), ..entry }).collect()
            }
            Some(_) => {
                waiting.clear();
                Vec::new()
            }
            None => {
                waiting.push(entry);
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: &str, message: &str) -> Line {
        Line { id: String::new(), stream: stream.to_owned(), timestamp: 0, message: message.to_owned() }
    }

    fn two_sandboxes() -> Vec<Line> {
        vec![
            line("a", "INIT_START Runtime Version: provided:al2023.v1"),
            line("a", "START RequestId: r1 Version: $LATEST"),
            line("b", "START RequestId: r2 Version: $LATEST"),
            line("a", "[WebSocket] Route: $connect, ConnectionId: c1="),
            line("b", "[WebSocket] Route: sendMessage, ConnectionId: c2="),
            line("b", "[WebSocket] Message from c2=: { type: 'command' }"),
            line("a", "[WebSocket] Failed: the table of connections: no answer in time"),
            line("a", "[WebSocket] Refused: c1=, Status: 500, Reason: our own fault: the table"),
            line("b", "[WebSocket] Error: c2=, Code: backend_timeout, RequestId: g2="),
            line("a", "END RequestId: r1"),
            line("a", "REPORT RequestId: r1\tDuration: 3.10 ms\tBilled Duration: 4 ms\tMemory Size: 256 MB\tMax Memory Used: 20 MB\t"),
            line("b", "2026-01-31T12:00:00.000Z r2 Task timed out after 3.00 seconds"),
            line("b", "START RequestId: r3 Version: $LATEST"),
            line("b", "RequestId: r3 Error: Runtime exited with error: exit status 1"),
        ]
    }

    fn entries() -> Vec<Entry> {
        let mut reader = Reader::default();
        two_sandboxes().into_iter().map(|line| reader.read(line)).collect()
    }

    #[test]
    fn every_line_knows_its_invocation_and_connection() {
        let shown: Vec<String> = entries()
            .iter()
            .map(|entry| {
                let known = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
                format!("{} {} {} | {}", known(&entry.request_id), known(&entry.connection_id), entry.kind.name(), entry.detail)
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        - - init | Runtime Version: provided:al2023.v1
        r1 - start | Version: $LATEST
        r2 - start | Version: $LATEST
        r1 c1= route | $connect
        r2 c2= route | sendMessage
        r2 c2= message | type: 'command'
        r1 c1= failed | the table of connections: no answer in time
        r1 c1= refused | Status: 500, Reason: our own fault: the table
        r2 c2= error | Code: backend_timeout, RequestId: g2=
        r1 c1= end | 
        r1 c1= report | Duration: 3.10 ms  Billed Duration: 4 ms  Memory Size: 256 MB  Max Memory Used: 20 MB
        r2 c2= crash | Task timed out after 3.00 seconds
        r3 - start | Version: $LATEST
        r3 - crash | Error: Runtime exited with error: exit status 1
        ");
    }

    #[test]
    fn all_of_a_connection_is_picked_even_what_does_not_name_it() {
        let mut picker = Picker::new(Wanted { connection: Some("c1=".to_owned()), ..Wanted::default() });
        let kinds: Vec<&str> = entries().into_iter().flat_map(|entry| picker.pick(entry)).map(|entry| entry.kind.name()).collect();
        assert_eq!(kinds, ["start", "route", "failed", "refused", "end", "report"]);
    }

    #[test]
    fn an_invocation_is_found_by_both_of_its_ids() {
        for (id, count) in [("r2", 5), ("g2=", 1), ("nobody", 0)] {
            let mut picker = Picker::new(Wanted { request: Some(id.to_owned()), ..Wanted::default() });
            assert_eq!(entries().into_iter().flat_map(|entry| picker.pick(entry)).count(), count, "{id}");
        }
        let mut picker = Picker::new(Wanted { text: Some("Refused".to_owned()), ..Wanted::default() });
        assert_eq!(entries().into_iter().flat_map(|entry| picker.pick(entry)).count(), 1);
    }

    #[test]
    fn lines_of_the_json_format_say_the_same() {
        let mut reader = Reader::default();
        let start = reader.read(line("a", r#"{"time":"t","type":"platform.start","record":{"requestId":"r1","version":"$LATEST"}}"#));
        assert_eq!((start.kind, start.request_id.as_deref()), (Kind::Start, Some("r1")));
        let report = reader
            .read(line("a", r#"{"type":"platform.report","record":{"requestId":"r1","status":"success","metrics":{"durationMs":3.1}}}"#));
        assert_eq!(report.kind, Kind::Report);
        assert_eq!(reader.read(line("a", r#"{"type":"platform.initReport","record":{"status":"error"}}"#)).kind, Kind::InitReport);
        assert_eq!(reader.read(line("a", r#"{"type":"mine"}"#)).kind, Kind::Other);
        assert_eq!(reader.read(line("a", "{not json")).kind, Kind::Other);
    }
}
