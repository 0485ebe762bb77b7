//! Observed -> what must be so for a socket to open and to stay useful, and whether it is. Pure.

use super::desired::Desired;
use super::observed::{Found, Observed};
use super::outputs::ResourceStatus;
use super::ownership::Part;
use super::plan::Action;
use super::resource::{self, Kind};
use super::resources::table;
use super::roles::{self, Fitness};
use crate::contract::{env, item, reply};

/// One thing that must be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it is about.
    pub matter: Matter,
    /// Whether it is so.
    pub holds: Holds,
}

/// What conditions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// The API is there, once, and its endpoint is on.
    Api,
    /// The integration calls the function.
    Integration,
    /// Every route is there and goes to the integration.
    Routes,
    /// The stage is there and serves what was deployed last.
    Stage,
    /// No throttle of the stage refuses everything.
    Throttles,
    /// The function can be called.
    Function,
    /// The function gives up before API Gateway does.
    TimeLimits,
    /// API Gateway may call the function.
    Permission,
    /// The function's role may do what the handler does.
    Role,
    /// The way that replies travel is open.
    Replies,
    /// The table can be used.
    Table,
    /// The table's policy lets a role in that may not use it by itself.
    TablePolicy,
    /// Items of connections that were cut off expire.
    Expiry,
}

/// Whether something is so, with what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It is.
    Yes(String),
    /// It is not.
    No(String),
    /// It could not be read, or cannot be told; says why.
    Unknown(String),
}

/// API Gateway waits no longer for a function, in seconds (quotas of WebSocket APIs).
const GATEWAY_SECONDS: i32 = 29;

/// Everything about the stack that the control plane can tell; the function's own role is meant where `want` names it.
pub(crate) fn conditions(want: &Desired, seen: &Observed) -> Vec<Condition> {
    use Matter::{Api, Expiry, Function, Integration, Permission, Replies, Role, Routes, Stage, Table, TablePolicy, Throttles, TimeLimits};
    let list = [
        (Api, Some(of(Kind::Api, want, seen))),
        (Integration, Some(of(Kind::Integration, want, seen))),
        (Routes, Some(of(Kind::Route, want, seen))),
        (Stage, Some(stage(want, seen))),
        (Throttles, throttles(seen)),
        (Function, Some(of(Kind::Function, want, seen))),
        (TimeLimits, time_limits(want, seen)),
        (Permission, Some(of(Kind::Permission, want, seen))),
        (Role, Some(role(want, seen))),
        (Replies, replies(want, seen)),
        (Table, Some(of(Kind::Table, want, seen))),
        (TablePolicy, table_policy(want, seen)),
        (Expiry, expiry(seen)),
    ];
    list.into_iter().filter_map(|(matter, holds)| Some(Condition { matter, holds: holds? })).collect()
}

