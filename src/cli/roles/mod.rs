//! `wsfix roles`: the account's roles, each with how well it serves, and why.

mod choice;
mod request;
mod show;

use std::path::PathBuf;

use serde_json::json;

use crate::config::{Purpose, Settings};
use crate::provision::roles::Fitness;
use crate::provision::{self, Consent, Run, Stop, Survey};

use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, Names};
use super::runtime::{block_on, unless_interrupted};
use super::settings;
use super::ui::Ui;
pub(crate) use choice::{choices, with_a_choice};

/// Shows the account's roles: which ones fit the handler, and why.
#[derive(clap::Args)]
#[command(after_help = "fit            may do everything by itself
fit with help  does with the table's resource policy, or with replies by route response
unknown        something decides that cannot be read
not fit        Lambda may not assume it, or it lacks what nothing makes up for

Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 the ROLE that is named is not fit.

Examples:
  wsfix roles
  wsfix roles lambda_basic_execution
  wsfix roles --request --out request.md")]
pub(crate) struct RolesArgs {
    /// One role, a name or an ARN: each permission with its evidence
    #[arg(value_name = "ROLE")]
    role: Option<String>,

    /// Shows those that are not fit too
    #[arg(long)]
    all: bool,

    /// How replies travel: auto, management-api or route-response
    #[arg(long, value_name = "MODE")]
    reply: Option<String>,

    /// Writes what to ask an administrator for: what the role and you lack, with commands to paste
    #[arg(long, conflicts_with = "all")]
    request: bool,

    /// How the request is written
    #[arg(long, value_enum, default_value_t = request::Format::Markdown, requires = "request", value_name = "FORMAT")]
    format: request::Format,

    /// A file for the request
    #[arg(short = 'O', long, requires = "request", value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    names: Names,
}

pub(crate) fn run(args: &RolesArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    // Judged with the rest of the config; a role that is not one is told as a wrong flag would be.
    let mut flags = Settings { existing_role: args.role.clone(), reply: args.reply.clone(), ..Settings::default() };
    args.names.write(&mut flags);
    let config = settings::load(ui, global, Purpose::Stack, flags)?;
    let stop = Stop::default();
    let run = Run { config: &config, reporter: ui, stop: &stop, consent: Consent::default() };
    if args.request {
        let request = block_on(unless_interrupted(async { Ok(provision::request(&run).await?) }))?;
        return request::run(&request, args.format, args.out.as_deref(), ui);
    }
    let survey = block_on(unless_interrupted(async { Ok(provision::survey(&run, args.role.as_deref()).await?) }))?;
    let not_fit = survey.roles.iter().all(|role| role.judged.fitness == Fitness::NotFit);
    let (exit, text) = match (survey.roles.as_slice(), &args.role) {
        ([one], Some(_)) => (if not_fit { Exit::Changes } else { Exit::Done }, show::one(one, &survey, ui.paint())),
        _ => (Exit::Done, show::list(&survey, args.all, ui.paint())),
    };
    ui.result(exit, &text, &document(&survey, args))?;
    Ok(exit)
}

fn document(survey: &Survey, args: &RolesArgs) -> serde_json::Value {
    let shown = survey.roles.iter().filter(|role| args.all || args.role.is_some() || role.judged.fitness != Fitness::NotFit);
    json!({ "roles": shown.map(show::document).collect::<Vec<_>>(), "in_use": survey.in_use })
}
