//! Token buckets: of routes, as the stage has them, and of the whole account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::local::services::apigatewayv2::StageView;
use crate::local::world::World;

/// Requests of all kinds, per second and at once.
const ACCOUNT: (f64, i64) = (10_000.0, 5000);
/// New connections, per second.
const CONNECTIONS: (f64, i64) = (500.0, 500);

/// The buckets that have been drawn from.
#[derive(Debug, Default)]
pub(crate) struct Throttles(Mutex<HashMap<String, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at_ms: i64,
}

impl Bucket {
    /// Refills for the time that went by, and takes one.
    fn takes(&mut self, (rate, burst): (f64, i64), now_ms: i64) -> bool {
        let passed = now_ms.saturating_sub(self.at_ms).max(0) as f64 / 1000.0;
        self.tokens = (self.tokens + passed * rate).min(burst as f64);
        self.at_ms = now_ms;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

impl Throttles {
    fn takes(&self, key: String, limit: (f64, i64), now_ms: i64) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.entry(key).or_insert(Bucket { tokens: limit.1 as f64, at_ms: now_ms }).takes(limit, now_ms)
    }

    /// Whether the account takes one more request.
    pub(crate) fn takes_account_request(&self, world: &World) -> bool {
        self.takes("account".to_owned(), ACCOUNT, world.clock.now_ms())
    }

    /// Whether the account takes one more connection.
    pub(super) fn takes_connection(&self, world: &World) -> bool {
        self.takes("connections".to_owned(), CONNECTIONS, world.clock.now_ms()) && self.takes_account_request(world)
    }

    /// Whether a route of a stage takes one more request. Settings of the route stand for those of the stage; without either there is
    /// no limit but the account's.
    pub(super) fn takes_route(&self, world: &World, api_id: &str, stage_name: &str, stage: &StageView, route_key: &str) -> bool {
        let settings = stage.route_settings.get(route_key).unwrap_or(&stage.default_route_settings);
        match (settings.throttling_rate_limit, settings.throttling_burst_limit) {
            (Some(rate), Some(burst)) => self.takes(format!("{api_id}/{stage_name}/{route_key}"), (rate, burst), world.clock.now_ms()),
            _ => true,
        }
    }

    /// Forgets the buckets of an API.
    pub(crate) fn forget(&self, api_id: &str) {
        let prefix = format!("{api_id}/");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| !key.starts_with(&prefix));
    }
}

#[cfg(test)]
mod tests {
    use super::Throttles;

    fn taken(throttles: &Throttles, limit: (f64, i64), now_ms: i64, tries: usize) -> usize {
        (0..tries).filter(|_| throttles.takes("a/b/c".to_owned(), limit, now_ms)).count()
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let throttles = Throttles::default();
        assert_eq!(taken(&throttles, (2.0, 5), 0, 10), 5);
        assert_eq!(taken(&throttles, (2.0, 5), 500, 10), 1);
        assert_eq!(taken(&throttles, (2.0, 5), 60_000, 10), 5);
    }

    #[test]
    fn zero_lets_nothing_through() {
        let throttles = Throttles::default();
        assert_eq!(taken(&throttles, (0.0, 0), 0, 3) + taken(&throttles, (0.0, 0), 60_000, 3), 0);
    }

    #[test]
    fn a_forgotten_api_starts_anew() {
        let throttles = Throttles::default();
        assert_eq!(taken(&throttles, (1.0, 1), 0, 2), 1);
        throttles.forget("a");
        assert_eq!(taken(&throttles, (1.0, 1), 0, 2), 1);
    }
}
