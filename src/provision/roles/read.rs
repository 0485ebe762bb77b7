//! Roles and their policies, as far as the caller may read them. A denied read is unknown, not absent.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use super::trust::Trust;
use crate::policy::{self, Context, Document, Forecast, Kind, Request, Source, Subject};
use crate::provision::answer::{Answer as _, unanswered};
use crate::provision::aws::Clients;
use crate::provision::error::{AwsError, Cause};
use crate::provision::evidence::Answer;
use crate::provision::plan::ApiCall;

const GET_ROLE: ApiCall = ApiCall { name: "GetRole", iam: "iam:GetRole" };
const LIST_ROLES: ApiCall = ApiCall { name: "ListRoles", iam: "iam:ListRoles" };
const LIST_ATTACHED: ApiCall = ApiCall { name: "ListAttachedRolePolicies", iam: "iam:ListAttachedRolePolicies" };
const LIST_INLINE: ApiCall = ApiCall { name: "ListRolePolicies", iam: "iam:ListRolePolicies" };
const GET_INLINE: ApiCall = ApiCall { name: "GetRolePolicy", iam: "iam:GetRolePolicy" };
const GET_POLICY: ApiCall = ApiCall { name: "GetPolicy", iam: "iam:GetPolicy" };
const GET_VERSION: ApiCall = ApiCall { name: "GetPolicyVersion", iam: "iam:GetPolicyVersion" };

/// Questions to IAM at the same time; it throttles who asks more.
pub(super) const AT_ONCE: usize = 8;

/// A role of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) trust: Trust,
    pub(crate) boundary: Boundary,
}

/// The limit of what a role's policies can give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    None,
    /// ARN of the policy.
    Is(String),
    /// ListRoles does not tell.
    Unknown,
}

/// The name at the end of a role's ARN, or of a name with a path.
pub(crate) fn name(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}

/// The role of this name or ARN: a name is unique in its account whatever the path, and GetRole takes the name alone.
pub(crate) async fn get(clients: &Clients, named: &str) -> Result<Role, AwsError> {
    let answer = clients.iam.get_role().role_name(name(named)).send().await.explain(GET_ROLE, named)?;
    let role = answer.role().ok_or_else(|| unanswered(GET_ROLE, named, "an answer without a role"))?;
    let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
    Ok(Role { boundary: boundary.map_or(Boundary::None, |arn| Boundary::Is(arn.to_owned())), ..found(role) })
}

/// All roles, but for those that AWS keeps for its services and for people's sign-on.
pub(crate) async fn list(clients: &Clients) -> Result<Vec<Role>, AwsError> {
    let mut pages = clients.iam.list_roles().into_paginator().page_size(1000).send();
    let mut roles = Vec::new();
    while let Some(page) = pages.next().await {
        roles.extend(page.explain(LIST_ROLES, "the account's roles")?.roles().iter().map(found));
    }
    roles.retain(|role| !role.arn.contains(":role/aws-service-role/") && !name(&role.arn).starts_with("AWSReservedSSO_"));
    Ok(roles)
}

fn found(role: &aws_sdk_iam::types::Role) -> Role {
    let trust = match role.assume_role_policy_document() {
        Some(document) => Trust::read(document),
        None => Trust::Unknown("its trust policy was not told".to_owned()),
    };
    Role { arn: role.arn().to_owned(), trust, boundary: Boundary::Unknown }
}

/// What a role's policies say, as far as they can be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    pub(crate) identity: Vec<Named>,
    pub(crate) boundary: Option<Named>,
    /// Why one of its own policies, or all, could not be read.
    pub(crate) unread: Vec<String>,
    /// Why the boundary could not be read.
    pub(crate) boundary_unread: Option<String>,
}

/// A policy.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// Inline policies have none.
    pub(crate) arn: Option<String>,
    pub(crate) document: Document,
}

impl Named {
    fn source(&self) -> Source<'_> {
        Source { arn: self.arn.as_deref(), name: &self.name, document: &self.document }
    }
}

impl Policies {
    /// Whether the role may do this. `granted`: a resource policy names the role.
    pub(crate) fn answer(&self, action: &str, resource: &str, context: &Context, granted: bool) -> Answer {
        let subject = Subject {
            identity: self.identity.iter().map(Named::source).collect(),
            boundary: self.boundary.as_ref().map(Named::source),
            ..Subject::default()
        };
        let forecast = policy::forecast(&subject, Request { action, resource, context }, granted);
        // What was read decides only where nothing that was not read could turn it round.
        let unread = match &forecast {
            Forecast::Denied(reason) if reason.explicit || reason.kind == Kind::Boundary => None,
            Forecast::Denied(_) => self.unread.first(),
            Forecast::Allowed(_) | Forecast::Depends(_) => self.unread.first().or(self.boundary_unread.as_ref()),
        };
        unread.map_or_else(|| forecast.into(), |why| Answer::Unknown(why.clone()))
    }
}

/// Reads the policies of several roles at once, in their order; a policy that several have is read once.
///
/// # Errors
/// When there is no answer at all, or the credentials are wrong.
pub(crate) async fn policies(clients: &Clients, roles: &[&Role]) -> Result<Vec<Policies>, AwsError> {
    let lists: Vec<Lists> = all(roles.iter().map(|role| lists(clients, role))).await?;
    let arns: BTreeSet<&String> = lists.iter().flat_map(|lists| lists.attached.iter().chain(&lists.boundary)).collect();
    let documents = all(arns.into_iter().map(|arn| async move {
        let read = known(managed(clients, arn).await)?;
        Ok((arn.clone(), read.map(|document| Named { name: name(arn).to_owned(), arn: Some(arn.clone()), document })))
    }));
    let documents: BTreeMap<String, Result<Named, String>> = documents.await?.into_iter().collect();
    Ok(lists.iter().map(|lists| lists.resolve(&documents)).collect())
}

