//! Whether the backend heard of the end, as the function's log has it: the handler posts to the backend, and logs what fails.

use super::subject::{Line, Subject};
use crate::contract::backend::DISCONNECT_PATH;
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed, Verdict};

const HEARD: &str = "the backend hears of the end";

/// Judges the lines that were read.
pub(super) async fn heard(subject: &Subject<'_>, lines: &[Line], connection: &str) -> Check {
    subject.check(Layer::Backend, HEARD, async { judge(lines, connection) }).await
}

pub(super) fn skipped(subject: &Subject<'_>, why: &str) -> Check {
    subject.skip(Layer::Backend, HEARD, why)
}

fn judge(lines: &[Line], connection: &str) -> Verdict {
    let Some(event) = disconnect(lines, connection) else {
        return Err(Missed::unknown("the log has no whole `$disconnect` of this connection: API Gateway does not promise to deliver it"));
    };
    match event
        .iter()
        .find(|line| line.message.contains("Failed: the backend") || line.message.contains("Failed: the request to the backend"))
    {
        Some(line) => Err(Missed::failed(&causes::DISCONNECT_UNHEARD, &line.message)),
        None => Ok(format!("POST {DISCONNECT_PATH}: the handler logged no failure")),
    }
}

/// The lines of the event in which the connection ended, once it is over.
pub(super) fn disconnect<'a>(lines: &'a [Line], connection: &str) -> Option<&'a [Line]> {
    let begins = format!("Route: $disconnect, ConnectionId: {connection}");
    let from = lines.iter().position(|line| line.message.ends_with(&begins))?;
    let rest = lines.get(from..)?;
    let stream = &rest.first()?.stream;
    let end = rest.iter().position(|line| line.stream == *stream && line.message.starts_with("END RequestId"))?;
    // Lines of another stream come after those of this one.
    let whole = rest.get(..end)?;
    whole.iter().all(|line| line.stream == *stream).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Line> {
        text.lines().map(|line| line.trim()).map(|line| Line { stream: line[..1].to_owned(), message: line[2..].to_owned() }).collect()
    }

    #[test]
    fn the_end_is_heard_where_its_event_is_over_and_nothing_failed_in_it() {
        let whole = "a [WebSocket] Failed: the backend: status 500
            a END RequestId: 1
            a [WebSocket] Route: $disconnect, ConnectionId: x=
            a [WebSocket] Disconnected: x=, Session: s
            a END RequestId: 2
            b [WebSocket] Failed: the backend: status 500";
        assert!(judge(&lines(whole), "x=").is_ok());
        assert!(judge(&lines(whole), "y=").is_err());
        let failed = whole.replace("Disconnected: x=, Session: s", "Failed: the backend: status 404");
        assert_eq!(
            judge(&lines(&failed), "x="),
            Err(Missed::failed(&causes::DISCONNECT_UNHEARD, "[WebSocket] Failed: the backend: status 404"))
        );
        let unended = whole.replace("a END RequestId: 2", "a [WebSocket] more");
        assert!(matches!(judge(&lines(&unended), "x="), Err(missed) if missed != Missed::failed(&causes::DISCONNECT_UNHEARD, "")));
    }
}
