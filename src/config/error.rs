//! What is wrong with a config: everything at once, each with its place and its remedy.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::yaml::Mark;

/// All that is wrong.
#[derive(Debug)]
pub struct Errors {
    problems: Vec<Problem>,
}

/// One thing that is wrong. `Display` is several lines, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, without any secret.
    pub what: String,
    /// What to write or to do instead.
    pub remedy: String,
    /// The line of the file, for a [`Place::Line`].
    pub excerpt: Option<Excerpt>,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A place in the file, both from 1, in characters.
    Line {
        /// The file as it was named.
        file: PathBuf,
        /// From 1.
        line: u64,
        /// From 1, in characters.
        column: u64,
    },
    /// The whole file.
    File(PathBuf),
    /// A flag, such as `--stage`.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// Nowhere: something is missing.
    Nowhere,
}

/// A line of the file with the part that is meant. Secrets in it are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line.
    pub text: String,
    /// Which characters of `text` are meant; at least one, may lie just behind the end.
    pub marked: Range<usize>,
}

impl Errors {
    /// At least one problem, in the order: file, flags, environment, missing.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl std::error::Error for Errors {}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => write!(f, "{one}"),
            many => {
                write!(f, "the configuration has {} problems", many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Nowhere => write!(f, "{}", self.what)?,
            place @ (Place::Line { .. } | Place::File(_) | Place::Flag(_) | Place::Variable(_)) => write!(f, "{place}: {}", self.what)?,
        }
        if let (Place::Line { line, .. }, Some(excerpt)) = (&self.place, &self.excerpt) {
            let number = line.to_string();
            let lead: String = excerpt.text.chars().take(excerpt.marked.start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            write!(f, "\n  {number} | {}", excerpt.text)?;
            write!(f, "\n  {:width$} | {lead}{}", "", "^".repeat(excerpt.marked.len().max(1)), width = number.len())?;
        }
        if !self.remedy.is_empty() {
            write!(f, "\n  fix: {}", self.remedy)?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Nowhere => f.write_str("the configuration"),
        }
    }
}

/// Where a setting comes from, while the text of the file is not at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Line(Mark),
    File,
    Flag(&'static str),
    Variable(&'static str),
    Nowhere,
}

/// The file's text, and which parts of it must not be shown.
#[derive(Debug, Default)]
pub(super) struct Source {
    path: PathBuf,
    text: Vec<char>,
    hidden: Vec<Range<usize>>,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.chars().collect(), hidden: Vec::new() }
    }

    /// Shows `****` wherever `mark` would be shown.
    pub(super) fn hide(&mut self, mark: &Mark) {
        self.hidden.push(mark.span.clone());
    }

    /// Hides whatever may be a secret, in a text that is no YAML: what follows a key with a secret's name, up to the
    /// next line that is indented no deeper.
    pub(super) fn hide_by_name(&mut self) {
        let mut start = 0;
        let mut inside: Option<usize> = None;
        for line in self.text.split_inclusive(|c| *c == '\n') {
            let indent = line.iter().take_while(|c| c.is_whitespace()).count();
            let blank = indent == line.len();
            if inside.is_some_and(|outer| blank || indent > outer) {
                self.hidden.push(start..start + line.len());
            } else {
                let value = secret_value(line);
                inside = value.map(|_| indent);
                if let Some(value) = value {
                    self.hidden.push(start + value..start + line.len());
                }
            }
            start += line.len();
        }
    }

    /// Puts the problems into the order of their places, with the lines that they mean.
    pub(super) fn errors(&self, mut found: Vec<(Spot, String, String)>) -> Errors {
        found.sort_by_key(|(spot, ..)| match spot {
            Spot::File => (0, 0),
            Spot::Line(mark) => (1, mark.span.start),
            Spot::Flag(_) => (2, 0),
            Spot::Variable(_) => (3, 0),
            Spot::Nowhere => (4, 0),
        });
        let problem = |(spot, what, remedy): (Spot, String, String)| {
            let excerpt = match &spot {
                Spot::Line(mark) => Some(self.excerpt(&mark.span)),
                Spot::File | Spot::Flag(_) | Spot::Variable(_) | Spot::Nowhere => None,
            };
            let place = match spot {
                Spot::Line(mark) => Place::Line { file: self.path.clone(), line: mark.line, column: mark.column },
                Spot::File => Place::File(self.path.clone()),
                Spot::Flag(flag) => Place::Flag(flag),
                Spot::Variable(name) => Place::Variable(name.to_owned()),
                Spot::Nowhere => Place::Nowhere,
            };
            Problem { place, what, remedy, excerpt }
        };
        Errors { problems: found.into_iter().map(problem).collect() }
    }

    fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        let is_break = |c: &char| matches!(c, '\n' | '\r');
        let start = span.start.min(self.text.len());
        let begin = self.text.iter().take(start).rposition(is_break).map_or(0, |at| at + 1);
        let line = self.text.iter().enumerate().skip(begin).take_while(|(_, c)| !is_break(c));
        let mut text = String::new();
        let mut marked: Option<Range<usize>> = None;
        let mut length: usize = 0;
        let mut hiding = false;
        for (at, c) in line {
            let hidden = self.hidden.iter().any(|range| range.contains(&at));
            let before = length;
            match (hidden, hiding) {
                (true, true) => {}
                (true, false) => {
                    text.push_str("****");
                    length += 4;
                }
                // A control character could play tricks with a terminal.
                (false, _) => {
                    text.push(if c.is_control() && *c != '\t' { '\u{fffd}' } else { *c });
                    length += 1;
                }
            }
            hiding = hidden;
            if at == start || (at > start && at < span.end) {
                // Inside of what is hidden, all of its replacement is meant.
                let first = if hidden && before == length { length.saturating_sub(4) } else { before };
                marked = Some(marked.map_or(first..length, |range| range.start..length));
            }
        }
        Excerpt { text, marked: marked.unwrap_or(length..length + 1) }
    }
}

/// Where in a line a value begins that may be a secret.
fn secret_value(line: &[char]) -> Option<usize> {
    let lower: Vec<char> = line.iter().map(char::to_ascii_lowercase).collect();
    let find = |part: &str| {
        let part: Vec<char> = part.chars().collect();
        lower.windows(part.len()).position(|window| window == part)
    };
    let named = ["secret", "signing_key", "password", "token", "environment"].iter().filter_map(|name| find(name)).min();
    let value = named.map(|name| lower.iter().skip(name).position(|c| *c == ':').map_or(name, |colon| name + colon + 1));
    let credentials = find("://").filter(|_| lower.contains(&'@'));
    [value, credentials].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str, part: &str) -> Mark {
        let byte = text.find(part).unwrap();
        let start = text[..byte].chars().count();
        let line = text[..byte].matches('\n').count() + 1;
        let column = start - text[..byte].rfind('\n').map_or(0, |at| text[..=at].chars().count()) + 1;
        Mark { line: line as u64, column: column as u64, span: start..start + part.chars().count() }
    }

    fn shown(text: &str, part: &str, hide: &[&str]) -> String {
        let mut source = Source::new(Path::new("wsfix.yaml"), text);
        for part in hide {
            source.hide(&mark(text, part));
        }
        source.errors(vec![(Spot::Line(mark(text, part)), "it is wrong".into(), "mend it".into())]).to_string()
    }

    #[test]
    fn a_problem_shows_the_line_and_the_part() {
        assert_eq!(
            shown("a: 1\nété: { stage: $default }\n", "$default", &[]),
            "wsfix.yaml:2:15: it is wrong\n  2 | été: { stage: $default }\n    |               ^^^^^^^^\n  fix: mend it"
        );
    }

    #[test]
    fn what_is_hidden_is_not_shown_and_carets_still_fit() {
        let text = "jwt: { secret: hunter2-hunter2, leeway_seconds: 900 }\n";
        assert_eq!(
            shown(text, "900", &["hunter2-hunter2"]),
            "wsfix.yaml:1:49: it is wrong\n  1 | jwt: { secret: ****, leeway_seconds: 900 }\n    |                                      ^^^\n  fix: mend it"
        );
        assert_eq!(
            shown(text, "hunter2-hunter2", &["hunter2-hunter2"]),
            "wsfix.yaml:1:16: it is wrong\n  1 | jwt: { secret: ****, leeway_seconds: 900 }\n    |                ^^^^\n  fix: mend it"
        );
        assert!(!shown(text, "nter2-h", &["hunter2-hunter2"]).contains("nter"));
    }

    #[test]
    fn secrets_are_hidden_by_name_where_the_text_is_no_yaml() {
        let text = "a: 1\njwt:\n  secret: hunter2\n    hunter3\n\n    hunter4: x: y\n  leeway: b: c\n";
        let mut source = Source::new(Path::new("f"), text);
        source.hide_by_name();
        for (part, line) in [("hunter2", "  secret:****"), ("hunter3", "****"), ("hunter4", "****"), ("leeway", "  leeway: b: c")] {
            assert_eq!(source.excerpt(&mark(text, part).span).text, line);
        }
    }

    #[test]
    fn places_beyond_the_text_do_no_harm() {
        let source = Source::new(Path::new("f"), "a\n");
        for span in [0..0, 2..2, 9..12, 1..usize::MAX, usize::MAX..usize::MAX] {
            let excerpt = source.excerpt(&span);
            assert!(!excerpt.marked.is_empty(), "{span:?}");
        }
    }
}
