//! Statements that deny what is needed, and how each could be changed. An explicit deny outranks every allow: no policy beside it helps.

use serde::Serialize;
use serde_json::{Value, json};

use crate::provision::preflight::Culprit;

/// One statement that stands in the way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Obstacle {
    /// Name of its policy.
    pub policy: String,
    /// ARN of its policy; `None`: it is written into the user, the group or the role.
    pub arn: Option<String>,
    /// What kind of policy.
    pub kind: &'static str,
    /// The statement's `Sid`, where it has one.
    pub sid: Option<String>,
    /// What of the needed it denies.
    pub actions: Vec<String>,
    /// On what.
    pub resources: Vec<String>,
    /// As it stands.
    pub statement: Value,
    /// As it could stand.
    pub proposal: Value,
    /// What the proposal does.
    pub change: &'static str,
}

/// Each statement once, with all that it denies.
pub(super) fn of(culprits: &[Culprit], caller: &str) -> Vec<Obstacle> {
    let mut obstacles: Vec<Obstacle> = Vec::new();
    for culprit in culprits {
        let same =
            |other: &&mut Obstacle| (&other.policy, &other.arn, &other.statement) == (&culprit.policy, &culprit.arn, &culprit.statement);
        let obstacle = match obstacles.iter_mut().find(same) {
            Some(obstacle) => obstacle,
            None => {
                obstacles.push(new(culprit));
                let Some(last) = obstacles.last_mut() else { continue };
                last
            }
        };
        for (list, text) in [(&mut obstacle.actions, &culprit.action), (&mut obstacle.resources, &culprit.resource)] {
            if !list.contains(text) {
                list.push(text.clone());
            }
        }
    }
    for obstacle in &mut obstacles {
        (obstacle.proposal, obstacle.change) = proposal(obstacle, caller);
    }
    obstacles
}

fn new(culprit: &Culprit) -> Obstacle {
    Obstacle {
        policy: culprit.policy.clone(),
        arn: culprit.arn.clone(),
        kind: culprit.layer.name(),
        sid: culprit.sid.clone(),
        actions: Vec::new(),
        resources: Vec::new(),
        statement: culprit.statement.clone(),
        proposal: Value::Null,
        change: "",
    }
}

/// Where the statement denies everything, these resources are left out of it; else this principal is.
fn proposal(obstacle: &Obstacle, caller: &str) -> (Value, &'static str) {
    let mut statement = obstacle.statement.clone();
    let whole = statement["Resource"] == json!("*") || statement["Resource"] == json!(["*"]);
    if whole && !obstacle.resources.iter().any(|resource| resource == "*") {
        if let Some(members) = statement.as_object_mut() {
            members.remove("Resource");
            members.insert("NotResource".to_owned(), json!(obstacle.resources));
        }
        return (statement, "it goes on denying the same, on everything but what this stack needs");
    }
    let spared = &mut statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
    let before = match spared.take() {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        one @ (Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => vec![one],
    };
    *spared = before.into_iter().chain(principal_arns(caller).into_iter().map(Value::from)).collect();
    (statement, "it goes on denying the same, to everybody but the one who asks")
}

/// `aws:PrincipalArn` of a session is its role's ARN (IAM guide, global condition keys). The role's path is not in the session's.
fn principal_arns(caller: &str) -> Vec<String> {
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    if let [arn, partition, "sts", _, account, resource] = parts.as_slice()
        && let Some(role) = resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next())
    {
        let role = |path: &str| format!("{arn}:{partition}:iam::{account}:role/{path}{role}");
        return vec![role(""), role("*/")];
    }
    vec![caller.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::evidence::Layer;

    fn culprit(action: &str, resource: &str, statement: &Value) -> Culprit {
        Culprit {
            action: action.to_owned(),
            resource: resource.to_owned(),
            policy: "Guard".to_owned(),
            arn: Some("arn:aws:iam::111122223333:policy/Guard".to_owned()),
            layer: Layer::Identity,
            sid: None,
            statement: statement.clone(),
        }
    }

    const USER: &str = "arn:aws:iam::111122223333:user/dev";

    #[test]
    fn a_statement_that_denies_everything_leaves_out_what_is_needed() {
        let statement = json!({ "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*" });
        let found = [culprit("dynamodb:CreateTable", "t", &statement), culprit("dynamodb:DeleteTable", "t", &statement)];
        let obstacles = of(&found, USER);
        assert_eq!(obstacles.len(), 1);
        assert_eq!(obstacles[0].actions, ["dynamodb:CreateTable", "dynamodb:DeleteTable"]);
        assert_eq!(obstacles[0].proposal, json!({ "Effect": "Deny", "Action": "dynamodb:*", "NotResource": ["t"] }));
    }

    #[test]
    fn another_one_leaves_out_who_asks_and_keeps_its_conditions() {
        let statement = json!({ "Effect": "Deny", "NotAction": "s3:*", "Resource": "arn:aws:dynamodb:*:*:table/*",
            "Condition": { "Bool": { "aws:ViaAWSService": "false" } } });
        let of = |statement: &Value, caller: &str| of(&[culprit("dynamodb:CreateTable", "t", statement)], caller)[0].proposal.clone();
        let proposal = of(&statement, USER);
        assert_eq!(
            proposal["Condition"],
            json!({ "Bool": { "aws:ViaAWSService": "false" }, "ArnNotLike": { "aws:PrincipalArn": [USER] } })
        );
        assert_eq!((&proposal["NotAction"], &proposal["Resource"]), (&statement["NotAction"], &statement["Resource"]));
        let session = of(&proposal, "arn:aws:sts::111122223333:assumed-role/Developer/ann");
        let role = |path: &str| format!("arn:aws:iam::111122223333:role/{path}Developer");
        assert_eq!(session["Condition"]["ArnNotLike"]["aws:PrincipalArn"], json!([USER, role(""), role("*/")]));
    }
}
