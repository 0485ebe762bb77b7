//! The largest message that passes, and the frame that ends a connection (API Gateway guide, WebSocket quotas).

use serde_json::Value;

use super::messages;
use super::subject::Subject;
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed, Verdict};
use crate::verify::client::{Received, Socket};

const PASSES: &str = "a message of 31 KB passes";
const CLOSED: &str = "a frame of 33 KB is closed with 1009";

/// Both, each over a connection of its own.
pub(super) async fn checks(subject: &Subject<'_>) -> Vec<Check> {
    vec![subject.check(Layer::Limits, PASSES, passes(subject)).await, subject.check(Layer::Limits, CLOSED, closed(subject)).await]
}

pub(super) fn skipped(subject: &Subject<'_>, why: &str) -> Vec<Check> {
    [PASSES, CLOSED].into_iter().map(|name| subject.skip(Layer::Limits, name, why)).collect()
}

/// A `ping` of so many bytes.
fn padded(subject: &Subject<'_>, bytes: usize) -> String {
    let mut message = messages::ping(subject);
    message["padding"] = Value::from("");
    let rest = bytes.saturating_sub(message.to_string().len());
    message["padding"] = Value::from("x".repeat(rest));
    message.to_string()
}

async fn open(subject: &Subject<'_>) -> Result<Socket, Missed> {
    let target = subject.good_target().await?;
    subject.connect(&target).await.map_err(|failure| super::handshake::missed(&failure))
}

async fn passes(subject: &Subject<'_>) -> Verdict {
    let mut socket = open(subject).await?;
    let verdict = messages::judge(socket.ask(padded(subject, 31 * 1024), subject.limit).await);
    let _ = socket.close(subject.limit).await;
    // Smaller ones are a check of their own.
    verdict.map_err(|missed| missed.because(&causes::SIZES))
}

async fn closed(subject: &Subject<'_>) -> Verdict {
    let mut socket = open(subject).await?;
    let bad = |seen: String| Missed::failed(&causes::SIZES, seen);
    // The other side may close before it has read all of it: what it said is still to be read.
    let _ = socket.send(padded(subject, 33 * 1024)).await;
    match socket.receive(subject.limit).await {
        Ok(Received::Closed { code: 1009, reason }) => Ok(format!("close code 1009 {reason}").trim_end().to_owned()),
        Ok(Received::Closed { code, reason }) => Err(bad(format!("close code {code} {reason}"))),
        Ok(Received::Text(_) | Received::Binary(_)) => Err(bad("it was answered".to_owned())),
        Err(failure) => Err(bad(failure.to_string())),
    }
}
