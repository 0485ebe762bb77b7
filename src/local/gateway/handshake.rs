//! The handshake: pending while `$connect` runs, then the upgrade or the status that came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::upgrade::OnUpgrade;
use percent_encoding::percent_decode_str;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Refused;
use super::events::Frame;
use super::integration::{Called, ProxyAnswer, call};
use super::logs::{self, Ended};
use super::messages::{domain_name, tell_disconnect};
use super::session::{self, End};
use crate::local::connections::{Connection, Outbound, opaque_id};
use crate::local::identity::Credential;
use crate::local::ids;
use crate::local::services::apigatewayv2::StageView;
use crate::local::signature::Signed;
use crate::local::world::World;

/// The client gets so long to take the answer to its upgrade.
const SWITCH: Duration = Duration::from_secs(10);

/// A well-formed handshake for a stage that is served.
pub(super) struct Handshake {
    parts: Parts,
    stage: StageView,
    key: String,
    connection: Arc<Connection>,
    outbound: mpsc::Receiver<Outbound>,
    on_upgrade: OnUpgrade,
}

impl Handshake {
    /// Checks what can be checked before `$connect` is asked.
    pub(super) fn read(world: &World, mut request: Request<Body>, remote: SocketAddr) -> Result<Self, Refused> {
        let forbidden = || Refused::new(StatusCode::FORBIDDEN, "Forbidden");
        let [api_id, stage_name] = address(request.uri().path()).ok_or_else(forbidden)?;
        let stage = world.apis.stage(world, &api_id, &stage_name).ok_or_else(forbidden)?;
        let on_upgrade = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let key = upgrade_key(&parts)?;
        authorize(world, &parts, &api_id, &stage_name, &stage)?;
        let throttles = &world.connections.throttles;
        if !throttles.takes_connection(world) || !throttles.takes_route(world, &api_id, &stage_name, &stage, "$connect") {
            return Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
        }
        let user_agent = parts.headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
        let (connection, outbound) = Connection::begin(world, &api_id, &stage_name, remote.ip().to_string(), user_agent);
        Ok(Self { parts, stage, key, connection, outbound, on_upgrade })
    }

    /// Asks `$connect`, answers the client, and serves the socket until it ends.
    pub(super) async fn run(self, world: Arc<World>, answer: oneshot::Sender<Response>) {
        let request_id = opaque_id();
        let subprotocol = match self.ask(&world, &request_id).await {
            Ok(subprotocol) => subprotocol,
            Err(status) => {
                let ids = Some((self.connection.id.clone(), request_id));
                let _ = answer.send(Refused { status, message: words(status).to_owned(), ids }.into_response());
                return;
            }
        };
        // It is open before the client can know: what the client does next may lead to a post.
        world.connections.open(&self.connection);
        let _ = answer.send(switching(&self.key, subprotocol));
        let end = match timeout(SWITCH, self.on_upgrade).await {
            Ok(Ok(upgraded)) => session::run(&world, &self.connection, self.outbound, upgraded).await,
            _ => End::LOST,
        };
        world.connections.forget(&self.connection.id);
        tell_disconnect(&world, &self.connection, &end).await;
    }

    /// The sub-protocol to name, or the status to refuse with. Without a `$connect` route everybody may come in.
    async fn ask(&self, world: &Arc<World>, request_id: &str) -> Result<Option<String>, StatusCode> {
        let Some(route) = self.stage.snapshot.route("$connect") else { return Ok(None) };
        let domain_name = domain_name(world, &self.connection);
        let frame = Frame {
            connection: &self.connection,
            domain_name: &domain_name,
            variables: &self.stage.variables,
            request_id,
            now_ms: world.clock.now_ms(),
        };
        let trace_id = format!("Root=1-{:08x}-{}", frame.now_ms / 1000, ids::hex(&ids::bytes::<12>()));
        let event = frame.connect(&self.parts.headers, self.parts.uri.query().unwrap_or_default(), &trace_id);
        let called = call(world, &self.connection, &self.stage.snapshot, route, &event).await;
        let failure = called.failure();
        let answer = judged(called);
        let (status, error) = match &answer {
            Ok(_) => (StatusCode::OK, None),
            Err(status) => (*status, Some(words(*status))),
        };
        logs::write(world, &self.stage, &event, &Ended { status: status.as_u16(), error, failure });
        answer
    }
}

