//! What a client shows to be let in: a token or a ticket, in the query string or in the list of sub-protocols.

use crate::contract::{TICKET_SUBPROTOCOL, TOKEN_SUBPROTOCOL, query};

use super::error::Refusal;
use super::event::Event;
use super::settings::TokenFrom;
use super::{ticket, token};

/// The header with the list of sub-protocols, and with the one that was chosen.
pub(super) const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// Text that has not been judged yet.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    Token(String),
    Ticket(String),
}

/// The credential, from wherever it may come. Two different ones are none.
pub(super) fn find(event: &Event, from: TokenFrom) -> Result<Credential, Refusal> {
    let twice = || Refusal::Malformed("there are two tokens or tickets");
    let in_query = |allowed: bool, name: &'static str| {
        let value = if allowed { only(event.query(name)).map_err(|()| twice())? } else { None };
        Ok::<_, Refusal>(value.filter(|value| !value.is_empty()).map(str::to_owned))
    };
    let offered = offered(event);
    let in_list = |allowed: bool, name: &str| if allowed { announced_by(&offered, name) } else { None };
    let found = [
        in_query(from.query, query::TOKEN)?.map(Credential::Token),
        in_list(from.subprotocol, TOKEN_SUBPROTOCOL).map(Credential::Token),
        in_query(from.ticket, query::TICKET)?.map(Credential::Ticket),
        in_list(from.ticket, TICKET_SUBPROTOCOL).map(Credential::Ticket),
    ];
    let mut found = found.into_iter().flatten();
    let first = found.next().ok_or(Refusal::NoToken)?;
    if found.all(|other| other == first) { Ok(first) } else { Err(twice()) }
}

/// The value of a parameter that may stand once.
pub(super) fn only<'a>(mut values: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, ()> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(()),
    }
}

/// The sub-protocols that the client offers, in its order.
fn offered(event: &Event) -> Vec<String> {
    event.headers(SUBPROTOCOL).flat_map(|list| list.split(',')).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// What follows the name that announces it.
fn announced_by(offered: &[String], name: &str) -> Option<String> {
    let announced = offered.iter().position(|offer| offer == name)?;
    offered.get(announced + 1).cloned()
}

/// The sub-protocol to answer with: one that announces a credential, else the first that is not a credential itself.
pub(super) fn chosen_subprotocol(event: &Event) -> Option<String> {
    let offered = offered(event);
    let announces = |name: &&String| [TOKEN_SUBPROTOCOL, TICKET_SUBPROTOCOL].contains(&name.as_str());
    let is_secret = |name: &str| token::looks_like_one(name) || ticket::looks_like_one(name);
    let is_name = |name: &&String| name.len() <= 128 && name.bytes().all(is_token_character) && !is_secret(name);
    offered.iter().find(announces).or_else(|| offered.iter().find(is_name)).cloned()
}

/// A `tchar` of RFC 9110 section 5.6.2.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
