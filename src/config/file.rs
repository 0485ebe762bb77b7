//! `wsfix.yaml` from the disk into settings by path, with every slip in its keys reported.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::error::{Source, Spot};
use super::keys::{self, KEYS, Kind};
use super::reader::kind_of;
use super::secrets;
use super::yaml::{self, Node, Value};

/// What the file holds, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) settings: BTreeMap<&'static str, Node>,
    pub(super) source: Source,
    pub(super) wrong: Vec<(Spot, String, String)>,
}

/// Reads the file at `path`, shown as `name`.
pub(super) fn read(path: &Path, name: &Path) -> File {
    match text_of(path) {
        Ok(text) => parse(&text, name),
        Err((what, remedy)) => File { settings: BTreeMap::new(), source: Source::new(name, ""), wrong: vec![(Spot::File, what, remedy)] },
    }
}

fn text_of(path: &Path) -> Result<String, (String, String)> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "another crate's enum, non-exhaustive")]
    let failed = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => ("there is no such file".to_owned(), "name a file that exists, or leave the flag out".to_owned()),
        std::io::ErrorKind::PermissionDenied => ("it may not be read".to_owned(), "give yourself read permission on it".to_owned()),
        _ => (format!("it cannot be read: {error}"), String::new()),
    };
    if path.is_dir() {
        return Err(("it is a directory".to_owned(), format!("name the file in it, such as {}", path.join(super::DEFAULT_FILE).display())));
    }
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(yaml::MAX_BYTES).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() > yaml::MAX_BYTES {
        return Err((format!("it is larger than {} KB", yaml::MAX_BYTES / 1024), "name the configuration, not another file".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        (format!("line {line} is not UTF-8"), "save it as UTF-8".to_owned())
    })
}

fn parse(text: &str, name: &Path) -> File {
    // The mark that some editors put before the text would shift every place.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut file = File { settings: BTreeMap::new(), source: Source::new(name, text), wrong: Vec::new() };
    match yaml::parse(text) {
        Ok(node) => file.root(&node),
        Err(error) => {
            file.source.hide_by_name();
            let remedy = if error.what.contains("tab") {
                "indent with spaces"
            } else if error.what.contains("block sequence entries") {
                "for a single `-` write `\"-\"`"
            } else if text.contains("${") {
                "a value with special characters has to stand in quotes, and so has `\"${NAME}\"` between `{` and `}`"
            } else {
                "a value with `: `, ` #` or a special first character has to stand in quotes"
            };
            let spot = error.mark.map_or(Spot::File, Spot::Line);
            file.wrong.push((spot, format!("this is not YAML: {}", error.what), remedy.to_owned()));
        }
    }
    file
}

fn is_secret(path: &str) -> bool {
    keys::find(path).is_some_and(|key| key.kind == Kind::Secret)
}

impl File {
    fn root(&mut self, node: &Node) {
        match &node.value {
            Value::Null => {
                self.wrong.push((
                    Spot::File,
                    "the file holds no settings".to_owned(),
                    "write at least `stack: NAME`, or delete the file".to_owned(),
                ));
            }
            Value::Map(entries) => self.group("", entries),
            Value::Bool(_) | Value::Integer(_) | Value::Number | Value::Text(_) | Value::List(_) => {
                self.hide_all(node);
                let what = format!("the file must be a mapping of settings, this is {}", kind_of(&node.value));
                self.wrong.push((Spot::Line(node.mark.clone()), what, "begin with `stack: NAME`".to_owned()));
            }
        }
    }

