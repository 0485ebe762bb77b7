//! `wsfix stacks`: the stacks of an account in one Region.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use crate::config::{Purpose, Settings};
use crate::provision::stacks::StackFound;
use crate::provision::{self, Consent, Run, Stop};

use super::error::Error;
use super::exit::Exit;
use super::flags::Global;
use super::runtime::{block_on, until_stopped};
use super::settings;
use super::style::{count, printable};
use super::ui::Ui;

/// Lists the stacks of the account in the Region, by the marks of their APIs.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wsfix stacks
  wsfix stacks --output json | jq -r '.result.stacks[].stack'")]
pub(crate) struct StacksArgs {}

pub(crate) fn run(StacksArgs {}: &StacksArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let config = settings::load(ui, global, Purpose::Stack, Settings::default())?;
    let stop = Stop::default();
    let run = Run { config: &config, reporter: ui, stop: &stop, consent: Consent::default() };
    let stacks = block_on(until_stopped(ui, &stop, async { Ok(provision::stacks(&run).await?) }))?;
    ui.result(Exit::Done, &show(&stacks), &json!({ "stacks": stacks }))?;
    Ok(Exit::Done)
}

fn show(stacks: &[StackFound]) -> String {
    if stacks.is_empty() {
        return "No API in this account and Region has a stack's mark.".to_owned();
    }
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["STACK", "API", "NAME", "MADE", ""]);
    for StackFound { stack, api_id, api_name, made, adopted } in stacks {
        let adopted = if *adopted { "adopted" } else { "" };
        table.add_row([printable(stack).as_str(), api_id, printable(api_name).as_str(), made, adopted]);
    }
    let mut text = String::new();
    for line in table.lines() {
        let _ = writeln!(text, " {}", line.trim_end());
    }
    let _ = write!(
        text,
        "\n{}. `wsfix status --stack NAME` says more, `wsfix teardown --stack NAME` deletes one.",
        count(stacks.len(), "stack")
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_stack() {
        let stack = |stack: &str, adopted| StackFound {
            stack: stack.to_owned(),
            api_id: "a1b2c3".to_owned(),
            api_name: "Terminal".to_owned(),
            made: "2026-01-02T03:04:05Z".to_owned(),
            adopted,
        };
        insta::assert_snapshot!(show(&[stack("pr-1", false), stack("terminal", true)]), @r"
          STACK     API     NAME      MADE
          pr-1      a1b2c3  Terminal  2026-01-02T03:04:05Z
          terminal  a1b2c3  Terminal  2026-01-02T03:04:05Z  adopted

        2 stacks. `wsfix status --stack NAME` says more, `wsfix teardown --stack NAME` deletes one.
        ");
        assert!(show(&[]).starts_with("No API"));
    }
}
