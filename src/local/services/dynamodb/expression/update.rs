//! Update expressions: SET, REMOVE, ADD and DELETE.

use super::super::validation;
use super::parser::{Operand, Parser};
use super::{Attribute, Item, Path, Step};
use crate::local::wire::ServiceError;

/// A parsed update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Update {
    set: Vec<(Path, Amount)>,
    remove: Vec<Path>,
    add: Vec<(Path, Attribute)>,
    delete: Vec<(Path, Attribute)>,
}

/// What SET gives a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Amount {
    Of(Operand),
    IfNotExists(Path, Box<Amount>),
    Append(Box<Amount>, Box<Amount>),
    Plus(Box<Amount>, Box<Amount>),
    Minus(Box<Amount>, Box<Amount>),
}

pub(super) fn parse(parser: &mut Parser<'_>) -> Result<Update, String> {
    let mut update = Update::default();
    while !parser.at_end() {
        if parser.keyword("SET") {
            listed(parser, |parser| {
                let path = parser.path()?;
                parser.expect("=")?;
                update.set.push((path, amount(parser)?));
                Ok(())
            })?;
        } else if parser.keyword("REMOVE") {
            listed(parser, |parser| {
                update.remove.push(parser.path()?);
                Ok(())
            })?;
        } else if parser.keyword("ADD") {
            listed(parser, |parser| {
                update.add.push(with_value(parser)?);
                Ok(())
            })?;
        } else if parser.keyword("DELETE") {
            listed(parser, |parser| {
                update.delete.push(with_value(parser)?);
                Ok(())
            })?;
        } else {
            return Err(parser.unexpected());
        }
    }
    Ok(update)
}

fn listed(parser: &mut Parser<'_>, mut one: impl FnMut(&mut Parser<'_>) -> Result<(), String>) -> Result<(), String> {
    one(parser)?;
    while parser.sign(",") {
        one(parser)?;
    }
    Ok(())
}

fn with_value(parser: &mut Parser<'_>) -> Result<(Path, Attribute), String> {
    let path = parser.path()?;
    match parser.operand()? {
        Operand::Value(value) => Ok((path, value)),
        Operand::Path(_) | Operand::Size(_) => Err(parser.unexpected()),
    }
}

fn amount(parser: &mut Parser<'_>) -> Result<Amount, String> {
    let left = term(parser)?;
    if parser.sign("+") {
        return Ok(Amount::Plus(Box::new(left), Box::new(term(parser)?)));
    }
    if parser.sign("-") {
        return Ok(Amount::Minus(Box::new(left), Box::new(term(parser)?)));
    }
    Ok(left)
}

fn term(parser: &mut Parser<'_>) -> Result<Amount, String> {
    let Some(function) = parser.function() else { return parser.operand().map(Amount::Of) };
    parser.skip();
    parser.expect("(")?;
    let called = match function.as_str() {
        "if_not_exists" => {
            let path = parser.path()?;
            parser.expect(",")?;
            Amount::IfNotExists(path, Box::new(Amount::Of(parser.operand()?)))
        }
        "list_append" => {
            let first = Amount::Of(parser.operand()?);
            parser.expect(",")?;
            Amount::Append(Box::new(first), Box::new(Amount::Of(parser.operand()?)))
        }
        other => return Err(format!("Invalid function name; function: {other}")),
    };
    parser.expect(")")?;
    Ok(called)
}

impl Update {
    /// The paths that it changes.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let valued = self.set.iter().map(|(path, _)| path);
        valued.chain(&self.remove).chain(self.add.iter().chain(&self.delete).map(|(path, _)| path))
    }

    /// The item after it; every amount is that of the item before.
    pub(crate) fn apply(&self, before: &Item) -> Result<Item, ServiceError> {
        let mut after = before.clone();
        for (path, amount) in &self.set {
            let value = amount.of(before)?;
            put(&mut after, path, value)?;
        }
        for path in &self.remove {
            remove(&mut after, path);
        }
        for (path, value) in &self.add {
            let sum = add(path.find(before), value)?;
            put(&mut after, path, sum)?;
        }
        for (path, value) in &self.delete {
            let (Some(Attribute::Set(there)), Attribute::Set(gone)) = (path.find(before), value) else { continue };
            let left: Vec<_> = there.iter().filter(|member| !gone.contains(member)).cloned().collect();
            if left.is_empty() {
                remove(&mut after, path);
            } else {
                put(&mut after, path, Attribute::Set(left))?;
            }
        }
        Ok(after)
    }
}

impl Amount {
    fn of(&self, item: &Item) -> Result<Attribute, ServiceError> {
        match self {
            Self::Of(Operand::Value(value)) => Ok(value.clone()),
            Self::Of(Operand::Path(path)) => {
                let absent = || validation("The provided expression refers to an attribute that does not exist in the item");
                path.find(item).cloned().ok_or_else(absent)
            }
            Self::Of(Operand::Size(_)) => {
                Err(validation("Invalid UpdateExpression: The function is not allowed in an update expression; function: size"))
            }
            Self::IfNotExists(path, other) => path.find(item).cloned().map_or_else(|| other.of(item), Ok),
            Self::Append(first, second) => match (first.of(item)?, second.of(item)?) {
                (Attribute::List(mut first), Attribute::List(second)) => {
                    first.extend(second);
                    Ok(Attribute::List(first))
                }
                _ => Err(wrong_type()),
            },
            Self::Plus(left, right) => add(Some(&left.of(item)?), &right.of(item)?),
            Self::Minus(left, right) => {
                let Attribute::N(number) = right.of(item)? else { return Err(wrong_type()) };
                add(Some(&left.of(item)?), &Attribute::N(number.negated()))
            }
        }
    }
}

