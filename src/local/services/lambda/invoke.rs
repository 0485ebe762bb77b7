//! Running a function for one event.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::concurrency::ACCOUNT;
use super::error::{constraint, not_ready, too_large};
use super::sandbox::Job;
use super::state::{arn_of, name_in, with_function};
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// The largest event that is waited for.
const LARGEST_EVENT: usize = 6_291_456;
/// The largest event that is queued.
const LARGEST_QUEUED: usize = 1_048_576;

/// What a function answered.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// Whether the payload is an error document.
    pub is_error: bool,
    pub payload: Bytes,
    /// The last log lines, where they were asked for.
    pub logs: String,
}

/// Why a function did not run at all.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// There is no such function, or it is not ready.
    Unable(ServiceError),
    /// Too many events at the same time.
    Throttled(ServiceError),
}

impl Refusal {
    fn into_error(self) -> ServiceError {
        match self {
            Self::Unable(error) | Self::Throttled(error) => error,
        }
    }
}

/// Runs a function by its bare name and waits for its answer. Who may do so has been settled before.
pub(crate) async fn run(world: &Arc<World>, name: &str, payload: Bytes, wants_logs: bool) -> Result<Finished, Refusal> {
    let found = with_function(world, name, |function| match function.state(Instant::now()) {
        "Active" => Ok((function.pool.clone(), function.reserved)),
        state => Err(not_ready(state)),
    });
    let (pool, reserved) = found.map_err(Refusal::Unable)?;
    let all: u64 = world.functions.lock().values().map(|function| function.pool.running()).sum();
    let room = if reserved.is_none() && all >= ACCOUNT { 0 } else { reserved.unwrap_or(ACCOUNT) };
    let _running = pool.enter(room).ok_or_else(|| Refusal::Throttled(throttled(reserved.is_some())))?;
    // A sandbox may end of age at the very moment in which it is chosen; one that has begun always answers.
    for _ in 0..2 {
        let Some(seat) = pool.acquire(world, name).await else { break };
        let jobs = seat.jobs.clone();
        let (reply, answer) = oneshot::channel();
        let sent = jobs.send(Job { payload: payload.clone(), wants_logs, seat, reply }).await;
        drop(jobs);
        if sent.is_ok()
            && let Ok(finished) = answer.await
        {
            return Ok(finished);
        }
    }
    Err(Refusal::Unable(stopped()))
}

fn stopped() -> ServiceError {
    ServiceError::new(500, "ServiceException", "The sandbox has ended")
}

fn throttled(reserved: bool) -> ServiceError {
    let reason = if reserved { "ReservedFunctionConcurrentInvocationLimitExceeded" } else { "ConcurrentInvocationLimitExceeded" };
    let mut error = ServiceError::new(429, "TooManyRequestsException", "Rate Exceeded.");
    error.members.push(("Reason", reason.into()));
    error.members.push(("Type", "User".into()));
    error
}

fn header<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The operation `Invoke`; its permission is called `lambda:InvokeFunction`.
pub(super) async fn invoke(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    let arn = arn_of(world, &name);
    let policy = with_function(world, &name, |function| Ok(function.policy.document()));
    world.authorize(&call.caller, "lambda:InvokeFunction", &arn, policy.as_ref().ok().and_then(Option::as_ref))?;
    policy?;
    let kind = header(call, "x-amz-invocation-type").unwrap_or("RequestResponse");
    let limit = if kind == "Event" { LARGEST_QUEUED } else { LARGEST_EVENT };
    if call.body.len() > limit {
        return Err(too_large(limit, "InvokeFunction"));
    }
    let payload = if call.body.is_empty() { Bytes::from_static(b"{}") } else { call.body.clone() };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
        let message = "Could not parse request body into json: the payload is no JSON document";
        return Err(ServiceError::new(400, "InvalidRequestContentException", message));
    }
    match kind {
        "DryRun" => Ok(Answer::empty(204)),
        "Event" => {
            let world = world.clone();
            tokio::spawn(async move { run(&world, &name, payload, false).await.map(drop) });
            Ok(Answer::empty(202))
        }
        "RequestResponse" => {
            let wants_logs = header(call, "x-amz-log-type") == Some("Tail");
            let finished = run(world, &name, payload, wants_logs).await.map_err(Refusal::into_error)?;
            let mut headers = vec![("X-Amz-Executed-Version", "$LATEST".to_owned())];
            if finished.is_error {
                headers.push(("X-Amz-Function-Error", "Unhandled".to_owned()));
            }
            if wants_logs {
                headers.push(("X-Amz-Log-Result", STANDARD.encode(&finished.logs)));
            }
            Ok(Answer { status: 200, headers, body: finished.payload })
        }
        other => {
            let rule = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]";
            Err(constraint(other, "invocationType", rule))
        }
    }
}
