//! The table, and the goals in it.

use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table};

use crate::candidates::Name;
use crate::events::Kind;
use crate::measure::{Cost, Measured, Results};

/// The most that a number of the handler may be.
#[derive(Clone, Copy)]
enum Goal {
    /// Times what the other needs.
    Of(f64, Name),
    /// A number by itself.
    AtMost(f64),
}

pub(crate) struct Report {
    pub(crate) table: Table,
    pub(crate) missed: Vec<String>,
}

impl Report {
    pub(crate) fn of(results: &Results) -> Self {
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN).set_header([
            "what",
            "wsfix",
            "echo",
            "plain",
            "Node.js",
            "/ echo",
            "/ plain",
            "/ Node.js",
            "goal",
        ]);
        let mut report = Self { table, missed: Vec::new() };
        report.rows(&results.candidates);
        for (name, traffic) in &results.settings {
            let goal = if name.starts_with("management") { 3.0 } else { 2.0 };
            let goal = if name.ends_with("cache") { goal - 1.0 } else { goal };
            report.row(&format!("message, {name}: HTTP exchanges"), "", &[Some(traffic.exchanges)], &[Goal::AtMost(goal)]);
            report.row(&format!("message, {name}: new connections"), "", &[Some(traffic.connections)], &[Goal::AtMost(0.0)]);
        }
        report
    }

    fn rows(&mut self, candidates: &[Measured]) {
        let each = |number: &dyn Fn(&Measured) -> f64| candidates.iter().map(|one| Some(number(one))).collect::<Vec<_>>();
        // The one that does nothing has no network to ask.
        let working = |number: &dyn Fn(&Measured) -> f64| {
            candidates.iter().map(|one| (one.name != Name::Echo).then(|| number(one))).collect::<Vec<_>>()
        };
        let start = [Goal::Of(1.5, Name::Echo), Goal::Of(0.05, Name::Node)];
        self.row("start to first poll: processor", "ms", &each(&|one| processor(&one.start)), &start);
        self.row("start to first poll: wall", "ms", &each(&|one| wall(&one.start, 50)), &[]);
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            let name = kind.shown();
            self.row(
                &format!("first {name}, cold: processor"),
                "ms",
                &each(&|one| processor(&one.cold[at])),
                &[Goal::Of(0.15, Name::Node)],
            );
            self.row(&format!("first {name}, cold: wall"), "ms", &each(&|one| wall(&one.cold[at], 50)), &[Goal::Of(0.15, Name::Node)]);
        }
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            let name = kind.shown();
            let both = [Goal::Of(0.12, Name::Node), Goal::Of(0.5, Name::Plain)];
            let goals = if kind == Kind::Disconnect { &both[1..] } else { &both };
            self.row(&format!("{name}, warm: processor"), "ms", &each(&|one| processor(&one.warm[at])), goals);
            self.row(&format!("{name}, warm: p50"), "ms", &each(&|one| wall(&one.warm[at], 50)), &[]);
            self.row(&format!("{name}, warm: p99"), "ms", &each(&|one| wall(&one.warm[at], 99)), &[]);
            self.row(&format!("{name}, warm: HTTP exchanges"), "", &working(&|one| one.traffic[at].exchanges), &[]);
            self.row(&format!("{name}, warm: new connections"), "", &working(&|one| one.traffic[at].connections), &[Goal::AtMost(0.0)]);
        }
        self.row("peak memory", "MB", &each(&|one| megabytes(one.peak)), &[Goal::Of(0.25, Name::Node)]);
        self.row("zip", "MB", &each(&|one| megabytes(one.zipped as u64)), &[Goal::AtMost(3.0)]);
    }

    /// `numbers`: in the order of [`Name::ALL`], as far as there are any.
    fn row(&mut self, what: &str, unit: &str, numbers: &[Option<f64>], goals: &[Goal]) {
        let number = |name: Name| numbers.get(Name::ALL.iter().position(|one| *one == name)?).copied().flatten();
        let ours = number(Name::Wsfix).unwrap_or(f64::NAN);
        let ratio = |name: Name| number(name).filter(|theirs| *theirs > 0.0).map(|theirs| ours / theirs);
        let mut shown = Vec::new();
        for goal in goals {
            let (measured, most, text) = match goal {
                Goal::Of(most, name) => (ratio(*name).unwrap_or(f64::NAN), *most, format!("<= {most} {}", name.shown())),
                Goal::AtMost(most) => (ours, *most, format!("<= {most}")),
            };
            // Not a number: nothing was measured, and nothing reached.
            if measured.is_nan() || measured > most {
                self.missed.push(format!("{what}: {measured:.3}, goal {text}"));
            }
            shown.push(text);
        }
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let mut cells = vec![Cell::new(what)];
        let numbers = Name::ALL.map(|name| number(name).map_or(String::new(), |number| format!("{}{unit}", rounded(number))));
        let ratios = [Name::Echo, Name::Plain, Name::Node].map(|name| ratio(name).map_or(String::new(), |ratio| format!("{ratio:.3}")));
        cells.extend(numbers.into_iter().chain(ratios).map(|text| Cell::new(text).set_alignment(CellAlignment::Right)));
        cells.push(Cell::new(shown.join(", ")));
        self.table.add_row(cells);
    }
}

impl Name {
    fn shown(self) -> &'static str {
        match self {
            Self::Wsfix => "wsfix",
            Self::Echo => "echo",
            Self::Plain => "plain",
            Self::Node => "Node.js",
        }
    }
}

fn rounded(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

/// Milliseconds, the median.
fn processor(cost: &Cost) -> f64 {
    percentile(&cost.processor, 50)
}

/// Milliseconds.
fn wall(cost: &Cost, percent: usize) -> f64 {
    percentile(&cost.wall, percent)
}

fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
