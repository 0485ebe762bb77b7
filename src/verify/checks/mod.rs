//! What a client can tell of a stack: a file for each group of checks.
//!
//! One connection opens first and is found in the table; everything else then goes on beside it: others that must be refused, messages, sizes,
//! and a connection that is held. When all are closed, the table, the backend and the log are asked what they know of it.

mod backend;
mod conversation;
mod handshake;
mod hold;
mod limits;
mod logs;
mod messages;
mod subject;
mod table;
mod tokens;
mod url;

use futures_util::join;

use super::check::Check;
pub use hold::Hold;
pub use subject::{Item, Line, Lines, Stack, Subject, Tokens, Unread};
pub use url::check as url;

/// Which checks are made besides those that always are.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// How long a connection is held; `None`: not at all.
    pub hold: Option<Hold>,
    /// The largest messages.
    pub limits: bool,
    /// What the log says, of the backend too.
    pub logs: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Findings {
    /// In an order of their own, whichever ended first.
    pub checks: Vec<Check>,
    /// The id of the connection that messages were sent over, where it is known.
    pub connection: Option<String>,
    /// Why there was no token to connect with: nothing is proven then.
    pub untried: Option<String>,
}

/// Makes the checks; each is told as soon as it is made.
pub async fn run(subject: &Subject<'_>, extent: &Extent) -> Findings {
    let mut checks = Vec::new();
    let since = subject::epoch_ms() - logs::SKEW_MS;
    let others = table::others(subject).await;
    let (opened, socket) = handshake::open(subject).await;
    checks.push(opened);
    let Some(socket) = socket else {
        const WHY: &str = "there is no connection";
        checks.extend(handshake::skipped(subject, WHY));
        checks.extend(tokens::skipped(subject, WHY));
        checks.extend(conversation::skipped(subject, WHY));
        checks.extend(extent.limits.then(|| limits::skipped(subject, WHY)).into_iter().flatten());
        checks.extend(extent.hold.is_some().then(|| hold::skipped(subject, WHY)));
        if extent.logs {
            checks.extend(logs::of_a_refusal(subject, since, WHY).await);
        }
        let untried = checks.first().filter(|opened| opened.cause().is_none()).map(|opened| opened.evidence.clone());
        return Findings { checks, connection: None, untried };
    };
    let (stored, connection) = table::stored(subject, &others).await;
    let limits = async { if extent.limits { limits::checks(subject).await } else { Vec::new() } };
    let held = async {
        match &extent.hold {
            Some(hold) => Some(hold::check(subject, hold).await),
            None => None,
        }
    };
    let asked = async {
        // One after the other: a throttle may allow few handshakes at once.
        let mut checks = vec![handshake::subprotocol(subject).await];
        checks.extend(tokens::checks(subject).await);
        checks
    };
    let (spoken, asked, sized, held) = join!(conversation::checks(subject, socket, connection.as_deref()), asked, limits, held);
    checks.push(stored);
    checks.extend(spoken.into_iter().chain(asked).chain(sized).chain(held));
    let mut findings = Findings { checks, connection, untried: None };
    if extent.logs {
        let logged = logs::checks(subject, since, findings.connection.as_deref()).await;
        findings.checks.extend(logged.checks);
        findings.connection = findings.connection.or(logged.connection);
    }
    findings
}
