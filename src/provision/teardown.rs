//! Takes a stack out of the account: what is proven to be the stack's, in the order in which nothing is lost if AWS refuses a part.

use super::answer::made_anew;
use super::apply::{Order, apply};
use super::connections::{self, Connections};
use super::desired::Desired;
use super::error::{AwsError, Cause, Error, Refusal};
use super::execution_logs;
use super::look::look;
use super::observed::Observed;
use super::plan::{Plan, Step};
use super::resource::{Context, Kind, label};
use super::resources::{account, log_group};
use super::wait::{Probe, until};
use super::{Run, context, planned};

/// What `teardown` did.
#[derive(Debug)]
pub struct TornDown {
    /// What is gone: `table NAME`. Whatever was gone before its turn came is not among it.
    pub deleted: Vec<String>,
    /// What the stack still has, as read at the end: what was adopted, or is kept on purpose.
    pub left: Vec<String>,
}

/// Says what `teardown` would delete, and why that is ours. Changes nothing.
///
/// # Errors
/// When the account cannot be read, or something stands in the way: a resource that is or may be ours and cannot be proven to be.
pub async fn plan_teardown(run: &Run<'_>) -> Result<Plan, Error> {
    let cx = context(run, Desired::partly(run.config)).await?;
    let (mut plan, seen) = deletions(&cx).await?;
    if plan.deletions().any(|step| step.kind == Kind::Api.name()) {
        plan.notes.extend(open_connections(&connections::of_stack(&cx, &seen).await?));
    }
    Ok(Plan { observed: Some(Box::new(seen)), ..plan })
}

/// Who loses a connection.
fn open_connections(connections: &Connections) -> Option<String> {
    match connections {
        Connections::Open(open) if open.is_empty() => None,
        Connections::Open(open) => {
            Some(format!("connections open now: {}; they end with the API, and `--drain` tells their clients first", open.len()))
        }
        Connections::Unknown(why) => Some(format!("how many connections are open is not known: {why}")),
        Connections::NoTable => None,
    }
}

/// What there is to delete now.
async fn deletions(cx: &Context<'_>) -> Result<(Plan, Observed), Error> {
    let seen = look(cx, |kind| DELETED.contains(&kind)).await?;
    let plan = Plan::teardown(&cx.want, &seen);
    let refusals = plan.refusals();
    if refusals.is_empty() { Ok((plan, seen)) } else { Err(Error::Refused(refusals)) }
}

/// Deletes what `plan` lists, and reads until it is gone. Everything is proven once more just before: a person may have taken long to say yes.
///
/// # Errors
/// When something is there now that the plan does not list; and when a step fails or the run is stopped: the error says what is gone and
/// what is left.
pub async fn teardown(run: &Run<'_>, plan: &Plan) -> Result<TornDown, Error> {
    let cx = context(run, Desired::partly(run.config)).await?;
    let (now, seen) = deletions(&cx).await?;
    let unlisted = unlisted(plan, &now, &seen);
    if !unlisted.is_empty() {
        return Err(Error::Refused(unlisted));
    }
    run.reporter.event(planned(&now));
    let api = seen.api().map(|one| one.id.clone());
    let executions = execution_logs::names(&seen);
    let after = apply(&cx, run.stop, Order::Down, &now.steps, seen).await?;
    let denied = execution_logs::names(&after);
    let gone = |kind: Kind| now.deletions().any(|step| step.kind == kind.name());
    let mut written = Vec::new();
    if gone(Kind::LogGroup) && gone(Kind::Function) {
        written.push((Kind::LogGroup, cx.want.log_group()));
    }
    if gone(Kind::AccessLogGroup) && gone(Kind::Api) {
        written.push((Kind::AccessLogGroup, cx.want.access_log_group()));
    }
    if gone(Kind::ExecutionLogs) {
        written.extend(executions.into_iter().filter(|name| !denied.contains(name)).map(|name| (Kind::ExecutionLogs, name)));
    }
    let looks = if cx.want.endpoint.is_some() { 1 } else { LAST_LINES_LOOKS };
    log_group::sweep(&cx, &written, looks).await?;
    let deleted = now.deletions().filter(|step| denied.is_empty() || step.kind != Kind::ExecutionLogs.name());
    let deleted = deleted.map(|step| label(step.kind, &step.name)).collect();
    Ok(TornDown { deleted, left: left(&cx, api.as_deref()).await? })
}

/// What would be deleted, and was not listed when a person said yes.
fn unlisted(plan: &Plan, now: &Plan, seen: &Observed) -> Vec<Refusal> {
    // A name stands for one resource, but for APIs: a new one of the same name has another id.
    let api = plan.observed.as_ref().is_none_or(|before| before.api().map(|one| &one.id) == seen.api().map(|one| &one.id));
    let listed = |step: &Step| {
        let same = plan.deletions().any(|before| (before.kind, &before.name) == (step.kind, &step.name));
        same && (api || step.kind != Kind::Api.name())
    };
    let refusal = |step: &Step| Refusal {
        resource: label(step.kind, &step.name),
        reason: "it was made after the list of what is deleted was read".to_owned(),
        remedy: "run the command again, and read the new list".to_owned(),
    };
    now.deletions().filter(|step| !listed(step)).map(refusal).collect()
}

/// Reads until nothing is left to delete; answers with what is left on purpose. An API that is not the `deleted` one was made meanwhile.
async fn left(cx: &Context<'_>, deleted: Option<&str>) -> Result<Vec<String>, Error> {
    let mut last = None;
    let watch = cx.watch(Kind::Account, &cx.want.stack, account::GET_CALLER_IDENTITY, GONE_SECONDS);
    let read = until(watch, async || {
        // Execution logs that may not be deleted are told, and keep nothing back.
        let seen = look(cx, |kind| DELETED.contains(&kind) && kind != Kind::ExecutionLogs).await?;
        let plan = Plan::teardown(&cx.want, &seen);
        let anew = plan.deletions().find(|step| step.kind == Kind::Api.name() && seen.api().map(|one| one.id.as_str()) != deleted);
        if let Some((step, call)) = anew.and_then(|step| Some((step, step.calls.last()?))) {
            return Err(made_anew(*call, &step.name));
        }
        last = plan.deletions().next().cloned();
        Ok(match &last {
            Some(step) => Probe::Pending(format!("{} is there still", label(step.kind, &step.name))),
            None => Probe::Ready(plan.kept().map(|step| label(step.kind, &step.name)).collect()),
        })
    });
    match (read.await, last) {
        (Err(AwsError { cause: cause @ Cause::TimedOut { .. }, .. }), Some(step)) => {
            let call = step.calls.last().copied().unwrap_or(account::GET_CALLER_IDENTITY);
            Err(AwsError::of(call, &step.name, cause, None).into())
        }
        (read, _) => Ok(read?),
    }
}

/// What is deleted one by one, and what others may have put into it or hung onto it.
pub(super) const DELETED: [Kind; 12] = [
    Kind::Account,
    Kind::Table,
    Kind::LogGroup,
    Kind::AccessLogGroup,
    Kind::ExecutionLogs,
    Kind::Api,
    Kind::Function,
    Kind::Permission,
    Kind::Integration,
    Kind::Route,
    Kind::Stage,
    Kind::Others,
];

/// A deletion is waited for where it is made; only a read that lags behind takes longer.
const GONE_SECONDS: u64 = 30;

/// Last log lines come in for seconds after a function is gone, and make its group anew; ten looks take 6.5 s.
const LAST_LINES_LOOKS: u32 = 10;
