//! Expressions: conditions, filters, keys, projections and updates.

mod evaluate;
mod lexer;
mod parser;
mod update;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::attribute::{Attribute, Item};
use super::validation;
use crate::local::wire::ServiceError;

pub(crate) use parser::{Comparator, Condition, Operand};
pub(crate) use update::Update;

const RESERVED: &str = include_str!("reserved.txt");

/// The placeholders of a request, and which of them were used.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Attribute>,
    used: RefCell<BTreeSet<String>>,
}

impl Placeholders {
    /// Reads `ExpressionAttributeNames` and `ExpressionAttributeValues`.
    pub(crate) fn read(names: Option<BTreeMap<String, String>>, values: Option<BTreeMap<String, Value>>) -> Result<Self, ServiceError> {
        let empty = |member: &str| validation(format!("{member} must not be empty"));
        if names.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(empty("ExpressionAttributeNames"));
        }
        if values.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(empty("ExpressionAttributeValues"));
        }
        let values = values
            .unwrap_or_default()
            .iter()
            .map(|(key, value)| Ok((key.clone(), Attribute::read(value)?)))
            .collect::<Result<_, ServiceError>>()?;
        Ok(Self { names: names.unwrap_or_default(), values, used: RefCell::default() })
    }

    fn name(&self, placeholder: &str) -> Result<String, String> {
        self.used.borrow_mut().insert(placeholder.to_owned());
        let undefined = || format!("An expression attribute name used in the document path is not defined; attribute name: {placeholder}");
        self.names.get(placeholder).cloned().ok_or_else(undefined)
    }

    fn value(&self, placeholder: &str) -> Result<Attribute, String> {
        self.used.borrow_mut().insert(placeholder.to_owned());
        let undefined = || format!("An expression attribute value used in expression is not defined; attribute value: {placeholder}");
        self.values.get(placeholder).cloned().ok_or_else(undefined)
    }

    /// Refuses what no expression of the request used.
    pub(crate) fn all_used(&self) -> Result<(), ServiceError> {
        let used = self.used.borrow();
        let unused = |member: &str, keys: Vec<&String>| match keys.as_slice() {
            [] => Ok(()),
            keys => {
                let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
                Err(validation(format!("Value provided in {member} unused in expressions: keys: {{{}}}", keys.join(", "))))
            }
        };
        unused("ExpressionAttributeNames", self.names.keys().filter(|key| !used.contains(*key)).collect())?;
        unused("ExpressionAttributeValues", self.values.keys().filter(|key| !used.contains(*key)).collect())
    }

    /// Parses a condition; `kind` is the request's member: `ConditionExpression`.
    pub(crate) fn condition(&self, kind: &str, text: Option<&str>) -> Result<Option<Condition>, ServiceError> {
        text.map(|text| self.parse(kind, text, parser::Parser::condition)).transpose()
    }

    /// Parses a `ProjectionExpression`.
    pub(crate) fn projection(&self, text: Option<&str>) -> Result<Option<Vec<Path>>, ServiceError> {
        text.map(|text| self.parse("ProjectionExpression", text, parser::Parser::paths)).transpose()
    }

    /// Parses an `UpdateExpression`.
    pub(crate) fn update(&self, text: Option<&str>) -> Result<Option<Update>, ServiceError> {
        text.map(|text| self.parse("UpdateExpression", text, update::parse)).transpose()
    }

    fn parse<'a, T>(
        &'a self,
        kind: &str,
        text: &str,
        read: impl Fn(&mut parser::Parser<'a>) -> Result<T, String>,
    ) -> Result<T, ServiceError> {
        let wrong = |what: String| validation(format!("Invalid {kind}: {what}"));
        if text.trim().is_empty() {
            return Err(wrong("The expression can not be empty;".to_owned()));
        }
        let syntax = |near: String| wrong(format!("Syntax error; token: \"{near}\", near: \"{near}\""));
        let mut parser = parser::Parser::new(lexer::tokens(text).map_err(syntax)?, self);
        let parsed = read(&mut parser).map_err(wrong)?;
        parser.end().map_err(wrong)?;
        Ok(parsed)
    }
}

/// Where a value stands in an item: an attribute, then members of maps and places in lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub attribute: String,
    pub steps: Vec<Step>,
}

/// One step below an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Member(String),
    Place(usize),
}

impl Path {
    /// The value there, if there is one.
    pub(crate) fn find<'a>(&self, item: &'a Item) -> Option<&'a Attribute> {
        self.steps.iter().try_fold(item.get(&self.attribute)?, |value, step| match (step, value) {
            (Step::Member(name), Attribute::Map(members)) => members.get(name),
            (Step::Place(at), Attribute::List(items)) => items.get(*at),
            _ => None,
        })
    }
}

/// Only what the paths name; a place in a list becomes the next in the list that comes out.
pub(crate) fn project(item: &Item, paths: &[Path]) -> Item {
    let mut projected = Item::new();
    for path in paths {
        if let Some(value) = path.find(item) {
            let nested = path.steps.iter().rev().fold(value.clone(), |value, step| match step {
                Step::Member(name) => Attribute::Map(Item::from([(name.clone(), value)])),
                Step::Place(_) => Attribute::List(vec![value]),
            });
            match projected.get_mut(&path.attribute) {
                Some(there) => merge(there, nested),
                None => drop(projected.insert(path.attribute.clone(), nested)),
            }
        }
    }
    projected
}

fn merge(into: &mut Attribute, from: Attribute) {
    match (into, from) {
        (Attribute::Map(into), Attribute::Map(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(there) => merge(there, value),
                    None => drop(into.insert(name, value)),
                }
            }
        }
        (Attribute::List(into), Attribute::List(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

fn is_reserved(word: &str) -> bool {
    RESERVED.split_whitespace().any(|reserved| reserved.eq_ignore_ascii_case(word))
}
