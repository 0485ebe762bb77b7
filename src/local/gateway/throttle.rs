//! The limits of the data plane: of routes, as the stage has them, and of the whole account.

use crate::local::bucket::{Buckets, Limit};
use crate::local::services::apigatewayv2::StageView;
use crate::local::world::World;

/// Requests of all kinds, per second and at once.
const ACCOUNT: Limit = (10_000.0, 5000);
/// New connections, per second.
const CONNECTIONS: Limit = (500.0, 500);

/// What has been drawn.
#[derive(Debug, Default)]
pub(crate) struct Throttles(Buckets);

impl Throttles {
    /// Whether the account takes one more request.
    pub(crate) fn takes_account_request(&self, world: &World) -> bool {
        self.0.take("account".to_owned(), ACCOUNT, world.clock.now_ms())
    }

    /// Whether the account takes one more connection.
    pub(super) fn takes_connection(&self, world: &World) -> bool {
        self.0.take("connections".to_owned(), CONNECTIONS, world.clock.now_ms()) && self.takes_account_request(world)
    }

    /// Whether a route of a stage takes one more request. Settings of the route stand for those of the stage; without either there is
    /// no limit but the account's.
    pub(super) fn takes_route(&self, world: &World, api_id: &str, stage_name: &str, stage: &StageView, route_key: &str) -> bool {
        let settings = stage.route_settings.get(route_key).unwrap_or(&stage.default_route_settings);
        match (settings.throttling_rate_limit, settings.throttling_burst_limit) {
            (Some(rate), Some(burst)) => self.0.take(format!("{api_id}/{stage_name}/{route_key}"), (rate, burst), world.clock.now_ms()),
            _ => true,
        }
    }

    /// Forgets the buckets of an API.
    pub(crate) fn forget(&self, api_id: &str) {
        self.0.forget(&format!("{api_id}/"));
    }
}
