//! A plan in Markdown, for a comment on a pull request or a run's summary.

use std::fmt::Write as _;

use crate::provision::plan::{Action, Plan, Step};

use super::plan::{Counts, show_fields};
use super::style::printable;

/// The plan of a stack, with a sentence that says what it comes to. `more`: text that follows, line by line.
///
/// What an account holds stands in one block, each line behind a mark: nothing in it is read as Markdown or HTML. The first line lets a program
/// find the comment again.
pub(crate) fn show(stack: &str, plan: &Plan, sentence: &str, more: &str) -> String {
    let mut text = format!("<!-- wsfix plan {stack} -->\n### wsfix: plan for the stack `{stack}`\n\n{sentence}\n");
    let mut block = String::new();
    for step in plan.steps.iter().filter(|step| step.action != Action::Keep) {
        block.push_str(&lines(step));
    }
    for note in &plan.notes {
        let _ = writeln!(block, "# note: {}", printable(note));
    }
    for line in more.lines().filter(|line| !line.is_empty()) {
        let _ = writeln!(block, "# {line}");
    }
    if !block.is_empty() {
        let _ = write!(text, "\n```diff\n{block}```\n");
    }
    let Counts { keep, .. } = Counts::of(plan);
    if keep > 0 && !plan.is_empty() {
        let _ = writeln!(text, "\n{keep} more as they should be.");
    }
    text
}

/// A step, and the fields that it changes.
fn lines(step: &Step) -> String {
    let name = format!("{} {}", step.kind, printable(&step.name));
    let (mark, fields, why) = match &step.action {
        Action::Keep => return String::new(),
        Action::Create => ("+", [].as_slice(), ""),
        Action::Update(fields) => ("!", fields.as_slice(), ""),
        Action::Adopt(fields) => ("!", fields.as_slice(), "it is there already, and is adopted"),
        Action::Delete(why) => ("-", [].as_slice(), why.as_str()),
        Action::Refuse(why) => ("- stands in the way:", [].as_slice(), why.as_str()),
    };
    let why = if why.is_empty() { String::new() } else { format!("  ({})", printable(why)) };
    let fields: String = show_fields(fields).lines().map(|field| format!("!     {}\n", field.trim_start())).collect();
    format!("{mark} {name}{why}\n{fields}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::plan::FieldChange;

    fn plan(steps: Vec<(&'static str, &str, Action)>, notes: &[&str]) -> Plan {
        let step = |(kind, name, action): (&'static str, &str, Action)| Step { kind, name: name.to_owned(), action, calls: Vec::new() };
        Plan {
            steps: steps.into_iter().map(step).collect(),
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
            ..Plan::default()
        }
    }

    #[test]
    fn a_plan_reads_like_a_difference() {
        let change = FieldChange { field: "memory_mb".to_owned(), from: "128".to_owned(), to: "256".to_owned() };
        let plan = plan(
            vec![
                ("role", "lambda_basic_execution", Action::Keep),
                ("table", "WebSocketConnections", Action::Create),
                ("function", "websocket-handler", Action::Update(vec![change])),
                ("route", "old", Action::Delete("it is not in the config".to_owned())),
                ("api", "A", Action::Refuse("two APIs have this name".to_owned())),
            ],
            &["replies travel by route-response"],
        );
        insta::assert_snapshot!(show("pr-1", &plan, "Plan: 1 to create.", "\ncaller\n"), @r"
        <!-- wsfix plan pr-1 -->
        ### wsfix: plan for the stack `pr-1`

        Plan: 1 to create.

        ```diff
        + table WebSocketConnections
        ! function websocket-handler
        !     memory_mb: 128 -> 256
        - route old  (it is not in the config)
        - stands in the way: api A  (two APIs have this name)
        # note: replies travel by route-response
        # caller
        ```

        1 more as they should be.
        ");
    }

    #[test]
    fn nothing_ends_the_block_early() {
        let hostile = "x\n```\n<img src=x> @everyone";
        let plan = plan(vec![("api", hostile, Action::Create), ("route", hostile, Action::Refuse(hostile.to_owned()))], &[hostile]);
        let text = show("a", &plan, "s", hostile);
        assert_eq!(text.lines().filter(|line| line.trim_start().starts_with("```")).collect::<Vec<_>>(), ["```diff", "```"], "{text}");
    }
}
