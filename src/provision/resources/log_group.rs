//! The function's log group and its retention. The function works without: what is denied here is told, and no more.

use std::collections::HashMap;
use std::rc::Rc;

use crate::provision::answer::{Answer, TAGGING, gone};
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{Owner, TAG_FIELD, Tags, is_adopted, owner, tag_changes};
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Context, Field, Kind, Resource, Seen, Verdict, differences, told_adopted};
use crate::provision::wait::{Probe, retry, until};

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
}

impl Live {
    fn owner(&self, stack: &str) -> Owner {
        owner(stack, self.tags.as_ref(), None)
    }

    /// Whether it was there before the stack: its tag says so, or nothing says that the stack made it.
    fn adopted(&self, stack: &str) -> bool {
        is_adopted(self.tags.as_ref(), None) || self.owner(stack) == Owner::Nobody
    }
}

pub(crate) struct LogGroup;

impl Resource for LogGroup {
    fn kind(&self) -> Kind {
        Kind::LogGroup
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::LogGroup(read(cx).await?)) })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let name = want.log_group();
        let live = match &seen.log_group {
            Found::Present(live) => live,
            // A new function gets its log group even unseen; that it is there already does no harm.
            Found::Unknown(_) if matches!(seen.function, Found::Absent) => {
                return Verdict::step(Kind::LogGroup, &name, Action::Create, CREATE);
            }
            Found::Unknown(why) => {
                return Verdict::step(Kind::LogGroup, &name, Action::Keep, &[]).with_note(format!("log group {name}: not compared: {why}"));
            }
            Found::Absent => return Verdict::step(Kind::LogGroup, &name, Action::Create, CREATE),
        };
        let owner = live.owner(&want.stack);
        let of_our_function = seen.function.present().is_some_and(|function| function.owner(&want.stack).is_ours());
        if owner == Owner::Unknown && !of_our_function {
            let note = format!("log group {name}: it is there already and is left as it is, since its tags cannot be read");
            return Verdict::step(Kind::LogGroup, &name, Action::Keep, &[]).with_note(note);
        }
        if !want.takes(&owner) && !of_our_function {
            let remedy = owner.remedy("set another `function.name`, or delete it", LIST_TAGS.iam);
            return Verdict::refuse(Kind::LogGroup, &name, &owner.reason(), &remedy);
        }
        let changes = changes(want, seen.untagged(), live);
        let calls = update_calls(&changes);
        let verdict = if owner.is_ours() || of_our_function {
            Verdict::changes(Kind::LogGroup, &name, changes, &calls)
        } else {
            adoption(want, &name, live, changes, &calls)
        };
        match &live.unread {
            Some(why) => verdict.with_note(format!("log group {name}: tags not compared: {why}")),
            None => verdict,
        }
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(create(cx, name, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(update(cx, name, seen))
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move { delete(cx, name).await.map(|()| Slot::LogGroup(Found::Absent)) })
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let name = want.log_group();
        let live = match &seen.log_group {
            Found::Present(live) => live,
            Found::Unknown(why) => {
                return Some(Verdict::refuse(
                    Kind::LogGroup,
                    &name,
                    &format!("whether it is there cannot be read: {why}"),
                    "ask an administrator to allow this call",
                ));
            }
            Found::Absent => return None,
        };
        let refuse = |reason: &str, remedy: &str| Some(Verdict::refuse(Kind::LogGroup, &name, reason, remedy));
        let of_our_function = seen.function.present().is_some_and(|function| function.owner(&want.stack).is_ours());
        match live.owner(&want.stack) {
            Owner::Ours if !seen.place.holds(&live.arn) => {
                refuse(&format!("{} is not of this account and Region", live.arn), "check the credentials and `--region`")
            }
            Owner::Ours if live.adopted(&want.stack) && !want.consent.delete_adopted => {
                Some(Verdict::left(Kind::LogGroup, &name, ", with its lines", &by_hand(&name)))
            }
            Owner::Ours => {
                let adopted = if live.adopted(&want.stack) { ", and was adopted" } else { "" };
                let why = format!("{} has this stack's tag{adopted}", live.arn);
                Some(Verdict::step(Kind::LogGroup, &name, Action::Delete(why), &[DELETE_LOG_GROUP, DESCRIBE_LOG_GROUPS]))
            }
            Owner::Unknown | Owner::Disputed(_) | Owner::Nobody if of_our_function => Some(Verdict::default().with_note(format!(
                "the log group {name} is the function's, but nothing on it says that this stack made it: it is left; `{}` deletes it",
                by_hand(&name)
            ))),
            owner @ (Owner::Other(_) | Owner::Nobody | Owner::Unknown | Owner::Disputed(_)) => {
                Some(Verdict::default().with_note(format!("the log group {name} is not this stack's and is left: {}", owner.reason())))
            }
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let (state, healthy, detail) = match &seen.log_group {
            Found::Absent => ("absent", Some(false), "the function writes no log lines that can be read here".to_owned()),
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
        vec![ResourceStatus { kind: Kind::LogGroup.name(), name: want.log_group(), state: state.to_owned(), healthy, detail }]
    }
}

/// What a person would do.
fn by_hand(name: &str) -> String {
    format!("aws logs delete-log-group --log-group-name {name}")
}

/// What adopting changes, and what a person should know before.
fn adoption(want: &Desired, name: &str, live: &Live, changes: Vec<FieldChange>, calls: &[ApiCall]) -> Verdict {
    let verdict = Verdict::adopts(Kind::LogGroup, name, changes, calls);
    let days = want.log_retention_days;
    if live.spec.retention_days.is_none_or(|found| found > days) {
        verdict
            .with_note(format!("log group {name}: its lines older than {days} days will be deleted; `--log-retention` keeps them longer"))
    } else {
        verdict
    }
}

fn changes(want: &Desired, untagged: bool, live: &Live) -> Vec<FieldChange> {
    let mut changes = differences(&Spec::wanted(want).fields(), &live.spec.fields());
    changes.extend(tag_changes(&want.tags_of(live.adopted(&want.stack)), live.tags.as_ref(), untagged));
    changes
}

fn update_calls(changes: &[FieldChange]) -> Vec<ApiCall> {
    let tags = changes.iter().any(|change| change.field.starts_with(TAG_FIELD));
    let retention = changes.iter().any(|change| !change.field.starts_with(TAG_FIELD));
    [retention.then_some(PUT_RETENTION_POLICY), tags.then_some(TAG_RESOURCE)].into_iter().flatten().collect()
}

async fn read(cx: &Context<'_>) -> Result<Found<Live>, AwsError> {
    let name = cx.want.log_group();
    let group = match Found::optional(find(cx, &name).await)? {
        Found::Present(Some(group)) => group,
        Found::Present(None) | Found::Absent => return Ok(Found::Absent),
        Found::Unknown(why) => return Ok(Found::Unknown(why)),
    };
    // One of the two has a `:*` at its end, which the tags' calls refuse.
    let arn = group.log_group_arn().or(group.arn()).unwrap_or_default().trim_end_matches(":*").to_owned();
    let spec = Spec { retention_days: group.retention_in_days() };
    let tags = cx.clients.logs.list_tags_for_resource().resource_arn(&arn).send().await.explain(LIST_TAGS, &arn);
    Ok(match Found::optional(tags)? {
        Found::Present(tags) => {
            let tags = tags.tags().cloned().unwrap_or_default().into_iter().collect();
            Found::Present(Live { arn, spec, tags: Some(tags), unread: None })
        }
        Found::Absent => Found::Absent,
        Found::Unknown(why) => Found::Present(Live { arn, spec, tags: None, unread: Some(why) }),
    })
}

/// The group of exactly this name: AWS looks for a prefix (CloudWatch Logs, DescribeLogGroups).
async fn find(cx: &Context<'_>, name: &str) -> Result<Option<aws_sdk_cloudwatchlogs::types::LogGroup>, AwsError> {
    let mut token = None;
    loop {
        let call = cx.clients.logs.describe_log_groups().log_group_name_prefix(name).set_next_token(token);
        let page = call.send().await.explain(DESCRIBE_LOG_GROUPS, name)?;
        if let Some(group) = page.log_groups().iter().find(|group| group.log_group_name() == Some(name)) {
            return Ok(Some(group.clone()));
        }
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(None);
        }
    }
}

