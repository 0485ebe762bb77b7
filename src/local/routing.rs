//! From a message to a route key, as a route selection expression says. Pure.

use serde_json::Value;

/// The route that gets what no other gets.
pub(crate) const DEFAULT: &str = "$default";

/// The key of the route that a message belongs to, or `None` where there is none for it, not even `$default`.
///
/// `has` tells which routes exist. Texts are compared exactly. A message that is no JSON, that has not what the expression asks for,
/// or that asks for a key that begins with `$` goes to `$default`.
pub(crate) fn route(expression: &str, body: &str, has: impl Fn(&str) -> bool) -> Option<String> {
    let selected = evaluate(expression, body).filter(|key| !key.starts_with('$') && has(key));
    selected.or_else(|| has(DEFAULT).then(|| DEFAULT.to_owned()))
}

/// The text that an expression gives: `$request.body.action`, `${request.body.service}/${request.body.action}`, or a static one.
///
/// `None` where a value is `null` or an object, and for an expression over a body that is no JSON. What is missing is an empty text.
fn evaluate(expression: &str, body: &str) -> Option<String> {
    let json = || serde_json::from_str::<Value>(body).ok();
    if let Some(path) = expression.strip_prefix("$request.body") {
        return text(find(&json()?, path));
    }
    let mut result = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}')?;
        result.push_str(before);
        let path = variable.trim().strip_prefix("request.body")?;
        result.push_str(&text(find(&json()?, path))?);
        rest = after;
    }
    result.push_str(rest);
    Some(result)
}

/// Follows `.name`, `[0]` and `['name']`.
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        return find(value.get(&rest[..end])?, &rest[end..]);
    }
    let (key, rest) = path.strip_prefix('[')?.split_once(']')?;
    let quoted = key.strip_prefix(['\'', '"']).and_then(|key| key.strip_suffix(['\'', '"']));
    let next = match quoted {
        Some(name) => value.get(name),
        None => value.get(key.trim().parse::<usize>().ok()?),
    };
    find(next?, rest)
}

/// A value as text; nothing for what cannot be a key.
fn text(value: Option<&Value>) -> Option<String> {
    match value {
        None => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(scalar @ (Value::Bool(_) | Value::Number(_))) => Some(scalar.to_string()),
        Some(Value::Array(items)) => {
            let items: Option<Vec<String>> = items.iter().map(|item| text(Some(item))).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Some(Value::Null | Value::Object(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{evaluate, route};

    const ACTION: &str = "$request.body.action";

    fn among(keys: &'static [&'static str]) -> impl Fn(&str) -> bool {
        move |key| keys.contains(&key)
    }

    #[test]
    fn the_action_names_the_route() {
        let has = among(&["sendMessage", "$default", "$connect", "$disconnect"]);
        for (body, key) in [
            (r#"{"action":"sendMessage"}"#, "sendMessage"),
            (r#"{"action":"sendMessage","action":"other"}"#, "$default"),
            (r#"{"action":"SendMessage"}"#, "$default"),
            (r#"{"action":" sendMessage"}"#, "$default"),
            (r#"{"action":"sendMessage\u0000"}"#, "$default"),
            (r#"{"type":"ping"}"#, "$default"),
            (r#"{"action":null}"#, "$default"),
            (r#"{"action":{"action":"sendMessage"}}"#, "$default"),
            (r#"{"action":["sendMessage"]}"#, "$default"),
            ("not json", "$default"),
            (r#"{"action":"sendMessage"} trailing"#, "$default"),
            ("", "$default"),
            ("[]", "$default"),
            (r#""sendMessage""#, "$default"),
        ] {
            assert_eq!(route(ACTION, body, &has).as_deref(), Some(key), "{body}");
        }
    }

    #[test]
    fn a_message_cannot_reach_the_routes_of_the_gateway() {
        for key in ["$connect", "$disconnect", "$default"] {
            let body = format!(r#"{{"action":"{key}"}}"#);
            assert_eq!(route(ACTION, &body, among(&["$connect", "$disconnect", "$default"])).as_deref(), Some("$default"));
            assert_eq!(route(ACTION, &body, among(&["$connect", "$disconnect"])), None);
        }
    }

    #[test]
    fn without_default_there_may_be_no_route() {
        let has = among(&["sendMessage"]);
        assert_eq!(route(ACTION, r#"{"action":"sendMessage"}"#, &has).as_deref(), Some("sendMessage"));
        assert_eq!(route(ACTION, r#"{"action":"other"}"#, &has), None);
        assert_eq!(route(ACTION, "plain", &has), None);
    }

    #[test]
    fn expressions_have_two_forms_and_may_be_joined() {
        for (expression, body, value) in [
            ("$request.body.action", r#"{"action":"a"}"#, Some("a")),
            ("${request.body.action}", r#"{"action":"a"}"#, Some("a")),
            ("${request.body.service}/${request.body.action}", r#"{"service":"chat","action":"join"}"#, Some("chat/join")),
            ("${request.body.service}/${request.body.action}", r#"{"action":"join"}"#, Some("/join")),
            ("$request.body.a.b[1].c", r#"{"a":{"b":[0,{"c":"deep"}]}}"#, Some("deep")),
            ("$request.body['a b']", r#"{"a b":"quoted"}"#, Some("quoted")),
            ("$request.body.n", r#"{"n":1.5}"#, Some("1.5")),
            ("$request.body.n", r#"{"n":true}"#, Some("true")),
            ("$request.body.n", r#"{"n":["x",1]}"#, Some("[x, 1]")),
            ("$request.body.n", r#"{"n":null}"#, None),
            ("$request.body.n", "{}", Some("")),
            ("always", "not json", Some("always")),
            ("${request.header.x}", "{}", None),
            ("${request.body.a", "{}", None),
        ] {
            assert_eq!(evaluate(expression, body).as_deref(), value, "{expression} {body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_and_expression_give_a_known_route_or_none(expression in ".{0,40}", body in ".{0,80}") {
            let key = route(&expression, &body, among(&["a", "$default"]));
            prop_assert!(matches!(key.as_deref(), Some("a" | "$default")));
        }

        #[test]
        fn a_text_selects_the_route_of_that_name(name in "[a-zA-Z0-9/_-]{1,20}") {
            let body = serde_json::json!({ "action": name }).to_string();
            prop_assert_eq!(route(ACTION, &body, |key| key == name), Some(name.clone()));
        }
    }
}
