//! When calls go on: they wait for each other, or for a pause that a seed decides.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::time::{sleep, timeout};

use super::Moment;

/// The longest that one call waits for others that may never come.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where calls wait, and how long.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    gates: Mutex<Vec<Gate>>,
    scatter: Mutex<Option<(u64, Duration)>>,
    /// Pauses so far.
    pauses: AtomicU64,
}

/// A place where calls of one operation wait until all that are expected are there.
#[derive(Clone, Debug)]
struct Gate {
    operation: String,
    moment: Moment,
    /// How many calls are still expected.
    left: usize,
    barrier: Arc<Barrier>,
}

impl Timing {
    pub(super) fn meet(&self, operation: &str, moment: Moment, calls: usize) {
        let gate = Gate { operation: operation.to_owned(), moment, left: calls, barrier: Arc::new(Barrier::new(calls)) };
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).push(gate);
    }

    pub(super) fn scatter(&self, seed: u64, longest: Duration) {
        *self.scatter.lock().unwrap_or_else(PoisonError::into_inner) = Some((seed, longest));
        self.pauses.store(0, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.scatter.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits as it was planned for a call of this operation of this service, named by its IAM prefix.
    pub(crate) async fn wait(&self, service: &str, operation: &str, moment: Moment) {
        if let Some(barrier) = self.gate(&[operation, &format!("{service}:{operation}")], moment) {
            // Whoever waits in vain goes on.
            let _ = timeout(PATIENCE, barrier.wait()).await;
        }
        let scatter = *self.scatter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seed, longest)) = scatter {
            let pause = self.pauses.fetch_add(1, Ordering::Relaxed);
            sleep(longest.mul_f64(fraction(mix(seed).wrapping_add(pause)))).await;
        }
    }

    fn gate(&self, names: &[&str], moment: Moment) -> Option<Arc<Barrier>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |gate: &&mut Gate| gate.moment == moment && names.contains(&gate.operation.as_str());
        let gate = gates.iter_mut().find(fits)?;
        gate.left = gate.left.saturating_sub(1);
        let barrier = Arc::clone(&gate.barrier);
        gates.retain(|gate| gate.left > 0);
        Some(barrier)
    }
}

/// From 0 to 1, spread evenly over the numbers.
#[expect(clippy::cast_precision_loss, reason = "53 bits are all that a fraction holds")]
fn fraction(number: u64) -> f64 {
    (mix(number) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Sends numbers that are close to each other far apart (SplitMix64).
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::{Moment, Timing, fraction};

    #[tokio::test]
    async fn calls_meet_where_they_were_told_to() {
        let timing = Timing::default();
        timing.meet("lambda:CreateFunction", Moment::After, 2);
        let order = Mutex::new(Vec::new());
        let call = async |name: &'static str| {
            timing.wait("lambda", "CreateFunction", Moment::Before).await;
            order.lock().expect("the order").push(format!("{name} before"));
            timing.wait("lambda", "CreateFunction", Moment::After).await;
            order.lock().expect("the order").push(format!("{name} after"));
        };
        tokio::join!(call("a"), call("b"));
        let order = order.into_inner().expect("the order");
        assert!(order[..2].iter().all(|step| step.ends_with("before")), "{order:?}");
        // A third one waits for nobody.
        tokio::time::timeout(Duration::from_millis(500), timing.wait("lambda", "CreateFunction", Moment::After)).await.expect("no wait");
    }

    #[test]
    fn a_seed_gives_the_same_pauses_again_and_they_differ() {
        let some: Vec<f64> = (0..100).map(|number| fraction(7 + number)).collect();
        assert_eq!(some, (0..100).map(|number| fraction(7 + number)).collect::<Vec<_>>());
        assert!(some.iter().all(|part| (0.0..1.0).contains(part)));
        assert!(some.iter().any(|part| *part < 0.2) && some.iter().any(|part| *part > 0.8), "{some:?}");
    }
}
