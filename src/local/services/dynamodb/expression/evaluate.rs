//! Whether an item meets a condition.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::super::number::Number;
use super::parser::{Comparator, Condition, Operand};
use super::{Attribute, Item};

impl Condition {
    /// Whether it holds for an item; one that does not exist is empty.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::Compare(comparator, left, right) => compare(*comparator, left.of(item).as_deref(), right.of(item).as_deref()),
            Self::Between(value, low, high) => {
                let (value, low, high) = (value.of(item), low.of(item), high.of(item));
                compare(Comparator::GreaterOrEqual, value.as_deref(), low.as_deref())
                    && compare(Comparator::LessOrEqual, value.as_deref(), high.as_deref())
            }
            Self::In(value, list) => list.iter().any(|one| compare(Comparator::Equal, value.of(item).as_deref(), one.of(item).as_deref())),
            Self::Exists(path) => path.find(item).is_some(),
            Self::NotExists(path) => path.find(item).is_none(),
            Self::IsOfType(path, kind) => match (path.find(item), kind.of(item).as_deref()) {
                (Some(value), Some(Attribute::S(kind))) => value.kind() == kind,
                _ => false,
            },
            Self::BeginsWith(value, start) => match (value.of(item).as_deref(), start.of(item).as_deref()) {
                (Some(Attribute::S(value)), Some(Attribute::S(start))) => value.starts_with(start.as_str()),
                (Some(Attribute::B(value)), Some(Attribute::B(start))) => value.starts_with(start),
                _ => false,
            },
            Self::Contains(value, part) => match (value.of(item).as_deref(), part.of(item).as_deref()) {
                (Some(Attribute::S(value)), Some(Attribute::S(part))) => value.contains(part.as_str()),
                (Some(Attribute::Set(members) | Attribute::List(members)), Some(part)) => members.contains(part),
                _ => false,
            },
            Self::And(left, right) => left.holds(item) && right.holds(item),
            Self::Or(left, right) => left.holds(item) || right.holds(item),
            Self::Not(condition) => !condition.holds(item),
        }
    }
}

impl Condition {
    /// The attributes that it looks at.
    pub(crate) fn attributes(&self) -> Vec<&str> {
        match self {
            Self::Compare(_, left, right) | Self::BeginsWith(left, right) | Self::Contains(left, right) => named([left, right]),
            Self::Between(value, low, high) => named([value, low, high]),
            Self::In(value, list) => named(std::iter::once(value).chain(list)),
            Self::Exists(path) | Self::NotExists(path) | Self::IsOfType(path, _) => vec![path.attribute.as_str()],
            Self::And(left, right) | Self::Or(left, right) => [left.attributes(), right.attributes()].concat(),
            Self::Not(condition) => condition.attributes(),
        }
    }
}

fn named<'a>(operands: impl IntoIterator<Item = &'a Operand>) -> Vec<&'a str> {
    let name = |operand: &'a Operand| match operand {
        Operand::Path(path) | Operand::Size(path) => Some(path.attribute.as_str()),
        Operand::Value(_) => None,
    };
    operands.into_iter().filter_map(name).collect()
}

impl Operand {
    fn of<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, Attribute>> {
        match self {
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Path(path) => path.find(item).map(Cow::Borrowed),
            Self::Size(path) => {
                let size = match path.find(item)? {
                    Attribute::S(text) => text.chars().count(),
                    Attribute::B(bytes) => bytes.len(),
                    Attribute::List(items) | Attribute::Set(items) => items.len(),
                    Attribute::Map(members) => members.len(),
                    Attribute::N(_) | Attribute::Bool(_) | Attribute::Null => return None,
                };
                Number::parse(&size.to_string()).map(|size| Cow::Owned(Attribute::N(size)))
            }
        }
    }
}

