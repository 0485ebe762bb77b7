//! Checks with their evidence and their time, told as they are made and listed at the end.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::verify::causes::Cause;
use crate::verify::check::{Check, Outcome, deepest};

use super::style::{self, Paint, count, duration, printable};
use super::ui::Ui;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Unknown,
    /// It could not be told here; the evidence says why.
    Skipped,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of the checklist.
#[derive(Clone, Debug)]
struct Line {
    name: &'static str,
    verdict: Verdict,
    evidence: String,
    time: Duration,
    /// Of a stack's check: what it is about, and what is behind a failure.
    layer: Option<&'static str>,
    cause: Option<&'static Cause>,
}

impl From<&Check> for Line {
    fn from(check: &Check) -> Self {
        let verdict = match check.outcome {
            Outcome::Passed => Verdict::Passed,
            Outcome::Failed(_) => Verdict::Failed,
            Outcome::Unknown => Verdict::Unknown,
            Outcome::Skipped => Verdict::Skipped,
        };
        let Check { layer, name, evidence, time, .. } = check;
        Self { name, verdict, evidence: evidence.clone(), time: *time, layer: Some(layer.as_str()), cause: check.cause() }
    }
}

/// The checklist; every check is told as soon as it is known.
pub(crate) struct Checklist<'a> {
    ui: &'a Ui,
    started: Instant,
    last: RefCell<Instant>,
    lines: RefCell<Vec<Line>>,
}

impl<'a> Checklist<'a> {
    pub(crate) fn new(ui: &'a Ui, started: Instant) -> Self {
        Self { ui, started, last: RefCell::new(started), lines: RefCell::default() }
    }

    /// A check that passed; it took the time since the one before.
    pub(crate) fn passed(&self, name: &'static str, evidence: impl Into<String>) {
        self.add(name, Verdict::Passed, evidence.into());
    }

    /// A check that cannot be made here.
    pub(crate) fn skipped(&self, name: &'static str, why: impl Into<String>) {
        self.add(name, Verdict::Skipped, why.into());
    }

    /// Passed or failed, with the evidence of either.
    pub(crate) fn judge(&self, name: &'static str, outcome: Result<String, String>) {
        match outcome {
            Ok(evidence) => self.add(name, Verdict::Passed, evidence),
            Err(evidence) => self.add(name, Verdict::Failed, evidence),
        }
    }

    /// A check that passed, and that somebody else timed.
    pub(crate) fn passed_in(&self, name: &'static str, evidence: impl Into<String>, time: Duration) {
        let line = Line { name, verdict: Verdict::Passed, evidence: evidence.into(), time, layer: None, cause: None };
        self.tell_line(&line);
        self.put(line);
    }

    /// Tells of a stack's check, before [`Self::keep`] puts all of them in their order.
    pub(crate) fn tell(&self, check: &Check) {
        self.tell_line(&check.into());
    }

    /// Puts a stack's checks, which were told, into the list.
    pub(crate) fn keep(&self, checks: &[Check]) {
        checks.iter().for_each(|check| self.put(check.into()));
    }

    fn add(&self, name: &'static str, verdict: Verdict, evidence: String) {
        let line = Line { name, verdict, evidence, time: self.last.borrow().elapsed(), layer: None, cause: None };
        self.tell_line(&line);
        self.put(line);
    }

    fn put(&self, line: Line) {
        self.last.replace(Instant::now());
        self.lines.borrow_mut().push(line);
    }

    fn tell_line(&self, line: &Line) {
        self.ui.emit("check", document(line));
        if line.verdict == Verdict::Failed {
            self.ui.say(&text(line, self.ui.paint_err()));
        }
    }

    /// Whether nothing failed.
    pub(crate) fn all_passed(&self) -> bool {
        self.of(Verdict::Failed) == 0
    }

    fn of(&self, verdict: Verdict) -> usize {
        self.lines.borrow().iter().filter(|line| line.verdict == verdict).count()
    }

    /// For people: every check.
    pub(crate) fn text(&self, paint: Paint) -> String {
        self.lines.borrow().iter().fold(String::new(), |all, line| all + &text(line, paint) + "\n")
    }

    /// For people: how many passed, and how many did not.
    pub(crate) fn summary(&self) -> String {
        let (failed, skipped, unknown) = (self.of(Verdict::Failed), self.of(Verdict::Skipped), self.of(Verdict::Unknown));
        let made = self.lines.borrow().len() - skipped - unknown;
        let mut text = format!("{} of {} passed", self.of(Verdict::Passed), count(made, "check"));
        for (number, what) in [(failed, "failed"), (unknown, "unknown"), (skipped, "skipped")] {
            if number > 0 {
                let _ = write!(text, ", {number} {what}");
            }
        }
        let _ = write!(text, " in {}", duration(self.started.elapsed()));
        text
    }

