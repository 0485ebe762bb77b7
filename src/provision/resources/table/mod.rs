//! The table of connections, with its index, its expiry and its resource policy.

mod calls;
mod expiry;
mod policy;

use std::rc::Rc;

use serde_json::Value;

use crate::contract::ownership::{KEPT_TAG, TRUE};
use crate::contract::{SESSION_INDEX, item};
use crate::provision::desired::Desired;
use crate::provision::error::AwsError;
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{Owner, Part, TAG_FIELD, Tags, is_adopted, owner, tag_changes};
use crate::provision::permissions::{Group, Need, Scope, execution_role};
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Asked, Context, Field, Kind, Resource, Seen, Verdict, differences, told_adopted};
use crate::provision::roles;

/// The field of a table that shows its resource policy.
pub(crate) const POLICY_FIELD: &str = "resource_policy";

/// What wsfix manages about the table of connections; anything else is left as found. `None`: could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) billing_mode: String,
    pub(crate) session_index: bool,
    /// Empty: nothing expires.
    pub(crate) ttl_attribute: Option<String>,
    /// In words; empty: there is none.
    pub(crate) resource_policy: Option<String>,
    /// `ACTIVE`, once it can be used.
    pub(crate) status: String,
}

impl Spec {
    fn wanted(want: &Desired, seen: &Observed) -> Self {
        Self {
            billing_mode: "PAY_PER_REQUEST".to_owned(),
            session_index: true,
            ttl_attribute: (!seen.is_without(Part::TableExpiry)).then(|| item::EXPIRES_AT.to_owned()),
            resource_policy: wanted_policy(want, seen)
                .filter(|_| !seen.is_without(Part::TablePolicy))
                .map(|document| policy::words(&document)),
            status: "ACTIVE".to_owned(),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { billing_mode, session_index, ttl_attribute, resource_policy, status } = self;
        vec![
            Field::new("billing_mode", billing_mode),
            Field::new(SESSION_INDEX, if *session_index { "present" } else { "" }),
            Field::maybe("ttl_attribute", ttl_attribute.clone()),
            Field::maybe(POLICY_FIELD, resource_policy.clone()),
            // A table that is being updated is in use all the same.
            Field::maybe("status", (status != "UPDATING").then(|| status.clone())),
        ]
    }
}

/// The table as found.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) arn: String,
    pub(crate) spec: Spec,
    /// Why the keys are not ours, where they are not.
    pub(crate) other_keys: Option<String>,
    /// Status of the index, where there is one.
    pub(crate) index_status: Option<String>,
    pub(crate) deletion_protection: bool,
    /// Its tags are not known yet: it is being made, or was a moment ago (DynamoDB, ListTagsOfResource).
    pub(crate) young: bool,
    /// `None`: could not be read.
    pub(crate) tags: Option<Tags>,
    /// The resource policy; null where there is none. `None`: could not be read.
    pub(crate) policy: Option<Value>,
    /// How many items it holds, as of some hours ago (DynamoDB, DescribeTable).
    pub(crate) items: i64,
    /// What could not be read, and why.
    pub(crate) unread: Vec<String>,
}

impl Live {
    pub(crate) fn owner(&self, stack: &str) -> Owner {
        let marked = self.policy.as_ref().and_then(policy::stack);
        owner(stack, self.tags.as_ref(), marked.as_deref())
    }

    /// Whether it was there before the stack: a mark says so, or nothing says that the stack made it.
    pub(crate) fn adopted(&self, stack: &str) -> bool {
        let marked = is_adopted(self.tags.as_ref(), None) || self.policy.as_ref().is_some_and(policy::is_adopted);
        marked || self.owner(stack) == Owner::Nobody
    }

    /// Whether teardown deletes it.
    pub(crate) fn goes(&self, want: &Desired) -> bool {
        self.owner(&want.stack) == Owner::Ours && !want.consent.keep_data && !self.is_left(want)
    }

