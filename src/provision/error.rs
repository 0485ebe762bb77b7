//! What can go wrong in a run. The words that a person reads are made in `cli/error.rs`, from these.

use super::bundle;
use super::roles::Judged;

/// Why a pipeline did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call failed before anything was changed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Something stands in the way, all of it at once; nothing was changed.
    #[error("{} thing(s) stand in the way", .0.len())]
    Refused(Vec<Refusal>),
    /// Several roles can serve, and none is the best: a person has to choose. Nothing was changed.
    #[error("{} roles can serve", .0.len())]
    Choice(Vec<Judged>),
    /// The handler's binary cannot be had, or is not fit.
    #[error(transparent)]
    Bundle(#[from] bundle::Error),
    /// A step failed in the middle. No new one was started, those running finished.
    #[error("{} step(s) failed", .errors.len())]
    Incomplete { done: Vec<String>, left: Vec<String>, errors: Vec<AwsError> },
    /// These steps are open again each time that they were taken: another run undoes them, or AWS does not keep them.
    #[error("the stack differs from the config again each time that it is put right")]
    Contended { done: Vec<String>, left: Vec<String> },
    /// Somebody asked to stop; what was running has finished.
    #[error("stopped")]
    Stopped { done: Vec<String>, left: Vec<String> },
}

impl Error {
    /// Whether a failed look says nothing about the next one.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Aws(error) if matches!(error.cause, Cause::Throttled | Cause::Unreachable | Cause::NotReady | Cause::Other))
    }
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `table WebSocketConnections`
    pub resource: String,
    /// What is found, and why it is in the way.
    pub reason: String,
    /// What a person can do.
    pub remedy: String,
}

/// One call to AWS that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed for {resource}")]
pub struct AwsError {
    /// As AWS names it: `CreateApi`.
    pub operation: &'static str,
    /// What it needs: `apigateway:POST`.
    pub iam: &'static str,
    /// The ARN, or the name.
    pub resource: String,
    /// What kind of failure it is.
    pub cause: Cause,
    /// AWS's own code and message, secrets removed.
    pub said: Option<String>,
    /// To quote to AWS support.
    pub request_id: Option<String>,
}

/// What kind of failure an [`AwsError`] is. Classified in one place, `aws.rs`, by the code and then just enough of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is not there.
    NotFound,
    /// It is there already.
    Exists,
    /// Another run made or changed it since it was read.
    Overtaken,
    /// Something else changes it now: wait and repeat.
    NotReady,
    /// Not allowed. `explicit`: a policy denies it, so that no allow helps.
    Denied { explicit: bool },
    /// Too many calls.
    Throttled,
    /// The credentials are missing, wrong or expired.
    Credentials,
    /// The request is wrong.
    Invalid,
    /// No answer.
    Unreachable,
    /// No answer to a call that must not be repeated: only a look can tell whether it took effect.
    Lost,
    /// It took too long; the state last seen.
    TimedOut { state: String },
    /// It ended in a state that is final.
    FailedState { state: String },
    /// Anything else.
    Other,
}
