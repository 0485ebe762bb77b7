//! `wsfix.yaml`, environment and flags into one valid [`Config`].
//!
//! Has no AWS in it and does no work: what it hands out is complete and checked.

mod error;
mod expand;
mod file;
mod jwt;
mod keys;
mod load;
mod names;
mod pem;
mod reader;
mod secrets;
mod sources;
mod tags;
#[cfg(test)]
mod tests;
mod urls;
pub mod variables;
mod yaml;

pub use error::{Errors, Excerpt, Place, Problem};
pub(crate) use keys::distance;
pub use load::{Loaded, load};
pub use secrets::secret_at;
pub use sources::{DEFAULT_FILE, Purpose, Settings, Sources, process_environment};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::jose::Algorithm;
use crate::secret::Secret;

/// Everything that a command needs to know, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which account, and how to reach it.
    pub connection: Connection,
    /// Name of the stack, the value of the ownership tag.
    pub stack: String,
    /// The execution role: a name or an ARN. `None`: find one.
    pub existing_role: Option<String>,
    /// The table of connections.
    pub table: String,
    /// The Lambda function.
    pub function: Function,
    /// The WebSocket API with its stage and routes.
    pub api: Api,
    /// Retention of the log groups in days; one of the values that CloudWatch Logs accepts.
    pub log_retention_days: i32,
    /// Whether the stage writes logs of its own.
    pub access_logs: AccessLogs,
    /// How replies travel.
    pub reply: Reply,
    /// Base URL of the backend: https, or http on loopback; without a trailing slash. Needed by `provision` and `plan`.
    pub backend_url: Option<String>,
    /// Longest time in seconds that the backend may take for one message; below the function's timeout.
    pub backend_timeout_seconds: u32,
    /// What a token must be.
    pub jwt: Jwt,
    /// Key that signs the requests to the backend.
    pub signing_key: Option<Secret>,
    /// `Origin`s that may connect; empty: any.
    pub allowed_origins: Vec<String>,
    /// A handshake without an `Origin` is refused.
    pub require_origin: bool,
    /// Seconds that a stored session may be kept in memory; 0: read for every message.
    pub session_cache_seconds: u32,
    /// A client's `seq` comes back in what answers it.
    pub sequence: bool,
    /// Clients are told when their connection nears its end.
    pub reconnect_notice: bool,
    /// Largest message that travels in parts, in KB, 128 to 4096.
    pub max_message_kb: u32,
    /// The person's own tags, on everything that can be tagged.
    pub tags: BTreeMap<String, String>,
}

/// Which account, and how to reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `None`: as the SDK finds it.
    pub region: Option<String>,
    /// A profile of the AWS configuration files, named on purpose: its credentials count, whatever the environment has.
    /// `None` where only AWS_PROFILE names one: the SDK reads that by itself.
    pub profile: Option<String>,
    /// Another endpoint for every service: the local cloud, or an emulator.
    pub endpoint_url: Option<String>,
    /// Keys that the caller brings along, such as the local cloud's. `None`: as the SDK finds them.
    pub keys: Option<Keys>,
    /// How long calls may take, and how soon they are repeated.
    pub pace: Pace,
    /// Control-plane calls that API Gateway takes, a second and at once. `None`: AWS's quota; for an endpoint of plain HTTP, any number.
    pub gateway_rate: Option<Throttle>,
}

/// How long AWS is waited for. No setting: these fit AWS, and a test on this machine need not wait as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest that a single answer takes.
    pub answer: Duration,
    /// The longest that the answer to the upload of a handler takes, on a slow line.
    pub upload: Duration,
    /// The first pause before a call is repeated; later ones are longer.
    pub pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { answer: Duration::from_secs(30), upload: Duration::from_secs(300), pause: Duration::from_secs(1) }
    }
}

/// A little under what API Gateway takes for the whole account, 10 control-plane calls a second and 40 at once ("API Gateway quotas and
/// important notes"): calls bunch up on their way, and the console of somebody who watches calls too.
pub const GATEWAY_RATE: Throttle = Throttle { rate: 9, burst: 36 };

/// An access key with its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Its public half.
    pub access_key_id: String,
    /// Its secret half.
    pub secret_access_key: Secret,
    /// Of temporary credentials.
    pub session_token: Option<Secret>,
}

