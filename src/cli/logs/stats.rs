//! What many invocations took together. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::style::{Paint, count, duration, printable};

use super::line::{Entry, Kind};

/// Counted so far.
#[derive(Debug, Default)]
pub(super) struct Stats {
    invocations: usize,
    routes: BTreeMap<&'static str, usize>,
    durations: Vec<f64>,
    billed: f64,
    inits: Vec<f64>,
    memory_size: u64,
    memory_used: u64,
    accepted: usize,
    refused: BTreeMap<String, usize>,
    problems: BTreeMap<String, usize>,
    failed: BTreeMap<String, usize>,
    /// The invocations that ran into the time limit.
    timeouts: BTreeSet<String>,
    /// Those whose process ended.
    exits: BTreeSet<String>,
    failed_inits: usize,
}

impl Stats {
    pub(super) fn add(&mut self, entry: &Entry) {
        let detail = &entry.detail;
        let one = |counts: &mut BTreeMap<String, usize>, key: &str| *counts.entry(key.to_owned()).or_default() += 1;
        let id = || entry.request_id.clone().unwrap_or_default();
        match entry.kind {
            Kind::Report => self.report(&entry.line.message, id()),
            Kind::Route => {
                let route = match detail.as_str() {
                    "$connect" => "connect",
                    "$disconnect" => "disconnect",
                    _ => "message",
                };
                *self.routes.entry(route).or_default() += 1;
            }
            Kind::Connected => self.accepted += 1,
            Kind::Refused => one(&mut self.refused, after(detail, "Status: ").unwrap_or("?")),
            Kind::Problem => one(&mut self.problems, after(detail, "Code: ").unwrap_or("?")),
            Kind::Failed => one(&mut self.failed, detail.split(": ").next().unwrap_or(detail)),
            Kind::Crash if detail.contains("Task timed out") => drop(self.timeouts.insert(id())),
            Kind::Crash => drop(self.exits.insert(id())),
            Kind::InitReport => self.failed_inits += 1,
            Kind::InitStart | Kind::Start | Kind::End | Kind::Message | Kind::Disconnected | Kind::Other => {}
        }
    }

    /// `REPORT RequestId: ...\tDuration: 3.10 ms\tBilled Duration: 4 ms\t...`, or the same in JSON.
    fn report(&mut self, message: &str, id: String) {
        let json: Value = serde_json::from_str(message).unwrap_or_default();
        let record = &json["record"];
        let number = |name: &str, member: &str| {
            let text =
                message.split('\t').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix(": ")?.split(' ').next()?.parse().ok());
            text.or_else(|| record["metrics"][member].as_f64())
        };
        self.invocations += 1;
        self.durations.extend(number("Duration", "durationMs"));
        self.inits.extend(number("Init Duration", "initDurationMs"));
        self.billed += number("Billed Duration", "billedDurationMs").unwrap_or_default();
        let megabytes = |name, member| number(name, member).map_or(0, |number| number as u64);
        self.memory_size = self.memory_size.max(megabytes("Memory Size", "memorySizeMB"));
        self.memory_used = self.memory_used.max(megabytes("Max Memory Used", "maxMemoryUsedMB"));
        let status = message.split('\t').find_map(|field| field.trim().strip_prefix("Status: ")).or_else(|| record["status"].as_str());
        match status {
            Some("timeout") => drop(self.timeouts.insert(id)),
            Some("error" | "failure") => drop(self.exits.insert(id)),
            _ => {}
        }
    }

    /// For programs; times in milliseconds.
    pub(super) fn document(&self) -> Value {
        json!({
            "invocations": self.invocations,
            "routes": self.routes,
            "cold_starts": self.inits.len(),
            "init_ms": Percentiles::of(&self.inits).map(Percentiles::document),
            "duration_ms": Percentiles::of(&self.durations).map(Percentiles::document),
            "billed_ms": self.billed,
            "memory_mb": { "size": self.memory_size, "most": self.memory_used },
            "accepted": self.accepted,
            "refused": self.refused,
            "errors": self.problems,
            "failed": self.failed,
            "timeouts": self.timeouts.len(),
            "exits": self.exits.len(),
            "failed_inits": self.failed_inits,
        })
    }

    /// For people.
    pub(super) fn text(&self, paint: Paint) -> String {
        let listed = |counts: &BTreeMap<String, usize>| {
            counts.iter().map(|(key, number)| format!("{} {number}", printable(key))).collect::<Vec<_>>().join(", ")
        };
        let mut text = String::new();
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "{}  {value}", paint.bold(&format!("{name:12}")));
        };
        let routes: Vec<String> = self.routes.iter().map(|(route, number)| format!("{route} {number}")).collect();
        let routes = if routes.is_empty() { String::new() } else { format!("  ({})", routes.join(", ")) };
        row("invocations", &format!("{}{routes}", self.invocations));
        row("duration", &Percentiles::words(&self.durations));
        row("cold starts", format!("{}  {}", self.inits.len(), Percentiles::words(&self.inits)).trim_end());
        row("billed", &duration(millis(self.billed)));
        row("memory", &format!("{} of {} MB", self.memory_used, self.memory_size));
        let refused: usize = self.refused.values().sum();
        let statuses = if refused == 0 { String::new() } else { format!(" ({})", listed(&self.refused)) };
        row("handshakes", &format!("{} accepted, {refused} refused{statuses}", self.accepted));
        let bad = |counts: &BTreeMap<String, usize>| if counts.is_empty() { "0".to_owned() } else { paint.red(&listed(counts)) };
        row("errors", &bad(&self.problems));
        row("failed", &bad(&self.failed));
        let crashes = self.timeouts.len() + self.exits.len() + self.failed_inits;
        let told = format!(
            "{}, {}, {}",
            count(self.timeouts.len(), "timeout"),
            count(self.exits.len(), "exit"),
            count(self.failed_inits, "failed start")
        );
        row("crashes", &if crashes == 0 { "0".to_owned() } else { paint.red(&told) });
        text
    }
}

