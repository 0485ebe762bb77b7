//! The connection that messages go over, from its item in the table to the end of that.

use super::subject::Subject;
use super::{messages, table};
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed};
use crate::verify::client::Socket;

const CLOSES: &str = "the client closes";

/// Speaks, closes, and waits for the item to go.
pub(super) async fn checks(subject: &Subject<'_>, mut socket: Socket, connection: Option<&str>) -> Vec<Check> {
    let mut checks = messages::checks(subject, &mut socket).await;
    let closing = async {
        let closed = socket.close(subject.limit).await;
        closed.map(|()| "close code 1000".to_owned()).map_err(|failure| Missed::failed(&causes::NOT_HELD, failure.to_string()))
    };
    checks.push(subject.check(Layer::Hold, CLOSES, closing).await);
    checks.push(table::gone(subject, connection).await);
    checks
}

pub(super) fn skipped(subject: &Subject<'_>, why: &str) -> Vec<Check> {
    let mut checks = vec![table::skipped_stored(subject, why)];
    checks.extend(messages::skipped(subject, why));
    checks.push(subject.skip(Layer::Hold, CLOSES, why));
    checks.push(table::skipped_gone(subject, why));
    checks
}
