//! Attribute values and items.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::number::Number;
use super::validation;
use crate::local::wire::ServiceError;

/// The attributes of an item, by name.
pub(crate) type Item = BTreeMap<String, Attribute>;

/// A typed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    S(String),
    N(Number),
    B(Vec<u8>),
    Bool(bool),
    Null,
    List(Vec<Attribute>),
    Map(Item),
    /// A set of strings, numbers or bytes: its type is that of its members, which are sorted.
    Set(Vec<Attribute>),
}

impl Attribute {
    /// Reads `{"S": "text"}`.
    pub(crate) fn read(json: &Value) -> Result<Self, ServiceError> {
        let empty = || validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
        let members = json.as_object().ok_or_else(|| ServiceError::new(400, "SerializationException", "an AttributeValue is an object"))?;
        let mut members = members.iter();
        let (Some((kind, value)), None) = (members.next(), members.next()) else { return Err(empty()) };
        let wrong = || ServiceError::new(400, "SerializationException", format!("the value of {kind} has another type"));
        let texts = || -> Result<Vec<&str>, ServiceError> {
            value.as_array().ok_or_else(wrong)?.iter().map(|text| text.as_str().ok_or_else(wrong)).collect()
        };
        Ok(match kind.as_str() {
            "S" => Self::S(value.as_str().ok_or_else(wrong)?.to_owned()),
            "N" => number(value.as_str().ok_or_else(wrong)?)?,
            "B" => bytes(value.as_str().ok_or_else(wrong)?)?,
            "BOOL" => Self::Bool(value.as_bool().ok_or_else(wrong)?),
            "NULL" if value.as_bool() == Some(true) => Self::Null,
            "NULL" => {
                return Err(validation(
                    "One or more parameter values were invalid: Null attribute value types must have the value of true",
                ));
            }
            "L" => Self::List(value.as_array().ok_or_else(wrong)?.iter().map(Self::read).collect::<Result<_, _>>()?),
            "M" => Self::Map(read_item(value)?),
            "SS" => set(texts()?.into_iter().map(|text| Ok(Self::S(text.to_owned()))))?,
            "NS" => set(texts()?.into_iter().map(number))?,
            "BS" => set(texts()?.into_iter().map(bytes))?,
            _ => return Err(empty()),
        })
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Self::S(text) => json!({"S": text}),
            Self::N(number) => json!({"N": number.to_string()}),
            Self::B(bytes) => json!({"B": STANDARD.encode(bytes)}),
            Self::Bool(value) => json!({"BOOL": value}),
            Self::Null => json!({"NULL": true}),
            Self::List(items) => json!({"L": items.iter().map(Self::json).collect::<Vec<_>>()}),
            Self::Map(item) => json!({"M": item_json(item)}),
            Self::Set(members) => json!({self.kind(): members.iter().map(Self::plain).collect::<Vec<_>>()}),
        }
    }

    /// A member of a set, which has no type of its own.
    fn plain(&self) -> String {
        match self {
            Self::S(text) => text.clone(),
            Self::N(number) => number.to_string(),
            Self::B(bytes) => STANDARD.encode(bytes),
            Self::Bool(_) | Self::Null | Self::List(_) | Self::Map(_) | Self::Set(_) => String::new(),
        }
    }

    /// The type's name.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::List(_) => "L",
            Self::Map(_) => "M",
            Self::Set(members) => match members.first() {
                Some(Self::N(_)) => "NS",
                Some(Self::B(_)) => "BS",
                _ => "SS",
            },
        }
    }

    /// The order of two values of one type that has one: strings by their bytes, numbers, bytes.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::S(one), Self::S(two)) => Some(one.as_bytes().cmp(two.as_bytes())),
            (Self::N(one), Self::N(two)) => Some(one.cmp(two)),
            (Self::B(one), Self::B(two)) => Some(one.cmp(two)),
            _ => None,
        }
    }

    /// Bytes that count towards the limit of 400 KB.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.to_string().len().div_ceil(2) + 1,
            Self::B(bytes) => bytes.len(),
            Self::Bool(_) | Self::Null => 1,
            Self::List(items) => 3 + items.iter().map(|item| item.size() + 1).sum::<usize>(),
            Self::Map(item) => 3 + item_size(item) + item.len(),
            Self::Set(members) => members.iter().map(Self::size).sum(),
        }
    }

    /// Whether it is an empty string or no bytes, which keys may not be.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::S(text) => text.is_empty(),
            Self::B(bytes) => bytes.is_empty(),
            Self::N(_) | Self::Bool(_) | Self::Null | Self::List(_) | Self::Map(_) | Self::Set(_) => false,
        }
    }
}

fn number(text: &str) -> Result<Attribute, ServiceError> {
    let parsed = Number::parse(text).ok_or_else(|| validation(format!("The parameter cannot be converted to a numeric value: {text}")))?;
    Ok(Attribute::N(parsed))
}

fn bytes(text: &str) -> Result<Attribute, ServiceError> {
    STANDARD.decode(text).map(Attribute::B).map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
}

fn set(members: impl Iterator<Item = Result<Attribute, ServiceError>>) -> Result<Attribute, ServiceError> {
    let mut members = members.collect::<Result<Vec<_>, _>>()?;
    if members.is_empty() {
        return Err(validation("One or more parameter values were invalid: An set may not be empty"));
    }
    members.sort_by(|one, two| one.order(two).unwrap_or(Ordering::Equal));
    if members.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(validation("One or more parameter values were invalid: Input collection contains duplicates."));
    }
    Ok(Attribute::Set(members))
}

/// Reads an item or a key.
pub(crate) fn read_item(json: &Value) -> Result<Item, ServiceError> {
    let members = json.as_object().ok_or_else(|| ServiceError::new(400, "SerializationException", "an item is an object"))?;
    members.iter().map(|(name, value)| Ok((name.clone(), Attribute::read(value)?))).collect()
}

pub(crate) fn item_json(item: &Item) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), value.json())).collect())
}

/// Names and values.
pub(crate) fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size()).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Attribute, item_json, read_item};

    #[test]
    fn every_type_comes_back_as_it_went_in() {
        let item = json!({"s": {"S": "x"}, "n": {"N": "1.5"}, "b": {"B": "AAE="}, "t": {"BOOL": true}, "z": {"NULL": true},
            "l": {"L": [{"S": "a"}, {"N": "2"}]}, "m": {"M": {"k": {"S": ""}}}, "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]}});
        assert_eq!(item_json(&read_item(&item).unwrap()), item);
    }

    #[test]
    fn bad_values_are_refused() {
        for value in [
            json!({}),
            json!({"S": "a", "N": "1"}),
            json!({"N": "x"}),
            json!({"S": 1}),
            json!({"SS": []}),
            json!({"SS": ["a", "a"]}),
            json!({"X": 1}),
        ] {
            assert!(Attribute::read(&value).is_err(), "{value}");
        }
    }
}
