//! DynamoDB: tables with their states, items, and the expressions on them.

mod attribute;
mod control;
mod expression;
mod items;
mod number;
mod policy;
mod schema;
mod search;
mod table;
mod tags;
#[cfg(test)]
mod tests;
mod ttl;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::local::json::need;
use crate::local::late::Late;
use crate::local::protocol;
use crate::local::wire::{Answer, Call, Outcome, Service, ServiceError};
use crate::local::world::World;
use crate::policy::Context;
use table::{Status, Table};

/// All tables, by name.
#[derive(Default)]
pub(crate) struct Tables(Mutex<Late<BTreeMap<String, Table>>>);

impl Tables {
    /// The names of all tables.
    pub(crate) fn names(&self) -> Vec<String> {
        self.now().keys().cloned().collect()
    }

    /// The tables as they are now: what was to be gone by now is gone.
    fn now(&self) -> MutexGuard<'_, Late<BTreeMap<String, Table>>> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        tables.retain(|_, table| table.gone_at.is_none_or(|gone| now < gone));
        tables.values_mut().for_each(|table| table.settle(now));
        tables
    }

    /// The tables as reads of the control plane see them.
    fn seen<T>(&self, look: impl FnOnce(&BTreeMap<String, Table>) -> T) -> T {
        look(self.now().seen())
    }
}

/// What changes tables, and not what is in them.
const CHANGES: [&str; 8] = [
    "CreateTable",
    "UpdateTable",
    "DeleteTable",
    "UpdateTimeToLive",
    "TagResource",
    "UntagResource",
    "PutResourcePolicy",
    "DeleteResourcePolicy",
];

/// Answers an operation of DynamoDB.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    if CHANGES.contains(&call.operation.as_str()) {
        world.dynamodb.now().keep(world.delays.read);
    }
    let body = match call.operation.as_str() {
        "CreateTable" => control::create(world, call),
        "DescribeTable" => control::describe(world, call),
        "UpdateTable" => control::update(world, call),
        "DeleteTable" => control::delete(world, call),
        "ListTables" => control::list(world, call),
        "UpdateTimeToLive" => ttl::update(world, call),
        "DescribeTimeToLive" => ttl::describe(world, call),
        "TagResource" => tags::tag(world, call),
        "UntagResource" => tags::untag(world, call),
        "ListTagsOfResource" => tags::list(world, call),
        "PutResourcePolicy" => policy::put(world, call),
        "GetResourcePolicy" => policy::get(world, call),
        "DeleteResourcePolicy" => policy::delete(world, call),
        "PutItem" => items::put(world, call),
        "GetItem" => items::get(world, call),
        "DeleteItem" => items::delete(world, call),
        "UpdateItem" => items::update(world, call),
        "Query" => search::query(world, call),
        "Scan" => search::scan(world, call),
        other => return Err(protocol::unknown_operation(Service::DynamoDb, other)),
    }?;
    Ok(if body.is_null() { Answer::empty(200) } else { Answer::json(200, &body) })
}

/// The body of an operation's answer; null: none.
type Body = Result<Value, ServiceError>;

fn validation(text: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "ValidationException", text)
}

fn table_not_found(name: &str) -> ServiceError {
    ServiceError::new(400, "ResourceNotFoundException", format!("Requested resource not found: Table: {name} not found"))
}

fn in_use(text: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "ResourceInUseException", text)
}

/// Refuses while a table is on its way.
fn idle(table: &Table) -> Result<(), ServiceError> {
    match table.status() {
        Status::Active => Ok(()),
        status @ (Status::Creating | Status::Updating | Status::Deleting) => Err(busy(table, status)),
    }
}

/// A table that is on its way: to being there, to being gone, to being otherwise.
fn busy(table: &Table, status: Status) -> ServiceError {
    let doing = match status {
        Status::Creating => "created",
        Status::Deleting => "deleted",
        Status::Updating | Status::Active => "updated",
    };
    in_use(format!("Attempt to change a resource which is still in use: Table is being {doing}: {}", table.name))
}

/// `TableName` may be the table's ARN.
fn table_name(given: Option<String>) -> Result<String, ServiceError> {
    let given = need("ValidationException", "tableName", given)?;
    let name = given.rsplit_once(":table/").map_or(given.as_str(), |(_, name)| name).to_owned();
    schema::check_name("tableName", &name)?;
    Ok(name)
}

/// The table's name in `ResourceArn`, where it is one of this account and Region.
fn name_in_arn(world: &World, arn: Option<String>) -> Result<String, ServiceError> {
    let arn = need("ValidationException", "resourceArn", arn)?;
    let name = arn.strip_prefix(&world.arn("dynamodb", "table/")).map(str::to_owned);
    name.ok_or_else(|| validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}")))
}

/// May the caller do the called operation with a table, or with an index of it? The table's own policy counts too.
fn allow(world: &World, call: &Call, table: &str, index: Option<&str>) -> Result<(), ServiceError> {
    allow_action(world, call, &call.operation, table, index, Context::default())
}

fn allow_action(
    world: &World,
    call: &Call,
    operation: &str,
    table: &str,
    index: Option<&str>,
    context: Context,
) -> Result<(), ServiceError> {
    let resource = match index {
        Some(index) => world.arn("dynamodb", &format!("table/{table}/index/{index}")),
        None => world.arn("dynamodb", &format!("table/{table}")),
    };
    let (policy, tags) = {
        let tables = world.dynamodb.now();
        let of = |table: &Table| (table.policy.as_ref().map(|policy| policy.json.clone()), table.tags.clone());
        tables.get(table).map_or((None, BTreeMap::new()), of)
    };
    let context = context.with_resource_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    world.authorize_with(&call.caller, &format!("dynamodb:{operation}"), &resource, policy.as_ref(), &context)
}