    /// For programs.
    pub(crate) fn document(&self) -> Value {
        let checks: Vec<Value> = self.lines.borrow().iter().map(document).collect();
        json!({ "ok": self.all_passed(), "checks": checks, "seconds": style::seconds(self.started.elapsed()) })
    }
}

/// What is behind the failures, the one to look at first at the beginning; each cause once.
pub(crate) fn causes(checks: &[Check], paint: Paint) -> String {
    let mut failed: Vec<&Check> = checks.iter().filter(|check| check.cause().is_some()).collect();
    failed.sort_by_key(|check| check.layer);
    failed.dedup_by_key(|check| check.cause().map(|cause| cause.name));
    let mut text = String::new();
    for check in failed {
        let Some(cause) = check.cause() else { continue };
        let _ = writeln!(text, "{}: {}  {}", paint.red(check.layer.as_str()), cause.sign, paint.dim(&format!("[{}]", cause.name)));
        for (title, words) in [("seen", printable(&check.evidence).as_str()), ("likely", cause.likely), ("fix", cause.fix)] {
            let _ = writeln!(text, "  {}  {words}", paint.bold(&format!("{title:<6}")));
        }
    }
    text
}

/// The summary's beginning: the name of the layer to look at first, where one failed.
pub(crate) fn blame(checks: &[Check]) -> Option<&'static str> {
    deepest(checks).map(|check| check.layer.as_str())
}

fn text(line: &Line, paint: Paint) -> String {
    let mark = match line.verdict {
        Verdict::Passed => paint.green("ok  "),
        Verdict::Failed => paint.red("FAIL"),
        Verdict::Unknown => paint.yellow("?   "),
        Verdict::Skipped => paint.yellow("skip"),
    };
    let time = paint.dim(&format!("{:>10}", duration(line.time)));
    format!("  {mark} {time}  {:<46} {}", line.name, paint.dim(&printable(&line.evidence)))
}

fn document(line: &Line) -> Value {
    let Line { name, verdict, evidence, time, layer, cause } = line;
    let mut document = json!({ "name": name, "verdict": verdict.as_str(), "evidence": evidence, "seconds": style::seconds(*time) });
    if let Some(layer) = layer {
        document["layer"] = json!(layer);
    }
    if let Some(cause) = cause {
        document["cause"] = json!({ "name": cause.name, "sign": cause.sign, "likely": cause.likely, "fix": cause.fix });
    }
    document
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::flags::Global;
    use crate::verify::causes;
    use crate::verify::check::{Layer, Missed};

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
        list.keep(&[Check::of(Layer::Role, "the role is fit", Err(Missed::unknown("denied")), Duration::ZERO)]);
        assert!(!list.all_passed());
        let text = list.text(Paint::new(false));
        let words: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(words, ["ok", "skip", "FAIL", "?"]);
        assert!(list.summary().starts_with("1 of 2 checks passed, 1 failed, 1 unknown, 1 skipped in "), "{}", list.summary());
        assert!(!text.contains('\x1b'));
        let document = list.document();
        assert_eq!((&document["ok"], &document["checks"][0]["evidence"]), (&Value::from(false), &Value::from("http://127.0.0.1:1")));
        assert_eq!((&document["checks"][3]["layer"], &document["checks"][3]["verdict"]), (&json!("role"), &json!("unknown")));
    }

    #[test]
    fn the_deepest_failure_is_explained_first_and_each_cause_once() {
        let failed = |cause, evidence: &str| Check::of(Layer::Token, "it works", Err(Missed::failed(cause, evidence)), Duration::ZERO);
        let checks = [
            failed(&causes::HANDSHAKE_500, "HTTP 500"),
            failed(&causes::HANDSHAKE_500, "HTTP 500 again"),
            failed(&causes::NOT_PERMITTED, "absent"),
        ];
        assert_eq!(blame(&checks), Some("permission"));
        assert_eq!(blame(&[]), None);
        let explained = super::causes(&checks, Paint::new(false));
        let heads: Vec<&str> = explained.lines().filter(|line| !line.starts_with(" ")).collect();
        assert!(heads.len() == 2 && heads[0].starts_with("permission: ") && heads[1].ends_with("[handshake-500]"), "{explained}");
        assert!(explained.contains("  seen    HTTP 500\n"), "{explained}");
    }
}
