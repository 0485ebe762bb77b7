//! What to ask an administrator for: the least policies of the two principals, filled in, with the reason for each line. Pure.
//!
//! `statements` makes policies of needs, `obstacles` the corrections of statements that deny. The other modules write the document.

mod cloudformation;
mod markdown;
mod obstacles;
mod shell;
mod statements;
mod terraform;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Value, json};

use super::desired::Desired;
use super::evidence::Answer;
use super::observed::{Found, Observed};
use super::permissions::{self, Need, Scope};
use super::preflight::Culprit;
use super::roles::{self, Help, Judged, Trust};
pub use obstacles::Obstacle;
pub use statements::{Policy, Statement};
pub(crate) use terraform::hcl;

/// One request. Its JSON is part of the interface.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// The stack's name.
    pub stack: String,
    /// Twelve digits.
    pub account: String,
    /// `aws`, `aws-cn` ...
    pub partition: String,
    /// The Region.
    pub region: String,
    /// ARN of the one who asks.
    pub caller: String,
    /// Whom the deployer policy is attached to.
    pub principal: Principal,
    /// The execution role.
    pub role: ExecutionRole,
    /// What the one who asks needs.
    pub deployer: Vec<Policy>,
    /// The statements that deny it now, as far as they can be read.
    pub obstacles: Vec<Obstacle>,
    /// What stands for something that is not known.
    pub placeholders: Vec<String>,
}

/// Whom a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// What it is.
    pub kind: PrincipalKind,
    /// Its name; empty where IAM has none.
    pub name: String,
}

/// What a caller is, as far as it matters for attaching a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// An IAM user.
    User,
    /// A role of the account.
    Role,
    /// A role that IAM Identity Center keeps: its permission set has to be changed.
    PermissionSet,
    /// Anybody else.
    Other,
}

/// The execution role, and what it lacks.
#[derive(Clone, Debug, Serialize)]
pub struct ExecutionRole {
    /// Its name.
    pub name: String,
    /// Its path, which begins and ends with `/`.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// Whether it is there.
    pub standing: Standing,
    /// The trust policy, where it is to be set.
    pub trust_policy: Option<Value>,
    /// What it lacks; `None`: nothing.
    pub policy: Option<Policy>,
    /// What it has, or what is made up for: each in one line.
    pub has: Vec<String>,
}

/// Whether the role is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is to be made.
    Missing,
    /// It is there, and was judged.
    There,
    /// It is named, and nothing of it can be read.
    Unread,
}

impl Request {
    /// The request of an account as it was read.
    pub(crate) fn new(want: &Desired, seen: &Observed, culprits: &[Culprit]) -> Self {
        let caller = &seen.caller;
        let proposed = roles::guess(&proposed_name(&want.function.name), &seen.place);
        let of_that_name = seen.judged.iter().find(|judged| want.role.is_none() && judged.name() == roles::name(&proposed));
        let judged = roles::judged(want, seen).or(of_that_name);
        let known = roles::arn(want, seen).or_else(|| judged.map(|judged| judged.arn.clone()));
        let nowhere = seen.role.present().is_some_and(|live| want.role.is_some() && live.roles.is_empty());
        let there = known.is_some() && !nowhere && !matches!(seen.role, Found::Absent);
        let arn = known.unwrap_or(proposed);
        // The role will be named: nothing has to be searched for.
        let named = Desired { role: Some(arn.clone()), ..want.clone() };
        let scope = Scope::of(&named, seen, Some(&arn));
        let deployer = statements::of(&permissions::caller(scope));
        let name = format!("wsfix-{}-deployer", want.stack);
        Self {
            stack: want.stack.clone(),
            account: seen.place.account.clone(),
            partition: seen.place.partition.clone(),
            region: seen.place.region.clone(),
            principal: Principal::of(caller),
            role: execution_role(want, scope, &arn, there, judged),
            deployer: Policy::split(&name, deployer),
            obstacles: obstacles::of(culprits, caller),
            placeholders: placeholders(scope),
            caller: caller.clone(),
        }
    }

