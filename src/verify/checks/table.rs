//! The connection's item in the table.

use std::time::Instant;

use super::subject::{Item, Subject, Unread, epoch_ms, seconds};
use crate::contract::{EXPIRY_MARGIN_SECONDS, MAX_CONNECTION_SECONDS};
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed, Verdict};

const STORED: &str = "the connection is in the table";
const GONE: &str = "the connection is gone from the table";

/// The session's connections that were there before.
pub(super) async fn others(subject: &Subject<'_>) -> Vec<String> {
    let items = subject.stack.items(&subject.session).await.unwrap_or_default();
    items.into_iter().map(|item| item.connection_id).collect()
}

/// The item of the connection that was just opened, and the connection's id.
pub(super) async fn stored(subject: &Subject<'_>, others: &[String]) -> (Check, Option<String>) {
    let mut connection = None;
    let verdict = async {
        let new = async || {
            let items = subject.stack.items(&subject.session).await?;
            Ok::<_, Unread>(items.into_iter().find(|item| !others.contains(&item.connection_id)))
        };
        match subject.until(new).await.map_err(unread)? {
            Some(item) => {
                connection = Some(item.connection_id.clone());
                judge(&item)
            }
            None => Err(Missed::failed(&causes::NOT_STORED, format!("no item of the session {}", subject.session))),
        }
    };
    let check = subject.check(Layer::Table, STORED, verdict).await;
    (check, connection)
}

fn judge(Item { connection_id, user_id, expires_at }: &Item) -> Verdict {
    let bad = |evidence: String| Err(Missed::failed(&causes::NOT_STORED, evidence));
    let Some(expires_at) = expires_at else { return bad(format!("the item of {connection_id} never expires")) };
    match expires_at - epoch_ms() / 1000 {
        // Clocks may differ by the margin.
        left @ 1.. if left <= MAX_CONNECTION_SECONDS + 2 * EXPIRY_MARGIN_SECONDS => {
            Ok(format!("{connection_id} of user {}, expires in {} min", user_id.as_deref().unwrap_or("?"), left / 60))
        }
        left => bad(format!("the item of {connection_id} expires in {left} s")),
    }
}

/// Waits until the item is gone.
pub(super) async fn gone(subject: &Subject<'_>, connection: Option<&str>) -> Check {
    let Some(connection) = connection else { return skipped_gone(subject, "the connection's item is not known") };
    let verdict = async {
        let since = Instant::now();
        let left = async || {
            let items = subject.stack.items(&subject.session).await?;
            Ok::<_, Unread>((!items.iter().any(|item| item.connection_id == connection)).then_some(()))
        };
        match subject.until(left).await.map_err(unread)? {
            Some(()) => Ok(format!("after {}", seconds(since.elapsed()))),
            None => Err(Missed::failed(&causes::NOT_FORGOTTEN, format!("{connection} is still there after {}", seconds(since.elapsed())))),
        }
    };
    subject.check(Layer::Table, GONE, verdict).await
}

pub(super) fn skipped_stored(subject: &Subject<'_>, why: &str) -> Check {
    subject.skip(Layer::Table, STORED, why)
}

pub(super) fn skipped_gone(subject: &Subject<'_>, why: &str) -> Check {
    subject.skip(Layer::Table, GONE, why)
}

fn unread(unread: Unread) -> Missed {
    match unread {
        Unread::Missing(why) => Missed::failed(&causes::NO_TABLE, why),
        Unread::Unknown(why) => Missed::unknown(why),
    }
}
