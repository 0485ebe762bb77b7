//! Whose turn it is to call API Gateway's control plane: its quota is small, cannot be raised, and counts for the whole account.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, http_client_fn};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::sleep;

use crate::config::Throttle;

/// Gives each call its turn: as many at once as the burst has, then so many a second, in the order in which they ask.
#[derive(Debug)]
pub(crate) struct Turns {
    throttle: Throttle,
    /// Calls that may go at once; below zero: how many wait.
    state: Mutex<(f64, Instant)>,
}

impl Turns {
    pub(crate) fn new(throttle: Throttle, now: Instant) -> Self {
        Self { throttle, state: Mutex::new((f64::from(throttle.burst), now)) }
    }

    /// How long a call that comes now waits for its turn.
    fn turn(&self, now: Instant) -> Duration {
        let Throttle { rate, burst } = self.throttle;
        let (rate, burst) = (f64::from(rate.max(1)), f64::from(burst));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = *state;
        let left = now.saturating_duration_since(at).as_secs_f64().mul_add(rate, left).min(burst) - 1.0;
        *state = (left, now);
        Duration::from_secs_f64((-left / rate).max(0.0))
    }
}

/// A client that sends each request at its turn; the SDK's own repeats too, since they are requests like others.
pub(crate) fn in_turn(client: SharedHttpClient, throttle: Throttle) -> SharedHttpClient {
    let turns = Arc::new(Turns::new(throttle, Instant::now()));
    http_client_fn(move |settings: &HttpConnectorSettings, components: &RuntimeComponents| {
        let connector = client.http_connector(settings, components);
        SharedHttpConnector::new(InTurn { connector, turns: Arc::clone(&turns) })
    })
}

#[derive(Debug)]
struct InTurn {
    connector: SharedHttpConnector,
    turns: Arc<Turns>,
}

impl HttpConnector for InTurn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wait = self.turns.turn(Instant::now());
        if wait.is_zero() {
            return self.connector.call(request);
        }
        let connector = self.connector.clone();
        HttpConnectorFuture::new(async move {
            sleep(wait).await;
            connector.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GATEWAY_RATE;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_its_rate() {
        let start = Instant::now();
        let turns = Turns::new(Throttle { rate: 10, burst: 3 }, start);
        let waits = |at: u64, calls: usize| -> Vec<u128> {
            (0..calls).map(|_| turns.turn(start + Duration::from_millis(at)).as_millis()).collect()
        };
        assert_eq!(waits(0, 5), [0, 0, 0, 100, 200]);
        // Two still wait, and one more turn has come.
        assert_eq!(waits(100, 2), [200, 300]);
        // However long nothing is called, no more than the burst is saved.
        assert_eq!(waits(60_000, 4), [0, 0, 0, 100]);
    }

    /// What a small stack calls is not slowed, and nobody exceeds the quota in any second.
    #[test]
    fn the_pace_stays_under_the_quota() {
        let start = Instant::now();
        let turns = Turns::new(GATEWAY_RATE, start);
        let sent: Vec<f64> = (0..300).map(|_| turns.turn(start).as_secs_f64()).collect();
        assert!(sent[..30].iter().all(|turn| *turn == 0.0));
        let mut tokens: f64 = 40.0;
        let mut last = 0.0;
        for at in sent {
            tokens = (at - last).mul_add(10.0, tokens).min(40.0) - 1.0;
            assert!(tokens >= 0.0, "over the quota after {at} s");
            last = at;
        }
    }
}
