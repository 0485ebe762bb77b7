//! The local cloud: AWS as wsfix needs it, on loopback.
//!
//! One port answers the AWS services (as `AWS_ENDPOINT_URL`), the WebSocket front door and `@connections`
//! (both below `/_aws/execute-api/{apiId}/{stage}`, the path that other emulators use too), and the page with the terminal.
//! It fails where AWS fails; it knows the handler as a binary, not as code.

pub mod account;
pub mod calls;
pub mod clock;
pub mod faults;
pub(crate) mod services;
pub(crate) mod wire;
pub(crate) mod world;

use std::sync::Arc;
use std::time::Duration;

use account::Account;

/// How a [`Cloud`] is set up.
#[derive(Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0: any free one.
    pub port: u16,
    /// Who exists, and what they may do.
    pub account: Account,
    /// The Region that ARNs carry.
    pub region: String,
    /// How much faster than real time AWS's own delays and limits pass (idle 10 min, 2 h, 29 s ...).
    pub speed: f64,
    /// AWS's delays between an answer and its effect.
    pub delays: Delays,
    /// Told every line that is written to CloudWatch Logs.
    pub on_log: Option<Arc<dyn Fn(&LogLine) + Send + Sync>>,
}

/// Delays that AWS has between an answer and its effect. All zero by default, so that tests are quick; they are not scaled by `speed`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delays {
    /// Added to every call.
    pub call: Duration,
    /// From CreateTable to ACTIVE.
    pub table: Duration,
    /// From CreateFunction to Active, and from an update to Successful.
    pub function: Duration,
    /// From a change of routes to the automatic deployment.
    pub deployment: Duration,
    /// From DeleteTable or DeleteFunction to gone.
    pub deletion: Duration,
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
