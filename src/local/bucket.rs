//! Token buckets: so many at once, so many a second, on the cloud's clock. Pure.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A second, and at once.
pub(crate) type Limit = (f64, i64);

/// The buckets that have been drawn from, by name.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<HashMap<String, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at_ms: i64,
}

impl Buckets {
    /// Refills the bucket for the time that went by, and takes one.
    pub(crate) fn take(&self, name: String, (rate, burst): Limit, now_ms: i64) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(name).or_insert(Bucket { tokens: burst as f64, at_ms: now_ms });
        let passed = now_ms.saturating_sub(bucket.at_ms).max(0) as f64 / 1000.0;
        bucket.tokens = (bucket.tokens + passed * rate).min(burst as f64);
        bucket.at_ms = now_ms;
        let enough = bucket.tokens >= 1.0;
        if enough {
            bucket.tokens -= 1.0;
        }
        enough
    }

    /// Forgets the buckets whose name begins so.
    pub(crate) fn forget(&self, prefix: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| !name.starts_with(prefix));
    }
}

#[cfg(test)]
mod tests {
    use super::{Buckets, Limit};

    fn taken(buckets: &Buckets, limit: Limit, now_ms: i64, tries: usize) -> usize {
        (0..tries).filter(|_| buckets.take("a/b/c".to_owned(), limit, now_ms)).count()
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let buckets = Buckets::default();
        assert_eq!(taken(&buckets, (2.0, 5), 0, 10), 5);
        assert_eq!(taken(&buckets, (2.0, 5), 500, 10), 1);
        assert_eq!(taken(&buckets, (2.0, 5), 60_000, 10), 5);
    }

    #[test]
    fn zero_lets_nothing_through() {
        let buckets = Buckets::default();
        assert_eq!(taken(&buckets, (0.0, 0), 0, 3) + taken(&buckets, (0.0, 0), 60_000, 3), 0);
    }

    #[test]
    fn what_is_forgotten_starts_anew() {
        let buckets = Buckets::default();
        assert_eq!(taken(&buckets, (1.0, 1), 0, 2), 1);
        buckets.forget("a/");
        assert_eq!(taken(&buckets, (1.0, 1), 0, 2), 1);
    }
}