async fn create(cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let arn = seen.place.arn("logs", &format!("log-group:{name}"));
    let mut tags = cx.want.tags.clone();
    let unseen = matches!(seen.log_group, Found::Unknown(_));
    loop {
        let wanted: HashMap<_, _> = tags.clone().into_iter().collect();
        let call = cx.clients.logs.create_log_group().log_group_name(name).set_tags((!tags.is_empty()).then_some(wanted));
        match retry(cx.watch(Kind::LogGroup, name, CREATE_LOG_GROUP, 60), async || {
            call.clone().send().await.explain(CREATE_LOG_GROUP, &arn)
        })
        .await
        {
            Ok(_) => break,
            Err(error) if !tags.is_empty() && error.denies(TAGGING) => {
                cx.note(format!("the log group gets no tags ({})", error.words()));
                tags.clear();
            }
            Err(error) if error.cause == Cause::Exists && unseen => {
                cx.note(format!("the log group {name} is there already and is left as it is"));
                return Ok(Slot::Same);
            }
            Err(error) if error.cause == Cause::Exists => break,
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                cx.note(format!(
                    "the log group is not made: Lambda makes it at the first line, if the role may, and its lines never expire ({})",
                    error.words()
                ));
                return Ok(Slot::Same);
            }
            Err(error) => return Err(error),
        }
    }
    let spec = put_retention(cx, name, &arn).await?;
    Ok(Slot::LogGroup(Found::Present(Live { arn, spec, tags: Some(tags), unread: None })))
}

