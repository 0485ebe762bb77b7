//! One check: a small thing that is so, is not, cannot be told, or was not tried.

use std::time::Duration;

use super::causes::Cause;

/// What a check is about. What is wrong with one shows in those after it, so that the first that failed is the one to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The API and its endpoint.
    Api,
    /// Its routes, and what they call.
    Routes,
    /// Its stage, deployment and throttles.
    Stage,
    /// The function.
    Function,
    /// Whether API Gateway may call the function.
    Permission,
    /// The function's role.
    Role,
    /// The table of connections.
    Table,
    /// Where clients connect to, and the way there.
    Url,
    /// Whether a connection opens.
    Handshake,
    /// Who is let in.
    Token,
    /// What the backend makes of messages.
    Backend,
    /// Whether replies reach the client.
    Reply,
    /// The sizes of messages.
    Limits,
    /// Whether a connection stays open.
    Hold,
    /// The function's log.
    Logs,
}

impl Layer {
    /// All of them, in order.
    pub const ALL: [Self; 15] = [
        Self::Api,
        Self::Routes,
        Self::Stage,
        Self::Function,
        Self::Permission,
        Self::Role,
        Self::Table,
        Self::Url,
        Self::Handshake,
        Self::Token,
        Self::Backend,
        Self::Reply,
        Self::Limits,
        Self::Hold,
        Self::Logs,
    ];

    /// Its name, for people and for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Routes => "routes",
            Self::Stage => "stage",
            Self::Function => "function",
            Self::Permission => "permission",
            Self::Role => "role",
            Self::Table => "table",
            Self::Url => "url",
            Self::Handshake => "handshake",
            Self::Token => "token",
            Self::Backend => "backend",
            Self::Reply => "reply",
            Self::Limits => "limits",
            Self::Hold => "hold",
            Self::Logs => "logs",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Passed,
    /// It is not; what is most likely behind it.
    Failed(&'static Cause),
    /// Nobody here can tell: it may not be read, for one.
    Unknown,
    /// It was not tried.
    Skipped,
}

impl Outcome {
    /// For people and for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// One check, made.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What it is about; of a failed one, what is to blame.
    pub layer: Layer,
    /// What is checked, as a sentence that is true where it passed.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen; of one that is unknown or skipped, why.
    pub evidence: String,
    /// How long it took.
    pub time: Duration,
}

/// What a check came to, before it has a name: the evidence of it, or how it did not pass.
pub type Verdict = Result<String, Missed>;

/// How a check did not pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    outcome: Outcome,
    evidence: String,
}

impl Missed {
    /// It failed.
    #[must_use]
    pub fn failed(cause: &'static Cause, evidence: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed(cause), evidence: evidence.into() }
    }

    /// The same with another cause, where it failed.
    #[must_use]
    pub fn because(self, cause: &'static Cause) -> Self {
        let failed = matches!(self.outcome, Outcome::Failed(_));
        if failed { Self { outcome: Outcome::Failed(cause), ..self } } else { self }
    }

    /// It cannot be told.
    #[must_use]
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Unknown, evidence: why.into() }
    }

    /// It was not tried.
    #[must_use]
    pub fn skipped(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skipped, evidence: why.into() }
    }
}

impl Check {
    /// A check of this layer that came to `verdict`.
    #[must_use]
    pub fn of(layer: Layer, name: &'static str, verdict: Verdict, time: Duration) -> Self {
        let (outcome, evidence) = match verdict {
            Ok(evidence) => (Outcome::Passed, evidence),
            Err(Missed { outcome, evidence }) => (outcome, evidence),
        };
        let layer = if let Outcome::Failed(cause) = outcome { cause.layer } else { layer };
        Self { layer, name, outcome, evidence, time }
    }

    /// What is behind a failure.
    #[must_use]
    pub fn cause(&self) -> Option<&'static Cause> {
        match self.outcome {
            Outcome::Failed(cause) => Some(cause),
            Outcome::Passed | Outcome::Unknown | Outcome::Skipped => None,
        }
    }
}

/// The failed check that is to be looked at first.
#[must_use]
pub fn deepest(checks: &[Check]) -> Option<&Check> {
    checks.iter().filter(|check| check.cause().is_some()).min_by_key(|check| check.layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::causes;

    #[test]
    fn the_first_layer_that_failed_is_the_one_to_look_at() {
        let check = |layer, verdict| Check::of(layer, "it works", verdict, Duration::ZERO);
        let passed = check(Layer::Api, Ok("a1".to_owned()));
        let unread = check(Layer::Permission, Err(Missed::unknown("denied")));
        let refused = check(Layer::Token, Err(Missed::failed(&causes::HANDSHAKE_500, "HTTP 500")));
        let table = check(Layer::Table, Err(Missed::failed(&causes::NO_TABLE, "absent")));
        assert_eq!(refused.layer, Layer::Handshake, "what is to blame counts");
        assert_eq!(deepest(&[passed.clone(), unread.clone()]), None);
        let all = [passed, unread, refused, table.clone()];
        assert_eq!(deepest(&all), Some(&table));
        assert!(Layer::ALL.is_sorted() && Layer::ALL.len() == Layer::Logs as usize + 1);
    }
}
