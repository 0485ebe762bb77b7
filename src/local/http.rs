//! The front: one port, from a request to the service that answers it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::request::Parts;
use http::{Method, StatusCode};
use tokio::time::timeout;

use super::calls::CallRecord;
use super::connections;
use super::faults::{self, Fault, Kind, Moment};
use super::gateway;
use super::guard::{self, Door};
use super::identity::{Credential, Unidentified};
use super::operations;
use super::protocol::{self, Protocol};
use super::services;
use super::signature::Signed;
use super::socket::Peer;
use super::wire::{Call, Caller, Outcome, Service};
use super::world::World;

/// Everything of API Gateway's data plane is below this.
const DATA_PLANE: &str = "/_aws/execute-api/";
/// A function's package is base64 in JSON: Lambda takes 70,167,211 bytes, and says so itself when it is more.
const CODE_BODY_LIMIT: usize = 80 * 1024 * 1024;
/// The largest body of Lambda's other calls is that of an event: 6 MB, and Lambda itself says so when it is more.
const EVENT_BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The largest body that another service takes is that of PutLogEvents.
const BODY_LIMIT: usize = 2 * 1024 * 1024;
/// A body must have arrived within this (real) time.
const BODY_TIME: Duration = Duration::from_secs(2 * 60);

/// Answers any request that comes in on the port.
pub(crate) async fn answer(world: Arc<World>, request: Request, peer: Peer) -> Response {
    let path = request.uri().path();
    let page = path == "/" && matches!(*request.method(), Method::GET | Method::HEAD);
    let socket = path.starts_with(DATA_PLANE) && !operations::is_connections(path);
    let door = if page || socket { Door::Open } else { Door::Control };
    if let Some(why) = guard::refusal(door, request.uri(), request.headers(), world.address) {
        return plain(StatusCode::FORBIDDEN, why);
    }
    if page {
        return super::page::answer(&world, request.headers());
    }
    if path.starts_with(services::lambda::CODE) && *request.method() == Method::GET {
        return match services::lambda::package(&world, path) {
            Some(zip) => Response::new(Body::from(zip)),
            None => plain(StatusCode::FORBIDDEN, "the address of the code is not, or no longer, a good one"),
        };
    }
    if socket {
        return gateway::upgrade(world, request, peer.address).await;
    }
    aws(world, &peer, request).await
}

