//! A message: its sender is the stored one, the backend answers it, and the answer goes back as it came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::contract::{backend::MESSAGE_PATH, item};

use super::backend::{self, About};
use super::connections::{self, Connection};
use super::error::Problem;
use super::event::Event;
use super::http::LARGEST_ANSWER;
use super::members::{Members, member};
use super::parts::{self, Part};
use super::push::{self, Outgoing, To};
use super::reply::Client;
use super::sequence::Sequence;
use super::settings::Reply;
use super::{Call, reconnect, reply, status};

/// What is known of a message so far.
#[derive(Default)]
struct Known {
    sequence: Option<Sequence>,
    connection: Option<Connection>,
}

/// Answers a message.
pub(super) async fn message(cx: &Call<'_>, event: &Event, connection_id: &str) -> Value {
    let mut known = Known::default();
    let out = match forward(&cx.before_reply(), event, connection_id, &mut known).await {
        Ok(out) => out,
        Err(problem) => {
            cx.log().problem(connection_id, problem.code(), &event.request_id);
            let error = problem.to_json(&event.request_id).to_string();
            vec![Outgoing::reply(known.sequence.iter().fold(error, |error, sequence| sequence.echo(error)))]
        }
    };
    match &cx.settings.reply {
        Reply::RouteResponse => returned(cx, event, connection_id, &known, out).await,
        Reply::ManagementApi(base) => {
            let client = Client { connection_id, parts: known.connection.as_ref().is_some_and(|connection| connection.parts) };
            match &known.connection {
                Some(connection) => push::send(cx, base, &client, connection, &event.request_id, &out).await,
                None => _ = reply::deliver(cx, base, &client, &event.request_id, out.iter().map(|one| one.text.as_str())).await,
            }
            if let Some(notice) = notice(cx, event, connection_id, &known).await {
                reply::deliver(cx, base, &client, &event.request_id, std::iter::once(notice.as_str())).await;
            }
            status(200)
        }
    }
}

/// The function's return value is one message, to the sender.
async fn returned(cx: &Call<'_>, event: &Event, connection_id: &str, known: &Known, out: Vec<Outgoing>) -> Value {
    if out.len() > 1 || out.iter().any(|one| one.to == To::Session) {
        cx.log().failed(
            "the backend's list of messages",
            &"a route response is one message, to the sender; more needs WSFIX_REPLY management-api",
        );
    }
    let body = match out.into_iter().next() {
        Some(first) => Some(first.text),
        None => notice(cx, event, connection_id, known).await,
    };
    body.map_or_else(|| status(200), |body| json!({ "statusCode": 200, "body": body }))
}

async fn notice(cx: &Call<'_>, event: &Event, connection_id: &str, known: &Known) -> Option<String> {
    reconnect::notice(cx, event, connection_id, known.connection.as_ref()?).await
}

/// What goes out for a message.
async fn forward(cx: &Call<'_>, event: &Event, connection_id: &str, known: &mut Known) -> Result<Vec<Outgoing>, Problem> {
    let mut text = text(event);
    let mut message = text.as_deref().and_then(Members::read);
    cx.log().message(connection_id, message.as_ref().and_then(|message| message.text("type")).as_deref());
    known.sequence = message.as_ref().and_then(|message| Sequence::of(cx, message));
    let connection = known.connection.insert(connections::sender(cx, connection_id).await?);
    if let Some(part) = message.as_ref().filter(|_| connection.parts).and_then(Part::read) {
        let Some(joined) = parts::join(cx, connection_id, part?).await? else { return Ok(Vec::new()) };
        text = Some(joined);
        message = text.as_deref().and_then(Members::read);
        cx.log().message(connection_id, message.as_ref().and_then(|message| message.text("type")).as_deref());
        known.sequence = message.as_ref().and_then(|message| Sequence::of(cx, message));
    }
    let body = addressed(&message.ok_or(Problem::BadMessage)?, connection_id, connection);
    let about = About { connection_id, session_id: Some(&connection.session_id), request_id: &event.request_id };
    let in_parts = connection.parts && cx.settings.reply != Reply::RouteResponse;
    let largest = if in_parts { cx.settings.largest_message } else { LARGEST_ANSWER };
    let answer = backend::post(cx, MESSAGE_PATH, &about, body, largest).await.map_err(|problem| {
        let unasked = problem == Problem::ReplyTooLarge && connection.parts && !in_parts;
        if unasked { Problem::PartsUnavailable } else { problem }
    })?;
    if answer.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let answer = String::from_utf8(answer.into()).map_err(|_| Problem::BadReply)?;
    serde_json::from_str::<IgnoredAny>(&answer).map_err(|_| Problem::BadReply)?;
    push::outgoing(answer, known.sequence.as_ref())
}

/// What the client wrote.
fn text(event: &Event) -> Option<String> {
    let body = event.body.as_deref()?;
    if event.is_base64 { String::from_utf8(STANDARD.decode(body).ok()?).ok() } else { Some(body.to_owned()) }
}

/// The message as the backend gets it: it says who sent it, once, and that is not what the client says.
fn addressed(message: &Members<'_>, connection_id: &str, connection: &Connection) -> String {
    let theirs = message.0.iter().filter(|(name, _)| !is_ours(name)).map(|(name, value)| member(name, value.get()));
    let ours = [
        (item::CONNECTION_ID, Some(json!(connection_id))),
        (item::SESSION_ID, Some(json!(connection.session_id))),
        (item::USER_ID, Some(json!(connection.user_id))),
        (item::RESUMED_FROM, connection.resumed_from.as_ref().map(|old| json!(old))),
    ];
    let ours = ours.iter().filter_map(|(name, value)| Some(member(name, &value.as_ref()?.to_string())));
    format!("{{{}}}", theirs.chain(ours).collect::<Vec<_>>().join(","))
}

/// Whether some backend may take this name for one that only we may set. Several JSON readers ignore case, and Go's folds letters of other
/// scripts too; `__proto__` changes what JavaScript finds in an object.
fn is_ours(name: &str) -> bool {
    let folded: String = name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    matches!(folded.as_str(), "connectionid" | "sessionid" | "userid" | "resumedfrom") || name == "__proto__"
}

#[cfg(test)]
mod tests;
