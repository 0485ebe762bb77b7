//! What is checked, as whom, and whom else can be asked about it.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::LocalBoxFuture;
use tokio::time::sleep;

use crate::secret::Secret;
use crate::verify::check::{Check, Layer, Missed, Verdict};
use crate::verify::client::{Failure, Socket, Target};

/// The stack under test.
pub struct Subject<'a> {
    /// `ws://` or `wss://`: what clients connect to.
    pub url: String,
    /// The URL that the stack says it has, where that is known.
    pub own_url: Option<String>,
    /// The session of the good tokens.
    pub session: String,
    /// Who makes tokens.
    pub tokens: &'a dyn Tokens,
    /// The `action` of a route that the stack has.
    pub action: String,
    /// The `Origin` to send.
    pub origin: Option<String>,
    /// Whether another `Origin` must be refused.
    pub origins_matter: bool,
    /// Certificates in PEM that are trusted besides those that browsers trust.
    pub roots: Option<Vec<u8>>,
    /// Longest time for one answer.
    pub limit: Duration,
    /// Longest time for what comes about by itself: a fresh stack's handshake, lines in the log.
    pub patience: Duration,
    /// Why a handshake is not tried again, where that is known.
    pub hopeless: bool,
    /// The table and the log.
    pub stack: &'a dyn Stack,
    /// Told of each check as it is made.
    pub tell: &'a dyn Fn(&Check),
    /// Told how long a connection has been held.
    pub held: &'a dyn Fn(Duration),
    /// Every token that was shown.
    pub shown: RefCell<Vec<Secret>>,
}

/// Makes tokens for one session.
pub trait Tokens {
    /// A good one. `Err`: why there is none.
    fn good(&self) -> LocalBoxFuture<'_, Result<Secret, String>>;

    /// One whose time is over. `Err`: why there is none.
    fn expired(&self) -> Result<Secret, String>;

    /// Whether they say which session they are for.
    fn name_the_session(&self) -> bool;

    /// Whether the query string is a place for them.
    fn in_query(&self) -> bool;

    /// Whether the list of sub-protocols is a place for them.
    fn in_subprotocol(&self) -> bool;
}

/// What else knows of connections.
pub trait Stack {
    /// The items of a session.
    fn items<'a>(&'a self, session: &'a str) -> LocalBoxFuture<'a, Result<Vec<Item>, Unread>>;

    /// The lines of the function since then (epoch milliseconds), each stream's in order.
    fn lines(&self, since: i64) -> LocalBoxFuture<'_, Result<Lines, Unread>>;
}

/// The item of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// API Gateway's id.
    pub connection_id: String,
    /// The token's `sub`.
    pub user_id: Option<String>,
    /// When DynamoDB may delete it, epoch seconds.
    pub expires_at: Option<i64>,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// One for each sandbox of the function.
    pub stream: String,
    /// The line.
    pub message: String,
}

/// Lines, as many as were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Each stream's in order.
    pub lines: Vec<Line>,
    /// There are more that were not read.
    pub cut: bool,
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not there.
    Missing(String),
    /// It may not be read, or nobody answers.
    Unknown(String),
}

/// The pauses between looks at what comes about by itself grow from here ...
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// ... to here: CloudWatch Logs takes five searches a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A handshake that a throttle refused is tried so often again, a second apart.
const THROTTLED_TRIES: u32 = 5;

impl Subject<'_> {
    /// Makes a check and tells of it.
    pub(super) async fn check(&self, layer: Layer, name: &'static str, verdict: impl Future<Output = Verdict>) -> Check {
        let started = Instant::now();
        let check = Check::of(layer, name, verdict.await, started.elapsed());
        (self.tell)(&check);
        check
    }

    /// A check that is not made.
    pub(super) fn skip(&self, layer: Layer, name: &'static str, why: &str) -> Check {
        let check = Check::of(layer, name, Err(Missed::skipped(why)), Duration::ZERO);
        (self.tell)(&check);
        check
    }

    /// A handshake with this token, in the place that the stack prefers.
    pub(super) fn target(&self, token: Option<Secret>) -> Target {
        self.shown.borrow_mut().extend(token.clone());
        Target {
            session: Some(self.session.clone()),
            in_subprotocol: !self.tokens.in_query(),
            origin: self.origin.clone(),
            roots: self.roots.clone(),
            limit: self.limit,
            ..Target::new(&self.url, token)
        }
    }

    /// A handshake with a good token.
    pub(super) async fn good_target(&self) -> Result<Target, Missed> {
        let token = self.tokens.good().await.map_err(Missed::unknown)?;
        Ok(self.target(Some(token)))
    }

    /// Connects; what a throttle refuses is tried again.
    pub(super) async fn connect(&self, target: &Target) -> Result<Socket, Failure> {
        let mut tries = 0;
        loop {
            match Socket::connect(target).await {
                Err(Failure::Refused(answer)) if answer.status == 429 && tries < THROTTLED_TRIES => tries += 1,
                other => return other,
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Looks until there is something, or patience is over.
    pub(super) async fn until<T, E>(&self, mut look: impl AsyncFnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
        let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let found = look().await?;
            if found.is_some() || started.elapsed() + pause > self.patience {
                return Ok(found);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Now.
pub(super) fn epoch_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| i64::try_from(time.as_millis()).ok()).unwrap_or_default()
}

/// A time for people.
pub(super) fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) { format!("{:.1} ms", time.as_secs_f64() * 1000.0) } else { format!("{:.1} s", time.as_secs_f64()) }
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut short: String = text.chars().take(LONGEST).collect();
    if text.chars().count() > LONGEST {
        short.push_str("...");
    }
    short
}