async fn aws(world: Arc<World>, peer: &Peer, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let limit = body_limit(&parts);
    // Nothing of code is read before its turn, so the sender waits too.
    let _turn = if limit == CODE_BODY_LIMIT { world.uploads.acquire().await.ok() } else { None };
    let body = match timeout(BODY_TIME, read(body, limit)).await.unwrap_or(Err(Unread::Late)) {
        Ok(body) => body,
        Err(Unread::Late) => return plain(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
        Err(Unread::TooLarge) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        Err(Unread::Broken) => return plain(StatusCode::BAD_REQUEST, "the body did not arrive"),
    };
    let credential = Credential::read(&parts.headers);
    let form = Form::read(&parts, &body);
    let Some(service) = service_of(&parts, credential.as_ref().ok(), form.as_ref()) else {
        return plain(StatusCode::NOT_FOUND, "no AWS service is recognised in this request");
    };
    let operation = operation_of(service, &parts, form.as_ref());
    let signed = Signed::of(&parts, &body);
    let caller = credential.and_then(|credential| identify(&world, service, &credential, &signed));
    // Even a sleep of no time waits for the timer's next tick.
    if !world.delays.call.is_zero() {
        tokio::time::sleep(world.delays.call).await;
    }

    let mut record = CallRecord {
        service: service.prefix(),
        operation: operation.clone().unwrap_or_else(|unknown| unknown),
        caller: caller.as_ref().map_or_else(|_| "unknown".to_owned(), |caller| caller.arn.clone()),
        status: 0,
        started,
        ended: started,
    };
    let outcome = match (caller, operation) {
        (Err(why), _) => Some(Err(protocol::unidentified(service, &why))),
        (Ok(_), Err(unknown)) => Some(Err(protocol::unknown_operation(service, &unknown))),
        (Ok(caller), Ok(operation)) => {
            let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
            let call = Call { service, operation, caller, method: parts.method, path, query, headers: parts.headers, body };
            with_faults(&world, &call).await
        }
    };
    let response = match outcome {
        Some(outcome) => protocol::response(service, outcome),
        None => {
            peer.cut.now();
            Response::new(Body::empty())
        }
    };
    record.status = if peer.cut.is_cut() { 0 } else { response.status().as_u16() };
    record.ended = Instant::now();
    world.calls.record(record);
    response
}

/// The outcome as the caller shall see it; `None`: the connection breaks.
async fn with_faults(world: &Arc<World>, call: &Call) -> Option<Outcome> {
    let (faults, service) = (&world.faults, call.service.prefix());
    faults.timing.wait(service, &call.operation, Moment::Before).await;
    let outcome = match faults.strike_call(service, &call.operation) {
        Some(fault) => go_wrong(world, call, fault).await,
        None => Some(dispatch(world, call).await),
    };
    faults.timing.wait(service, &call.operation, Moment::After).await;
    outcome
}

async fn go_wrong(world: &Arc<World>, call: &Call, Fault { moment, kind, .. }: Fault) -> Option<Outcome> {
    // It took effect, or was refused by the service itself: either way this answer is lost.
    let done = if moment == Moment::After { Some(dispatch(world, call).await) } else { None };
    world.faults.ring();
    match &kind {
        Kind::Reset => None,
        Kind::Silent => std::future::pending().await,
        Kind::Slow(by) => {
            tokio::time::sleep(*by).await;
            match done {
                Some(outcome) => Some(outcome),
                None => Some(dispatch(world, call).await),
            }
        }
        Kind::Error { .. } | Kind::Throttled | Kind::Broken | Kind::Denied => faults::answer(world, call, &kind).map(Err),
    }
}

async fn dispatch(world: &Arc<World>, call: &Call) -> Outcome {
    if let Some(quotas) = &world.quotas {
        quotas.take(call.service, &call.operation, world.clock.now_ms())?;
    }
    match call.service {
        Service::Sts => services::sts::answer(world, call).await,
        Service::Iam => services::iam::answer(world, call).await,
        Service::Lambda => services::lambda::answer(world, call).await,
        Service::ApiGatewayV2 => services::apigatewayv2::answer(world, call).await,
        Service::ApiGateway => services::apigateway::answer(world, call).await,
        Service::ExecuteApi => connections::answer(world, call).await,
        Service::DynamoDb => services::dynamodb::answer(world, call).await,
        Service::Logs => services::logs::answer(world, call).await,
        Service::Ssm => services::ssm::answer(world, call).await,
        Service::SecretsManager => services::secretsmanager::answer(world, call).await,
        Service::AppRunner => services::apprunner::answer(world, call).await,
    }
}

fn identify(world: &World, service: Service, credential: &Credential, signed: &Signed<'_>) -> Result<Caller, Unidentified> {
    if service == Service::ExecuteApi && credential.service != "execute-api" {
        return Err(Unidentified::WrongService { expected: "execute-api" });
    }
    // IAM is global, and STS has a global endpoint too: both are signed for us-east-1 wherever the caller is.
    let global = matches!(service, Service::Iam | Service::Sts) && credential.region == "us-east-1";
    if credential.region != world.region && !global {
        return Err(Unidentified::WrongRegion { signed: credential.region.clone(), here: world.region.clone() });
    }
    world.identify(credential, signed)
}

/// The service that the credential's scope names; without one, the one whose protocol the request speaks.
fn service_of(parts: &Parts, credential: Option<&Credential>, form: Option<&Form>) -> Option<Service> {
    let path = parts.uri.path();
    if path.starts_with(DATA_PLANE) {
        return Some(Service::ExecuteApi);
    }
    let gateway = if path.starts_with("/v2/") { Service::ApiGatewayV2 } else { Service::ApiGateway };
    match credential.map(|credential| credential.service.as_str()) {
        Some("sts") => Some(Service::Sts),
        Some("iam") => Some(Service::Iam),
        Some("dynamodb") => Some(Service::DynamoDb),
        Some("lambda") => Some(Service::Lambda),
        Some("apigateway") => Some(gateway),
        Some("logs") => Some(Service::Logs),
        Some("ssm") => Some(Service::Ssm),
        Some("secretsmanager") => Some(Service::SecretsManager),
        Some("apprunner") => Some(Service::AppRunner),
        Some(_) => None,
        None => target(parts).map(|(service, _)| service).or_else(|| {
            if let Some(form) = form {
                return Some(if form.version == xml_version_of_sts() { Service::Sts } else { Service::Iam });
            }
            if is_dated(path) {
                return Some(Service::Lambda);
            }
            (path.starts_with("/v2/") || path == "/account").then_some(gateway)
        }),
    }
}

fn xml_version_of_sts() -> &'static str {
    super::xml::version(Service::Sts)
}

