//! The three layers, and how one setting is read from them: the strongest layer's value, of the right type.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::error::{Source, Spot};
use super::expand::{self, Mistake};
use super::keys::{self, Kind};
use super::sources::Purpose;
use super::yaml::{Node, Value};

/// What a flag or a variable says.
#[derive(Clone, Debug)]
pub(super) enum Given {
    Text(String),
    List(Vec<String>),
}

/// A value with the place to blame for it.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

/// A setting as its layer holds it.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Given(Given, Spot),
    Node(Node),
}

/// Reads settings and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) purpose: Purpose,
    pub(super) file: BTreeMap<&'static str, Node>,
    pub(super) flags: BTreeMap<&'static str, Given>,
    pub(super) environment: &'a expand::Lookup<'a>,
    pub(super) source: Source,
    pub(super) wrong: Vec<(Spot, String, String)>,
    pub(super) notes: Vec<String>,
}

impl Reader<'_> {
    /// Reports that something at `spot` is wrong.
    pub(super) fn wrong(&mut self, spot: &Spot, what: impl Into<String>, remedy: impl Into<String>) {
        self.wrong.push((spot.clone(), what.into(), remedy.into()));
    }

    /// What the flag says.
    pub(super) fn flag(&self, path: &str) -> Option<Raw> {
        let flag = keys::find(path)?.flag?;
        self.flags.get(path).map(|given| Raw::Given(given.clone(), Spot::Flag(flag)))
    }

    /// What the file says; null is nothing.
    pub(super) fn in_file(&self, path: &str) -> Option<Raw> {
        self.file.get(path).filter(|node| node.value != Value::Null).map(|node| Raw::Node(node.clone()))
    }

    /// The strongest layer's value. An empty variable counts as none.
    fn effective(&mut self, path: &str) -> Option<Raw> {
        if let Some(raw) = self.flag(path) {
            return Some(raw);
        }
        let key = keys::find(path)?;
        for name in key.variables {
            match (self.environment)(name) {
                Some(Ok(text)) if !text.is_empty() => {
                    let given = match key.kind {
                        Kind::List => Given::List(text.split(',').map(|item| item.trim().to_owned()).collect()),
                        Kind::Scalar | Kind::Secret | Kind::Group | Kind::Map => Given::Text(text),
                    };
                    return Some(Raw::Given(given, Spot::Variable(name)));
                }
                Some(Err(())) => self.wrong(&Spot::Variable(name), "its value is not UTF-8", format!("set {name} to plain text")),
                Some(Ok(_)) | None => {}
            }
        }
        self.in_file(path)
    }

    /// A text that may be empty.
    pub(super) fn any_text(&mut self, path: &str) -> Option<Found<String>> {
        let raw = self.effective(path)?;
        self.as_text(path, raw).map(|(found, _)| found)
    }

    /// A text with something in it.
    pub(super) fn text(&mut self, path: &str) -> Option<Found<String>> {
        let found = self.any_text(path)?;
        if found.value.is_empty() {
            self.wrong(&found.spot, format!("`{path}` is empty"), format!("give it a value, or leave `{path}` out"));
            return None;
        }
        Some(found)
    }

    /// The text, and whether it (also) came from outside of the file.
    fn as_text(&mut self, path: &str, raw: Raw) -> Option<(Found<String>, bool)> {
        match raw {
            Raw::Given(Given::Text(value), spot) => Some((Found { value, spot }, true)),
            Raw::Given(Given::List(list), spot) => Some((Found { value: list.join(","), spot }, true)),
            Raw::Node(node) => {
                let spot = Spot::Line(node.mark.clone());
                let Value::Text(text) = &node.value else {
                    let remedy = match &node.value {
                        Value::Bool(_) | Value::Integer(_) | Value::Number => "put it in quotes",
                        Value::Null | Value::Text(_) | Value::List(_) | Value::Map(_) => "write one text",
                    };
                    self.wrong(&spot, format!("`{path}` must be a text, this is {}", kind_of(&node.value)), remedy);
                    return None;
                };
                let value = self.expanded(path, text, &spot)?;
                Some((Found { value, spot }, text.contains("${")))
            }
        }
    }

    /// `text` of the file with its `${NAME}` replaced.
    pub(super) fn expanded(&mut self, path: &str, text: &str, spot: &Spot) -> Option<String> {
        match expand::expand(text, path == "api.route_selection_expression", self.environment) {
            Ok(text) => Some(text),
            Err(mistakes) => {
                // `status` and `teardown` find a stack without knowing its backend.
                let optional = self.purpose == Purpose::Stack && path == "backend_url";
                for mistake in mistakes {
                    let (what, remedy) = match mistake {
                        Mistake::Unset(_) if optional => continue,
                        Mistake::Unset(name) => (
                            format!("`{path}` needs the environment variable {name}, which is not set"),
                            format!("set {name}; for a literal `${{` write `$${{`"),
                        ),
                        Mistake::NotText(name) => (
                            format!("`{path}` needs the environment variable {name}, whose value is not UTF-8"),
                            format!("set {name} to plain text"),
                        ),
                        Mistake::NotAName(name) => (
                            format!("`${{{}}}` in `{path}` names no environment variable", name.escape_debug()),
                            "a name has letters, digits and `_`; for a literal `${` write `$${`".to_owned(),
                        ),
                        Mistake::Unclosed => {
                            (format!("`${{` in `{path}` has no `}}`"), "close it; for a literal `${` write `$${`".to_owned())
                        }
                    };
                    self.wrong(spot, what, remedy);
                }
                None
            }
        }
    }

    /// A whole number within `range`; `why` says in a few words where the limits come from.
    pub(super) fn integer(&mut self, path: &str, range: RangeInclusive<i64>, why: &str) -> Option<Found<i64>> {
        let raw = self.effective(path)?;
        let (found, spot) = match raw {
            Raw::Node(Node { value: Value::Integer(value), mark, .. }) => (Ok(value), Spot::Line(mark)),
            Raw::Node(Node {
                value: value @ (Value::Number | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Null),
                mark,
                ..
            }) => (Err(kind_of(&value).to_owned()), Spot::Line(mark)),
            text @ (Raw::Node(_) | Raw::Given(..)) => {
                let (Found { value, spot }, outside) = self.as_text(path, text)?;
                match value.parse::<i64>() {
                    Ok(number) if outside => (Ok(number), spot),
                    Ok(_) => (Err("a text: leave out the quotes".to_owned()), spot),
                    Err(_) => (Err(shown(&value)), spot),
                }
            }
        };
        let limits = if *range.end() == i64::from(i32::MAX) {
            format!("write a whole number of at least {}{why}", range.start())
        } else {
            format!("write a whole number from {} to {}{why}", range.start(), range.end())
        };
        match found {
            Ok(value) if range.contains(&value) => Some(Found { value, spot }),
            Ok(value) => {
                self.wrong(&spot, format!("`{path}` cannot be {value}"), limits);
                None
            }
            Err(is) => {
                self.wrong(&spot, format!("`{path}` must be a whole number, this is {is}"), limits);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, path: &str) -> Option<bool> {
        let raw = self.effective(path)?;
        let (value, spot) = match raw {
            Raw::Node(Node { value: Value::Bool(value), .. }) => return Some(value),
            Raw::Node(Node {
                value: value @ (Value::Number | Value::Integer(_) | Value::List(_) | Value::Map(_) | Value::Null),
                mark,
                ..
            }) => (kind_of(&value).to_owned(), Spot::Line(mark)),
            text @ (Raw::Node(_) | Raw::Given(..)) => {
                let (Found { value, spot }, outside) = self.as_text(path, text)?;
                match value.as_str() {
                    "true" if outside => return Some(true),
                    "false" if outside => return Some(false),
                    other => (shown(other), spot),
                }
            }
        };
        self.wrong(&spot, format!("`{path}` must be true or false, this is {value}"), "write `true` or `false`, without quotes");
        None
    }

    /// `on` or `off`; true and false of the file mean the same.
    pub(super) fn switch(&mut self, path: &str) -> Option<bool> {
        match self.effective(path)? {
            Raw::Node(Node { value: Value::Bool(value), .. }) => Some(value),
            Raw::Node(_) | Raw::Given(..) => self.choice(path, &[("on", true), ("off", false)], &[("true", "on"), ("false", "off")]),
        }
    }

    /// One of a few words. `also` are words that people write instead of one of them.
    pub(super) fn choice<T: Copy>(&mut self, path: &str, words: &[(&str, T)], also: &[(&str, &str)]) -> Option<T> {
        let found = self.text(path)?;
        self.one_of(path, &found, words, also)
    }

    /// As [`Self::choice`], for a text that was read already.
    pub(super) fn one_of<T: Copy>(&mut self, path: &str, found: &Found<String>, words: &[(&str, T)], also: &[(&str, &str)]) -> Option<T> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == found.value) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let lower = found.value.to_ascii_lowercase();
        let meant = also.iter().find(|(word, _)| *word == lower).map(|(_, meant)| *meant);
        let remedy = match meant.or_else(|| keys::nearest(&found.value, &names)) {
            Some(word) => format!("did you mean `{word}`? It can be {}", listed(&names)),
            None => format!("it can be {}", listed(&names)),
        };
        self.wrong(&found.spot, format!("`{path}` cannot be {}", shown(&found.value)), remedy);
        None
    }

    /// A list of texts, without the items that are none, which are reported.
    pub(super) fn list(&mut self, path: &str) -> Option<Vec<Found<String>>> {
        let raw = self.effective(path)?;
        match raw {
            Raw::Given(Given::List(list), spot) => Some(list.into_iter().map(|value| Found { value, spot: spot.clone() }).collect()),
            Raw::Given(Given::Text(value), spot) => Some(vec![Found { value, spot }]),
            Raw::Node(Node { value: Value::List(nodes), .. }) => {
                let texts = nodes.into_iter().filter_map(|node| self.as_text(path, Raw::Node(node)).map(|(found, _)| found));
                Some(texts.collect())
            }
            Raw::Node(node) => {
                let what = format!("`{path}` must be a list, this is {}", kind_of(&node.value));
                self.wrong(&Spot::Line(node.mark), what, "write `[first, second]`, or one `- item` a line");
                None
            }
        }
    }

    /// A mapping with keys of the person's own: the key and the value, and whether the value came from outside of the file.
    pub(super) fn map(&mut self, path: &str) -> Vec<(Found<String>, Found<String>, bool)> {
        match self.in_file(path) {
            Some(Raw::Node(Node { value: Value::Map(entries), .. })) => {
                let mut map = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    // A key that is no text was reported when the file was read.
                    let Value::Text(name) = key.value else { continue };
                    let inner = format!("{path}.{}", name.escape_debug());
                    if let Some((value, outside)) = self.as_text(&inner, Raw::Node(value)) {
                        map.push((Found { value: name, spot: Spot::Line(key.mark) }, value, outside));
                    }
                }
                map
            }
            Some(Raw::Node(node)) => {
                let what = format!("`{path}` must be a mapping, this is {}", kind_of(&node.value));
                self.wrong(&Spot::Line(node.mark), what, "write `{ NAME: value }`, or one `NAME: value` a line below it");
                Vec::new()
            }
            Some(Raw::Given(..)) | None => Vec::new(),
        }
    }
}

/// What a value is, in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Integer(_) | Value::Number => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// A value for a message: quoted, harmless in a terminal, not too long.
pub(super) fn shown(value: &str) -> String {
    let cut: String = value.chars().take(80).collect();
    let more = if cut.len() < value.len() { "..." } else { "" };
    format!("`{}{more}`", cut.escape_debug())
}

/// `a`, `b` or `c`, each in backquotes.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, head)) => format!("{} or {last}", head.join(", ")),
        None => String::new(),
    }
}
