//! Making, changing, deleting and listing tables.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::policy::ResourcePolicy;
use super::schema::{self, AttributeInput, Billing, IndexInput, KeyInput, ThroughputInput};
use super::table::{Index, Status, Table, new_id};
use super::tags::{self, Tag};
use super::ttl::Ttl;
use super::{Body, allow, allow_action, busy, idle, in_use, table_name, table_not_found, validation};
use crate::local::json::read;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::policy::Context;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateTable {
    table_name: Option<String>,
    attribute_definitions: Option<Vec<AttributeInput>>,
    key_schema: Option<Vec<KeyInput>>,
    billing_mode: Option<String>,
    provisioned_throughput: Option<ThroughputInput>,
    global_secondary_indexes: Option<Vec<IndexInput>>,
    local_secondary_indexes: Option<Vec<Value>>,
    tags: Option<Vec<Tag>>,
    #[serde(default)]
    deletion_protection_enabled: bool,
    resource_policy: Option<String>,
}

pub(super) fn create(world: &World, call: &Call) -> Body {
    let input: CreateTable = read(call)?;
    let name = table_name(input.table_name)?;
    let tags = tags::checked(input.tags.unwrap_or_default())?;
    let context = Context::default().with_request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    allow_action(world, call, "CreateTable", &name, None, context.clone())?;
    if !tags.is_empty() {
        allow_action(world, call, "TagResource", &name, None, context)?;
    }
    if input.resource_policy.is_some() {
        allow_action(world, call, "PutResourcePolicy", &name, None, Context::default())?;
    }
    let attributes = schema::attributes(input.attribute_definitions)?;
    let keys = schema::keys(input.key_schema)?;
    let billing = schema::billing(input.billing_mode.as_deref(), input.provisioned_throughput)?;
    if input.local_secondary_indexes.is_some_and(|indexes| !indexes.is_empty()) {
        return Err(validation("Local secondary indexes are not kept by the local cloud"));
    }
    let wrong = |what: String| validation(format!("One or more parameter values were invalid: {what}"));
    let mut indexes = BTreeMap::new();
    if let Some(inputs) = input.global_secondary_indexes {
        if inputs.is_empty() {
            return Err(wrong("List of GlobalSecondaryIndexes is empty".to_owned()));
        }
        if inputs.len() > 20 {
            return Err(wrong("GlobalSecondaryIndex count exceeds the per-table limit of 20".to_owned()));
        }
        for input in inputs {
            let spec = schema::index(input, billing)?;
            if indexes.contains_key(&spec.name) {
                return Err(wrong(format!("Duplicate index name: {}", spec.name)));
            }
            indexes.insert(spec.name.clone(), Index::new(spec, world.delays.table, false));
        }
    }
    schema::check_definitions(&attributes, &keys, indexes.values().map(|index| &index.spec.keys))?;
    let policy = input.resource_policy.map(|text| ResourcePolicy::checked(world, &name, text)).transpose()?;

    let mut tables = world.dynamodb.now();
    if let Some(there) = tables.get(&name) {
        return Err(match there.status() {
            status @ Status::Deleting => busy(there, status),
            Status::Creating | Status::Updating | Status::Active => in_use(format!("Table already exists: {name}")),
        });
    }
    let now = Instant::now();
    let table = Table {
        id: new_id(),
        created_ms: world.clock.now_ms(),
        keys,
        attributes,
        indexes,
        billing,
        protected: input.deletion_protection_enabled,
        tags,
        ttl: Ttl::default(),
        policy,
        active_at: now + world.delays.table,
        updated_at: now,
        gone_at: None,
        items: BTreeMap::new(),
        name: name.clone(),
    };
    let mut description = table.describe(world);
    // Even where no time is asked for, the answer is of a table that is not there yet.
    description["TableStatus"] = "CREATING".into();
    for index in description["GlobalSecondaryIndexes"].as_array_mut().into_iter().flatten() {
        index["IndexStatus"] = "CREATING".into();
    }
    tables.insert(name, table);
    Ok(json!({"TableDescription": description}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    table_name: Option<String>,
}

pub(super) fn describe(world: &World, call: &Call) -> Body {
    let name = table_name(read::<Named>(call)?.table_name)?;
    allow(world, call, &name, None)?;
    let table = world.dynamodb.seen(|tables| tables.get(&name).map(|table| table.describe(world)));
    Ok(json!({"Table": table.ok_or_else(|| table_not_found(&name))?}))
}

pub(super) fn delete(world: &World, call: &Call) -> Body {
    let name = table_name(read::<Named>(call)?.table_name)?;
    allow(world, call, &name, None)?;
    let mut tables = world.dynamodb.now();
    let table = tables.get_mut(&name).ok_or_else(|| table_not_found(&name))?;
    if table.protected {
        let text = "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.";
        return Err(validation(text));
    }
    idle(table)?;
    if table.index_work() {
        return Err(in_use("Cannot delete table while indexes are being created, updated, or deleted."));
    }
    table.gone_at = Some(Instant::now() + world.delays.deletion);
    Ok(json!({"TableDescription": table.describe(world)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListTables {
    exclusive_start_table_name: Option<String>,
    limit: Option<usize>,
}

pub(super) fn list(world: &World, call: &Call) -> Body {
    let input: ListTables = read(call)?;
    world.authorize(&call.caller, "dynamodb:ListTables", "*", None)?;
    let limit = input.limit.unwrap_or(100);
    if !(1..=100).contains(&limit) {
        let constraint = if limit == 0 {
            "Member must have value greater than or equal to 1"
        } else {
            "Member must have value less than or equal to 100"
        };
        return Err(crate::local::json::invalid("ValidationException", "limit", &limit.to_string(), constraint));
    }
    let after = input.exclusive_start_table_name.unwrap_or_default();
    let mut names: Vec<String> = world.dynamodb.seen(|tables| tables.keys().filter(|name| **name > after).cloned().collect());
    let more = names.len() > limit;
    names.truncate(limit);
    let mut body = json!({"TableNames": names});
    if let (true, Some(last)) = (more, names.last()) {
        body["LastEvaluatedTableName"] = Value::from(last.as_str());
    }
    Ok(body)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateTable {
    table_name: Option<String>,
    attribute_definitions: Option<Vec<AttributeInput>>,
    billing_mode: Option<String>,
    provisioned_throughput: Option<ThroughputInput>,
    global_secondary_index_updates: Option<Vec<IndexUpdate>>,
    deletion_protection_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexUpdate {
    create: Option<IndexInput>,
    delete: Option<IndexInput>,
    update: Option<Value>,
}

pub(super) fn update(world: &World, call: &Call) -> Body {
    let input: UpdateTable = read(call)?;
    let name = table_name(input.table_name.clone())?;
    allow(world, call, &name, None)?;
    let mut tables = world.dynamodb.now();
    let table = tables.get_mut(&name).ok_or_else(|| table_not_found(&name))?;
    idle(table)?;
    let updates = input.global_secondary_index_updates.unwrap_or_default();
    if updates.is_empty()
        && input.billing_mode.is_none()
        && input.provisioned_throughput.is_none()
        && input.deletion_protection_enabled.is_none()
    {
        return Err(validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or \
             ReplicaUpdates is required",
        ));
    }
    // The answer shows the table as it was; only DescribeTable shows the change.
    let mut before = table.describe(world);
    before["TableStatus"] = "UPDATING".into();

    let billing = match (&input.billing_mode, input.provisioned_throughput) {
        (None, None) => table.billing,
        (mode, throughput) => {
            let kept = if table.billing == Billing::PerRequest { "PAY_PER_REQUEST" } else { "PROVISIONED" };
            schema::billing(Some(mode.as_deref().unwrap_or(kept)), throughput)?
        }
    };
    let mut updates = updates.into_iter();
    if let Some(update) = updates.next() {
        if updates.next().is_some() || table.index_work() {
            let text = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table";
            return Err(ServiceError::new(400, "LimitExceededException", text));
        }
        update_index(world, table, update, input.attribute_definitions, billing)?;
    }
    table.billing = billing;
    if let Some(protected) = input.deletion_protection_enabled {
        table.protected = protected;
    }
    table.updated_at = Instant::now() + world.delays.table;
    Ok(json!({"TableDescription": before}))
}

fn update_index(
    world: &World,
    table: &mut Table,
    update: IndexUpdate,
    definitions: Option<Vec<AttributeInput>>,
    billing: Billing,
) -> Result<(), ServiceError> {
    match (update.create, update.delete, update.update) {
        (Some(input), None, None) => {
            let spec = schema::index(input, billing)?;
            if table.indexes.contains_key(&spec.name) {
                return Err(validation("Attempting to create an index which already exists"));
            }
            let attributes = schema::attributes(definitions)?;
            let keys: Vec<_> = table.indexes.values().map(|index| index.spec.keys.clone()).chain([spec.keys.clone()]).collect();
            schema::check_definitions(&attributes, &table.keys, &keys)?;
            table.attributes = attributes;
            let active_after = world.delays.table + world.delays.backfill;
            table.indexes.insert(spec.name.clone(), Index::new(spec, active_after, true));
            Ok(())
        }
        (None, Some(input), None) => {
            let name = input.index_name.unwrap_or_default();
            let missing = || ServiceError::new(400, "ResourceNotFoundException", "Requested resource not found");
            table.indexes.get_mut(&name).ok_or_else(missing)?.gone_at = Some(Instant::now() + world.delays.deletion);
            Ok(())
        }
        (None, None, Some(_)) if billing == Billing::PerRequest => Err(validation(
            "One or more parameter values were invalid: ProvisionedThroughput cannot be changed when BillingMode is PAY_PER_REQUEST",
        )),
        (None, None, Some(_)) => Ok(()),
        _ => Err(validation(
            "One or more parameter values were invalid: One of GlobalSecondaryIndexUpdate's Create, Update or Delete must be set",
        )),
    }
}
