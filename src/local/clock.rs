//! The cloud's time: real time from a start, but faster where asked.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that runs `speed` times as fast as the real one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    epoch: Duration,
    speed: f64,
}

impl Clock {
    /// A clock that shows the real time now.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), epoch, speed }
    }

    /// Epoch milliseconds on this clock.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        let now = self.epoch + self.started.elapsed().mul_f64(self.speed);
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }

    /// How long to wait in real time for `duration` to pass on this clock.
    #[must_use]
    pub fn real(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Clock;

    #[test]
    fn a_fast_clock_needs_less_real_time() {
        let clock = Clock::new(3600.0);
        assert_eq!(clock.real(Duration::from_secs(7200)), Duration::from_secs(2));
        let before = clock.now_ms();
        let started = std::time::Instant::now();
        while started.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        assert!(clock.now_ms() - before >= 5 * 3600);
    }
}
