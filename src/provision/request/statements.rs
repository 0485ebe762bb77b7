//! Needs -> the statements of policies, as few as say it exactly.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::provision::permissions::{Group, Need};

/// Characters that a managed policy may have, white space left out (IAM quotas).
const LONGEST: usize = 6144;

/// One statement, and why each of its actions is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// Letters and digits.
    pub sid: String,
    /// IAM actions.
    pub actions: Vec<String>,
    /// ARNs.
    pub resources: Vec<String>,
    /// The condition key, and what it equals.
    pub condition: Option<(String, String)>,
    /// Whether everything else works without it.
    pub optional: bool,
    /// One for each action.
    pub reasons: Vec<Reason>,
}

/// Why an action is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The action.
    pub action: String,
    /// What it is for.
    pub why: String,
    /// What does not work without it.
    pub without: String,
}

/// One policy.
#[derive(Clone, Debug, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The policy itself.
    pub document: Value,
    /// Its statements, explained.
    pub statements: Vec<Statement>,
}

impl Policy {
    pub(super) fn new(name: &str, statements: Vec<Statement>) -> Self {
        let document = json!({ "Version": "2012-10-17", "Statement": statements.iter().map(Statement::document).collect::<Vec<_>>() });
        Self { name: name.to_owned(), document, statements }
    }

    /// One policy, or several where one would be too long.
    pub(super) fn split(name: &str, statements: Vec<Statement>) -> Vec<Self> {
        let mut parts: Vec<Vec<Statement>> = Vec::new();
        for statement in statements {
            match parts.last_mut() {
                Some(part) if size(part.iter().chain([&statement])) <= LONGEST => part.push(statement),
                _ => parts.push(vec![statement]),
            }
        }
        let several = parts.len() > 1;
        let numbered = |at: usize| if several { format!("{name}-{}", at + 1) } else { name.to_owned() };
        parts.into_iter().enumerate().map(|(at, part)| Self::new(&numbered(at), part)).collect()
    }
}

fn size<'a>(statements: impl Iterator<Item = &'a Statement>) -> usize {
    let statements: Vec<Value> = statements.map(Statement::document).collect();
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string().len()
}

impl Statement {
    fn document(&self) -> Value {
        let one_or_all = |list: &[String]| if let [one] = list { json!(one) } else { json!(list) };
        let mut document = Map::from_iter([
            ("Sid".to_owned(), json!(self.sid)),
            ("Effect".to_owned(), json!("Allow")),
            ("Action".to_owned(), one_or_all(&self.actions)),
            ("Resource".to_owned(), one_or_all(&self.resources)),
        ]);
        if let Some((key, value)) = &self.condition {
            document.insert("Condition".to_owned(), json!({ "StringEquals": { key: value } }));
        }
        document.into()
    }
}

/// What belongs into one statement.
#[derive(PartialEq, Eq)]
struct Key {
    group: Group,
    optional: bool,
    condition: Option<(&'static str, String)>,
}

/// An action, on everything that it is needed on.
struct Part {
    key: Key,
    action: &'static str,
    resources: Vec<String>,
    reasons: Vec<Reason>,
}

/// The statements that give these permissions and no other: an action that is needed on several resources names them all, and actions
/// with the same resources share a statement.
pub(super) fn of(needs: &[Need]) -> Vec<Statement> {
    let mut parts: Vec<Part> = Vec::new();
    for need in needs {
        let key = Key { group: need.group, optional: need.optional, condition: need.condition.clone() };
        let reason = Reason { action: need.action.to_owned(), why: need.why.to_owned(), without: need.without.to_owned() };
        match parts.iter_mut().find(|part| part.key == key && part.action == need.action) {
            Some(part) => {
                let new = need.resources.iter().filter(|resource| !part.resources.contains(resource)).cloned().collect::<Vec<_>>();
                part.resources.extend(new);
                part.reasons.push(reason);
            }
            None => parts.push(Part { key, action: need.action, resources: need.resources.clone(), reasons: vec![reason] }),
        }
    }
    let mut statements: Vec<(Key, Statement)> = Vec::new();
    for Part { key, action, resources, reasons } in parts {
        match statements.iter_mut().find(|(other, statement)| *other == key && statement.resources == resources) {
            Some((_, statement)) => {
                statement.actions.push(action.to_owned());
                statement.reasons.extend(reasons);
            }
            None => {
                let condition = key.condition.clone().map(|(name, value)| (name.to_owned(), value));
                let sid = sid(&key, &statements);
                let (actions, optional) = (vec![action.to_owned()], key.optional);
                statements.push((key, Statement { sid, actions, resources, condition, optional, reasons }));
            }
        }
    }
    statements.into_iter().map(|(_, statement)| statement).collect()
}

/// `Table`, `TableOptional`, `WebSocketApi`, `WebSocketApi2` ...
fn sid(key: &Key, before: &[(Key, Statement)]) -> String {
    let of_its_kind = before.iter().filter(|(other, _)| (other.group, other.optional) == (key.group, key.optional)).count();
    let number = if of_its_kind == 0 { String::new() } else { (of_its_kind + 1).to_string() };
    format!("{}{}{number}", key.group.sid(), if key.optional { "Optional" } else { "" })
}
