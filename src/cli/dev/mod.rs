//! `wsfix dev`: the whole architecture on this machine, with no account and no Docker.

mod setup;
mod tour;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Instant;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use serde_json::json;

use crate::local::LogLine;
use crate::local::account::built_in;
use crate::local::modes::{self, Mode};
use crate::secret::Secret;

use super::checklist::Checklist;
use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, speed};
use super::plan::StackArgs;
use super::runtime::{Interrupts, block_on, unless_interrupted};
use super::style::{Paint, duration, printable};
use super::ui::Ui;
use setup::Session;

/// The port where nobody names one; a fixed one, so that other tools can be pointed at it once.
const PORT: u16 = 4577;

/// Runs the whole architecture on this machine: no account, no Docker.
#[derive(clap::Args)]
#[command(after_help = "The stack is provisioned by the same code, and the handler is the same binary, as on AWS.
The role `lambda_basic_execution` of the built-in account may only write logs: that is enough.

Examples:
  wsfix dev --once
  wsfix dev --backend-url http://127.0.0.1:3000 --route resize
  wsfix dev --existing-role websocket-handler-role --port 0
  wsfix dev --once --account assumed-role
  wsfix dev --once --like-aws --speed 10
")]
pub(crate) struct DevArgs {
    /// Goes through a tour with a WebSocket client, prints a checklist, and ends: 0 all passed, 3 a check failed
    #[arg(long)]
    once: bool,

    /// The address to listen on. Whoever reaches another one than loopback can run programs on this machine as you
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into())]
    listen: IpAddr,

    /// The port; 0 takes any free one [default: 4577, and 0 with --once]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Who exists in the local account, and what they may do: one that comes with wsfix, or a YAML file
    #[arg(long, value_name = "NAME|FILE", value_parser = AccountName, hide_possible_values = true, long_help = about_accounts())]
    account: Option<PathBuf>,

    /// How many times faster AWS's own delays and limits pass
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    speed: f64,

    /// Takes as long as AWS, reads as late as AWS, counts calls as AWS does; all of it, or these modes, with commas between them
    #[arg(long, value_name = "MODE", num_args = 0..=1, value_delimiter = ',', value_parser = ModeName, hide_possible_values = true, long_help = about_modes())]
    like_aws: Option<Vec<&'static Mode>>,

    /// Lets the built-in backend run commands in a real shell, as you
    #[arg(long, conflicts_with = "backend_url")]
    allow_commands: bool,

    #[command(flatten)]
    stack: StackArgs,
}

fn about_accounts() -> String {
    format!("Who exists in the local account, and what they may do: a YAML file, or one that comes with wsfix ({})", built_in::names())
}

fn about_modes() -> String {
    let lines = modes::ALL.iter().map(|mode| format!("\n  {:18}  {}", mode.name, mode.about));
    format!(
        "Takes as long as AWS, reads as late as AWS, counts calls as AWS does; all of it, or these modes, with commas between them:\n{}",
        lines.collect::<String>()
    )
}

impl DevArgs {
    /// The modes that are asked for; the flag alone means all.
    fn modes(&self) -> Vec<&'static Mode> {
        match self.like_aws.as_deref() {
            None => Vec::new(),
            Some([]) => modes::ALL.iter().collect(),
            Some(named) => named.to_vec(),
        }
    }
}

/// Takes the names of modes, and offers them to shells that complete.
#[derive(Clone)]
struct ModeName;

impl TypedValueParser for ModeName {
    type Value = &'static Mode;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&clap::Arg>, value: &OsStr) -> Result<&'static Mode, clap::Error> {
        let names = PossibleValuesParser::new(modes::ALL.iter().map(|mode| mode.name));
        let name = names.parse_ref(command, arg, value)?;
        modes::find(&name).ok_or_else(|| clap::Error::new(ErrorKind::InvalidValue).with_cmd(command))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(modes::ALL.iter().map(|mode| PossibleValue::new(mode.name).help(mode.about))))
    }
}

/// Takes any text, and offers the names of the accounts that come with the tool to shells that complete.
#[derive(Clone)]
struct AccountName;

impl TypedValueParser for AccountName {
    type Value = PathBuf;

