//! A large message of a client, put together from parts that arrive as events of their own, each perhaps in another process.
//!
//! Every part but the last waits in the table. Whoever gets the last one takes the others out, which is one call for each; parts are handled
//! at the same time, so that some may be on their way into the table still.

use std::time::Duration;

use serde_json::json;

use crate::contract::{frame, item};
use crate::handler::error::Problem;
use crate::handler::members::Members;
use crate::handler::{Call, table};

/// Most parts of one message.
const MOST_PARTS: u32 = 256;
/// Longest id of a message, in bytes.
const LONGEST_ID: usize = 64;
/// How long the last part waits for those before it.
const WAIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
/// How long a part is kept.
const KEPT_SECONDS: i64 = 300;

/// One part of a message, as a client sends it.
pub(crate) struct Part {
    id: String,
    index: u32,
    count: u32,
    data: String,
}

impl Part {
    /// `None`: the message is none. A part with something wrong in it is [`Problem::BadPart`].
    pub(crate) fn read(message: &Members<'_>) -> Option<Result<Self, Problem>> {
        (message.text("type").as_deref() == Some(frame::PART)).then(|| Self::members(message).ok_or(Problem::BadPart))
    }

    fn members(message: &Members<'_>) -> Option<Self> {
        let id = message.text("id").filter(|id| (1..=LONGEST_ID).contains(&id.len()))?;
        let count = message.number("count").filter(|count| (1..=MOST_PARTS).contains(count))?;
        let index = message.number("index").filter(|index| *index < count)?;
        Some(Self { id, index, count, data: message.text("data")? })
    }

    /// Where a part waits. No connection has such an id: those of API Gateway have no `#`.
    fn place(&self, connection_id: &str, index: u32) -> String {
        format!("part#{connection_id}#{index}#{}", self.id)
    }
}

/// Keeps a part, or puts the message together where it is the last one. `None`: kept.
pub(crate) async fn join(cx: &Call<'_>, connection_id: &str, part: Part) -> Result<Option<String>, Problem> {
    let largest = cx.settings.largest_message;
    if part.data.len() > largest {
        return Err(Problem::MessageTooLarge);
    }
    if part.index + 1 < part.count {
        keep(cx, connection_id, &part).await?;
        return Ok(None);
    }
    let until = cx.deadline.within(WAIT);
    let mut text = String::new();
    for index in 0..part.index {
        let data = loop {
            if let Some(data) = take(cx, connection_id, &part, index).await? {
                break data;
            }
            if until.left(PAUSE) < PAUSE {
                return Err(Problem::IncompleteMessage);
            }
            tokio::time::sleep(PAUSE).await;
        };
        text += &data;
        if text.len() + part.data.len() > largest {
            return Err(Problem::MessageTooLarge);
        }
    }
    Ok(Some(text + &part.data))
}

async fn keep(cx: &Call<'_>, connection_id: &str, part: &Part) -> Result<(), Problem> {
    let mut item = table::key(&part.place(connection_id, part.index));
    item[item::PART_DATA] = json!({ "S": part.data });
    item[item::PART_COUNT] = json!({ "N": part.count.to_string() });
    item[item::EXPIRES_AT] = json!({ "N": (cx.now() + KEPT_SECONDS).to_string() });
    match table::call(cx, "PutItem", json!({ "Item": item })).await {
        Ok(_) => Ok(()),
        Err(error) => {
            cx.log().failed("the table, for a part of a message", &error);
            Err(Problem::Internal)
        }
    }
}

/// A part that waits. One of a message with another number of parts, or from long ago, is none.
async fn take(cx: &Call<'_>, connection_id: &str, part: &Part, index: u32) -> Result<Option<String>, Problem> {
    let stored = table::take(cx, &part.place(connection_id, index)).await.map_err(|error| {
        cx.log().failed("the table, for a part of a message", &error);
        Problem::Internal
    })?;
    let number = |name: &str| stored[name]["N"].as_str()?.parse::<i64>().ok();
    let fits = number(item::PART_COUNT) == Some(i64::from(part.count)) && number(item::EXPIRES_AT).is_some_and(|until| until > cx.now());
    Ok(stored[item::PART_DATA]["S"].as_str().filter(|_| fits).map(str::to_owned))
}
