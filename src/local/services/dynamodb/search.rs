//! Many items: Query and Scan, on a table or an index, page by page.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::attribute::{Attribute, Item, item_json, item_size, read_item};
use super::expression::{Comparator, Condition, Operand, Placeholders, project};
use super::items::{consumed, only, with_table};
use super::schema::{Keys, Projection};
use super::table::{Index, Scalar, Table};
use super::{Body, allow, table_name, validation};
use crate::local::json::read;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;

/// A page ends when what was read reaches this many bytes.
const PAGE_LIMIT: usize = 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    table_name: Option<String>,
    index_name: Option<String>,
    key_condition_expression: Option<String>,
    filter_expression: Option<String>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<BTreeMap<String, Value>>,
    exclusive_start_key: Option<Value>,
    limit: Option<usize>,
    #[serde(default)]
    consistent_read: bool,
    scan_index_forward: Option<bool>,
    select: Option<String>,
    return_consumed_capacity: Option<String>,
    /// Members of before there were expressions.
    key_conditions: Option<Value>,
    query_filter: Option<Value>,
    scan_filter: Option<Value>,
}

impl Input {
    fn read(call: &Call) -> Result<(Self, String), ServiceError> {
        let mut input: Self = read(call)?;
        if input.key_conditions.is_some() || input.query_filter.is_some() || input.scan_filter.is_some() {
            return Err(validation("The local cloud takes expressions, not KeyConditions, QueryFilter and ScanFilter"));
        }
        if input.limit == Some(0) {
            let constraint = "Member must have value greater than or equal to 1";
            return Err(crate::local::json::invalid("ValidationException", "limit", "0", constraint));
        }
        let name = table_name(input.table_name.take())?;
        Ok((input, name))
    }
}

pub(super) fn query(world: &World, call: &Call) -> Body {
    let (input, name) = Input::read(call)?;
    search(world, call, input, &name, true)
}

pub(super) fn scan(world: &World, call: &Call) -> Body {
    let (input, name) = Input::read(call)?;
    search(world, call, input, &name, false)
}

fn search(world: &World, call: &Call, mut input: Input, name: &str, query: bool) -> Body {
    allow(world, call, name, input.index_name.as_deref())?;
    let placeholders = Placeholders::read(input.expression_attribute_names.take(), input.expression_attribute_values.take())?;
    let keyed = placeholders.condition("KeyConditionExpression", input.key_condition_expression.as_deref())?;
    let filter = placeholders.condition("FilterExpression", input.filter_expression.as_deref())?;
    let paths = placeholders.projection(input.projection_expression.as_deref())?;
    placeholders.all_used()?;
    if query && keyed.is_none() {
        return Err(validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."));
    }
    with_table(world, name, |table| {
        let source = Source::of(world, table, input.index_name.as_deref(), input.consistent_read)?;
        let wanted = keyed.map(|condition| KeyCondition::of(condition, source.keys, table)).transpose()?;
        if let (Some(_), Some(filter)) = (&wanted, &filter)
            && let Some(key) = filter.attributes().into_iter().find(|name| source.keys.names().any(|key| key == *name))
        {
            let text = format!("Filter Expression can only contain non-primary key attributes: Primary key attribute: {key}");
            return Err(validation(text));
        }
        let start = input.exclusive_start_key.as_ref().map(|key| source.place_of_key(&read_item(key)?)).transpose()?;
        let found = source.rows(wanted.as_ref(), input.scan_index_forward.unwrap_or(true), start.as_ref());
        let page = Page::of(&found, input.limit, filter.as_ref());
        let counted = input.select.as_deref() == Some("COUNT");
        let shown = |item: &&Item| {
            let projected = source.projected(item);
            item_json(&paths.as_ref().map_or_else(|| projected.clone(), |paths| project(&projected, paths)))
        };
        let mut body = json!({"Count": page.items.len(), "ScannedCount": page.scanned});
        if !counted {
            body["Items"] = page.items.iter().map(shown).collect();
        }
        if let Some(last) = page.last {
            body["LastEvaluatedKey"] = item_json(&source.key_in(last));
        }
        if let Some(consumed) = consumed(input.return_consumed_capacity.as_deref(), name) {
            body["ConsumedCapacity"] = consumed;
        }
        Ok(body)
    })
}

/// What is read: the table, or one of its indexes.
struct Source<'a> {
    table: &'a Table,
    index: Option<&'a Index>,
    keys: &'a Keys,
    /// An index sees what was written before this.
    as_of: Option<Instant>,
}

