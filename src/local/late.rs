//! State of which reads see what it was a moment ago: AWS's reads are eventually consistent.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// What is there, and what late reads still see.
#[derive(Debug, Default)]
pub(crate) struct Late<T> {
    now: T,
    /// What was there before each change, and until when reads see that.
    before: VecDeque<(Instant, T)>,
}

impl<T> Deref for Late<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.now
    }
}

impl<T> DerefMut for Late<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.now
    }
}

impl<T: Clone> Late<T> {
    /// To be told before a change: for so long reads see what is there now. Without a delay nothing is kept.
    pub(crate) fn keep(&mut self, delay: Duration) {
        if !delay.is_zero() {
            self.before.push_back((Instant::now() + delay, self.now.clone()));
        }
    }

    /// What a read sees.
    pub(crate) fn seen(&mut self) -> &T {
        let now = Instant::now();
        while self.before.pop_front_if(|(until, _)| *until <= now).is_some() {}
        self.before.front().map_or(&self.now, |(_, before)| before)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Late;

    #[test]
    fn reads_see_the_oldest_change_that_is_not_known_yet() {
        let mut late: Late<Vec<u8>> = Late::default();
        late.keep(Duration::ZERO);
        late.push(1);
        assert_eq!(*late.seen(), [1]);
        late.keep(Duration::from_millis(20));
        late.push(2);
        late.keep(Duration::from_secs(60));
        late.push(3);
        assert_eq!(*late.seen(), [1]);
        assert_eq!(**late, [1, 2, 3]);
    }

    #[test]
    fn what_is_known_by_now_is_seen() {
        let mut late: Late<u8> = Late::default();
        late.keep(Duration::from_nanos(1));
        *late = 7;
        assert_eq!((*late.seen(), late.before.len()), (7, 0));
    }
}
