//! What becomes of one message, and of the end of a connection.

use std::sync::Arc;

use bytes::Bytes;

use super::events::Frame;
use super::frames;
use super::integration::{Called, ProxyAnswer, call};
use super::logs::{self, Ended};
use super::session::End;
use crate::local::connections::{Connection, Outbound, opaque_id};
use crate::local::routing;
use crate::local::services::apigatewayv2::StageView;
use crate::local::world::World;

/// The host that an API has on AWS; here it is only a name.
pub(super) fn domain_name(world: &World, connection: &Connection) -> String {
    format!("{}.execute-api.{}.amazonaws.com", connection.api_id, world.region)
}

/// Finds the route of a message, runs its function, and sends what is to be sent.
pub(super) async fn serve(world: Arc<World>, connection: Arc<Connection>, body: String) {
    let request_id = opaque_id();
    let reply = match world.apis.stage(&world, &connection.api_id, &connection.stage) {
        Some(stage) => answer(&world, &connection, &stage, &body, &request_id).await,
        // A stage that is gone has no routes.
        None => Err("Forbidden"),
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(message) => Some(frames::error(message, &connection.id, &request_id)),
    };
    if let Some(reply) = reply {
        connection.deliver(Outbound::Data(Bytes::from(reply))).await;
    }
}

/// The reply of a two-way route, or the message of the error frame.
async fn answer(
    world: &Arc<World>,
    connection: &Connection,
    stage: &StageView,
    body: &str,
    request_id: &str,
) -> Result<Option<String>, &'static str> {
    let snapshot = &stage.snapshot;
    let key = routing::route(&snapshot.route_selection_expression, body, |key| snapshot.route(key).is_some());
    let route = key.as_deref().and_then(|key| snapshot.route(key));
    let frame = Frame {
        connection,
        domain_name: &domain_name(world, connection),
        variables: &stage.variables,
        request_id,
        now_ms: world.clock.now_ms(),
    };
    let event = frame.message(route.map_or("", |route| &route.route_key), &opaque_id(), body);
    let log = |ended: Ended| logs::write(world, stage, &event, &ended);
    let Some(route) = route else {
        log(Ended::with(403, "Forbidden"));
        return Err("Forbidden");
    };
    let throttles = &world.connections.throttles;
    if !throttles.takes_account_request(world)
        || !throttles.takes_route(world, &connection.api_id, &connection.stage, stage, &route.route_key)
    {
        log(Ended::with(429, "Too Many Requests"));
        return Err("Too Many Requests");
    }
    let called = call(world, connection, snapshot, route, &event).await;
    let failure = called.failure();
    let (status, reply) = match called {
        // Without a route response the answer is thrown away, whatever it says.
        Called::Answered(_) if !route.is_two_way() => (200, Ok(None)),
        Called::Answered(payload) => match ProxyAnswer::read(&payload) {
            Some(answer) if answer.is_success() => (200, Ok(answer.body.filter(|body| !body.is_empty()))),
            _ => (500, Err("Internal server error")),
        },
        Called::Failed | Called::NotInvocable => (500, Err("Internal server error")),
        Called::TimedOut => (504, Err("Endpoint request timed out")),
        Called::Throttled => (429, Err("Too Many Requests")),
    };
    log(Ended { status, error: reply.as_ref().err().copied(), failure });
    reply
}

/// Tells `$disconnect`, once and without waiting for the answer to mean anything. A fault planned for the operation `$disconnect`
/// loses the event: AWS does not promise to deliver it.
pub(super) async fn tell_disconnect(world: &Arc<World>, connection: &Connection, end: &End) {
    let Some(stage) = world.apis.stage(world, &connection.api_id, &connection.stage) else { return };
    let Some(route) = stage.snapshot.route("$disconnect") else { return };
    if world.faults.strike("$disconnect").is_some() {
        return;
    }
    let frame = Frame {
        connection,
        domain_name: &domain_name(world, connection),
        variables: &stage.variables,
        request_id: &opaque_id(),
        now_ms: world.clock.now_ms(),
    };
    let event = frame.disconnect(end.code, &end.reason);
    let failure = call(world, connection, &stage.snapshot, route, &event).await.failure();
    let status = if failure.is_some() { 500 } else { 200 };
    logs::write(world, &stage, &event, &Ended { status, error: None, failure });
}
