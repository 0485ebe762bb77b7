//! The resource policy on the table: what lets the role in, although it may have no policy of its own. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::provision::permissions::{Group, Need};
use crate::provision::roles::items;

/// How the `Sid` of our statements begins; the stack's name follows.
const SID: &str = "WsfixStack";
/// Ends the stack's name in the `Sid` of the index's statement.
const INDEX: &str = "ZIndex";

/// Follows the stack's name in the `Sid` on a table that was there before the stack. No escape looks like it.
const ADOPTED: &str = "ZTakenOver";

/// The policy that gives one role what the handler does to the table, and nothing else: of `needs`, those that are about items.
pub(crate) fn document(stack: &str, role: &str, needs: &[Need]) -> Value {
    let sid = format!("{SID}{}", escape(stack));
    json!({ "Version": "2012-10-17", "Statement": statements(&sid, role, needs) })
}

/// The policy of an adopted table: ours, and the statements of others that it had.
pub(crate) fn adopted_document(stack: &str, role: &str, needs: &[Need], others: &[Value]) -> Value {
    let sid = format!("{SID}{}{ADOPTED}", escape(stack));
    let statements: Vec<Value> = statements(&sid, role, needs).into_iter().chain(others.iter().cloned()).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// One for the table and one for its index.
fn statements(sid: &str, role: &str, needs: &[Need]) -> Vec<Value> {
    let items = || needs.iter().filter(|need| need.group == Group::Items);
    let resources: BTreeSet<&str> = items().flat_map(|need| &need.resources).map(String::as_str).collect();
    let statement = |resource: &str| {
        let actions: Vec<&str> = items().filter(|need| need.resources.iter().any(|on| on == resource)).map(|need| need.action).collect();
        let end = if resource.contains("/index/") { INDEX } else { "" };
        json!({
            "Sid": format!("{sid}{end}"),
            "Effect": "Allow",
            "Principal": { "AWS": role },
            "Action": actions,
            "Resource": resource,
        })
    };
    resources.into_iter().map(statement).collect()
}

/// A policy in words: what is compared, and what a plan shows. Two policies that mean the same read the same.
pub(crate) fn words(policy: &Value) -> String {
    let mut statements: Vec<String> = items(&policy["Statement"]).map(statement).collect();
    statements.sort();
    statements.join("; ")
}

/// The stack that a policy names as the table's, where one does.
pub(crate) fn stack(policy: &Value) -> Option<String> {
    items(&policy["Statement"]).find_map(|statement| {
        let name = ours(statement)?;
        unescape(name.strip_suffix(ADOPTED).unwrap_or(name))
    })
}

/// Whether a policy says that the table was there before the stack.
pub(crate) fn is_adopted(policy: &Value) -> bool {
    items(&policy["Statement"]).filter_map(ours).any(|name| name.ends_with(ADOPTED))
}

/// The statements that no stack has written.
pub(crate) fn others(policy: &Value) -> Vec<Value> {
    items(&policy["Statement"]).filter(|statement| ours(statement).is_none()).cloned().collect()
}

/// What follows the prefix of our `Sid`s, in the statement of the table and in that of the index alike.
fn ours(statement: &Value) -> Option<&str> {
    let name = statement["Sid"].as_str()?.strip_prefix(SID)?;
    Some(name.strip_suffix(INDEX).unwrap_or(name))
}

fn statement(statement: &Value) -> String {
    let mut words = vec![statement["Sid"].as_str().unwrap_or_default().to_owned()];
    words.push(statement["Effect"].as_str().unwrap_or_default().to_owned());
    let principal = &statement["Principal"];
    words.push(if principal["AWS"].is_null() { principal.to_string() } else { list(&principal["AWS"]) });
    words.push(list(&statement["Action"]));
    words.push(format!("on {}", list(&statement["Resource"])));
    for rest in ["Condition", "NotAction", "NotPrincipal", "NotResource"] {
        if !statement[rest].is_null() {
            words.push(format!("{rest} {}", statement[rest]));
        }
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn list(value: &Value) -> String {
    let mut list: Vec<&str> = items(value).filter_map(Value::as_str).collect();
    list.sort_unstable();
    list.join(",")
}

/// A `Sid` takes letters and digits only (IAM guide, policy elements).
fn escape(stack: &str) -> String {
    stack.bytes().fold(String::new(), |mut sid, byte| {
        match byte {
            b'Z' | b'\0'..=b'/' | b':'..=b'@' | b'['..=b'`' | b'{'..=u8::MAX => sid.push_str(&format!("Z{byte:02x}")),
            _ => sid.push(char::from(byte)),
        }
        sid
    })
}

fn unescape(sid: &str) -> Option<String> {
    let mut parts = sid.split('Z');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;
    use crate::provision::observed::Place;
    use crate::provision::permissions::{Scope, execution_role};

    const ROLE: &str = "arn:aws:iam::111122223333:role/r";
    const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/Table";

    fn needs() -> Vec<Need> {
        let want = desired(Settings { table: Some("Table".to_owned()), ..Settings::default() });
        let place = Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() };
        let scope = Scope { want: &want, place: &place, caller: None, role: None, api: None, marked: &[], table_policy: false };
        execution_role(scope)
    }

    /// The policy of a stack of this name.
    fn document(stack: &str) -> Value {
        super::document(stack, ROLE, &needs())
    }

    #[test]
    fn the_policy_gives_one_role_five_actions() {
        let words = words(&document("terminal"));
        assert_eq!(
            words,
            format!(
                "WsfixStackterminal Allow {ROLE} dynamodb:DeleteItem,dynamodb:GetItem,dynamodb:PutItem,dynamodb:UpdateItem on {TABLE}; \
                 WsfixStackterminalZIndex Allow {ROLE} dynamodb:Query on {TABLE}/index/SessionIdIndex"
            )
        );
    }

    #[test]
    fn order_and_spelling_are_no_difference_and_everything_else_is() {
        let ours = document("terminal");
        let mut other = ours.clone();
        if let Some(list) = other["Statement"].as_array_mut() {
            list.reverse();
        }
        other["Statement"][0]["Action"] = json!(["dynamodb:Query"]);
        other["Statement"][1]["Principal"]["AWS"] = json!([ROLE]);
        other["Statement"][1]["Action"] = json!(["dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:DeleteItem", "dynamodb:PutItem"]);
        assert_eq!(words(&other), words(&ours));
        let mut wider = ours.clone();
        wider["Statement"][0]["Action"] = json!("dynamodb:*");
        assert_ne!(words(&wider), words(&ours));
        let mut open = ours.clone();
        open["Statement"][0]["Principal"] = json!("*");
        assert_ne!(words(&open), words(&ours));
        let mut bound = ours.clone();
        bound["Statement"][0]["Condition"] = json!({ "Bool": { "aws:SecureTransport": "true" } });
        assert_ne!(words(&bound), words(&ours));
    }

    #[test]
    fn the_sid_names_the_stack_exactly() {
        for name in ["terminal", "my-app", "myapp", "A_Z.9", "Zebra"] {
            let policy = document(name);
            assert_eq!(stack(&policy).as_deref(), Some(name));
            let sid = policy["Statement"][1]["Sid"].as_str().unwrap_or_default();
            assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sid}");
        }
        assert_eq!(stack(&json!({ "Statement": [{ "Sid": "Own" }] })), None);
    }

    #[test]
    fn an_adopted_table_says_so_and_keeps_the_statements_of_others() {
        let own = json!({ "Sid": "Own", "Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteTable", "Resource": TABLE });
        for name in ["terminal", "A_Z.9", "Zebra"] {
            let policy = adopted_document(name, ROLE, &needs(), std::slice::from_ref(&own));
            assert_eq!((stack(&policy).as_deref(), is_adopted(&policy)), (Some(name), true));
            assert_eq!(others(&policy), std::slice::from_ref(&own));
            assert!(!is_adopted(&document(name)));
        }
        assert_eq!(others(&json!({ "Statement": own })), [own]);
    }
}
