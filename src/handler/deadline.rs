//! How long a call may take, so that every event is answered before Lambda ends the process.

use std::time::Duration;

use tokio::time::Instant;

/// Kept back for the answer itself.
const ANSWER_MARGIN: Duration = Duration::from_millis(300);
/// No function runs longer (Lambda quotas); a stranger deadline is cut to it.
const LONGEST_RUN: Duration = Duration::from_secs(15 * 60);

/// Until when the work on one event must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// Translates Lambda's deadline, in epoch milliseconds like `now_ms`, into the clock that time limits use.
    pub(crate) fn new(deadline_ms: u64, now_ms: u64) -> Self {
        let left = Duration::from_millis(deadline_ms.saturating_sub(now_ms)).min(LONGEST_RUN);
        Self(Instant::now() + left.saturating_sub(ANSWER_MARGIN))
    }

    /// The same deadline, but no later than `limit` from now.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self(self.0.min(Instant::now() + limit))
    }

    /// The same deadline with `reserve` kept for what comes after.
    pub(crate) fn keeping(self, reserve: Duration) -> Self {
        Self(self.0.checked_sub(reserve).unwrap_or_else(Instant::now))
    }

    /// The time for one call: what is left, at most `limit`. Zero: do not call.
    pub(crate) fn left(self, limit: Duration) -> Duration {
        self.0.saturating_duration_since(Instant::now()).min(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_bounded_by_the_deadline_and_the_limit() {
        let second = Duration::from_secs(1);
        assert!(Deadline::new(28_000, 0).left(Duration::from_secs(60)) <= Duration::from_millis(27_700));
        assert_eq!(Deadline::new(28_000, 0).left(second), second);
        assert_eq!(Deadline::new(28_000, 0).keeping(Duration::from_secs(28)).left(second), Duration::ZERO);
        assert!(Deadline::new(28_000, 0).within(second).left(Duration::from_secs(60)) <= second);
        assert_eq!(Deadline::new(1, 28_000).left(second), Duration::ZERO);
        assert_eq!(Deadline::new(u64::MAX, 0).left(second), second);
    }
}