/// The operation's name; `Err` is what was asked for where there is no such operation.
fn operation_of(service: Service, parts: &Parts, form: Option<&Form>) -> Result<String, String> {
    let asked = || format!("{} {}", parts.method, parts.uri.path());
    match service.protocol() {
        Protocol::Json(_) => match target(parts) {
            Some((named, operation)) if named == service => Ok(operation.to_owned()),
            _ => Err(asked()),
        },
        Protocol::Query => form.map(|form| form.action.clone()).ok_or_else(asked),
        Protocol::Rest => operations::of_path(service, &parts.method, parts.uri.path()).map(str::to_owned).ok_or_else(asked),
    }
}

fn target(parts: &Parts) -> Option<(Service, &str)> {
    let (prefix, operation) = parts.headers.get("x-amz-target")?.to_str().ok()?.split_once('.')?;
    let service = match prefix {
        "DynamoDB_20120810" => Service::DynamoDb,
        "Logs_20140328" => Service::Logs,
        "AmazonSSM" => Service::Ssm,
        "secretsmanager" => Service::SecretsManager,
        "AppRunner" => Service::AppRunner,
        _ => return None,
    };
    Some((service, operation))
}

/// What a query protocol's form says about itself.
struct Form {
    action: String,
    version: String,
}

impl Form {
    fn read(parts: &Parts, body: &Bytes) -> Option<Self> {
        if parts.method != Method::POST || parts.uri.path() != "/" {
            return None;
        }
        let field = |name: &str| url::form_urlencoded::parse(body).find_map(|(key, value)| (key == name).then(|| value.into_owned()));
        Some(Self { action: field("Action")?, version: field("Version").unwrap_or_default() })
    }
}

/// Lambda's paths begin with a date: `/2015-03-31/functions`.
fn is_dated(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    first.len() == 10 && first.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}

fn body_limit(parts: &Parts) -> usize {
    let path = parts.uri.path();
    if !is_dated(path) {
        return BODY_LIMIT;
    }
    match operations::of_path(Service::Lambda, &parts.method, path) {
        Some("CreateFunction" | "UpdateFunctionCode") => CODE_BODY_LIMIT,
        _ => EVENT_BODY_LIMIT,
    }
}

enum Unread {
    TooLarge,
    Broken,
    Late,
}

/// Reads a body up to the limit. A longer one is read to its end all the same, since many clients only listen for an answer after they
/// have sent everything.
async fn read(body: Body, limit: usize) -> Result<Bytes, Unread> {
    let mut stream = body.into_data_stream();
    let (mut bytes, mut total) = (BytesMut::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        total += chunk.len();
        if total <= limit {
            bytes.extend_from_slice(&chunk);
        } else if total > 4 * limit {
            break;
        }
    }
    if total <= limit { Ok(bytes.freeze()) } else { Err(Unread::TooLarge) }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