/// What `status` says of a kind, all its resources together.
fn of(kind: Kind, want: &Desired, seen: &Observed) -> Holds {
    let statuses = resource::of(kind).map(|resource| resource.status(want, seen)).unwrap_or_default();
    let words = |ResourceStatus { name, state, detail, .. }: &ResourceStatus| {
        [format!("{name}: {state}"), detail.clone()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
    };
    let all = |healthy: Option<bool>| statuses.iter().filter(|status| status.healthy == healthy).map(words).collect::<Vec<_>>();
    match (all(Some(false)), all(None)) {
        (bad, _) if !bad.is_empty() => Holds::No(bad.join("; ")),
        (_, unread) if !unread.is_empty() => Holds::Unknown(unread.join("; ")),
        _ => Holds::Yes(statuses.iter().map(|status| status.name.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

fn stage(want: &Desired, seen: &Observed) -> Holds {
    match (of(Kind::Stage, want, seen), seen.stage_found()) {
        (Holds::Yes(name), Some(stage)) if !stage.deploys_by_itself() => {
            Holds::Unknown(format!("{name}: automatic deployment is off, and whether the latest changes are deployed cannot be read"))
        }
        (Holds::Yes(name), Some(stage)) => Holds::Yes(format!("{name}, deployment {}", stage.deployment_id().unwrap_or("unknown"))),
        (other, _) => other,
    }
}

fn throttles(seen: &Observed) -> Option<Holds> {
    let stage = seen.stage_found()?;
    let blocked = stage.blocked();
    Some(if blocked.is_empty() {
        Holds::Yes(stage.throttles())
    } else {
        Holds::No(format!("rate or burst is 0 for {}", blocked.join(", ")))
    })
}

fn time_limits(want: &Desired, seen: &Observed) -> Option<Holds> {
    let function = seen.function.present()?.spec.timeout_seconds;
    let Some(integration) = seen.shared_integration(want).map(|one| one.timeout_millis()) else {
        return Some(Holds::Unknown(format!("function {function} s; the integration could not be read")));
    };
    let words = format!("function {function} s, integration {} s", f64::from(integration) / 1000.0);
    let fits = function < GATEWAY_SECONDS && function * 1000 < integration;
    Some(if fits { Holds::Yes(words) } else { Holds::No(words) })
}

fn role(want: &Desired, seen: &Observed) -> Holds {
    if seen.function.present().is_none() {
        return Holds::Unknown("the function could not be read, and with it not its role".to_owned());
    }
    let Some(judged) = roles::judged(want, seen) else { return of(Kind::Role, want, seen) };
    let reasons = judged.reasons().join("; ");
    let words = format!("{}: {}", judged.name(), if reasons.is_empty() { judged.fitness.name() } else { &reasons });
    match judged.fitness {
        Fitness::NotFit => Holds::No(words),
        Fitness::Unknown => Holds::Unknown(words),
        Fitness::Fit | Fitness::WithHelp => Holds::Yes(words),
    }
}

/// The mode is the function's own, whatever the config would make of it.
fn replies(want: &Desired, seen: &Observed) -> Option<Holds> {
    let function = seen.function.present()?;
    if let Some(why) = &function.environment_unread {
        return Some(Holds::Unknown(format!("how the function replies could not be read: {why}")));
    }
    let mode = function.variable(env::REPLY).unwrap_or(reply::MANAGEMENT_API);
    if mode == reply::MANAGEMENT_API {
        let answer = roles::judged(want, seen).and_then(roles::Judged::may_reply);
        let words = |more: &str| format!("{mode}: {more}");
        return Some(match answer.map(|answer| (answer.word(), answer.because())) {
            Some(("allowed", _)) => Holds::Yes(words("the role may post to @connections")),
            Some(("denied", because)) => Holds::No(words(&format!("the role may not post to @connections ({because})"))),
            Some((_, because)) => Holds::Unknown(words(&because)),
            None => Holds::Unknown(words("whether the role may post to @connections is not known")),
        });
    }
    let (routes, responses) = match (&seen.routes, &seen.route_responses) {
        (Found::Present(routes), Found::Present(responses)) => (routes, responses),
        (Found::Unknown(why), _) | (_, Found::Unknown(why)) => return Some(Holds::Unknown(why.clone())),
        (Found::Absent, _) | (_, Found::Absent) => return None,
    };
    let messages = || want.routes().filter(|key| !["$connect", "$disconnect"].contains(key));
    let silent = messages().filter(|key| {
        let open = responses.contains_key(*key) && routes.get(*key).is_some_and(|route| route.has_response_expression());
        routes.contains_key(*key) && !open
    });
    let silent: Vec<&str> = silent.collect();
    Some(if silent.is_empty() {
        Holds::Yes(format!("{mode}: every route has its response"))
    } else {
        Holds::No(format!("{mode}: no route response on {}", silent.join(", ")))
    })
}

/// Only where the role needs it.
fn table_policy(want: &Desired, seen: &Observed) -> Option<Holds> {
    let (table, judged) = (seen.table.present()?, roles::judged(want, seen)?);
    if !judged.needs_table_policy() {
        return None;
    }
    if table.spec.resource_policy.is_none() {
        return Some(Holds::Unknown(table.unread.join("; ")));
    }
    let verdict = resource::of(Kind::Table).map(|resource| resource.diff(want, seen)).unwrap_or_default();
    let differs = verdict.steps.iter().any(|step| match &step.action {
        Action::Update(fields) | Action::Adopt(fields) => fields.iter().any(|field| field.field == table::POLICY_FIELD),
        Action::Keep | Action::Create | Action::Delete(_) | Action::Refuse(_) => false,
    });
    Some(if differs || seen.is_without(Part::TablePolicy) {
        Holds::No(format!("{} needs the table's resource policy, which does not let it in", judged.name()))
    } else {
        Holds::Yes(format!("{} is let in by the table's resource policy", judged.name()))
    })
}

fn expiry(seen: &Observed) -> Option<Holds> {
    let attribute = seen.table.present()?.spec.ttl_attribute.as_deref();
    Some(match attribute {
        Some(item::EXPIRES_AT) => Holds::Yes(format!("by `{}`", item::EXPIRES_AT)),
        Some("") if seen.is_without(Part::TableExpiry) => {
            Holds::Unknown("expiry is off: it was denied when the stack was made, and is done without".to_owned())
        }
        Some("") => Holds::No("expiry is off".to_owned()),
        Some(other) => Holds::No(format!("by `{other}`, which no item has")),
        None => Holds::Unknown("the table's expiry could not be read".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;

    #[test]
    fn an_empty_account_lacks_everything_and_what_cannot_be_read_is_unknown() {
        let want = desired(Settings::default());
        let of = |seen: &Observed| -> Vec<(Matter, &'static str)> {
            let word = |holds: &Holds| match holds {
                Holds::Yes(_) => "yes",
                Holds::No(_) => "no",
                Holds::Unknown(_) => "unknown",
            };
            conditions(&want, seen).iter().map(|condition| (condition.matter, word(&condition.holds))).collect()
        };
        let empty = of(&Observed::default());
        assert!(empty.contains(&(Matter::Api, "no")) && empty.contains(&(Matter::Stage, "no")), "{empty:?}");
        assert!(empty.contains(&(Matter::Function, "no")) && empty.contains(&(Matter::Role, "unknown")), "{empty:?}");
        assert!(!empty.iter().any(|(matter, _)| [Matter::Expiry, Matter::Throttles, Matter::TimeLimits].contains(matter)), "{empty:?}");
        let denied = || "GetX (x:GetX): AccessDenied".to_owned();
        let seen = Observed {
            api: Found::Unknown(denied()),
            routes: Found::Unknown(denied()),
            integrations: Found::Unknown(denied()),
            stage: Found::Unknown(denied()),
            function: Found::Unknown(denied()),
            permission: Found::Unknown(denied()),
            table: Found::Unknown(denied()),
            ..Observed::default()
        };
        let unread = of(&seen);
        assert!(unread.iter().all(|(_, word)| *word == "unknown"), "{unread:?}");
    }
}
