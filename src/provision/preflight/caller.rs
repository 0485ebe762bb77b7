//! Who is calling, as IAM knows them.

use crate::provision::aws::Clients;
use crate::provision::error::AwsError;
use crate::provision::evidence::Answer;
use crate::provision::roles;

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An IAM user.
    User { arn: String },
    /// A session of a role, its own or that of single sign-on.
    Role {
        /// Of the role, not of the session.
        arn: String,
        /// As GetCallerIdentity says it.
        session: String,
        /// Why the role's path is not known, where it is not: the ARN is then a guess.
        guessed: Option<String>,
    },
    /// A session that GetFederationToken made.
    Federated { arn: String },
    /// The account itself.
    Root { arn: String },
    /// Nothing that IAM's guide tells of.
    Other { arn: String },
}

/// How the names of roles begin that IAM Identity Center makes.
const SINGLE_SIGN_ON: &str = "AWSReservedSSO_";

impl Caller {
    /// Reads the ARN of GetCallerIdentity. The path of a session's role is not in it.
    pub(crate) fn of(arn: &str) -> Self {
        let mut fields = arn.splitn(6, ':');
        let (partition, service) = (fields.nth(1).unwrap_or_default(), fields.next().unwrap_or_default());
        let (account, resource) = (fields.nth(1).unwrap_or_default(), fields.next().unwrap_or_default());
        let arn = arn.to_owned();
        match (service, resource.split_once('/')) {
            ("iam", Some(("user", _))) => Self::User { arn },
            ("iam", None) if resource == "root" => Self::Root { arn },
            ("sts", Some(("federated-user", _))) => Self::Federated { arn },
            ("sts", Some(("assumed-role", rest))) => {
                let name = rest.split('/').next().unwrap_or_default();
                let path = if name.starts_with(SINGLE_SIGN_ON) { "aws-reserved/sso.amazonaws.com/" } else { "" };
                let guessed = Some("a session does not tell its role's path".to_owned());
                Self::Role { arn: format!("arn:{partition}:iam::{account}:role/{path}{name}"), session: arn, guessed }
            }
            _ => Self::Other { arn },
        }
    }

    /// The user or the role that can be asked about.
    pub(crate) fn principal(&self) -> Option<&str> {
        match self {
            Self::User { arn } | Self::Role { arn, .. } => Some(arn),
            Self::Federated { .. } | Self::Root { .. } | Self::Other { .. } => None,
        }
    }

    /// The answer to every question about one who cannot be asked about.
    pub(crate) fn answer(&self) -> Answer {
        match self {
            Self::Root { .. } => Answer::Allowed(vec!["the account's root user".to_owned()]),
            Self::Federated { .. } => Answer::Unknown("IAM cannot be asked about federated sessions".to_owned()),
            Self::User { .. } | Self::Role { .. } | Self::Other { .. } => {
                Answer::Unknown("IAM cannot be asked about such a caller".to_owned())
            }
        }
    }

    /// As a person reads it.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::User { arn } => format!("user {arn}"),
            Self::Role { arn, session, guessed } => {
                let kind = if roles::name(arn).starts_with(SINGLE_SIGN_ON) { "single sign-on role" } else { "role" };
                let guess = guessed.as_ref().map(|why| format!(", a guess: {why}")).unwrap_or_default();
                format!("{kind} {arn}{guess} (session {})", session.rsplit('/').next().unwrap_or_default())
            }
            Self::Federated { arn } => format!("federated user {arn}"),
            Self::Root { arn } => format!("the account's root user {arn}"),
            Self::Other { arn } => arn.clone(),
        }
    }
}

/// The caller, with the true ARN of a session's role where GetRole may be called.
pub(crate) async fn find(clients: &Clients, arn: &str) -> Result<Caller, AwsError> {
    let caller = Caller::of(arn);
    let Caller::Role { arn: guess, session, .. } = &caller else { return Ok(caller) };
    Ok(match roles::known(roles::get(clients, guess).await)? {
        Ok(role) => Caller::Role { arn: role.arn, session: session.clone(), guessed: None },
        Err(why) => Caller::Role { arn: guess.clone(), session: session.clone(), guessed: Some(why) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_caller_is_told_apart() {
        let words = |arn: &str| Caller::of(arn).words();
        insta::assert_snapshot!(
            [
                "arn:aws:iam::111122223333:user/team/dev@example",
                "arn:aws-cn:sts::111122223333:assumed-role/ci/build-7",
                "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0a1b/jane@example.com",
                "arn:aws:sts::111122223333:federated-user/jo",
                "arn:aws:iam::111122223333:root",
                "arn:aws:sts::111122223333:something/new",
                "nonsense",
                "",
            ]
            .map(words)
            .join("\n"),
            @r"
        user arn:aws:iam::111122223333:user/team/dev@example
        role arn:aws-cn:iam::111122223333:role/ci, a guess: a session does not tell its role's path (session build-7)
        single sign-on role arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0a1b, a guess: a session does not tell its role's path (session jane@example.com)
        federated user arn:aws:sts::111122223333:federated-user/jo
        the account's root user arn:aws:iam::111122223333:root
        arn:aws:sts::111122223333:something/new
        nonsense
        "
        );
    }

    #[test]
    fn only_users_and_roles_can_be_asked_about() {
        let asked = |arn: &str| Caller::of(arn).principal().map(str::to_owned);
        assert_eq!(asked("arn:aws:iam::1:user/dev").as_deref(), Some("arn:aws:iam::1:user/dev"));
        assert_eq!(asked("arn:aws:sts::1:assumed-role/ci/x").as_deref(), Some("arn:aws:iam::1:role/ci"));
        for arn in ["arn:aws:iam::1:root", "arn:aws:sts::1:federated-user/jo", "x"] {
            assert_eq!(asked(arn), None);
        }
        assert_eq!(Caller::of("arn:aws:iam::1:root").answer().word(), "allowed");
        assert_eq!(Caller::of("arn:aws:sts::1:federated-user/jo").answer().word(), "unknown");
    }
}