    fn group(&mut self, group: &str, entries: &[(Node, Node)]) {
        self.repeated(group, entries);
        for (key, value) in entries {
            let Value::Text(name) = &key.value else {
                self.hide_all(value);
                self.no_text(group, key);
                continue;
            };
            let path = if group.is_empty() { name.clone() } else { format!("{group}.{name}") };
            let Some(known) = KEYS.iter().find(|known| known.path == path) else {
                self.unknown(group, name, key, value);
                continue;
            };
            match (known.kind, &value.value) {
                (Kind::Group, Value::Map(entries)) => self.group(known.path, entries),
                (Kind::Group, Value::Null) => {}
                (Kind::Group, _) => {
                    self.hide_all(value);
                    let inner = KEYS.iter().find_map(|key| key.path.strip_prefix(known.path)?.strip_prefix('.')).unwrap_or("name");
                    let what = format!("`{path}` must be a mapping, this is {}", kind_of(&value.value));
                    self.wrong.push((Spot::Line(value.mark.clone()), what, format!("write settings below it, such as `{inner}: ...`")));
                }
                (Kind::Secret, Value::Text(text)) if secrets::is_source(text) => self.keep(known.path, value),
                (Kind::Secret, _) => {
                    self.hide_all(value);
                    self.keep(known.path, value);
                }
                (Kind::Map, Value::Map(entries)) => {
                    self.repeated(known.path, entries);
                    for (key, value) in entries {
                        if !matches!(key.value, Value::Text(_)) {
                            self.no_text(known.path, key);
                        }
                        if known.path == "function.environment" {
                            self.hide_all(value);
                        }
                    }
                    self.keep(known.path, value);
                }
                (Kind::Scalar | Kind::List | Kind::Map, _) => {
                    self.hide_credentials(value);
                    self.keep(known.path, value);
                }
            }
        }
    }

    fn keep(&mut self, path: &'static str, value: &Node) {
        // Of a repeated key, which is an error already, the first value is judged.
        self.settings.entry(path).or_insert_with(|| value.clone());
    }

    fn unknown(&mut self, group: &str, name: &str, key: &Node, value: &Node) {
        let lead = if group.is_empty() { String::new() } else { format!("{group}.") };
        let what = format!("there is no setting `{lead}{}`", name.escape_debug());
        let meant = keys::meant(group, name);
        let telling = ["secret", "key", "token", "pass", "jwt", "credential"];
        let lower = name.to_lowercase();
        if matches!(value.value, Value::Map(_) | Value::List(_))
            || telling.iter().any(|part| lower.contains(part))
            || meant.is_some_and(is_secret)
        {
            self.hide_all(value);
        }
        self.hide_credentials(value);
        let remedy = match meant {
            Some(path) => format!("did you mean `{path}`?"),
            None => {
                let inside = |key: &&keys::Key| key.path.rsplit_once('.').map_or("", |(parent, _)| parent) == group;
                let names: Vec<&str> = KEYS.iter().filter(inside).map(|key| key.path.rsplit('.').next().unwrap_or(key.path)).collect();
                format!("remove it; known here: {}", names.join(", "))
            }
        };
        self.wrong.push((Spot::Line(key.mark.clone()), what, remedy));
    }

    fn no_text(&mut self, group: &str, key: &Node) {
        let place = if group.is_empty() { "the file".to_owned() } else { format!("`{group}`") };
        let what = format!("a key in {place} must be a text, this is {}", kind_of(&key.value));
        self.wrong.push((Spot::Line(key.mark.clone()), what, "put it in quotes".to_owned()));
    }

    fn repeated(&mut self, group: &str, entries: &[(Node, Node)]) {
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, _) in entries {
            let Value::Text(name) = &key.value else { continue };
            match first.get(name.as_str()) {
                Some(line) => {
                    let lead = if group.is_empty() { String::new() } else { format!("{group}.") };
                    let what = format!("`{lead}{}` is written twice, first in line {line}", name.escape_debug());
                    self.wrong.push((Spot::Line(key.mark.clone()), what, "keep one of them".to_owned()));
                }
                None => {
                    first.insert(name, key.mark.line);
                }
            }
        }
    }

    /// Hides every scalar below `node`.
    fn hide_all(&mut self, node: &Node) {
        match &node.value {
            Value::List(list) => list.iter().for_each(|node| self.hide_all(node)),
            Value::Map(map) => map.iter().for_each(|(_, value)| self.hide_all(value)),
            Value::Null => {}
            Value::Bool(_) | Value::Integer(_) | Value::Number | Value::Text(_) => {
                self.source.hide(&node.mark);
                self.source.hide(&node.defined);
            }
        }
    }

    /// Hides what may be a URL with a password.
    fn hide_credentials(&mut self, node: &Node) {
        match &node.value {
            Value::List(list) => list.iter().for_each(|node| self.hide_credentials(node)),
            Value::Text(text) if text.contains("//") && text.contains('@') => self.hide_all(node),
            Value::Map(_) | Value::Text(_) | Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Number => {}
        }
    }
}
