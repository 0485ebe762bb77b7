//! What the tour went through: each check with its evidence and its time.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::style::{self, Paint, duration, printable};
use crate::cli::ui::Ui;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// It could not be told here; the evidence says why.
    Skipped,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of the checklist.
#[derive(Clone, Debug)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    evidence: String,
    time: Duration,
}

/// The checklist; every check is told as soon as it is known.
pub(super) struct Checklist<'a> {
    ui: &'a Ui,
    started: Instant,
    last: RefCell<Instant>,
    checks: RefCell<Vec<Check>>,
}

impl<'a> Checklist<'a> {
    pub(super) fn new(ui: &'a Ui, started: Instant) -> Self {
        Self { ui, started, last: RefCell::new(started), checks: RefCell::default() }
    }

    /// A check that passed; it took the time since the one before.
    pub(super) fn passed(&self, name: &'static str, evidence: impl Into<String>) {
        self.add(name, Verdict::Passed, evidence.into());
    }

    /// A check that failed.
    pub(super) fn failed(&self, name: &'static str, evidence: impl Into<String>) {
        self.add(name, Verdict::Failed, evidence.into());
    }

    /// A check that cannot be made here.
    pub(super) fn skipped(&self, name: &'static str, why: impl Into<String>) {
        self.add(name, Verdict::Skipped, why.into());
    }

    /// Passed or failed, with the evidence of either.
    pub(super) fn judge(&self, name: &'static str, outcome: Result<String, String>) {
        match outcome {
            Ok(evidence) => self.passed(name, evidence),
            Err(evidence) => self.failed(name, evidence),
        }
    }

    /// A check that passed, and that somebody else timed.
    pub(super) fn passed_in(&self, name: &'static str, evidence: impl Into<String>, time: Duration) {
        self.last.replace(Instant::now());
        self.put(name, Verdict::Passed, evidence.into(), time);
    }

    fn add(&self, name: &'static str, verdict: Verdict, evidence: String) {
        let time = self.last.replace(Instant::now()).elapsed();
        self.put(name, verdict, evidence, time);
    }

    fn put(&self, name: &'static str, verdict: Verdict, evidence: String, time: Duration) {
        let check = Check { name, verdict, evidence, time };
        self.ui.emit("check", document(&check));
        if verdict == Verdict::Failed {
            self.ui.say(&line(&check, self.ui.paint_err()));
        }
        self.checks.borrow_mut().push(check);
    }

    /// Whether nothing failed.
    pub(super) fn all_passed(&self) -> bool {
        self.checks.borrow().iter().all(|check| check.verdict != Verdict::Failed)
    }

    /// For people.
    pub(super) fn text(&self, paint: Paint) -> String {
        let checks = self.checks.borrow();
        let mut text: String = checks.iter().fold(String::new(), |text, check| text + &line(check, paint) + "\n");
        let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        let (passed, failed, skipped) = (of(Verdict::Passed), of(Verdict::Failed), of(Verdict::Skipped));
        let _ = write!(text, "\n{passed} of {} checks passed", checks.len() - skipped);
        if failed > 0 {
            let _ = write!(text, ", {failed} failed");
        }
        if skipped > 0 {
            let _ = write!(text, ", {skipped} skipped");
        }
        let _ = write!(text, " in {}", duration(self.started.elapsed()));
        text
    }

    /// For programs.
    pub(super) fn document(&self) -> Value {
        let checks: Vec<Value> = self.checks.borrow().iter().map(document).collect();
        json!({ "ok": self.all_passed(), "checks": checks, "seconds": style::seconds(self.started.elapsed()) })
    }
}

fn line(check: &Check, paint: Paint) -> String {
    let mark = match check.verdict {
        Verdict::Passed => paint.green("ok  "),
        Verdict::Failed => paint.red("FAIL"),
        Verdict::Skipped => paint.yellow("skip"),
    };
    let time = paint.dim(&format!("{:>10}", duration(check.time)));
    format!("  {mark} {time}  {:<46} {}", check.name, paint.dim(&printable(&check.evidence)))
}

fn document(check: &Check) -> Value {
    json!({ "name": check.name, "verdict": check.verdict.as_str(), "evidence": check.evidence, "seconds": style::seconds(check.time) })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::flags::Global;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        global: Global,
    }

    #[test]
    fn a_checklist_counts_and_keeps_the_evidence() {
        let ui = Ui::new(&Flags::parse_from(["wsfix", "--output", "json"]).global);
        let list = Checklist::new(&ui, Instant::now());
        list.passed("the cloud runs", "http://127.0.0.1:1");
        list.skipped("the backend hears of it", "there is none");
        assert!(list.all_passed());
        list.judge("a client connects", Err("HTTP 403 \x1b[2J".to_owned()));
        assert!(!list.all_passed());
        let text = list.text(Paint::new(false));
        let words: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(words, ["ok", "skip", "FAIL", "1"]);
        assert!(text.contains("1 of 2 checks passed, 1 failed, 1 skipped in "), "{text}");
        assert!(!text.contains('\x1b'));
        let document = list.document();
        assert_eq!((&document["ok"], &document["checks"][0]["evidence"]), (&Value::from(false), &Value::from("http://127.0.0.1:1")));
    }
}
