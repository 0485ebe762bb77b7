//! Conditions of statements, and the context of a request that they look at.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::glob::Glob;
use super::texts;

/// The keys and values of a request that conditions look at. Keys are the same in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// With one more value of this key.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.entry(key.to_ascii_lowercase()).or_default().push(value.into());
        self
    }

    /// With these tags in the request: `aws:RequestTag/KEY` and `aws:TagKeys`.
    #[must_use]
    pub(crate) fn with_request_tags<'a>(self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        tags.into_iter().fold(self, |context, (key, value)| context.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key))
    }

    /// With these tags on the resource: `aws:ResourceTag/KEY`.
    #[must_use]
    pub(crate) fn with_resource_tags<'a>(self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        tags.into_iter().fold(self, |context, (key, value)| context.with(&format!("aws:ResourceTag/{key}"), value))
    }

    /// With all of another context; what is there already stays.
    #[must_use]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (key, values) in &other.0 {
            self.0.entry(key.clone()).or_insert_with(|| values.clone());
        }
        self
    }

    fn values(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// The value of a key that has exactly one.
    pub(super) fn single(&self, key: &str) -> Option<String> {
        match self.values(key)? {
            [one] => Some(one.clone()),
            _ => None,
        }
    }
}

/// One operator on one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    scope: Scope,
    test: Test,
    negated: bool,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Single,
    Any,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Null,
    Number(Order),
    Date(Order),
    Ip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Condition {
    /// Reads a `Condition` block.
    pub(super) fn parse_all(json: &Value) -> Result<Vec<Self>, String> {
        let mut conditions = Vec::new();
        for (operator, keys) in json.as_object().ok_or("a Condition is an object")? {
            let keys = keys.as_object().ok_or_else(|| format!("`{operator}` of a Condition is an object"))?;
            for (key, values) in keys {
                conditions.push(Self::parse(operator, key, texts(values)?)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator: &str, key: &str, values: Vec<String>) -> Result<Self, String> {
        let (scope, name) = match operator.split_once(':') {
            None => (Scope::Single, operator),
            Some(("ForAnyValue", name)) => (Scope::Any, name),
            Some(("ForAllValues", name)) => (Scope::All, name),
            Some(_) => return Err(format!("`{operator}` is no condition operator")),
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let (test, negated) = match name {
            "StringEquals" | "BinaryEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringEqualsIgnoreCase" => (Test::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Test::EqualsIgnoreCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            "Null" => (Test::Null, false),
            "IpAddress" => (Test::Ip, false),
            "NotIpAddress" => (Test::Ip, true),
            "NumericEquals" => (Test::Number(Order::Equal), false),
            "NumericNotEquals" => (Test::Number(Order::Equal), true),
            "NumericLessThan" => (Test::Number(Order::Less), false),
            "NumericLessThanEquals" => (Test::Number(Order::LessOrEqual), false),
            "NumericGreaterThan" => (Test::Number(Order::Greater), false),
            "NumericGreaterThanEquals" => (Test::Number(Order::GreaterOrEqual), false),
            "DateEquals" => (Test::Date(Order::Equal), false),
            "DateNotEquals" => (Test::Date(Order::Equal), true),
            "DateLessThan" => (Test::Date(Order::Less), false),
            "DateLessThanEquals" => (Test::Date(Order::LessOrEqual), false),
            "DateGreaterThan" => (Test::Date(Order::Greater), false),
            "DateGreaterThanEquals" => (Test::Date(Order::GreaterOrEqual), false),
            _ => return Err(format!("`{operator}` is no condition operator")),
        };
        Ok(Self { scope, test, negated, if_exists, key: key.to_owned(), values })
    }

    /// Whether it holds. `variables`: whether `${...}` in its values is filled in.
    pub(super) fn holds(&self, context: &Context, variables: bool) -> bool {
        let present = context.values(&self.key);
        if self.test == Test::Null {
            return self.values.iter().any(|value| value.eq_ignore_ascii_case("true") == present.is_none());
        }
        let Some(present) = present else {
            return self.if_exists || self.scope == Scope::All || (self.negated && self.scope == Scope::Single);
        };
        let filled = variables.then_some(context);
        let passes = |value: &String| self.values.iter().any(|wanted| self.compare(wanted, value, filled)) != self.negated;
        match self.scope {
            Scope::All => present.iter().all(passes),
            Scope::Any => present.iter().any(passes),
            // A key with several values under a plain operator: any may match, and none may where it is negated.
            Scope::Single if self.negated => present.iter().all(passes),
            Scope::Single => present.iter().any(passes),
        }
    }

    /// Whether it will hold for a request of which only this much is known; `None` where that does not decide it.
    pub(super) fn foreseen(&self, context: &Context, variables: bool) -> Option<bool> {
        let filled = |value: &String| !variables || Glob::new(value, Some(context)).is_some();
        let known = context.values(&self.key).is_some() && self.values.iter().all(filled);
        known.then(|| self.holds(context, variables))
    }

    /// The key that it looks at.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Its key, where the request does not have it.
    pub(super) fn missing(&self, context: &Context) -> Option<String> {
        (context.values(&self.key).is_none() && self.test != Test::Null).then(|| self.key.clone())
    }

    fn compare(&self, wanted: &str, value: &str, context: Option<&Context>) -> bool {
        let glob = || Glob::new(wanted, context);
        match self.test {
            Test::Equals => glob().is_some_and(|glob| glob.exact().matches(value)),
            Test::EqualsIgnoreCase => glob().is_some_and(|glob| glob.exact().matches_ignoring_case(value)),
            Test::Like => glob().is_some_and(|glob| glob.matches(value)),
            Test::Arn => glob().is_some_and(|glob| glob.matches_arn(value)),
            Test::Bool => wanted.eq_ignore_ascii_case(value),
            Test::Number(order) => match (value.parse::<f64>(), wanted.parse::<f64>()) {
                (Ok(value), Ok(wanted)) => order.holds(&value, &wanted),
                _ => false,
            },
            Test::Date(order) => match (instant(value), instant(wanted)) {
                (Some(value), Some(wanted)) => order.holds(&value, &wanted),
                _ => false,
            },
            Test::Ip => within(wanted, value).unwrap_or(false),
            Test::Null => false,
        }
    }
}

/// Epoch seconds, or the ISO text of a time or a day.
fn instant(text: &str) -> Option<i64> {
    let day = || OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339).ok();
    text.parse().ok().or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok().or_else(day).map(OffsetDateTime::unix_timestamp))
}

/// Whether an address is inside of a network such as `203.0.113.0/24`.
fn within(network: &str, address: &str) -> Option<bool> {
    let (base, length) = network.split_once('/').map_or((network, None), |(base, length)| (base, Some(length)));
    let same = |base: u128, address: u128, bits: u32| -> Option<bool> {
        let length: u32 = length.map_or(Some(bits), |length| length.parse().ok()).filter(|length| *length <= bits)?;
        let shift = bits - length;
        Some(shift == 128 || base >> shift == address >> shift)
    };
    match (base.parse().ok()?, address.parse().ok()?) {
        (IpAddr::V4(base), IpAddr::V4(address)) => same(u128::from(base.to_bits()), u128::from(address.to_bits()), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => same(base.to_bits(), address.to_bits(), 128),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Condition, Context};

    fn holds(condition: &Value, context: &Context) -> bool {
        Condition::parse_all(condition).unwrap().iter().all(|condition| condition.holds(context, true))
    }

    #[test]
    fn operators_compare() {
        let context = Context::default()
            .with("iam:PassedToService", "lambda.amazonaws.com")
            .with("aws:SourceArn", "arn:aws:execute-api:us-east-1:1:api/prod/$connect")
            .with("aws:SecureTransport", "true")
            .with("aws:SourceIp", "127.0.0.1")
            .with("n", "5")
            .with("aws:CurrentTime", "2026-01-31T10:00:00Z");
        for condition in [
            json!({"StringEquals": {"IAM:passedToService": ["x", "lambda.amazonaws.com"]}}),
            json!({"StringNotEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}),
            json!({"StringLike": {"iam:PassedToService": "lambda.*"}}),
            json!({"StringEqualsIgnoreCase": {"iam:PassedToService": "LAMBDA.amazonaws.com"}}),
            json!({"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:us-east-1:1:api/*/*"}}),
            json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:execute-api:us-east-1:1:other/*"}}),
            json!({"Bool": {"aws:SecureTransport": true}}),
            json!({"Null": {"aws:absent": "true", "n": "false"}}),
            json!({"NumericLessThan": {"n": 6}, "NumericGreaterThanEquals": {"n": "5"}}),
            json!({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}}),
            json!({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}, "NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}),
        ] {
            assert!(holds(&condition, &context), "{condition}");
        }
        for condition in [
            json!({"StringEquals": {"iam:PassedToService": "lambda.*"}}),
            json!({"StringNotLike": {"iam:PassedToService": ["ec2.*", "lambda.*"]}}),
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            json!({"Null": {"n": "true"}}),
            json!({"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}),
        ] {
            assert!(!holds(&condition, &context), "{condition}");
        }
    }

    #[test]
    fn an_absent_key_fails_but_where_it_is_said_otherwise() {
        let context = Context::default();
        assert!(!holds(&json!({"StringEquals": {"k": "v"}}), &context));
        assert!(holds(&json!({"StringEqualsIfExists": {"k": "v"}}), &context));
        assert!(holds(&json!({"StringNotEquals": {"k": "v"}}), &context));
        assert!(holds(&json!({"ForAllValues:StringEquals": {"k": "v"}}), &context));
        assert!(!holds(&json!({"ForAnyValue:StringEquals": {"k": "v"}}), &context));
    }

    #[test]
    fn sets_of_values_are_compared_one_by_one() {
        let context = Context::default().with_request_tags([("team", "a"), ("wsfix:stack", "s")]);
        assert!(holds(&json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "wsfix:stack", "more"]}}), &context));
        assert!(!holds(&json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}), &context));
        assert!(holds(&json!({"ForAnyValue:StringLike": {"aws:TagKeys": ["wsfix:*"]}}), &context));
        assert!(holds(&json!({"StringEquals": {"aws:RequestTag/team": "a"}}), &context));
    }
}