/// Where an item stands: its sort key, then its key in the table.
type Place = (Option<Scalar>, Vec<Scalar>);

impl<'a> Source<'a> {
    fn of(world: &World, table: &'a Table, index: Option<&str>, consistent: bool) -> Result<Self, ServiceError> {
        let Some(name) = index else { return Ok(Self { table, index: None, keys: &table.keys, as_of: None }) };
        let missing = || validation(format!("The table does not have the specified index: {name}"));
        let index = table.indexes.get(name).filter(|index| index.gone_at.is_none()).ok_or_else(missing)?;
        if consistent {
            return Err(validation("Consistent reads are not supported on global secondary indexes"));
        }
        if Instant::now() < index.active_at {
            return Err(validation(format!("Cannot read from backfilling global secondary index: {name}")));
        }
        Ok(Self { table, index: Some(index), keys: &index.spec.keys, as_of: Instant::now().checked_sub(world.delays.index) })
    }

    /// The items in order, each with its place.
    fn rows(&self, wanted: Option<&KeyCondition>, forward: bool, start: Option<&Place>) -> Vec<(Place, &'a Item)> {
        let seen = self.table.items.values().filter(|stored| self.as_of.is_none_or(|as_of| stored.written <= as_of));
        let items = seen.map(|stored| &stored.item);
        let mut rows: Vec<(Place, &Item)> = items.filter_map(|item| Some((self.place(item)?, item))).collect();
        rows.retain(|(_, item)| wanted.is_none_or(|wanted| wanted.holds(item)));
        rows.sort_by(|(one, _), (two, _)| if forward { one.cmp(two) } else { two.cmp(one) });
        if let Some(start) = start {
            rows.retain(|(place, _)| if forward { place > start } else { place < start });
        }
        rows
    }

    /// `None`: the item has not all keys of the index, and so is not in it.
    fn place(&self, item: &Item) -> Option<Place> {
        let own = self.table.keys.names().map(|name| item.get(name).and_then(Scalar::of)).collect::<Option<Vec<_>>>()?;
        item.get(&self.keys.hash)?;
        let sort = match &self.keys.range {
            Some(range) => Some(Scalar::of(item.get(range)?)?),
            None => None,
        };
        Some((sort, own))
    }

    fn place_of_key(&self, key: &Item) -> Result<Place, ServiceError> {
        let names: Vec<&str> = self.key_names();
        let exact = key.len() == names.len() && names.iter().all(|name| key.contains_key(*name));
        let wrong = || validation("The provided starting key is invalid: The provided key element does not match the schema");
        if exact { self.place(key).ok_or_else(wrong) } else { Err(wrong()) }
    }

    fn key_names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.table.keys.names().chain(self.keys.names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn key_in(&self, item: &Item) -> Item {
        only(item, self.key_names().into_iter())
    }

    fn projected(&self, item: &Item) -> Item {
        match self.index.map(|index| &index.spec.projection) {
            None | Some(Projection::All) => item.clone(),
            Some(Projection::KeysOnly) => self.key_in(item),
            Some(Projection::Include(names)) => only(item, self.key_names().into_iter().chain(names.iter().map(String::as_str))),
        }
    }
}

/// What of the rows goes into one answer.
struct Page<'a> {
    items: Vec<&'a Item>,
    scanned: usize,
    /// The last item read, where there may be more.
    last: Option<&'a Item>,
}