    /// Whether it was adopted, and is not to be deleted.
    fn is_left(&self, want: &Desired) -> bool {
        self.adopted(&want.stack) && !want.consent.delete_adopted
    }

    /// Whether a teardown kept it, as its tag says.
    fn kept(&self) -> bool {
        self.tags.as_ref().is_some_and(|tags| tags.contains_key(KEPT_TAG))
    }

    /// The statements of its policy that are not ours.
    fn others(&self) -> Vec<Value> {
        self.policy.as_ref().map(policy::others).unwrap_or_default()
    }
}

/// The resource policy; `None` while the role is not known.
pub(crate) fn wanted_policy(want: &Desired, seen: &Observed) -> Option<Value> {
    let role = roles::arn(want, seen)?;
    let needs = execution_role(Scope::of(want, seen, Some(&role)));
    // A table that is on its way out is not the one that gets the policy, and its marks may be gone already.
    let there = seen.table.present().filter(|live| live.spec.status != "DELETING");
    Some(match there.filter(|live| live.adopted(&want.stack)) {
        Some(live) => policy::adopted_document(&want.stack, &role, &needs, &live.others()),
        None => policy::document(&want.stack, &role, &needs),
    })
}

/// The resource policy of a table that another tool makes: that of an adopted one, without its principal.
pub(crate) fn foreign_policy(stack: &str, needs: &[Need]) -> Value {
    policy::adopted_document(stack, "", needs, &[])
}

/// What an administrator is asked for where the policy may not be put on the table. One of the two is enough.
fn left_to_ask(want: &Desired, seen: &Observed) -> String {
    let role = roles::arn(want, seen).unwrap_or_default();
    let needs = execution_role(Scope::of(want, seen, Some(&role)));
    let mut asks: Vec<(&str, Vec<&str>)> = Vec::new();
    for need in needs.iter().filter(|need| need.group == Group::Items) {
        for resource in &need.resources {
            match asks.iter_mut().find(|(on, _)| on == resource) {
                Some((_, actions)) => actions.push(need.action),
                None => asks.push((resource, vec![need.action])),
            }
        }
    }
    let asks: Vec<String> = asks.iter().map(|(on, actions)| format!("{} on {on}", roles::together(actions))).collect();
    let table = seen.place.table(&want.table);
    format!(
        "where the role {role} is not allowed {} already, either that is left to ask for, or {} on {table} for who runs wsfix",
        asks.join(" and "),
        calls::PUT_RESOURCE_POLICY.iam
    )
}

/// Reads a table of any name.
pub(crate) async fn read(cx: &Context<'_>, name: &str) -> Result<Live, AwsError> {
    calls::read(cx, name).await
}

/// What differs: fields first, then tags.
pub(crate) fn changes(want: &Desired, seen: &Observed, live: &Live) -> Vec<FieldChange> {
    let mut changes = differences(&Spec::wanted(want, seen).fields(), &live.spec.fields());
    let untagged = seen.untagged() || seen.is_without(Part::TableTags);
    // What is not known yet is looked at again by the step.
    let none = live.young.then(Tags::new);
    let tags = live.tags.as_ref().or(none.as_ref());
    changes.extend(tag_changes(&want.tags_of(live.adopted(&want.stack)), tags, untagged));
    if live.kept() && !untagged {
        changes.push(FieldChange { field: kept_field(), from: TRUE.to_owned(), to: String::new() });
    }
    changes
}

/// The tag of a kept table, as a field of a plan.
fn kept_field() -> String {
    format!("{TAG_FIELD}{KEPT_TAG}")
}

/// It stays, and says so.
fn kept(name: &str, live: &Live) -> Verdict {
    let items = if live.items > 0 { format!(", with its items (about {})", live.items) } else { String::new() };
    let note =
        format!("table {name} is kept{items}: `wsfix provision` takes it up again, `wsfix teardown` without `--keep-data` deletes it");
    let mark = FieldChange { field: kept_field(), from: String::new(), to: TRUE.to_owned() };
    let marks = if live.kept() { Vec::new() } else { vec![mark] };
    Verdict::changes(Kind::Table, name, marks, &[calls::TAG_RESOURCE]).with_note(note)
}

