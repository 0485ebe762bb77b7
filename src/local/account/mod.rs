//! The account: which users, roles and policies exist, which keys belong to whom, and what the stores of secrets hold.

mod build;
pub mod built_in;
mod file;

use std::collections::BTreeMap;
use std::path::Path;

use crate::policy::{Document, Source, Subject};

pub use file::AccountError;

/// Who exists in the account, and what they may do.
#[derive(Clone, Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Users, groups and roles, whose ARNs differ.
    pub(crate) entities: Vec<Entity>,
    pub(crate) managed: Vec<Managed>,
    pub(crate) service_control: Vec<ServiceControl>,
    pub(crate) keys: Vec<Key>,
    /// The access key that `wsfix dev` signs with; `None`: a user's.
    pub(crate) caller: Option<String>,
    /// The execution role that `wsfix dev` takes where none is named; empty: one is found.
    pub role: String,
    pub(crate) denials: Denials,
    /// ARN of the role that API Gateway writes logs with.
    pub(crate) log_role: Option<String>,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) app_runner_services: BTreeMap<String, AppRunnerService>,
}

/// A service of App Runner.
#[derive(Clone, Debug)]
pub(crate) struct AppRunnerService {
    /// Its host; `None`: one that is made up.
    pub url: Option<String>,
    /// As App Runner writes it: `RUNNING`, `PAUSED`.
    pub status: String,
}

/// What policies can be on.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub kind: EntityKind,
    pub arn: String,
    pub name: String,
    /// Begins and ends with `/`.
    pub path: String,
    /// `AIDA...`, `AGPA...` or `AROA...`
    pub id: String,
    pub inline: BTreeMap<String, Document>,
    /// ARNs of managed policies, in the file's order.
    pub attached: Vec<String>,
    pub boundary: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// What an entity is, and what only its kind has.
#[derive(Clone, Debug)]
pub(crate) enum EntityKind {
    /// With the ARNs of its groups.
    User {
        groups: Vec<String>,
    },
    Group,
    Role {
        trust: Document,
        description: Option<String>,
    },
}

impl EntityKind {
    /// As ARNs say it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Group => "group",
            Self::Role { .. } => "role",
        }
    }
}

impl Entity {
    /// Who may assume it; nobody assumes users and groups.
    pub(crate) fn trust(&self) -> Option<&Document> {
        match &self.kind {
            EntityKind::Role { trust, .. } => Some(trust),
            EntityKind::User { .. } | EntityKind::Group => None,
        }
    }

    /// The ARNs of a user's groups.
    pub(crate) fn groups(&self) -> &[String] {
        match &self.kind {
            EntityKind::User { groups } => groups,
            EntityKind::Group | EntityKind::Role { .. } => &[],
        }
    }
}

/// A policy with an ARN.
#[derive(Clone, Debug)]
pub(crate) struct Managed {
    pub arn: String,
    pub name: String,
    pub path: String,
    pub document: Document,
}

/// A policy of the organisation.
#[derive(Clone, Debug)]
pub(crate) struct ServiceControl {
    pub arn: String,
    pub name: String,
    pub document: Document,
}

/// An access key.
#[derive(Clone, Debug)]
pub struct Key {
    /// `AKIA...`, of temporary credentials `ASIA...`
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
    pub(crate) owner: Owner,
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The user's ARN.
    User(String),
    /// A session of a role.
    Session {
        role: String,
        name: String,
    },
    Root,
}

/// A parameter of the Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub value: String,
    pub secure: bool,
}

/// How much a denial tells: AWS rolls the policy's ARN out slowly, and some services say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Denials {
    /// With the ARN of the policy that denies.
    #[default]
    Full,
    /// With the kind of policy only.
    WithoutPolicy,
    /// Who, what and where, but not why.
    WithoutReason,
    /// `Access Denied`
    Bare,
}

impl Account {
    /// The account that is built in: a user `dev` who may provision but may write nothing in IAM, a role that may only write logs,
    /// a role that fits the handler, and roles that do not.
    ///
    /// # Panics
    /// Never: the file is part of the program, and a test reads it.
    #[must_use]
    pub fn built_in() -> Self {
        #[expect(clippy::expect_used, reason = "a test reads the same text")]
        Self::of("default").expect("the built-in account file is valid")
    }

