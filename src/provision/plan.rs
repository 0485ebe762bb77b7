//! Desired x Observed -> Plan. Pure.

use super::desired::Desired;
use super::error::Refusal;
use super::observed::Observed;
use super::resource::{RESOURCES, halves, label};

/// Every step of a run, in the order in which a person reads them. The plan that is printed is the one that is applied.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One for each resource, the unchanged ones included.
    pub steps: Vec<Step>,
    /// What a person should know: the reply mode and why, what could not be read, what degrades.
    pub notes: Vec<String>,
    /// The account that a teardown's plan was made from, so that it is the one that is applied.
    pub(crate) observed: Option<Box<Observed>>,
}

/// What happens to one resource.
#[derive(Clone, Debug)]
pub struct Step {
    /// `table`, `function`, `route` ...
    pub kind: &'static str,
    /// The name that a person knows it by: `WebSocketConnections`, `$connect`.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// The AWS calls that this takes, with the IAM action each needs.
    pub calls: Vec<ApiCall>,
}

/// What happens to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is as it should be (or is referenced, not owned).
    Keep,
    /// It is not there.
    Create,
    /// It differs in these fields.
    Update(Vec<FieldChange>),
    /// It is ours and should not be there; the text says why it is ours.
    Delete(String),
    /// It stands in the way, and only a person can decide; says what and how to go on.
    Refuse(String),
}

/// A field that differs. Secrets show as `(sensitive)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Name of the field.
    pub field: String,
    /// As found; empty where there was nothing.
    pub from: String,
    /// As wanted.
    pub to: String,
}

/// A call to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// As AWS names it: `CreateApi`.
    pub name: &'static str,
    /// What it needs: `apigateway:POST`.
    pub iam: &'static str,
}

impl Plan {
    /// The steps that change something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !matches!(step.action, Action::Keep))
    }

    /// What `provision` would do.
    pub(crate) fn provision(want: &Desired, seen: &Observed) -> Self {
        let mut plan = Self::default();
        for verdict in RESOURCES.iter().map(|resource| resource.diff(want, seen)) {
            plan.steps.extend(verdict.steps);
            plan.notes.extend(verdict.notes);
        }
        plan
    }

    /// What `teardown` would do.
    pub(crate) fn teardown(want: &Desired, seen: &Observed) -> Self {
        let mut plan = Self::default();
        for verdict in RESOURCES.iter().filter_map(|resource| resource.teardown(want, seen)) {
            plan.steps.extend(verdict.steps);
            plan.notes.extend(verdict.notes);
        }
        plan
    }

    /// All that stands in the way.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusal = |step: &Step| match &step.action {
            Action::Refuse(why) => {
                let (reason, remedy) = halves(why);
                Some(Refusal { resource: label(step.kind, &step.name), reason: reason.to_owned(), remedy: remedy.to_owned() })
            }
            Action::Keep | Action::Create | Action::Update(_) | Action::Delete(_) => None,
        };
        self.steps.iter().filter_map(refusal).collect()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }
}
