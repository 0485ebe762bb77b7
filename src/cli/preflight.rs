//! What `wsfix plan --preflight` shows: principal, action, resource, and one of three answers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::provision::Preflight;
use crate::provision::evidence::Answer;
use crate::provision::preflight::{Check, Culprit, Necessity};
use crate::provision::roles::together;

use super::style::{Paint, count, printable};

/// The table, and below it what stands in the way.
pub(crate) fn show(preflight: &Preflight, paint: Paint) -> String {
    let mut text = format!("\n{}  {}\n", paint.bold("caller"), printable(&preflight.who));
    text.push_str(&table(&preflight.checks, paint));
    let role = preflight.role.as_deref().unwrap_or("(none)");
    let _ = writeln!(text, "\n{}  {}", paint.bold("execution role"), printable(role));
    text.push_str(&table(&preflight.role_checks, paint));
    if preflight.role_checks.is_empty() {
        text.push_str("  nothing is known of it\n");
    }
    let denied: Vec<&Check> = preflight.denied().collect();
    if !denied.is_empty() {
        let _ = writeln!(
            text,
            "\n{} {} denied: `wsfix provision` would stop before anything is made",
            paint.red("!"),
            count(denied.len(), "permission")
        );
        for check in &denied {
            let _ = writeln!(text, "  {} on {}\n      {}", check.action, printable(&check.resource), printable(&check.advice()));
            for culprit in preflight.culprits.iter().filter(|culprit| culprit.action == check.action && culprit.resource == check.resource)
            {
                let _ = writeln!(text, "      in the way: {}", printable(&in_the_way(culprit)));
            }
        }
    }
    let _ = writeln!(
        text,
        "\n{}",
        paint.dim("An allow is what IAM's policies say, not a promise: session policies and some of the organisation's are not seen.")
    );
    text
}

fn in_the_way(culprit: &Culprit) -> String {
    let Culprit { policy, arn, layer, sid, statement, .. } = culprit;
    let sid = sid.as_ref().map(|sid| format!(" {sid}")).unwrap_or_default();
    let policy = arn.as_ref().unwrap_or(policy);
    format!("statement{sid} of the {} {policy}: {statement}", layer.name())
}

/// One line for all actions that have answer, resource and reason in common.
fn table(checks: &[Check], paint: Paint) -> String {
    let mut rows: Vec<(&Check, Vec<&'static str>)> = Vec::new();
    for check in checks {
        let same = |other: &Check| {
            (&other.answer, &other.resource, other.phase, other.necessity) == (&check.answer, &check.resource, check.phase, check.necessity)
        };
        match rows.iter_mut().find(|(other, _)| same(other)) {
            Some((_, actions)) if actions.contains(&check.action) => {}
            Some((_, actions)) => actions.push(check.action),
            None => rows.push((check, vec![check.action])),
        }
    }
    let mut text = String::new();
    for (check, actions) in rows {
        let word = format!("{:7}", check.answer.word());
        let word = match &check.answer {
            Answer::Allowed(_) => paint.green(&word),
            Answer::Denied(_) => paint.red(&word),
            Answer::Unknown(_) => paint.yellow(&word),
        };
        let _ = writeln!(text, "  {word}  {:9}  {} on {}", check.phase, together(&actions), printable(&check.resource));
        if !matches!(check.answer, Answer::Allowed(_)) {
            let without = if check.necessity == Necessity::Needed { "" } else { &format!("; without it: {}", check.without) };
            let _ = writeln!(text, "           {}", paint.dim(&printable(&format!("{}{without}", check.answer.because()))));
        }
    }
    text
}

/// For programs.
pub(crate) fn document(preflight: &Preflight) -> Value {
    let checks: Vec<Value> = preflight.checks.iter().map(|check| one("caller", check)).collect();
    let roles = preflight.role_checks.iter().map(|check| one("role", check));
    let culprit = |culprit: &Culprit| {
        let Culprit { action, resource, policy, arn, layer, sid, statement } = culprit;
        json!({ "action": action, "resource": resource, "policy": policy, "policy_arn": arn, "layer": layer, "sid": sid, "statement": statement })
    };
    json!({
        "caller": preflight.caller,
        "who": preflight.who,
        "role": preflight.role,
        "checks": checks.into_iter().chain(roles).collect::<Vec<_>>(),
        "in_the_way": preflight.culprits.iter().map(culprit).collect::<Vec<_>>(),
    })
}

fn one(principal: &str, check: &Check) -> Value {
    let (by, denied) = match &check.answer {
        Answer::Allowed(by) => (by.as_slice(), None),
        Answer::Denied(denied) => ([].as_slice(), Some(denied)),
        Answer::Unknown(_) => ([].as_slice(), None),
    };
    json!({
        "principal": principal,
        "action": check.action,
        "resource": check.resource,
        "phase": check.phase,
        "necessity": check.necessity.name(),
        "answer": check.answer.word(),
        "allowed_by": by,
        "denied": denied,
        "because": check.answer.because(),
        "why": check.why,
        "without": check.without,
        "advice": check.advice(),
    })
}
