//! The resource policy of a function: who else may invoke it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{conflict, constraint, invalid, not_found, stale};
use super::input::read;
use super::read::parameter;
use super::state::{authorize, name_in, see_function, with_function};
use crate::local::faults::Quirk;
use crate::local::ids;
use crate::local::wire::{Answer, Call, Outcome, ServiceError};
use crate::local::world::World;

/// The whole policy as JSON.
const MOST: usize = 20_480;

/// The statements in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    statements: Vec<Value>,
    revision_id: String,
}

impl Policy {
    /// The policy document; `None` without a statement.
    pub(super) fn document(&self) -> Option<Value> {
        let some = !self.statements.is_empty();
        some.then(|| json!({ "Version": "2012-10-17", "Id": "default", "Statement": self.statements }))
    }

    fn check(&self, revision: Option<&str>) -> Result<(), ServiceError> {
        match revision {
            Some(revision) if revision != self.revision_id => Err(stale("GetPolicy")),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PermissionInput {
    action: Option<String>,
    principal: Option<String>,
    revision_id: Option<String>,
    source_account: Option<String>,
    source_arn: Option<String>,
    statement_id: Option<String>,
}

impl PermissionInput {
    fn statement(&self, arn: &str) -> Result<Value, ServiceError> {
        let id = self.statement_id.as_deref().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > 100 || !id.chars().all(plain) {
            let rule = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
            return Err(constraint(id, "statementId", rule));
        }
        let action = self.action.as_deref().unwrap_or_default();
        if action != "*" && !action.strip_prefix("lambda:").is_some_and(|name| name == "*" || name.chars().all(char::is_alphabetic)) {
            return Err(constraint(action, "action", "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"));
        }
        let mut statement = json!({
            "Sid": id,
            "Effect": "Allow",
            "Principal": principal(self.principal.as_deref().unwrap_or_default())?,
            "Action": action,
            "Resource": arn,
        });
        if let Some(account) = &self.source_account {
            statement["Condition"]["StringEquals"] = json!({ "AWS:SourceAccount": account });
        }
        if let Some(source) = &self.source_arn {
            if !source.starts_with("arn:") {
                return Err(constraint(source, "sourceArn", "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z0-9-]*):.*"));
            }
            statement["Condition"]["ArnLike"] = json!({ "AWS:SourceArn": source });
        }
        Ok(statement)
    }
}

fn principal(text: &str) -> Result<Value, ServiceError> {
    if text == "*" {
        Ok("*".into())
    } else if text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn") {
        Ok(json!({ "Service": text }))
    } else if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(json!({ "AWS": format!("arn:aws:iam::{text}:root") }))
    } else if text.starts_with("arn:") && text.contains(":iam::") {
        Ok(json!({ "AWS": text }))
    } else {
        Err(invalid("The provided principal was invalid. Please check the principal and try again."))
    }
}

pub(super) fn add(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:AddPermission", &name)?;
    let input: PermissionInput = read(call)?;
    with_function(world, &name, |function| {
        let statement = input.statement(&function.arn)?;
        let policy = &mut function.policy;
        policy.check(input.revision_id.as_deref())?;
        if policy.statements.iter().any(|old| old["Sid"] == statement["Sid"]) {
            return Err(conflict(format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
                statement["Sid"].as_str().unwrap_or_default()
            )));
        }
        let mut new = policy.clone();
        new.statements.push(statement.clone());
        let size = new.document().map_or(0, |document| document.to_string().len());
        if size > MOST {
            let message = format!("The final policy size ({size}) is bigger than the limit ({MOST}).");
            return Err(ServiceError::new(400, "PolicyLengthExceededException", message));
        }
        new.revision_id = ids::uuid();
        // Calls at the same time may overwrite each other, and both are told that they succeeded.
        if !world.faults.take_quirk(Quirk::PermissionLost) {
            *policy = new;
        }
        Ok(Answer::json(201, &json!({ "Statement": statement.to_string() })))
    })
}

pub(super) fn get(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:GetPolicy", &name)?;
    see_function(world, &name, |function| {
        // The same code as for a function that is not there.
        let document = function.policy.document().ok_or_else(|| not_found("The resource you requested does not exist."))?;
        Ok(Answer::json(200, &json!({ "Policy": document.to_string(), "RevisionId": function.policy.revision_id })))
    })
}

pub(super) fn remove(world: &Arc<World>, call: &Call, reference: &str, statement_id: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:RemovePermission", &name)?;
    with_function(world, &name, |function| {
        let policy = &mut function.policy;
        policy.check(parameter(call, "RevisionId").as_deref())?;
        let place = policy.statements.iter().position(|statement| statement["Sid"] == statement_id);
        let place = place.ok_or_else(|| not_found(format!("Statement {statement_id} is not found in resource policy.")))?;
        policy.statements.remove(place);
        policy.revision_id = ids::uuid();
        Ok(Answer::empty(204))
    })
}
