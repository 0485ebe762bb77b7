//! YAML text into a tree in which every key and value knows its place.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};

/// Larger files are no configuration.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Where something stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// From 1.
    pub(super) line: u64,
    /// From 1, in characters.
    pub(super) column: u64,
    /// Characters of the file; for a list or a mapping the first one.
    pub(super) span: Range<usize>,
}

impl From<Location> for Mark {
    fn from(location: Location) -> Self {
        let at = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let start = at(location.span().offset());
        Self { line: location.line(), column: location.column(), span: start..start.saturating_add(at(location.span().len())) }
    }
}

/// A key or a value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it is used.
    pub(super) mark: Mark,
    /// Where its text is; another place than `mark` for an alias.
    pub(super) defined: Mark,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// A fraction, or an integer that is too large.
    Number,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Unknown for an error of the whole file.
    pub(super) mark: Option<Mark>,
    pub(super) what: String,
}

/// Reads one YAML document.
///
/// # Errors
/// For what is not YAML, or needs unreasonable work: deep nesting, many aliases.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        merge_keys: MergeKeyPolicy::Merge,
        // Repeated keys come through, so that they are reported with everything else.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: 10_000, max_replay_stack_depth: 16 },
        budget: serde_yaml::budget! { max_depth: 24, max_nodes: 20_000, max_events: 50_000 },
    };
    serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let mark = error.location().filter(|location| location.line() > 0).map(Mark::from);
        SyntaxError { mark, what: words(error.without_snippet()) }
    })
}

/// The library's words without its own account of the place.
fn words(error: &serde_yaml::Error) -> String {
    use serde_yaml::Error;
    #[expect(clippy::wildcard_enum_match_arm, reason = "another crate's enum, non-exhaustive")]
    match error {
        Error::Message { msg, .. } | Error::ExternalMessage { msg, .. } => msg.clone(),
        Error::MultipleDocuments { .. } => "a second YAML document begins here".to_owned(),
        Error::AliasError { error, .. } => words(error),
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } | Error::Budget { .. } => {
            "too deep, too large, or too many aliases".to_owned()
        }
        other => {
            let rendered = other.render();
            let line = rendered.lines().next().unwrap_or_default();
            line.split_once(" at line ").map_or(line, |(head, _)| head).to_owned()
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { mark: referenced.into(), defined: defined.into(), value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Number, Value::Integer))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if entries.len() >= 10_000 {
                return Err(A::Error::custom("a mapping with more than 10000 keys"));
            }
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        let Mark { line, column, span } = &node.mark;
        let value = match &node.value {
            Value::Null => "null".into(),
            Value::Bool(value) => format!("{value}"),
            Value::Integer(value) => format!("{value}"),
            Value::Number => "number".into(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(map) => {
                format!("{{{}}}", map.iter().map(|(k, v)| format!("{}: {}", show(k), show(v))).collect::<Vec<_>>().join(", "))
            }
        };
        format!("{value}@{line}:{column}+{}", span.len())
    }

    #[test]
    fn every_key_and_value_has_its_place() {
        let text = "stack: terminal\nfunction: { memory_mb: 256, handler: \"a b\" }\n# x\ntags:\n  été: ä\n  b: [true, 1.5, ~]\nc:\n";
        assert_eq!(
            show(&parse(text).unwrap()),
            "{\"stack\"@1:1+5: \"terminal\"@1:8+8, \
             \"function\"@2:1+8: {\"memory_mb\"@2:13+9: 256@2:24+3, \"handler\"@2:29+7: \"a b\"@2:38+5}@2:11+1, \
             \"tags\"@4:1+4: {\"été\"@5:3+3: \"ä\"@5:8+1, \"b\"@6:3+1: [true@6:7+4, number@6:13+3, null@6:18+1]@6:6+1}@5:3+0, \
             \"c\"@7:1+1: null@7:2+0}@1:1+0"
        );
    }

    #[test]
    fn an_alias_has_the_place_of_its_use_and_of_its_text() {
        let node = parse("a: &x one\nb: *x\n").unwrap();
        let Value::Map(map) = node.value else { panic!("a mapping") };
        let (_, b) = &map[1];
        assert_eq!((b.mark.line, b.defined.line), (2, 1));
        assert_eq!(b.value, Value::Text("one".into()));
    }

    #[test]
    fn repeated_keys_come_through() {
        assert_eq!(show(&parse("a: 1\na: 2\n").unwrap()), "{\"a\"@1:1+1: 1@1:4+1, \"a\"@2:1+1: 2@2:4+1}@1:1+0");
    }

    #[test]
    fn what_is_no_yaml_is_said_with_its_place() {
        for (text, line, column, what) in [
            ("a:\n\tb: 1\n", 2, 2, "tabs disallowed"),
            ("a: b: c\n", 1, 5, "mapping values are not allowed"),
            ("a: 1\n---\nb: 2\n", 3, 1, "second YAML document"),
            ("a: !Ref x\n", 1, 9, "unsupported tag"),
            ("secret: -\n", 1, 9, "block sequence"),
            ("a: *x\n", 1, 4, "unknown anchor"),
            ("a: \"x\n", 1, 4, "unclosed quote"),
            ("a: @x\n", 1, 4, "unexpected character"),
        ] {
            let error = parse(text).unwrap_err();
            let mark = error.mark.unwrap();
            assert_eq!((mark.line, mark.column), (line, column), "{text:?}");
            assert!(error.what.contains(what) && !error.what.contains(" at line"), "{text:?}: {}", error.what);
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for i in 1..9 {
            bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(","));
        }
        for text in [bomb, "[".repeat(100_000), "a: ".repeat(50_000), "- ".repeat(50_000), format!("a: {}", "{b: ".repeat(50_000))] {
            let error = parse(&text).unwrap_err();
            assert!(error.what.len() < 100, "{}", error.what);
        }
    }
}
