//! The sockets that are open, and the `@connections` API to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::gateway::Throttles;
use super::ids;
use super::wire::{Answer, Call, Outcome, ServiceError};
use super::world::World;

/// The largest payload that can be posted.
const LARGEST: usize = 131_072;
/// Frames that may wait for a client that does not read.
const WAITING: usize = 256;

/// All connections of all APIs.
#[derive(Default)]
pub(crate) struct Connections {
    open: Mutex<HashMap<String, Arc<Connection>>>,
    pub(crate) throttles: Throttles,
}

/// One WebSocket connection, from the handshake on.
pub(crate) struct Connection {
    pub id: String,
    pub api_id: String,
    pub stage: String,
    pub source_ip: String,
    pub user_agent: Option<String>,
    /// Epoch milliseconds.
    pub connected_at: i64,
    state: Mutex<State>,
    outbound: mpsc::Sender<Outbound>,
}

#[derive(Clone, Copy)]
struct State {
    /// Not before `$connect` has been answered.
    open: bool,
    last_active_at: i64,
}

/// What shall be sent to a client.
#[derive(Debug)]
pub(crate) enum Outbound {
    /// A text frame, or a binary one where the bytes are no text.
    Data(Bytes),
    /// The end, with code and reason.
    Close(u16, &'static str),
}

impl Connection {
    /// A connection whose handshake has begun, and what is to be sent to it.
    pub(crate) fn begin(
        world: &World,
        api_id: &str,
        stage: &str,
        source_ip: String,
        user_agent: Option<String>,
    ) -> (Arc<Self>, mpsc::Receiver<Outbound>) {
        let (outbound, waiting) = mpsc::channel(WAITING);
        let connected_at = world.clock.now_ms();
        let connection = Arc::new(Self {
            id: opaque_id(),
            api_id: api_id.to_owned(),
            stage: stage.to_owned(),
            source_ip,
            user_agent,
            connected_at,
            state: Mutex::new(State { open: false, last_active_at: connected_at }),
            outbound,
        });
        (connection, waiting)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that data went through.
    pub(crate) fn touch(&self, now_ms: i64) {
        self.state().last_active_at = now_ms;
    }

    /// Sends something in its turn, however long that takes; it is lost if the connection ends before.
    pub(crate) async fn deliver(&self, outbound: Outbound) {
        let _ = self.outbound.send(outbound).await;
    }

    /// Hands something over to be sent.
    pub(crate) fn send(&self, outbound: Outbound) -> Result<(), TrySendError<Outbound>> {
        self.outbound.try_send(outbound)
    }
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection known: from now on it can be posted to.
    pub(crate) fn open(&self, connection: &Arc<Connection>) {
        connection.state().open = true;
        self.lock().insert(connection.id.clone(), connection.clone());
    }

    /// Forgets a connection: from now on it is gone.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn find(&self, id: &str) -> Option<Arc<Connection>> {
        self.lock().get(id).cloned().filter(|connection| connection.state().open)
    }

    /// Closes what an API leaves behind.
    pub(crate) fn close_api(&self, api_id: &str) {
        self.close_all(|connection| connection.api_id == api_id);
        self.throttles.forget(api_id);
    }

    /// Closes what a stage leaves behind.
    pub(crate) fn close_stage(&self, api_id: &str, stage: &str) {
        self.close_all(|connection| connection.api_id == api_id && connection.stage == stage);
    }

