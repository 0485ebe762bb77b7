//! The caller's own policies, as far as they may be read: attached, inline, those of groups, and the boundary.

use crate::policy::Document;
use crate::provision::answer::{Answer as _, unanswered};
use crate::provision::aws::Clients;
use crate::provision::error::AwsError;
use crate::provision::plan::ApiCall;
use crate::provision::roles::{self, Boundary, Named, Policies, Role, all, known};

use super::caller::Caller;

const GET_USER: ApiCall = ApiCall { name: "GetUser", iam: "iam:GetUser" };
const LIST_ATTACHED: ApiCall = ApiCall { name: "ListAttachedUserPolicies", iam: "iam:ListAttachedUserPolicies" };
const LIST_INLINE: ApiCall = ApiCall { name: "ListUserPolicies", iam: "iam:ListUserPolicies" };
const GET_INLINE: ApiCall = ApiCall { name: "GetUserPolicy", iam: "iam:GetUserPolicy" };
const LIST_GROUPS: ApiCall = ApiCall { name: "ListGroupsForUser", iam: "iam:ListGroupsForUser" };
const LIST_GROUP_ATTACHED: ApiCall = ApiCall { name: "ListAttachedGroupPolicies", iam: "iam:ListAttachedGroupPolicies" };
const LIST_GROUP_INLINE: ApiCall = ApiCall { name: "ListGroupPolicies", iam: "iam:ListGroupPolicies" };
const GET_GROUP_INLINE: ApiCall = ApiCall { name: "GetGroupPolicy", iam: "iam:GetGroupPolicy" };

/// The policies of a user or a role; nothing but the reason for one who has none that can be read.
///
/// # Errors
/// When there is no answer at all, or the credentials are wrong.
pub(super) async fn policies(clients: &Clients, caller: &Caller) -> Result<Policies, AwsError> {
    match caller {
        Caller::User { arn } => of_user(clients, roles::name(arn)).await,
        Caller::Role { arn, .. } => {
            let role = Role { arn: arn.clone(), trust: roles::Trust::Unknown(String::new()), boundary: Boundary::Unknown };
            Ok(roles::policies(clients, &[&role]).await?.pop().unwrap_or_default())
        }
        Caller::Federated { .. } | Caller::Root { .. } | Caller::Other { .. } => {
            Ok(Policies { unread: vec!["such a caller has no policies that can be read".to_owned()], ..Policies::default() })
        }
    }
}

async fn of_user(clients: &Clients, user: &str) -> Result<Policies, AwsError> {
    let (boundary, own, groups) = futures_util::join!(boundary(clients, user), of_one(clients, Holder::User(user)), groups(clients, user));
    let mut policies = own?;
    match known(groups)? {
        Ok(groups) => {
            for group in all(groups.iter().map(|group| of_one(clients, Holder::Group(group)))).await? {
                policies.identity.extend(group.identity);
                policies.unread.extend(group.unread);
            }
        }
        Err(why) => policies.unread.push(why),
    }
    match known(boundary)? {
        Ok(None) => {}
        Ok(Some(arn)) => match known(roles::managed(clients, &arn).await)? {
            Ok(document) => policies.boundary = Some(named(&arn, document)),
            Err(why) => policies.boundary_unread = Some(why),
        },
        Err(why) => policies.boundary_unread = Some(why),
    }
    Ok(policies)
}

fn named(arn: &str, document: Document) -> Named {
    Named { name: roles::name(arn).to_owned(), arn: Some(arn.to_owned()), document }
}

/// ARN of the user's permissions boundary, where there is one.
async fn boundary(clients: &Clients, user: &str) -> Result<Option<String>, AwsError> {
    let answer = clients.iam.get_user().user_name(user).send().await.explain(GET_USER, user)?;
    let found = answer.user().ok_or_else(|| unanswered(GET_USER, user, "an answer without a user"))?;
    Ok(found.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()).map(str::to_owned))
}

