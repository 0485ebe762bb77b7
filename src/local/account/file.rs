//! The account file: YAML into an [`Account`].

use std::collections::BTreeMap;

use ring::digest;
use serde::Deserialize;
use serde_json::Value;
use serde_yaml::{Location, Spanned};

use super::{Account, Denials, Entity, Key, Managed, Owner, Parameter, ServiceControl};
use crate::policy::Document;

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    account: Spanned<String>,
    #[serde(default)]
    denials: Denials,
    root: Option<KeyPair>,
    #[serde(default)]
    users: Vec<UserEntry>,
    #[serde(default)]
    roles: Vec<RoleEntry>,
    #[serde(default)]
    sessions: Vec<SessionEntry>,
    #[serde(default)]
    policies: BTreeMap<String, Policy>,
    #[serde(default)]
    service_control_policies: BTreeMap<String, Policy>,
    #[serde(default)]
    parameters: BTreeMap<String, ParameterEntry>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyPair {
    access_key_id: Spanned<String>,
    secret_access_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    name: Spanned<String>,
    #[serde(default = "slash")]
    path: Spanned<String>,
    access_key_id: Option<Spanned<String>>,
    secret_access_key: Option<String>,
    #[serde(default)]
    managed_policies: Vec<Spanned<String>>,
    #[serde(default)]
    inline_policies: BTreeMap<String, Policy>,
    permissions_boundary: Option<Spanned<String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleEntry {
    name: Spanned<String>,
    #[serde(default = "slash")]
    path: Spanned<String>,
    description: Option<String>,
    trust: Policy,
    #[serde(default)]
    managed_policies: Vec<Spanned<String>>,
    #[serde(default)]
    inline_policies: BTreeMap<String, Policy>,
    permissions_boundary: Option<Spanned<String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionEntry {
    role: Spanned<String>,
    session: String,
    access_key_id: Spanned<String>,
    secret_access_key: String,
    session_token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterEntry {
    value: String,
    #[serde(default)]
    secure: bool,
}

/// A document that is checked where it stands, so that the error names its place.
struct Policy(Spanned<Value>);

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<Value>::deserialize(deserializer).map(Self)
    }
}

fn slash() -> Spanned<String> {
    Spanned::new("/".to_owned(), Location::UNKNOWN, Location::UNKNOWN)
}

pub(super) fn read(text: &str, file: &str) -> Result<Account, AccountError> {
    let parsed: Result<File, _> = serde_yaml::from_str(text);
    let error = |place: Option<Location>, what: String| {
        let (line, column) = place.map_or((0, 0), |place| (place.line(), place.column()));
        AccountError::Invalid { file: file.to_owned(), line, column, what }
    };
    match parsed {
        Ok(parsed) => build(parsed).map_err(|Wrong(place, what)| error(Some(place), what)),
        Err(source) => {
            // The place is said once, and advice to programmers is of no use here.
            let what = source.without_snippet().to_string();
            let what = what.split(" at line ").next().unwrap_or(&what).split(", set DuplicateKeyPolicy").next().unwrap_or_default();
            Err(error(source.location(), what.to_owned()))
        }
    }
}

/// What is wrong, and where.
struct Wrong(Location, String);

fn wrong<T>(place: &Spanned<T>, what: impl Into<String>) -> Wrong {
    Wrong(place.referenced, what.into())
}

fn build(file: File) -> Result<Account, Wrong> {
    let id = file.account.value.clone();
    if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong(&file.account, "an account id has twelve digits; write it in quotes"));
    }
    let managed = file.policies.into_iter().map(|(name, policy)| managed(&id, &name, &policy)).collect::<Result<Vec<_>, _>>()?;
    let mut account = Account {
        entities: Vec::new(),
        service_control: service_control(&file.service_control_policies)?,
        keys: Vec::new(),
        denials: file.denials,
        parameters: file
            .parameters
            .into_iter()
            .map(|(name, entry)| (name, Parameter { value: entry.value, secure: entry.secure }))
            .collect(),
        secrets: file.secrets,
        managed,
        id,
    };
    if let Some(pair) = file.root {
        add_key(&mut account, &pair.access_key_id, pair.secret_access_key, None, Owner::Root)?;
    }
    for user in file.users {
        add_user(&mut account, user)?;
    }
    for role in file.roles {
        let attached = Attached {
            policies: role.managed_policies,
            inline: role.inline_policies,
            boundary: role.permissions_boundary,
            tags: role.tags,
        };
        let mut entity = entity(&account, "role", &role.name, &role.path, attached)?;
        entity.trust = Some(document(&role.trust)?);
        entity.description = role.description;
        account.entities.push(entity);
    }
    for session in file.sessions {
        let role = account.role(&session.role.value).map(|(role, _)| role.arn.clone());
        let role = role.ok_or_else(|| wrong(&session.role, format!("there is no role `{}` in this file", session.role.value)))?;
        let owner = Owner::Session { role, name: session.session };
        add_key(&mut account, &session.access_key_id, session.secret_access_key, Some(session.session_token), owner)?;
    }
    Ok(account)
}