    fn close_all(&self, which: impl Fn(&Connection) -> bool) {
        for connection in self.lock().values().filter(|connection| which(connection)) {
            // Where the queue is full the client does not read, and the socket ends by its own limits.
            let _ = connection.send(Outbound::Close(1001, "Going away"));
        }
    }
}

/// An opaque id as API Gateway makes them for connections, messages and requests: `R1kmxc2VNjMCFIA=`.
pub(crate) fn opaque_id() -> String {
    URL_SAFE.encode(ids::bytes::<11>())
}

/// The path of a call: API, stage and connection, decoded; `None` where one is missing.
fn address(path: &str) -> Option<[String; 3]> {
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<String> = path.trim_matches('/').split('/').skip(2).map(decode).collect();
    match parts.as_slice() {
        [api, stage, middle, id] if middle == "@connections" => Some([api.clone(), stage.clone(), id.clone()]),
        _ => None,
    }
}

fn forbidden() -> ServiceError {
    ServiceError::new(403, "ForbiddenException", "Forbidden")
}

/// No message: this error has no members.
fn gone() -> ServiceError {
    ServiceError::new(410, "GoneException", "")
}

/// `PostToConnection`, `GetConnection`, `DeleteConnection`, below `/_aws/execute-api/{apiId}/{stage}`.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    let [api_id, stage, id] = address(&call.path).ok_or_else(forbidden)?;
    world.apis.stage(world, &api_id, &stage).ok_or_else(forbidden)?;
    let resource = world.arn("execute-api", &format!("{api_id}/{stage}/{}/@connections/{id}", call.method));
    world.authorize(&call.caller, "execute-api:ManageConnections", &resource, None)?;
    if !world.connections.throttles.takes_account_request(world) {
        return Err(ServiceError::new(429, "LimitExceededException", "Rate exceeded"));
    }
    if call.body.len() > LARGEST {
        let message = format!("Payload size {} exceeds the maximum of {LARGEST} bytes", call.body.len());
        return Err(ServiceError::new(413, "PayloadTooLargeException", message));
    }
    if URL_SAFE.decode(&id).is_err() {
        return Err(ServiceError::new(400, "BadRequestException", format!("Invalid connectionId: {id}")));
    }
    let connection = world.connections.find(&id).filter(|connection| connection.api_id == api_id && connection.stage == stage);
    let connection = connection.ok_or_else(gone)?;
    match call.operation.as_str() {
        "PostToConnection" => post(&connection, call.body.clone()),
        "DeleteConnection" => {
            connection.send(Outbound::Close(1000, "Connection Closed Normally")).map_err(unsent)?;
            world.connections.forget(&id);
            Ok(Answer::empty(204))
        }
        _ => Ok(get(&connection)),
    }
}

fn unsent(error: TrySendError<Outbound>) -> ServiceError {
    match error {
        TrySendError::Full(_) => ServiceError::new(429, "LimitExceededException", "The client does not take more messages"),
        TrySendError::Closed(_) => gone(),
    }
}

/// 200 means: handed over. Whether the client reads it is not known.
fn post(connection: &Connection, payload: Bytes) -> Outcome {
    connection.send(Outbound::Data(payload)).map_err(unsent)?;
    Ok(Answer::empty(200))
}

fn get(connection: &Connection) -> Answer {
    let mut identity = json!({ "sourceIp": connection.source_ip });
    if let Some(agent) = &connection.user_agent {
        identity["userAgent"] = agent.as_str().into();
    }
    let body = json!({
        "connectedAt": iso(connection.connected_at),
        "identity": identity,
        "lastActiveAt": iso(connection.state().last_active_at),
    });
    Answer::json(200, &body)
}

/// `2026-01-31T12:00:00.000Z`
fn iso(milliseconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    moment.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{address, opaque_id};

    #[test]
    fn addresses_are_decoded_and_need_the_stage() {
        let expected = Some(["abc".to_owned(), "prod".to_owned(), "R1kmxc2VNjMCFIA=".to_owned()]);
        assert_eq!(address("/_aws/execute-api/abc/prod/@connections/R1kmxc2VNjMCFIA%3D"), expected);
        assert_eq!(address("/_aws/execute-api/abc/prod/%40connections/R1kmxc2VNjMCFIA="), expected);
        assert_eq!(address("/_aws/execute-api/abc/@connections/R1kmxc2VNjMCFIA="), None);
        assert_eq!(address("/_aws/execute-api/abc/prod/x/@connections/R1kmxc2VNjMCFIA="), None);
    }

    #[test]
    fn ids_look_like_those_of_api_gateway() {
        let id = opaque_id();
        assert_eq!(id.len(), 16);
        assert!(id.ends_with('='));
        assert_ne!(id, opaque_id());
    }
}
