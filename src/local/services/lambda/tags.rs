//! Tags of functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::error::invalid;
use super::input::read;
use super::state::{authorize, name_in, with_function};
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// Tags that a function may have.
const MOST: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TagsInput {
    tags: BTreeMap<String, String>,
}

/// Whether tags are such as a function may have.
pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    if tags.len() > MOST {
        return Err(invalid("The number of tags exceeds the limit of 50"));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!("The tag {key} is too long: a key has 1 to 128 characters, a value at most 256")));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(format!("The tag key {key} is reserved: keys must not start with aws:")));
        }
    }
    Ok(())
}

/// Authorises on the ARN and gives the function's name.
fn named(world: &World, call: &Call, action: &str, arn: &str) -> Result<String, ServiceError> {
    let name = name_in(world, arn)?;
    authorize(world, call, action, &name)?;
    Ok(name)
}

pub(super) fn list(world: &Arc<World>, call: &Call, arn: &str) -> Outcome {
    let name = named(world, call, "lambda:ListTags", arn)?;
    with_function(world, &name, |function| Ok(Answer::json(200, &json!({ "Tags": function.tags }))))
}

pub(super) fn tag(world: &Arc<World>, call: &Call, arn: &str) -> Outcome {
    let name = named(world, call, "lambda:TagResource", arn)?;
    let input: TagsInput = read(call)?;
    with_function(world, &name, |function| {
        let mut tags = function.tags.clone();
        tags.extend(input.tags);
        check(&tags)?;
        function.tags = tags;
        Ok(Answer::empty(204))
    })
}

pub(super) fn untag(world: &Arc<World>, call: &Call, arn: &str) -> Outcome {
    let name = named(world, call, "lambda:UntagResource", arn)?;
    let keys: Vec<String> =
        url::form_urlencoded::parse(call.query.as_bytes()).filter(|(name, _)| name == "tagKeys").map(|(_, key)| key.into_owned()).collect();
    with_function(world, &name, |function| {
        function.tags.retain(|key, _| !keys.contains(key));
        Ok(Answer::empty(204))
    })
}
