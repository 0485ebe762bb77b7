//! The execution role, and whether it may post to `@connections`. Referenced, never changed: only `Keep` or `Refuse`.

use std::rc::Rc;

use crate::config::Reply;
use crate::provision::answer::{Answer, unanswered};
use crate::provision::desired::Desired;
use crate::provision::error::AwsError;
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::plan::{Action, ApiCall};
use crate::provision::resource::{Context, Kind, Resource, Seen, Verdict};
use crate::provision::roles::{self, Trust, arn, trusts_lambda};

const GET_ROLE: ApiCall = ApiCall { name: "GetRole", iam: "iam:GetRole" };
const LIST_ROLES: ApiCall = ApiCall { name: "ListRoles", iam: "iam:ListRoles" };
const SIMULATE: ApiCall = ApiCall { name: "SimulatePrincipalPolicy", iam: "iam:SimulatePrincipalPolicy" };

/// The roles that may be meant.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// One where the config names it; else those that Lambda may assume.
    roles: Vec<One>,
}

#[derive(Clone, Debug)]
struct One {
    arn: String,
    trust: Trust,
}

impl Live {
    /// ARN of the role that is meant: the only one, or of several the one that the stack's function has already.
    pub(crate) fn chosen(&self, of_function: Option<&str>) -> Option<&str> {
        self.one(of_function).map(|one| one.arn.as_str())
    }

    fn one(&self, of_function: Option<&str>) -> Option<&One> {
        match self.roles.as_slice() {
            [one] => Some(one),
            several => several.iter().find(|one| Some(one.arn.as_str()) == of_function),
        }
    }
}

pub(crate) struct Role;

