//! What all resources have in common: the trait, the table of them, and how fields are compared.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::aws::Clients;
use super::desired::Desired;
use super::error::AwsError;
use super::execution_logs;
use super::former;
use super::observed::{Observed, Slot};
use super::others;
use super::outputs::ResourceStatus;
use super::ownership::Part;
use super::plan::{Action, ApiCall, FieldChange, Step};
use super::progress::{Event, Reporter};
use super::resources::{account, api, function, integration, log_group, log_role, permission, role, route, route_response, stage, table};
use super::rivals::Rivals;
use super::sensitive::Value;
use super::wait::Watch;

/// What a look or a step works with.
pub(crate) struct Context<'a> {
    pub(crate) clients: Clients,
    pub(crate) want: Desired,
    pub(crate) reporter: &'a dyn Reporter,
    /// What was denied in this run and is done without.
    pub(crate) denied: RefCell<BTreeSet<Part>>,
    /// What tells of other runs on the same stack.
    pub(crate) rivals: Rivals,
}

impl<'a> Context<'a> {
    /// A wait for a resource, told under the name that its step has.
    pub(crate) fn watch(&self, kind: Kind, name: &str, call: ApiCall, seconds: u64) -> Watch<'a> {
        Watch { reporter: self.reporter, resource: label(kind.name(), name), call, limit: Duration::from_secs(seconds) }
    }

    /// Goes on without a part that was denied, and tells so.
    pub(crate) fn without(&self, part: Part, text: String) {
        self.denied.borrow_mut().insert(part);
        self.note(text);
    }

    /// Tells what a person should know and what stops nothing.
    pub(crate) fn note(&self, text: String) {
        self.reporter.event(Event::Note { text });
    }
}

/// A look or a change, answering with the slot as it then is. Not `Send`: the command runs on one thread.
pub(crate) type Seen<'a> = Pin<Box<dyn Future<Output = Result<Slot, AwsError>> + 'a>>;

/// A look that answers yes or no.
pub(crate) type Asked<'a> = Pin<Box<dyn Future<Output = bool> + 'a>>;

/// The kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Account,
    Role,
    Judgement,
    Table,
    LogGroup,
    LogRole,
    AccessLogGroup,
    ExecutionLogs,
    Api,
    SpareApi,
    Function,
    Integration,
    Route,
    RouteResponse,
    SpareIntegration,
    Permission,
    Stage,
    Former,
    Others,
}

impl Kind {
    /// As a person reads it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Role => "role",
            Self::Judgement => "role permissions",
            Self::Table => "table",
            Self::LogGroup => "log group",
            Self::LogRole => "log role",
            Self::AccessLogGroup => "access log group",
            Self::ExecutionLogs => "execution logs",
            Self::Api => "api",
            Self::SpareApi => "spare api",
            Self::Function => "function",
            Self::Integration => "integration",
            Self::Route => "route",
            Self::RouteResponse => "route response",
            Self::SpareIntegration => "spare integration",
            Self::Permission => "permission",
            Self::Stage => "stage",
            Self::Former => "former resource",
            Self::Others => "others",
        }
    }
}

/// What `status` says of a resource, that it was adopted first.
pub(crate) fn told_adopted(adopted: bool, detail: String) -> String {
    match (adopted, detail.is_empty()) {
        (false, _) => detail,
        (true, true) => "adopted".to_owned(),
        (true, false) => format!("adopted; {detail}"),
    }
}

/// A step's name in events and reports: `table WebSocketConnections`.
pub(crate) fn label(kind: &str, name: &str) -> String {
    format!("{kind} {name}")
}

/// What a resource's comparison came to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) steps: Vec<Step>,
    pub(crate) notes: Vec<String>,
}

impl Verdict {
    /// One step.
    pub(crate) fn step(kind: Kind, name: &str, action: Action, calls: &[ApiCall]) -> Self {
        Self { steps: vec![step(kind, name, action, calls)], notes: Vec::new() }
    }

    /// Nothing to do, or these fields to change.
    pub(crate) fn changes(kind: Kind, name: &str, changes: Vec<FieldChange>, calls: &[ApiCall]) -> Self {
        let action = if changes.is_empty() { Action::Keep } else { Action::Update(changes) };
        let calls = if action == Action::Keep { &[] } else { calls };
        Self::step(kind, name, action, calls)
    }

    /// It was there before and becomes this stack's.
    pub(crate) fn adopts(kind: Kind, name: &str, changes: Vec<FieldChange>, calls: &[ApiCall]) -> Self {
        Self::step(kind, name, Action::Adopt(changes), calls)
    }

