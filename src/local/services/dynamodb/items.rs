//! Single items: put, get, delete and update.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::attribute::{Attribute, Item, item_json, item_size, read_item};
use super::expression::{Placeholders, project};
use super::table::{Scalar, Stored, Table};
use super::{Body, allow, table_name, validation};
use crate::local::json::{invalid, need, read};
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;

/// Names and values of an item, in bytes.
const ITEM_LIMIT: usize = 400 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    table_name: Option<String>,
    item: Option<Value>,
    key: Option<Value>,
    condition_expression: Option<String>,
    update_expression: Option<String>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<BTreeMap<String, Value>>,
    return_values: Option<String>,
    return_values_on_condition_check_failure: Option<String>,
    return_consumed_capacity: Option<String>,
    /// Members of before there were expressions.
    expected: Option<Value>,
    attribute_updates: Option<Value>,
    attributes_to_get: Option<Value>,
}

impl Input {
    fn read(call: &Call) -> Result<(Self, String, Placeholders), ServiceError> {
        let mut input: Self = read(call)?;
        if input.expected.is_some() || input.attribute_updates.is_some() || input.attributes_to_get.is_some() {
            return Err(validation("The local cloud takes expressions, not Expected, AttributeUpdates and AttributesToGet"));
        }
        let name = table_name(input.table_name.take())?;
        let placeholders = Placeholders::read(input.expression_attribute_names.take(), input.expression_attribute_values.take())?;
        Ok((input, name, placeholders))
    }

    fn key(&self) -> Result<Item, ServiceError> {
        read_item(&need("ValidationException", "key", self.key.clone())?)
    }

    fn returned(&self, known: &[&str]) -> Result<String, ServiceError> {
        let asked = self.return_values.as_deref().unwrap_or("NONE");
        if known.contains(&asked) {
            return Ok(asked.to_owned());
        }
        if ["ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"].contains(&asked) {
            return Err(validation("Return values set to invalid value"));
        }
        let constraint = "Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]";
        Err(invalid("ValidationException", "returnValues", asked, constraint))
    }

    /// Fails where there is a condition and it does not hold for what is there.
    fn check(&self, placeholders: &Placeholders, there: Option<&Item>) -> Result<(), ServiceError> {
        let condition = placeholders.condition("ConditionExpression", self.condition_expression.as_deref())?;
        placeholders.all_used()?;
        let nothing = Item::new();
        if condition.is_none_or(|condition| condition.holds(there.unwrap_or(&nothing))) {
            return Ok(());
        }
        let mut error = ServiceError::new(400, "ConditionalCheckFailedException", "The conditional request failed");
        if let (Some("ALL_OLD"), Some(there)) = (self.return_values_on_condition_check_failure.as_deref(), there) {
            error.members.push(("Item", item_json(there)));
        }
        Err(error)
    }

    fn body(&self, table: &str, attributes: Option<(&str, &Item)>) -> Value {
        let mut body = Map::new();
        if let Some((member, item)) = attributes {
            body.insert(member.to_owned(), item_json(item));
        }
        body.extend(consumed(self.return_consumed_capacity.as_deref(), table).map(|consumed| ("ConsumedCapacity".to_owned(), consumed)));
        Value::Object(body)
    }
}

/// The `ConsumedCapacity` member, where it is asked for.
pub(super) fn consumed(asked: Option<&str>, table: &str) -> Option<Value> {
    matches!(asked, Some("TOTAL" | "INDEXES")).then(|| json!({"TableName": table, "CapacityUnits": 1.0}))
}

/// Runs with a table that holds data.
pub(super) fn with_table<T>(world: &World, name: &str, run: impl FnOnce(&mut Table) -> Result<T, ServiceError>) -> Result<T, ServiceError> {
    let mut tables = world.dynamodb.now();
    let missing = || ServiceError::new(400, "ResourceNotFoundException", "Requested resource not found");
    let table = tables.get_mut(name).ok_or_else(missing)?;
    table.for_data()?;
    run(table)
}

