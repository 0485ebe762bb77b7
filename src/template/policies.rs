//! The policies of the two principals, as JSON that IAM takes.

use serde_json::Value;

use super::{Filled, Given};
use crate::provision::blueprint::policies;
use crate::provision::request::{Policy, Request};

pub(super) fn execution_role(given: Given<'_>) -> Filled {
    let (request, placeholders) = request(given);
    let document = request.role.policy.map(|policy| policy.document).unwrap_or_default();
    Filled { placeholders: with_api(placeholders, &request.placeholders), ..Filled::of("execution-role-policy.json", pretty(&document)) }
}

pub(super) fn trust(given: Given<'_>) -> Filled {
    let (request, _) = request(given);
    Filled::of("trust-policy.json", pretty(&request.role.trust_policy.unwrap_or_default()))
}

/// One policy, or several where one would be longer than IAM takes.
pub(super) fn deployer(given: Given<'_>) -> Filled {
    let (request, placeholders) = request(given);
    let several = request.deployer.len() > 1;
    let path = |at: usize| if several { format!("deployer-policy-{}.json", at + 1) } else { "deployer-policy.json".to_owned() };
    let file = |(at, policy): (usize, &Policy)| super::File { path: path(at), text: pretty(&policy.document) };
    let placeholders = with_api(placeholders, &request.placeholders);
    Filled { files: request.deployer.iter().enumerate().map(file).collect(), placeholders }
}

fn request(given: Given<'_>) -> (Request, Vec<String>) {
    let (place, mut placeholders) = given.place();
    let request = policies(given.config, place);
    if given.config.existing_role.is_none() {
        placeholders.push(format!("the role is called {}; `--existing-role` names another one", request.role.name));
    }
    (request, placeholders)
}

fn with_api(mut placeholders: Vec<String>, more: &[String]) -> Vec<String> {
    placeholders.extend_from_slice(more);
    placeholders
}

fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}
