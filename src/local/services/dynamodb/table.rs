//! One table: its settings, its states, its items, and how DescribeTable tells them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::attribute::{Attribute, Item};
use super::number::Number;
use super::policy::ResourcePolicy;
use super::schema::{Billing, IndexSpec, Keys};
use super::ttl::Ttl;
use super::validation;
use crate::local::ids;
use crate::local::wire::ServiceError;
use crate::local::world::World;

/// A table.
#[derive(Clone)]
pub(super) struct Table {
    pub name: String,
    /// Of this incarnation: a table that is made again has another.
    pub id: String,
    pub created_ms: i64,
    pub keys: Keys,
    /// Type of each key attribute.
    pub attributes: BTreeMap<String, String>,
    pub indexes: BTreeMap<String, Index>,
    pub billing: Billing,
    pub protected: bool,
    pub tags: BTreeMap<String, String>,
    pub ttl: Ttl,
    pub policy: Option<ResourcePolicy>,
    pub active_at: Instant,
    pub updated_at: Instant,
    /// It is being deleted until then.
    pub gone_at: Option<Instant>,
    pub items: BTreeMap<Vec<Scalar>, Stored>,
}

/// An item, and since when it is there.
#[derive(Clone)]
pub(super) struct Stored {
    pub item: Item,
    pub written: Instant,
}

/// An index.
#[derive(Clone)]
pub(super) struct Index {
    pub spec: IndexSpec,
    /// Made with UpdateTable: filled from the items that are there.
    pub backfilled: bool,
    pub active_at: Instant,
    pub gone_at: Option<Instant>,
}

/// Where a table is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Creating,
    Updating,
    Active,
    Deleting,
}

/// A value of a key, which has an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scalar {
    N(Number),
    S(Vec<u8>),
    B(Vec<u8>),
}

impl Scalar {
    pub(super) fn of(attribute: &Attribute) -> Option<Self> {
        match attribute {
            Attribute::S(text) => Some(Self::S(text.clone().into_bytes())),
            Attribute::N(number) => Some(Self::N(number.clone())),
            Attribute::B(bytes) => Some(Self::B(bytes.clone())),
            Attribute::Bool(_) | Attribute::Null | Attribute::List(_) | Attribute::Map(_) | Attribute::Set(_) => None,
        }
    }
}

impl Table {
    pub(super) fn status(&self) -> Status {
        let now = Instant::now();
        if self.gone_at.is_some() {
            Status::Deleting
        } else if now < self.active_at {
            Status::Creating
        } else if now < self.updated_at {
            Status::Updating
        } else {
            Status::Active
        }
    }

    /// Forgets the indexes that are deleted by now, and the attributes that were only their keys.
    pub(super) fn settle(&mut self, now: Instant) {
        let before = self.indexes.len();
        self.indexes.retain(|_, index| index.gone_at.is_none_or(|gone| now < gone));
        if self.indexes.len() < before {
            let keys: Vec<&str> = self.keys.names().chain(self.indexes.values().flat_map(|index| index.spec.keys.names())).collect();
            self.attributes.retain(|name, _| keys.contains(&name.as_str()));
        }
    }

    /// Whether an index is being made or deleted, the table itself being there.
    pub(super) fn index_work(&self) -> bool {
        let now = Instant::now();
        self.indexes.values().any(|index| index.gone_at.is_some() || now < index.active_at)
    }

    /// A table for data: one that is not there yet, or not for long, is not found.
    pub(super) fn for_data(&self) -> Result<(), ServiceError> {
        match self.status() {
            Status::Active | Status::Updating => Ok(()),
            Status::Creating | Status::Deleting => Err(ServiceError::new(400, "ResourceNotFoundException", "Requested resource not found")),
        }
    }

    /// The key of an item, which may have more attributes.
    pub(super) fn key_of(&self, item: &Item) -> Result<Vec<Scalar>, ServiceError> {
        let part = |name: &str| {
            let value = item
                .get(name)
                .ok_or_else(|| validation(format!("One or more parameter values were invalid: Missing the key {name} in the item")))?;
            let expected = self.attributes.get(name).map_or("S", String::as_str);
            if value.kind() != expected {
                let text = format!("Type mismatch for key {name} expected: {expected} actual: {}", value.kind());
                return Err(validation(format!("One or more parameter values were invalid: {text}")));
            }
            not_empty(value, name)?;
            Scalar::of(value).ok_or_else(|| validation("The provided key element does not match the schema"))
        };
        self.keys.names().map(part).collect()
    }

