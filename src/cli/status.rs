//! `wsfix status`: what is there, whether it works, and whether it is as the config says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::config::Purpose;
use crate::provision::connections::{Connection, Connections};
use crate::provision::outputs::ResourceStatus;
use crate::provision::{self, Consent, Run, Status, Stop};

use super::error::Error;
use super::exit::Exit;
use super::flags::Global;
use super::plan::{self, StackArgs};
use super::provision::show as show_outputs;
use super::runtime::{block_on, until_stopped};
use super::settings;
use super::style::{Paint, count, printable, short};
use super::ui::Ui;

/// Shows what is there, its health, and what differs from the config.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wsfix status
  wsfix status --output json | jq -r .result.outputs.websocket_url")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    stack: StackArgs,
}

pub(crate) fn run(args: &StatusArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let config = settings::load(ui, global, Purpose::Stack, args.stack.settings())?;
    let stop = Stop::default();
    let run = Run { config: &config, reporter: ui, stop: &stop, consent: Consent::default() };
    let status = block_on(until_stopped(ui, &stop, async { Ok(provision::status(&run).await?) }))?;
    let text = format!("stack `{}`\n{}", config.stack, show(&status, ui.paint()));
    let drift = status.drift.as_ref().map(plan::document);
    let document = json!({ "stack": config.stack, "resources": status.resources, "outputs": status.outputs,
        "connections": connections(&status.connections), "drift": drift });
    ui.result(Exit::Done, &text, &document)?;
    Ok(Exit::Done)
}

fn show(status: &Status, paint: Paint) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["RESOURCE", "NAME", "STATE", "HEALTH", ""]);
    for ResourceStatus { kind, name, state, healthy, detail } in &status.resources {
        let health = match healthy {
            Some(true) => "ok",
            Some(false) if state == "absent" => "-",
            Some(false) => "not ok",
            None => "unknown",
        };
        table.add_row([kind, printable(short(name)).as_str(), state, health, printable(detail).as_str()]);
    }
    let mut text = String::new();
    for line in table.lines() {
        let _ = writeln!(text, " {}", line.trim_end());
    }
    if let Some(line) = show_connections(&status.connections) {
        let _ = writeln!(text, "\nopen connections  {line}");
    }
    let _ = match &status.drift {
        None => writeln!(text, "\nDrift cannot be told: the config is not complete (`wsfix plan` says what is missing)."),
        Some(drift) if drift.is_empty() => writeln!(text, "\nEverything is as the config says."),
        Some(drift) => {
            let changes = drift.changes().count();
            writeln!(
                text,
                "\n{} from the config (`wsfix provision` puts it right):\n{}",
                count(changes, "difference"),
                plan::show(drift, paint, false)
            )
        }
    };
    match &status.outputs {
        Some(outputs) => text.push_str(&show_outputs(outputs, paint)),
        None => text.push_str("\nThere is no API yet: `wsfix provision` makes it.\n"),
    }
    text
}

/// `3, of 2 sessions`; `None`: there is no table.
fn show_connections(connections: &Connections) -> Option<String> {
    match connections {
        Connections::NoTable => None,
        Connections::Unknown(why) => Some(format!("unknown: {}", printable(why))),
        Connections::Open(open) if open.is_empty() => Some("0".to_owned()),
        Connections::Open(open) => Some(format!("{}, of {}", open.len(), count(sessions(open), "session"))),
    }
}

fn sessions(open: &[Connection]) -> usize {
    open.iter().map(|connection| connection.session_id.as_str()).collect::<BTreeSet<_>>().len()
}

/// For programs.
fn connections(connections: &Connections) -> Value {
    match connections {
        Connections::NoTable => Value::Null,
        Connections::Unknown(why) => json!({ "open": null, "sessions": null, "unknown": why }),
        Connections::Open(open) => json!({ "open": open.len(), "sessions": sessions(open), "unknown": null }),
    }
}

#[cfg(test)]
mod tests {
    use crate::provision::{Outputs, Plan};

    use super::*;

    #[test]
    fn a_status_fits_one_screen() {
        let row = |kind, name: &str, state: &str, healthy, detail: &str| ResourceStatus {
            kind,
            name: name.to_owned(),
            state: state.to_owned(),
            healthy,
            detail: detail.to_owned(),
        };
        let status = Status {
            resources: vec![
                row("table", "WebSocketConnections", "ACTIVE", Some(true), ""),
                row("function", "websocket-handler", "Failed", Some(false), "the image is gone"),
                row("api", "TerminalWebSocketAPI", "absent", Some(false), ""),
                row("role", "lambda_basic_execution", "unknown", None, "iam:GetRole is denied"),
            ],
            outputs: Some(Outputs { websocket_url: "wss://abc.example/prod".to_owned(), ..Outputs::default() }),
            connections: Connections::Unknown("Scan (dynamodb:Scan): AccessDenied".to_owned()),
            drift: Some(Plan::default()),
        };
        let text = show(&status, Paint::new(false));
        assert!(text.lines().count() < 24, "{text}");
        assert!(text.contains("WebSocket URL  wss://abc.example/prod"), "{text}");
        let table = text.split_once("\n\n").map_or("", |(table, _)| table);
        insta::assert_snapshot!(table, @r"
         RESOURCE  NAME                    STATE    HEALTH
         table     WebSocketConnections    ACTIVE   ok
         function  websocket-handler       Failed   not ok   the image is gone
         api       TerminalWebSocketAPI    absent   -
         role      lambda_basic_execution  unknown  unknown  iam:GetRole is denied
        ");
    }
}
