//! The local cloud: AWS as wsfix needs it, on loopback.
//!
//! One port answers the AWS services (as `AWS_ENDPOINT_URL`), the WebSocket front door and `@connections`
//! (both below `/_aws/execute-api/{apiId}/{stage}`, the path that other emulators use too), and the page with the terminal.
//! It fails where AWS fails; it knows the handler as a binary, not as code.

pub mod account;
pub(crate) mod authorize;
pub mod backend;
pub(crate) mod bucket;
pub mod calls;
pub mod clock;
pub(crate) mod connections;
pub mod descriptors;
pub mod faults;
pub(crate) mod gateway;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod identity;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod late;
pub mod modes;
pub(crate) mod operations;
pub mod page;
pub(crate) mod params;
pub(crate) mod patience;
pub(crate) mod protocol;
pub(crate) mod quotas;
pub(crate) mod routing;
pub(crate) mod services;
pub(crate) mod signature;
pub(crate) mod socket;
#[cfg(test)]
pub(crate) mod support;
#[cfg(test)]
mod tests;
pub(crate) mod wire;
pub(crate) mod world;
pub(crate) mod xml;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use account::Account;
use calls::Calls;
use clock::Clock;
use faults::{Faults, Quirk};
use world::World;

/// The Region of a cloud that nobody told another.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Told every line that is written to CloudWatch Logs.
pub type OnLog = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// How a [`Cloud`] is set up.
#[derive(Clone)]
pub struct Options {
    /// Where it listens: on loopback, unless others shall reach it, who can then run code as whoever started it.
    pub address: IpAddr,
    /// The port; 0: any free one.
    pub port: u16,
    /// Who exists, and what they may do.
    pub account: Account,
    /// The Region that ARNs carry.
    pub region: String,
    /// How much faster than real time AWS's own delays and limits pass (idle 10 min, 2 h, 29 s ...).
    pub speed: f64,
    /// AWS's delays between an answer and its effect.
    pub delays: Delays,
    /// Whether AWS's quotas of control-plane calls hold.
    pub quotas: bool,
    /// What AWS does now and then, planned from the start.
    pub quirks: Vec<Quirk>,
    /// Told every line that is written to CloudWatch Logs.
    pub on_log: Option<OnLog>,
}

impl Default for Options {
    /// Any free port of 127.0.0.1, the built-in account, real time, no delays and no quotas of calls.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            account: Account::built_in(),
            region: DEFAULT_REGION.to_owned(),
            speed: 1.0,
            delays: Delays::default(),
            quotas: false,
            quirks: Vec::new(),
            on_log: None,
        }
    }
}

/// Delays that AWS has between an answer and its effect, on the cloud's clock. All zero by default, so that tests are quick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delays {
    /// Added to every call.
    pub call: Duration,
    /// From CreateTable to ACTIVE.
    pub table: Duration,
    /// From a change of a table, of a function or of the list of APIs until reads see it.
    pub read: Duration,
    /// From UpdateTable with a new index until the index is filled, in addition to `table`.
    pub backfill: Duration,
    /// From a write to a table until its indexes see it.
    pub index: Duration,
    /// From CreateFunction to Active, and from an update to Successful.
    pub function: Duration,
    /// From a change of routes to the automatic deployment.
    pub deployment: Duration,
    /// From DeleteTable or DeleteFunction to gone.
    pub deletion: Duration,
}

impl Delays {
    /// In real time.
    fn real(self, clock: &Clock) -> Self {
        let Self { call, table, read, backfill, index, function, deployment, deletion } = self;
        let [call, table, read, backfill, index, function, deployment, deletion] =
            [call, table, read, backfill, index, function, deployment, deletion].map(|delay| clock.real(delay));
        Self { call, table, read, backfill, index, function, deployment, deletion }
    }
}

/// One line in CloudWatch Logs.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The log group.
    pub group: String,
    /// The log stream.
    pub stream: String,
    /// Epoch milliseconds.
    pub timestamp: i64,
    /// Without the line's end.
    pub message: String,
}

/// Why a cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else listens there.
    #[error("port {} on {} is in use: stop what listens there, or choose another port (0 takes any free one)", .at.port(), .at.ip())]
    PortInUse {
        /// What was asked for.
        at: SocketAddr,
    },
    /// The port cannot be had for another reason.
    #[error("cannot listen on port {} of {}", .at.port(), .at.ip())]
    Listen {
        /// What was asked for.
        at: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// No thread, or no runtime in it.
    #[error("cannot start the local cloud's thread")]
    Thread(#[source] std::io::Error),
}

/// A running local cloud. It ends when this is dropped: its connections, its sandboxes, its thread.
pub struct Cloud {
    world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Cloud {
    /// Starts a cloud, in a thread of its own with a runtime of its own: callers may be single-threaded, and need no runtime.
    ///
    /// # Errors
    /// When the port cannot be had, or the system gives no thread.
    pub fn start(options: Options) -> Result<Self, StartError> {
        descriptors::raise();
        let at = SocketAddr::new(options.address, options.port);
        let listen = |source: std::io::Error| {
            if source.kind() == std::io::ErrorKind::AddrInUse {
                return StartError::PortInUse { at };
            }
            StartError::Listen { at, source }
        };
        let listener = std::net::TcpListener::bind(at).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("wsfix-local").enable_all().build();
        let runtime = runtime.map_err(StartError::Thread)?;
        let world = Arc::new(World::new(&options, port));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&world);
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let answer = move |request, peer| http::answer(served.clone(), request, peer);
                tokio::select! {
                    _ = stopped => {}
                    () = socket::serve(listener, socket::HEAD, answer) => {}
                }
            });
            // Whatever still runs ends here: dropped tasks close their connections and kill their sandboxes.
            runtime.shutdown_timeout(Duration::from_secs(2));
        };
        let thread = std::thread::Builder::new().name("wsfix-local".to_owned()).spawn(serve).map_err(StartError::Thread)?;
        Ok(Self { world, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`: what `AWS_ENDPOINT_URL` is set to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.world.endpoint
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.world.address.port()
    }

    /// The Region that ARNs carry, and that requests must be signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.world.region
    }

    /// Everything in the account that somebody made, whoever may see it: `table NAME`, `function NAME`, `api NAME`, `log group NAME`.
    #[must_use]
    pub fn inventory(&self) -> Vec<String> {
        let of = |kind: &str, names: Vec<String>| names.into_iter().map(|name| format!("{kind} {name}")).collect::<Vec<_>>();
        let groups = self.world.logs.names(self.world.clock.now_ms());
        let (tables, functions) = (self.world.dynamodb.names(), self.world.functions.names());
        [of("table", tables), of("function", functions), of("api", self.world.apis.names()), of("log group", groups)].concat()
    }

    /// Every AWS call that was answered.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.world.calls
    }

    /// What shall go wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// The cloud's time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.world.clock
    }

    /// Sets what the page with the terminal connects to.
    pub fn set_page(&self, info: page::Info) {
        *self.world.page.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(info);
    }

    /// Ends everything and waits for it; what was recorded can still be read.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop();
    }
}