/// What stands between `name` and the next comma.
fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(", ").find_map(|part| part.strip_prefix(name))
}

fn millis(number: f64) -> Duration {
    Duration::try_from_secs_f64(number / 1000.0).unwrap_or_default()
}

/// The smallest values that so many of all do not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Percentiles {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Percentiles {
    fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let max = *sorted.last()?;
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1];
        Some(Self { p50: rank(50), p90: rank(90), p99: rank(99), max })
    }

    fn document(self) -> Value {
        json!({ "p50": self.p50, "p90": self.p90, "p99": self.p99, "max": self.max })
    }

    fn words(values: &[f64]) -> String {
        let Some(Self { p50, p90, p99, max }) = Self::of(values) else { return String::new() };
        let [p50, p90, p99, max] = [p50, p90, p99, max].map(|number| duration(millis(number)));
        format!("p50 {p50}, p90 {p90}, p99 {p99}, most {max}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Reader;
    use super::*;
    use crate::provision::log_lines::Line;

    fn stats(messages: &[String]) -> Stats {
        let (mut reader, mut stats) = (Reader::default(), Stats::default());
        for message in messages {
            stats.add(&reader.read(Line { id: String::new(), stream: "s".to_owned(), timestamp: 0, message: message.clone() }));
        }
        stats
    }

    #[test]
    fn an_hour_in_a_few_lines() {
        let mut lines: Vec<String> = (1..=100)
            .flat_map(|number| {
                let init = if number == 1 { "Init Duration: 48.20 ms\t" } else { "" };
                [
                    format!("START RequestId: r{number} Version: $LATEST"),
                    "[WebSocket] Route: sendMessage, ConnectionId: c=".to_owned(),
                    format!(
                        "REPORT RequestId: r{number}\tDuration: {number}.00 ms\tBilled Duration: {number} ms\tMemory Size: 256 MB\tMax Memory Used: 30 MB\t{init}"
                    ),
                ]
            })
            .collect();
        lines.extend(
            [
                "[WebSocket] Connected: c=, Session: s",
                "[WebSocket] Refused: d=, Status: 401, Reason: the token has expired",
                "[WebSocket] Refused: e=, Status: 401, Reason: no token where one is looked for",
                "[WebSocket] Error: c=, Code: backend_timeout, RequestId: g=",
                "[WebSocket] Failed: the backend: no answer in time",
                "START RequestId: t Version: $LATEST",
                "2026-01-31T12:00:00.000Z t Task timed out after 28.00 seconds",
                "REPORT RequestId: t\tDuration: 28000.00 ms\tBilled Duration: 28000 ms\tMemory Size: 256 MB\tMax Memory Used: 31 MB\tStatus: timeout",
                "INIT_REPORT Init Duration: 10.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError",
            ]
            .map(str::to_owned),
        );
        insta::assert_snapshot!(stats(&lines).text(Paint::new(false)), @r"
        invocations   101  (message 100)
        duration      p50 51 ms, p90 91 ms, p99 100 ms, most 28.0 s
        cold starts   1  p50 48 ms, p90 48 ms, p99 48 ms, most 48 ms
        billed        33.0 s
        memory        31 of 256 MB
        handshakes    1 accepted, 2 refused (401 2)
        errors        backend_timeout 1
        failed        the backend 1
        crashes       1 timeout, 0 exits, 1 failed start
        ");
    }

    #[test]
    fn nothing_is_counted_without_lines() {
        let document = stats(&[]).document();
        assert_eq!((&document["invocations"], &document["duration_ms"]), (&json!(0), &Value::Null));
        assert!(!stats(&[]).text(Paint::new(false)).is_empty());
    }

    #[test]
    fn reports_of_the_json_format_count_too() {
        let report = json!({ "type": "platform.report", "record": { "requestId": "r", "status": "timeout",
            "metrics": { "durationMs": 3.5, "billedDurationMs": 4, "memorySizeMB": 256, "maxMemoryUsedMB": 21, "initDurationMs": 9.0 } } });
        let document = stats(&[report.to_string()]).document();
        assert_eq!((&document["duration_ms"]["max"], &document["cold_starts"], &document["timeouts"]), (&json!(3.5), &json!(1), &json!(1)));
    }
}
