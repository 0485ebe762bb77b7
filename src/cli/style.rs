//! Colours and figures for people.

use std::time::Duration;

/// Puts colour around a text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn new(on: bool) -> Self {
        Self(on)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }
}

/// A time for people: `0.4 ms`, `210 ms`, `8.2 s`, `2 min 5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.01 {
        format!("{:.1} ms", seconds * 1000.0)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

/// Seconds with milliseconds, for JSON.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// A size for people: `812 bytes`, `2.1 MB`.
pub(crate) fn bytes(count: usize) -> String {
    match count {
        0..10_000 => format!("{count} bytes"),
        10_000..1_000_000 => format!("{} KB", count / 1000),
        _ => format!("{}.{} MB", count / 1_000_000, count / 100_000 % 10),
    }
}

/// `1 change`, `2 changes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The name at the end of an ARN; anything else as it is.
pub(crate) fn short(resource: &str) -> &str {
    let Some(rest) = resource.strip_prefix("arn:") else { return resource };
    let relative = rest.splitn(5, ':').nth(4).unwrap_or(rest);
    if relative.starts_with('/') {
        return relative;
    }
    relative.split_once(['/', ':']).map_or(relative, |(_, name)| name)
}

/// Makes text that came from elsewhere harmless on a terminal: control characters, escapes among them, show as `\u{1b}`.
pub(crate) fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() && c != '\t' { c.escape_unicode().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_readable() {
        let shown = [0, 4, 210, 8_240, 125_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(shown, ["0.0 ms", "4.0 ms", "210 ms", "8.2 s", "2 min 5 s"]);
        assert_eq!([812, 20_500, 2_149_000].map(bytes), ["812 bytes", "20 KB", "2.1 MB"]);
        assert_eq!([count(1, "change"), count(0, "change")], ["1 change", "0 changes"]);
    }

    #[test]
    fn no_escape_sequence_passes() {
        assert_eq!(printable("a\x1b[2Jb\tc\r"), "a\\u{1b}[2Jb\tc\\u{d}");
        assert_eq!(Paint::new(false).red("x"), "x");
        assert_eq!(Paint::new(true).red("x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn names_are_short() {
        assert_eq!(short("arn:aws:apigateway:us-east-1::/apis/abc/routes"), "/apis/abc/routes");
        assert_eq!(short("arn:aws:iam::111122223333:role/service-role/r"), "service-role/r");
        assert_eq!(short("arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/x"), "/aws/lambda/x");
        assert_eq!(short("WebSocketConnections"), "WebSocketConnections");
    }
}
