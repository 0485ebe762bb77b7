//! An answer that is a list of messages, for the sender and for every connection of its session.

use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::contract::frame;

use super::connections::{self, Connection};
use super::error::Problem;
use super::members::Members;
use super::reply::{self, Client};
use super::settings::BaseUrl;
use super::{Call, sequence::Sequence};

/// Most messages of one answer.
const MOST_MESSAGES: usize = 100;
/// Clients that are posted to at the same time.
const AT_ONCE: usize = 8;

/// Who gets a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum To {
    /// Who sent the message that this answers.
    #[default]
    Connection,
    /// Every connection of the sender's session, and so the sender too.
    Session,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) to: To,
    pub(super) text: String,
}

impl Outgoing {
    /// A message for the sender alone.
    pub(super) fn reply(text: String) -> Self {
        Self { to: To::Connection, text }
    }
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(default)]
    to: To,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// What the backend's answer, a JSON text, sends to whom: itself to the sender, or what its list says.
pub(super) fn outgoing(answer: String, sequence: Option<&Sequence>) -> Result<Vec<Outgoing>, Problem> {
    let echo = |to: To, text: String| match sequence {
        Some(sequence) if to == To::Connection => sequence.echo(text),
        Some(_) | None => text,
    };
    let Some(list) = list(&answer) else { return Ok(vec![Outgoing::reply(echo(To::Connection, answer))]) };
    let listed: Vec<Listed<'_>> = list.and_then(|list| serde_json::from_str(list).ok()).ok_or(Problem::BadPush)?;
    if listed.len() > MOST_MESSAGES {
        return Err(Problem::BadPush);
    }
    Ok(listed.iter().map(|one| Outgoing { to: one.to, text: echo(one.to, one.data.get().to_owned()) }).collect())
}

/// The `messages` of an answer that is a list. The outer `None`: it is an answer like any other.
fn list(answer: &str) -> Option<Option<&str>> {
    // Most answers are none, and need not be read twice.
    let members = answer.contains(frame::PUSH).then(|| Members::read(answer))??;
    (members.text("type").as_deref() == Some(frame::PUSH)).then(|| members.raw("messages"))
}

/// Sends every message to whom it is for: the sender in the order of the list, and so each of the others, at the same time.
pub(super) async fn send(cx: &Call<'_>, base: &BaseUrl, sender: &Client<'_>, connection: &Connection, request_id: &str, out: &[Outgoing]) {
    let to_sender = reply::deliver(cx, base, sender, request_id, out.iter().map(|one| one.text.as_str()));
    // The sender does not wait for the index, which may be slow.
    let to_others = async {
        let shared = || out.iter().filter(|one| one.to == To::Session).map(|one| one.text.as_str());
        if shared().next().is_none() {
            return;
        }
        let peers = connections::of_session(cx, &connection.session_id).await;
        let others = peers.iter().filter(|(id, _)| id != sender.connection_id);
        futures_util::stream::iter(others)
            .for_each_concurrent(AT_ONCE, |(id, peer)| async move {
                let client = Client { connection_id: id, parts: peer.parts };
                reply::deliver(cx, base, &client, request_id, shared()).await;
            })
            .await;
    };
    tokio::join!(to_sender, to_others);
}

#[cfg(test)]
mod tests;