async fn put_retention(cx: &Context<'_>, name: &str, arn: &str) -> Result<Spec, AwsError> {
    let days = cx.want.log_retention_days;
    let call = cx.clients.logs.put_retention_policy().log_group_name(name).retention_in_days(days);
    match retry(cx.watch(Kind::LogGroup, name, PUT_RETENTION_POLICY, 60), async || {
        call.clone().send().await.explain(PUT_RETENTION_POLICY, arn)
    })
    .await
    {
        Ok(_) => Ok(Spec { retention_days: Some(days) }),
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
            cx.note(format!("the log group's lines never expire ({})", error.words()));
            Ok(Spec { retention_days: None })
        }
        Err(error) => Err(error),
    }
}

async fn update(cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let Some(live) = seen.log_group.present() else { return Ok(Slot::Same) };
    let mut live = live.clone();
    let tags = cx.want.tags_of(live.adopted(&cx.want.stack));
    // The marks come first: whatever happens after them, the group says whose it is.
    if !tag_changes(&tags, live.tags.as_ref(), seen.untagged()).is_empty() {
        let wanted: HashMap<_, _> = tags.clone().into_iter().collect();
        let answer =
            cx.clients.logs.tag_resource().resource_arn(&live.arn).set_tags(Some(wanted)).send().await.explain(TAG_RESOURCE, &live.arn);
        match answer {
            Ok(_) => live.tags.get_or_insert_default().extend(tags),
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                cx.note(format!("the log group's tags stay as they are ({})", error.words()))
            }
            Err(error) => return Err(error),
        }
    }
    if live.spec != Spec::wanted(&cx.want) {
        live.spec = put_retention(cx, name, &live.arn).await?;
    }
    Ok(Slot::LogGroup(Found::Present(live)))
}

async fn delete(cx: &Context<'_>, name: &str) -> Result<(), AwsError> {
    let call = cx.clients.logs.delete_log_group().log_group_name(name);
    let watch = cx.watch(Kind::LogGroup, name, DELETE_LOG_GROUP, 60);
    gone(retry(watch, async || call.clone().send().await.explain(DELETE_LOG_GROUP, name)).await)
}

/// Deletes the group once more if a last line of the function, which is gone by now, made it anew. `looks`: how often to look.
pub(crate) async fn sweep(cx: &Context<'_>, looks: u32) -> Result<(), AwsError> {
    let name = cx.want.log_group();
    let mut left = looks;
    until(cx.watch(Kind::LogGroup, &name, DESCRIBE_LOG_GROUPS, 60), async || {
        match find(cx, &name).await {
            Ok(Some(_)) => delete(cx, &name).await?,
            Ok(None) => {}
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => left = 1,
            Err(error) => return Err(error),
        }
        left = left.saturating_sub(1);
        Ok(if left == 0 { Probe::Ready(()) } else { Probe::Pending("last lines may still come in".to_owned()) })
    })
    .await
}
