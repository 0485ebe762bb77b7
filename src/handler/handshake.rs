//! `$connect`: who may have a connection, and for which session. The backend is not asked; a refused handshake touches no table.

use serde_json::{Value, json};

use crate::contract::{TOKEN_SUBPROTOCOL, query};

use super::Call;
use super::connections::{self, New};
use super::error::Refusal;
use super::event::{Event, is_session_id};
use super::settings::{Origins, TokenFrom};
use super::{keys, reconnect, status, token};

/// The header with the list of sub-protocols, and with the one that was chosen.
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// Answers a handshake: 200 once its connection is stored, and the status of the refusal otherwise.
pub(super) async fn connect(cx: &Call<'_>, event: &Event, connection_id: &str) -> Value {
    match accept(cx, event, connection_id).await {
        Ok(session_id) => {
            cx.log().connected(connection_id, &session_id);
            // API Gateway chooses none of the offered sub-protocols itself, and browsers give up without an answer.
            match chosen_subprotocol(&offered(event)) {
                Some(name) => json!({ "statusCode": 200, "headers": { SUBPROTOCOL: name } }),
                None => status(200),
            }
        }
        Err(refusal) => {
            cx.log().refused(connection_id, refusal.status(), &refusal);
            status(refusal.status())
        }
    }
}

async fn accept(cx: &Call<'_>, event: &Event, connection_id: &str) -> Result<String, Refusal> {
    let settings = cx.settings;
    check_origin(event, &settings.origins)?;
    let text = find_token(event, settings.token_from)?;
    let keys = keys::keys(cx).await.map_err(|error| {
        cx.log().failed("the key of tokens", &error);
        Refusal::Internal("the key of tokens cannot be read")
    })?;
    let claims = token::verify(&text, &keys, &settings.rules, cx.now())?;

    let wanted = only(event.query(query::SESSION_ID)).map_err(|()| Refusal::Malformed("`sessionId` stands twice"))?;
    if wanted.is_some_and(|session| !is_session_id(session)) {
        return Err(Refusal::Malformed("`sessionId` has a wrong length or invisible characters"));
    }
    let session_id = claims.session(wanted).map_err(|_| Refusal::Session)?;
    let session_id = session_id.ok_or(Refusal::Malformed("neither the query string nor the token has a `sessionId`"))?;
    if !is_session_id(session_id) {
        return Err(Refusal::Malformed("the token's session has a wrong length or invisible characters"));
    }

    let resume = only(event.query(query::RESUME)).map_err(|()| Refusal::Malformed("`resume` stands twice"))?;
    let mut new = New {
        connection_id,
        session_id,
        user_id: claims.subject.as_deref(),
        connected_at: event.connected_at.unwrap_or_else(|| cx.now_ms()),
        source_ip: event.source_ip.as_deref(),
        auth_until: settings.enforce_expiry.then_some(claims.valid_until),
        parts: event.query(query::PARTS).any(|value| value == "1"),
        resumed_from: None,
    };
    let old = resume.and_then(reconnect::named).filter(|old| old != connection_id);
    if let Some(old) = &old
        && reconnect::supersede(cx, old, &new).await
    {
        new.resumed_from = Some(old);
    }
    connections::put(cx, &new).await.map_err(|error| {
        cx.log().failed("the table of connections", &error);
        Refusal::Internal("the connection cannot be stored")
    })?;
    Ok(session_id.to_owned())
}

fn check_origin(event: &Event, origins: &Origins) -> Result<(), Refusal> {
    let mut values = event.headers("Origin");
    let allowed = match (values.next(), values.next()) {
        (None, _) => !origins.required,
        (Some(_), None) if origins.allowed.is_empty() => true,
        (Some(origin), None) => origins.allowed.iter().any(|allowed| allowed == origin),
        (Some(_), Some(_)) => origins.allowed.is_empty() && !origins.required,
    };
    if allowed { Ok(()) } else { Err(Refusal::Origin) }
}

/// The token, from wherever it may come. Two different ones are no token.
fn find_token(event: &Event, from: TokenFrom) -> Result<String, Refusal> {
    let twice = || Refusal::Malformed("there are two tokens");
    let in_query = if from.query { only(event.query(query::TOKEN)).map_err(|()| twice())?.map(str::to_owned) } else { None };
    let in_list = if from.subprotocol { token_of(&offered(event)) } else { None };
    match (in_query.filter(|token| !token.is_empty()), in_list) {
        (Some(one), Some(other)) if one != other => Err(twice()),
        (Some(token), _) | (None, Some(token)) => Ok(token),
        (None, None) => Err(Refusal::NoToken),
    }
}

/// The value of a parameter that may stand once.
fn only<'a>(mut values: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, ()> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(()),
    }
}

/// The sub-protocols that the client offers, in its order.
fn offered(event: &Event) -> Vec<String> {
    event.headers(SUBPROTOCOL).flat_map(|list| list.split(',')).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// What follows the name that announces a token.
fn token_of(offered: &[String]) -> Option<String> {
    let announced = offered.iter().position(|name| name == TOKEN_SUBPROTOCOL)?;
    offered.get(announced + 1).cloned()
}

/// The sub-protocol to answer with: the one that announces a token, else the first that is not a token itself.
fn chosen_subprotocol(offered: &[String]) -> Option<&str> {
    let names = || offered.iter().map(String::as_str);
    let is_name = |name: &&str| name.len() <= 128 && name.bytes().all(is_token_character) && !token::looks_like_one(name);
    names().find(|name| *name == TOKEN_SUBPROTOCOL).or_else(|| names().find(is_name))
}

/// A `tchar` of RFC 9110 section 5.6.2.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