pub(crate) struct Table;

impl Resource for Table {
    fn kind(&self) -> Kind {
        Kind::Table
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Role]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Table(Found::of(calls::read(cx, &cx.want.table).await)?)) })
    }

    fn is_gone<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Asked<'a> {
        Box::pin(calls::is_gone(cx))
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let name = &want.table;
        let live = match &seen.table {
            Found::Present(live) => live,
            Found::Unknown(why) => return Verdict::unread(Kind::Table, name, why),
            Found::Absent => return Verdict::step(Kind::Table, name, Action::Create, calls::CREATE),
        };
        if live.spec.status == "DELETING" {
            return Verdict::step(Kind::Table, name, Action::Create, calls::CREATE);
        }
        let owner = live.owner(&want.stack);
        // Its step looks again before it changes anything.
        let young = owner == Owner::Unknown && live.young;
        let known = owner.is_ours() || serves_our_function(want, seen) || young;
        if let Some(keys) = live.other_keys.as_ref().filter(|_| known || owner == Owner::Nobody) {
            let remedy = "set another `table`, or delete what is in the way: AWS cannot change keys in place";
            return if known {
                Verdict::refuse(Kind::Table, name, keys, remedy)
            } else {
                Verdict::unadoptable(Kind::Table, name, keys, remedy)
            };
        }
        if !known && !want.takes(&owner) {
            let reads = "dynamodb:ListTagsOfResource and dynamodb:GetResourcePolicy";
            return Verdict::refuse(Kind::Table, name, &owner.reason(), &owner.remedy("set another `table`", reads));
        }
        let changes = changes(want, seen, live);
        let calls = update_calls(&changes);
        let mut verdict = if known { Verdict::changes(Kind::Table, name, changes, &calls) } else { adoption(name, live, changes, &calls) };
        verdict.notes.extend(live.unread.iter().map(|why| format!("table {name}: not compared: {why}")));
        verdict
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::create(cx, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        if cx.want.consent.keep_data { Box::pin(calls::keep(cx, seen)) } else { Box::pin(calls::update(cx, seen)) }
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::delete(cx, seen))
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let name = &want.table;
        let live = match &seen.table {
            Found::Present(live) => live,
            Found::Unknown(why) => return Some(Verdict::unread(Kind::Table, name, why)),
            Found::Absent => return None,
        };
        let refuse = |reason: &str, remedy: &str| Some(Verdict::refuse(Kind::Table, name, reason, remedy));
        if live.spec.status == "DELETING" {
            let why = "it is being deleted already".to_owned();
            return Some(Verdict::step(Kind::Table, name, Action::Delete(why), &[calls::DESCRIBE_TABLE]));
        }
        match live.owner(&want.stack) {
            Owner::Ours if !seen.place.holds(&live.arn) => {
                refuse(&format!("{} is not of this account and Region", live.arn), "check the credentials and `--region`")
            }
            Owner::Ours if live.is_left(want) => {
                let with = if live.items > 0 { format!(", with its items (about {})", live.items) } else { String::new() };
                Some(Verdict::left(Kind::Table, name, &with, &by_hand(name)))
            }
            Owner::Ours if want.consent.keep_data => Some(kept(name, live)),
            Owner::Ours if live.deletion_protection => refuse(
                "it is protected against deletion",
                &format!("`aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled`, then again"),
            ),
            Owner::Ours => {
                let adopted = if live.adopted(&want.stack) { ", and was adopted" } else { "" };
                let why = format!("{} has this stack's mark{adopted}", live.arn);
                Some(Verdict::step(Kind::Table, name, Action::Delete(why), &[calls::DELETE_TABLE, calls::DESCRIBE_TABLE]))
            }
            Owner::Unknown if live.young => {
                refuse("it is being made at this moment, and nobody can tell yet whose it is", "run the command again in half a minute")
            }
            owner @ (Owner::Disputed(_) | Owner::Unknown) => refuse(
                &owner.reason(),
                "allow dynamodb:ListTagsOfResource and dynamodb:GetResourcePolicy, tag it `wsfix:stack` with the stack's name, or delete it by hand",
            ),
            Owner::Nobody if serves_our_function(want, seen) => {
                Some(Verdict::step(Kind::Table, name, Action::Keep, &[]).with_note(format!(
                    "table {name}: the function works with it, but nothing on it says that this stack made it: it is left; `{}` deletes it",
                    by_hand(name)
                )))
            }
            owner @ (Owner::Other(_) | Owner::Nobody) => {
                Some(Verdict::default().with_note(format!("the table {name} is not this stack's and is left: {}", owner.reason())))
            }
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let (state, healthy, detail) = match &seen.table {
            Found::Absent => ("absent".to_owned(), Some(false), String::new()),
            Found::Unknown(why) => ("unknown".to_owned(), None, why.clone()),
            Found::Present(live) => {
                let (healthy, detail) = health(live);
                let adopted = live.owner(&want.stack).is_ours() && live.adopted(&want.stack);
                (live.spec.status.clone(), Some(healthy), told_adopted(adopted, detail))
            }
        };
        vec![ResourceStatus { kind: Kind::Table.name(), name: want.table.clone(), state, healthy, detail }]
    }
}