fn compare(comparator: Comparator, left: Option<&Attribute>, right: Option<&Attribute>) -> bool {
    // What is not there differs from everything, and is neither less nor more.
    let (Some(left), Some(right)) = (left, right) else { return comparator == Comparator::NotEqual };
    match comparator {
        Comparator::Equal => left == right,
        Comparator::NotEqual => left != right,
        Comparator::Less => left.order(right) == Some(Ordering::Less),
        Comparator::LessOrEqual => left.order(right).is_some_and(Ordering::is_le),
        Comparator::Greater => left.order(right) == Some(Ordering::Greater),
        Comparator::GreaterOrEqual => left.order(right).is_some_and(Ordering::is_ge),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::super::attribute::read_item;
    use super::super::{Placeholders, project};
    use super::Item;

    fn item() -> Item {
        read_item(&json!({"connectionId": {"S": "c1"}, "expiresAt": {"N": "100"}, "tags": {"SS": ["a", "b"]},
            "m": {"M": {"k": {"L": [{"S": "x"}, {"S": "y"}]}}}, "status": {"S": "open"}}))
        .unwrap()
    }

    fn placeholders() -> Placeholders {
        let names = BTreeMap::from([("#s".to_owned(), "status".to_owned())]);
        let values: BTreeMap<String, Value> = [
            (":c", json!({"S": "c1"})),
            (":n", json!({"N": "50"})),
            (":big", json!({"N": "1e3"})),
            (":a", json!({"S": "a"})),
            (":o", json!({"S": "op"})),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        Placeholders::read(Some(names), Some(values)).unwrap()
    }

    fn holds(text: &str) -> Result<bool, String> {
        let condition = placeholders().condition("ConditionExpression", Some(text)).map_err(|error| error.message)?;
        Ok(condition.unwrap().holds(&item()))
    }

    #[test]
    fn conditions_hold_or_do_not() {
        for text in [
            "attribute_exists(connectionId)",
            "attribute_not_exists(gone)",
            "connectionId = :c AND expiresAt > :n",
            "NOT expiresAt < :n",
            "expiresAt BETWEEN :n AND :big",
            "connectionId IN (:a, :c)",
            "begins_with(#s, :o)",
            "contains(tags, :a)",
            "gone <> :a",
            "size(tags) < :n",
            "m.k[0] <> m.k[1]",
            "(connectionId = :a or connectionId = :c) and attribute_exists(m.k[1])",
            "connectionId = :a OR connectionId = :c AND expiresAt >= :n",
        ] {
            assert_eq!(holds(text), Ok(true), "{text}");
        }
        for text in ["connectionId = :n", "gone = :a", "gone < :a", "expiresAt < :a", "attribute_exists(m.x)", "NOT (connectionId = :c)"] {
            assert_eq!(holds(text), Ok(false), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("status = :a", "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: status"),
            ("a = :gone", "attribute value used in expression is not defined; attribute value: :gone"),
            ("#gone = :a", "is not defined; attribute name: #gone"),
            ("a = ", "Syntax error; token: \"<EOF>\""),
            ("a :a", "Syntax error; token: \":a\""),
            ("", "The expression can not be empty"),
            ("exists(a)", "Invalid function name; function: exists"),
            ("a = :a b", "Syntax error; token: \"b\""),
        ] {
            let error = holds(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(holds(&"(".repeat(5000)).is_err());
    }

    #[test]
    fn unused_placeholders_are_refused() {
        let placeholders = placeholders();
        placeholders.condition("ConditionExpression", Some("#s = :c AND a = :n")).unwrap();
        let error = placeholders.all_used().unwrap_err().message;
        assert_eq!(error, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a, :big, :o}");
    }

    #[test]
    fn a_projection_keeps_what_it_names() {
        let paths = placeholders().projection(Some("connectionId, m.k[1], gone")).unwrap().unwrap();
        let expected = json!({"connectionId": {"S": "c1"}, "m": {"M": {"k": {"L": [{"S": "y"}]}}}});
        assert_eq!(project(&item(), &paths), read_item(&expected).unwrap());
    }
}