    /// A document for people, with commands to paste.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// The bare data.
    #[must_use]
    pub fn json(&self) -> Value {
        json!(self)
    }

    /// A CloudFormation template.
    #[must_use]
    pub fn cloudformation(&self) -> Value {
        cloudformation::write(self)
    }

    /// A Terraform configuration.
    #[must_use]
    pub fn terraform(&self) -> String {
        terraform::write(self)
    }
}

impl Principal {
    fn of(caller: &str) -> Self {
        let resource = caller.splitn(6, ':').nth(5).unwrap_or_default();
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let (kind, name) = match resource.split_once('/') {
            Some(("user", path)) => (PrincipalKind::User, last(path)),
            Some(("assumed-role", session)) => {
                let name = session.split('/').next().unwrap_or_default().to_owned();
                let kept = name.starts_with("AWSReservedSSO_");
                (if kept { PrincipalKind::PermissionSet } else { PrincipalKind::Role }, name)
            }
            _ => (PrincipalKind::Other, String::new()),
        };
        Self { kind, name }
    }
}

/// Names of roles have at most 64 characters.
fn proposed_name(function: &str) -> String {
    let base: String = function.chars().take(64 - "-role".len()).collect();
    format!("{base}-role")
}

fn execution_role(want: &Desired, scope: Scope<'_>, arn: &str, there: bool, judged: Option<&Judged>) -> ExecutionRole {
    let needs = permissions::execution_role(scope);
    let mut has = Vec::new();
    let mut lacking = Vec::new();
    for need in needs {
        let (asked, told) = sorted(&need, judged);
        has.extend(told);
        if !asked.is_empty() {
            lacking.push(Need { resources: asked, ..need });
        }
    }
    let trusted = judged.is_some_and(|judged| matches!(judged.trust, Trust::Yes));
    let standing = match (there, judged) {
        (false, _) => Standing::Missing,
        (true, Some(_)) => Standing::There,
        (true, None) => Standing::Unread,
    };
    let statements = statements::of(&lacking);
    let policy = (!statements.is_empty()).then(|| Policy::new(&format!("wsfix-{}-handler", want.stack), statements));
    ExecutionRole {
        name: roles::name(arn).to_owned(),
        path: path(arn),
        arn: arn.to_owned(),
        standing,
        trust_policy: (!trusted).then(trust_policy),
        policy,
        has,
    }
}

/// What stands between `role` and the name.
fn path(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).and_then(|resource| resource.strip_prefix("role")).unwrap_or("/");
    resource.rfind('/').and_then(|end| resource.get(..=end)).unwrap_or("/").to_owned()
}

/// The resources that are asked for, and what need not be asked for.
fn sorted(need: &Need, judged: Option<&Judged>) -> (Vec<String>, Vec<String>) {
    let Some(judged) = judged.filter(|judged| !judged.permissions.is_empty()) else { return (need.resources.clone(), Vec::new()) };
    let (mut asked, mut told) = (Vec::new(), Vec::new());
    for resource in &need.resources {
        let found = judged.permissions.iter().find(|permission| permission.action == need.action && permission.resource == *resource);
        let line = |how: &str| format!("{} on {resource}: {how}", need.action);
        match found.map(|permission| (&permission.answer, permission.help)) {
            Some((Answer::Allowed(_), _)) => told.push(line("it has this")),
            Some((_, Some(Help::TablePolicy))) => told.push(line("the table's resource policy gives it this")),
            Some((_, Some(Help::RouteResponse))) => told.push(line("not needed, replies travel by the route response")),
            Some((Answer::Denied(_) | Answer::Unknown(_), Some(Help::GoWithout) | None)) | None => asked.push(resource.clone()),
        }
    }
    (asked, told)
}

/// Lambda, and nobody else, may assume the role.
fn trust_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" }],
    })
}

fn placeholders(scope: Scope<'_>) -> Vec<String> {
    let api = scope.api.is_none().then(|| "the API is not made yet, or cannot be read: `*` stands for its id".to_owned());
    api.into_iter().collect()
}