impl Resource for Role {
    fn kind(&self) -> Kind {
        Kind::Role
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async {
            let roles = match &cx.want.role {
                Some(named) => get(cx, named).await.map(|one| vec![one]),
                None => list(cx).await,
            };
            let roles = roles.map(|roles| Live { roles });
            Ok(Slot::Role(if cx.want.role.is_some() { Found::optional(roles)? } else { Found::of(roles)? }))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let named = want.role.as_deref();
        let name = arn(want, seen).unwrap_or_else(|| "(none)".to_owned());
        let refuse = |reason: &str, remedy: &str| Verdict::refuse(Kind::Role, named.unwrap_or(&name), reason, remedy);
        let another = "name another role with `--existing-role` (`existing_role` in the config)";
        match (&seen.role, named) {
            (Found::Absent, _) => refuse("there is no such role", another),
            (Found::Unknown(why), Some(_)) => Verdict::step(Kind::Role, &name, Action::Keep, &[])
                .with_note(format!("the role {name} could not be read; it is used as it is named ({why})")),
            (Found::Unknown(why), None) => refuse(&format!("the account's roles cannot be listed: {why}"), another),
            (Found::Present(live), named) => match (live.one(seen.function_role(want)), named) {
                (Some(one), Some(_)) if one.trust == Trust::No => refuse(
                    "its trust policy does not let lambda.amazonaws.com do sts:AssumeRole",
                    &format!("{another}, or have its trust policy changed"),
                ),
                (Some(one), Some(named)) if named.starts_with("arn:") && one.arn != named => {
                    refuse(&format!("the account's role of this name is {}", one.arn), another)
                }
                (Some(one), _) => {
                    let verdict = Verdict::step(Kind::Role, &one.arn, Action::Keep, &[]);
                    if one.trust == Trust::Unknown {
                        verdict.with_note(format!(
                            "whether Lambda may assume {} is not known: a condition in its trust policy decides",
                            one.arn
                        ))
                    } else {
                        verdict
                    }
                }
                (None, _) if live.roles.is_empty() => {
                    refuse("no role of the account lets lambda.amazonaws.com do sts:AssumeRole", "ask an administrator for one")
                }
                (None, _) => {
                    let arns: Vec<&str> = live.roles.iter().map(|one| one.arn.as_str()).collect();
                    refuse(
                        &format!("{} roles of the account can be assumed by Lambda: {}", arns.len(), arns.join(", ")),
                        "name one with `--existing-role` (`existing_role` in the config)",
                    )
                }
            },
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let name = arn(want, seen).unwrap_or_else(|| "(none)".to_owned());
        let verdict = self.diff(want, seen);
        let refused = verdict.steps.iter().find_map(|step| match &step.action {
            Action::Refuse(why) => Some(why.clone()),
            Action::Keep | Action::Create | Action::Update(_) | Action::Adopt(_) | Action::Delete(_) => None,
        });
        let (state, healthy) = match (&seen.role, &refused) {
            (Found::Unknown(_), _) => ("unknown", None),
            (Found::Absent, _) => ("absent", Some(false)),
            (Found::Present(_), Some(_)) => ("not fit", Some(false)),
            (Found::Present(_), None) => ("referenced", Some(true)),
        };
        let detail = refused.or_else(|| verdict.notes.first().cloned()).unwrap_or_default();
        vec![ResourceStatus { kind: Kind::Role.name(), name, state: state.to_owned(), healthy, detail }]
    }
}

async fn get(cx: &Context<'_>, named: &str) -> Result<One, AwsError> {
    // A role's name is unique in its account whatever its path, and GetRole takes the name alone.
    let name = named.rsplit('/').next().unwrap_or(named);
    let answer = cx.clients.iam.get_role().role_name(name).send().await.explain(GET_ROLE, named)?;
    let role = answer.role().ok_or_else(|| unanswered(GET_ROLE, named, "an answer without a role"))?;
    Ok(one(role))
}

async fn list(cx: &Context<'_>) -> Result<Vec<One>, AwsError> {
    let mut pages = cx.clients.iam.list_roles().into_paginator().send();
    let mut fit = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.explain(LIST_ROLES, "the account's roles")?;
        fit.extend(page.roles().iter().map(one).filter(|one| one.trust == Trust::Yes && !one.arn.contains(":role/aws-service-role/")));
    }
    Ok(fit)
}

fn one(role: &aws_sdk_iam::types::Role) -> One {
    One { arn: role.arn().to_owned(), trust: role.assume_role_policy_document().map_or(Trust::Unknown, trusts_lambda) }
}

/// Whether the role may post to `@connections`: one question to IAM, and only where the config leaves the choice.
pub(crate) struct ReplyPermission;

impl Resource for ReplyPermission {
    fn kind(&self) -> Kind {
        Kind::Reply
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Account, Kind::Role, Kind::Function, Kind::Api]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            if cx.want.reply != Reply::Auto {
                return Ok(Slot::MayManage(Found::Absent));
            }
            // A role that is not there is refused by its own comparison.
            let (Some(arn), Found::Present(_) | Found::Unknown(_)) = (arn(&cx.want, &seen), &seen.role) else {
                return Ok(Slot::MayManage(Found::Absent));
            };
            Ok(Slot::MayManage(Found::optional(may_manage(cx, &seen, &arn).await)?))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let reply = roles::reply(want, seen);
        Verdict::default().with_note(format!("replies travel by {}: {}", reply.mode, reply.why))
    }
}

async fn may_manage(cx: &Context<'_>, seen: &Observed, role: &str) -> Result<bool, AwsError> {
    let api = seen.api().map_or("*", |api| api.id.as_str());
    let connections = seen.place.arn("execute-api", &format!("{api}/{}/POST/@connections/*", cx.want.api.stage));
    let question = cx.clients.iam.simulate_principal_policy().policy_source_arn(role);
    let question = question.action_names("execute-api:ManageConnections").resource_arns(connections);
    let answer = question.send().await.explain(SIMULATE, role)?;
    match answer.evaluation_results() {
        [] => Err(unanswered(SIMULATE, role, "an answer without a result")),
        results => Ok(results.iter().all(|result| result.eval_decision().as_str() == "allowed")),
    }
}
