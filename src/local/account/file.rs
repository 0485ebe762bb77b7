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

/// The keys of the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    extends: Option<Spanned<String>>,
    #[serde(default)]
    without: Vec<Spanned<String>>,
    pub account: Option<Spanned<String>>,
    pub caller: Option<Spanned<String>>,
    pub role: Option<String>,
    pub denials: Option<Denials>,
    pub api_gateway_log_role: Option<Spanned<String>>,
    pub root: Option<KeyPair>,
    #[serde(default)]
    pub users: Vec<Entry>,
    #[serde(default)]
    pub groups: Vec<Entry>,
    #[serde(default)]
    pub roles: Vec<Entry>,
    #[serde(default)]
    pub sessions: Vec<SessionEntry>,
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    #[serde(default)]
    pub service_control_policies: BTreeMap<String, Policy>,
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterEntry>,
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    #[serde(default)]
    pub apprunner_services: BTreeMap<String, AppRunnerEntry>,
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
    pub managed_policies: Option<Vec<Spanned<String>>>,
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

/// A service of App Runner.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppRunnerEntry {
    pub url: Option<String>,
    pub status: Option<String>,
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
    /// The file upon the built-in account that it extends: entries of one name become one, key by key, and all others are kept.
    fn extended(self) -> Result<Self, Wrong> {
        let Some(name) = &self.extends else {
            let pointless = |name: &Spanned<String>| Wrong::at(name, "`without` means entries of the account that `extends` names");
            return self.without.first().map_or(Ok(()), |name| Err(pointless(name))).map(|()| self);
        };
        let Some(found) = built_in::find(&name.value) else {
            return Err(Wrong::at(name, format!("there is no built-in account `{}`; those are {}", name.value, built_in::names())));
        };
        let mut base = parse(found.text)?.extended()?;
        for name in &self.without {
            let before = base.names().count();
            for entries in [&mut base.users, &mut base.groups, &mut base.roles] {
                entries.retain(|entry| entry.name.value != name.value);
            }
            if base.names().count() == before {
                return Err(Wrong::at(name, format!("`{}` has no user, group or role `{}`", found.name, name.value)));
            }
        }
        Ok(Self {
            extends: None,
            without: Vec::new(),
            account: self.account.or(base.account),
            caller: self.caller.or(base.caller),
            role: self.role.or(base.role),
            denials: self.denials.or(base.denials),
            api_gateway_log_role: self.api_gateway_log_role.or(base.api_gateway_log_role),
            root: self.root.or(base.root),
            users: merged(base.users, self.users),
            groups: merged(base.groups, self.groups),
            roles: merged(base.roles, self.roles),
            sessions: base.sessions.into_iter().chain(self.sessions).collect(),
            policies: upon(base.policies, self.policies),
            service_control_policies: upon(base.service_control_policies, self.service_control_policies),
            parameters: upon(base.parameters, self.parameters),
            secrets: upon(base.secrets, self.secrets),
            apprunner_services: upon(base.apprunner_services, self.apprunner_services),
        })
    }

    /// Of users, groups and roles.
    fn names(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.users.iter().chain(&self.groups).chain(&self.roles).map(|entry| &entry.name)
    }
}

impl Entry {
    fn upon(self, base: Self) -> Self {
        Self {
            name: self.name,
            path: self.path.or(base.path),
            managed_policies: self.managed_policies.or(base.managed_policies),
            inline_policies: upon(base.inline_policies, self.inline_policies),
            permissions_boundary: self.permissions_boundary.or(base.permissions_boundary),
            tags: upon(base.tags, self.tags),
            access_key_id: self.access_key_id.or(base.access_key_id),
            secret_access_key: self.secret_access_key.or(base.secret_access_key),
            groups: self.groups.or(base.groups),
            trust: self.trust.or(base.trust),
            description: self.description.or(base.description),
        }
    }
}

fn merged(mut base: Vec<Entry>, own: Vec<Entry>) -> Vec<Entry> {
    for entry in own {
        match base.iter().position(|other| other.name.value == entry.name.value) {
            Some(at) => {
                let other = base.remove(at);
                base.insert(at, entry.upon(other));
            }
            None => base.push(entry),
        }
    }
    base
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
                "account.yaml:2:1: unknown field `user`, expected one of extends, without, account, caller, role, denials, api_gateway_log_role, root, users, groups, roles, sessions, policies",
            ),
            ("account: '111122223333'\nwithout: [dev]\n", "account.yaml:2:11: `without` means"),
            ("extends: default\nwithout: [nobody]\n", "account.yaml:2:11: `default` has no user, group or role `nobody`"),
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
            ("account: '111122223333'\napi_gateway_log_role: gone\n", "account.yaml:2:23: there is no role `gone`"),
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
    fn a_file_that_extends_another_changes_what_it_names() {
        let text = "extends: default\nwithout: [ec2-instance]\nusers:\n  - {name: dev, path: /team/, managed_policies: [More]}\n  - {name: ann}\n\
                    policies:\n  More: {Statement: {Effect: Allow, Action: '*', Resource: '*'}}\n";
        let account = read(text, "f").unwrap();
        let dev = account.named("user", "dev").unwrap();
        assert_eq!((dev.path.as_str(), dev.attached.as_slice()), ("/team/", &["arn:aws:iam::111122223333:policy/More".to_owned()][..]));
        assert_eq!(dev.groups(), ["arn:aws:iam::111122223333:group/developers"]);
        assert!(account.keys.iter().any(|key| key.access_key_id == "AKIAWSFIXLOCALDEV001"));
        assert!(account.named("user", "ann").is_some() && account.role("websocket-handler-role").is_some());
        assert!(account.role("ec2-instance").is_none());
    }
}