fn wrong_type() -> ServiceError {
    validation("An operand in the update expression has an incorrect data type")
}

fn add(there: Option<&Attribute>, value: &Attribute) -> Result<Attribute, ServiceError> {
    match (there, value) {
        (None, Attribute::N(_) | Attribute::Set(_)) => Ok(value.clone()),
        (Some(Attribute::N(one)), Attribute::N(two)) => one
            .plus(two)
            .map(Attribute::N)
            .ok_or_else(|| validation("Number overflow. Attempting to store a number with magnitude larger than supported range")),
        (Some(Attribute::Set(one)), Attribute::Set(two)) if there.map(Attribute::kind) == Some(value.kind()) => {
            let mut all = one.clone();
            all.extend(two.iter().filter(|member| !one.contains(member)).cloned());
            all.sort_by(|one, two| one.order(two).unwrap_or(std::cmp::Ordering::Equal));
            Ok(Attribute::Set(all))
        }
        _ => Err(wrong_type()),
    }
}

fn put(item: &mut Item, path: &Path, value: Attribute) -> Result<(), ServiceError> {
    let invalid = || validation("The document path provided in the update expression is invalid for update");
    let Some((last, steps)) = path.steps.split_last() else {
        item.insert(path.attribute.clone(), value);
        return Ok(());
    };
    match (parent(item, path, steps).ok_or_else(invalid)?, last) {
        (Attribute::Map(members), Step::Member(name)) => drop(members.insert(name.clone(), value)),
        (Attribute::List(items), Step::Place(at)) if *at < items.len() => items[*at] = value,
        (Attribute::List(items), Step::Place(_)) => items.push(value),
        _ => return Err(invalid()),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) {
    let Some((last, steps)) = path.steps.split_last() else {
        item.remove(&path.attribute);
        return;
    };
    match (parent(item, path, steps), last) {
        (Some(Attribute::Map(members)), Step::Member(name)) => drop(members.remove(name)),
        (Some(Attribute::List(items)), Step::Place(at)) if *at < items.len() => drop(items.remove(*at)),
        _ => {}
    }
}

fn parent<'a>(item: &'a mut Item, path: &Path, steps: &[Step]) -> Option<&'a mut Attribute> {
    steps.iter().try_fold(item.get_mut(&path.attribute)?, |value, step| match (step, value) {
        (Step::Member(name), Attribute::Map(members)) => members.get_mut(name),
        (Step::Place(at), Attribute::List(items)) => items.get_mut(*at),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::super::attribute::{item_json, read_item};
    use super::super::Placeholders;

    fn updated(text: &str) -> Result<Value, String> {
        let item =
            read_item(&json!({"a": {"N": "1"}, "l": {"L": [{"S": "x"}]}, "m": {"M": {"k": {"S": "v"}}}, "s": {"SS": ["p", "q"]}})).unwrap();
        let values: BTreeMap<String, Value> =
            [(":n", json!({"N": "2"})), (":s", json!({"S": "z"})), (":l", json!({"L": [{"S": "y"}]})), (":set", json!({"SS": ["q", "r"]}))]
                .map(|(name, value)| (name.to_owned(), value))
                .into();
        let update = Placeholders::read(None, Some(values)).unwrap().update(Some(text)).map_err(|error| error.message)?.unwrap();
        update.apply(&item).map(|item| item_json(&item)).map_err(|error| error.message)
    }

    #[test]
    fn each_clause_changes_the_item() {
        for (text, path, expected) in [
            ("SET a = a + :n", "/a", json!({"N": "3"})),
            ("SET a = a - :n", "/a", json!({"N": "-1"})),
            ("SET b = :s, m.k = :n", "/m/M/k", json!({"N": "2"})),
            ("SET b = if_not_exists(b, :s)", "/b", json!({"S": "z"})),
            ("SET a = if_not_exists(a, :s)", "/a", json!({"N": "1"})),
            ("SET l = list_append(l, :l)", "/l", json!({"L": [{"S": "x"}, {"S": "y"}]})),
            ("SET l[0] = :s", "/l/L/0", json!({"S": "z"})),
            ("ADD a :n, s :set", "/s", json!({"SS": ["p", "q", "r"]})),
            ("DELETE s :set", "/s", json!({"SS": ["p"]})),
            ("REMOVE a, m.k SET b = :s", "/m", json!({"M": {}})),
        ] {
            assert_eq!(updated(text).unwrap().pointer(path), Some(&expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (text, said) in [
            ("SET a = gone", "refers to an attribute that does not exist"),
            ("SET gone.x = :s", "document path provided in the update expression is invalid"),
            ("SET a = a + :s", "incorrect data type"),
            ("CHANGE a = :s", "Syntax error"),
            ("ADD l :s", "incorrect data type"),
        ] {
            let error = updated(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
