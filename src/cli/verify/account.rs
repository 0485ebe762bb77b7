//! The table and the log of a stack, for the checks of a client.

use futures_util::future::LocalBoxFuture;

use crate::provision::Witness;
use crate::provision::error::{AwsError, Cause};
use crate::verify::checks::{Item, Line, Lines, Stack, Unread};

/// An account, or why there is none to ask.
pub(crate) struct Account(pub(crate) Result<Witness, String>);

impl Account {
    fn witness(&self) -> Result<&Witness, Unread> {
        self.0.as_ref().map_err(|why| Unread::Unknown(why.clone()))
    }
}

impl Stack for Account {
    fn items<'a>(&'a self, session: &'a str) -> LocalBoxFuture<'a, Result<Vec<Item>, Unread>> {
        Box::pin(async move {
            let witness = self.witness()?;
            let items = witness.items(session).await.map_err(|error| unread(&error))?;
            let item = |item: crate::provision::witness::Item| Item {
                connection_id: item.connection_id,
                user_id: item.user_id,
                expires_at: item.expires_at,
            };
            Ok(items.into_iter().map(item).collect())
        })
    }

    fn lines(&self, since: i64) -> LocalBoxFuture<'_, Result<Lines, Unread>> {
        Box::pin(async move {
            let read = self.witness()?.lines(since).await.map_err(|error| unread(&error))?;
            let line = |line: crate::provision::log_lines::Line| Line { stream: line.stream, message: line.message };
            Ok(Lines { lines: read.lines.into_iter().map(line).collect(), cut: read.cut })
        })
    }
}

fn unread(error: &AwsError) -> Unread {
    let words = format!("{} ({}): {}", error.operation, error.iam, error.words());
    if error.cause == Cause::NotFound { Unread::Missing(words) } else { Unread::Unknown(words) }
}
