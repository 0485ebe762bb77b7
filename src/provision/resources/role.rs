//! The execution role, and what it may do. Referenced, never changed: only `Keep` or `Refuse`.

use std::rc::Rc;

use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Place, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::permissions::Scope;
use crate::provision::plan::Action;
use crate::provision::resource::{Context, Kind, Resource, Seen, Verdict};
use crate::provision::roles::{self, Boundary, Choice, Fitness, Judged, Trust, arn, choose, name};

/// The roles that may be meant.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// One where the config names it, none where there is no such role; else all of the account.
    pub(crate) roles: Vec<roles::Role>,
    /// Names close to one that is not there.
    similar: Vec<String>,
}

pub(crate) struct Role;

impl Resource for Role {
    fn kind(&self) -> Kind {
        Kind::Role
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async {
            Ok(Slot::Role(match &cx.want.role {
                Some(named) => Found::optional(get(cx, named).await)?,
                None => match roles::known(roles::list(&cx.clients).await)? {
                    Ok(roles) => Found::Present(Live { roles, similar: Vec::new() }),
                    Err(why) => Found::Unknown(why),
                },
            }))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let verdict = match &want.role {
            Some(named) => of_named(named, want, seen),
            None => of_any(want, seen),
        };
        match roles::judged(want, seen).filter(|judged| judged.fitness == Fitness::NotFit && judged.trust == Trust::Yes) {
            Some(judged) if verdict.steps.iter().all(|step| step.action == Action::Keep) => lacking(judged),
            _ => verdict,
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let name = arn(want, seen).unwrap_or_else(|| "(none)".to_owned());
        let verdict = self.diff(want, seen);
        let refused = verdict.steps.iter().find_map(|step| match &step.action {
            Action::Refuse(why) => Some(why.clone()),
            Action::Keep | Action::Create | Action::Update(_) | Action::Adopt(_) | Action::Delete(_) => None,
        });
        // No role is chosen before there is a function.
        let open = want.role.is_none() && seen.function_role(want).is_none();
        let (state, healthy) = match (&seen.role, &refused) {
            (Found::Unknown(_), _) => ("unknown", None),
            (_, Some(_)) if open => ("absent", Some(false)),
            (Found::Absent, _) => ("absent", Some(false)),
            (Found::Present(live), Some(_)) if want.role.is_some() && live.roles.is_empty() => ("absent", Some(false)),
            (Found::Present(_), Some(_)) => ("not fit", Some(false)),
            (Found::Present(_), None) => ("referenced", Some(true)),
        };
        let detail = refused.or_else(|| verdict.notes.first().cloned()).unwrap_or_default();
        vec![ResourceStatus { kind: Kind::Role.name(), name, state: state.to_owned(), healthy, detail }]
    }
}

const ANOTHER: &str = "name another role with `--existing-role` (`existing_role` in the config); `wsfix roles` lists those that fit";

/// Why the role that is named cannot be meant: it is not there, or of another account.
fn misnamed(named: &str, seen: &Observed) -> Option<Verdict> {
    let refuse = |reason: &str, remedy: &str| Some(Verdict::refuse(Kind::Role, named, reason, remedy));
    if let Some(why) = elsewhere(named, &seen.place) {
        return refuse(&why, ANOTHER);
    }
    let live = match &seen.role {
        Found::Present(live) => live,
        Found::Unknown(_) => return None,
        Found::Absent => return refuse("there is no such role", ANOTHER),
    };
    match (live.roles.first(), live.similar.as_slice()) {
        (Some(one), _) if named.starts_with("arn:") && one.arn != named => {
            refuse(&format!("the account's role of this name is {}", one.arn), ANOTHER)
        }
        (Some(_), _) => None,
        (None, []) => refuse("there is no such role", ANOTHER),
        (None, similar) => {
            refuse("there is no such role", &format!("did you mean `{}`? `wsfix roles` lists those that fit", similar.join("` or `")))
        }
    }
}

/// The role that the config names.
fn of_named(named: &str, want: &Desired, seen: &Observed) -> Verdict {
    if let Some(refused) = misnamed(named, seen) {
        return refused;
    }
    let one = match &seen.role {
        Found::Present(live) => live.roles.first(),
        Found::Absent => None,
        Found::Unknown(why) => {
            let arn = arn(want, seen).unwrap_or_default();
            let as_named = if named.starts_with("arn:") { "it is used as it is named" } else { "its ARN is a guess from its name" };
            return Verdict::step(Kind::Role, &arn, Action::Keep, &[])
                .with_note(format!("the role {arn} could not be read; {as_named} ({why})"));
        }
    };
    let Some(one) = one else { return Verdict::default() };
    let verdict = Verdict::step(Kind::Role, &one.arn, Action::Keep, &[]);
    match &one.trust {
        Trust::Yes => verdict,
        Trust::No(why) => Verdict::refuse(Kind::Role, named, why, &format!("{ANOTHER}; or have its trust policy changed")),
        Trust::Unknown(why) => verdict.with_note(format!("whether Lambda may assume {} is not known: {why}", one.arn)),
    }
}

/// A role of the account, where the config names none.
fn of_any(want: &Desired, seen: &Observed) -> Verdict {
    let has = seen.function_role(want);
    if let (Found::Unknown(why), Some(has)) = (&seen.role, has) {
        return Verdict::step(Kind::Role, has, Action::Keep, &[])
            .with_note(format!("the function keeps its role {has}, since the account's roles cannot be listed ({why})"));
    }
    let refuse = |reason: &str, remedy: &str| Verdict::refuse(Kind::Role, "(none)", reason, remedy);
    match (&seen.role, choose(&seen.judged, has)) {
        (Found::Unknown(why), _) => refuse(
            &format!("the account's roles cannot be listed: {why}"),
            "name a role with `--existing-role` (`existing_role` in the config)",
        ),
        (_, Choice::One(one)) => {
            let verdict = Verdict::step(Kind::Role, &one.arn, Action::Keep, &[]);
            let reasons = one.reasons().join("; ");
            match one.fitness {
                _ if matches!(one.trust, Trust::No(_)) => refuse(&format!("{}: {}", one.arn, one.trust.words()), ANOTHER),
                _ if Some(one.arn.as_str()) == has => verdict,
                Fitness::Fit => verdict.with_note(format!("the role is {}: it is the only one that is fit", one.name())),
                Fitness::WithHelp => verdict
                    .with_note(format!("the role is {}: none is fit, and it is the only one that is fit with help: {reasons}", one.name())),
                Fitness::Unknown | Fitness::NotFit => {
                    verdict.with_note(format!("the role is {}: it is the only one that may be fit: {reasons}", one.name()))
                }
            }
        }
        (_, Choice::Several(several)) => {
            let names: Vec<String> = several.iter().map(|one| format!("{} ({})", one.arn, one.fitness.name())).collect();
            refuse(
                &format!("{} roles of the account can serve: {}", names.len(), names.join(", ")),
                "name one with `--existing-role` (`existing_role` in the config)",
            )
        }
        (_, Choice::Nothing) => refuse(
            "no role of the account is fit: `wsfix roles --all` says why",
            "ask an administrator for one that lambda.amazonaws.com may assume",
        ),
    }
}

/// What a role lacks that nothing makes up for: a stack with it could not work.
fn lacking(judged: &Judged) -> Verdict {
    let asks = judged.asks(true);
    let asked: Vec<String> = asks.iter().map(roles::Ask::words).collect();
    let remedy = format!("{ANOTHER}; or ask an administrator: {}", asked.join("; "));
    Verdict::refuse(Kind::Role, &judged.arn, &judged.lacks().join("; "), &remedy)
}

/// Why an ARN cannot be of this account, where it cannot.
fn elsewhere(named: &str, place: &Place) -> Option<String> {
    let mut fields = named.strip_prefix("arn:")?.split(':');
    let (partition, account) = (fields.next()?, fields.nth(2)?);
    let wrong = |what: &str, theirs: &str, ours: &str| {
        (theirs != ours).then(|| {
            format!("it is of the {what} {theirs}, and the credentials are of {ours}: Lambda takes a role of its own account alone")
        })
    };
    wrong("account", account, &place.account).or_else(|| wrong("partition", partition, &place.partition))
}

/// The role that is named. Where it may not be read alone, or is not there, the list of all tells more.
async fn get(cx: &Context<'_>, named: &str) -> Result<Live, AwsError> {
    let clients = &cx.clients;
    let found = roles::get(clients, named).await;
    let missed = match found {
        Ok(role) => return Ok(Live { roles: vec![role], similar: Vec::new() }),
        Err(error) if matches!(error.cause, Cause::NotFound | Cause::Denied { .. }) => error,
        Err(error) => return Err(error),
    };
    match (roles::list(clients).await, missed.cause == Cause::NotFound) {
        (Ok(all), true) => {
            let similar = roles::similar(name(named), all.iter().map(|role| name(&role.arn)));
            Ok(Live { similar: similar.into_iter().map(str::to_owned).collect(), roles: Vec::new() })
        }
        (Ok(mut all), false) => {
            all.retain(|role| name(&role.arn) == name(named));
            if all.is_empty() { Err(missed) } else { Ok(Live { roles: all, similar: Vec::new() }) }
        }
        (Err(_), _) => Err(missed),
    }
}

/// What the role may do, or each of those that may be meant: one question to IAM for each.
pub(crate) struct Judgement;

impl Resource for Judgement {
    fn kind(&self) -> Kind {
        Kind::Judgement
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Account, Kind::Role, Kind::Function, Kind::Api]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let scope = Scope::of(&cx.want, &seen, None);
            Ok(Slot::Judged(roles::judge(&cx.clients, scope, &meant(&cx.want, &seen)).await?))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let reply = roles::reply(want, seen);
        let mut verdict = Verdict::default().with_note(format!("replies travel by {}: {}", reply.mode, reply.why));
        if let Some(judged) = roles::judged(want, seen).filter(|judged| judged.fitness != Fitness::NotFit) {
            verdict.notes.extend(judged.notes());
        }
        verdict
    }
}

/// The roles that are worth a question.
fn meant(want: &Desired, seen: &Observed) -> Vec<roles::Role> {
    let (mut roles, has) = (all(want, seen), seen.function_role(want));
    if want.role.is_none() {
        match roles.iter().find(|role| Some(role.arn.as_str()) == has).cloned() {
            Some(role) => roles = vec![role],
            None => roles.retain(|role| !matches!(role.trust, Trust::No(_))),
        }
    }
    roles
}

/// The roles that a survey is about.
///
/// # Errors
/// When they cannot be listed, or the one that is named is not there.
pub(crate) fn found(want: &Desired, seen: &Observed) -> Result<Vec<roles::Role>, Verdict> {
    let refused = match (&want.role, &seen.role) {
        (Some(named), _) => misnamed(named, seen),
        (None, Found::Unknown(why)) => Some(Verdict::refuse(
            Kind::Role,
            "(none)",
            &format!("the account's roles cannot be listed: {why}"),
            "name the role: `wsfix roles NAME` asks about that one alone",
        )),
        (None, Found::Absent | Found::Present(_)) => None,
    };
    refused.map_or_else(|| Ok(all(want, seen)), Err)
}

/// The roles that were found; one that may not be read as it is named.
fn all(want: &Desired, seen: &Observed) -> Vec<roles::Role> {
    match &seen.role {
        Found::Present(live) => live.roles.clone(),
        Found::Unknown(_) => {
            let trust = Trust::Unknown("its trust policy cannot be read".to_owned());
            arn(want, seen).map(|arn| roles::Role { arn, trust, boundary: Boundary::Unknown }).into_iter().collect()
        }
        Found::Absent => Vec::new(),
    }
}
