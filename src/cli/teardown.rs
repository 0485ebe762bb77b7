//! `wsfix teardown`: deletes what this stack owns, nothing else.

use std::time::Instant;

use serde_json::json;

use crate::config::{Purpose, Settings};
use crate::provision::{self, Consent, Plan, Run, Stop, TornDown};

use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, Names};
use super::plan;
use super::runtime::{Interrupts, block_on, until_stopped};
use super::settings;
use super::style::{self, count, duration};
use super::ui::Ui;

/// Deletes what this stack owns, nothing else.
#[derive(clap::Args)]
#[command(after_help = "What is deleted is listed first, with the reason why it is the stack's own.
The execution role is never touched.

Examples:
  wsfix teardown
  wsfix teardown --stack terminal --yes
  wsfix teardown --keep-data --keep-logs
  wsfix teardown --include-adopted")]
pub(crate) struct TeardownArgs {
    /// Deletes without asking for the stack's name
    #[arg(short, long)]
    yes: bool,
    /// Deletes what was there before the stack, too: what `--adopt` took into it
    #[arg(long)]
    include_adopted: bool,
    /// Keeps the table with its items, and marks it as kept; a later provision takes it up again
    #[arg(long)]
    keep_data: bool,
    /// Keeps the log groups with their lines
    #[arg(long)]
    keep_logs: bool,
    #[command(flatten)]
    names: Names,
}

pub(crate) fn run(args: &TeardownArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    if !args.yes && !ui.interactive() {
        return Err(Error::usage(
            "teardown asks for the stack's name, and there is no terminal to ask in",
            "`--yes` deletes without asking",
        ));
    }
    let mut flags = Settings::default();
    args.names.write(&mut flags);
    let config = settings::load(ui, global, Purpose::Stack, flags)?;
    let stop = Stop::default();
    let consent = Consent {
        delete_adopted: args.include_adopted,
        keep_data: args.keep_data,
        keep_logs: args.keep_logs,
        ..Consent::default()
    };
    let run = Run { config: &config, reporter: ui, stop: &stop, consent };

    block_on(async {
        let plan = until_stopped(ui, &stop, async { Ok(provision::plan_teardown(&run).await?) }).await?;
        if plan.is_empty() {
            let left = left(&plan);
            ui.say(&plan::show(&plan, ui.paint_err(), ui.verbose()));
            ui.result(
                Exit::Done,
                &if left.is_empty() {
                    format!("Nothing to delete: stack `{}` owns nothing here.", config.stack)
                } else {
                    format!("Nothing to delete: all that stack `{}` has here was there before it.", config.stack)
                },
                &json!({ "deleted": [], "left": left, "notes": plan.notes }),
            )?;
            return Ok(Exit::Done);
        }
        ui.say(&format!("stack `{}` owns, and this deletes:\n{}", config.stack, plan::show(&plan, ui.paint_err(), ui.verbose())));
        if !args.yes {
            confirm(ui, &config.stack).await?;
        }
        let started = Instant::now();
        let TornDown { deleted, left } = until_stopped(ui, &stop, async { Ok(provision::teardown(&run, &plan).await?) }).await?;
        let kept = if left.is_empty() { String::new() } else { format!(": {}", left.join(", ")) };
        let time = duration(started.elapsed());
        let text = format!("{} of stack `{}` deleted in {time}, {} left{kept}", count(deleted.len(), "resource"), config.stack, left.len());
        let document = json!({ "deleted": deleted, "left": left, "notes": plan.notes, "seconds": style::seconds(started.elapsed()) });
        ui.result(Exit::Done, &text, &document)?;
        Ok(Exit::Done)
    })
}

/// What the stack has and this does not delete.
fn left(plan: &Plan) -> Vec<String> {
    plan.kept().map(|step| format!("{} {}", step.kind, step.name)).collect()
}

async fn confirm(ui: &Ui, stack: &str) -> Result<(), Error> {
    let mut interrupts = Interrupts::catch()?;
    let answer = tokio::select! {
        answer = ui.ask("Type the stack's name to delete all this: ") => answer,
        () = interrupts.next() => return Err(provision::Error::Stopped { done: Vec::new(), left: Vec::new() }.into()),
    };
    if answer.as_deref() == Some(stack) {
        return Ok(());
    }
    Err(Error::Here { message: format!("that is not `{stack}`: nothing was deleted"), hint: None })
}
