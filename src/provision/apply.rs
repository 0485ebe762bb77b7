//! Plan -> AWS: runs each step whose needs are done, as many at once as there are.

use std::rc::Rc;

use futures_util::future::Either;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Stop;
use super::error::{AwsError, Error};
use super::observed::{Found, Observed, Slot};
use super::plan::{Action, Step};
use super::progress::Event;
use super::resource::{Context, Kind, Resource, Seen, by_name, label};
use super::standing;

/// Which steps wait for which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Each after what it needs.
    Up,
    /// The same where all that is done is to make things. Whether they stand is seen at the end, beside the last of them.
    Anew,
    /// What is in [`FIRST`], and then the rest at once.
    Down,
}

/// What is deleted before all else, one after the other. AWS refuses to delete an API that a custom domain name leads to: then nothing else is
/// lost. Its execution logs follow while the function still says which API it was, so that whatever comes between, the next teardown finds them.
const FIRST: [Kind; 2] = [Kind::Api, Kind::ExecutionLogs];

/// What is made beside the last look: the stage, which shows by itself that its API stands, and the permission, which is read back.
const LAST: [Kind; 2] = [Kind::Permission, Kind::Stage];

/// Applies the steps of a plan and answers with the account as it then is. After an error or a request to stop no step starts; those running finish.
pub(crate) async fn apply(cx: &Context<'_>, stop: &Stop, order: Order, steps: &[Step], seen: Observed) -> Result<Observed, Error> {
    let mut seen = Rc::new(seen);
    let mut waiting: Vec<(&Step, &dyn Resource)> = steps.iter().filter_map(|step| work(step).map(|resource| (step, resource))).collect();
    let mut open: Vec<Kind> = waiting.iter().map(|(_, resource)| resource.kind()).collect();
    let mut running = FuturesUnordered::new();
    let (mut done, mut errors, mut looked) = (Vec::new(), Vec::<AwsError>::new(), false);
    loop {
        if errors.is_empty() && !stop.requested() {
            let ready = |(_, resource): &(&Step, &dyn Resource)| match order {
                Order::Up | Order::Anew => !resource.needs().iter().any(|kind| open.contains(kind)),
                Order::Down => FIRST.iter().take_while(|first| **first != resource.kind()).all(|first| !open.contains(first)),
            };
            let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
            waiting = later;
            for (step, resource) in now {
                cx.reporter.event(Event::Started { resource: label(step.kind, &step.name), action: verb(&step.action) });
                let change = start(cx, step, resource, Rc::clone(&seen));
                running.push(Either::Left(async move { Some((step, resource.kind(), change.await)) }));
            }
        }
        let Some(ended) = running.next().await else { break };
        let Some((step, kind, outcome)) = ended else { continue };
        if let Some(at) = open.iter().position(|other| *other == kind) {
            open.swap_remove(at);
        }
        let (resource, action) = (label(step.kind, &step.name), verb(&step.action));
        match outcome {
            Ok(slot) => {
                let detail = detail(step, &slot);
                Rc::make_mut(&mut seen).put(slot);
                done.push(resource.clone());
                cx.reporter.event(Event::Finished { resource, action, detail });
                if order == Order::Anew && !looked && open.iter().all(|kind| LAST.contains(kind)) {
                    looked = true;
                    let (made, proven) = (Rc::clone(&seen), [open.as_slice(), &[kind]].concat());
                    running.push(Either::Right(async move {
                        standing::look(cx, &made, &proven).await;
                        None
                    }));
                }
            }
            Err(error) => {
                errors.push(error);
                cx.reporter.event(Event::Failed { resource, action });
            }
        }
    }
    drop(running);
    let left = waiting.iter().map(|(step, _)| label(step.kind, &step.name)).collect::<Vec<_>>();
    match (errors.is_empty(), left.is_empty()) {
        (true, true) => Ok(Rc::unwrap_or_clone(seen)),
        (true, false) => Err(Error::Stopped { done, left }),
        (false, _) => Err(Error::Incomplete { done, left, errors }),
    }
}

/// The resource that does the work of a step; `None` where there is none.
fn work(step: &Step) -> Option<&'static dyn Resource> {
    match step.action {
        Action::Create | Action::Update(_) | Action::Adopt(_) | Action::Delete(_) => by_name(step.kind),
        Action::Keep | Action::Refuse(_) => None,
    }
}

fn start<'a>(cx: &'a Context<'a>, step: &'a Step, resource: &'a dyn Resource, seen: Rc<Observed>) -> Seen<'a> {
    match &step.action {
        Action::Create => resource.create(cx, &step.name, seen),
        Action::Update(_) | Action::Adopt(_) => resource.update(cx, &step.name, seen),
        Action::Delete(_) => resource.delete(cx, &step.name, seen),
        Action::Keep | Action::Refuse(_) => Box::pin(async { Ok(Slot::Same) }),
    }
}

fn verb(action: &Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update(_) => "update",
        Action::Adopt(_) => "adopt",
        Action::Delete(_) => "delete",
        Action::Keep | Action::Refuse(_) => "look",
    }
}

/// What a person would want to see of a step that is done: the fields that changed, or the id that it got.
fn detail(step: &Step, slot: &Slot) -> String {
    match (&step.action, slot) {
        (Action::Adopt(changes), _) => format!("{} changes", changes.len()),
        (Action::Update(changes), _) => changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>().join(", "),
        (Action::Create, Slot::Api(Found::Present(api))) => api.ids(),
        (Action::Create, Slot::Integration(one)) => one.id.clone(),
        (Action::Create, Slot::Route(_, Some(one))) => one.id.clone(),
        (Action::Create, Slot::Table(Found::Present(table))) => table.arn.clone(),
        (Action::Create, Slot::Function(Found::Present(function))) => function.arn.clone(),
        _ => String::new(),
    }
}