impl<'a> Page<'a> {
    /// The limit counts what is read, not what the filter lets through.
    fn of(rows: &[(Place, &'a Item)], limit: Option<usize>, filter: Option<&Condition>) -> Self {
        let mut page = Self { items: Vec::new(), scanned: 0, last: None };
        let mut size = 0;
        for (_, item) in rows {
            page.scanned += 1;
            size += item_size(item);
            if filter.is_none_or(|filter| filter.holds(item)) {
                page.items.push(item);
            }
            // Even where nothing follows: DynamoDB does not look ahead.
            if limit == Some(page.scanned) || (size >= PAGE_LIMIT && page.scanned < rows.len()) {
                page.last = Some(item);
                break;
            }
        }
        page
    }
}

/// A condition on the keys: one value of the hash key, and perhaps a range of the other.
struct KeyCondition(Vec<Condition>);

impl KeyCondition {
    fn of(condition: Condition, keys: &Keys, table: &Table) -> Result<Self, ServiceError> {
        let mut parts = Vec::new();
        flatten(condition, &mut parts)?;
        let is_hash = |part: &Condition| matches!(part, Condition::Compare(Comparator::Equal, Operand::Path(path), Operand::Value(_)) if path.attribute == keys.hash && path.steps.is_empty());
        if !parts.iter().any(is_hash) {
            return Err(validation(format!("Query condition missed key schema element: {}", keys.hash)));
        }
        if parts.len() > 2 {
            return Err(validation("Conditions can be of length 1 or 2 only"));
        }
        for part in &parts {
            let (name, values) = about(part).ok_or_else(|| validation("Query key condition not supported"))?;
            if !keys.names().any(|key| key == name) || (name == keys.hash && !is_hash(part)) {
                return Err(validation("Query key condition not supported"));
            }
            let expected = table.attributes.get(name).map(String::as_str);
            if values.iter().any(|value| Some(value.kind()) != expected) {
                return Err(validation("One or more parameter values were invalid: Condition parameter type does not match schema type"));
            }
            if values.iter().any(|value| value.is_empty()) {
                return Err(validation(format!(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
                )));
            }
        }
        if parts.len() == 2 && parts.iter().all(is_hash) {
            return Err(validation("Query key condition not supported"));
        }
        Ok(Self(parts))
    }

    fn holds(&self, item: &Item) -> bool {
        self.0.iter().all(|part| part.holds(item))
    }
}

fn flatten(condition: Condition, parts: &mut Vec<Condition>) -> Result<(), ServiceError> {
    match condition {
        Condition::And(left, right) => {
            flatten(*left, parts)?;
            flatten(*right, parts)
        }
        Condition::Or(..) => Err(validation("Invalid operator used in KeyConditionExpression: OR")),
        Condition::Not(_) => Err(validation("Invalid operator used in KeyConditionExpression: NOT")),
        other @ (Condition::Compare(..)
        | Condition::Between(..)
        | Condition::In(..)
        | Condition::Exists(_)
        | Condition::NotExists(_)
        | Condition::IsOfType(..)
        | Condition::BeginsWith(..)
        | Condition::Contains(..)) => {
            parts.push(other);
            Ok(())
        }
    }
}

/// The attribute and the values of a condition that a key may have.
fn about(condition: &Condition) -> Option<(&str, Vec<&Attribute>)> {
    let (path, values) = match condition {
        Condition::Compare(comparator, Operand::Path(path), Operand::Value(value)) if *comparator != Comparator::NotEqual => {
            (path, vec![value])
        }
        Condition::Between(Operand::Path(path), Operand::Value(low), Operand::Value(high)) => (path, vec![low, high]),
        Condition::BeginsWith(Operand::Path(path), Operand::Value(start)) => (path, vec![start]),
        Condition::Compare(..)
        | Condition::Between(..)
        | Condition::In(..)
        | Condition::Exists(_)
        | Condition::NotExists(_)
        | Condition::IsOfType(..)
        | Condition::BeginsWith(..)
        | Condition::Contains(..)
        | Condition::And(..)
        | Condition::Or(..)
        | Condition::Not(_) => return None,
    };
    path.steps.is_empty().then_some((path.attribute.as_str(), values))
}
