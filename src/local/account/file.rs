//! The account file: its keys, as `templates/accounts/default.yaml` explains them, and what `extends` means.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_yaml::{Location, Spanned};

use super::{Account, Denials, build, built_in};

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The file cannot be read.
    #[error("cannot read the account file {file}")]
    Unreadable {
        /// Its path.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not as it must be.
    #[error("{file}:{line}:{column}: {what}")]
    Invalid {
        /// Its path.
        file: String,
        /// From 1; 0 where no place can be named.
        line: u64,
        /// From 1; 0 where no place can be named.
        column: u64,
        /// What is wrong.
        what: String,
    },
}

/// The keys of the file. What is `None` is taken from the account that the file extends.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    extends: Option<Spanned<String>>,
    pub account: Option<Spanned<String>>,
    pub caller: Option<Spanned<String>>,
    pub denials: Option<Denials>,
    pub root: Option<KeyPair>,
    pub users: Option<Vec<Entry>>,
    pub groups: Option<Vec<Entry>>,
    pub roles: Option<Vec<Entry>>,
    pub sessions: Option<Vec<SessionEntry>>,
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    #[serde(default)]
    pub service_control_policies: BTreeMap<String, Policy>,
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterEntry>,
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyPair {
    pub access_key_id: Spanned<String>,
    pub secret_access_key: String,
}

/// A user, a group or a role; which of them has which key is checked when the account is built.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub name: Spanned<String>,
    pub path: Option<Spanned<String>>,
    #[serde(default)]
    pub managed_policies: Vec<Spanned<String>>,
    #[serde(default)]
    pub inline_policies: BTreeMap<String, Policy>,
    pub permissions_boundary: Option<Spanned<String>>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    pub access_key_id: Option<Spanned<String>>,
    pub secret_access_key: Option<String>,
    pub groups: Option<Vec<Spanned<String>>>,
    pub trust: Option<Policy>,
    pub description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionEntry {
    pub role: Spanned<String>,
    pub session: String,
    pub access_key_id: Spanned<String>,
    pub secret_access_key: String,
    pub session_token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterEntry {
    pub value: String,
    #[serde(default)]
    pub secure: bool,
}

/// A document that is checked where it stands, so that the error names its place.
pub(super) struct Policy(pub Spanned<Value>);

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<Value>::deserialize(deserializer).map(Self)
    }
}

/// What is wrong, and where.
pub(super) struct Wrong {
    /// `None`: nowhere in particular.
    place: Option<Location>,
    what: String,
}

impl Wrong {
    pub(super) fn at<T>(place: &Spanned<T>, what: impl Into<String>) -> Self {
        Self { place: Some(place.referenced), what: what.into() }
    }

    pub(super) fn somewhere(what: impl Into<String>) -> Self {
        Self { place: None, what: what.into() }
    }
}

pub(super) fn read(text: &str, file: &str) -> Result<Account, AccountError> {
    let parsed = parse(text).and_then(File::extended);
    parsed.and_then(build::account).map_err(|Wrong { place, what }| {
        let (line, column) = place.map_or((0, 0), |place| (place.line(), place.column()));
        AccountError::Invalid { file: file.to_owned(), line, column, what }
    })
}

fn parse(text: &str) -> Result<File, Wrong> {
    serde_yaml::from_str(text).map_err(|source: serde_yaml::Error| {
        // The place is said once, and advice to programmers is of no use here.
        let what = source.without_snippet().to_string();
        let what = what.split(" at line ").next().unwrap_or(&what).split(", set DuplicateKeyPolicy").next().unwrap_or_default();
        Wrong { place: source.location(), what: what.to_owned() }
    })
}

impl File {
    /// The file upon the built-in account that it extends: what it says replaces what is there, but mappings keep their other entries.
    fn extended(self) -> Result<Self, Wrong> {
        let Some(name) = &self.extends else { return Ok(self) };
        let Some(found) = built_in::find(&name.value) else {
            return Err(Wrong::at(name, format!("there is no built-in account `{}`; those are {}", name.value, built_in::names())));
        };
        let base = parse(found.text)?.extended()?;
        Ok(Self {
            extends: None,
            account: self.account.or(base.account),
            caller: self.caller.or(base.caller),
            denials: self.denials.or(base.denials),
            root: self.root.or(base.root),
            users: self.users.or(base.users),
            groups: self.groups.or(base.groups),
            roles: self.roles.or(base.roles),
            sessions: self.sessions.or(base.sessions),
            policies: upon(base.policies, self.policies),
            service_control_policies: upon(base.service_control_policies, self.service_control_policies),
            parameters: upon(base.parameters, self.parameters),
            secrets: upon(base.secrets, self.secrets),
        })
    }
}

