//! How long a call may take, so that every event is answered before Lambda ends the process.

use std::time::Duration;

use tokio::time::Instant;

/// Kept back for the answer itself.
const ANSWER_MARGIN: Duration = Duration::from_millis(300);
/// Kept for the reply after everything else: enough for an attempt and its repetition.
const REPLY_RESERVE: Duration = Duration::from_millis(1700);
/// No function runs longer (Lambda quotas); a stranger deadline is cut to it.
const LONGEST_RUN: Duration = Duration::from_secs(15 * 60);

/// Until when the work on one event must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    /// Kept for the reply.
    reserve: Duration,
}

impl Deadline {
    /// Translates Lambda's deadline, in epoch milliseconds like `now_ms`, into the clock that time limits use.
    pub(crate) fn new(deadline_ms: u64, now_ms: u64) -> Self {
        let left = Duration::from_millis(deadline_ms.saturating_sub(now_ms)).min(LONGEST_RUN);
        // A function that may run for a moment only keeps a part of it: else nothing would be left for the backend.
        Self { at: Instant::now() + left.saturating_sub(ANSWER_MARGIN), reserve: REPLY_RESERVE.min(left / 4) }
    }

    /// The same deadline, but no later than `limit` from now.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { at: self.at.min(Instant::now() + limit), ..self }
    }

    /// The same deadline for what comes before the reply, which must still be sent when this one is over.
    pub(crate) fn before_reply(self) -> Self {
        Self { at: self.at.checked_sub(self.reserve).unwrap_or_else(Instant::now), reserve: Duration::ZERO }
    }

    /// The time for one call: what is left, at most `limit`. Zero: do not call.
    pub(crate) fn left(self, limit: Duration) -> Duration {
        self.at.saturating_duration_since(Instant::now()).min(limit)
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
        assert!(Deadline::new(28_000, 0).within(second).left(Duration::from_secs(60)) <= second);
        assert_eq!(Deadline::new(1, 28_000).left(second), Duration::ZERO);
        assert_eq!(Deadline::new(u64::MAX, 0).left(second), second);
    }

    #[test]
    fn a_reply_has_its_time_however_short_the_function_runs() {
        let most = Duration::from_secs(60);
        for (deadline_ms, least, longest) in [(28_000, 25_900, 26_000), (2000, 1100, 1200), (400, 0, 1), (100, 0, 0)] {
            let left = Deadline::new(deadline_ms, 0).before_reply().left(most).as_millis();
            assert!((least..=longest).contains(&left), "{deadline_ms}: {left}");
        }
    }
}
