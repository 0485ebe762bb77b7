//! Other runs on the same stack at the same time: how a run notices them, and how it goes on.
//!
//! There is no lock. What has a name of its own (table, function, route, stage, log group) is made by one of the runs, and the others are told
//! that it exists. What has none is decided by what has: the function, which is made after the API, says which API is the stack's, and the route
//! `$connect` says which integration is. A run that finds itself overtaken deletes the API that it made itself, looks again, and goes on.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::apply::{Order, apply};
use super::error::{AwsError, Cause, Error};
use super::look::look;
use super::observed::{Observed, Place};
use super::plan::{Action, Plan, Step};
use super::resource::{Context, label};
use super::resources::{account, api, function};
use super::wait::{Probe, Watch, until, yield_to_others};
use super::{KEPT, Stop};

/// How often the steps of one run are taken, the first time included.
const ROUNDS: u32 = 6;
/// Tags of a table are read with a delay of 1 to 3 s (DynamoDB, ListTagsOfResource); nothing else lags longer.
pub(super) const LAG: Duration = Duration::from_secs(4);

/// What a run knows of others.
#[derive(Debug, Default)]
pub(crate) struct Rivals {
    /// Something was there that a moment ago was not, or the other way round.
    noticed: Cell<bool>,
    /// Id of the API that this run made.
    made: RefCell<Option<String>>,
    /// Something stays as it is for now, because AWS takes no change of it.
    unsettled: Cell<bool>,
}

impl Rivals {
    /// Something appeared or went while this run was at it.
    pub(crate) fn notice(&self) {
        self.noticed.set(true);
    }

    /// This run made an API.
    pub(crate) fn made(&self, id: &str) {
        self.made.replace(Some(id.to_owned()));
    }

    /// A difference stays, and is no sign of another run.
    pub(crate) fn leave(&self) {
        self.unsettled.set(true);
    }
}

/// Takes the steps of a plan. Where another run was noticed, or may have been at work on what the plan changed, looks again, and takes the steps
/// that are then open. Answers with the account as it then is.
pub(crate) async fn settle(cx: &Context<'_>, stop: &Stop, plan: &Plan, seen: Observed) -> Result<Observed, Error> {
    let place = seen.place.clone();
    let (mut done, mut steps) = (Vec::new(), plan.steps.clone());
    let mut outcome = apply(cx, stop, order(&steps), &steps, seen).await;
    for round in 1..ROUNDS {
        let failed = match &outcome {
            Ok(seen) => {
                remember(cx, seen).await?;
                if !cx.rivals.noticed.get() && !changes_what_stood(&steps) {
                    return outcome;
                }
                false
            }
            Err(Error::Incomplete { errors, .. }) if errors.iter().all(is_passing) => {
                give_up(cx, &place, errors).await;
                true
            }
            Err(_) => break,
        };
        let noticed = cx.rivals.noticed.take() || failed;
        if noticed {
            cx.note(
                "something changed while this run was at it, by another run or by a call whose answer was lost: looking again".to_owned(),
            );
        }
        let (open, seen) = match look_again(cx, &steps, noticed).await {
            Ok(found) => found,
            // What the step says is nearer to the cause.
            Err(_) if failed => break,
            Err(error) => return Err(error.into()),
        };
        if open.is_empty() || (cx.rivals.unsettled.get() && !noticed) {
            return Ok(seen);
        }
        if !open.refusals().is_empty() {
            return Err(outcome.map_or_else(|error| after(done, error), |_| Error::Refused(open.refusals())));
        }
        if round > 1 {
            yield_to_others(round).await;
        }
        done.extend(done_in(&outcome, &steps));
        steps = open.steps;
        outcome = apply(cx, stop, order(&steps), &steps, seen).await;
    }
    let seen = outcome.map_err(|error| after(done.clone(), error))?;
    remember(cx, &seen).await?;
    let (open, seen) = look_again(cx, &steps, false).await?;
    if open.is_empty() || cx.rivals.unsettled.get() {
        return Ok(seen);
    }
    Err(Error::Contended { done, left: open.changes().map(|step| label(step.kind, &step.name)).collect() })
}

/// Writes down what was denied, so that it is no difference.
async fn remember(cx: &Context<'_>, seen: &Observed) -> Result<(), AwsError> {
    let denied = cx.denied.take();
    if denied.is_empty() { Ok(()) } else { function::remember(cx, seen, &denied).await }
}

