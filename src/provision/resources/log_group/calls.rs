//! The calls to CloudWatch Logs.

use std::collections::HashMap;
use std::rc::Rc;

use super::{CREATE_LOG_GROUP, DELETE_LOG_GROUP, DESCRIBE_LOG_GROUPS, LIST_TAGS, Live, LogGroup, PUT_RETENTION_POLICY, Spec, TAG_RESOURCE};
use crate::config::AccessLogs;
use crate::provision::answer::{Answer, TAGGING, gone};
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::ownership::{Part, TAG_FIELD};
use crate::provision::resource::{Context, Kind};
use crate::provision::wait::{Probe, retry, until};

pub(super) async fn read(cx: &Context<'_>, name: &str) -> Result<Found<Live>, AwsError> {
    let group = match Found::optional(find(cx, name).await)? {
        Found::Present(Some(group)) => group,
        Found::Present(None) | Found::Absent => return Ok(Found::Absent),
        Found::Unknown(why) => return Ok(Found::Unknown(why)),
    };
    // One of the two has a `:*` at its end, which the tags' calls refuse.
    let arn = group.log_group_arn().or(group.arn()).unwrap_or_default().trim_end_matches(":*").to_owned();
    let spec = Spec { retention_days: group.retention_in_days() };
    let protected = group.deletion_protection_enabled().unwrap_or_default();
    let tags = cx.clients.logs.list_tags_for_resource().resource_arn(&arn).send().await.explain(LIST_TAGS, &arn);
    Ok(match Found::optional(tags)? {
        Found::Present(tags) => {
            let tags = tags.tags().cloned().unwrap_or_default().into_iter().collect();
            Found::Present(Live { arn, spec, tags: Some(tags), unread: None, protected, made: false })
        }
        Found::Absent => Found::Absent,
        Found::Unknown(why) => Found::Present(Live { arn, spec, tags: None, unread: Some(why), protected, made: false }),
    })
}

pub(super) async fn is_gone(cx: &Context<'_>, name: &str) -> bool {
    find(cx, name).await.is_ok_and(|found| found.is_none())
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

pub(super) async fn create(of: &LogGroup, cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let arn = seen.place.arn("logs", &format!("log-group:{name}"));
    let mut tags = cx.want.tags.clone();
    let unseen = matches!(of.found(&seen), Found::Unknown(_));
    let mut made = true;
    let must = of.is_of_stage() && cx.want.access_logs == AccessLogs::On;
    loop {
        let wanted: HashMap<_, _> = tags.clone().into_iter().collect();
        let call = cx.clients.logs.create_log_group().log_group_name(name).set_tags((!tags.is_empty()).then_some(wanted));
        match retry(cx.watch(of.kind, name, CREATE_LOG_GROUP, 60), async || call.clone().send().await.explain(CREATE_LOG_GROUP, &arn)).await
        {
            Ok(_) => break,
            Err(error) if !tags.is_empty() && error.denies(TAGGING) => {
                of.tell_without(cx, Part::LogTags, format!("the {} gets no tags ({})", of.kind.name(), error.words()));
                tags.clear();
            }
            Err(error) if error.cause == Cause::Exists && unseen => {
                cx.note(format!("the log group {name} is there already and is left as it is"));
                return Ok(Slot::Same);
            }
            Err(error) if error.cause == Cause::Exists => {
                cx.rivals.notice();
                made = false;
                break;
            }
            Err(error) if matches!(error.cause, Cause::Denied { .. }) && !must => {
                let instead = if of.is_of_stage() {
                    "the stage goes without access logs"
                } else {
                    "Lambda makes it at the first line, if the role may, and its lines never expire"
                };
                of.tell_without(cx, Part::LogGroup, format!("the {} is not made: {instead} ({})", of.kind.name(), error.words()));
                return Ok(Slot::Same);
            }
            Err(error) => return Err(error),
        }
    }
    let spec = put_retention(of, cx, name, &arn).await?;
    Ok(of.slot(Found::Present(Live { arn, spec, tags: Some(tags), unread: None, protected: false, made })))
}

async fn put_retention(of: &LogGroup, cx: &Context<'_>, name: &str, arn: &str) -> Result<Spec, AwsError> {
    let days = cx.want.log_retention_days;
    let call = cx.clients.logs.put_retention_policy().log_group_name(name).retention_in_days(days);
    match retry(cx.watch(of.kind, name, PUT_RETENTION_POLICY, 60), async || call.clone().send().await.explain(PUT_RETENTION_POLICY, arn))
        .await
    {
        Ok(_) => Ok(Spec { retention_days: Some(days) }),
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
            cx.without(of.retention(), format!("the {}'s lines never expire ({})", of.kind.name(), error.words()));
            Ok(Spec { retention_days: None })
        }
        Err(error) => Err(error),
    }
}

pub(super) async fn update(of: &LogGroup, cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let Some(live) = of.found(&seen).present() else { return Ok(Slot::Same) };
    let mut live = live.clone();
    let tags = cx.want.tags_of(live.adopted(&cx.want.stack));
    // The marks come first: whatever happens after them, the group says whose it is.
    let changes = of.changes(&cx.want, &seen, &live);
    if changes.iter().any(|change| change.field.starts_with(TAG_FIELD)) {
        let wanted: HashMap<_, _> = tags.clone().into_iter().collect();
        let answer =
            cx.clients.logs.tag_resource().resource_arn(&live.arn).set_tags(Some(wanted)).send().await.explain(TAG_RESOURCE, &live.arn);
        match answer {
            Ok(_) => live.tags.get_or_insert_default().extend(tags),
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                cx.rivals.leave();
                of.tell_without(cx, Part::LogTags, format!("the {}'s tags stay as they are ({})", of.kind.name(), error.words()));
            }
            Err(error) => return Err(error),
        }
    }
    if changes.iter().any(|change| !change.field.starts_with(TAG_FIELD)) {
        live.spec = put_retention(of, cx, name, &live.arn).await?;
    }
    Ok(of.slot(Found::Present(live)))
}

pub(super) async fn delete(cx: &Context<'_>, kind: Kind, name: &str) -> Result<(), AwsError> {
    let call = cx.clients.logs.delete_log_group().log_group_name(name);
    gone(retry(cx.watch(kind, name, DELETE_LOG_GROUP, 60), async || call.clone().send().await.explain(DELETE_LOG_GROUP, name)).await)
}

/// Deletes groups once more if a last line, of a writer that is gone by now, made them anew. `looks`: how often to look.
pub(crate) async fn sweep(cx: &Context<'_>, groups: &[(Kind, String)], looks: u32) -> Result<(), AwsError> {
    let Some((kind, name)) = groups.first() else { return Ok(()) };
    let mut left = looks;
    until(cx.watch(*kind, name, DESCRIBE_LOG_GROUPS, 60), async || {
        for (kind, name) in groups {
            match find(cx, name).await {
                Ok(Some(_)) => delete(cx, *kind, name).await?,
                Ok(None) => {}
                Err(error) if matches!(error.cause, Cause::Denied { .. }) => left = 1,
                Err(error) => return Err(error),
            }
        }
        left = left.saturating_sub(1);
        Ok(if left == 0 { Probe::Ready(()) } else { Probe::Pending("last lines may still come in".to_owned()) })
    })
    .await
}
