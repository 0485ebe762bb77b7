//! One variable of a dotenv file, set in its text; every other byte stays as it is. Pure.

use std::ops::Range;

/// What setting a variable does to a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// The values that the variable had, one for each line that set it.
    pub before: Vec<String>,
}

/// Sets `name` wherever the file sets it, or adds a line at the end. Names that stand several times are all set: readers differ in which one
/// counts.
pub(super) fn set(text: &[u8], name: &str, value: &str) -> Edited {
    let found = assignments(text, name);
    let mut bytes = Vec::with_capacity(text.len() + value.len() + name.len() + 2);
    let mut at = 0;
    for range in &found {
        bytes.extend(&text[at..range.start]);
        bytes.extend(written(value, text.get(range.start).copied()).as_bytes());
        at = range.end;
        if text.get(at) == Some(&b'#') {
            bytes.push(b' '); // a comment that begins where there was no value
        }
    }
    bytes.extend(&text[at..]);
    if found.is_empty() {
        let end: &[u8] = if text.windows(2).any(|pair| pair == b"\r\n") { b"\r\n" } else { b"\n" };
        let closed = text.is_empty() || text.ends_with(b"\n");
        if !closed {
            bytes.extend(end);
        }
        bytes.extend(format!("{name}={}", written(value, None)).as_bytes());
        if closed {
            bytes.extend(end);
        }
    }
    Edited { bytes, before: found.into_iter().map(|range| plain(&text[range])).collect() }
}

/// The values that a file gives a variable.
pub(super) fn values(text: &[u8], name: &str) -> Vec<String> {
    assignments(text, name).into_iter().map(|range| plain(&text[range])).collect()
}

/// A value as a line that is written anew has it: in quotes only where it needs them. `lead`: how the value that it replaces begins.
pub(super) fn written(value: &str, lead: Option<u8>) -> String {
    let bare = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/._-~%?=&@+,".contains(&byte));
    match lead {
        Some(quote @ (b'"' | b'\'' | b'`')) if bare => format!("{0}{value}{0}", char::from(quote)),
        _ if bare => value.to_owned(),
        _ if !value.contains(['\'', '\n', '\r']) => format!("'{value}'"),
        _ => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r")),
    }
}

/// A value without its quotes.
fn plain(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let inner = ['"', '\'', '`'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(&text).to_owned()
}

/// Where the values stand that are given to `name`, quotes included. A line inside a value of several lines is none.
fn assignments(text: &[u8], name: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < text.len() {
        let end = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length + 1);
        let Some((key, start)) = key(text, at, end) else {
            at = end;
            continue;
        };
        let value = value(text, start, end);
        at = end.max(value.end);
        if at > end {
            // The rest of the line on which a long value ends.
            at = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length + 1);
        }
        if &text[key] == name.as_bytes() {
            found.push(value);
        }
    }
    found
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The name that a line sets, and where its value begins: `  export NAME = value`.
fn key(text: &[u8], from: usize, end: usize) -> Option<(Range<usize>, usize)> {
    let skip = |mut at: usize| {
        while at < end && blank(text[at]) {
            at += 1;
        }
        at
    };
    let mut start = skip(from);
    if text[start..end].starts_with(b"export") && text.get(start + 6).is_some_and(|byte| blank(*byte)) {
        start = skip(start + 6);
    }
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let length = text[start..end].iter().take_while(|byte| named(byte)).count();
    let equals = skip(start + length);
    (length > 0 && text.get(equals) == Some(&b'=') && equals < end).then(|| (start..start + length, skip(equals + 1)))
}

