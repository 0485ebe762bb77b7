//! `wsfix status`: what is there, whether it works, and whether it is as the config says.

mod screen;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::config::{Config, Purpose};
use crate::provision::connections::{Connection, Connections};
use crate::provision::progress::{Event, Reporter};
use crate::provision::{self, Consent, Run, Status, Stop};

use super::error::Error;
use super::exit::Exit;
use super::flags::Global;
use super::plan::{self, StackArgs};
use super::runtime::{Interrupts, block_on, unless_interrupted};
use super::settings;
use super::ui::Ui;

/// Shows what is there, its health, who is connected, and what differs from the config.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wsfix status
  wsfix status --watch 10
  wsfix status --output json | jq -r .result.outputs.websocket_url")]
pub(crate) struct StatusArgs {
    /// Looks again and again, until Ctrl-C; without a number every 5 seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
    #[command(flatten)]
    stack: StackArgs,
}

pub(crate) fn run(args: &StatusArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let config = settings::load(ui, global, Purpose::Stack, args.stack.settings())?;
    let stop = Stop::default();
    if let Some(seconds) = args.watch {
        return block_on(watch(&config, Duration::from_secs(seconds), ui));
    }
    let run = Run { config: &config, reporter: ui, stop: &stop, consent: Consent::default() };
    let status = block_on(unless_interrupted(async { Ok(provision::status(&run).await?) }))?;
    let now = now_ms();
    ui.result(Exit::Done, &screen::show(&config.stack, &status, now, ui.paint()), &document(&config.stack, &status, now))?;
    Ok(Exit::Done)
}

/// Shows it anew every `pause`. What fails after the first look may pass: it is told, and the next look decides; wrong credentials do not pass.
async fn watch(config: &Config, pause: Duration, ui: &Ui) -> Result<Exit, Error> {
    let mut interrupts = Interrupts::catch()?;
    let stop = Stop::default();
    let mut first = true;
    loop {
        let reporter: &dyn Reporter = if first { ui } else { &Silent };
        let run = Run { config, reporter, stop: &stop, consent: Consent::default() };
        let looked = tokio::select! {
            looked = provision::status(&run) => looked,
            () = interrupts.next() => return Ok(Exit::Done),
        };
        match looked {
            Ok(status) => {
                let now = now_ms();
                ui.refresh(&screen::show(&config.stack, &status, now, ui.paint()), &document(&config.stack, &status, now))?;
            }
            Err(error) if first || !error.passes() => return Err(error.into()),
            Err(error) => ui.note(&format!("this look failed, the next one follows: {error}")),
        }
        first = false;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = interrupts.next() => return Ok(Exit::Done),
        }
    }
}

/// Tells nothing: who watches has seen the first look.
struct Silent;

impl Reporter for Silent {
    fn event(&self, _: Event) {}
}

/// The time in epoch milliseconds.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| u64::try_from(time.as_millis()).ok()).unwrap_or_default()
}

fn sessions(open: &[Connection]) -> usize {
    open.iter().map(|connection| connection.session_id.as_str()).collect::<BTreeSet<_>>().len()
}

/// How long the oldest connection has been open.
fn oldest(open: &[Connection], now_ms: u64) -> Option<Duration> {
    let since = open.iter().filter_map(|connection| connection.connected_at).min()?;
    Some(Duration::from_millis(now_ms.saturating_sub(since)))
}

/// For programs.
fn document(stack: &str, status: &Status, now_ms: u64) -> Value {
    json!({
        "stack": stack,
        "health": status.health().name(),
        "resources": status.resources,
        "outputs": status.outputs,
        "connections": connections(&status.connections, now_ms),
        "drift": status.drift.as_ref().map(plan::document),
        "not_compared": status.not_compared,
    })
}

fn connections(connections: &Connections, now_ms: u64) -> Value {
    match connections {
        Connections::NoTable => Value::Null,
        Connections::Unknown(why) => json!({ "open": null, "sessions": null, "oldest_seconds": null, "unknown": why }),
        Connections::Open(open) => json!({
            "open": open.len(),
            "sessions": sessions(open),
            "oldest_seconds": oldest(open, now_ms).map(|time| time.as_secs()),
            "unknown": null,
        }),
    }
}
