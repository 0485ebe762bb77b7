//! Managed policies: each has one version, `v1`.

use super::{CREATED, encoded, may_read, not_found};
use crate::local::account::Managed;
use crate::local::params::Params;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::local::xml::{element, wrap};

fn policy<'a>(world: &'a World, call: &Call, params: &Params) -> Result<&'a Managed, ServiceError> {
    let arn = params.need("PolicyArn")?;
    let name = arn.rsplit('/').next().unwrap_or_default();
    may_read(world, call, arn, &format!("policy {name}"), None)?;
    world.account.policy(arn).ok_or_else(|| not_found(format!("Policy {arn} was not found.")))
}

pub(super) fn get(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let policy = policy(world, call, params)?;
    let attached = world.account.entities.iter().filter(|entity| entity.attached.contains(&policy.arn)).count();
    let bounding = world.account.entities.iter().filter(|entity| entity.boundary.as_ref() == Some(&policy.arn)).count();
    let digest = ring::digest::digest(&ring::digest::SHA256, policy.arn.as_bytes());
    let id = crate::local::ids::hex(&digest.as_ref()[..9]).to_uppercase();
    let text = [
        element("PolicyName", &policy.name),
        element("PolicyId", &format!("ANPA{}", &id[..17])),
        element("Arn", &policy.arn),
        element("Path", &policy.path),
        element("DefaultVersionId", "v1"),
        element("AttachmentCount", &attached.to_string()),
        element("PermissionsBoundaryUsageCount", &bounding.to_string()),
        element("IsAttachable", "true"),
        element("CreateDate", CREATED),
        element("UpdateDate", CREATED),
    ];
    Ok(wrap("Policy", &text.concat()))
}

pub(super) fn get_version(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let policy = policy(world, call, params)?;
    let version = params.need("VersionId")?;
    if version != "v1" {
        return Err(not_found(format!("Policy {} version {version} does not exist or is not attachable.", policy.arn)));
    }
    let text = [
        element("Document", &encoded(&policy.document)),
        element("VersionId", "v1"),
        element("IsDefaultVersion", "true"),
        element("CreateDate", CREATED),
    ];
    Ok(wrap("PolicyVersion", &text.concat()))
}
