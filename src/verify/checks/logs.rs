//! What the function logged: that it did, and no token.

use super::backend;
use super::subject::{Line, Lines, Subject, Unread, short};
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed, Verdict};

const ARRIVE: &str = "the log lines arrive";
const NO_TOKEN: &str = "no log line holds a token";

/// Clocks may differ so much.
pub(super) const SKEW_MS: i64 = 10_000;
/// More lines of a refusal say nothing more.
const MOST_REASONS: usize = 3;

/// What came of it.
pub(super) struct Logged {
    pub(super) checks: Vec<Check>,
    /// The connection's id, where the log tells it.
    pub(super) connection: Option<String>,
}

/// Waits for the lines of the connection's end, and looks at all that were written since the beginning.
pub(super) async fn checks(subject: &Subject<'_>, since: i64, connection: Option<&str>) -> Logged {
    let (mut read, mut id) = (Lines::default(), connection.map(str::to_owned));
    let verdict = async {
        let mut missing = None;
        let look = async || {
            read = match subject.stack.lines(since).await {
                // Lambda makes the group with the first line.
                Err(Unread::Missing(why)) => {
                    missing = Some(why);
                    return Ok(None);
                }
                other => other?,
            };
            missing = None;
            id = id.take().or_else(|| connected(&read.lines, &subject.session));
            let over = id.as_deref().is_some_and(|id| backend::disconnect(&read.lines, id).is_some());
            Ok::<_, Unread>(over.then_some(()))
        };
        let over = subject.until(look).await.map_err(unread)?;
        if let Some(why) = missing {
            return Err(Missed::failed(&causes::NO_LINES, why));
        }
        let found = id.as_deref().is_some_and(|id| read.lines.iter().any(|line| line.message.contains(id)));
        match (found, over) {
            (true, _) => Ok(format!("{} lines since the beginning", read.lines.len())),
            (false, _) if read.cut => Err(Missed::unknown("the log has more lines than could be searched")),
            (false, _) => Err(Missed::failed(&causes::NO_LINES, format!("none of this connection among {} lines", read.lines.len()))),
        }
    };
    let arrived = subject.check(Layer::Logs, ARRIVE, verdict).await;
    let mut checks = Vec::new();
    if arrived.outcome.as_str() == "passed" {
        checks.push(backend::heard(subject, &read.lines, id.as_deref().unwrap_or_default()).await);
        checks.push(arrived);
        checks.push(subject.check(Layer::Logs, NO_TOKEN, async { without_tokens(subject, &read) }).await);
    } else {
        const WHY: &str = "the log lines are not known";
        checks.push(backend::skipped(subject, WHY));
        checks.push(arrived);
        checks.push(subject.skip(Layer::Logs, NO_TOKEN, WHY));
    }
    Logged { checks, connection: id }
}

/// Where no connection opened, the log may say why.
pub(super) async fn of_a_refusal(subject: &Subject<'_>, since: i64, why: &str) -> Vec<Check> {
    let reasons = match subject.stack.lines(since).await {
        Ok(read) => reasons(&read.lines),
        Err(_) => Vec::new(),
    };
    let said = if reasons.is_empty() { why.to_owned() } else { format!("{why}; the handler logged: {}", reasons.join(" | ")) };
    vec![backend::skipped(subject, why), subject.skip(Layer::Logs, ARRIVE, &said), subject.skip(Layer::Logs, NO_TOKEN, why)]
}

/// The last lines that tell of something that went wrong.
fn reasons(lines: &[Line]) -> Vec<String> {
    let bad = |line: &&Line| ["[WebSocket] Failed:", "[WebSocket] Refused:"].iter().any(|lead| line.message.starts_with(lead));
    let mut last: Vec<String> = lines.iter().rev().filter(bad).take(MOST_REASONS).map(|line| short(&line.message)).collect();
    last.reverse();
    last
}

/// The id of the session's first connection.
fn connected(lines: &[Line], session: &str) -> Option<String> {
    let ends = format!(", Session: {session}");
    let mut ids = lines.iter().filter_map(|line| line.message.strip_prefix("[WebSocket] Connected: ")?.strip_suffix(&ends));
    ids.next().map(str::to_owned)
}

fn without_tokens(subject: &Subject<'_>, read: &Lines) -> Verdict {
    let shown = subject.shown.borrow();
    // A token's secret half is its signature: a line must not hold that either.
    let secrets: Vec<&str> = shown.iter().map(|token| token.expose().rsplit('.').next().unwrap_or_default()).collect();
    let holds = |line: &&Line| secrets.iter().any(|secret| secret.len() >= 16 && line.message.contains(secret));
    match read.lines.iter().find(holds) {
        // Where it stands, and never what it says.
        Some(line) => Err(Missed::failed(&causes::TOKEN_IN_LOG, format!("one in the stream {}", line.stream))),
        None if read.cut => Err(Missed::unknown(format!("none in the first {} lines; the log has more", read.lines.len()))),
        None => Ok(format!("none of {} tokens in {} lines", secrets.len(), read.lines.len())),
    }
}

fn unread(unread: Unread) -> Missed {
    let (Unread::Missing(why) | Unread::Unknown(why)) = unread;
    Missed::unknown(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_the_connection_and_what_went_wrong() {
        let line = |message: &str| Line { stream: "a".to_owned(), message: message.to_owned() };
        let lines = [
            line("[WebSocket] Connected: other=, Session: s10"),
            line("[WebSocket] Failed: the table of connections: denied"),
            line("[WebSocket] Connected: x=, Session: s1"),
            line("[WebSocket] Refused: y=, Status: 500, Reason: the table"),
        ];
        assert_eq!(connected(&lines, "s1").as_deref(), Some("x="));
        assert_eq!(connected(&lines, "s2"), None);
        assert_eq!(
            reasons(&lines),
            ["[WebSocket] Failed: the table of connections: denied", "[WebSocket] Refused: y=, Status: 500, Reason: the table"]
        );
    }
}
