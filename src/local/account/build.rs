//! From the account file's keys to an [`Account`]: what they say must fit together.

use std::collections::BTreeMap;

use ring::digest;
use serde_json::json;
use serde_yaml::Spanned;

use super::file::{Entry, File, Policy, SessionEntry, Wrong};
use super::{Account, AppRunnerService, Entity, EntityKind, Key, Managed, Owner, Parameter, ServiceControl};
use crate::policy::{Document, Effect};

pub(super) fn account(file: File) -> Result<Account, Wrong> {
    let id = file.account.ok_or_else(|| Wrong::somewhere("`account` is missing: the id of the account, twelve digits in quotes"))?;
    if id.value.len() != 12 || !id.value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::at(&id, "an account id has twelve digits; write it in quotes"));
    }
    let parameter = |(name, entry): (String, super::file::ParameterEntry)| (name, Parameter { value: entry.value, secure: entry.secure });
    let app_runner = |(name, entry): (String, super::file::AppRunnerEntry)| {
        (name, AppRunnerService { url: entry.url, status: entry.status.unwrap_or_else(|| "RUNNING".to_owned()) })
    };
    let mut account = Account {
        managed: file.policies.iter().map(|(name, policy)| managed(&id.value, name, policy)).collect::<Result<_, _>>()?,
        id: id.value,
        entities: Vec::new(),
        service_control: service_control(&file.service_control_policies)?,
        keys: Vec::new(),
        caller: None,
        role: file.role.unwrap_or_default(),
        denials: file.denials.unwrap_or_default(),
        log_role: None,
        parameters: file.parameters.into_iter().map(parameter).collect(),
        secrets: file.secrets,
        app_runner_services: file.apprunner_services.into_iter().map(app_runner).collect(),
    };
    if let Some(pair) = file.root {
        add_key(&mut account, &pair.access_key_id, pair.secret_access_key, None, Owner::Root)?;
    }
    // Groups first: users name them.
    for (kind, entries) in [("group", file.groups), ("user", file.users), ("role", file.roles)] {
        for entry in entries {
            add_entity(&mut account, kind, entry)?;
        }
    }
    for session in file.sessions {
        add_session(&mut account, session)?;
    }
    if let Some(name) = file.api_gateway_log_role {
        let missing = || Wrong::at(&name, format!("there is no role `{}` under `roles`", name.value));
        account.log_role = Some(account.named("role", &name.value).map(|role| role.arn.clone()).ok_or_else(missing)?);
    }
    if let Some(caller) = file.caller {
        let known = account.keys.iter().any(|key| key.access_key_id == caller.value);
        account.caller =
            Some(if known { caller.value } else { return Err(Wrong::at(&caller, format!("no key `{}` is in this file", caller.value))) });
    }
    Ok(account)
}

fn add_entity(account: &mut Account, kind: &'static str, entry: Entry) -> Result<(), Wrong> {
    let others = [
        ("access_key_id", "user", entry.access_key_id.is_some() || entry.secret_access_key.is_some()),
        ("groups", "user", entry.groups.is_some()),
        ("trust", "role", entry.trust.is_some()),
        ("description", "role", entry.description.is_some()),
    ];
    if let Some((key, owner, _)) = others.into_iter().find(|(_, owner, given)| *given && *owner != kind) {
        return Err(Wrong::at(&entry.name, format!("a {kind} has no `{key}`, only a {owner} has")));
    }
    let (name, path) = (&entry.name, entry.path.as_ref().map_or("/", |path| &path.value));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if name.value.is_empty() || name.value.len() > 64 || !name.value.bytes().all(allowed) {
        return Err(Wrong::at(name, format!("`{}` is no name of a {kind}: 1 to 64 letters, digits and _+=,.@-", name.value)));
    }
    if !path.starts_with('/') || !path.ends_with('/') {
        let place = entry.path.as_ref().unwrap_or(name);
        return Err(Wrong::at(place, format!("the path `{path}` must begin and end with /")));
    }
    if account.named(kind, &name.value).is_some() {
        return Err(Wrong::at(name, format!("there are two of the name `{}`; names are unique whatever the path", name.value)));
    }
    let arn = format!("arn:aws:iam::{}:{kind}{path}{}", account.id, name.value);
    let reference = |name: &Spanned<String>| {
        let arn = policy_arn(&account.id, &name.value);
        let missing = || Wrong::at(name, format!("there is no policy `{}` under `policies`", name.value));
        account.policy(&arn).map(|_| arn.clone()).ok_or_else(missing)
    };
    let group = |name: &Spanned<String>| {
        let missing = || Wrong::at(name, format!("there is no group `{}` under `groups`", name.value));
        account.named("group", &name.value).map(|group| group.arn.clone()).ok_or_else(missing)
    };
    let (kind, prefix) = match kind {
        "user" => (EntityKind::User { groups: entry.groups.iter().flatten().map(group).collect::<Result<_, _>>()? }, "AIDA"),
        "group" => (EntityKind::Group, "AGPA"),
        _ => {
            let trust = entry.trust.as_ref().ok_or_else(|| Wrong::at(name, "a role needs `trust`: who may assume it"))?;
            (EntityKind::Role { trust: trust_document(trust)?, description: entry.description }, "AROA")
        }
    };
    let entity = Entity {
        kind,
        id: unique_id(prefix, &arn),
        attached: entry.managed_policies.iter().flatten().map(reference).collect::<Result<_, _>>()?,
        inline: entry.inline_policies.iter().map(|(name, policy)| Ok((name.clone(), document(policy)?))).collect::<Result<_, _>>()?,
        boundary: entry.permissions_boundary.as_ref().map(reference).transpose()?,
        tags: entry.tags,
        name: name.value.clone(),
        path: path.to_owned(),
        arn: arn.clone(),
    };
    account.entities.push(entity);
    match (entry.access_key_id, entry.secret_access_key) {
        (Some(key), Some(secret)) => add_key(account, &key, secret, None, Owner::User(arn)),
        (None, None) => Ok(()),
        _ => Err(Wrong::at(&entry.name, "access_key_id and secret_access_key go together")),
    }
}

