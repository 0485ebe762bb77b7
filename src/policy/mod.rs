//! Policy documents: read once, then matched against requests. Pure.

mod condition;
mod evaluate;
mod forecast;
mod glob;

use serde_json::{Map, Value};

use condition::Condition;
pub(crate) use condition::Context;
pub(crate) use evaluate::{Decision, Kind, Reason, Request, Source, Subject, decide, denying, trusts};
pub(crate) use forecast::{Forecast, Trust, forecast, trust};

/// A policy as it was written, and as it is matched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub json: Value,
    pub statements: Vec<Statement>,
    /// Whether `${...}` is a variable: only in version 2012-10-17.
    pub variables: bool,
}

/// What a matching statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub effect: Effect,
    /// Only in resource and trust policies.
    pub principal: Option<Choice<Principal>>,
    pub action: Choice<String>,
    /// Absent in trust policies.
    pub resource: Option<Choice<String>>,
    pub conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, and so on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice<T> {
    Of(Vec<T>),
    NotOf(Vec<T>),
}

impl<T> Choice<T> {
    fn has(&self, matches: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::Of(items) => items.iter().any(matches),
            Self::NotOf(items) => !items.iter().any(matches),
        }
    }
}

/// Who a statement of a resource or trust policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// `*`
    Everyone,
    /// `{"AWS": ...}`: an ARN or an account.
    Aws(String),
    /// `{"Service": ...}`
    Service(String),
    /// `Federated`, `CanonicalUser`: nobody here.
    Other,
}

impl Document {
    /// Reads a document of JSON.
    ///
    /// # Errors
    /// What is wrong with it, for `MalformedPolicyDocument` and the like.
    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        let members = json.as_object().ok_or("a policy is a JSON object")?;
        let known = ["Version", "Id", "Statement"];
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("`{unknown}` is no member of a policy (those are Version, Id and Statement)"));
        }
        let variables = match members.get("Version").map(|version| version.as_str().unwrap_or_default()) {
            Some("2012-10-17") => true,
            None | Some("2008-10-17") => false,
            Some(other) => return Err(format!("the Version of a policy is \"2012-10-17\", not \"{other}\"")),
        };
        let statements = match members.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().map(statement).collect::<Result<_, _>>()?,
            Some(one) => vec![statement(one)?],
            None => return Err("a policy needs a Statement".to_owned()),
        };
        Ok(Self { json: json.clone(), statements, variables })
    }
}

fn statement(json: &Value) -> Result<Statement, String> {
    let members = json.as_object().ok_or("a Statement is an object")?;
    let known = ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("`{unknown}` is no member of a Statement"));
    }
    let effect = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err("the Effect of a Statement is \"Allow\" or \"Deny\"".to_owned()),
    };
    let action = choice(members, "Action", "NotAction", texts)?.ok_or("a Statement needs an Action or a NotAction")?;
    Ok(Statement {
        effect,
        principal: choice(members, "Principal", "NotPrincipal", principals)?,
        action,
        resource: choice(members, "Resource", "NotResource", texts)?,
        conditions: members.get("Condition").map_or(Ok(Vec::new()), Condition::parse_all)?,
    })
}

fn choice<T>(
    members: &Map<String, Value>,
    of: &str,
    not_of: &str,
    read: impl Fn(&Value) -> Result<Vec<T>, String>,
) -> Result<Option<Choice<T>>, String> {
    match (members.get(of), members.get(not_of)) {
        (Some(_), Some(_)) => Err(format!("a Statement has {of} or {not_of}, not both")),
        (Some(json), None) => Ok(Some(Choice::Of(read(json)?))),
        (None, Some(json)) => Ok(Some(Choice::NotOf(read(json)?))),
        (None, None) => Ok(None),
    }
}

/// One text or a list of them; numbers and booleans count by their text, as in conditions.
fn texts(json: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(format!("a text or a list of texts is needed, not {value}")),
    };
    json.as_array().map_or_else(|| Ok(vec![one(json)?]), |items| items.iter().map(one).collect())
}

fn principals(json: &Value) -> Result<Vec<Principal>, String> {
    if json == "*" {
        return Ok(vec![Principal::Everyone]);
    }
    let kinds = json.as_object().ok_or_else(|| format!("a Principal is \"*\" or an object, not {json}"))?;
    let mut principals = Vec::new();
    for (kind, names) in kinds {
        for name in texts(names)? {
            principals.push(match kind.as_str() {
                "AWS" if name == "*" => Principal::Everyone,
                "AWS" => Principal::Aws(name),
                "Service" => Principal::Service(name),
                "Federated" | "CanonicalUser" => Principal::Other,
                _ => return Err(format!("`{kind}` is no kind of Principal")),
            });
        }
    }
    Ok(principals)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Choice, Document, Principal};

    #[test]
    fn single_values_and_lists_are_the_same() {
        let one = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:B", "Resource": "*"}});
        let list = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:B"], "Resource": ["*"]}]});
        assert_eq!(Document::parse(&one).unwrap().statements, Document::parse(&list).unwrap().statements);
    }

    #[test]
    fn principals_of_each_kind_are_read() {
        let json = json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": ["lambda.amazonaws.com"], "AWS": "*"}}]});
        let document = Document::parse(&json).unwrap();
        let expected = vec![Principal::Everyone, Principal::Service("lambda.amazonaws.com".to_owned())];
        assert_eq!(document.statements[0].principal, Some(Choice::Of(expected)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (json, said) in [
            (json!([]), "JSON object"),
            (json!({"Version": "2012-10-17"}), "needs a Statement"),
            (json!({"Version": "2024-01-01", "Statement": []}), "2012-10-17"),
            (json!({"Statement": [{"Effect": "allow", "Action": "*"}]}), "Effect"),
            (json!({"Statement": [{"Effect": "Allow"}]}), "needs an Action"),
            (json!({"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*"}]}), "not both"),
            (json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resources": "*"}]}), "`Resources`"),
            (json!({"Statement": [{"Effect": "Allow", "Action": "*", "Condition": {"StringIs": {"a": "b"}}}]}), "`StringIs`"),
        ] {
            let error = Document::parse(&json).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