    /// A `Key`: exactly the key attributes.
    pub(super) fn key(&self, key: &Item) -> Result<Vec<Scalar>, ServiceError> {
        let fits = |name: &str| key.get(name).is_some_and(|value| Some(value.kind()) == self.attributes.get(name).map(String::as_str));
        if key.len() != self.keys.names().count() || !self.keys.names().all(fits) {
            return Err(validation("The provided key element does not match the schema"));
        }
        self.key_of(key)
    }

    /// An item whose index keys have another type, or are empty, is refused; one without them is just not in the index.
    pub(super) fn check_index_keys(&self, item: &Item) -> Result<(), ServiceError> {
        for index in self.indexes.values() {
            for name in index.spec.keys.names() {
                let Some(value) = item.get(name) else { continue };
                let expected = self.attributes.get(name).map_or("S", String::as_str);
                let index = &index.spec.name;
                if value.kind() != expected {
                    let text =
                        format!("Type mismatch for Index Key {name} Expected: {expected} Actual: {} IndexName: {index}", value.kind());
                    return Err(validation(format!("One or more parameter values were invalid: {text}")));
                }
                if value.is_empty() {
                    return Err(validation(format!(
                        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. \
                         The AttributeValue for a key attribute cannot contain an empty string value. IndexName: {index}, IndexKey: {name}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// `TableDescription`
    pub(super) fn describe(&self, world: &World) -> Value {
        let arn = world.arn("dynamodb", &format!("table/{}", self.name));
        let status = self.status();
        let attributes: Vec<Value> =
            self.attributes.iter().map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind})).collect();
        let size: usize = self.items.values().map(|stored| super::attribute::item_size(&stored.item)).sum();
        let mut table = json!({
            "AttributeDefinitions": attributes,
            "TableName": self.name,
            "KeySchema": self.keys.json(),
            "TableStatus": status.name(),
            "CreationDateTime": seconds(self.created_ms),
            "ProvisionedThroughput": self.billing.throughput(),
            "TableSizeBytes": size,
            "ItemCount": self.items.len(),
            "TableArn": arn,
            "TableId": self.id,
            "DeletionProtectionEnabled": self.protected,
        });
        if self.billing == Billing::PerRequest {
            table["BillingModeSummary"] =
                json!({"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": seconds(self.created_ms)});
            table["WarmThroughput"] = warm();
        }
        if !self.indexes.is_empty() {
            let describe = |index: &Index| index.describe(&arn, status, self.billing);
            table["GlobalSecondaryIndexes"] = self.indexes.values().map(describe).collect();
        }
        table
    }
}

impl Index {
    fn describe(&self, table: &str, status: Status, billing: Billing) -> Value {
        let creating = Instant::now() < self.active_at;
        let name = match (self.gone_at, creating) {
            (Some(_), _) => "DELETING",
            (None, true) => "CREATING",
            (None, false) if status == Status::Deleting => "DELETING",
            (None, false) => "ACTIVE",
        };
        let mut index = json!({
            "IndexName": self.spec.name,
            "KeySchema": self.spec.keys.json(),
            "Projection": self.spec.projection.json(),
            "IndexStatus": name,
            "ProvisionedThroughput": billing.throughput(),
            "IndexSizeBytes": 0,
            "ItemCount": 0,
            "IndexArn": format!("{table}/index/{}", self.spec.name),
        });
        if billing == Billing::PerRequest {
            index["WarmThroughput"] = warm();
        }
        if self.backfilled && creating {
            index["Backfilling"] = Value::from(true);
        }
        index
    }
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Updating => "UPDATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
        }
    }
}

impl Index {
    pub(super) fn new(spec: IndexSpec, active_after: Duration, backfilled: bool) -> Self {
        Self { spec, backfilled, active_at: Instant::now() + active_after, gone_at: None }
    }
}

/// A new table's id.
pub(super) fn new_id() -> String {
    ids::uuid()
}

fn warm() -> Value {
    json!({"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"})
}

fn not_empty(value: &Attribute, name: &str) -> Result<(), ServiceError> {
    if !value.is_empty() {
        return Ok(());
    }
    Err(validation(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
    )))
}

/// Epoch seconds with a fraction, as the JSON protocols write times.
pub(super) fn seconds(ms: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are exact in a double")]
    Value::from(ms as f64 / 1000.0)
}
