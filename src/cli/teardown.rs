//! `wsfix teardown`: deletes what this stack owns, nothing else.

use std::time::Instant;

use serde_json::json;

use crate::config::{Purpose, Settings};
use crate::provision::{self, Run, Stop};

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
  wsfix teardown --stack terminal --yes")]
pub(crate) struct TeardownArgs {
    /// Deletes without asking for the stack's name
    #[arg(short, long)]
    yes: bool,
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
    let run = Run { config: &config, reporter: ui, stop: &stop };

    block_on(async {
        let plan = until_stopped(ui, &stop, async { Ok(provision::plan_teardown(&run).await?) }).await?;
        if plan.is_empty() {
            ui.say(&plan::show(&plan, ui.paint_err(), ui.verbose()));
            ui.result(
                Exit::Done,
                &format!("Nothing to delete: stack `{}` owns nothing here.", config.stack),
                &json!({ "deleted": [], "notes": plan.notes }),
            )?;
            return Ok(Exit::Done);
        }
        ui.say(&format!("stack `{}` owns, and this deletes:\n{}", config.stack, plan::show(&plan, ui.paint_err(), ui.verbose())));
        if !args.yes {
            confirm(ui, &config.stack).await?;
        }
        let started = Instant::now();
        until_stopped(ui, &stop, async { Ok(provision::teardown(&run, &plan).await?) }).await?;
        let deleted: Vec<String> = plan.changes().map(|step| format!("{} {}", step.kind, step.name)).collect();
        let text = format!("{} of stack `{}` deleted in {}", count(deleted.len(), "resource"), config.stack, duration(started.elapsed()));
        let document = json!({ "deleted": deleted, "notes": plan.notes, "seconds": style::seconds(started.elapsed()) });
        ui.result(Exit::Done, &text, &document)?;
        Ok(Exit::Done)
    })
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
