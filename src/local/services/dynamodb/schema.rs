//! What a table may look like: the checks of CreateTable and UpdateTable. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::validation;
use crate::local::json::{invalid, need};
use crate::local::wire::ServiceError;

/// The keys of a table or of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub hash: String,
    pub range: Option<String>,
}

impl Keys {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.hash.as_str()).chain(self.range.as_deref())
    }

    pub(super) fn json(&self) -> Value {
        let element = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let mut elements = vec![element(&self.hash, "HASH")];
        elements.extend(self.range.as_deref().map(|range| element(range, "RANGE")));
        Value::from(elements)
    }
}

/// What an index keeps of an item, besides the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Projection {
    All,
    KeysOnly,
    Include(BTreeSet<String>),
}

impl Projection {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::All => json!({"ProjectionType": "ALL"}),
            Self::KeysOnly => json!({"ProjectionType": "KEYS_ONLY"}),
            Self::Include(names) => json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": names}),
        }
    }
}

/// On-demand, or so many units a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Billing {
    PerRequest,
    Provisioned { read: i64, write: i64 },
}

impl Billing {
    /// The throughput that descriptions show: zeros for on-demand.
    pub(super) fn throughput(self) -> Value {
        let (read, write) = match self {
            Self::PerRequest => (0, 0),
            Self::Provisioned { read, write } => (read, write),
        };
        json!({"NumberOfDecreasesToday": 0, "ReadCapacityUnits": read, "WriteCapacityUnits": write})
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeInput {
    attribute_name: Option<String>,
    attribute_type: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyInput {
    attribute_name: Option<String>,
    key_type: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ThroughputInput {
    read_capacity_units: i64,
    write_capacity_units: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IndexInput {
    pub index_name: Option<String>,
    key_schema: Option<Vec<KeyInput>>,
    projection: Option<ProjectionInput>,
    provisioned_throughput: Option<ThroughputInput>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProjectionInput {
    projection_type: Option<String>,
    non_key_attributes: Option<Vec<String>>,
}

/// An index as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexSpec {
    pub name: String,
    pub keys: Keys,
    pub projection: Projection,
}

fn parameter(what: impl std::fmt::Display) -> ServiceError {
    validation(format!("One or more parameter values were invalid: {what}"))
}

/// Names of tables and indexes: 3 to 255 letters, digits, `_`, `.` and `-`.
pub(super) fn check_name(path: &str, name: &str) -> Result<(), ServiceError> {
    let wrong = |constraint| Err(invalid("ValidationException", path, name, constraint));
    if name.len() < 3 {
        return wrong("Member must have length greater than or equal to 3");
    }
    if name.len() > 255 {
        return wrong("Member must have length less than or equal to 255");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
        return wrong("Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
    }
    Ok(())
}

pub(super) fn attributes(inputs: Option<Vec<AttributeInput>>) -> Result<BTreeMap<String, String>, ServiceError> {
    let mut attributes = BTreeMap::new();
    for (at, input) in need("ValidationException", "attributeDefinitions", inputs)?.into_iter().enumerate() {
        let path = format!("attributeDefinitions.{}.member.", at + 1);
        let name = need("ValidationException", &format!("{path}attributeName"), input.attribute_name)?;
        let kind = need("ValidationException", &format!("{path}attributeType"), input.attribute_type)?;
        if !["S", "N", "B"].contains(&kind.as_str()) {
            let constraint = "Member must satisfy enum value set: [B, N, S]";
            return Err(invalid("ValidationException", &format!("{path}attributeType"), &kind, constraint));
        }
        if attributes.insert(name.clone(), kind).is_some() {
            return Err(parameter(format!("Duplicate AttributeName in AttributeDefinitions: {name}")));
        }
    }
    Ok(attributes)
}

pub(super) fn keys(inputs: Option<Vec<KeyInput>>) -> Result<Keys, ServiceError> {
    let inputs = need("ValidationException", "keySchema", inputs)?;
    let mut elements = Vec::new();
    for input in inputs {
        let name = need("ValidationException", "keySchema.1.member.attributeName", input.attribute_name)?;
        elements.push((name, need("ValidationException", "keySchema.1.member.keyType", input.key_type)?));
    }
    let kinds: Vec<&str> = elements.iter().map(|(_, kind)| kind.as_str()).collect();
    match kinds.as_slice() {
        ["HASH"] | ["HASH", "RANGE"] => {}
        ["HASH", ..] => return Err(validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")),
        _ => return Err(validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")),
    }
    let mut names = elements.into_iter().map(|(name, _)| name);
    let keys = Keys { hash: names.next().unwrap_or_default(), range: names.next() };
    if keys.range.as_ref() == Some(&keys.hash) {
        return Err(validation("Both the Hash Key and the Range Key element in the KeySchema have the same name"));
    }
    Ok(keys)
}

pub(super) fn billing(mode: Option<&str>, throughput: Option<ThroughputInput>) -> Result<Billing, ServiceError> {
    match (mode, throughput) {
        (Some("PAY_PER_REQUEST"), None) => Ok(Billing::PerRequest),
        (Some("PAY_PER_REQUEST"), Some(_)) => {
            Err(parameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"))
        }
        (Some("PROVISIONED") | None, Some(units)) if units.read_capacity_units > 0 && units.write_capacity_units > 0 => {
            Ok(Billing::Provisioned { read: units.read_capacity_units, write: units.write_capacity_units })
        }
        (Some("PROVISIONED") | None, Some(units)) => {
            let value = units.read_capacity_units.min(units.write_capacity_units).to_string();
            let constraint = "Member must have value greater than or equal to 1";
            Err(invalid("ValidationException", "provisionedThroughput.readCapacityUnits", &value, constraint))
        }
        (Some("PROVISIONED") | None, None) => {
            Err(parameter("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"))
        }
        (Some(other), _) => {
            let constraint = "Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]";
            Err(invalid("ValidationException", "billingMode", other, constraint))
        }
    }
}

pub(super) fn index(input: IndexInput, billing: Billing) -> Result<IndexSpec, ServiceError> {
    let name = need("ValidationException", "globalSecondaryIndexes.1.member.indexName", input.index_name)?;
    check_name("globalSecondaryIndexes.1.member.indexName", &name)?;
    match (billing, input.provisioned_throughput) {
        (Billing::PerRequest, Some(_)) => {
            let text = format!("ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST");
            return Err(parameter(text));
        }
        (Billing::Provisioned { .. }, None) => {
            return Err(parameter(format!("ProvisionedThroughput must be specified for index: {name}")));
        }
        (Billing::PerRequest, None) | (Billing::Provisioned { .. }, Some(_)) => {}
    }
    let keys = keys(input.key_schema)?;
    let projection = need("ValidationException", "globalSecondaryIndexes.1.member.projection", input.projection)?;
    let projection = match (projection.projection_type.as_deref(), projection.non_key_attributes) {
        (Some("ALL"), None) => Projection::All,
        (Some("KEYS_ONLY"), None) => Projection::KeysOnly,
        (Some(kind @ ("ALL" | "KEYS_ONLY")), Some(_)) => {
            return Err(parameter(format!("ProjectionType is {kind}, but NonKeyAttributes is specified")));
        }
        (Some("INCLUDE"), Some(names)) if !names.is_empty() => Projection::Include(names.into_iter().collect()),
        (Some("INCLUDE"), _) => return Err(parameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")),
        (other, _) => return Err(parameter(format!("Unknown ProjectionType: {}", other.unwrap_or("null")))),
    };
    Ok(IndexSpec { name, keys, projection })
}

/// Every key is defined, and nothing but keys is.
pub(super) fn check_definitions<'a>(
    defined: &BTreeMap<String, String>,
    table: &Keys,
    indexes: impl IntoIterator<Item = &'a Keys>,
) -> Result<(), ServiceError> {
    let defined_names: Vec<&str> = defined.keys().map(String::as_str).collect();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut indexed = false;
    let mut take = |keys: &'a Keys| {
        let missing: Vec<&str> = keys.names().filter(|name| !defined.contains_key(*name)).collect();
        used.extend(keys.names());
        if missing.is_empty() {
            return Ok(());
        }
        let text = format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], AttributeDefinitions: [{}]",
            missing.join(", "),
            defined_names.join(", ")
        );
        Err(parameter(text))
    };
    for keys in indexes {
        indexed = true;
        take(keys)?;
    }
    let own: Vec<&str> = table.names().collect();
    if let Some(missing) = own.iter().find(|name| !defined.contains_key(**name)) {
        let text = format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{missing}], AttributeDefinitions: [{}]",
            defined_names.join(", ")
        );
        return Err(parameter(text));
    }
    let used: BTreeSet<&str> = used.into_iter().chain(own).collect();
    if used.len() == defined.len() {
        return Ok(());
    }
    if !indexed {
        return Err(parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ));
    }
    let used: Vec<&str> = used.into_iter().collect();
    Err(parameter(format!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
        defined_names.join(", "),
        used.join(", ")
    )))
}
