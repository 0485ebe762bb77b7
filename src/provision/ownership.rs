//! What proves that a resource belongs to a stack: the tag, or the marker in a description. Pure.

use std::collections::BTreeMap;

use super::plan::FieldChange;
use crate::contract::ownership::{STACK_TAG, marker};

/// Tags of a resource, ours and others'.
pub(crate) type Tags = BTreeMap<String, String>;

/// Whose a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This stack's: every mark that it has says so.
    Ours,
    /// One mark says this stack, another one says that other stack.
    Disputed(String),
    /// Another stack's.
    Other(String),
    /// It has no mark.
    Nobody,
    /// It has no mark that can be read, and the tags cannot be read.
    Unknown,
}

impl Owner {
    /// Whether it may be changed. One mark is enough, so that the other can be put right.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours | Self::Disputed(_))
    }

    /// Why a resource of this owner is not touched.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Ours => "it is this stack's".to_owned(),
            Self::Disputed(stack) => format!("one of its marks names the stack `{stack}`"),
            Self::Other(stack) => format!("it is there already and belongs to the stack `{stack}`"),
            Self::Nobody => format!("it is there already, and neither a tag `{STACK_TAG}` nor a description says that it is this stack's"),
            Self::Unknown => "it is there already, and its tags cannot be read, so that nothing proves it to be this stack's".to_owned(),
        }
    }
}

/// Judges the tags (`None`: could not be read) and the stacks that other marks name.
pub(crate) fn owner<'a>(stack: &str, tags: Option<&'a Tags>, marks: impl IntoIterator<Item = &'a str>) -> Owner {
    let tag = tags.and_then(|tags| tags.get(STACK_TAG)).map(String::as_str);
    let named: Vec<&str> = tag.into_iter().chain(marks).collect();
    let other = named.iter().find(|name| **name != stack);
    match (named.contains(&stack), other) {
        (true, None) => Owner::Ours,
        (true, Some(other)) => Owner::Disputed((*other).to_owned()),
        (false, Some(other)) => Owner::Other((*other).to_owned()),
        (false, None) if tags.is_none() => Owner::Unknown,
        (false, None) => Owner::Nobody,
    }
}

/// The stack that a description names.
pub(crate) fn marked(description: Option<&str>) -> Option<&str> {
    let prefix = marker("");
    let (_, after) = description?.split_once(prefix.as_str())?;
    after.split(|letter: char| letter.is_whitespace() || letter == ';').next()
}

/// Ends a marker where tagging was denied when the resource was made: missing tags are then no difference.
const UNTAGGED: &str = ";untagged";

/// The description of a resource that gets no tags.
pub(crate) fn untagged_marker(stack: &str) -> String {
    marker(stack) + UNTAGGED
}

/// The description that is wanted, given the one that is found.
pub(crate) fn description(stack: &str, found: Option<&str>) -> String {
    if found.is_some_and(is_untagged) { untagged_marker(stack) } else { marker(stack) }
}

/// Whether a description says that there are no tags.
pub(crate) fn is_untagged(description: &str) -> bool {
    description.ends_with(UNTAGGED)
}

/// Each wanted tag that is missing or has another value. Tags that wsfix does not know are left alone, and so is a resource
/// without our tag in a stack that was made `untagged`.
pub(crate) fn tag_changes(want: &Tags, live: Option<&Tags>, untagged: bool) -> Vec<FieldChange> {
    let Some(live) = live.filter(|live| !untagged || live.contains_key(STACK_TAG)) else { return Vec::new() };
    let differs = want.iter().filter(|(key, value)| live.get(*key) != Some(*value));
    let change = |(key, value): (&String, &String)| FieldChange {
        field: format!("{TAG_FIELD}{key}"),
        from: live.get(key).cloned().unwrap_or_default(),
        to: value.clone(),
    };
    differs.map(change).collect()
}

/// How the fields of [`tag_changes`] begin.
pub(crate) const TAG_FIELD: &str = "tags.";

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn either_mark_is_enough_and_a_second_one_can_dispute_it() {
        let ours = tags(&[(STACK_TAG, "a"), ("team", "x")]);
        let theirs = tags(&[(STACK_TAG, "b")]);
        let bare = tags(&[("team", "x")]);
        assert_eq!(owner("a", Some(&ours), None), Owner::Ours);
        assert_eq!(owner("a", Some(&bare), Some("a")), Owner::Ours);
        assert_eq!(owner("a", None, Some("a")), Owner::Ours);
        assert_eq!(owner("a", Some(&theirs), Some("a")), Owner::Disputed("b".to_owned()));
        assert_eq!(owner("a", Some(&theirs), None), Owner::Other("b".to_owned()));
        assert_eq!(owner("a", Some(&bare), None), Owner::Nobody);
        assert_eq!(owner("a", None, None), Owner::Unknown);
        assert_eq!(owner("a", None, Some("b")), Owner::Other("b".to_owned()));
    }

    #[test]
    fn a_marker_is_found_in_a_longer_description_and_is_exact() {
        assert_eq!(marked(Some(&marker("terminal"))), Some("terminal"));
        assert_eq!(marked(Some("do not touch: managed-by=wsfix;stack=terminal-2 (ask Ann)")), Some("terminal-2"));
        assert_eq!(marked(Some(&untagged_marker("terminal"))), Some("terminal"));
        assert_eq!(marked(Some("managed by hand")), None);
        assert_eq!(marked(None), None);
    }

    #[test]
    fn foreign_tags_are_no_difference() {
        let want = tags(&[(STACK_TAG, "a"), ("team", "x")]);
        let live = tags(&[(STACK_TAG, "a"), ("team", "y"), ("cost", "1")]);
        let changes = tag_changes(&want, Some(&live), false);
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].field.as_str(), changes[0].from.as_str(), changes[0].to.as_str()), ("tags.team", "y", "x"));
        assert!(tag_changes(&want, None, false).is_empty());
        assert_eq!(tag_changes(&want, Some(&tags(&[])), false).len(), 2);
        assert!(tag_changes(&want, Some(&tags(&[])), true).is_empty());
        assert_eq!(tag_changes(&want, Some(&live), true).len(), 1);
    }
}
