//! The log groups of the function and of the stage, and their retention. Both work without: what is denied here is told, and no more.

mod calls;

use std::rc::Rc;

use crate::provision::desired::Desired;
use crate::provision::logging::{self, Logging};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{Owner, Part, TAG_FIELD, Tags, is_adopted, owner, tag_changes};
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Asked, Context, Field, Kind, Resource, Seen, Verdict, differences, told_adopted};

pub(crate) use calls::sweep;

const DESCRIBE_LOG_GROUPS: ApiCall = ApiCall { name: "DescribeLogGroups", iam: "logs:DescribeLogGroups" };
const LIST_TAGS: ApiCall = ApiCall { name: "ListTagsForResource", iam: "logs:ListTagsForResource" };
const CREATE_LOG_GROUP: ApiCall = ApiCall { name: "CreateLogGroup", iam: "logs:CreateLogGroup" };
const PUT_RETENTION_POLICY: ApiCall = ApiCall { name: "PutRetentionPolicy", iam: "logs:PutRetentionPolicy" };
const TAG_RESOURCE: ApiCall = ApiCall { name: "TagResource", iam: "logs:TagResource" };
const DELETE_LOG_GROUP: ApiCall = ApiCall { name: "DeleteLogGroup", iam: "logs:DeleteLogGroup" };
const CREATE: &[ApiCall] = &[CREATE_LOG_GROUP, ApiCall { name: "CreateLogGroup", iam: "logs:TagResource" }, PUT_RETENTION_POLICY];

/// What wsfix manages about the log group; anything else is left as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    /// `None`: logs never expire.
    retention_days: Option<i32>,
}

impl Spec {
    fn wanted(want: &Desired) -> Self {
        Self { retention_days: Some(want.log_retention_days) }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { retention_days } = self;
        vec![Field::new("retention_days", retention_days.map_or_else(|| "never expires".to_owned(), |days| days.to_string()))]
    }
}

/// The log group as found.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    arn: String,
    spec: Spec,
    /// `None`: could not be read.
    tags: Option<Tags>,
    unread: Option<String>,
    /// Against deletion.
    protected: bool,
    /// This run made it, with tags or without.
    made: bool,
}

impl Live {
    /// Whose it is, by its tags or because it was just made.
    pub(crate) fn owner(&self, stack: &str) -> Owner {
        if self.made { Owner::Ours } else { owner(stack, self.tags.as_ref(), None) }
    }

    /// Whether it was there before the stack: its tag says so, or nothing says that the stack made it.
    fn adopted(&self, stack: &str) -> bool {
        is_adopted(self.tags.as_ref(), None) || self.owner(stack) == Owner::Nobody
    }
}

/// The log group of one writer.
pub(crate) struct LogGroup {
    kind: Kind,
}

impl LogGroup {
    /// What the function writes.
    pub(crate) const OF_FUNCTION: Self = Self { kind: Kind::LogGroup };
    /// What API Gateway writes of the stage's requests.
    pub(crate) const OF_STAGE: Self = Self { kind: Kind::AccessLogGroup };

    fn is_of_stage(&self) -> bool {
        self.kind == Kind::AccessLogGroup
    }

    fn name(&self, want: &Desired) -> String {
        if self.is_of_stage() { want.access_log_group() } else { want.log_group() }
    }