fn store(table: &mut Table, key: Vec<Scalar>, item: Item) -> Result<Option<Item>, ServiceError> {
    if item_size(&item) > ITEM_LIMIT {
        return Err(validation("Item size has exceeded the maximum allowed size"));
    }
    table.check_index_keys(&item)?;
    let stored = Stored { item, written: Instant::now() };
    Ok(table.items.insert(key, stored).map(|old| old.item))
}

pub(super) fn put(world: &World, call: &Call) -> Body {
    let (input, name, placeholders) = Input::read(call)?;
    let item = read_item(&need("ValidationException", "item", input.item.clone())?)?;
    let returned = input.returned(&["NONE", "ALL_OLD"])?;
    allow(world, call, &name, None)?;
    with_table(world, &name, |table| {
        let key = table.key_of(&item)?;
        input.check(&placeholders, table.items.get(&key).map(|stored| &stored.item))?;
        let old = store(table, key, item)?;
        Ok(input.body(&name, old.as_ref().filter(|_| returned == "ALL_OLD").map(|old| ("Attributes", old))))
    })
}

pub(super) fn get(world: &World, call: &Call) -> Body {
    let (input, name, placeholders) = Input::read(call)?;
    let key = input.key()?;
    let paths = placeholders.projection(input.projection_expression.as_deref())?;
    placeholders.all_used()?;
    allow(world, call, &name, None)?;
    with_table(world, &name, |table| {
        let found = table.items.get(&table.key(&key)?).map(|stored| match &paths {
            Some(paths) => project(&stored.item, paths),
            None => stored.item.clone(),
        });
        Ok(input.body(&name, found.as_ref().map(|item| ("Item", item))))
    })
}

pub(super) fn delete(world: &World, call: &Call) -> Body {
    let (input, name, placeholders) = Input::read(call)?;
    let key = input.key()?;
    let returned = input.returned(&["NONE", "ALL_OLD"])?;
    allow(world, call, &name, None)?;
    with_table(world, &name, |table| {
        let key = table.key(&key)?;
        input.check(&placeholders, table.items.get(&key).map(|stored| &stored.item))?;
        let old = table.items.remove(&key).map(|stored| stored.item);
        Ok(input.body(&name, old.as_ref().filter(|_| returned == "ALL_OLD").map(|old| ("Attributes", old))))
    })
}

pub(super) fn update(world: &World, call: &Call) -> Body {
    let (input, name, placeholders) = Input::read(call)?;
    let key = input.key()?;
    let returned = input.returned(&["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"])?;
    let update = placeholders.update(input.update_expression.as_deref())?.unwrap_or_default();
    allow(world, call, &name, None)?;
    with_table(world, &name, |table| {
        let place = table.key(&key)?;
        let keys: Vec<&str> = table.keys.names().collect();
        if let Some(path) = update.paths().find(|path| keys.contains(&path.attribute.as_str())) {
            let text = format!("Cannot update attribute {}. This attribute is part of the key", path.attribute);
            return Err(validation(format!("One or more parameter values were invalid: {text}")));
        }
        let there = table.items.get(&place).map(|stored| stored.item.clone());
        input.check(&placeholders, there.as_ref())?;
        let after = update.apply(there.as_ref().unwrap_or(&key))?;
        store(table, place, after.clone())?;
        let changed: Vec<_> = update.paths().cloned().collect();
        let attributes = match returned.as_str() {
            "ALL_OLD" => there,
            "ALL_NEW" => Some(after),
            "UPDATED_OLD" => there.map(|item| project(&item, &changed)),
            "UPDATED_NEW" => Some(project(&after, &changed)),
            _ => None,
        };
        Ok(input.body(&name, attributes.as_ref().filter(|item| !item.is_empty()).map(|item| ("Attributes", item))))
    })
}

/// The attributes of these names.
pub(super) fn only<'a>(item: &Item, names: impl Iterator<Item = &'a str>) -> Item {
    names.filter_map(|name| item.get(name).map(|value: &Attribute| (name.to_owned(), value.clone()))).collect()
}