/// A value: to its closing quote, which may be lines away, or to a comment or the line's end, blanks left out.
fn value(text: &[u8], start: usize, end: usize) -> Range<usize> {
    if let Some(quote @ (b'"' | b'\'' | b'`')) = text.get(start).copied().filter(|_| start < end) {
        let mut at = start + 1;
        while at < text.len() {
            match text[at] {
                b'\\' if quote == b'"' => at += 1,
                byte if byte == quote => return start..at + 1,
                _ => {}
            }
            at += 1;
        }
    }
    let line = &text[start..end];
    let comment = |at: usize| line[at] == b'#' && (at == 0 || blank(line[at - 1]));
    let mut length = (0..line.len()).find(|at| comment(*at)).unwrap_or(line.len());
    while length > 0 && line[length - 1].is_ascii_whitespace() {
        length -= 1;
    }
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "NEXT_PUBLIC_WS_URL";
    const NEW: &str = "wss://new.example/prod";

    fn edited(text: &str) -> String {
        String::from_utf8(set(text.as_bytes(), NAME, NEW).bytes).unwrap()
    }

    #[test]
    fn only_the_value_changes() {
        for (before, after) in [
            ("A=1\nNEXT_PUBLIC_WS_URL=wss://old/ws\nB=2\n", "A=1\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\nB=2\n"),
            ("NEXT_PUBLIC_WS_URL=\"wss://old\" # prod\n", "NEXT_PUBLIC_WS_URL=\"wss://new.example/prod\" # prod\n"),
            ("NEXT_PUBLIC_WS_URL='wss://old'", "NEXT_PUBLIC_WS_URL='wss://new.example/prod'"),
            ("  export NEXT_PUBLIC_WS_URL = wss://old  # x\r\nB=2", "  export NEXT_PUBLIC_WS_URL = wss://new.example/prod  # x\r\nB=2"),
            ("\u{feff}NEXT_PUBLIC_WS_URL=\r\n", "\u{feff}NEXT_PUBLIC_WS_URL=wss://new.example/prod\r\n"),
            ("NEXT_PUBLIC_WS_URL= # none yet\n", "NEXT_PUBLIC_WS_URL= wss://new.example/prod # none yet\n"),
            ("NEXT_PUBLIC_WS_URL=#\n", "NEXT_PUBLIC_WS_URL=wss://new.example/prod #\n"),
            ("NEXT_PUBLIC_WS_URL=a#b\n", "NEXT_PUBLIC_WS_URL=wss://new.example/prod\n"),
            ("NEXT_PUBLIC_WS_URL=\"open\n", "NEXT_PUBLIC_WS_URL=\"wss://new.example/prod\"\n"),
            (
                "NEXT_PUBLIC_WS_URL=1\nX=2\nNEXT_PUBLIC_WS_URL=3\n",
                "NEXT_PUBLIC_WS_URL=wss://new.example/prod\nX=2\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\n",
            ),
        ] {
            assert_eq!(edited(before), after);
            assert_eq!(edited(after), after, "a second time");
        }
    }

    #[test]
    fn what_does_not_set_it_gets_a_line_at_the_end() {
        for (before, after) in [
            ("", "NEXT_PUBLIC_WS_URL=wss://new.example/prod\n"),
            ("A=1\n", "A=1\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\n"),
            ("A=1\r\nB=2", "A=1\r\nB=2\r\nNEXT_PUBLIC_WS_URL=wss://new.example/prod"),
            ("# NEXT_PUBLIC_WS_URL=wss://old\n", "# NEXT_PUBLIC_WS_URL=wss://old\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\n"),
            ("NEXT_PUBLIC_WS_URL_2=x\n", "NEXT_PUBLIC_WS_URL_2=x\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\n"),
            (
                "KEY=\"a\nNEXT_PUBLIC_WS_URL=b\nc\" # d\n",
                "KEY=\"a\nNEXT_PUBLIC_WS_URL=b\nc\" # d\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\n",
            ),
            (
                "KEY=\"a\\\"\nNEXT_PUBLIC_WS_URL=b\n\"\n",
                "KEY=\"a\\\"\nNEXT_PUBLIC_WS_URL=b\n\"\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\n",
            ),
        ] {
            assert_eq!(edited(before), after);
            assert_eq!(edited(after), after, "a second time");
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let before = b"A=\xff\xfe\nNEXT_PUBLIC_WS_URL=x\n\xc3";
        let after = set(before, NAME, NEW);
        assert_eq!(after.bytes, b"A=\xff\xfe\nNEXT_PUBLIC_WS_URL=wss://new.example/prod\n\xc3");
        assert_eq!(after.before, ["x"]);
    }

    #[test]
    fn values_are_told_without_their_quotes() {
        assert_eq!(values(b"N=\"a b\" # c\nN= 'x'\nN=\n#N=1\n", "N"), ["a b", "x", ""]);
    }

    #[test]
    fn quotes_are_put_where_they_are_needed() {
        assert_eq!(written("wss://a/b?c=d", None), "wss://a/b?c=d");
        assert_eq!(written("a b#c", Some(b'"')), "'a b#c'");
        assert_eq!(written("it's", None), "\"it's\"");
    }

    proptest::proptest! {
        /// Whatever the file: what was set is read back, nothing else is lost, and a second time changes nothing.
        #[test]
        fn any_file_keeps_its_other_bytes(text in "([ -~]{0,12}(\n|\r\n)?(NEXT_PUBLIC_WS_URL=)?){0,6}") {
            let after = set(text.as_bytes(), NAME, NEW);
            let again = set(&after.bytes, NAME, NEW);
            proptest::prop_assert_eq!(&again.bytes, &after.bytes);
            proptest::prop_assert!(values(&after.bytes, NAME).iter().all(|value| value == NEW));
        }
    }
}
