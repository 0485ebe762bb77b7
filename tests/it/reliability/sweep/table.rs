//! The table of the sweep: call by trouble.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Case, Outcome, Scene, Trouble};

/// In the order of the columns.
const COLUMNS: [Trouble; 10] = [
    Trouble::Refused,
    Trouble::Undone,
    Trouble::Lost,
    Trouble::Slow,
    Trouble::Reset,
    Trouble::Throttled,
    Trouble::Broken,
    Trouble::Denied,
    Trouble::KilledBefore,
    Trouble::KilledAfter,
];

/// How each trouble with a call ended, in words.
type Cells = BTreeMap<Trouble, BTreeSet<&'static str>>;

/// What became of every case.
pub(super) struct Table {
    /// By run and call, in the order in which they are made.
    rows: Vec<((&'static str, String), Cells)>,
    counts: String,
}

/// Sorts the results in.
pub(super) fn of(cases: &[Case], results: &[Result<Outcome, String>]) -> Table {
    let mut rows: Vec<((&'static str, String), Cells)> = Vec::new();
    let mut order: Vec<_> = cases.iter().zip(results).collect();
    order.sort_by_key(|(case, _)| case.scene as usize);
    for (case, result) in order {
        let name = (case.scene.name(), case.operation.clone());
        let at = rows.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
            rows.push((name, Cells::new()));
            rows.len() - 1
        });
        rows[at].1.entry(case.trouble).or_default().insert(word(result));
    }
    rows.sort_by(|(one, _), (other, _)| (place(one.0), &one.1).cmp(&(place(other.0), &other.1)));
    let count = |wanted: Outcome| results.iter().filter(|result| **result == Ok(wanted)).count();
    let lost = results.iter().filter(|result| result.is_err()).count();
    let counts = format!(
        "{} faults tried, {} survived: {} by the run itself, {} without a part, {} by the next run; {lost} lost.",
        results.len(),
        results.len() - lost,
        count(Outcome::Itself),
        count(Outcome::Without),
        count(Outcome::Next)
    );
    Table { rows, counts }
}

/// Where a run stands among the others.
fn place(run: &str) -> usize {
    Scene::ALL.iter().position(|scene| scene.name() == run).unwrap_or_default()
}

impl Table {
    pub(super) fn text(&self) -> String {
        let mut text = format!("| run | call | {} |\n|---|---|{}\n", COLUMNS.map(Trouble::name).join(" | "), "---|".repeat(COLUMNS.len()));
        for ((run, call), cells) in &self.rows {
            let _ = writeln!(text, "| {run} | {call} | {} |", COLUMNS.map(|trouble| joined(cells.get(&trouble))).join(" | "));
        }
        let _ = writeln!(text, "\n{}", self.counts);
        text
    }

    /// Holds what was tried against the table of everything.
    pub(super) fn is_part_of(&self, all: &str) {
        let lines: Vec<Vec<&str>> = all.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        for ((run, call), cells) in &self.rows {
            let row = lines.iter().find(|cells| cells.len() == COLUMNS.len() + 4 && cells[1] == *run && cells[2] == call);
            let row = row.unwrap_or_else(|| panic!("docs/reliability.md has no row `{run} {call}`: {UPDATE}"));
            for (at, trouble) in COLUMNS.iter().enumerate() {
                let known: Vec<&str> = row[at + 3].split(", ").collect();
                for word in cells.get(trouble).into_iter().flatten() {
                    assert!(
                        known.contains(word),
                        "{run} {call}, {}: `{word}`, and docs/reliability.md has {known:?}: {UPDATE}",
                        trouble.name()
                    );
                }
            }
        }
    }
}

/// How the table is made anew.
const UPDATE: &str = "run it once with WSFIX_SWEEP=full WSFIX_UPDATE_DOCS=1, and read the change";

fn joined(words: Option<&BTreeSet<&'static str>>) -> String {
    words.into_iter().flatten().copied().collect::<Vec<_>>().join(", ")
}

fn word(result: &Result<Outcome, String>) -> &'static str {
    match result {
        Ok(Outcome::Itself) => "itself",
        Ok(Outcome::Without) => "without",
        Ok(Outcome::Next) => "next",
        Err(_) => "LOST",
    }
}