/// What is still open, and the account. AWS may lag behind its own answers: where nothing is open but what was just done, it is looked at for a
/// while; not where a difference is known to stay.
async fn look_again(cx: &Context<'_>, steps: &[Step], noticed: bool) -> Result<(Plan, Observed), AwsError> {
    let mut last = None;
    let watch = Watch { reporter: cx.reporter, resource: "account".to_owned(), call: account::GET_CALLER_IDENTITY, limit: LAG };
    let looked = until(watch, async || {
        let seen = look(cx, KEPT).await?;
        let plan = Plan::provision(&cx.want, &seen);
        let first = plan.changes().next().map(|step| label(step.kind, &step.name));
        let waits = !noticed && !cx.rivals.unsettled.get();
        let lags = waits && plan.changes().all(|step| steps.iter().any(|taken| is_part(step, taken)));
        Ok(match first.filter(|_| lags) {
            Some(first) => {
                last = Some((plan, seen));
                Probe::Pending(format!("{first} still differs"))
            }
            None => Probe::Ready((plan, seen)),
        })
    });
    match (looked.await, last) {
        (Err(AwsError { cause: Cause::TimedOut { .. }, .. }), Some(found)) => Ok(found),
        (looked, _) => looked,
    }
}

/// Whether all that a step changes was changed by another one.
fn is_part(step: &Step, taken: &Step) -> bool {
    let same = step.kind == taken.kind && step.name == taken.name;
    same && match (&step.action, &taken.action) {
        (Action::Update(open), Action::Update(changed) | Action::Adopt(changed)) => {
            open.iter().all(|change| changed.iter().any(|other| other.field == change.field))
        }
        (open, taken) => std::mem::discriminant(open) == std::mem::discriminant(taken),
    }
}

/// What is changed is looked at once more afterwards, with all else; what is made, while it is made.
fn order(steps: &[Step]) -> Order {
    if changes_what_stood(steps) { Order::Up } else { Order::Anew }
}

/// Whether steps change what was there before. What is made anew meets others by its name.
fn changes_what_stood(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step.action {
        Action::Update(_) | Action::Adopt(_) | Action::Delete(_) => true,
        Action::Create | Action::Keep | Action::Refuse(_) => false,
    })
}

/// Whether a failure may be the doing of another run, or have taken effect all the same.
fn is_passing(error: &AwsError) -> bool {
    matches!(error.cause, Cause::Overtaken | Cause::Lost | Cause::Exists | Cause::NotFound)
}

/// Deletes the API that this run made, where the function says that another one is the stack's. A failure is told: a later run sees to it.
async fn give_up(cx: &Context<'_>, place: &Place, errors: &[AwsError]) {
    if !errors.iter().any(|error| error.cause == Cause::Overtaken) {
        return;
    }
    let Some(id) = cx.rivals.made.take() else { return };
    match api::discard(cx, place, &id).await {
        Ok(()) => cx.note(format!("another run made the stack's API at the same time: {id}, which this run made, is deleted")),
        Err(error) => {
            cx.note(format!("another run made the stack's API at the same time; {id}, which this run made, is left ({})", error.words()))
        }
    }
}

/// What a round has done.
fn done_in(outcome: &Result<Observed, Error>, steps: &[Step]) -> Vec<String> {
    match outcome {
        Err(Error::Incomplete { done, .. }) => done.clone(),
        Ok(_) => steps.iter().filter(|step| !matches!(step.action, Action::Keep)).map(|step| label(step.kind, &step.name)).collect(),
        Err(_) => Vec::new(),
    }
}

/// An error after what earlier rounds have done.
fn after(before: Vec<String>, error: Error) -> Error {
    let all = |done: Vec<String>| before.into_iter().chain(done).collect();
    match error {
        Error::Incomplete { done, left, errors } => Error::Incomplete { done: all(done), left, errors },
        Error::Stopped { done, left } => Error::Stopped { done: all(done), left },
        other @ (Error::Aws(_) | Error::Refused(_) | Error::Choice(_) | Error::Bundle(_) | Error::Contended { .. }) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::plan::FieldChange;
    use crate::provision::resource::{Kind, step};

    fn update(fields: &[&str]) -> Action {
        Action::Update(
            fields.iter().map(|field| FieldChange { field: (*field).to_owned(), from: String::new(), to: String::new() }).collect(),
        )
    }

    #[test]
    fn only_what_was_just_done_may_lag() {
        let step = |name: &str, action: Action| step(Kind::Route, name, action, &[]);
        let taken = step("$connect", update(&["target", "api_key_required"]));
        assert!(is_part(&step("$connect", update(&["target"])), &taken));
        assert!(!is_part(&step("$connect", update(&["target", "authorization_type"])), &taken));
        assert!(!is_part(&step("$default", update(&["target"])), &taken));
        assert!(!is_part(&step("$connect", Action::Create), &taken), "it was there, and is gone");
        assert!(is_part(&step("a", Action::Create), &step("a", Action::Create)));
    }

    #[test]
    fn an_error_tells_what_earlier_rounds_have_done() {
        let stopped = Error::Stopped { done: vec!["stage prod".to_owned()], left: Vec::new() };
        let Error::Stopped { done, .. } = after(vec!["table t".to_owned()], stopped) else { panic!("another error") };
        assert_eq!(done, ["table t", "stage prod"]);
    }
}