/// Everything about a role but for the text of its managed policies.
struct Lists {
    attached: Vec<String>,
    boundary: Option<String>,
    policies: Policies,
}

impl Lists {
    fn resolve(&self, documents: &BTreeMap<String, Result<Named, String>>) -> Policies {
        let mut policies = self.policies.clone();
        for found in self.attached.iter().filter_map(|arn| documents.get(arn)) {
            match found {
                Ok(named) => policies.identity.push(named.clone()),
                Err(why) => policies.unread.push(why.clone()),
            }
        }
        match self.boundary.as_ref().and_then(|arn| documents.get(arn)) {
            Some(Ok(named)) => policies.boundary = Some(named.clone()),
            Some(Err(why)) => policies.boundary_unread = Some(why.clone()),
            None => {}
        }
        policies
    }
}

async fn lists(clients: &Clients, role: &Role) -> Result<Lists, AwsError> {
    let name = name(&role.arn);
    let boundary = async {
        match &role.boundary {
            Boundary::None => Ok(Ok(None)),
            Boundary::Is(arn) => Ok(Ok(Some(arn.clone()))),
            Boundary::Unknown => {
                let read = known(get(clients, name).await)?;
                Ok(read.map(|role| if let Boundary::Is(arn) = role.boundary { Some(arn) } else { None }))
            }
        }
    };
    let (attached, inline, boundary) = futures_util::join!(attached(clients, name), inline(clients, name), boundary);
    let mut policies = Policies::default();
    let attached = known(attached)?.unwrap_or_else(|why| {
        policies.unread.push(why);
        Vec::new()
    });
    let inline = inline?;
    policies.unread.extend(inline.1);
    policies.identity = inline.0;
    let boundary = boundary?.unwrap_or_else(|why| {
        policies.boundary_unread = Some(why);
        None
    });
    Ok(Lists { attached, boundary, policies })
}

async fn attached(clients: &Clients, role: &str) -> Result<Vec<String>, AwsError> {
    let mut pages = clients.iam.list_attached_role_policies().role_name(role).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.explain(LIST_ATTACHED, role)?;
        arns.extend(page.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)));
    }
    Ok(arns)
}

/// The inline policies that could be read, and why others could not.
async fn inline(clients: &Clients, role: &str) -> Result<(Vec<Named>, Vec<String>), AwsError> {
    let mut pages = clients.iam.list_role_policies().role_name(role).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        match known(page.explain(LIST_INLINE, role))? {
            Ok(page) => names.extend(page.policy_names().iter().cloned()),
            Err(why) => return Ok((Vec::new(), vec![why])),
        }
    }
    let read = all(names.iter().map(|name| async move {
        let answer = clients.iam.get_role_policy().role_name(role).policy_name(name).send().await.explain(GET_INLINE, name);
        let document = answer.and_then(|answer| document(GET_INLINE, name, Some(answer.policy_document())));
        Ok(known(document)?.map(|document| Named { name: name.clone(), arn: None, document }))
    }));
    let (policies, unread): (Vec<_>, Vec<_>) = read.await?.into_iter().partition(Result::is_ok);
    Ok((policies.into_iter().flatten().collect(), unread.into_iter().filter_map(Result::err).collect()))
}

/// The document of a managed policy, in the version that counts.
pub(crate) async fn managed(clients: &Clients, arn: &str) -> Result<Document, AwsError> {
    let answer = clients.iam.get_policy().policy_arn(arn).send().await.explain(GET_POLICY, arn)?;
    let version = answer.policy().and_then(|policy| policy.default_version_id());
    let version = version.ok_or_else(|| unanswered(GET_POLICY, arn, "an answer without a version"))?;
    let answer = clients.iam.get_policy_version().policy_arn(arn).version_id(version).send().await.explain(GET_VERSION, arn)?;
    document(GET_VERSION, arn, answer.policy_version().and_then(|version| version.document()))
}

/// A policy, percent-encoded as IAM answers it.
pub(crate) fn document(call: ApiCall, name: &str, encoded: Option<&str>) -> Result<Document, AwsError> {
    let text = percent_encoding::percent_decode_str(encoded.unwrap_or_default()).decode_utf8_lossy();
    let json: Value = serde_json::from_str(&text).map_err(|error| unanswered(call, name, &format!("a policy that is no JSON: {error}")))?;
    Document::parse(&json).map_err(|why| unanswered(call, name, &format!("a policy that cannot be understood: {why}")))
}

/// Some at once, in the order of the questions.
pub(crate) async fn all<T>(questions: impl Iterator<Item = impl Future<Output = Result<T, AwsError>>>) -> Result<Vec<T>, AwsError> {
    let mut answers = stream::iter(questions).buffered(AT_ONCE);
    let mut list = Vec::new();
    while let Some(answer) = answers.next().await {
        list.push(answer?);
    }
    Ok(list)
}

/// A read that the rest can do without: why there is no answer, in a few words.
pub(crate) fn known<T>(answer: Result<T, AwsError>) -> Result<Result<T, String>, AwsError> {
    match answer {
        Ok(found) => Ok(Ok(found)),
        Err(error) if matches!(error.cause, Cause::Credentials | Cause::Unreachable) => Err(error),
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => Ok(Err(format!("{} is denied", error.iam))),
        Err(error) => Ok(Err(format!("{}: {}", error.operation, error.words()))),
    }
}
