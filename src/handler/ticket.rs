//! Tickets: what a backend's own login hands out so that no token stands in a URL. A ticket is good for one handshake within 30 s.
//!
//! `wst1.PAYLOAD.MAC`: the payload is JSON, the MAC is HMAC-SHA256 over everything before its dot, both in base64url without padding. No JWT,
//! so that neither can be taken for the other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::Value;

use crate::contract::TICKET_LEAD;
use crate::jose::object;

/// API Gateway takes no longer request line than this, so neither do we.
const LONGEST_TICKET: usize = 16 * 1024;
/// A ticket made for longer is a mistake of who made it.
const LIFE_SECONDS: i64 = 30;
/// How far the clock of who made it may be ahead of ours.
const CLOCK_SLACK_SECONDS: i64 = 5;

/// What an accepted ticket says.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Its name, used once.
    pub(crate) id: String,
    pub(crate) session_id: String,
    pub(crate) user_id: Option<String>,
    /// Epoch seconds; it must be remembered as used until then.
    pub(crate) expires: i64,
    /// Until when messages are allowed, in epoch seconds; `None`: as long as the connection lives.
    pub(crate) auth_until: Option<i64>,
}

/// Why a ticket is refused. None of it says what the ticket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("the ticket does not have the form of one")]
    Form,
    #[error("the ticket's MAC does not fit")]
    Mac,
    #[error("the ticket's payload is not a JSON object with unique names")]
    Payload,
    #[error("the ticket has no good `{0}`")]
    Member(&'static str),
    #[error("the ticket has expired")]
    Expired,
    #[error("the ticket is for more than {LIFE_SECONDS} s")]
    Long,
}

/// Judges a ticket at `now`, in epoch seconds. One of the keys must fit.
pub(crate) fn verify(ticket: &str, keys: &[hmac::Key], now: i64) -> Result<Ticket, TicketError> {
    if ticket.len() > LONGEST_TICKET {
        return Err(TicketError::Form);
    }
    let (signed, mac) = ticket.rsplit_once('.').ok_or(TicketError::Form)?;
    let payload = signed.strip_prefix(TICKET_LEAD).ok_or(TicketError::Form)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TicketError::Form);
    let (payload, mac) = (decode(payload)?, decode(mac)?);
    if !keys.iter().any(|key| hmac::verify(key, signed.as_bytes(), &mac).is_ok()) {
        return Err(TicketError::Mac);
    }
    let members = object(&payload).ok_or(TicketError::Payload)?;
    let text = |name: &'static str| members.get(name).and_then(Value::as_str).ok_or(TicketError::Member(name));
    let whole = |name: &'static str| members.get(name).and_then(Value::as_i64).ok_or(TicketError::Member(name));
    let there = |name| members.get(name).is_some_and(|value| !value.is_null());
    let id = Some(text("id")?).filter(|id| (16..=128).contains(&id.chars().count())).ok_or(TicketError::Member("id"))?;
    let user_id = if there("userId") { Some(text("userId")?.to_owned()).filter(|user| !user.is_empty()) } else { None };
    let auth_until = if there("authUntil") { Some(whole("authUntil")?) } else { None };
    let expires = whole("exp")?;
    if expires <= now {
        return Err(TicketError::Expired);
    }
    if expires > now.saturating_add(LIFE_SECONDS + CLOCK_SLACK_SECONDS) {
        return Err(TicketError::Long);
    }
    Ok(Ticket { id: id.to_owned(), session_id: text("sessionId")?.to_owned(), user_id, expires, auth_until })
}

/// Whether a text has the form of a ticket: it must not be repeated to anybody.
pub(crate) fn looks_like_one(text: &str) -> bool {
    text.starts_with(TICKET_LEAD)
}

#[cfg(test)]
mod tests;