    fn found<'a>(&self, seen: &'a Observed) -> &'a Found<Live> {
        if self.is_of_stage() { &seen.access_log_group } else { &seen.log_group }
    }

    fn slot(&self, found: Found<Live>) -> Slot {
        if self.is_of_stage() { Slot::AccessLogGroup(found) } else { Slot::LogGroup(found) }
    }

    fn is_wanted(&self, want: &Desired, seen: &Observed) -> bool {
        !self.is_of_stage() || logging::wanted(want, seen) == Logging::Write
    }

    /// Whether its writer is not there yet.
    fn is_first(&self, seen: &Observed) -> bool {
        if self.is_of_stage() { seen.stage_found().is_none() } else { matches!(seen.function, Found::Absent) }
    }

    /// Whether its writer is this stack's.
    fn has_our_writer(&self, want: &Desired, seen: &Observed) -> bool {
        if self.is_of_stage() {
            seen.stage_found().is_some_and(|stage| stage.logs_to(&self.name(want)))
        } else {
            seen.function.present().is_some_and(|function| function.owner(&want.stack).is_ours())
        }
    }

    /// Whether missing tags are no difference: they were denied when it was made. Only what the stage's settings name is made that way.
    fn is_untagged(&self, want: &Desired, seen: &Observed, live: &Live) -> bool {
        let stage_only = self.is_of_stage() && self.has_our_writer(want, seen) && live.owner(&want.stack) == Owner::Nobody;
        let denied = [Part::LogTags, Part::LogGroup].into_iter().any(|part| self.is_without(seen, part));
        seen.untagged() || stage_only || denied
    }

    /// Whether a part of the function's log group was denied, and is done without.
    fn is_without(&self, seen: &Observed, part: Part) -> bool {
        !self.is_of_stage() && seen.is_without(part)
    }

    /// Goes on without a part, which is remembered of the function's log group; the stage's settings tell it of the other one.
    fn tell_without(&self, cx: &Context<'_>, part: Part, text: String) {
        if self.is_of_stage() { cx.note(text) } else { cx.without(part, text) }
    }

    fn retention(&self) -> Part {
        if self.is_of_stage() { Part::AccessLogRetention } else { Part::LogRetention }
    }

    /// What differs: fields first, then tags.
    fn changes(&self, want: &Desired, seen: &Observed, live: &Live) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        if !seen.is_without(self.retention()) && !self.is_without(seen, Part::LogGroup) {
            changes.extend(differences(&Spec::wanted(want).fields(), &live.spec.fields()));
        }
        let untagged = self.is_untagged(want, seen, live);
        changes.extend(tag_changes(&want.tags_of(live.adopted(&want.stack)), live.tags.as_ref(), untagged));
        changes
    }

    fn writer(&self) -> &'static str {
        if self.is_of_stage() { "the stage's" } else { "the function's" }
    }

    fn way_round(&self) -> &'static str {
        if self.is_of_stage() { "set `access_logs: off`, or delete it" } else { "set another `function.name`, or delete it" }
    }
}

