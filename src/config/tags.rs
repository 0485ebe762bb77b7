//! The person's own tags.

use std::collections::BTreeMap;

use super::error::Spot;
use super::reader::{Found, Given, Reader, shown};
use crate::contract::ownership;

/// A resource has at most 50, one of which is the ownership tag.
const MAX: usize = 49;

/// Reads `tags` and adds those of the flags.
pub(super) fn read(reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let mut given: Vec<(Found<String>, Found<String>)> = reader.map("tags").into_iter().map(|(key, value, _)| (key, value)).collect();
    if let Some(Given::List(flags)) = reader.flags.get("tags").cloned() {
        for text in flags {
            let spot = Spot::Flag("--tag");
            match text.split_once('=') {
                Some((key, value)) => {
                    let found = |value: &str| Found { value: value.to_owned(), spot: spot.clone() };
                    given.push((found(key), found(value)));
                }
                None => reader.wrong(&spot, format!("{} is no tag", shown(&text)), "write KEY=VALUE"),
            }
        }
    }
    let mut tags = BTreeMap::new();
    for (key, value) in given {
        if let Err(why) = check_key(&key.value) {
            reader.wrong(&key.spot, format!("a tag's key cannot be {}", shown(&key.value)), why);
        }
        if value.value.chars().count() > 256 || !value.value.chars().all(allowed) {
            let what = format!("the tag {} cannot have this value", shown(&key.value));
            reader.wrong(&value.spot, what, "up to 256 letters, digits, spaces and `_.:/=+-@`");
        }
        tags.insert(key.value, value.value);
    }
    if tags.len() > MAX {
        let what = format!("{} tags are too many", tags.len());
        reader.wrong(&Spot::Nowhere, what, format!("AWS allows 50 on a resource, and one is `{}`: keep {MAX}", ownership::STACK_TAG));
    }
    tags
}

fn check_key(key: &str) -> Result<(), &'static str> {
    let lower = key.to_lowercase();
    if lower.starts_with("aws:") {
        Err("`aws:` belongs to AWS")
    } else if lower.starts_with("wsfix:") {
        Err("`wsfix:` says whose a resource is; the stack's name is set with `stack`")
    } else if key.is_empty() || key.chars().count() > 128 || !key.chars().all(allowed) {
        Err("1 to 128 letters, digits, spaces and `_.:/=+-@`")
    } else {
        Ok(())
    }
}

/// What every service of the stack takes in tags.
fn allowed(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}
