//! How many calls the pipelines make, how long the chains are in which one waits for the other, and what that costs in time.
//!
//! `cargo bench --bench provision` prints one table; it ends with 1 where an aim is missed. A part alone: `-- chains`, `like_aws`, `binaries`.

#![allow(clippy::print_stdout, reason = "the table is what this is for")]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, unreachable_pub, clippy::wildcard_enum_match_arm, reason = "shared with the tests, which use the rest")]
mod support;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use comfy_table::{Cell, CellAlignment, Table};
use support::Sandbox;
use wsfix::local::calls::CallRecord;
use wsfix::local::{Delays, Options};

const TOOL: &str = env!("CARGO_BIN_EXE_wsfix");
/// Added to every call: about what a call to a near Region takes.
const CALL: Duration = Duration::from_millis(100);
const TABLE: Duration = Duration::from_secs(8);
const FUNCTION: Duration = Duration::from_secs(2);
/// What is repeated until AWS is done; only the first call of each is a look.
const POLLED: &[&str] =
    &["DescribeTable", "GetFunction", "GetFunctionConfiguration", "GetStage", "GetStages", "GetDeployment", "DescribeLogGroups"];

/// What one run of a pipeline cost.
struct Run {
    calls: Vec<CallRecord>,
    took: Duration,
}

impl Run {
    fn of(sandbox: &Sandbox, pipeline: impl FnOnce(&Sandbox)) -> Self {
        sandbox.cloud.calls().clear();
        let started = Instant::now();
        pipeline(sandbox);
        Self { took: started.elapsed(), calls: sandbox.cloud.calls().all() }
    }

    /// Without polls.
    fn counted(&self) -> Vec<CallRecord> {
        let mut seen = Vec::new();
        let mut calls = self.calls.clone();
        calls.sort_by_key(|call| call.started);
        calls.retain(|call| {
            let poll = POLLED.contains(&call.operation.as_str()) && seen.contains(&call.operation);
            seen.push(call.operation.clone());
            !poll
        });
        calls
    }

    fn chain(&self) -> Vec<String> {
        support::chain(&self.counted())
    }

    fn mutating(&self) -> usize {
        self.calls.iter().filter(|call| call.is_mutating()).count()
    }

    /// The time as a share of what its calls took together.
    fn share(&self) -> f64 {
        self.took.as_secs_f64() / support::sum(&self.calls).as_secs_f64()
    }
}

/// A part of the benchmark, which adds its rows.
type Part = fn(&mut Report);

/// The rows of the table.
#[derive(Default)]
struct Report {
    rows: Vec<[String; 4]>,
    missed: bool,
}

impl Report {
    fn row(&mut self, name: &str, value: f64, unit: &str, aim: Option<f64>) {
        let number = |value: f64| if unit.is_empty() && value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}{unit}") };
        let ratio = aim.filter(|aim| *aim > 0.0).map_or(String::new(), |aim| format!("{:.2}", value / aim));
        self.missed |= aim.is_some_and(|aim| value > aim);
        self.rows.push([name.to_owned(), number(value), aim.map_or(String::new(), |aim| format!("<= {}", number(aim))), ratio]);
    }

    fn run(&mut self, name: &str, run: &Run, chain: Option<f64>, share: Option<f64>) {
        self.row(&format!("{name}: calls"), count(run.calls.len()), "", None);
        self.row(&format!("{name}: calls without polls"), count(run.counted().len()), "", None);
        self.row(&format!("{name}: longest chain"), count(run.chain().len()), "", chain);
        self.row(&format!("{name}: time"), run.took.as_secs_f64(), " s", None);
        self.row(&format!("{name}: time / sum of its calls"), run.share(), "", share);
    }

    fn show(&self) {
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN).set_header(["what", "measured", "aim", "measured / aim"]);
        for row in &self.rows {
            let [name, rest @ ..] = row;
            let numbers = rest.iter().map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
            table.add_row(std::iter::once(Cell::new(name)).chain(numbers));
        }
        println!("{table}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn count(number: usize) -> f64 {
    number as f64
}

fn sandbox(delays: Delays) -> Sandbox {
    let mut sandbox = Sandbox::with(Options { delays, ..Options::default() });
    sandbox.config.api.routes = vec!["sendMessage".to_owned()];
    sandbox
}

fn provision(sandbox: &Sandbox) {
    sandbox.provision();
}

fn chains(report: &mut Report) {
    let sandbox = sandbox(Delays { call: CALL, ..Delays::default() });
    let fresh = Run::of(&sandbox, provision);
    let again = Run::of(&sandbox, provision);
    let gone = Run::of(&sandbox, |sandbox| drop(sandbox.teardown()));
    report.run("provision", &fresh, Some(8.0), Some(0.4));
    report.run("provision, nothing to do", &again, Some(3.0), None);
    report.row("provision, nothing to do: mutating calls", count(again.mutating()), "", Some(0.0));
    report.run("teardown", &gone, Some(10.0), None);
    for (name, run) in [("provision", &fresh), ("provision, nothing to do", &again), ("teardown", &gone)] {
        println!("{name}: {}", run.chain().join(" > "));
    }
}

fn like_aws(report: &mut Report) {
    let sandbox = sandbox(Delays { call: CALL, table: TABLE, function: FUNCTION, ..Delays::default() });
    let fresh = Run::of(&sandbox, provision);
    report.row(
        "provision, table 8 s, function 2 s: time without the table's",
        (fresh.took.saturating_sub(TABLE)).as_secs_f64(),
        " s",
        Some(2.0),
    );
}

/// Runs the tool and answers what it prints.
fn tool(arguments: &[&str]) -> serde_json::Value {
    let ended = Command::new(TOOL).args(arguments).stdin(Stdio::null()).output().expect("the tool runs");
    assert!(ended.status.success(), "wsfix {}: {}", arguments.join(" "), String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&ended.stdout).expect("a document")
}

fn binaries(report: &mut Report) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("handler.zip");
    let built = tool(&["build", "--output", "json", "--out", &out.to_string_lossy()]);
    let bytes = built["result"]["bytes"].as_f64().expect("a size");
    report.row("handler's zip", bytes / 1e6, " MB", Some(4.0));
    let once = |_| {
        let started = Instant::now();
        tool(&["dev", "--once", "--output", "json"]);
        started.elapsed().as_secs_f64()
    };
    let best = (0..3).map(once).fold(f64::INFINITY, f64::min);
    report.row("dev --once, the best of 3", best, " s", Some(3.0));
}

fn main() -> ExitCode {
    let parts: [(&str, Part); 3] = [("chains", chains), ("like_aws", like_aws), ("binaries", binaries)];
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut report = Report::default();
    for (name, part) in parts {
        if named.is_empty() || named.iter().any(|wanted| wanted == name) {
            part(&mut report);
        }
    }
    println!();
    report.show();
    ExitCode::from(u8::from(report.missed))
}
