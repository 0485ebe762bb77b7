//! Every line that the handler writes, and the only way to write one.
//!
//! No line has a token, a secret, a query string, a header or anything that a message says except its `type`. What comes from outside is
//! escaped and cut, so that it can neither start a line of its own nor flood the log.

use std::fmt;

use super::ticket;

/// Longest text from outside, in characters as written.
const LONGEST: usize = 128;
/// AWS names the principal, the action and the resource in a denial; cut shorter, the resource is lost.
const LONGEST_FROM_AWS: usize = 512;

/// Where lines go.
pub(crate) struct Log(Box<dyn Fn(&str) + Send + Sync>);

impl Log {
    pub(crate) fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Box::new(sink))
    }

    fn line(&self, text: fmt::Arguments<'_>) {
        (self.0)(&format!("[WebSocket] {text}"));
    }

    /// An event came.
    pub(crate) fn route(&self, route: &str, connection_id: &str) {
        self.line(format_args!("Route: {}, ConnectionId: {}", shown(route), shown(connection_id)));
    }

    /// A handshake was accepted and its connection stored.
    pub(crate) fn connected(&self, connection_id: &str, session_id: &str) {
        self.line(format_args!("Connected: {}, Session: {}", shown(connection_id), shown(session_id)));
    }

    /// A handshake was refused. The reason is ours.
    pub(crate) fn refused(&self, connection_id: &str, status: u16, reason: &dyn fmt::Display) {
        self.line(format_args!("Refused: {}, Status: {status}, Reason: {reason}", shown(connection_id)));
    }

    /// A message came. `kind`: its `type`, where that is text.
    pub(crate) fn message(&self, connection_id: &str, kind: Option<&str>) {
        match kind {
            Some(kind) => self.line(format_args!("Message from {}: {{ type: '{}' }}", shown(connection_id), shown(kind))),
            None => self.line(format_args!("Message from {}: {{ type: undefined }}", shown(connection_id))),
        }
    }

    /// A connection ended.
    pub(crate) fn disconnected(&self, connection_id: &str, session_id: Option<&str>, code: Option<i64>) {
        let session = session_id.map(|session| format!(", Session: {}", shown(session))).unwrap_or_default();
        let code = code.map(|code| format!(", Code: {code}")).unwrap_or_default();
        self.line(format_args!("Disconnected: {}{session}{code}", shown(connection_id)));
    }

    /// The client is told of a problem.
    pub(crate) fn problem(&self, connection_id: &str, code: &str, request_id: &str) {
        self.line(format_args!("Error: {}, Code: {code}, RequestId: {}", shown(connection_id), shown(request_id)));
    }

    /// Something failed that an operator may have to repair. The text is ours, or went through [`shown`] or [`shown_from_aws`].
    pub(crate) fn failed(&self, what: &str, why: &dyn fmt::Display) {
        self.line(format_args!("Failed: {what}: {why}"));
    }
}

/// Text from outside as it may stand in a line: escaped, at most 128 characters, and never a token or a ticket.
pub(crate) fn shown(text: &str) -> String {
    // A client that mixes up its parameters must not put its token into the log.
    if text.starts_with("ey") && text.matches('.').count() >= 2 {
        "(token)".to_owned()
    } else if ticket::looks_like_one(text) {
        "(ticket)".to_owned()
    } else {
        escaped(text, LONGEST)
    }
}

/// AWS's own words, escaped and at most 512 characters.
pub(crate) fn shown_from_aws(text: &str) -> String {
    escaped(text, LONGEST_FROM_AWS)
}

fn escaped(text: &str, longest: usize) -> String {
    text.escape_debug().take(longest).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn lines(write: impl Fn(&Log)) -> Vec<String> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&kept);
        write(&Log::new(move |line| sink.lock().unwrap().push(line.to_owned())));
        std::mem::take(&mut *kept.lock().unwrap())
    }

    #[test]
    fn the_lines_that_people_search_for() {
        let written = lines(|log| {
            log.route("$connect", "abc=");
            log.connected("abc=", "s1");
            log.message("abc=", Some("command"));
            log.message("abc=", None);
            log.disconnected("abc=", Some("s1"), Some(1001));
            log.refused("abc=", 401, &"the token has expired");
        });
        assert_eq!(
            written,
            [
                "[WebSocket] Route: $connect, ConnectionId: abc=",
                "[WebSocket] Connected: abc=, Session: s1",
                "[WebSocket] Message from abc=: { type: 'command' }",
                "[WebSocket] Message from abc=: { type: undefined }",
                "[WebSocket] Disconnected: abc=, Session: s1, Code: 1001",
                "[WebSocket] Refused: abc=, Status: 401, Reason: the token has expired",
            ]
        );
    }

    #[test]
    fn text_from_outside_stays_on_its_line() {
        for hostile in ["a\nb", "a\r\n[WebSocket] Connected: x", "a\u{2028}b", "a\u{1b}[2Jb", "a\u{85}b", "a\u{202e}b"] {
            let text = shown(hostile);
            assert!(text.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{text}");
        }
        assert_eq!(shown("it's"), "it\\'s");
        assert_eq!(shown(&"x".repeat(1000)).len(), 128);
        assert_eq!(shown("eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), "(token)");
        assert_eq!(shown("wst1.e30.c2ln"), "(ticket)");
    }
}
