//! Which statement stands in the way: of the caller's policies that can be read, the one that denies.

use serde_json::Value;

use super::caller::Caller;
use super::{judge, read};
use crate::policy::{self, Context, Request};
use crate::provision::aws::Clients;
use crate::provision::error::AwsError;
use crate::provision::evidence::Layer;
use crate::provision::permissions::Scope;
use crate::provision::roles::{Named, Policies};

/// A statement that denies something.
#[derive(Clone, Debug, PartialEq)]
pub struct Culprit {
    /// What it denies.
    pub action: String,
    /// On what.
    pub resource: String,
    /// Name of the policy.
    pub policy: String,
    /// ARN of the policy; `None`: it is written into the user, the group or the role.
    pub arn: Option<String>,
    /// Whether it is one of the caller's own policies or its boundary.
    pub layer: Layer,
    /// The statement's `Sid`, where it has one.
    pub sid: Option<String>,
    /// The statement as it stands in the policy.
    pub statement: Value,
}

/// For each action and resource the statements of the caller's policies that deny it. Empty where none does or none can be read.
///
/// # Errors
/// When there is no answer at all, or the credentials are wrong.
pub(crate) async fn culprits(
    clients: &Clients,
    scope: Scope<'_>,
    caller: &Caller,
    denied: &[(&str, &str)],
) -> Result<Vec<Culprit>, AwsError> {
    let Some(principal) = caller.principal() else { return Ok(Vec::new()) };
    let policies = read::policies(clients, caller).await?;
    let context = judge::known_context(judge::context(scope, caller), principal);
    Ok(denied.iter().flat_map(|(action, resource)| find(&policies, action, resource, &context)).collect())
}

/// The statements that deny it, of what was read.
fn find(policies: &Policies, action: &str, resource: &str, context: &Context) -> Vec<Culprit> {
    let identity = policies.identity.iter().map(|named| (named, Layer::Identity));
    let boundary = policies.boundary.iter().map(|named| (named, Layer::Boundary));
    let of = |(named, layer): (&Named, Layer)| {
        let statements = policy::denying(&named.document, Request { action, resource, context });
        let culprit = |statement: Value| Culprit {
            action: action.to_owned(),
            resource: resource.to_owned(),
            policy: named.name.clone(),
            arn: named.arn.clone(),
            layer,
            sid: statement["Sid"].as_str().map(str::to_owned),
            statement,
        };
        statements.into_iter().map(culprit).collect::<Vec<_>>()
    };
    identity.chain(boundary).flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Document;

    fn policy(name: &str, statements: Value) -> Named {
        let document = Document::parse(&json!({"Version": "2012-10-17", "Statement": statements})).expect("a policy");
        Named { name: name.to_owned(), arn: Some(format!("arn:aws:iam::111122223333:policy/{name}")), document }
    }

    #[test]
    fn the_statement_that_denies_is_found_among_others() {
        let deny = json!({"Sid": "NoIamWrites", "Effect": "Deny", "Action": ["iam:Create*", "iam:Put*"], "Resource": "*"});
        let policies = Policies {
            identity: vec![
                policy("All", json!({"Effect": "Allow", "Action": "*", "Resource": "*"})),
                policy("Guard", json!([{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}, deny])),
            ],
            boundary: Some(policy("Edge", json!([{"Effect": "Deny", "NotAction": "lambda:*", "Resource": "*"}]))),
            ..Policies::default()
        };
        let find = |action| find(&policies, action, "arn:aws:iam::111122223333:role/r", &Context::default());
        let found = find("iam:CreateRole");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].policy.as_str(), found[0].sid.as_deref(), found[0].layer), ("Guard", Some("NoIamWrites"), Layer::Identity));
        assert_eq!(found[0].statement, deny);
        assert_eq!((found[1].policy.as_str(), found[1].sid.as_deref(), found[1].layer), ("Edge", None, Layer::Boundary));
        assert!(find("lambda:GetFunction").is_empty());
    }

    #[test]
    fn a_condition_that_does_not_hold_denies_nothing() {
        let region = json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}});
        let policies = Policies { identity: vec![policy("Regions", region)], ..Policies::default() };
        let at =
            |region: &str| find(&policies, "lambda:CreateFunction", "*", &Context::default().with("aws:RequestedRegion", region)).len();
        assert_eq!((at("eu-west-1"), at("us-east-1")), (0, 1));
    }
}
