//! `$connect`: who may have a connection, and for which session. The backend is not asked; a refused handshake touches no table.

use serde_json::{Value, json};

use crate::contract::query;

use super::Call;
use super::aws::AwsError;
use super::connections::{self, New};
use super::credential::{self, Credential, SUBPROTOCOL};
use super::error::Refusal;
use super::event::{Event, is_session_id};
use super::settings::Origins;
use super::{keys, once, reconnect, status};

/// Answers a handshake: 200 once its connection is stored, and the status of the refusal otherwise.
pub(super) async fn connect(cx: &Call<'_>, event: &Event, connection_id: &str) -> Value {
    match accept(cx, event, connection_id).await {
        Ok(session_id) => {
            cx.log().connected(connection_id, &session_id);
            // API Gateway chooses none of the offered sub-protocols itself, and browsers give up without an answer.
            match credential::chosen_subprotocol(event) {
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
    let wanted = credential::only(event.query(query::SESSION_ID)).map_err(|()| Refusal::Malformed("`sessionId` stands twice"))?;
    let resume = credential::only(event.query(query::RESUME)).map_err(|()| Refusal::Malformed("`resume` stands twice"))?;
    let admitted = admit(cx, &credential::find(event, settings.token_from)?, wanted).await?;
    if let Some((kind, name, until)) = &admitted.once {
        let claimed = once::claim(cx, *kind, name, *until, connection_id).await;
        if !claimed.map_err(|error| not_stored(cx, &error))? {
            return Err(Refusal::Used(match kind {
                once::Kind::Ticket => "ticket",
                once::Kind::Token => "token",
            }));
        }
    }
    let mut new = New {
        connection_id,
        session_id: &admitted.session_id,
        user_id: admitted.user_id.as_deref(),
        connected_at: event.connected_at.unwrap_or_else(|| cx.now_ms()),
        source_ip: event.source_ip.as_deref(),
        auth_until: admitted.auth_until.filter(|_| settings.enforce_expiry),
        parts: event.query(query::PARTS).any(|value| value == "1"),
        resumed_from: None,
    };
    let old = resume.and_then(reconnect::named).filter(|old| old != connection_id);
    if let Some(old) = &old
        && reconnect::supersede(cx, old, &new).await
    {
        new.resumed_from = Some(old);
    }
    connections::put(cx, &new).await.map_err(|error| not_stored(cx, &error))?;
    Ok(admitted.session_id)
}

fn not_stored(cx: &Call<'_>, error: &AwsError) -> Refusal {
    cx.log().failed("the table of connections", error);
    Refusal::Internal("the connection cannot be stored")
}

/// Who is let in.
struct Admitted {
    session_id: String,
    user_id: Option<String>,
    /// Until when messages may pass, in epoch seconds.
    auth_until: Option<i64>,
    /// What is used up by this handshake: its kind, its name, and until when it must stay used.
    once: Option<(once::Kind, String, i64)>,
}

/// Judges the credential, and the session that the client asks for.
async fn admit(cx: &Call<'_>, credential: &Credential, wanted: Option<&str>) -> Result<Admitted, Refusal> {
    if wanted.is_some_and(|session| !is_session_id(session)) {
        return Err(Refusal::Malformed("`sessionId` has a wrong length or invisible characters"));
    }
    let admitted = match credential {
        Credential::Token(text) => {
            let claims = keys::check_token(cx, text).await?;
            let session_id = claims.session(wanted).map_err(|_| Refusal::Session)?;
            let session_id = session_id.ok_or(Refusal::Malformed("neither the query string nor the token has a `sessionId`"))?.to_owned();
            let until = claims.valid_until;
            let once = claims.name.map(|name| (once::Kind::Token, name, until));
            Admitted { session_id, user_id: claims.subject, auth_until: Some(until), once }
        }
        Credential::Ticket(text) => {
            let ticket = keys::check_ticket(cx, text).await?;
            if wanted.is_some_and(|wanted| wanted != ticket.session_id) {
                return Err(Refusal::Session);
            }
            let once = Some((once::Kind::Ticket, ticket.id, ticket.expires));
            Admitted { session_id: ticket.session_id, user_id: ticket.user_id, auth_until: ticket.auth_until, once }
        }
    };
    if is_session_id(&admitted.session_id) {
        Ok(admitted)
    } else {
        Err(Refusal::Malformed("the session in the token or ticket has a wrong length or invisible characters"))
    }
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

#[cfg(test)]
mod tests;
