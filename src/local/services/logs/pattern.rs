//! Filter patterns of plain text: terms, phrases, `?any` and `-none`. Pure.

/// A parsed pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Reads a pattern; an empty one matches everything.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pattern = Self::default();
        let mut rest = text.trim();
        if rest.starts_with(['{', '[', '%']) {
            return Err("Invalid filter pattern: the local cloud takes terms and phrases, no JSON, columns or expressions".to_owned());
        }
        while !rest.is_empty() {
            let (list, body) = match rest.as_bytes()[0] {
                b'?' => (&mut pattern.any, &rest[1..]),
                b'-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match body.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or("Invalid filter pattern: a quotation mark is not closed")?,
                None => body.split_once(char::is_whitespace).unwrap_or((body, "")),
            };
            if term.is_empty() {
                return Err("Invalid filter pattern: an empty term".to_owned());
            }
            list.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a line fits.
    pub(super) fn matches(&self, line: &str) -> bool {
        let has = |term: &String| line.contains(term.as_str());
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn terms_are_found_in_lines() {
        for (pattern, line, fits) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("a b", "b and a", true),
            ("\"a b\"", "b and a", false),
            ("?x ?y", "only y", true),
            ("?x ?y", "neither", false),
            ("[WebSocket]", "", false),
            ("\"[WebSocket] Connected\" -test", "[WebSocket] Connected: c1", true),
            ("line -test", "line of a test", false),
        ] {
            match Pattern::parse(pattern) {
                Ok(pattern) => assert_eq!(pattern.matches(line), fits, "{pattern:?} {line}"),
                Err(_) => assert!(pattern.starts_with('[')),
            }
        }
        assert!(Pattern::parse("\"open").is_err());
        assert!(Pattern::parse("{ $.level = \"error\" }").is_err());
    }
}
