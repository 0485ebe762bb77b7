//! What a sandbox writes to CloudWatch Logs: the platform's own lines and the function's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::model::Settings;
use crate::local::ids;
use crate::local::wire::Caller;
use crate::local::world::World;

/// What `LogType=Tail` gives back, in bytes.
const TAIL: usize = 4096;

/// The log stream of one sandbox.
pub(super) struct Logs {
    world: Weak<World>,
    caller: Caller,
    pub(super) group: String,
    pub(super) stream: String,
    json: bool,
    memory_size: u64,
    tail: Mutex<VecDeque<String>>,
}

/// What a finished event took.
pub(super) struct Report {
    pub duration: Duration,
    pub init: Option<Duration>,
    /// Megabytes.
    pub memory: u64,
    /// `success`, `error`, `timeout`
    pub status: &'static str,
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

impl Logs {
    /// A stream named as Lambda names them. Lines are written with the rights of the function's role.
    pub(super) fn new(world: &Arc<World>, name: &str, settings: &Settings) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp(world.clock.now_ms() / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let day = moment.format(format_description!("[year]/[month]/[day]")).unwrap_or_default();
        Self {
            world: Arc::downgrade(world),
            caller: world.session_caller(&settings.role, name),
            group: settings.logging.group.clone(),
            stream: format!("{day}/[$LATEST]{}", ids::hex(&ids::bytes::<16>())),
            json: settings.logging.json,
            memory_size: settings.memory_size,
            tail: Mutex::default(),
        }
    }

    /// Writes lines of the function.
    pub(super) fn write(&self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        if let Ok(mut tail) = self.tail.lock() {
            tail.extend(lines.iter().cloned());
            let mut size: usize = tail.iter().map(|line| line.len() + 1).sum();
            while size > TAIL && tail.len() > 1 {
                size -= tail.pop_front().map_or(0, |line| line.len() + 1);
            }
        }
        if let Some(world) = self.world.upgrade() {
            world.write_logs(&self.caller, &self.group, &self.stream, lines);
        }
    }

    /// The last lines, at most 4 KB.
    pub(super) fn tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let text: String = tail.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let mut start = text.len().saturating_sub(TAIL);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text[start..].to_owned()
    }

    fn platform(&self, text: String, kind: &str, record: Value) {
        let line =
            if self.json { json!({ "time": self.now(), "type": format!("platform.{kind}"), "record": record }).to_string() } else { text };
        self.write(&[line]);
    }

    /// `2026-01-31T12:00:00.000Z`
    fn now(&self) -> String {
        let milliseconds = self.world.upgrade().map_or(0, |world| world.clock.now_ms());
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        moment.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(form).unwrap_or_default()
    }

    pub(super) fn init_start(&self, runtime: &str) {
        let runtime = runtime.replace("provided.", "provided:");
        let record = json!({ "initializationType": "on-demand", "phase": "init", "runtimeVersion": runtime });
        self.platform(format!("INIT_START Runtime Version: {runtime}"), "initStart", record);
    }

    pub(super) fn init_report(&self, duration: Duration, status: &str, error_type: &str) {
        let took = milliseconds(duration);
        let text = format!("INIT_REPORT Init Duration: {took:.2} ms\tPhase: init\tStatus: {status}\tError Type: {error_type}");
        let record = json!({
            "initializationType": "on-demand", "phase": "init", "status": status, "errorType": error_type,
            "metrics": { "durationMs": took },
        });
        self.platform(text, "initReport", record);
    }

    pub(super) fn start(&self, request_id: &str) {
        if let Ok(mut tail) = self.tail.lock() {
            tail.clear();
        }
        let record = json!({ "requestId": request_id, "version": "$LATEST" });
        self.platform(format!("START RequestId: {request_id} Version: $LATEST"), "start", record);
    }

    /// `2026-01-31T12:00:00.000Z ID Task timed out after 3.00 seconds`; JSON has it in the report alone.
    pub(super) fn timed_out(&self, request_id: &str, text: &str) {
        if !self.json {
            self.write(&[format!("{} {request_id} {text}", self.now())]);
        }
    }

    /// The `END` and `REPORT` lines.
    pub(super) fn end(&self, request_id: &str, report: &Report) {
        let took = milliseconds(report.duration);
        let billed = (report.duration + report.init.unwrap_or_default()).as_secs_f64() * 1000.0;
        let (billed, size, used) = (billed.ceil(), self.memory_size, report.memory);
        let mut text = format!(
            "REPORT RequestId: {request_id}\tDuration: {took:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {size} MB\tMax Memory Used: {used} MB\t"
        );
        let mut metrics = json!({ "durationMs": took, "billedDurationMs": billed, "memorySizeMB": size, "maxMemoryUsedMB": used });
        if let Some(init) = report.init {
            text.push_str(&format!("Init Duration: {:.2} ms\t", milliseconds(init)));
            metrics["initDurationMs"] = milliseconds(init).into();
        }
        if !self.json {
            self.write(&[format!("END RequestId: {request_id}")]);
        }
        self.platform(text, "report", json!({ "requestId": request_id, "status": report.status, "metrics": metrics }));
    }
}
