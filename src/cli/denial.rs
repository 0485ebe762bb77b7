//! AWS's text of a denial, taken apart: what was refused, on what, and by which policy.
//!
//! The text is for people and its parts are optional (IAM guide, "Troubleshoot access denied error messages").

/// A denial. Parts that the text does not have are `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Denial {
    /// `iam:PassRole`
    pub(crate) action: Option<String>,
    /// The ARN or the name that it was asked for.
    pub(crate) resource: Option<String>,
    /// `identity-based policy`, `service control policy` ...: what denies, or what would have to allow.
    pub(crate) policy_kind: Option<String>,
    /// The ARN of the policy that denies.
    pub(crate) policy: Option<String>,
}

impl Denial {
    /// Takes AWS's text apart; never fails.
    pub(crate) fn parse(said: &str) -> Self {
        let text = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((_, rest)) = text.split_once("not authorized to perform: ") else { return Self::default() };
        let (action, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let explicit = " with an explicit deny in ";
        let implicit = " because no ";
        let rest = format!(" {rest}");
        let ends = [explicit, implicit].iter().filter_map(|phrase| rest.find(phrase)).min().unwrap_or(rest.len());
        let resource = rest[..ends].split_once(" on resource: ").and_then(|(_, name)| name.split(' ').next());
        let why = &rest[ends..];
        let policy_kind = if let Some(why) = why.strip_prefix(explicit) {
            let why = ["a ", "an ", "the "].iter().find_map(|article| why.strip_prefix(article)).unwrap_or(why);
            why.split([':', '.', '(']).next()
        } else {
            why.strip_prefix(implicit).and_then(|why| why.split_once(" allows ")).map(|(kind, _)| kind)
        };
        let policy = why.split(' ').find(|word| word.starts_with("arn:") && word.contains("policy/"));
        let trimmed = |part: &str| part.trim().trim_end_matches(['.', ',', ')']).to_owned();
        Self {
            action: Some(trimmed(action)),
            resource: resource.map(trimmed),
            policy_kind: policy_kind.map(trimmed).filter(|kind| !kind.is_empty()),
            policy: policy.map(trimmed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(said: &str) -> [String; 4] {
        let Denial { action, resource, policy_kind, policy } = Denial::parse(said);
        [action, resource, policy_kind, policy].map(Option::unwrap_or_default)
    }

    #[test]
    fn an_explicit_deny_names_its_policy() {
        let said = "AccessDenied: User: arn:aws:iam::111122223333:user/dev@example.com is not authorized to perform: iam:CreateRole\n   on resource: \
                    arn:aws:iam::111122223333:role/x with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/No-Roles.";
        let expected =
            ["iam:CreateRole", "arn:aws:iam::111122223333:role/x", "identity-based policy", "arn:aws:iam::111122223333:policy/No-Roles"];
        assert_eq!(parts(said), expected);
    }

    #[test]
    fn an_implicit_denial_names_what_would_have_to_allow() {
        let said = "User: arn:aws:sts::111122223333:assumed-role/ci/s is not authorized to perform: iam:PassRole on resource: \
                    arn:aws:iam::111122223333:role/r because no permissions boundary allows the iam:PassRole action";
        assert_eq!(parts(said), ["iam:PassRole", "arn:aws:iam::111122223333:role/r", "permissions boundary", ""]);
    }

    #[test]
    fn missing_parts_are_missing() {
        assert_eq!(parts("Forbidden"), ["", "", "", ""]);
        assert_eq!(parts("User: x is not authorized to perform: apigateway:POST"), ["apigateway:POST", "", "", ""]);
        let said =
            "User: x is not authorized to perform: lambda:TagResource with an explicit deny in a service control policy (Service: Lambda)";
        assert_eq!(parts(said), ["lambda:TagResource", "", "service control policy", ""]);
    }
}