/// The Lambda function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, up to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The processor that it runs on.
    pub architecture: Architecture,
    /// Memory in MB, 128 to 10240.
    pub memory_mb: i32,
    /// Time limit in seconds, 2 to 28 (API Gateway gives up after 29).
    pub timeout_seconds: i32,
    /// A handler of one's own: a zip, or an ELF file.
    pub handler: Option<PathBuf>,
    /// More environment variables.
    pub environment: BTreeMap<String, Secret>,
}

/// The processor that a function runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// AWS Graviton.
    Arm64,
    /// Intel and AMD.
    X86_64,
}

impl Architecture {
    /// As AWS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

/// The WebSocket API with its stage and routes.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its name.
    pub name: String,
    /// What picks a message's route, such as `$request.body.action`.
    pub route_selection_expression: String,
    /// Route keys besides `$connect`, `$disconnect` and `$default`; none starts with `$`, none twice, sorted.
    pub routes: Vec<String>,
    /// The stage's name.
    pub stage: String,
    /// Handshakes per second and burst.
    pub connect_throttle: Throttle,
    /// Messages per second and burst, for every other route.
    pub message_throttle: Throttle,
}

/// A limit of API Gateway: a steady rate, and a burst above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Requests per second, at least 1.
    pub rate: u32,
    /// Requests at once, at least 1.
    pub burst: u32,
}

/// How replies travel from the handler to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `management-api`, unless the role is known not to allow it.
    Auto,
    /// Posted to `@connections`.
    ManagementApi,
    /// Returned by the function.
    RouteResponse,
}

/// Whether the stage writes a line for every request, and for every failed execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogs {
    /// Where API Gateway has a role of the account to write them with, and where they are not denied.
    Auto,
    /// They must be written.
    On,
    /// They are not written.
    Off,
}

/// What a token must be, and where it comes from.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// The only algorithm that tokens may be signed with.
    pub algorithm: Algorithm,
    /// The shared secret that signs tokens. Needed by `provision` and `plan`, or [`Self::keys`], where tokens are accepted.
    pub secret: Option<SecretSource>,
    /// The public keys that tokens are checked with; not beside [`Self::secret`].
    pub keys: Option<PublicKeys>,
    /// The claim that must equal `sessionId`.
    pub session_claim: Option<String>,
    /// The `iss` that is required.
    pub issuer: Option<String>,
    /// The `aud` that is required.
    pub audience: Option<String>,
    /// Claims that must be this text, or a list with it.
    pub claims: BTreeMap<String, String>,
    /// Seconds that clocks may differ, 0 to 300.
    pub leeway_seconds: u32,
    /// Seconds that a token counts after its `iat`; `None`: until it expires.
    pub max_age_seconds: Option<u32>,
    /// A token counts once, by its `jti`.
    pub single_use: bool,
    /// A connection ends with its token: messages after `exp` are refused.
    pub enforce_expiry: bool,
    /// Where a token may come from; not empty.
    pub token_from: Vec<TokenFrom>,
    /// The key of tickets, or two separated by a comma; where tickets are accepted.
    pub ticket_key: Option<SecretSource>,
}

impl Jwt {
    /// Whether tokens are accepted, and not tickets alone.
    #[must_use]
    pub fn accepts_tokens(&self) -> bool {
        self.token_from.iter().any(|from| *from != TokenFrom::Ticket)
    }

    /// Whether tickets are accepted.
    #[must_use]
    pub fn accepts_tickets(&self) -> bool {
        self.token_from.contains(&TokenFrom::Ticket)
    }
}

/// Where a token may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    /// `?token=`
    Query,
    /// `Sec-WebSocket-Protocol: wsfix.jwt, <token>`
    Subprotocol,
    /// A ticket instead of a token: `?ticket=`, or `Sec-WebSocket-Protocol: wsfix.ticket, <ticket>`
    Ticket,
}

/// Public keys that tokens are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKeys {
    /// As the handler reads them: one key or a set, as JSON with nothing but what is needed.
    Given(String),
    /// The issuer's set.
    Issuer {
        /// https, or http on loopback.
        url: String,
        /// Read when the stack is provisioned, and not by the handler.
        pin: bool,
    },
}

/// A secret, or where the handler finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// Read already: from the environment, a file or standard input.
    Value(Secret),
    /// `ssm:NAME`: read by the handler.
    Ssm(String),
    /// `secretsmanager:ID`, or `secretsmanager:ID#MEMBER`: read by the handler.
    SecretsManager {
        /// The secret's name or ARN.
        id: String,
        /// Which member of the JSON object that is stored there.
        member: Option<String>,
    },
}
