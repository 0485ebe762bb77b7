//! Users, groups and roles, and the policies on them: IAM answers alike for all three.

use super::{CREATED, encoded, may_read, not_found, page};
use crate::local::account::{Entity, EntityKind};
use crate::local::params::Params;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::local::xml::{element, list as members, wrap};

/// `role` as names of members have it: `Role`.
fn title(kind: &str) -> String {
    kind[..1].to_ascii_uppercase() + &kind[1..]
}

/// The entity of `RoleName` (or `UserName`, `GroupName`), if the caller may read it.
fn named<'a>(world: &'a World, call: &Call, params: &Params, kind: &str) -> Result<&'a Entity, ServiceError> {
    readable(world, call, kind, params.need(&format!("{}Name", title(kind)))?)
}

fn readable<'a>(world: &'a World, call: &Call, kind: &str, name: &str) -> Result<&'a Entity, ServiceError> {
    let found = world.account.named(kind, name);
    let arn = found.map_or_else(|| format!("arn:aws:iam::{}:{kind}/{name}", world.account.id), |found| found.arn.clone());
    may_read(world, call, &arn, &format!("{kind} {name}"), found)?;
    found.ok_or_else(|| not_found(format!("The {kind} with name {name} cannot be found.")))
}

/// Without a name, GetUser is about who asks: a user, or the account itself.
pub(super) fn get_user(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    if params.get("UserName").is_some() {
        return get(world, call, params, "user");
    }
    if call.caller.principal == world.account.root() {
        let id = &world.account.id;
        return Ok(wrap("User", &(element("UserId", id) + &element("Arn", &call.caller.arn) + &element("CreateDate", CREATED))));
    }
    match world.account.entity(&call.caller.principal) {
        Some(Entity { kind: EntityKind::User { .. }, name, .. }) => readable(world, call, "user", name).map(described),
        _ => Err(ServiceError::new(400, "ValidationError", "Must specify userName when calling with non-User credentials")),
    }
}

pub(super) fn get(world: &World, call: &Call, params: &Params, kind: &str) -> Result<String, ServiceError> {
    named(world, call, params, kind).map(described)
}

/// One entity with everything that only a Get tells; lists have neither boundary nor tags.
fn described(entity: &Entity) -> String {
    let mut text = listed(entity);
    if let Some(boundary) = &entity.boundary {
        let kind = element("PermissionsBoundaryType", "Policy");
        text += &wrap("PermissionsBoundary", &(kind + &element("PermissionsBoundaryArn", boundary)));
    }
    if !entity.tags.is_empty() {
        text += &members("Tags", entity.tags.iter().map(|(key, value)| element("Key", key) + &element("Value", value)));
    }
    if matches!(entity.kind, EntityKind::Role { .. }) {
        text += "<RoleLastUsed/>";
    }
    wrap(&title(entity.kind.name()), &text)
}

fn listed(entity: &Entity) -> String {
    let kind = title(entity.kind.name());
    let mut text = [
        element("Path", &entity.path),
        element(&format!("{kind}Name"), &entity.name),
        element(&format!("{kind}Id"), &entity.id),
        element("Arn", &entity.arn),
        element("CreateDate", CREATED),
    ]
    .concat();
    if let EntityKind::Role { trust, description } = &entity.kind {
        text += &element("AssumeRolePolicyDocument", &encoded(trust));
        text += &description.as_ref().map_or(String::new(), |description| element("Description", description));
        text += &element("MaxSessionDuration", "3600");
    }
    text
}

pub(super) fn list_roles(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let prefix = params.get("PathPrefix").unwrap_or("/");
    let resource = format!("arn:aws:iam::{}:role{prefix}", world.account.id);
    may_read(world, call, &resource, &resource, None)?;
    let is_meant = |entity: &&Entity| entity.trust().is_some() && entity.path.starts_with(prefix);
    let mut roles: Vec<_> = world.account.entities.iter().filter(is_meant).collect();
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    let (roles, more) = page(params, &roles)?;
    Ok(members("Roles", roles.iter().map(|role| listed(role))) + &more)
}

pub(super) fn list_groups(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let user = named(world, call, params, "user")?;
    let groups: Vec<_> = user.groups().iter().filter_map(|arn| world.account.entity(arn)).collect();
    let (groups, more) = page(params, &groups)?;
    Ok(members("Groups", groups.iter().map(|group| listed(group))) + &more)
}

pub(super) fn list_attached(world: &World, call: &Call, params: &Params, kind: &str) -> Result<String, ServiceError> {
    let entity = named(world, call, params, kind)?;
    let (attached, more) = page(params, &entity.attached)?;
    let policy = |arn: &String| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        element("PolicyName", name) + &element("PolicyArn", arn)
    };
    Ok(members("AttachedPolicies", attached.iter().map(policy)) + &more)
}