fn add_user(account: &mut Account, user: UserEntry) -> Result<(), Wrong> {
    let attached =
        Attached { policies: user.managed_policies, inline: user.inline_policies, boundary: user.permissions_boundary, tags: user.tags };
    let entity = entity(account, "user", &user.name, &user.path, attached)?;
    match (user.access_key_id, user.secret_access_key) {
        (Some(key), Some(secret)) => add_key(account, &key, secret, None, Owner::User(entity.arn.clone()))?,
        (None, None) => {}
        _ => return Err(wrong(&user.name, "access_key_id and secret_access_key go together")),
    }
    account.entities.push(entity);
    Ok(())
}

fn add_key(account: &mut Account, id: &Spanned<String>, secret: String, token: Option<String>, owner: Owner) -> Result<(), Wrong> {
    if account.keys.iter().any(|key| key.access_key_id == id.value) {
        return Err(wrong(id, "this access key is in the file twice"));
    }
    account.keys.push(Key { access_key_id: id.value.clone(), secret_access_key: secret, session_token: token, owner });
    Ok(())
}

/// What users and roles have alike.
struct Attached {
    policies: Vec<Spanned<String>>,
    inline: BTreeMap<String, Policy>,
    boundary: Option<Spanned<String>>,
    tags: BTreeMap<String, String>,
}

fn entity(account: &Account, kind: &str, name: &Spanned<String>, path: &Spanned<String>, attached: Attached) -> Result<Entity, Wrong> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if name.value.is_empty() || name.value.len() > 64 || !name.value.bytes().all(allowed) {
        return Err(wrong(name, format!("`{}` is no name of a {kind}: 1 to 64 letters, digits and _+=,.@-", name.value)));
    }
    if !path.value.starts_with('/') || !path.value.ends_with('/') {
        return Err(wrong(path, format!("the path `{}` must begin and end with /", path.value)));
    }
    let arn = format!("arn:aws:iam::{}:{kind}{}{}", account.id, path.value, name.value);
    let taken = |other: &Entity| other.name == name.value && other.trust.is_some() == (kind == "role");
    if account.entities.iter().any(taken) {
        return Err(wrong(name, format!("there are two of the name `{}`; names are unique whatever the path", name.value)));
    }
    let reference = |name: &Spanned<String>| {
        let arn = policy_arn(&account.id, &name.value);
        if account.policy(&arn).is_none() {
            return Err(wrong(name, format!("there is no policy `{}` under `policies`", name.value)));
        }
        Ok(arn)
    };
    Ok(Entity {
        id: unique_id(if kind == "role" { "AROA" } else { "AIDA" }, &arn),
        attached: attached.policies.iter().map(reference).collect::<Result<_, _>>()?,
        inline: attached.inline.iter().map(|(name, policy)| Ok((name.clone(), document(policy)?))).collect::<Result<_, _>>()?,
        boundary: attached.boundary.as_ref().map(reference).transpose()?,
        tags: attached.tags,
        trust: None,
        description: None,
        name: name.value.clone(),
        path: path.value.clone(),
        arn,
    })
}

