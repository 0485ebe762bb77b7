//! IAM: reads of users, groups, roles and policies, and the simulator. What writes is refused as it is on AWS; where a policy allows it, it is unknown here.

mod entities;
mod policies;
mod simulate;

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::local::account::Entity;
use crate::local::params::Params;
use crate::local::protocol;
use crate::local::wire::{Call, Outcome, Service, ServiceError};
use crate::local::world::World;
use crate::local::xml::{self, element};
use crate::policy::{Context, Decision, Document};

/// RFC 3986 leaves these as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// When everything in the account file was made.
const CREATED: &str = "2026-01-01T00:00:00Z";

/// Answers an operation of IAM.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    let params = &Params::of(call);
    let result = match call.operation.as_str() {
        "GetUser" => entities::get_user(world, call, params),
        "GetRole" => entities::get(world, call, params, "role"),
        "ListRoles" => entities::list_roles(world, call, params),
        "ListGroupsForUser" => entities::list_groups(world, call, params),
        "ListAttachedUserPolicies" => entities::list_attached(world, call, params, "user"),
        "ListAttachedGroupPolicies" => entities::list_attached(world, call, params, "group"),
        "ListAttachedRolePolicies" => entities::list_attached(world, call, params, "role"),
        "ListUserPolicies" => entities::list_inline(world, call, params, "user"),
        "ListGroupPolicies" => entities::list_inline(world, call, params, "group"),
        "ListRolePolicies" => entities::list_inline(world, call, params, "role"),
        "GetUserPolicy" => entities::get_inline(world, call, params, "user"),
        "GetGroupPolicy" => entities::get_inline(world, call, params, "group"),
        "GetRolePolicy" => entities::get_inline(world, call, params, "role"),
        "GetPolicy" => policies::get(world, call, params),
        "GetPolicyVersion" => policies::get_version(world, call, params),
        "SimulatePrincipalPolicy" => simulate::principal(world, call, params),
        operation => {
            if writes(operation) {
                may_write(world, call, params)?;
            }
            Err(protocol::unknown_operation(Service::Iam, operation))
        }
    };
    Ok(xml::answer(Service::Iam, &call.operation, &result?))
}

fn writes(operation: &str) -> bool {
    let verbs =
        ["Add", "Attach", "Create", "Deactivate", "Delete", "Detach", "Enable", "Put", "Remove", "Set", "Tag", "Untag", "Update", "Upload"];
    verbs.iter().any(|verb| operation.starts_with(verb))
}

fn may_write(world: &World, call: &Call, params: &Params) -> Result<(), ServiceError> {
    let path = params.get("Path").unwrap_or("/");
    let of = |kind: &str, name: &str| format!("arn:aws:iam::{}:{kind}{path}{name}", world.account.id);
    let resource = match (params.get("RoleName"), params.get("PolicyArn"), params.get("PolicyName"), params.get("UserName")) {
        (Some(role), ..) => world.account.role(role).map_or_else(|| of("role", role), |role| role.arn.clone()),
        (None, Some(arn), ..) => arn.to_owned(),
        (None, None, Some(policy), _) => of("policy", policy),
        (None, None, None, Some(user)) => of("user", user),
        (None, None, None, None) => "*".to_owned(),
    };
    world.authorize(&call.caller, &format!("iam:{}", call.operation), &resource, None)
}

