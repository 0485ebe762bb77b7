//! `until()`: the only loop that polls.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::{AwsError, Cause};
use super::plan::ApiCall;
use super::progress::{Event, Reporter};

/// The pauses between looks grow from here ...
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// ... to here: a table takes seconds, and DynamoDB and API Gateway throttle who asks more often.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often a thing that was just made may be missing. Reads lag behind for seconds at most, and so many looks take ten: after that somebody
/// deleted it.
pub(crate) const LAGGING_LOOKS: u32 = 12;

/// Pauses before the round of a run that another one undid: longer each time, and never twice the same, so that one of the two gets through.
pub(crate) async fn yield_to_others(round: u32) {
    let random = u32::from(RandomState::new().build_hasher().finish().to_le_bytes()[0]);
    sleep(LONGEST_PAUSE * round * random / 256).await;
}

/// What a look found.
pub(crate) enum Probe<T> {
    /// It is as awaited.
    Ready(T),
    /// Not yet; its state in AWS's words.
    Pending(String),
    /// It never will be; the state that is final.
    Failed(String),
}

/// What is waited for, and how long.
pub(crate) struct Watch<'a> {
    pub(crate) reporter: &'a dyn Reporter,
    /// As in the step's events: `table WebSocketConnections`.
    pub(crate) resource: String,
    /// The call that looks.
    pub(crate) call: ApiCall,
    pub(crate) limit: Duration,
}

/// Looks at once and then again and again, until it is ready, failed, or `limit` is over.
pub(crate) async fn until<T>(watch: Watch<'_>, mut probe: impl AsyncFnMut() -> Result<Probe<T>, AwsError>) -> Result<T, AwsError> {
    let end = Instant::now() + watch.limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let state = match probe().await? {
            Probe::Ready(found) => return Ok(found),
            Probe::Failed(state) => return Err(watch.error(Cause::FailedState { state })),
            Probe::Pending(state) => state,
        };
        if Instant::now() + pause > end {
            return Err(watch.error(Cause::TimedOut { state }));
        }
        watch.reporter.event(Event::Waiting { resource: watch.resource.clone(), state });
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Looks until there is nothing any more. A look answers with the state of what is there still.
pub(crate) async fn until_gone(watch: Watch<'_>, mut look: impl AsyncFnMut() -> Result<String, AwsError>) -> Result<(), AwsError> {
    until(watch, async || match look().await {
        Ok(state) => Ok(Probe::Pending(state)),
        Err(error) if error.cause == Cause::NotFound => Ok(Probe::Ready(())),
        Err(error) => Err(error),
    })
    .await
}

/// Repeats a call that AWS is not ready for, or has no time for, until `limit` is over.
pub(crate) async fn retry<T>(watch: Watch<'_>, mut call: impl AsyncFnMut() -> Result<T, AwsError>) -> Result<T, AwsError> {
    let mut last = None;
    let waited = until(watch, async || match call().await {
        Ok(answer) => Ok(Probe::Ready(answer)),
        Err(error) if matches!(error.cause, Cause::NotReady | Cause::Throttled) => {
            let state = error.words();
            last = Some(error);
            Ok(Probe::Pending(state))
        }
        Err(error) => Err(error),
    })
    .await;
    match (waited, last) {
        // The refusal itself says more than "it took too long".
        (Err(AwsError { cause: Cause::TimedOut { state }, .. }), Some(error)) => {
            Err(AwsError { cause: Cause::TimedOut { state }, ..error })
        }
        (waited, _) => waited,
    }
}

impl Watch<'_> {
    fn error(&self, cause: Cause) -> AwsError {
        AwsError::of(self.call, &self.resource, cause, None)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Default)]
    struct Heard(RefCell<Vec<String>>);

    impl Reporter for Heard {
        fn event(&self, event: Event) {
            if let Event::Waiting { state, .. } = event {
                self.0.borrow_mut().push(state);
            }
        }
    }

    const CALL: ApiCall = ApiCall { name: "DescribeTable", iam: "dynamodb:DescribeTable" };

    fn watch(reporter: &dyn Reporter, millis: u64) -> Watch<'_> {
        Watch { reporter, resource: "table t".to_owned(), call: CALL, limit: Duration::from_millis(millis) }
    }

    fn failure(cause: Cause) -> AwsError {
        AwsError {
            operation: "AddPermission",
            iam: "lambda:AddPermission",
            resource: "f".to_owned(),
            cause,
            said: Some("busy".to_owned()),
            request_id: None,
        }
    }

    #[tokio::test]
    async fn a_first_look_that_finds_it_ready_does_not_wait() {
        let heard = Heard::default();
        let found = until(watch(&heard, 0), async || Ok(Probe::Ready(7))).await;
        assert_eq!(found.ok(), Some(7));
        assert!(heard.0.borrow().is_empty());
    }

    #[tokio::test]
    async fn the_state_last_seen_is_told_and_named_at_the_end() {
        let heard = Heard::default();
        let mut looks = 0;
        let error = until::<()>(watch(&heard, 150), async || {
            looks += 1;
            Ok(Probe::Pending(format!("CREATING {looks}")))
        })
        .await
        .expect_err("never ready");
        assert_eq!(error.cause, Cause::TimedOut { state: "CREATING 2".to_owned() });
        assert_eq!(*heard.0.borrow(), ["CREATING 1"]);
    }

    #[tokio::test]
    async fn a_failed_state_ends_the_wait() {
        let heard = Heard::default();
        let error = until::<()>(watch(&heard, 5_000), async || Ok(Probe::Failed("Failed".to_owned()))).await.expect_err("failed");
        assert_eq!(error.cause, Cause::FailedState { state: "Failed".to_owned() });
    }

    #[tokio::test]
    async fn only_not_ready_and_throttled_are_repeated() {
        let heard = Heard::default();
        let mut calls = 0;
        let answer = retry(watch(&heard, 5_000), async || {
            calls += 1;
            if calls == 1 { Err(failure(Cause::NotReady)) } else { Ok(calls) }
        })
        .await;
        assert_eq!(answer.ok(), Some(2));
        let error = retry::<()>(watch(&heard, 5_000), async || Err(failure(Cause::Denied { explicit: true }))).await.expect_err("denied");
        assert_eq!(error.cause, Cause::Denied { explicit: true });
        let error = retry::<()>(watch(&heard, 0), async || Err(failure(Cause::NotReady))).await.expect_err("never ready");
        assert_eq!((error.operation, error.said.as_deref()), ("AddPermission", Some("busy")));
        assert_eq!(error.cause, Cause::TimedOut { state: "busy".to_owned() });
    }
}
