//! Tags of tables.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::table::Status;
use super::{Body, allow, allow_action, busy, name_in_arn, validation};
use crate::local::json::{need, read};
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::policy::Context;

/// Tags per resource.
const LIMIT: usize = 50;
/// Tags per page of ListTagsOfResource.
const PAGE: usize = 10;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
    tag_keys: Option<Vec<String>>,
    next_token: Option<String>,
}

/// Tags that AWS would take.
pub(super) fn checked(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, ServiceError> {
    let count = tags.len();
    let mut checked = BTreeMap::new();
    for tag in tags {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(validation(
                "One or more parameter values were invalid: aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(validation("One or more parameter values were invalid: tag keys have 1 to 128 characters, tag values up to 256"));
        }
        checked.insert(tag.key, tag.value);
    }
    if checked.len() < count {
        return Err(validation("One or more parameter values were invalid: Duplicate tag keys"));
    }
    if checked.len() > LIMIT {
        return Err(validation("One or more parameter values were invalid: Too many tags: the limit is 50"));
    }
    Ok(checked)
}

fn not_found(arn: &str) -> ServiceError {
    ServiceError::new(400, "ResourceNotFoundException", format!("Requested resource not found: ResourceArn: {arn} not found"))
}

pub(super) fn tag(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let arn = input.resource_arn.clone().unwrap_or_default();
    let name = name_in_arn(world, input.resource_arn)?;
    let tags = checked(need("ValidationException", "tags", input.tags)?)?;
    let context = Context::default().with_request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    allow_action(world, call, "TagResource", &name, None, context)?;
    let mut tables = world.dynamodb.now();
    let table = tables.get_mut(&name).ok_or_else(|| not_found(&arn))?;
    match table.status() {
        Status::Active | Status::Updating => {}
        status @ (Status::Creating | Status::Deleting) => return Err(busy(table, status)),
    }
    let mut all = table.tags.clone();
    all.extend(tags);
    if all.len() > LIMIT {
        return Err(validation("One or more parameter values were invalid: Too many tags: the limit is 50"));
    }
    table.tags = all;
    Ok(Value::Null)
}

pub(super) fn untag(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let arn = input.resource_arn.clone().unwrap_or_default();
    let name = name_in_arn(world, input.resource_arn)?;
    let keys = need("ValidationException", "tagKeys", input.tag_keys)?;
    let context = keys.iter().fold(Context::default(), |context, key| context.with("aws:TagKeys", key));
    allow_action(world, call, "UntagResource", &name, None, context)?;
    let mut tables = world.dynamodb.now();
    let table = tables.get_mut(&name).ok_or_else(|| not_found(&arn))?;
    table.tags.retain(|key, _| !keys.contains(key));
    Ok(Value::Null)
}

pub(super) fn list(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let arn = input.resource_arn.clone().unwrap_or_default();
    let name = name_in_arn(world, input.resource_arn)?;
    allow(world, call, &name, None)?;
    let found = world.dynamodb.seen(|tables| {
        let table = tables.get(&name).filter(|table| table.status() != Status::Creating);
        table.map(|table| table.tags.clone())
    });
    let tags = found.ok_or_else(|| not_found(&arn))?;
    let after = input.next_token.unwrap_or_default();
    let mut left = tags.iter().filter(|(key, _)| **key > after);
    let page: Vec<(&String, &String)> = left.by_ref().take(PAGE).collect();
    let tags: Vec<Value> = page.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let mut body = json!({"Tags": tags});
    if let (Some(_), Some((last, _))) = (left.next(), page.last()) {
        body["NextToken"] = Value::from(last.as_str());
    }
    Ok(body)
}
