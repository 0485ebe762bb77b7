//! `wsfix teardown`: deletes what this stack owns, nothing else.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::config::{Purpose, Settings};
use crate::provision::error::Cause;
use crate::provision::{self, Consent, Drained, Plan, Run, Stop, TornDown};

use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, Names};
use super::plan;
use super::runtime::{Interrupts, block_on, unless_interrupted, until_stopped};
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
  wsfix teardown --drain 1m --export connections.jsonl
  wsfix teardown --keep-data --keep-logs
  wsfix teardown --include-adopted")]
pub(crate) struct TeardownArgs {
    /// Deletes without asking for the stack's name
    #[arg(short, long)]
    yes: bool,
    /// Deletes what was there before the stack, too: what `--adopt` took into it
    #[arg(long)]
    include_adopted: bool,
    /// Tells each client that the stack ends, and waits for them to go, at most so long (30s where nothing is said)
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "30s", value_parser = humantime::parse_duration)]
    drain: Option<Duration>,
    /// Writes the table's items into a new file first, a line of DynamoDB JSON each
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
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
    if let Some(file) = args.export.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(Error::usage(format!("--export: {} is there already, and is not overwritten", file.display()), "name another file"));
    }
    let mut flags = Settings::default();
    args.names.write(&mut flags);
    let config = settings::load(ui, global, Purpose::Stack, flags)?;
    let stop = Stop::default();
    let consent =
        Consent { delete_adopted: args.include_adopted, keep_data: args.keep_data, keep_logs: args.keep_logs, ..Consent::default() };
    let run = Run { config: &config, reporter: ui, stop: &stop, consent };

    block_on(async {
        let plan = unless_interrupted(async { Ok(provision::plan_teardown(&run).await?) }).await?;
        if plan.is_empty() {
            return nothing(ui, &config.stack, &plan);
        }
        ui.say(&format!("stack `{}` owns, and this deletes:\n{}", config.stack, plan::show(&plan, ui.paint_err(), ui.verbose())));
        if !args.yes {
            confirm(ui, "Type the stack's name to delete all this: ", &config.stack).await?;
        }
        let started = Instant::now();
        let exported = match &args.export {
            Some(file) => export(ui, &run, file).await?,
            None => None,
        };
        let drained = match args.drain {
            Some(limit) => Some(drain(args, ui, &run, limit).await?),
            None => None,
        };
        let TornDown { deleted, left } = until_stopped(ui, &stop, async { Ok(provision::teardown(&run, &plan).await?) }).await?;
        let kept = if left.is_empty() { String::new() } else { format!(": {}", left.join(", ")) };
        let time = duration(started.elapsed());
        let text = format!("{} of stack `{}` deleted in {time}, {} left{kept}", count(deleted.len(), "resource"), config.stack, left.len());
        let document = json!({
            "deleted": deleted,
            "left": left,
            "notes": plan.notes,
            "exported": exported,
            "drained": drained.map(|Drained { told, left }| json!({ "told": told, "left": left })),
            "seconds": style::seconds(started.elapsed()),
        });
        ui.result(Exit::Done, &text, &document)?;
        Ok(Exit::Done)
    })
}

/// Says that there is nothing to do.
fn nothing(ui: &Ui, stack: &str, plan: &Plan) -> Result<Exit, Error> {
    ui.say(&plan::show(plan, ui.paint_err(), ui.verbose()));
    let left: Vec<String> = plan.kept().map(|step| format!("{} {}", step.kind, step.name)).collect();
    let text = if left.is_empty() {
        format!("Nothing to delete: stack `{stack}` owns nothing here.")
    } else {
        format!("Nothing to delete: all that stack `{stack}` has here was there before it, or is kept.")
    };
    ui.result(
        Exit::Done,
        &text,
        &json!({ "deleted": [], "left": left, "notes": plan.notes, "exported": Value::Null, "drained": Value::Null }),
    )?;
    Ok(Exit::Done)
}

async fn confirm(ui: &Ui, question: &str, stack: &str) -> Result<(), Error> {
    let mut interrupts = Interrupts::catch()?;
    let answer = tokio::select! {
        answer = ui.ask(question) => answer,
        () = interrupts.next() => return Err(provision::Error::Stopped { done: Vec::new(), left: Vec::new() }.into()),
    };
    if answer.as_deref() == Some(stack) {
        return Ok(());
    }
    Err(Error::Here { message: format!("that is not `{stack}`: nothing was deleted"), hint: None })
}

/// Writes the table's items into a file that only its owner can read: whole, or not at all. Answers with how many there were.
async fn export(ui: &Ui, run: &Run<'_>, path: &Path) -> Result<Option<usize>, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::here(format!("cannot write {}: {error}; nothing was deleted", path.display()), "name a file that can be written")
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    let mut to = BufWriter::new(file);
    let mut written = Ok(());
    let line = |line: &str| {
        if written.is_ok() {
            written = writeln!(to, "{line}");
        }
    };
    let items = unless_interrupted(async { Ok(provision::export(run, line).await?) }).await?;
    let Some(items) = items else {
        ui.note("the stack has no table: nothing is exported");
        return Ok(None);
    };
    written.map_err(|error| failed(&error))?;
    let file = to.into_inner().map_err(|error| failed(&error))?;
    file.as_file().sync_all().map_err(|error| failed(&error))?;
    file.persist_noclobber(path).map_err(|error| failed(&error.error))?;
    ui.say(&format!("exported  {} to {}", count(items, "item"), path.display()));
    Ok(Some(items))
}

/// Tells the clients. Where that is denied, it goes on only if a person says so.
async fn drain(args: &TeardownArgs, ui: &Ui, run: &Run<'_>, limit: Duration) -> Result<Drained, Error> {
    let drained = until_stopped(ui, run.stop, async { Ok(provision::drain(run, limit).await?) }).await;
    let denied = |error: &provision::Error| matches!(error, provision::Error::Aws(error) if matches!(error.cause, Cause::Denied { .. }));
    match drained {
        Err(Error::Provision(error)) if denied(&error) => {
            let error = Error::Provision(error);
            if args.yes || !ui.interactive() {
                ui.note("the clients cannot be told, and nothing was deleted; without `--drain` the stack is deleted all the same");
                return Err(error);
            }
            ui.fail(&error);
            confirm(ui, "The clients cannot be told. Type the stack's name to delete it all the same: ", &run.config.stack).await?;
            Ok(Drained::default())
        }
        other => other,
    }
}
