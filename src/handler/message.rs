//! A message: its sender is the stored one, the backend answers it, and the answer goes back as it came.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::contract::{backend::MESSAGE_PATH, item};

use super::backend::{self, About};
use super::connections::{self, Connection};
use super::error::Problem;
use super::event::Event;
use super::{Call, reply, status};

/// Answers a message.
pub(super) async fn message(cx: &Call<'_>, event: &Event, connection_id: &str) -> Value {
    match forward(cx, event, connection_id).await {
        Ok(Some(answer)) => reply::send(cx, connection_id, &event.request_id, answer).await,
        Ok(None) => status(200),
        Err(problem) => {
            cx.log().problem(connection_id, problem.code(), &event.request_id);
            reply::send(cx, connection_id, &event.request_id, problem.to_json(&event.request_id).to_string()).await
        }
    }
}

/// The backend's answer; `None` where it has none.
async fn forward(cx: &Call<'_>, event: &Event, connection_id: &str) -> Result<Option<String>, Problem> {
    let text = text(event);
    let message = text.as_deref().and_then(Message::read);
    cx.log().message(connection_id, message.as_ref().and_then(Message::kind).as_deref());
    let connection = connections::sender(cx, connection_id).await?;
    let body = message.ok_or(Problem::BadMessage)?.addressed(connection_id, &connection);
    let about = About { connection_id, session_id: Some(&connection.session_id), request_id: &event.request_id };
    let answer = backend::post(cx, MESSAGE_PATH, &about, body).await?;
    if answer.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let answer = String::from_utf8(answer.into()).map_err(|_| Problem::BadReply)?;
    match serde_json::from_str::<IgnoredAny>(&answer) {
        Ok(_) => Ok(Some(answer)),
        Err(_) => Err(Problem::BadReply),
    }
}

/// What the client wrote.
fn text(event: &Event) -> Option<String> {
    let body = event.body.as_deref()?;
    if event.is_base64 { String::from_utf8(STANDARD.decode(body).ok()?).ok() } else { Some(body.to_owned()) }
}

/// A client's JSON object. Values stay as they were written: no number loses digits, and no depth costs stack.
struct Message<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Message<'a> {
    /// `None`: the text is not a JSON object.
    fn read(text: &'a str) -> Option<Self> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = reader.deserialize_map(Members).ok()?;
        reader.end().ok()?;
        Some(Self(members))
    }

    /// The value of `type`, where it is text.
    fn kind(&self) -> Option<String> {
        let (_, value) = self.0.iter().rfind(|(name, _)| name == "type")?;
        serde_json::from_str(value.get()).ok()
    }

    /// The message as the backend gets it: it says who sent it, once, and that is not what the client says.
    fn addressed(&self, connection_id: &str, connection: &Connection) -> String {
        let theirs = self.0.iter().filter(|(name, _)| !is_ours(name)).map(|(name, value)| member(name, value.get()));
        let ours = [
            (item::CONNECTION_ID, json!(connection_id)),
            (item::SESSION_ID, json!(connection.session_id)),
            (item::USER_ID, json!(connection.user_id)),
        ];
        let ours = ours.iter().map(|(name, value)| member(name, &value.to_string()));
        format!("{{{}}}", theirs.chain(ours).collect::<Vec<_>>().join(","))
    }
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", Value::from(name))
}

/// Whether some backend may take this name for one that only we may set. Several JSON readers ignore case, and Go's folds letters of other
/// scripts too; `__proto__` changes what JavaScript finds in an object.
fn is_ours(name: &str) -> bool {
    let folded: String = name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    matches!(folded.as_str(), "connectionid" | "sessionid" | "userid") || name == "__proto__"
}

#[cfg(test)]
mod tests;