/// What a person would do.
fn by_hand(name: &str) -> String {
    format!("aws dynamodb delete-table --table-name {name}")
}

/// What adopting changes, and what a person should know before.
fn adoption(name: &str, live: &Live, changes: Vec<FieldChange>, calls: &[ApiCall]) -> Verdict {
    let mut verdict = Verdict::adopts(Kind::Table, name, changes, calls);
    if live.items > 0 {
        verdict.notes.push(format!(
            "table {name}: its items (about {}) stay; those without `{}` never expire",
            live.items,
            item::EXPIRES_AT
        ));
    }
    let others = live.others().len();
    if others > 0 {
        verdict.notes.push(format!("table {name}: {others} statement(s) of its resource policy are not this stack's; they stay"));
    }
    verdict
}

/// Whether a table is the stack's, or the one that its function works with.
pub(crate) fn is_ours(want: &Desired, seen: &Observed, live: &Live) -> bool {
    live.owner(&want.stack).is_ours() || serves_our_function(want, seen)
}

/// Whether the function, which proves to be ours, names this table: enough to go on using it, not enough to delete it.
fn serves_our_function(want: &Desired, seen: &Observed) -> bool {
    let Some(function) = seen.function.present() else { return false };
    function.owner(&want.stack).is_ours() && function.variable(crate::contract::env::TABLE_NAME) == Some(&want.table)
}

fn update_calls(changes: &[FieldChange]) -> Vec<ApiCall> {
    let has = |name: &str| changes.iter().any(|change| change.field == name);
    let mut list = Vec::new();
    if has("billing_mode") || has(SESSION_INDEX) {
        list.push(calls::UPDATE_TABLE);
    }
    if has("ttl_attribute") {
        list.push(expiry::UPDATE_TIME_TO_LIVE);
    }
    if has(POLICY_FIELD) {
        list.push(calls::PUT_RESOURCE_POLICY);
    }
    if changes.iter().any(|change| change.field.starts_with(TAG_FIELD) && !change.to.is_empty()) {
        list.push(calls::TAG_RESOURCE);
    }
    if has(&kept_field()) {
        list.push(calls::UNTAG_RESOURCE);
    }
    list
}

fn health(live: &Live) -> (bool, String) {
    match (live.spec.status.as_str(), live.index_status.as_deref()) {
        ("ACTIVE" | "UPDATING", Some("ACTIVE" | "UPDATING")) => (true, String::new()),
        ("ACTIVE" | "UPDATING", Some(index)) => (true, format!("{SESSION_INDEX} is {index}")),
        ("ACTIVE" | "UPDATING", None) => (true, format!("{SESSION_INDEX} is missing")),
        (_, _) => (false, String::new()),
    }
}
