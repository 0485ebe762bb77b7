//! The WebSocket front door: handshake, frames, close, time limits.
//!
//! It sends no pings, and takes no compression. It answers a client's ping as RFC 6455 wants, but a ping is no activity:
//! nothing says that API Gateway counts it, and who relies on it would be cut off there.

mod events;
mod frames;
mod handshake;
mod integration;
mod logs;
mod messages;
mod session;
#[cfg(test)]
mod tests;
mod throttle;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, Request, StatusCode};
use serde_json::json;
use tokio::sync::oneshot;

use super::world::World;
use handshake::Handshake;
pub(crate) use throttle::Throttles;

/// Answers a request for `/_aws/execute-api/{apiId}/{stage}`: the upgrade, or why there is none.
///
/// The answer waits until `$connect` has been answered. A client that goes away meanwhile does not stop what has begun.
pub(crate) async fn upgrade(world: Arc<World>, request: Request<Body>, remote: SocketAddr) -> Response {
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        match Handshake::read(&world, request, remote) {
            Ok(handshake) => handshake.run(world, answer).await,
            Err(refused) => drop(answer.send(refused.into_response())),
        }
    });
    let broken = |_| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error").into_response();
    answered.await.unwrap_or_else(broken)
}

/// Why there is no upgrade.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    message: String,
    /// Connection and request, where they exist by then.
    ids: Option<(String, String)>,
}

impl Refused {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), ids: None }
    }

    /// As API Gateway words it.
    fn into_response(self) -> Response {
        let body = match &self.ids {
            Some((connection_id, request_id)) => frames::error(&self.message, connection_id, request_id),
            None => json!({ "message": self.message }).to_string(),
        };
        let kind = match self.status {
            StatusCode::BAD_REQUEST => "BadRequestException",
            StatusCode::UNAUTHORIZED => "UnauthorizedException",
            StatusCode::FORBIDDEN => "ForbiddenException",
            StatusCode::UPGRADE_REQUIRED => "UpgradeRequiredException",
            StatusCode::TOO_MANY_REQUESTS => "TooManyRequestsException",
            StatusCode::GATEWAY_TIMEOUT => "GatewayTimeoutException",
            _ => "InternalServerErrorException",
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(kind));
        if self.status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}
