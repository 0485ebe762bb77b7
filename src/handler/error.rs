//! What a client is told when something goes wrong: a status for a handshake, a JSON message after that.

use serde_json::{Value, json};

use super::ticket::TicketError;
use super::token::TokenError;

/// Why a handshake is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the handshake is malformed: {0}")]
    Malformed(&'static str),
    #[error("no token where one is looked for")]
    NoToken,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Ticket(#[from] TicketError),
    #[error("the {0} has been used already")]
    Used(&'static str),
    #[error("the origin is not allowed")]
    Origin,
    #[error("the token or ticket is for another session")]
    Session,
    #[error("our own fault: {0}")]
    Internal(&'static str),
}

impl Refusal {
    /// The status that the client's handshake ends with.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::NoToken | Self::Token(_) | Self::Ticket(_) | Self::Used(_) => 401,
            Self::Origin | Self::Session => 403,
            Self::Internal(_) => 500,
        }
    }
}

/// Why a message was not answered by the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Not a JSON object.
    BadMessage,
    /// No item, a damaged one, or one past its time.
    UnknownConnection,
    /// The token of the handshake has expired since.
    AuthExpired,
    /// The table cannot be asked.
    Internal,
    /// No connection to the backend, or it broke.
    BackendUnreachable,
    /// No answer in time.
    BackendTimeout,
    /// A status other than 2xx.
    BackendError,
    /// An answer that is not JSON.
    BadReply,
    /// An answer that is larger than what can be sent to this client.
    ReplyTooLarge,
    /// An answer that could only be sent in parts, which cannot be returned by the function.
    PartsUnavailable,
    /// An answer of type `wsfix.push` that is not as described.
    BadPush,
    /// A part of a message that is not as described.
    BadPart,
    /// The last part of a message came, and others did not.
    IncompleteMessage,
    /// A message in parts that is larger than allowed.
    MessageTooLarge,
}

impl Problem {
    /// The value of `code`: a part of the interface.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::BadMessage => "bad_message",
            Self::UnknownConnection => "unknown_connection",
            Self::AuthExpired => "auth_expired",
            Self::Internal => "internal_error",
            Self::BackendUnreachable => "backend_unreachable",
            Self::BackendTimeout => "backend_timeout",
            Self::BackendError => "backend_error",
            Self::BadReply => "bad_reply",
            Self::ReplyTooLarge => "reply_too_large",
            Self::PartsUnavailable => "parts_unavailable",
            Self::BadPush => "bad_push",
            Self::BadPart => "bad_part",
            Self::IncompleteMessage => "incomplete_message",
            Self::MessageTooLarge => "message_too_large",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::BadMessage => "the message is not a JSON object",
            Self::UnknownConnection => "this connection is not known or has ended; connect again",
            Self::AuthExpired => "the token of this connection has expired; connect again with a new one",
            Self::Internal => "the message could not be handled; try again",
            Self::BackendUnreachable => "the backend cannot be reached",
            Self::BackendTimeout => "the backend did not answer in time",
            Self::BackendError => "the backend answered with an error",
            Self::BadReply => "the backend's answer is not JSON",
            Self::ReplyTooLarge => "the backend's answer is too large for this connection",
            Self::PartsUnavailable => "the backend's answer needs parts, and replies of this API are single messages",
            Self::BadPush => "the backend's list of messages is malformed or too long",
            Self::BadPart => "the part of a message is malformed",
            Self::IncompleteMessage => "parts of the message did not arrive; send all of it again",
            Self::MessageTooLarge => "the message in parts is too large",
        }
    }

    /// The message that the client gets.
    pub(crate) fn to_json(self, request_id: &str) -> Value {
        json!({ "type": "error", "code": self.code(), "message": self.message(), "requestId": request_id })
    }
}
