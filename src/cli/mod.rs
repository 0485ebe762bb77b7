//! Flags in, words out. Below this module nobody sees clap, the environment or a terminal.

mod build;
mod checklist;
mod completions;
mod contract;
mod crash;
mod dev;
mod doctor;
mod env;
mod error;
mod exit;
mod file;
mod flags;
mod hints;
mod init;
mod logs;
mod markdown;
mod plan;
mod preflight;
mod provision;
mod roles;
mod runtime;
mod settings;
mod stacks;
mod status;
mod style;
mod teardown;
mod template;
mod token;
mod ui;
mod verify;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use crash::explain_panics;
pub use error::Error;
pub use exit::Exit;
pub use flags::Global;
pub use ui::Ui;

/// WebSockets for HTTP-only backends: an API Gateway WebSocket API, one Rust Lambda and a DynamoDB table, with an IAM role you already have
#[derive(Parser)]
#[command(name = "wsfix", version, max_term_width = 110, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "Without an account: `wsfix dev --once` shows everything on this machine, `wsfix dev` serves it.
With one: `wsfix plan`, `wsfix provision`, `wsfix status`, `wsfix teardown`.

Settings come from flags, then the environment, then wsfix.yaml.
Exit codes: 0 done or nothing to do, 1 failed, 2 wrong usage or config,
3 changes wait or a check failed, 130 interrupted.")]
pub struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(Box<init::InitArgs>),
    Provision(Box<provision::ProvisionArgs>),
    Plan(Box<plan::PlanArgs>),
    Status(Box<status::StatusArgs>),
    Stacks(stacks::StacksArgs),
    Teardown(teardown::TeardownArgs),
    Logs(Box<logs::LogsArgs>),
    Env(env::EnvArgs),
    Roles(roles::RolesArgs),
    Build(build::BuildArgs),
    Verify(Box<verify::VerifyArgs>),
    Doctor(Box<doctor::DoctorArgs>),
    Template(Box<template::TemplateArgs>),
    Contract(contract::ContractArgs),
    Dev(Box<dev::DevArgs>),
    Completions(completions::CompletionsArgs),
}

impl Args {
    /// Reads the command line. Help and usage errors are printed here, and end the process with 0 or 2.
    #[must_use]
    pub fn from_command_line() -> Self {
        let plain = ui::is_dumb() || std::env::args_os().any(|argument| argument == "--no-color");
        let color = if plain { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
        let matches = Self::command().color(color).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// Runs the command.
///
/// # Errors
/// When it does not end well; [`Ui::fail`] says why.
pub fn run(args: Args, ui: &Ui) -> Result<Exit, Error> {
    let Args { global, command } = args;
    ui.for_command(command.name());
    if global.output == flags::Output::Markdown && !matches!(command, Command::Plan(_)) {
        return Err(Error::usage("only `plan` is written as Markdown", "`--output text` or `--output json`"));
    }
    match command {
        Command::Init(args) => init::run(&args, &global, ui),
        Command::Provision(args) => provision::run(&args, &global, ui),
        Command::Plan(args) => plan::run(&args, &global, ui),
        Command::Status(args) => status::run(&args, &global, ui),
        Command::Stacks(args) => stacks::run(&args, &global, ui),
        Command::Teardown(args) => teardown::run(&args, &global, ui),
        Command::Logs(args) => logs::run(&args, &global, ui),
        Command::Env(args) => env::run(&args, &global, ui),
        Command::Roles(args) => roles::run(&args, &global, ui),
        Command::Build(args) => build::run(&args, &global, ui),
        Command::Verify(args) => verify::run(&args, &global, ui),
        Command::Doctor(args) => doctor::run(&args, ui),
        Command::Template(args) => template::run(&args, &global, ui),
        Command::Contract(args) => contract::run(&args, ui),
        Command::Dev(args) => dev::run(&args, &global, ui),
        Command::Completions(args) => completions::run(&args, ui),
    }
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Provision(_) => "provision",
            Self::Plan(_) => "plan",
            Self::Status(_) => "status",
            Self::Stacks(_) => "stacks",
            Self::Teardown(_) => "teardown",
            Self::Logs(_) => "logs",
            Self::Env(_) => "env",
            Self::Roles(_) => "roles",
            Self::Build(_) => "build",
            Self::Verify(_) => "verify",
            Self::Doctor(_) => "doctor",
            Self::Template(_) => "template",
            Self::Contract(_) => "contract",
            Self::Dev(_) => "dev",
            Self::Completions(_) => "completions",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
