//! `wsfix provision`: makes the account match the config.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::json;

use crate::config::Purpose;
use crate::provision::{self, Consent, Outputs, Run, Stop};

use super::error::Error;
use super::exit::Exit;
use super::flags::Global;
use super::plan::{AdoptionArgs, Counts, StackArgs};
use super::roles::with_a_choice;
use super::runtime::{block_on, until_stopped};
use super::settings;
use super::style::{self, Paint, duration};
use super::ui::Ui;

/// Makes the account match the config; safe to repeat.
#[derive(clap::Args)]
#[command(after_help = "No IAM role or policy is ever created or changed: `--existing-role` names one that is there.
A secret is never an argument: `--jwt-secret` says where it is. Without it, the variable
JWT_SECRET is read.

Examples:
  wsfix provision --existing-role lambda_basic_execution --backend-url https://api.example.com
  wsfix provision --existing-role --jwt-secret ssm:/terminal/jwt --route sendMessage")]
pub(crate) struct ProvisionArgs {
    #[command(flatten)]
    adoption: AdoptionArgs,
    #[command(flatten)]
    stack: StackArgs,
}

pub(crate) fn run(args: &ProvisionArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let mut config = settings::load(ui, global, Purpose::Provision, args.stack.settings())?;
    let stop = Stop::default();
    let mut started = Instant::now();
    let done = with_a_choice(ui, &mut config, |config| {
        started = Instant::now();
        let consent = Consent { adopt: args.adoption.adopt, ..Consent::default() };
        let run = Run { config, reporter: ui, stop: &stop, consent };
        block_on(until_stopped(ui, &stop, async { Ok(provision::provision(&run).await?) }))
    })?;
    let time = started.elapsed();
    let Counts { create, update, adopt, delete, .. } = Counts::of(&done.plan);
    // An adoption has told them before its first step.
    for note in done.plan.notes.iter().filter(|_| adopt == 0) {
        ui.note(&style::printable(note));
    }
    let adopted = if adopt == 0 { String::new() } else { format!("{adopt} adopted, ") };
    ui.say(&if done.plan.is_empty() {
        format!("nothing to do: the stack is as it should be ({})", duration(time))
    } else {
        format!("{adopted}{create} created, {update} updated, {delete} deleted in {}", duration(time))
    });
    let document = json!({ "summary": Counts::of(&done.plan).document(), "seconds": style::seconds(time), "notes": done.plan.notes, "outputs": done.outputs });
    ui.result(Exit::Done, &show(&done.outputs, ui.paint()), &document)?;
    Ok(Exit::Done)
}

/// The outputs, the WebSocket URL first.
pub(crate) fn show(outputs: &Outputs, paint: Paint) -> String {
    let Outputs { websocket_url, management_url, api_id, stage, function_arn, table, log_group, role_arn, reply, region } = outputs;
    let mut text = format!("\n{}  {}\n\n", paint.bold("WebSocket URL"), paint.green(&paint.bold(websocket_url)));
    let rows = [
        ("management URL", management_url),
        ("API", api_id),
        ("stage", stage),
        ("function", function_arn),
        ("table", table),
        ("log group", log_group),
        ("role", role_arn),
        ("reply", reply),
        ("Region", region),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "  {}  {value}", paint.dim(&format!("{name:14}")));
    }
    text
}