fn upon<T>(mut base: BTreeMap<String, T>, own: BTreeMap<String, T>) -> BTreeMap<String, T> {
    base.extend(own);
    base
}

#[cfg(test)]
mod tests {
    use super::read;

    fn error(text: &str) -> String {
        read(text, "account.yaml").unwrap_err().to_string()
    }

    #[test]
    fn names_the_place_of_what_is_wrong() {
        for (text, said) in [
            (
                "account: '111122223333'\nuser: []\n",
                "account.yaml:2:1: unknown field `user`, expected one of extends, account, caller, denials, root, users, groups, roles, sessions, policies",
            ),
            ("account: '1111'\n", "account.yaml:1:10: an account id has twelve digits"),
            ("users: []\n", "account.yaml:0:0: `account` is missing"),
            ("extends: defualt\n", "account.yaml:1:10: there is no built-in account `defualt`; those are "),
            ("account: '111122223333'\nusers:\n  - name: a b\n", "account.yaml:3:11: `a b` is no name of a user"),
            (
                "account: '111122223333'\nroles:\n  - name: r\n    trust: lambda.amazonaws.com\n    managed_policies: [gone]\n",
                "account.yaml:5:24: there is no policy `gone`",
            ),
            ("account: '111122223333'\nroles:\n  - name: r\n", "account.yaml:3:11: a role needs `trust`"),
            (
                "account: '111122223333'\nusers:\n  - {name: u, trust: lambda.amazonaws.com}\n",
                "account.yaml:3:12: a user has no `trust`, only a role has",
            ),
            (
                "account: '111122223333'\ngroups:\n  - {name: g, groups: [g]}\n",
                "account.yaml:3:12: a group has no `groups`, only a user has",
            ),
            ("account: '111122223333'\nusers:\n  - {name: u, groups: [gone]}\n", "account.yaml:3:24: there is no group `gone`"),
            (
                "account: '111122223333'\nusers:\n  - {name: u, access_key_id: A}\n",
                "account.yaml:3:12: access_key_id and secret_access_key",
            ),
            ("account: '111122223333'\ncaller: AKIA\n", "account.yaml:2:9: no key `AKIA`"),
            (
                "account: '111122223333'\npolicies:\n  p: {Version: '2012-10-17', Statement: [{Effect: Maybe}]}\n",
                "account.yaml:3:6: the Effect",
            ),
            (
                "account: '111122223333'\nroles:\n  - {name: r, trust: a.b}\n  - {name: r, path: /x/, trust: a.b}\n",
                "account.yaml:4:12: there are two",
            ),
            (
                "account: '111122223333'\nsessions:\n  - {role: r, session: s, access_key_id: A, secret_access_key: b, session_token: c}\n",
                "account.yaml:3:12: there is no role `r`",
            ),
            ("account: '111122223333'\nusers: []\nusers: []\n", "account.yaml:3:1: duplicate mapping key: users"),
            ("account: [\n", "account.yaml:"),
        ] {
            let error = error(text);
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn a_file_that_extends_another_replaces_lists_and_adds_to_mappings() {
        let text = "extends: default\nusers: [{name: ann, managed_policies: [More]}]\npolicies:\n  More: {Statement: {Effect: Allow, Action: '*', Resource: '*'}}\n";
        let account = read(text, "f").unwrap();
        assert!(account.named("user", "dev").is_none());
        assert!(account.role("websocket-handler-role").is_some());
        assert!(account.policy("arn:aws:iam::111122223333:policy/RestrictedUserResourceIsolation").is_some());
        assert_eq!(account.named("user", "ann").unwrap().attached, ["arn:aws:iam::111122223333:policy/More"]);
    }
}
