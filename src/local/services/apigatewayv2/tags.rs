//! Tags of APIs and stages. Their ARNs have no account.

use serde::Deserialize;
use serde_json::json;

use super::model::Pairs;
use super::request::{bad_request, read, root};
use super::state::with_api;
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// Tags that one resource may have.
const MOST: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TagsInput {
    tags: Option<Pairs>,
}

/// New tags over those that were there.
pub(super) fn over(mut old: Pairs, new: Pairs) -> Result<Pairs, ServiceError> {
    for (key, value) in new {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(bad_request(format!("Invalid tag: {key}. A key has 1 to 128 characters, a value at most 256")));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(bad_request(format!("Invalid tag key: {key}. Tag keys must not start with aws:")));
        }
        old.insert(key, value);
    }
    if old.len() > MOST { Err(bad_request("The number of tags must not exceed 50")) } else { Ok(old) }
}

/// Looks at or changes the tags of what an ARN names.
fn with_tags<T>(world: &World, arn: &str, act: impl FnOnce(&mut Pairs) -> Result<T, ServiceError>) -> Result<T, ServiceError> {
    let root = root(world) + "/apis/";
    let path = arn.strip_prefix(&root).ok_or_else(|| bad_request(format!("Invalid resource ARN specified: {arn}")))?;
    let (api_id, stage_name) = match path.split_once("/stages/") {
        Some((api_id, stage_name)) => (api_id, Some(stage_name)),
        None => (path, None),
    };
    with_api(world, api_id, |api| match stage_name {
        None => act(&mut api.tags),
        Some(name) => {
            let found = api.stages.iter_mut().find(|stage| stage.stage_name == name);
            act(&mut found.ok_or_else(|| ServiceError::new(404, "NotFoundException", "Invalid stage identifier specified"))?.tags)
        }
    })
}

pub(super) fn get(world: &World, arn: &str) -> Outcome {
    with_tags(world, arn, |tags| Ok(Answer::json(200, &json!({ "tags": tags }))))
}

pub(super) fn tag(world: &World, call: &Call, arn: &str) -> Outcome {
    let input: TagsInput = read(call)?;
    with_tags(world, arn, |tags| {
        *tags = over(tags.clone(), input.tags.unwrap_or_default())?;
        Ok(Answer::json(201, &json!({})))
    })
}

pub(super) fn untag(world: &World, call: &Call, arn: &str) -> Outcome {
    let keys: Vec<String> =
        url::form_urlencoded::parse(call.query.as_bytes()).filter(|(name, _)| name == "tagKeys").map(|(_, key)| key.into_owned()).collect();
    with_tags(world, arn, |tags| {
        tags.retain(|key, _| !keys.contains(key));
        Ok(Answer::empty(204))
    })
}