    /// The built-in account of this name; `None` where it is none of [`built_in::ALL`].
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let found = built_in::find(name)?;
        Self::parse(found.text, name).ok()
    }

    /// Reads an account file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not as it must be: the error says the file, the line and what is wrong.
    pub fn load(path: &Path) -> Result<Self, AccountError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| AccountError::Unreadable { file: name.clone(), source })?;
        Self::parse(&text, &name)
    }

    /// Reads the text of an account file; `file` is the name that errors carry.
    ///
    /// # Errors
    /// As [`Account::load`].
    pub fn parse(text: &str, file: &str) -> Result<Self, AccountError> {
        file::read(text, file)
    }

    /// The key that the person at this machine has: the one that the file names as `caller`, else that of the user `dev`, else of the
    /// first user with a key.
    #[must_use]
    pub fn caller_key(&self) -> Option<&Key> {
        if let Some(id) = &self.caller {
            return self.keys.iter().find(|key| key.access_key_id == *id);
        }
        let user = |key: &&Key| match &key.owner {
            Owner::User(arn) => Some(arn.ends_with("/dev")),
            Owner::Session { .. } | Owner::Root => None,
        };
        let users = || self.keys.iter().filter(|key| user(key).is_some());
        users().find(|key| user(key) == Some(true)).or_else(|| users().next())
    }

    /// The user, the group or the role with this ARN.
    pub(crate) fn entity(&self, arn: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.arn == arn)
    }

    /// An entity of this kind (`user`, `group` or `role`); names are unique in a kind, whatever the path.
    pub(crate) fn named(&self, kind: &str, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.kind.name() == kind && entity.name == name)
    }

    /// A role.
    pub(crate) fn role(&self, name: &str) -> Option<&Entity> {
        self.named("role", name)
    }

    pub(crate) fn policy(&self, arn: &str) -> Option<&Managed> {
        self.managed.iter().find(|policy| policy.arn == arn)
    }

    /// Whose policies count for a principal; one that does not exist has none.
    pub(crate) fn subject<'a>(&'a self, arn: &'a str, principal: &'a str) -> Subject<'a> {
        let entity = self.entity(principal);
        let managed =
            |arn: &String| self.policy(arn).map(|policy| Source { arn: Some(&policy.arn), name: &policy.name, document: &policy.document });
        let on = |entity: &'a Entity| {
            let inline = entity.inline.iter().map(|(name, document)| Source { arn: None, name, document });
            entity.attached.iter().filter_map(managed).chain(inline)
        };
        let groups = entity.into_iter().flat_map(Entity::groups).filter_map(|group| self.entity(group));
        let service_control =
            self.service_control.iter().map(|policy| Source { arn: Some(&policy.arn), name: &policy.name, document: &policy.document });
        Subject {
            arn,
            principal,
            account: &self.id,
            root: principal == self.root(),
            identity: entity.into_iter().chain(groups).flat_map(on).collect(),
            boundary: entity.and_then(|entity| entity.boundary.as_ref()).and_then(managed),
            service_control: service_control.collect(),
        }
    }

    /// The ARN of the account itself.
    pub(crate) fn root(&self) -> String {
        format!("arn:aws:iam::{}:root", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Owner};

    #[test]
    fn the_built_in_account_has_who_it_promises() {
        let account = Account::built_in();
        assert_eq!(account.id, "111122223333");
        let key = account.keys.iter().find(|key| key.access_key_id == "AKIAWSFIXLOCALDEV001").unwrap();
        assert_eq!(key.owner, Owner::User("arn:aws:iam::111122223333:user/dev".to_owned()));
        assert_eq!(key.secret_access_key, "wsfix-local-secret");
        for role in ["lambda_basic_execution", "websocket-handler-role"] {
            assert_eq!(account.role(role).unwrap().arn, format!("arn:aws:iam::111122223333:role/{role}"));
        }
    }
}