    fn parse_ref(&self, _: &clap::Command, _: Option<&clap::Arg>, value: &OsStr) -> Result<PathBuf, clap::Error> {
        Ok(PathBuf::from(value))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(built_in::ALL.iter().map(|account| PossibleValue::new(account.name).help(account.about()))))
    }
}

pub(crate) fn run(args: &DevArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let started = Instant::now();
    let setup = setup::Setup::new(args, global, ui)?;
    block_on(async {
        if args.once {
            let list = Checklist::new(ui, started);
            unless_interrupted(tour::run(setup, ui, &list)).await?;
            let exit = if list.all_passed() { Exit::Done } else { Exit::Changes };
            ui.result(exit, &format!("{}\n{}", list.text(ui.paint()), list.summary()), &list.document())?;
            return Ok(exit);
        }
        let session = unless_interrupted(Session::start(setup, ui, None)).await?;
        serve(session, ui, started).await
    })
}

/// Says how to use it, then tells what the handler logs until somebody presses Ctrl-C.
async fn serve(mut session: Session, ui: &Ui, started: Instant) -> Result<Exit, Error> {
    let mut interrupts = Interrupts::catch()?;
    ui.say(&format!("\nready in {}", duration(started.elapsed())));
    ui.result(Exit::Done, &introduction(&session, ui.paint()), &document(&session, started))?;
    loop {
        tokio::select! {
            Some(line) = session.lines.recv() => log(&line, ui),
            () = interrupts.next() => break,
        }
    }
    session.stop();
    ui.say("stopped; nothing of it is left");
    Ok(Exit::Done)
}

/// One line of the handler. Lambda's own lines are shown with `-v`.
fn log(line: &LogLine, ui: &Ui) {
    let LogLine { group, stream, timestamp, message } = line;
    ui.emit("log", json!({ "group": group, "stream": stream, "timestamp": timestamp, "message": message }));
    let platform = ["START ", "END ", "REPORT ", "INIT_START "].iter().any(|word| message.starts_with(word));
    if !platform || ui.verbose() {
        ui.say(&printable(message));
    }
}

fn introduction(session: &Session, paint: Paint) -> String {
    let Session { cloud, keys, session_id, outputs, .. } = session;
    let mut text = String::from("\n");
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{}  {value}", paint.bold(&format!("{name:13}")));
    };
    row("WebSocket URL", &paint.green(&outputs.websocket_url));
    row("terminal", &session.page_url());
    row("backend", session.backend_url());
    row("session", session_id);
    match &session.token {
        Some(token) => {
            row("token", token.expose());
            let url = format!("{}?sessionId={session_id}&token={}", outputs.websocket_url, token.expose());
            let _ = writeln!(text, "\n{}\n  wscat -c '{url}'", paint.bold("Connect"));
            let _ = writeln!(text, "  > {{\"action\":\"sendMessage\",\"type\":\"ping\"}}");
        }
        None => row("token", "none can be signed here: the key is public or in a store, or tickets are wanted"),
    }
    let _ = writeln!(text, "\n{}", paint.bold("Point other tools at the local cloud"));
    for (name, value) in [
        ("AWS_ENDPOINT_URL", cloud.endpoint()),
        ("AWS_REGION", cloud.region()),
        ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.expose()),
        ("AWS_SESSION_TOKEN", keys.session_token.as_ref().map_or("", Secret::expose)),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "  export {name}={value}");
        }
    }
    let _ = writeln!(text, "\nCtrl-C ends it. What the handler logs:");
    text
}

fn document(session: &Session, started: Instant) -> serde_json::Value {
    let Session { cloud, keys, session_id, outputs, token, .. } = session;
    json!({
        "websocket_url": outputs.websocket_url,
        "page_url": session.page_url(),
        "endpoint_url": cloud.endpoint(),
        "region": cloud.region(),
        "access_key_id": keys.access_key_id,
        "secret_access_key": keys.secret_access_key.expose(),
        "session_token": keys.session_token.as_ref().map(Secret::expose),
        "session_id": session_id,
        "token": token.as_ref().map(Secret::expose),
        "backend_url": session.backend_url(),
        "outputs": outputs,
        "seconds": super::style::seconds(started.elapsed()),
    })
}
