//! A stand-in for the table and for `@connections`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::stub::{Reply, Seen, Stub, reply};

/// DynamoDB's items by connection, and `@connections`, in as much as the handler calls them.
#[derive(Clone, Default)]
pub(crate) struct Cloud {
    items: Arc<Mutex<HashMap<String, Value>>>,
    /// What is answered instead, by the operation or a part of the path.
    refusals: Arc<Mutex<Vec<(String, Reply)>>>,
}

impl Cloud {
    pub(crate) fn answer(&self, seen: &Seen) -> Reply {
        let refusals = self.refusals.lock().unwrap();
        if let Some((_, refusal)) = refusals.iter().find(|(what, _)| seen.operation() == what || seen.path.contains(what)) {
            return refusal.clone();
        }
        let mut items = self.items.lock().unwrap();
        let input: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let key = |part: &str| input[part]["connectionId"]["S"].as_str().unwrap_or_default().to_owned();
        match seen.operation() {
            "PutItem" if !holds(&input, items.get(&key("Item"))) => refused_condition(),
            "PutItem" => {
                items.insert(key("Item"), input["Item"].clone());
                reply(200, "{}")
            }
            "GetItem" => {
                assert_eq!(input["ConsistentRead"], true);
                reply(200, &items.get(&key("Key")).map_or_else(|| "{}".to_owned(), |item| json!({ "Item": item }).to_string()))
            }
            "UpdateItem" if !holds(&input, items.get(&key("Key"))) => refused_condition(),
            "UpdateItem" => {
                let (name, value) = input["UpdateExpression"].as_str().unwrap().strip_prefix("SET ").unwrap().split_once(" = ").unwrap();
                items.get_mut(&key("Key")).unwrap()[name] = input["ExpressionAttributeValues"][value].clone();
                reply(200, "{}")
            }
            "Query" => {
                assert_eq!(input["KeyConditionExpression"], "sessionId = :session");
                let found = items.values().filter(|item| item["sessionId"] == input["ExpressionAttributeValues"][":session"]);
                reply(200, &json!({ "Items": found.collect::<Vec<_>>() }).to_string())
            }
            "DeleteItem" => {
                assert_eq!(input["ReturnValues"], "ALL_OLD");
                reply(200, &items.remove(&key("Key")).map_or_else(|| "{}".to_owned(), |item| json!({ "Attributes": item }).to_string()))
            }
            _ if seen.path.starts_with("/prod/@connections/") => reply(200, ""),
            other => reply(400, &json!({ "__type": "UnknownOperationException", "message": other }).to_string()),
        }
    }

    pub(crate) async fn start(&self) -> Stub {
        let cloud = self.clone();
        Stub::start(move |seen| cloud.answer(seen)).await
    }

    pub(crate) fn item(&self, connection_id: &str) -> Option<Value> {
        self.items.lock().unwrap().get(connection_id).cloned()
    }

    pub(crate) fn store(&self, connection_id: &str, item: Value) {
        self.items.lock().unwrap().insert(connection_id.to_owned(), item);
    }

    /// Deletes an item behind the handler's back.
    pub(crate) fn forget(&self, connection_id: &str) {
        self.items.lock().unwrap().remove(connection_id);
    }

    /// The ids of all items, sorted.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.items.lock().unwrap().keys().cloned().collect();
        ids.sort();
        ids
    }

    /// Answers as it should again.
    pub(crate) fn heal(&self) {
        self.refusals.lock().unwrap().clear();
    }

    /// Answers an operation, or requests with `what` in their path, otherwise.
    pub(crate) fn refuse(&self, what: &str, answer: Reply) {
        self.refusals.lock().unwrap().push((what.to_owned(), answer));
    }
}

/// Whether an item fits a condition: terms of the few kinds that the handler writes, joined by AND, then by OR.
fn holds(input: &Value, item: Option<&Value>) -> bool {
    let stored = |name: &str| item.and_then(|item| item.get(name));
    let value = |name: &str| &input["ExpressionAttributeValues"][name];
    let number = |value: &Value| value["N"].as_str().unwrap().parse::<i64>().unwrap();
    let condition = input["ConditionExpression"].as_str().unwrap_or_default();
    let fits = |term: &str| {
        let named = |function: &str| term.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(name) = named("attribute_exists") {
            stored(name).is_some()
        } else if let Some(name) = named("attribute_not_exists") {
            stored(name).is_none()
        } else if let Some((name, other)) = term.split_once(" = ") {
            stored(name) == Some(value(other))
        } else if let Some((name, other)) = term.split_once(" > ") {
            stored(name).is_some_and(|stored| number(stored) > number(value(other)))
        } else {
            panic!("a condition that the stub does not know: {term}")
        }
    };
    condition.split(" OR ").any(|terms| terms.split(" AND ").filter(|term| !term.is_empty()).all(fits))
}

fn refused_condition() -> Reply {
    reply(
        400,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}"#,
    )
}
