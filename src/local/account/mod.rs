//! The account: which users, roles and policies exist, which keys belong to whom, and what the stores of secrets hold.

mod file;

use std::collections::BTreeMap;
use std::path::Path;

use crate::policy::{Document, Source, Subject};

pub use file::AccountError;

/// The account that is there where no file is named.
const BUILT_IN: &str = include_str!("../../../templates/accounts/default.yaml");

/// Who exists in the account, and what they may do.
#[derive(Clone, Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Users and roles, whose ARNs differ.
    pub(crate) entities: Vec<Entity>,
    pub(crate) managed: Vec<Managed>,
    pub(crate) service_control: Vec<ServiceControl>,
    pub(crate) keys: Vec<Key>,
    pub(crate) denials: Denials,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) secrets: BTreeMap<String, String>,
}

/// A user or a role.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub arn: String,
    pub name: String,
    /// Begins and ends with `/`.
    pub path: String,
    /// `AIDA...` or `AROA...`
    pub id: String,
    /// Of roles.
    pub trust: Option<Document>,
    pub description: Option<String>,
    pub inline: BTreeMap<String, Document>,
    /// ARNs of managed policies, in the file's order.
    pub attached: Vec<String>,
    pub boundary: Option<String>,
    pub tags: BTreeMap<String, String>,
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
pub(crate) struct Key {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
    pub owner: Owner,
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
        Self::parse(BUILT_IN, "templates/accounts/default.yaml").expect("the built-in account file is valid")
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

    /// The user or the role with this ARN.
    pub(crate) fn entity(&self, arn: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.arn == arn)
    }

    /// All roles, by name.
    pub(crate) fn roles(&self) -> impl Iterator<Item = (&Entity, &Document)> {
        self.entities.iter().filter_map(|entity| entity.trust.as_ref().map(|trust| (entity, trust)))
    }

    /// A role; names are unique, whatever the path.
    pub(crate) fn role(&self, name: &str) -> Option<(&Entity, &Document)> {
        self.roles().find(|(role, _)| role.name == name)
    }

    pub(crate) fn policy(&self, arn: &str) -> Option<&Managed> {
        self.managed.iter().find(|policy| policy.arn == arn)
    }

    /// Whose policies count for a principal; one that does not exist has none.
    pub(crate) fn subject<'a>(&'a self, arn: &'a str, principal: &'a str) -> Subject<'a> {
        let entity = self.entity(principal);
        let managed =
            |arn: &String| self.policy(arn).map(|policy| Source { arn: Some(&policy.arn), name: &policy.name, document: &policy.document });
        let identity = entity.map_or(Vec::new(), |entity| {
            let inline = entity.inline.iter().map(|(name, document)| Source { arn: None, name, document });
            entity.attached.iter().filter_map(managed).chain(inline).collect()
        });
        let service_control =
            self.service_control.iter().map(|policy| Source { arn: Some(&policy.arn), name: &policy.name, document: &policy.document });
        Subject {
            arn,
            principal,
            account: &self.id,
            root: principal == self.root(),
            identity,
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
            assert_eq!(account.role(role).unwrap().0.arn, format!("arn:aws:iam::111122223333:role/{role}"));
        }
    }
}