async fn groups(clients: &Clients, user: &str) -> Result<Vec<String>, AwsError> {
    let mut pages = clients.iam.list_groups_for_user().user_name(user).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        names.extend(page.explain(LIST_GROUPS, user)?.groups().iter().map(|group| group.group_name().to_owned()));
    }
    Ok(names)
}

/// Who holds policies.
#[derive(Clone, Copy)]
enum Holder<'a> {
    User(&'a str),
    Group(&'a str),
}

/// The attached and the inline policies of a user or a group. What could not be read is in `unread`.
async fn of_one(clients: &Clients, holder: Holder<'_>) -> Result<Policies, AwsError> {
    let (attached, inline) = futures_util::join!(attached(clients, holder), inline(clients, holder));
    let mut policies = Policies::default();
    let mut put = |found: Result<Named, String>| match found {
        Ok(policy) => policies.identity.push(policy),
        Err(why) => policies.unread.push(why),
    };
    match known(attached)? {
        Ok(arns) => {
            let read =
                arns.iter().map(|arn| async move { Ok(known(roles::managed(clients, arn).await)?.map(|document| named(arn, document))) });
            all(read).await?.into_iter().for_each(&mut put);
        }
        Err(why) => put(Err(why)),
    }
    match known(inline)? {
        Ok(names) => {
            let read = names.iter().map(|name| async move {
                let document = known(inline_document(clients, holder, name).await)?;
                Ok(document.map(|document| Named { name: name.clone(), arn: None, document }))
            });
            all(read).await?.into_iter().for_each(&mut put);
        }
        Err(why) => put(Err(why)),
    }
    Ok(policies)
}

async fn attached(clients: &Clients, holder: Holder<'_>) -> Result<Vec<String>, AwsError> {
    let mut arns = Vec::new();
    let mut add =
        |list: &[aws_sdk_iam::types::AttachedPolicy]| arns.extend(list.iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)));
    match holder {
        Holder::User(user) => {
            let mut pages = clients.iam.list_attached_user_policies().user_name(user).into_paginator().send();
            while let Some(page) = pages.next().await {
                add(page.explain(LIST_ATTACHED, user)?.attached_policies());
            }
        }
        Holder::Group(group) => {
            let mut pages = clients.iam.list_attached_group_policies().group_name(group).into_paginator().send();
            while let Some(page) = pages.next().await {
                add(page.explain(LIST_GROUP_ATTACHED, group)?.attached_policies());
            }
        }
    }
    Ok(arns)
}

async fn inline(clients: &Clients, holder: Holder<'_>) -> Result<Vec<String>, AwsError> {
    let mut names = Vec::new();
    match holder {
        Holder::User(user) => {
            let mut pages = clients.iam.list_user_policies().user_name(user).into_paginator().send();
            while let Some(page) = pages.next().await {
                names.extend_from_slice(page.explain(LIST_INLINE, user)?.policy_names());
            }
        }
        Holder::Group(group) => {
            let mut pages = clients.iam.list_group_policies().group_name(group).into_paginator().send();
            while let Some(page) = pages.next().await {
                names.extend_from_slice(page.explain(LIST_GROUP_INLINE, group)?.policy_names());
            }
        }
    }
    Ok(names)
}

async fn inline_document(clients: &Clients, holder: Holder<'_>, name: &str) -> Result<Document, AwsError> {
    match holder {
        Holder::User(user) => {
            let answer = clients.iam.get_user_policy().user_name(user).policy_name(name).send().await.explain(GET_INLINE, name)?;
            roles::document(GET_INLINE, name, Some(answer.policy_document()))
        }
        Holder::Group(group) => {
            let answer = clients.iam.get_group_policy().group_name(group).policy_name(name).send().await.explain(GET_GROUP_INLINE, name)?;
            roles::document(GET_GROUP_INLINE, name, Some(answer.policy_document()))
        }
    }
}
