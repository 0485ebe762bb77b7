//! Judged roles in words, and as documents.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::cli::style::{Paint, count, printable, short};
use crate::provision::Survey;
use crate::provision::evidence::Answer;
use crate::provision::roles::{Ask, Fitness, Help, Permission, Surveyed, Trust};

/// One line a role.
pub(super) fn list(survey: &Survey, all: bool, paint: Paint) -> String {
    let (shown, hidden): (Vec<_>, Vec<_>) = survey.roles.iter().partition(|role| all || role.judged.fitness != Fitness::NotFit);
    let mut text = String::new();
    if !shown.is_empty() {
        let mut table = columns(["ROLE", "FITNESS", "WHY"]);
        for role in &shown {
            let mut why = role.judged.reasons();
            if survey.in_use.as_ref() == Some(&role.judged.arn) {
                why.insert(0, "the stack's function has it".to_owned());
            }
            table.add_row([printable(short(&role.judged.arn)).as_str(), role.judged.fitness.name(), printable(&why.join("; ")).as_str()]);
        }
        lines(&mut text, &table);
        text.push('\n');
    }
    if !hidden.is_empty() {
        let are = if hidden.len() == 1 { "is" } else { "are" };
        let _ = writeln!(text, "{} {are} not fit: `wsfix roles --all` shows why.", count(hidden.len(), "role"));
    }
    let able = |role: &&&Surveyed| matches!(role.judged.fitness, Fitness::Fit | Fitness::WithHelp);
    match shown.iter().find(able) {
        Some(best) => {
            let name = best.judged.name();
            let _ = writeln!(
                text,
                "`wsfix roles {name}` says more; {} uses it.",
                paint.bold(&format!("`wsfix provision --existing-role {name}`"))
            );
        }
        None if survey.roles.is_empty() => {
            text.push_str("The account has no roles. Ask an administrator for one that lambda.amazonaws.com may assume.\n")
        }
        None => text.push_str("None is known to fit. Ask an administrator for one that lambda.amazonaws.com may assume.\n"),
    }
    text
}

/// Everything about one role.
pub(super) fn one(role: &Surveyed, survey: &Survey, paint: Paint) -> String {
    let judged = &role.judged;
    let fitness = match judged.fitness {
        Fitness::Fit | Fitness::WithHelp => paint.green(judged.fitness.name()),
        Fitness::Unknown => paint.yellow(judged.fitness.name()),
        Fitness::NotFit => paint.red(judged.fitness.name()),
    };
    let mut text = format!("role `{}`: {fitness}\n\n", printable(judged.name()));
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "  {}  {}", paint.dim(&format!("{name:5}")), printable(value));
    };
    row("ARN", &judged.arn);
    row("trust", &judged.trust.words());
    if !judged.permissions.is_empty() {
        row("reply", &format!("{}: {}", role.reply, role.reply_why));
    }
    if survey.in_use.as_ref() == Some(&judged.arn) {
        row("used", "the stack's function has it");
    }
    if !judged.permissions.is_empty() {
        text.push('\n');
        let mut table = columns(["PERMISSION", "ON", "ANSWER", ""]);
        for permission in &judged.permissions {
            let on = printable(short(&permission.resource));
            table.add_row([permission.action, on.as_str(), permission.answer.word(), printable(&evidence(permission)).as_str()]);
        }
        lines(&mut text, &table);
    }
    text.push('\n');
    text.push_str(&left(role));
    text
}

/// What says so, and what makes up for it.
fn evidence(permission: &Permission) -> String {
    let because = permission.answer.because();
    let help = match permission.help {
        Some(Help::TablePolicy) => "the table's resource policy lets it in",
        Some(Help::RouteResponse) => "replies travel by route response",
        Some(Help::GoWithout) if matches!(permission.answer, Answer::Denied(_)) => permission.without,
        Some(Help::GoWithout) | None => "",
    };
    [because.as_str(), help].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// What is left to ask an administrator for.
fn left(role: &Surveyed) -> String {
    let judged = &role.judged;
    if let Trust::No(_) = judged.trust {
        return "Left to ask for: a trust policy that lets lambda.amazonaws.com do sts:AssumeRole.\n".to_owned();
    }
    let (needed, all) = (judged.asks(true), judged.asks(false));
    let mut text = String::new();
    let mut say = |title: &str, asks: &[&Ask]| {
        if !asks.is_empty() {
            let _ = writeln!(text, "{title}");
            for ask in asks {
                let _ = writeln!(text, "  {}", printable(&ask.words()));
            }
        }
    };
    say("Left to ask for:", &needed.iter().collect::<Vec<_>>());
    say("Not needed, but the role would do without help:", &all.iter().filter(|ask| !needed.contains(ask)).collect::<Vec<_>>());
    if needed.is_empty() { format!("Left to ask for: nothing.\n{text}") } else { text }
}

fn columns<const N: usize>(names: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(names);
    table
}

fn lines(text: &mut String, table: &Table) {
    for line in table.lines() {
        let _ = writeln!(text, " {}", line.trim_end());
    }
}

/// For programs.
pub(super) fn document(role: &Surveyed) -> Value {
    let judged = &role.judged;
    let trust = match &judged.trust {
        Trust::Yes => "yes",
        Trust::No(_) => "no",
        Trust::Unknown(_) => "unknown",
    };
    json!({
        "name": judged.name(),
        "arn": judged.arn,
        "fitness": judged.fitness.name(),
        "reasons": judged.reasons(),
        "trust": { "answer": trust, "why": judged.trust.words() },
        "permissions": judged.permissions.iter().map(permission).collect::<Vec<_>>(),
        "reply": { "mode": role.reply, "why": role.reply_why },
        "needs_table_policy": judged.needs_table_policy(),
        "left_to_ask": judged.asks(true).iter().map(ask).collect::<Vec<_>>(),
    })
}

fn permission(permission: &Permission) -> Value {
    let help = permission.help.map(|help| match help {
        Help::TablePolicy => "table-policy",
        Help::RouteResponse => "route-response",
        Help::GoWithout => "go-without",
    });
    let denied = if let Answer::Denied(denied) = &permission.answer { Some(denied) } else { None };
    let Permission { action, resource, why, without, answer, .. } = permission;
    json!({ "action": action, "resource": resource, "why": why, "without": without, "answer": answer.word(), "because": answer.because(), "denied": denied, "help": help })
}

fn ask(ask: &Ask) -> Value {
    json!({ "actions": ask.actions, "resource": ask.resource, "text": ask.words() })
}