    /// It was there before, and cannot be made what the config wants without destroying something.
    pub(crate) fn unadoptable(kind: Kind, name: &str, why: &str, remedy: &str) -> Self {
        Self::refuse(kind, name, &format!("it is there already, is not this stack's, and cannot be adopted: {why}"), remedy)
    }

    /// It was adopted, and teardown leaves it; `command` deletes it by hand.
    pub(crate) fn left(kind: Kind, name: &str, with: &str, command: &str) -> Self {
        let whose = format!("{} was there before the stack and is left{with}", label(kind.name(), name));
        Self::step(kind, name, Action::Keep, &[]).with_note(format!("{whose}; `--include-adopted` or `{command}` deletes it"))
    }

    /// Something is in the way: what, and how to go on.
    pub(crate) fn refuse(kind: Kind, name: &str, reason: &str, remedy: &str) -> Self {
        Self::step(kind, name, Action::Refuse(refusal(reason, remedy)), &[])
    }

    /// A read failed that nothing can do without.
    pub(crate) fn unread(kind: Kind, name: &str, why: &str) -> Self {
        Self::refuse(kind, name, &format!("it cannot be read: {why}"), "ask an administrator to allow this call")
    }

    /// With one more note.
    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// One step of a plan.
pub(crate) fn step(kind: Kind, name: &str, action: Action, calls: &[ApiCall]) -> Step {
    Step { kind: kind.name(), name: name.to_owned(), action, calls: calls.to_vec() }
}

/// Separates what is in the way from how to go on in a [`Action::Refuse`].
const WAY_ON: &str = "; to go on: ";

fn refusal(reason: &str, remedy: &str) -> String {
    format!("{reason}{WAY_ON}{remedy}")
}

/// The two halves of a [`Action::Refuse`].
pub(crate) fn halves(refusal: &str) -> (&str, &str) {
    refusal.split_once(WAY_ON).unwrap_or((refusal, ""))
}

/// A field of a resource, as wanted or as found.
pub(crate) struct Field {
    name: String,
    /// `None`: could not be read, or does not matter; never a difference.
    value: Option<Value>,
}

impl Field {
    /// A field that a plan may show.
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::of(name, Value::shown(value))
    }

    /// A field that may not be known.
    pub(crate) fn maybe(name: impl Into<String>, value: Option<String>) -> Self {
        Self { name: name.into(), value: value.map(Value::Shown) }
    }

    /// A field that may be a secret.
    pub(crate) fn of(name: impl Into<String>, value: Value) -> Self {
        Self { name: name.into(), value: Some(value) }
    }
}

/// The fields in which two sides differ; a field that one side lacks is empty there. What one side takes for a secret is shown of neither.
pub(crate) fn differences(want: &[Field], live: &[Field]) -> Vec<FieldChange> {
    let side = |side: &[Field], name: &str| match side.iter().find(|field| field.name == name) {
        Some(field) => field.value.clone(),
        None => Some(Value::shown("")),
    };
    let mut changes = Vec::new();
    let unwanted = live.iter().filter(|field| !want.iter().any(|other| other.name == field.name));
    for Field { name, .. } in want.iter().chain(unwanted) {
        let (Some(to), Some(from)) = (side(want, name), side(live, name)) else { continue };
        if to.is(&from) {
            continue;
        }
        let (from, to) = match (from.text(), to.text()) {
            (Some(from), Some(to)) => (from, to),
            _ if from.is_empty() => ("", "(sensitive)"),
            _ if to.is_empty() => ("(sensitive)", ""),
            _ => ("(sensitive)", "(sensitive, changed)"),
        };
        changes.push(FieldChange { field: name.clone(), from: from.to_owned(), to: to.to_owned() });
    }
    changes
}

/// One kind of AWS resource: how to see it, judge it and change it.
pub(crate) trait Resource: Sync {
    fn kind(&self) -> Kind;

    /// The kinds that must have been read before this one is.
    fn read_after(&self) -> &'static [Kind] {
        &[]
    }

    /// The kinds that must stand before this one is made or changed.
    fn needs(&self) -> &'static [Kind] {
        &[]
    }

    /// Reads the account. Missing is an absent slot and a denied read an unknown one; neither is an error.
    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a>;

    /// Compares what is wanted with what was read. Pure: no AWS, no clock.
    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict;

    fn create<'a>(&'a self, _cx: &'a Context<'a>, _item: &'a str, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Same) })
    }

    fn update<'a>(&'a self, _cx: &'a Context<'a>, _item: &'a str, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Same) })
    }

    fn delete<'a>(&'a self, _cx: &'a Context<'a>, _item: &'a str, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Same) })
    }

    /// Whether it was there, as `seen` says, and is there no longer; by the one call that tells. What goes with something else need not answer,
    /// and what cannot be read is taken to be there.
    fn is_gone<'a>(&'a self, _cx: &'a Context<'a>, _seen: Rc<Observed>) -> Asked<'a> {
        Box::pin(async { false })
    }

    /// What teardown does with it, where it is there and not part of something else that goes.
    fn teardown(&self, _want: &Desired, _seen: &Observed) -> Option<Verdict> {
        None
    }

    /// How it is, for `status`.
    fn status(&self, _want: &Desired, _seen: &Observed) -> Vec<ResourceStatus> {
        Vec::new()
    }
}

