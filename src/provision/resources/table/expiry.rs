//! When items of the table expire. DynamoDB takes changes of it seldom.

use aws_sdk_dynamodb::types::{TimeToLiveSpecification, TimeToLiveStatus};

use super::calls::unbuilt;
use crate::contract::item;
use crate::provision::answer::Answer;
use crate::provision::error::{AwsError, Cause};
use crate::provision::ownership::Part;
use crate::provision::plan::ApiCall;
use crate::provision::resource::{Context, Kind};
use crate::provision::wait::{LAGGING_LOOKS, Probe, until};

const DESCRIBE_TIME_TO_LIVE: ApiCall = ApiCall { name: "DescribeTimeToLive", iam: "dynamodb:DescribeTimeToLive" };
pub(super) const UPDATE_TIME_TO_LIVE: ApiCall = ApiCall { name: "UpdateTimeToLive", iam: "dynamodb:UpdateTimeToLive" };

/// The attribute that makes items expire; empty: none.
pub(super) async fn describe(cx: &Context<'_>, name: &str) -> Result<String, AwsError> {
    let answer = cx.clients.dynamodb.describe_time_to_live().table_name(name).send().await.explain(DESCRIBE_TIME_TO_LIVE, name)?;
    let ttl = answer.time_to_live_description();
    let on = matches!(ttl.and_then(|ttl| ttl.time_to_live_status()), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
    Ok(ttl.and_then(|ttl| ttl.attribute_name()).filter(|_| on).unwrap_or_default().to_owned())
}

/// Lets items expire by `expiresAt`, and answers with the attribute that is then in force.
pub(super) async fn enable(cx: &Context<'_>, from: &str) -> Result<String, AwsError> {
    if !from.is_empty()
        && let Some(left) = set(cx, from, false).await?
    {
        return Ok(left);
    }
    Ok(set(cx, item::EXPIRES_AT, true).await?.unwrap_or_else(|| item::EXPIRES_AT.to_owned()))
}

/// Switches expiry on or off; `Some`: AWS would not, and this is what stays.
async fn set(cx: &Context<'_>, attribute: &str, enabled: bool) -> Result<Option<String>, AwsError> {
    let name = &cx.want.table;
    let stays = if enabled { String::new() } else { attribute.to_owned() };
    let ttl = TimeToLiveSpecification::builder().enabled(enabled).attribute_name(attribute).build();
    let ttl = ttl.map_err(|error| unbuilt(UPDATE_TIME_TO_LIVE, name, &error))?;
    let mut looks = 0;
    let answer = until(cx.watch(Kind::Table, name, UPDATE_TIME_TO_LIVE, 60), async || {
        let call = cx.clients.dynamodb.update_time_to_live().table_name(name).time_to_live_specification(ttl.clone());
        looks += 1;
        match call.send().await.explain(UPDATE_TIME_TO_LIVE, name) {
            Err(error) if error.cause == Cause::NotReady => Ok(Probe::Pending(error.words())),
            Err(error) if error.cause == Cause::NotFound && looks < LAGGING_LOOKS => Ok(Probe::Pending(error.words())),
            other => Ok(Probe::Ready(other)),
        }
    });
    match answer.await? {
        Ok(_) => Ok(None),
        Err(error) => match error.cause {
            Cause::Exists => Ok(None),
            // DynamoDB takes one change in up to an hour; blocking that long helps nobody.
            Cause::Throttled => {
                cx.rivals.leave();
                cx.note(format!(
                    "DynamoDB changes a table's expiry only now and then: run `wsfix provision` again within the hour ({})",
                    error.words()
                ));
                Ok(Some(stays))
            }
            Cause::Denied { .. } => {
                cx.without(Part::TableExpiry, format!("items of closed connections are not removed by themselves ({})", error.words()));
                Ok(Some(stays))
            }
            Cause::NotFound
            | Cause::Overtaken
            | Cause::NotReady
            | Cause::Credentials
            | Cause::Invalid
            | Cause::Unreachable
            | Cause::Lost
            | Cause::TimedOut { .. }
            | Cause::FailedState { .. }
            | Cause::Other => Err(error),
        },
    }
}