fn document(policy: &Policy) -> Result<Document, Wrong> {
    Document::parse(&policy.0.value).map_err(|what| wrong(&policy.0, what))
}

/// A name, with or without a path, or the whole ARN of a policy that AWS keeps.
fn policy_arn(account: &str, name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { format!("arn:aws:iam::{account}:policy/{}", name.trim_start_matches('/')) }
}

fn managed(account: &str, name: &str, policy: &Policy) -> Result<Managed, Wrong> {
    let arn = policy_arn(account, name);
    let (_, path_and_name) = arn.split_once(":policy/").ok_or_else(|| wrong(&policy.0, format!("`{name}` is no ARN of a policy")))?;
    let (path, name) = path_and_name.rsplit_once('/').map_or(("/".to_owned(), path_and_name), |(path, name)| (format!("/{path}/"), name));
    Ok(Managed { name: name.to_owned(), path, document: document(policy)?, arn })
}

/// AWS attaches FullAWSAccess until somebody takes it away: it is there unless a policy of the file allows something.
fn service_control(policies: &BTreeMap<String, Policy>) -> Result<Vec<ServiceControl>, Wrong> {
    let of = |name: &str, document| ServiceControl {
        arn: format!("arn:aws:organizations::999988887777:policy/o-wsfixlocal/service_control_policy/p-{name}"),
        name: name.to_owned(),
        document,
    };
    let mut controls = policies.iter().map(|(name, policy)| Ok(of(name, document(policy)?))).collect::<Result<Vec<_>, _>>()?;
    let allows =
        |control: &ServiceControl| control.document.statements.iter().any(|statement| statement.effect == crate::policy::Effect::Allow);
    if !controls.is_empty() && !controls.iter().any(allows) {
        let full = serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        controls.extend(Document::parse(&full).ok().map(|document| of("FullAWSAccess", document)));
    }
    Ok(controls)
}

/// As IAM's unique ids look; the same at every start.
fn unique_id(prefix: &str, arn: &str) -> String {
    let digest = digest::digest(&digest::SHA256, arn.as_bytes());
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    prefix.chars().chain(digest.as_ref().iter().take(17).map(|byte| char::from(letters[usize::from(*byte) % letters.len()]))).collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    const TRUST: &str =
        "{Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}";

    fn error(text: &str) -> String {
        read(&text.replace("TRUST", TRUST), "account.yaml").unwrap_err().to_string()
    }

    #[test]
    fn names_the_place_of_what_is_wrong() {
        for (text, said) in [
            (
                "account: '111122223333'\nuser: []\n",
                "account.yaml:2:1: unknown field `user`, expected one of account, denials, root, users, roles, sessions, policies, service_control_policies, parameters, secrets",
            ),
            ("account: '1111'\n", "account.yaml:1:10: an account id has twelve digits"),
            ("account: '111122223333'\nusers:\n  - name: a b\n", "account.yaml:3:11: `a b` is no name of a user"),
            (
                "account: '111122223333'\nroles:\n  - name: r\n    trust: TRUST\n    managed_policies: [gone]\n",
                "account.yaml:5:24: there is no policy `gone`",
            ),
            (
                "account: '111122223333'\npolicies:\n  p: {Version: '2012-10-17', Statement: [{Effect: Maybe}]}\n",
                "account.yaml:3:6: the Effect",
            ),
            (
                "account: '111122223333'\nroles:\n  - name: r\n    trust: TRUST\n  - name: r\n    path: /x/\n    trust: TRUST\n",
                "account.yaml:5:11: there are two",
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
    fn an_account_that_only_denies_keeps_full_access_beside_it() {
        let deny = "account: '111122223333'\nservice_control_policies:\n  no-iam: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 'iam:*', Resource: '*'}]}\n";
        assert_eq!(read(deny, "f").unwrap().service_control.len(), 2);
    }
}