/// Each kind after all that it needs and is read after, so that the table cannot hold a cycle. A person reads a plan in this order.
pub(crate) static RESOURCES: &[&dyn Resource] = &[
    &account::Account,
    &role::Role,
    &table::Table,
    &log_group::LogGroup::OF_FUNCTION,
    &log_role::LogRole,
    &api::Api,
    &function::Function,
    &api::SpareApis,
    &role::Judgement,
    &permission::Permission,
    &integration::Integration,
    &route::Routes,
    &route_response::RouteResponses,
    &integration::SpareIntegrations,
    &former::FormerNames,
    &log_group::LogGroup::OF_STAGE,
    &execution_logs::ExecutionLogs,
    &stage::Stage,
    &others::Others,
];

/// The resource that a step is about.
pub(crate) fn by_name(kind: &str) -> Option<&'static dyn Resource> {
    RESOURCES.iter().copied().find(|resource| resource.kind().name() == kind)
}

/// The resource of a kind.
pub(crate) fn of(kind: Kind) -> Option<&'static dyn Resource> {
    RESOURCES.iter().copied().find(|resource| resource.kind() == kind)
}

/// Whether a plan changes anything of these kinds.
pub(crate) fn changes(kinds: &[Kind], want: &Desired, seen: &Observed) -> bool {
    let verdicts = kinds.iter().filter_map(|kind| of(*kind)).map(|resource| resource.diff(want, seen));
    verdicts.flat_map(|verdict| verdict.steps).any(|step| !matches!(step.action, Action::Keep))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_kind_once_and_after_all_that_it_needs() {
        let mut before: Vec<Kind> = Vec::new();
        for resource in RESOURCES {
            for kind in resource.needs().iter().chain(resource.read_after()) {
                assert!(before.contains(kind), "{:?} comes before {kind:?}", resource.kind());
            }
            assert!(!before.contains(&resource.kind()));
            before.push(resource.kind());
            assert_eq!(by_name(resource.kind().name()).map(Resource::kind), Some(resource.kind()));
        }
    }

    fn shown(want: &[Field], live: &[Field]) -> Vec<String> {
        differences(want, live).iter().map(|change| format!("{}:{}>{}", change.field, change.from, change.to)).collect()
    }

    #[test]
    fn differences_go_both_ways() {
        let want = [Field::new("a", "1"), Field::new("b", "2"), Field::maybe("u", None), Field::new("same", "x")];
        let live = [Field::new("b", "3"), Field::new("u", "7"), Field::new("extra", "e"), Field::new("same", "x")];
        assert_eq!(shown(&want, &live), ["a:>1", "b:3>2", "extra:e>"]);
    }

    #[test]
    fn secrets_are_compared_and_not_shown() {
        let secret = |name: &str, value: &str| Field::of(name, Value::hidden(value));
        let want = [secret("s", "new"), secret("same", "x"), secret("more", "m"), secret("emptied", "")];
        let live = [secret("s", "old"), secret("same", "x"), secret("extra", "e"), secret("emptied", "e")];
        let hidden = ["s:(sensitive)>(sensitive, changed)", "more:>(sensitive)", "emptied:(sensitive)>", "extra:(sensitive)>"];
        assert_eq!(shown(&want, &live), hidden);
        // One side does not know that it is a secret.
        let plain = [Field::new("s", "old"), Field::new("same", "x"), Field::new("extra", ""), Field::new("emptied", "e")];
        assert_eq!(shown(&want, &plain), ["s:(sensitive)>(sensitive, changed)", "more:>(sensitive)", "emptied:(sensitive)>"]);
        let back = ["s:(sensitive)>(sensitive, changed)", "emptied:>(sensitive)", "more:(sensitive)>"];
        assert_eq!(shown(&plain, &want), back);
    }

    #[test]
    fn a_refusal_has_two_halves() {
        assert_eq!(halves(&refusal("it is there", "rename it")), ("it is there", "rename it"));
        assert_eq!(halves("only a reason"), ("only a reason", ""));
    }
}
