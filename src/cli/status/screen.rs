//! One screen for people.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};

use crate::cli::plan;
use crate::cli::style::{Paint, count, duration, printable, short};
use crate::provision::connections::Connections;
use crate::provision::outputs::{Health, ResourceStatus};
use crate::provision::{Plan, Status};

use super::{oldest, sessions};

/// Names in one row of the table.
const MOST_NAMES: usize = 5;

pub(super) fn show(stack: &str, status: &Status, now_ms: u64, paint: Paint) -> String {
    let health = status.health();
    let word = match health {
        Health::Healthy => paint.green("healthy"),
        Health::Unknown => paint.yellow("healthy as far as it can be read"),
        Health::NotHealthy => paint.red("not healthy"),
        Health::Absent => paint.dim("not there"),
    };
    let mut text = format!("{} {word}\n", paint.bold(&format!("stack `{stack}`:")));
    if health == Health::Absent {
        text.push_str("\nThere is no API yet, nor anything else of it: `wsfix provision` makes it.\n");
        return text;
    }
    text.push_str(&table(&status.resources));
    if let Some(outputs) = &status.outputs {
        let rows = [("WebSocket URL", &paint.green(&outputs.websocket_url)), ("management URL", &outputs.management_url)];
        text.push('\n');
        for (name, value) in rows {
            let _ = writeln!(text, "{}  {value}", paint.bold(&format!("{name:16}")));
        }
    } else {
        text.push_str("\nThere is no API yet: `wsfix provision` makes it.\n");
    }
    if let Some(line) = connections(&status.connections, now_ms) {
        let _ = writeln!(text, "{}  {line}", paint.bold("open connections"));
    }
    text.push_str(&drift(status.drift.as_ref(), &status.not_compared, paint));
    text
}

/// Each resource in a row; routes that are as they should be share one.
fn table(resources: &[ResourceStatus]) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["RESOURCE", "NAME", "STATE", "HEALTH", ""]);
    let fine = |one: &&ResourceStatus| one.kind == "route" && one.healthy == Some(true);
    let routes: Vec<&str> = resources.iter().filter(fine).map(|one| one.name.as_str()).collect();
    let mut told = false;
    for one in resources {
        let ResourceStatus { kind, name, state, healthy, detail } = one;
        if fine(&one) {
            if !told {
                table.add_row([*kind, &printable(&names(&routes)), state, "ok", ""]);
            }
            told = true;
            continue;
        }
        let health = match healthy {
            Some(true) => "ok",
            Some(false) if state == "absent" => "-",
            Some(false) => "not ok",
            None => "unknown",
        };
        table.add_row([*kind, &printable(short(name)), state, health, &printable(detail)]);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The first few of many.
fn names(all: &[&str]) -> String {
    let more = all.len().saturating_sub(MOST_NAMES);
    let shown = all[..all.len() - more].join(" ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// `3, of 2 sessions; the oldest for 12 min 5 s`. `None`: there is no table.
fn connections(connections: &Connections, now_ms: u64) -> Option<String> {
    match connections {
        Connections::NoTable => None,
        Connections::Unknown(why) => Some(format!("unknown: {}", printable(why))),
        Connections::Open(open) if open.is_empty() => Some("0".to_owned()),
        Connections::Open(open) => {
            let oldest = oldest(open, now_ms).map(|time| format!("; the oldest for {}", duration(time))).unwrap_or_default();
            Some(format!("{}, of {}{oldest}", open.len(), count(sessions(open), "session")))
        }
    }
}

fn drift(drift: Option<&Plan>, not_compared: &[String], paint: Paint) -> String {
    match drift {
        None => format!("\nWhether it is as the config says cannot be told: {}.\n", not_compared.join("; ")),
        Some(drift) if drift.is_empty() => "\nEverything is as the config says.\n".to_owned(),
        Some(drift) => format!(
            "\n{} from the config. Either the config has changed since `wsfix provision`, or the stack was edited outside; `wsfix provision` makes it so:\n{}",
            count(drift.changes().count(), "difference"),
            plan::show(drift, paint, false)
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::provision::Outputs;
    use crate::provision::connections::Connection;

    use super::*;

    fn row(kind: &'static str, name: &str, state: &str, healthy: Option<bool>, detail: &str) -> ResourceStatus {
        ResourceStatus { kind, name: name.to_owned(), state: state.to_owned(), healthy, detail: detail.to_owned() }
    }

    fn status(resources: Vec<ResourceStatus>) -> Status {
        let connection = |id: &str, connected_at| Connection { id: id.to_owned(), session_id: "one".to_owned(), connected_at };
        Status {
            resources,
            outputs: Some(Outputs {
                websocket_url: "wss://abc.example/prod".to_owned(),
                management_url: "https://abc.example/prod".to_owned(),
                ..Outputs::default()
            }),
            connections: Connections::Open(vec![connection("a=", Some(1_000)), connection("b=", None)]),
            drift: Some(Plan::default()),
            not_compared: Vec::new(),
        }
    }

    #[test]
    fn a_status_fits_one_screen() {
        let mut resources = vec![
            row("table", "WebSocketConnections", "ACTIVE", Some(true), ""),
            row("function", "websocket-handler", "Failed", Some(false), "the image is gone"),
            row("role", "lambda_basic_execution", "unknown", None, "iam:GetRole is denied"),
            row("route", "broken", "present", Some(false), "it goes to `integrations/x`"),
        ];
        resources.extend((1..40).map(|number| row("route", &format!("route{number}"), "present", Some(true), "abc")));
        let text = show("terminal", &status(resources), 61_000, Paint::new(false));
        insta::assert_snapshot!(text, @r"
        stack `terminal`: not healthy
         RESOURCE  NAME                                            STATE    HEALTH
         table     WebSocketConnections                            ACTIVE   ok
         function  websocket-handler                               Failed   not ok   the image is gone
         role      lambda_basic_execution                          unknown  unknown  iam:GetRole is denied
         route     broken                                          present  not ok   it goes to `integrations/x`
         route     route1 route2 route3 route4 route5 and 34 more  present  ok

        WebSocket URL     wss://abc.example/prod
        management URL    https://abc.example/prod
        open connections  2, of 1 session; the oldest for 1 min 0 s

        Everything is as the config says.
        ");
    }

    #[test]
    fn what_is_not_there_is_no_alarm() {
        let absent = vec![
            row("role", "(none)", "absent", Some(false), "3 roles can serve"),
            row("table", "WebSocketConnections", "absent", Some(false), ""),
            row("stage", "prod", "absent", Some(false), "every handshake gets 403"),
        ];
        let text = show("terminal", &Status { outputs: None, ..status(absent) }, 0, Paint::new(false));
        assert_eq!(text, "stack `terminal`: not there\n\nThere is no API yet, nor anything else of it: `wsfix provision` makes it.\n");
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let mut status = status(vec![row("table", "t", "unknown", None, "denied")]);
        status.drift = None;
        status.not_compared = vec!["the backend's URL is missing".to_owned()];
        status.connections = Connections::Unknown("Scan (dynamodb:Scan): AccessDenied".to_owned());
        let text = show("terminal", &status, 0, Paint::new(false));
        for words in
            ["healthy as far as it can be read", "open connections  unknown: Scan", "cannot be told: the backend's URL is missing."]
        {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }
}
