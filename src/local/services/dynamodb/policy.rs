//! The resource policy of a table.

use serde::Deserialize;
use serde_json::{Value, json};

use super::table::Table;
use super::{Body, allow, idle, name_in_arn, table_not_found, validation};
use crate::local::json::{need, read};
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::policy::{Choice, Document, Principal};

/// A policy counts this many bytes at most, white space included.
const LIMIT: usize = 20 * 1024;

/// A policy, and its revision.
#[derive(Clone)]
pub(super) struct ResourcePolicy {
    text: String,
    pub json: Value,
    revision: String,
}

impl ResourcePolicy {
    /// A policy that DynamoDB would take: small enough, about this table, and about principals that exist.
    pub(super) fn checked(world: &World, table: &str, text: String) -> Result<Self, ServiceError> {
        let refused = |what: String| validation(format!("Resource-based policy is invalid: {what}"));
        if text.len() > LIMIT {
            return Err(refused(format!("the size of {} bytes exceeds the maximum of {LIMIT} bytes", text.len())));
        }
        let json: Value = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        let document = Document::parse(&json).map_err(refused)?;
        let arn = world.arn("dynamodb", &format!("table/{table}"));
        for statement in &document.statements {
            let about = |resource: &String| resource == "*" || *resource == arn || resource.starts_with(&format!("{arn}/"));
            match &statement.resource {
                Some(Choice::Of(resources)) if resources.iter().all(about) => {}
                _ => return Err(refused(format!("the Resource of each statement must be {arn} or one of its indexes"))),
            }
            match &statement.principal {
                Some(Choice::Of(principals) | Choice::NotOf(principals)) => {
                    principals.iter().try_for_each(|principal| exists(world, principal)).map_err(refused)?;
                }
                None => return Err(refused("each statement needs a Principal".to_owned())),
            }
        }
        let revision =
            format!("{}{}", world.clock.now_ms(), crate::local::ids::alphanumeric(4).replace(|letter: char| !letter.is_ascii_digit(), "7"));
        Ok(Self { text, json, revision })
    }
}

/// Users and roles of this account must be there; others cannot be looked up.
fn exists(world: &World, principal: &Principal) -> Result<(), String> {
    let Principal::Aws(name) = principal else { return Ok(()) };
    let own = format!("arn:aws:iam::{}:", world.account.id);
    let named = name.strip_prefix(&own).is_some_and(|rest| rest != "root");
    if named && world.account.entity(name).is_none() {
        return Err(format!("Invalid principal in policy: \"AWS\":\"{name}\""));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    resource_arn: Option<String>,
    policy: Option<String>,
    expected_revision_id: Option<String>,
}

fn none(arn: &str) -> ServiceError {
    let text = format!("Resource-based policy not found for the provided ResourceArn: Requested policy for {arn} not found");
    ServiceError::new(400, "PolicyNotFoundException", text)
}

/// Fails where the caller expects another revision than there is; `NO_POLICY` expects none.
fn expect(table: &Table, expected: Option<&str>, arn: &str) -> Result<(), ServiceError> {
    let current = table.policy.as_ref().map_or("NO_POLICY", |policy| policy.revision.as_str());
    if expected.is_none_or(|expected| expected == current) { Ok(()) } else { Err(none(arn)) }
}

pub(super) fn put(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let arn = input.resource_arn.clone().unwrap_or_default();
    let name = name_in_arn(world, input.resource_arn)?;
    let text = need("ValidationException", "policy", input.policy)?;
    allow(world, call, &name, None)?;
    let policy = ResourcePolicy::checked(world, &name, text)?;
    let mut tables = world.dynamodb.now();
    let table = tables.get_mut(&name).ok_or_else(|| table_not_found(&name))?;
    idle(table)?;
    expect(table, input.expected_revision_id.as_deref(), &arn)?;
    // The same policy again is no new revision.
    if let Some(there) = table.policy.as_ref().filter(|there| there.json == policy.json) {
        return Ok(json!({"RevisionId": there.revision}));
    }
    let body = json!({"RevisionId": policy.revision});
    table.policy = Some(policy);
    Ok(body)
}

pub(super) fn get(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let arn = input.resource_arn.clone().unwrap_or_default();
    let name = name_in_arn(world, input.resource_arn)?;
    allow(world, call, &name, None)?;
    world.dynamodb.seen(|tables| {
        let table = tables.get(&name).ok_or_else(|| table_not_found(&name))?;
        let policy = table.policy.as_ref().ok_or_else(|| none(&arn))?;
        Ok(json!({"Policy": policy.text, "RevisionId": policy.revision}))
    })
}

pub(super) fn delete(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let arn = input.resource_arn.clone().unwrap_or_default();
    let name = name_in_arn(world, input.resource_arn)?;
    allow(world, call, &name, None)?;
    let mut tables = world.dynamodb.now();
    let table = tables.get_mut(&name).ok_or_else(|| table_not_found(&name))?;
    idle(table)?;
    expect(table, input.expected_revision_id.as_deref(), &arn)?;
    let revision = table.policy.take().map(|policy| policy.revision);
    Ok(json!({"RevisionId": revision.unwrap_or_default()}))
}