fn add_session(account: &mut Account, session: SessionEntry) -> Result<(), Wrong> {
    let role = account.role(&session.role.value).map(|role| role.arn.clone());
    let role = role.ok_or_else(|| Wrong::at(&session.role, format!("there is no role `{}` in this file", session.role.value)))?;
    let owner = Owner::Session { role, name: session.session };
    add_key(account, &session.access_key_id, session.secret_access_key, Some(session.session_token), owner)
}

fn add_key(account: &mut Account, id: &Spanned<String>, secret: String, token: Option<String>, owner: Owner) -> Result<(), Wrong> {
    if account.keys.iter().any(|key| key.access_key_id == id.value) {
        return Err(Wrong::at(id, "this access key is in the file twice"));
    }
    account.keys.push(Key { access_key_id: id.value.clone(), secret_access_key: secret, session_token: token, owner });
    Ok(())
}

fn document(policy: &Policy) -> Result<Document, Wrong> {
    Document::parse(&policy.0.value).map_err(|what| Wrong::at(&policy.0, what))
}

/// A document, or the name of the one service that may assume the role.
fn trust_document(policy: &Policy) -> Result<Document, Wrong> {
    let Some(service) = policy.0.value.as_str() else { return document(policy) };
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    });
    Document::parse(&trust).map_err(|what| Wrong::at(&policy.0, what))
}

/// A name, with or without a path, or the whole ARN of a policy that AWS keeps.
fn policy_arn(account: &str, name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { format!("arn:aws:iam::{account}:policy/{}", name.trim_start_matches('/')) }
}

fn managed(account: &str, name: &str, policy: &Policy) -> Result<Managed, Wrong> {
    let arn = policy_arn(account, name);
    let (_, path_and_name) = arn.split_once(":policy/").ok_or_else(|| Wrong::at(&policy.0, format!("`{name}` is no ARN of a policy")))?;
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
    let allows = |control: &ServiceControl| control.document.statements.iter().any(|statement| statement.effect == Effect::Allow);
    if !controls.is_empty() && !controls.iter().any(allows) {
        let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
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
    use crate::local::Account;

    #[test]
    fn an_account_that_only_denies_keeps_full_access_beside_it() {
        let deny = "account: '111122223333'\nservice_control_policies:\n  no-iam: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 'iam:*', Resource: '*'}]}\n";
        assert_eq!(Account::parse(deny, "f").unwrap().service_control.len(), 2);
    }

    #[test]
    fn policies_of_a_users_groups_count_for_the_user() {
        let text = "account: '111122223333'\ngroups:\n  - {name: makers, managed_policies: [Make], inline_policies: {own: {Statement: {Effect: Deny, Action: 'a:*', Resource: '*'}}}}\n\
                    users: [{name: ann, groups: [makers]}]\npolicies:\n  Make: {Statement: {Effect: Allow, Action: '*', Resource: '*'}}\n";
        let account = Account::parse(text, "f").unwrap();
        let ann = "arn:aws:iam::111122223333:user/ann";
        let names: Vec<_> = account.subject(ann, ann).identity.iter().map(|source| source.name.to_owned()).collect();
        assert_eq!(names, ["Make", "own"]);
    }
}
