//! The resource policy of a function: who else may invoke it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{conflict, constraint, invalid, not_found, stale};
use super::input::read;
use super::read::parameter;
use super::state::{arn_of, name_in, with_function};
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
    world.authorize(&call.caller, "lambda:AddPermission", &arn_of(world, &name), None)?;
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
        *policy = new;
        Ok(Answer::json(201, &json!({ "Statement": statement.to_string() })))
    })
}

pub(super) fn get(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    world.authorize(&call.caller, "lambda:GetPolicy", &arn_of(world, &name), None)?;
    with_function(world, &name, |function| {
        // The same code as for a function that is not there.
        let document = function.policy.document().ok_or_else(|| not_found("The resource you requested does not exist."))?;
        Ok(Answer::json(200, &json!({ "Policy": document.to_string(), "RevisionId": function.policy.revision_id })))
    })
}

pub(super) fn remove(world: &Arc<World>, call: &Call, reference: &str, statement_id: &str) -> Outcome {
    let name = name_in(world, reference)?;
    world.authorize(&call.caller, "lambda:RemovePermission", &arn_of(world, &name), None)?;
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

/// Whether a statement lets a service invoke the function for a source.
pub(super) fn lets_service(policy: &Policy, service: &str, source_arn: &str, account: &str) -> bool {
    policy.statements.iter().any(|statement| {
        let principal = statement["Principal"] == "*" || statement["Principal"]["Service"] == service;
        let action = ["lambda:InvokeFunction", "lambda:*", "*"].iter().any(|action| statement["Action"] == *action);
        let condition = &statement["Condition"];
        let source = condition["ArnLike"]["AWS:SourceArn"].as_str().is_none_or(|pattern| arn_like(pattern, source_arn));
        let owner = condition["StringEquals"]["AWS:SourceAccount"].as_str().is_none_or(|wanted| wanted == account);
        principal && action && source && owner
    })
}

/// `ArnLike`: each of the six parts on its own, with `*` and `?`.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, arn) = (parts(pattern), parts(arn));
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, text)| like(pattern.as_bytes(), text.as_bytes()))
}

fn like(pattern: &[u8], text: &[u8]) -> bool {
    // Where a star can take one more byte: one way back is enough, the last star is the only one that matters.
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    (p, t) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::arn_like;

    #[test]
    fn arns_match_part_by_part() {
        let arn = "arn:aws:execute-api:us-east-1:111122223333:abcde12345/prod/$connect";
        for (pattern, matches) in [
            ("arn:aws:execute-api:us-east-1:111122223333:abcde12345/*/*", true),
            ("arn:aws:execute-api:us-east-1:111122223333:abcde12345/*", true),
            ("arn:aws:execute-api:us-east-1:111122223333:abcde12345/prod/$connect", true),
            ("arn:aws:execute-api:us-east-1:111122223333:abcde1234?/prod/$c*t", true),
            ("arn:aws:execute-api:*:111122223333:*", true),
            ("arn:aws:execute-api:us-east-1:111122223333:abcde12345/test/*", false),
            ("arn:aws:execute-api:us-east-1:111122223333:other/*", false),
            ("arn:aws:execute-api:us-east-1:111122223333:abcde12345", false),
            ("arn:aws:execute-api:*", false),
            ("*", false),
        ] {
            assert_eq!(arn_like(pattern, arn), matches, "{pattern}");
        }
    }
}
