//! Tells the clients of a stack that it ends, and waits for them to go.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{StreamExt as _, iter};
use serde_json::json;

use super::connections::{self, SCAN};
use super::error::{AwsError, Cause, Error};
use super::management::Management;
use super::progress::Event;
use super::resource::Context;
use super::teardown::DELETED;
use super::wait::{Probe, Watch, until};
use super::{Desired, Run, context, look};
use crate::contract::frame;

/// Clients that are told at the same time.
const AT_ONCE: usize = 16;

/// What became of the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// So many were told.
    pub told: usize,
    /// So many are connected still.
    pub left: usize,
}

/// Tells each client that the stack ends within `limit`, those that connect meanwhile too, and waits until all have gone, at most so long.
///
/// # Errors
/// When the table cannot be read, or nobody can be told: [`Cause::Denied`] where that is not allowed. Nothing is deleted.
pub async fn drain(run: &Run<'_>, limit: Duration) -> Result<Drained, Error> {
    let cx = context(run, Desired::partly(run.config)).await?;
    let seen = look(&cx, |kind| DELETED.contains(&kind)).await?;
    let Some(management) = Management::of(&cx, &seen).await? else { return Ok(Drained::default()) };
    if !matches!(connections::of_stack(&cx, &seen).await?, connections::Connections::Open(_) | connections::Connections::Unknown(_)) {
        return Ok(Drained::default());
    }
    let resource = format!("connections of {}", cx.want.stack);
    cx.reporter.event(Event::Started { resource: resource.clone(), action: "drain" });
    let drained = wait(run, &cx, &management, &resource, limit).await;
    cx.reporter.event(match &drained {
        Ok(Drained { told, left }) => Event::Finished { resource, action: "drain", detail: format!("{told} told, {left} left") },
        Err(_) => Event::Failed { resource, action: "drain" },
    });
    let drained = drained?;
    if run.stop.requested() {
        return Err(Error::Stopped { done: Vec::new(), left: Vec::new() });
    }
    Ok(drained)
}

async fn wait(run: &Run<'_>, cx: &Context<'_>, management: &Management, resource: &str, limit: Duration) -> Result<Drained, AwsError> {
    let text = json!({ "type": frame::CLOSING, "withinSeconds": limit.as_secs() }).to_string();
    let (mut told, mut gone) = (BTreeSet::new(), BTreeSet::new());
    let mut left = 0;
    let watch = Watch { reporter: cx.reporter, resource: resource.to_owned(), call: SCAN, limit };
    let waited = until(watch, async || {
        let open: Vec<String> = connections::open(cx).await?.into_iter().map(|connection| connection.id).collect();
        let new = open.iter().filter(|id| !told.contains(*id) && !gone.contains(*id)).cloned();
        let text = text.as_str();
        let answers = iter(new.map(|id| async move { (management.post(&id, text).await, id) })).buffer_unordered(AT_ONCE);
        for (answer, id) in answers.collect::<Vec<_>>().await {
            match answer {
                Ok(()) => _ = told.insert(id),
                // Its row outlived it.
                Err(AwsError { cause: Cause::NotFound, .. }) => _ = gone.insert(id),
                Err(AwsError { cause: Cause::Throttled, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        left = open.iter().filter(|id| !gone.contains(*id)).count();
        Ok(if left == 0 || run.stop.requested() { Probe::Ready(()) } else { Probe::Pending(format!("{left} open")) })
    });
    match waited.await {
        Ok(()) | Err(AwsError { cause: Cause::TimedOut { .. }, .. }) => Ok(Drained { told: told.len(), left }),
        Err(error) => Err(error),
    }
}