impl Resource for LogGroup {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(self.slot(calls::read(cx, &self.name(&cx.want)).await?)) })
    }

    fn is_gone<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Asked<'a> {
        Box::pin(async move {
            self.is_wanted(&cx.want, &seen) && self.found(&seen).present().is_some() && calls::is_gone(cx, &self.name(&cx.want)).await
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let (kind, name) = (self.kind, self.name(want));
        if !self.is_wanted(want, seen) {
            return Verdict::default();
        }
        let live = match self.found(seen) {
            Found::Present(live) => live,
            // A new writer gets its log group even unseen; that it is there already does no harm.
            Found::Unknown(_) if self.is_first(seen) => return Verdict::step(kind, &name, Action::Create, CREATE),
            Found::Unknown(why) => {
                return Verdict::step(kind, &name, Action::Keep, &[]).with_note(format!("log group {name}: not compared: {why}"));
            }
            Found::Absent if self.is_without(seen, Part::LogGroup) => return Verdict::step(kind, &name, Action::Keep, &[]),
            Found::Absent => return Verdict::step(kind, &name, Action::Create, CREATE),
        };
        let owner = live.owner(&want.stack);
        let ours_by_writer = self.has_our_writer(want, seen);
        if owner == Owner::Unknown && !ours_by_writer {
            let note = format!("log group {name}: it is there already and is left as it is, since its tags cannot be read");
            return Verdict::step(kind, &name, Action::Keep, &[]).with_note(note);
        }
        if !want.takes(&owner) && !ours_by_writer {
            return Verdict::refuse(kind, &name, &owner.reason(), &owner.remedy(self.way_round(), LIST_TAGS.iam));
        }
        let changes = self.changes(want, seen, live);
        let calls = update_calls(&changes);
        let verdict = if owner.is_ours() || ours_by_writer {
            Verdict::changes(kind, &name, changes, &calls)
        } else {
            adoption(kind, want, &name, live, changes, &calls)
        };
        match &live.unread {
            Some(why) => verdict.with_note(format!("log group {name}: tags not compared: {why}")),
            None => verdict,
        }
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::create(self, cx, name, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::update(self, cx, name, seen))
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move { calls::delete(cx, self.kind, name).await.map(|()| self.slot(Found::Absent)) })
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let (kind, name) = (self.kind, self.name(want));
        let live = match self.found(seen) {
            Found::Present(live) => live,
            // A stack can be made where log groups may not be seen, so it can be deleted there too.
            Found::Unknown(why) => {
                return Some(Verdict::default().with_note(format!(
                    "whether there is a log group {name} cannot be read, so it is left: {why}; `{}` deletes it",
                    by_hand(&name)
                )));
            }
            Found::Absent => return None,
        };
        let refuse = |reason: &str, remedy: &str| Some(Verdict::refuse(kind, &name, reason, remedy));
        match live.owner(&want.stack) {
            Owner::Ours if !seen.place.holds(&live.arn) => {
                refuse(&format!("{} is not of this account and Region", live.arn), "check the credentials and `--region`")
            }
            Owner::Ours if live.adopted(&want.stack) && !want.consent.delete_adopted => {
                Some(Verdict::left(kind, &name, ", with its lines", &by_hand(&name)))
            }
            Owner::Ours if want.consent.keep_logs => {
                let note = format!(
                    "log group {name} is kept: `wsfix provision` takes it up again, `wsfix teardown` without `--keep-logs` deletes it"
                );
                Some(Verdict::step(kind, &name, Action::Keep, &[]).with_note(note))
            }
            Owner::Ours if live.protected => refuse(PROTECTED, &unprotect(&name)),
            Owner::Ours => {
                let adopted = if live.adopted(&want.stack) { ", and was adopted" } else { "" };
                let why = format!("{} has this stack's tag{adopted}", live.arn);
                Some(Verdict::step(kind, &name, Action::Delete(why), &[DELETE_LOG_GROUP, DESCRIBE_LOG_GROUPS]))
            }
            Owner::Unknown | Owner::Disputed(_) | Owner::Nobody if self.has_our_writer(want, seen) => {
                Some(Verdict::default().with_note(format!(
                    "the log group {name} is {}, but nothing on it says that this stack made it: it is left; `{}` deletes it",
                    self.writer(),
                    by_hand(&name)
                )))
            }
            owner @ (Owner::Other(_) | Owner::Nobody | Owner::Unknown | Owner::Disputed(_)) => {
                Some(Verdict::default().with_note(format!("the log group {name} is not this stack's and is left: {}", owner.reason())))
            }
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let found = self.found(seen);
        if !self.is_wanted(want, seen) && !matches!(found, Found::Present(_)) {
            return Vec::new();
        }
        let (state, healthy, detail) = match found {
            // Nothing is wrong: the function works without lines, and may make the group itself.
            Found::Absent if !self.is_of_stage() && seen.is_without(Part::LogGroup) => {
                ("absent", None, "it was denied; Lambda makes it at the first line, if the role may".to_owned())
            }
            Found::Absent => ("absent", Some(false), format!("{} lines cannot be read here", self.writer())),
            Found::Unknown(why) => ("unknown", None, why.clone()),
            Found::Present(live) => {
                let kept = match live.spec.retention_days {
                    Some(days) => format!("lines are kept for {days} days"),
                    None => "lines never expire".to_owned(),
                };
                let adopted = live.owner(&want.stack).is_ours() && live.adopted(&want.stack);
                ("present", Some(true), told_adopted(adopted, kept))
            }
        };
        vec![ResourceStatus { kind: self.kind.name(), name: self.name(want), state: state.to_owned(), healthy, detail }]
    }
}

/// What a person would do.
fn by_hand(name: &str) -> String {
    format!("aws logs delete-log-group --log-group-name {name}")
}

/// Why a log group cannot be deleted.
pub(crate) const PROTECTED: &str = "it is protected against deletion";

/// How to take that off.
pub(crate) fn unprotect(name: &str) -> String {
    format!(
        "`aws logs put-log-group-deletion-protection --log-group-identifier {name} --no-deletion-protection-enabled`, then again; \
         or `--keep-logs`"
    )
}

/// What adopting changes, and what a person should know before.
fn adoption(kind: Kind, want: &Desired, name: &str, live: &Live, changes: Vec<FieldChange>, calls: &[ApiCall]) -> Verdict {
    let verdict = Verdict::adopts(kind, name, changes, calls);
    let days = want.log_retention_days;
    if live.spec.retention_days.is_none_or(|found| found > days) {
        verdict
            .with_note(format!("log group {name}: its lines older than {days} days will be deleted; `--log-retention` keeps them longer"))
    } else {
        verdict
    }
}

fn update_calls(changes: &[FieldChange]) -> Vec<ApiCall> {
    let tags = changes.iter().any(|change| change.field.starts_with(TAG_FIELD));
    let retention = changes.iter().any(|change| !change.field.starts_with(TAG_FIELD));
    [retention.then_some(PUT_RETENTION_POLICY), tags.then_some(TAG_RESOURCE)].into_iter().flatten().collect()
}