pub(super) fn list_inline(world: &World, call: &Call, params: &Params, kind: &str) -> Result<String, ServiceError> {
    let names: Vec<_> = named(world, call, params, kind)?.inline.keys().collect();
    let (names, more) = page(params, &names)?;
    let names: String = names.iter().map(|name| element("member", name)).collect();
    Ok(wrap("PolicyNames", &names) + &more)
}

pub(super) fn get_inline(world: &World, call: &Call, params: &Params, kind: &str) -> Result<String, ServiceError> {
    let entity = named(world, call, params, kind)?;
    let name = params.need("PolicyName")?;
    let missing = || not_found(format!("The {kind} policy with name {name} cannot be found."));
    let document = entity.inline.get(name).ok_or_else(missing)?;
    let owner = element(&format!("{}Name", title(kind)), &entity.name);
    Ok(owner + &element("PolicyName", name) + &element("PolicyDocument", &encoded(document)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::answer;
    use super::super::tests::ask;
    use crate::local::wire::{Caller, Service, tests::call};
    use crate::local::world::World;
    use crate::local::{Account, Options};

    fn world() -> Arc<World> {
        let policy = "{Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'iam:*', Resource: '*'}]}";
        let text = format!(
            "account: '111122223333'\ngroups:\n  - {{name: makers, path: /team/, managed_policies: [All], inline_policies: {{own: {policy}}}}}\n\
             users:\n  - {{name: dev, groups: [makers], permissions_boundary: All, tags: {{team: blue}}, inline_policies: {{mine: {policy}}}}}\n\
             policies: {{All: {policy}}}\n"
        );
        let account = Account::parse(&text, "f").unwrap();
        Arc::new(World::new(&Options { account, ..Options::default() }, 4566))
    }

    #[tokio::test]
    async fn a_user_comes_with_boundary_and_tags_by_name_or_as_who_asks() {
        let world = world();
        let named = ask(&world, "GetUser", "UserName=dev").await.unwrap();
        for part in [
            "<Arn>arn:aws:iam::111122223333:user/dev</Arn>",
            "<PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/All</PermissionsBoundaryArn>",
            "<Tags><member><Key>team</Key><Value>blue</Value></member></Tags>",
        ] {
            assert!(named.contains(part), "{named}");
        }
        let self_asked = ask(&world, "GetUser", "").await.unwrap();
        assert_eq!(self_asked.split("<ResponseMetadata>").next(), named.split("<ResponseMetadata>").next());
        let mut of_session = call(Service::Iam, "GetUser", "");
        of_session.caller = Caller { arn: "arn:aws:sts::1:assumed-role/r/s".to_owned(), principal: "r".to_owned(), user_id: String::new() };
        assert_eq!(answer(&world, &of_session).await.unwrap_err().code, "ValidationError");
        assert_eq!(ask(&world, "GetUser", "UserName=gone").await.unwrap_err(), "NoSuchEntity The user with name gone cannot be found.");
    }

    #[tokio::test]
    async fn groups_of_a_user_and_their_policies_are_found() {
        let world = world();
        let groups = ask(&world, "ListGroupsForUser", "UserName=dev").await.unwrap();
        assert!(groups.contains("<Arn>arn:aws:iam::111122223333:group/team/makers</Arn>"), "{groups}");
        let attached = ask(&world, "ListAttachedGroupPolicies", "GroupName=makers").await.unwrap();
        assert!(attached.contains("<PolicyArn>arn:aws:iam::111122223333:policy/All</PolicyArn>"), "{attached}");
        assert!(ask(&world, "ListGroupPolicies", "GroupName=makers").await.unwrap().contains("<member>own</member>"));
        let own = ask(&world, "GetGroupPolicy", "GroupName=makers&PolicyName=own").await.unwrap();
        assert!(own.contains("<GroupName>makers</GroupName><PolicyName>own</PolicyName><PolicyDocument>%7B"), "{own}");
        assert!(ask(&world, "ListUserPolicies", "UserName=dev").await.unwrap().contains("<member>mine</member>"));
        assert!(ask(&world, "ListAttachedUserPolicies", "UserName=dev").await.unwrap().contains("<AttachedPolicies></AttachedPolicies>"));
        assert_eq!(
            ask(&world, "GetUserPolicy", "UserName=dev&PolicyName=gone").await.unwrap_err(),
            "NoSuchEntity The user policy with name gone cannot be found."
        );
    }
}
