//! What proves that a resource belongs to a stack: the tag, or the marker in a description. Pure.

use std::collections::BTreeMap;

use super::plan::FieldChange;
use crate::contract::ownership::{ADOPTED_TAG, STACK_TAG, marker};

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

    /// In a list.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Ours => "this stack's".to_owned(),
            Self::Disputed(stack) | Self::Other(stack) => format!("of the stack `{stack}`"),
            Self::Nobody => "without a mark".to_owned(),
            Self::Unknown => "its tags cannot be read".to_owned(),
        }
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

    /// How to go on where it is in the way. `another`: how to have one of another name; `reads`: what would tell whose it is.
    pub(crate) fn remedy(&self, another: &str, reads: &str) -> String {
        match self {
            Self::Nobody => {
                format!("`--adopt` takes it into this stack, and `wsfix plan --adopt` shows what that changes; or {another}")
            }
            Self::Unknown => format!("have {reads} allowed, which tells whose it is; or {another}"),
            Self::Other(_) => format!("{another}; what has another stack's mark is never adopted"),
            Self::Ours | Self::Disputed(_) => another.to_owned(),
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

/// In a marker: tagging is denied, and missing tags are no difference.
const UNTAGGED: &str = "untagged";
/// In a marker: it was there before the stack, as [`ADOPTED_TAG`] says.
const ADOPTED: &str = "adopted";

/// A part of the stack that the rest works without, and that was denied: while the function's description says so, its lack is no
/// difference, and it is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    TablePolicy,
    TableExpiry,
    TableTags,
    LogGroup,
    LogRetention,
    LogTags,
    AccessLogRetention,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::TablePolicy,
        Self::TableExpiry,
        Self::TableTags,
        Self::LogGroup,
        Self::LogRetention,
        Self::LogTags,
        Self::AccessLogRetention,
    ];

    /// The word in a marker that says so.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::TablePolicy => "no-table-policy",
            Self::TableExpiry => "no-table-expiry",
            Self::TableTags => "no-table-tags",
            Self::LogGroup => "no-log-group",
            Self::LogRetention => "no-log-retention",
            Self::LogTags => "no-log-tags",
            Self::AccessLogRetention => "no-access-log-retention",
        }
    }

    /// As a person knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TablePolicy => "the table's resource policy",
            Self::TableExpiry => "the table's expiry",
            Self::TableTags => "the table's tags",
            Self::LogGroup => "the log group",
            Self::LogRetention => "the log group's retention",
            Self::LogTags => "the log group's tags",
            Self::AccessLogRetention => "the access log group's retention",
        }
    }
}

/// A description takes so many characters (Lambda, CreateFunction).
const DESCRIPTION_LIMIT: usize = 256;

/// A description that says, too, that these parts were denied; as many of them as fit.
pub(crate) fn without_parts<'a>(description: &str, parts: impl IntoIterator<Item = &'a Part>) -> String {
    parts.into_iter().fold(description.to_owned(), |text, part| {
        let longer = format!("{text};{}", part.word());
        if is_without(&text, *part) || longer.chars().count() > DESCRIPTION_LIMIT { text } else { longer }
    })
}

/// Whether a description says that a part was denied.
pub(crate) fn is_without(description: &str, part: Part) -> bool {
    says(description, part.word())
}

/// The description that is wanted, given the one that is found.
pub(crate) fn description(stack: &str, found: Option<&str>, adopted: bool) -> String {
    let words = [(ADOPTED, adopted), (UNTAGGED, found.is_some_and(is_untagged))];
    let mark = words.into_iter().filter(|(_, said)| *said).fold(marker(stack), |mark, (word, _)| format!("{mark};{word}"));
    without_parts(&mark, Part::ALL.iter().filter(|part| found.is_some_and(|found| is_without(found, **part))))
}

/// A description that says, too, that there are no tags.
pub(crate) fn without_tags(description: &str) -> String {
    if is_untagged(description) { description.to_owned() } else { format!("{description};{UNTAGGED}") }
}

/// Whether a description says that there are no tags.
pub(crate) fn is_untagged(description: &str) -> bool {
    says(description, UNTAGGED)
}

/// Whether a mark says that a resource was there before the stack.
pub(crate) fn is_adopted(tags: Option<&Tags>, description: Option<&str>) -> bool {
    tags.is_some_and(|tags| tags.contains_key(ADOPTED_TAG)) || description.is_some_and(|description| says(description, ADOPTED))
}

/// Whether the marker in a description has this word.
fn says(description: &str, word: &str) -> bool {
    let Some((_, after)) = description.split_once(marker("").as_str()) else { return false };
    let mark = after.split(char::is_whitespace).next().unwrap_or_default();
    mark.split(';').skip(1).any(|said| said == word)
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
        assert_eq!(marked(Some(&without_tags(&marker("terminal")))), Some("terminal"));
        assert_eq!(marked(Some("managed by hand")), None);
        assert_eq!(marked(None), None);
    }

    #[test]
    fn a_marker_keeps_what_it_says() {
        let plain = description("a", None, false);
        assert!(!is_adopted(None, Some(&plain)) && !is_untagged(&plain));
        let adopted = description("a", Some(&plain), true);
        assert_eq!(adopted, "managed-by=wsfix;stack=a;adopted");
        assert!(is_adopted(None, Some(&adopted)) && !is_untagged(&adopted));
        let both = without_tags(&adopted);
        assert_eq!(both, "managed-by=wsfix;stack=a;adopted;untagged");
        assert_eq!((without_tags(&both), description("a", Some(&both), true)), (both.clone(), both.clone()));
        assert!(is_adopted(None, Some(&both)) && is_untagged(&both));
        assert_eq!(marked(Some(&both)), Some("a"));
        // A stack may be called so, and a description may go on.
        assert!(!is_adopted(None, Some(&description("adopted", None, false))));
        assert!(!is_adopted(None, Some("managed-by=wsfix;stack=a once;adopted")));
        assert!(is_adopted(Some(&tags(&[(ADOPTED_TAG, "true")])), Some(&plain)));
    }

    #[test]
    fn what_was_denied_is_said_once_and_kept() {
        let first = without_parts(&marker("terminal"), &[Part::LogRetention, Part::TablePolicy, Part::LogRetention]);
        assert_eq!(first, "managed-by=wsfix;stack=terminal;no-log-retention;no-table-policy");
        assert!(is_without(&first, Part::TablePolicy) && !is_without(&first, Part::LogGroup));
        assert_eq!(marked(Some(&first)), Some("terminal"));
        let wanted = description("terminal", Some(&without_tags(&first)), false);
        assert_eq!(wanted, "managed-by=wsfix;stack=terminal;untagged;no-table-policy;no-log-retention");
        assert_eq!(description("terminal", Some("managed-by=wsfix;stack=terminal no-table-policy"), false), marker("terminal"));
        let long = "x".repeat(230);
        assert_eq!(without_parts(&long, &Part::ALL).len(), 230 + ";no-table-policy".len(), "no more fits");
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