/// The sub-protocol that the function names, or the status that its answer comes to.
fn judged(called: Called) -> Result<Option<String>, StatusCode> {
    match called {
        Called::Answered(payload) => {
            let answer = ProxyAnswer::read(&payload).ok_or(StatusCode::BAD_GATEWAY)?;
            if answer.is_success() {
                return Ok(answer.subprotocol);
            }
            // A status that HTTP keeps for other purposes cannot end an upgrade.
            let status = StatusCode::from_u16(answer.status).ok().filter(|status| !status.is_informational());
            Err(status.unwrap_or(StatusCode::BAD_GATEWAY))
        }
        Called::Failed => Err(StatusCode::BAD_GATEWAY),
        Called::TimedOut => Err(StatusCode::GATEWAY_TIMEOUT),
        Called::NotInvocable => Err(StatusCode::INTERNAL_SERVER_ERROR),
        Called::Throttled => Err(StatusCode::TOO_MANY_REQUESTS),
    }
}

/// What API Gateway says with a status that refuses.
fn words(status: StatusCode) -> &'static str {
    match status {
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY => "Internal server error",
        StatusCode::GATEWAY_TIMEOUT => "Endpoint request timed out",
        StatusCode::TOO_MANY_REQUESTS => "Too Many Requests",
        other => other.canonical_reason().unwrap_or("Refused"),
    }
}

/// API and stage in the path, and nothing below.
fn address(path: &str) -> Option<[String; 2]> {
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<String> = path.trim_matches('/').split('/').skip(2).map(decode).collect();
    match parts.as_slice() {
        [api, stage] => Some([api.clone(), stage.clone()]),
        _ => None,
    }
}

/// The key of a request that asks for a WebSocket.
fn upgrade_key(parts: &Parts) -> Result<String, Refused> {
    let has = |name, token: &str| {
        let values = parts.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    let version = parts.headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if parts.method != Method::GET || !has(CONNECTION, "upgrade") || !has(UPGRADE, "websocket") || version != Some(b"13") {
        return Err(Refused::new(StatusCode::UPGRADE_REQUIRED, "Upgrade Required"));
    }
    let key = parts.headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).filter(|key| key.len() == 24);
    key.map(str::to_owned).ok_or_else(|| Refused::new(StatusCode::BAD_REQUEST, "Bad Request"))
}

/// The authorisation of the `$connect` route, where it is not the function's own business.
fn authorize(world: &World, parts: &Parts, api_id: &str, stage_name: &str, stage: &StageView) -> Result<(), Refused> {
    let kind = stage.snapshot.route("$connect").map_or("NONE", |route| &route.authorization_type);
    match kind {
        "NONE" => Ok(()),
        "AWS_IAM" => {
            let credential = Credential::read(&parts.headers);
            let credential = credential.map_err(|_| Refused::new(StatusCode::FORBIDDEN, "Missing Authentication Token"))?;
            let invalid = "The security token included in the request is invalid.";
            let caller = world.identify(&credential, &Signed::of(parts, b"")).map_err(|_| Refused::new(StatusCode::FORBIDDEN, invalid))?;
            let resource = world.arn("execute-api", &format!("{api_id}/{stage_name}/$connect"));
            let denied = |error: crate::local::wire::ServiceError| Refused::new(StatusCode::FORBIDDEN, error.message);
            world.authorize(&caller, "execute-api:Invoke", &resource, None).map_err(denied)
        }
        // There are no authorizers here; a route that names one cannot be passed.
        _ => Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")),
    }
}

fn switching(key: &str, subprotocol: Option<String>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(name) = subprotocol.and_then(|name| HeaderValue::from_str(&name).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    response
}
