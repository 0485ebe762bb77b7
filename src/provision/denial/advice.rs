//! What a denial means for the one who was refused, and the next step.

use super::{Denial, Effect, PolicyKind};

impl Denial {
    /// Why it was refused, in one line.
    #[must_use]
    pub fn why(&self) -> String {
        match (self.effect, &self.policy_kind) {
            (Effect::Explicit, Some(kind)) => format!("explicitly, in {} {}", article(kind.name()), kind.name()),
            (Effect::Explicit, None) => "explicitly; AWS does not say in which policy".to_owned(),
            (Effect::Implicit, Some(kind)) => format!("no {} allows it", kind.name()),
            (Effect::Implicit, None) => "no policy allows it".to_owned(),
            (Effect::Unknown, _) => "AWS does not say why".to_owned(),
        }
    }

    /// What an allow would change, and whom to ask for what. `action` and `resource`: of the call, for a text that does not name them.
    #[must_use]
    pub fn advice(&self, action: &str, resource: &str) -> String {
        if self.other_account {
            return "a function's role is of the function's account; name one of this account with `--existing-role`".to_owned();
        }
        let action = self.action.as_deref().unwrap_or(action);
        let resource = self.resource.as_deref().unwrap_or(resource);
        let another = match action {
            "iam:PassRole" => ", or name a role that you may pass with `--existing-role`",
            "dynamodb:PutResourcePolicy" => ", or name a role that has permissions of its own on the table with `--existing-role`",
            _ => "",
        };
        let asked = format!("`{action}` on `{resource}`");
        let owner = self.policy_kind.as_ref().map_or(ADMINISTRATOR, owner);
        let advice = match (self.effect, &self.policy_kind) {
            (Effect::Explicit, kind) => outranked(self.policy.as_deref(), kind.as_ref(), owner),
            (Effect::Implicit, Some(PolicyKind::Resource)) => {
                format!("the resource has a policy of its own, which has to allow it: ask {owner} to allow {asked} there")
            }
            (Effect::Implicit, Some(PolicyKind::Trust)) => {
                format!("the role's trust policy does not let it be assumed: ask {owner} to change that policy")
            }
            (
                Effect::Implicit,
                Some(
                    kind @ (PolicyKind::Boundary
                    | PolicyKind::Session
                    | PolicyKind::ServiceControl
                    | PolicyKind::ResourceControl
                    | PolicyKind::Endpoint),
                ),
            ) => format!("the {} does not allow {asked}: an allow in an identity policy is not enough; ask {owner}", kind.name()),
            (Effect::Implicit, Some(PolicyKind::Identity | PolicyKind::Other(_)) | None) => format!("ask {owner} to allow {asked}"),
            (Effect::Unknown, _) => {
                format!(
                    "ask {owner} to allow {asked}; if a policy denies it, which AWS does not say here, only a change to that policy helps"
                )
            }
        };
        let encoded = if self.encoded { "; `aws sts decode-authorization-message` shows the rest of what AWS said" } else { "" };
        format!("{advice}{another}{encoded}")
    }
}

const ADMINISTRATOR: &str = "an administrator of the account";

fn outranked(policy: Option<&str>, kind: Option<&PolicyKind>, owner: &str) -> String {
    let policy = match (policy, kind) {
        (Some(arn), _) => format!("the policy {arn}"),
        (None, Some(kind)) => format!("the {} that denies it", kind.name()),
        (None, None) => "the policy that denies it".to_owned(),
    };
    format!("an explicit deny outranks every allow: only a change to {policy} helps; ask {owner}")
}

/// Who can change a policy of this kind.
fn owner(kind: &PolicyKind) -> &'static str {
    match kind {
        PolicyKind::ServiceControl | PolicyKind::ResourceControl => "the administrators of the organisation",
        PolicyKind::Boundary => "whoever owns the permissions boundary",
        PolicyKind::Session => "whoever hands out the session",
        PolicyKind::Endpoint => "whoever owns the VPC endpoint",
        PolicyKind::Resource => "whoever owns the resource",
        PolicyKind::Identity | PolicyKind::Trust | PolicyKind::Other(_) => ADMINISTRATOR,
    }
}

fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
