//! One WebSocket event of API Gateway in, one response out.
//!
//! [`handle`] answers every event, whatever is in it: an error of ours or of a neighbour becomes a status or a message, never a failed
//! invocation, since API Gateway turns those into answers that say nothing.

mod aws;
mod backend;
mod connections;
mod credential;
mod deadline;
mod disconnect;
mod error;
mod event;
mod handshake;
#[cfg(test)]
mod hostile;
mod http;
mod keys;
mod log;
mod members;
mod message;
mod once;
mod parts;
mod push;
mod reconnect;
mod reply;
mod sequence;
mod settings;
mod sign;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod ticket;
mod token;

use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use self::http::Http;
use deadline::Deadline;
use event::{Event, Kind};
use log::Log;
use settings::{Settings, SettingsError};

/// Looks up a variable.
type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the handler works with, kept from one event to the next.
pub struct Deps {
    settings: Result<Settings, SettingsError>,
    environment: Environment,
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    log: Log,
    http: Http,
    signer: sign::Signer,
    keys: keys::Cache,
    sessions: connections::Cache,
    /// Whether the log has said already that replies are denied.
    denial_told: AtomicBool,
    /// Whether the role lacks `dynamodb:UpdateItem`, which only some things need.
    updates_denied: AtomicBool,
}

impl Deps {
    /// Reads the settings from the environment, and makes no connection yet.
    ///
    /// `environment` looks up a variable; credentials are read there for every call. `clock` tells epoch milliseconds. `sink` gets each line
    /// of the log. Settings that are wrong are logged here, and every handshake is then refused with status 500.
    pub fn new(
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
        sink: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        let log = Log::new(sink);
        let settings = Settings::read(&environment);
        if let Err(error) = &settings {
            log.failed("configuration", error);
        }
        let http = Http::new(environment(http::CA_BUNDLE).filter(|path| !path.is_empty()));
        Self {
            settings,
            environment: Box::new(environment),
            clock: Box::new(clock),
            log,
            http,
            signer: sign::Signer::default(),
            keys: keys::Cache::default(),
            sessions: connections::Cache::default(),
            denial_told: AtomicBool::new(false),
            updates_denied: AtomicBool::new(false),
        }
    }
}

/// The surroundings of one event.
struct Call<'a> {
    deps: &'a Deps,
    settings: &'a Settings,
    deadline: Deadline,
}

impl Call<'_> {
    /// Epoch milliseconds.
    fn now_ms(&self) -> u64 {
        (self.deps.clock)()
    }

    /// Epoch seconds.
    fn now(&self) -> i64 {
        i64::try_from(self.now_ms() / 1000).unwrap_or(i64::MAX)
    }

    /// The same for what comes before the reply to a client.
    fn before_reply(&self) -> Self {
        Self { deadline: self.deadline.before_reply(), ..*self }
    }

    fn log(&self) -> &Log {
        &self.deps.log
    }
}

/// Handles one event, a JSON text, before `deadline_ms` (epoch milliseconds), and answers what the function returns.
pub async fn handle(event: &str, deadline_ms: u64, deps: &Deps) -> Value {
    let event = Event::read(event);
    let id = event.connection_id.as_deref().unwrap_or("-");
    deps.log.route(&event.route, id);
    let settings = match &deps.settings {
        Ok(settings) => settings,
        Err(error) => {
            deps.log.refused(id, 500, error);
            return status(500);
        }
    };
    let call = Call { deps, settings, deadline: Deadline::new(deadline_ms, (deps.clock)()) };
    match (event.kind, event.connection_id.as_deref()) {
        (Kind::Connect, Some(id)) => handshake::connect(&call, &event, id).await,
        (Kind::Message, Some(id)) => message::message(&call, &event, id).await,
        (Kind::Disconnect, Some(id)) => disconnect::disconnect(&call, &event, id).await,
        (Kind::Connect | Kind::Message | Kind::Disconnect | Kind::Other, _) => {
            deps.log.refused(id, 400, &"not an event of a WebSocket API");
            status(400)
        }
    }
}

/// An answer without a body.
fn status(code: u16) -> Value {
    json!({ "statusCode": code })
}
