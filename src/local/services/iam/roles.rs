//! Roles, and the policies on them.

use super::{CREATED, encoded, may_read, not_found, page};
use crate::local::account::Entity;
use crate::local::params::Params;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::local::xml::{element, list as members, wrap};
use crate::policy::Document;

/// The role of `RoleName`, if the caller may read it.
fn role<'a>(world: &'a World, call: &Call, params: &Params) -> Result<(&'a Entity, &'a Document), ServiceError> {
    let name = params.need("RoleName")?;
    let found = world.account.role(name);
    let arn = found.map_or_else(|| format!("arn:aws:iam::{}:role/{name}", world.account.id), |(role, _)| role.arn.clone());
    may_read(world, call, &arn, &format!("role {name}"), found.map(|(role, _)| role))?;
    found.ok_or_else(|| not_found(format!("The role with name {name} cannot be found.")))
}

pub(super) fn get(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let (role, trust) = role(world, call, params)?;
    let mut text = common(role, trust);
    if let Some(boundary) = &role.boundary {
        let kind = element("PermissionsBoundaryType", "Policy");
        text += &wrap("PermissionsBoundary", &(kind + &element("PermissionsBoundaryArn", boundary)));
    }
    if !role.tags.is_empty() {
        text += &members("Tags", role.tags.iter().map(|(key, value)| element("Key", key) + &element("Value", value)));
    }
    text += "<RoleLastUsed/>";
    Ok(wrap("Role", &text))
}

/// What GetRole and ListRoles both tell; a list has neither boundary nor tags.
fn common(role: &Entity, trust: &Document) -> String {
    let mut text = [
        element("Path", &role.path),
        element("RoleName", &role.name),
        element("RoleId", &role.id),
        element("Arn", &role.arn),
        element("CreateDate", CREATED),
        element("AssumeRolePolicyDocument", &encoded(trust)),
        element("MaxSessionDuration", "3600"),
    ]
    .concat();
    if let Some(description) = &role.description {
        text += &element("Description", description);
    }
    text
}

pub(super) fn list(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let prefix = params.get("PathPrefix").unwrap_or("/");
    let resource = format!("arn:aws:iam::{}:role{prefix}", world.account.id);
    may_read(world, call, &resource, &resource, None)?;
    let mut roles: Vec<_> = world.account.roles().filter(|(role, _)| role.path.starts_with(prefix)).collect();
    roles.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let (roles, more) = page(params, &roles)?;
    Ok(members("Roles", roles.iter().map(|(role, trust)| common(role, trust))) + &more)
}

pub(super) fn list_attached(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let (role, _) = role(world, call, params)?;
    let (attached, more) = page(params, &role.attached)?;
    let policy = |arn: &String| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        element("PolicyName", name) + &element("PolicyArn", arn)
    };
    Ok(members("AttachedPolicies", attached.iter().map(policy)) + &more)
}

pub(super) fn list_inline(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let (role, _) = role(world, call, params)?;
    let names: Vec<_> = role.inline.keys().collect();
    let (names, more) = page(params, &names)?;
    let names: String = names.iter().map(|name| element("member", name)).collect();
    Ok(wrap("PolicyNames", &names) + &more)
}

pub(super) fn get_inline(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let (role, _) = role(world, call, params)?;
    let name = params.need("PolicyName")?;
    let document = role.inline.get(name).ok_or_else(|| not_found(format!("The role policy with name {name} cannot be found.")))?;
    Ok(element("RoleName", &role.name) + &element("PolicyName", name) + &element("PolicyDocument", &encoded(document)))
}
