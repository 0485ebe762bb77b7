//! How long to wait for work that is done in real time.

use std::time::Duration;

use super::clock::Clock;

/// A process needs real time to start and to answer, however fast the clock runs.
const LEAST: Duration = Duration::from_secs(5);

/// The real time of a limit on work (29 s for an integration, 10 s for a start): as the clock has it, but never under five
/// seconds, or under the limit itself where that is shorter. Limits on waiting alone (idle, 2 h) follow the clock without this.
pub(crate) fn patience(clock: &Clock, limit: Duration) -> Duration {
    clock.real(limit).max(limit.min(LEAST))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::patience;
    use crate::local::clock::Clock;

    #[test]
    fn a_fast_clock_leaves_five_seconds() {
        let limit = Duration::from_secs(29);
        assert_eq!(patience(&Clock::new(1.0), limit), limit);
        assert_eq!(patience(&Clock::new(2.0), limit), Duration::from_millis(14_500));
        assert_eq!(patience(&Clock::new(720.0), limit), Duration::from_secs(5));
        assert_eq!(patience(&Clock::new(720.0), Duration::from_millis(50)), Duration::from_millis(50));
    }
}