/// May the caller do this with an entity or a policy? An implicit denial calls it by its short name, `role NAME`.
fn may_read(world: &World, call: &Call, resource: &str, short: &str, about: Option<&Entity>) -> Result<(), ServiceError> {
    let action = format!("iam:{}", call.operation);
    let context = about.map_or_else(Context::default, |entity| {
        Context::default().with_resource_tags(entity.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    });
    match world.decide(&call.caller, &action, resource, None, &context) {
        Decision::Allowed => Ok(()),
        Decision::Denied(reason) => Err(world.denial(&call.caller, &action, if reason.explicit { resource } else { short }, &reason)),
    }
}

fn encoded(document: &Document) -> String {
    utf8_percent_encode(&document.json.to_string(), UNRESERVED).to_string()
}

fn not_found(what: impl Into<String>) -> ServiceError {
    ServiceError::new(404, "NoSuchEntity", what)
}

/// One page of a list, and the members that say whether there is more.
fn page<'a, T>(params: &Params, all: &'a [T]) -> Result<(&'a [T], String), ServiceError> {
    let invalid = |name: &str| ServiceError::new(400, "ValidationError", format!("Invalid {name}."));
    let size = params.get("MaxItems").map_or(Ok(100), str::parse::<usize>).map_err(|_| invalid("MaxItems"))?;
    if size == 0 || size > 1000 {
        return Err(invalid("MaxItems"));
    }
    let start = params.get("Marker").map_or(Some(0), |marker| marker.strip_prefix("page-")?.parse().ok());
    let start = start.filter(|start| *start <= all.len()).ok_or_else(|| invalid("Marker"))?;
    let end = all.len().min(start + size);
    let more = if end < all.len() {
        element("IsTruncated", "true") + &element("Marker", &format!("page-{end}"))
    } else {
        element("IsTruncated", "false")
    };
    Ok((&all[start..end], more))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::answer;
    use crate::local::wire::{Caller, Service, tests::call};
    use crate::local::world::World;
    use crate::local::{Account, Options};

    pub(super) async fn ask(world: &Arc<World>, operation: &str, body: &str) -> Result<String, String> {
        let outcome = answer(world, &call(Service::Iam, operation, body)).await;
        outcome
            .map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
            .map_err(|error| format!("{} {}", error.code, error.message))
    }

    pub(super) fn world() -> Arc<World> {
        Arc::new(World::new(&Options::default(), 4566))
    }

    #[tokio::test]
    async fn a_role_comes_with_an_encoded_trust_policy() {
        let role = ask(&world(), "GetRole", "RoleName=nightly-report-role-x7k2").await.unwrap();
        assert!(role.contains("<Arn>arn:aws:iam::111122223333:role/service-role/nightly-report-role-x7k2</Arn>"), "{role}");
        assert!(role.contains("<AssumeRolePolicyDocument>%7B%22"), "{role}");
        assert!(role.contains("lambda.amazonaws.com"), "{role}");
        assert!(ask(&world(), "GetRole", "RoleName=gone").await.unwrap_err().starts_with("NoSuchEntity "));
    }

    #[tokio::test]
    async fn lists_are_paged() {
        let first = ask(&world(), "ListRoles", "MaxItems=2").await.unwrap();
        assert!(first.contains("<IsTruncated>true</IsTruncated><Marker>page-2</Marker>"), "{first}");
        assert_eq!(first.matches("<RoleName>").count(), 2);
        let rest = ask(&world(), "ListRoles", "Marker=page-2").await.unwrap();
        assert!(rest.contains("<IsTruncated>false</IsTruncated>"), "{rest}");
    }

    #[tokio::test]
    async fn policies_of_a_role_are_found() {
        let attached = ask(&world(), "ListAttachedRolePolicies", "RoleName=websocket-handler-role").await.unwrap();
        assert!(attached.contains("<PolicyArn>arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole</PolicyArn>"), "{attached}");
        let inline = ask(&world(), "ListRolePolicies", "RoleName=websocket-handler-role").await.unwrap();
        assert!(inline.contains("<member>connections</member>"), "{inline}");
        let document = ask(&world(), "GetRolePolicy", "RoleName=websocket-handler-role&PolicyName=connections").await.unwrap();
        assert!(document.contains("execute-api%3AManageConnections"), "{document}");
        let arn = "PolicyArn=arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        assert!(ask(&world(), "GetPolicy", arn).await.unwrap().contains("<DefaultVersionId>v1</DefaultVersionId>"));
        assert!(ask(&world(), "GetPolicyVersion", &format!("{arn}&VersionId=v1")).await.unwrap().contains("logs%3APutLogEvents"));
        assert!(ask(&world(), "GetPolicyVersion", &format!("{arn}&VersionId=v2")).await.unwrap_err().starts_with("NoSuchEntity"));
    }

    #[tokio::test]
    async fn a_write_is_denied_and_names_the_policy() {
        let error = ask(&world(), "CreateRole", "RoleName=new&Path=/service-role/").await.unwrap_err();
        assert_eq!(
            error,
            "AccessDenied User: arn:aws:iam::111122223333:user/dev is not authorized to perform: iam:CreateRole on resource: \
             arn:aws:iam::111122223333:role/service-role/new with an explicit deny in an identity-based policy: \
             arn:aws:iam::111122223333:policy/RestrictedUserResourceIsolation"
        );
    }

    #[tokio::test]
    async fn an_implicit_denial_names_the_role_shortly() {
        let account = Account::parse("account: '111122223333'\nusers: [{name: dev}]\n", "f").unwrap();
        let world = Arc::new(World::new(&Options { account, ..Options::default() }, 4566));
        let error = ask(&world, "GetRole", "RoleName=r").await.unwrap_err();
        assert!(
            error.ends_with("iam:GetRole on resource: role r because no identity-based policy allows the iam:GetRole action"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_write_that_is_allowed_is_unknown() {
        let world = world();
        let root = Caller { arn: world.account.root(), principal: world.account.root(), user_id: String::new() };
        let mut create = call(Service::Iam, "CreateRole", "RoleName=r");
        create.caller = root;
        assert_eq!(answer(&world, &create).await.unwrap_err().code, "InvalidAction");
    }
}
