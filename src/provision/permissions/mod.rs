//! What the two principals need: the one list that the preflight, the request to an administrator, the judging of roles and
//! `plan --calls` draw from. Pure.
//!
//! A call that is added to wsfix is added here too; a test compares this list with the calls in the sources.

mod caller;
mod handler;
#[cfg(test)]
mod tests;

pub(crate) use caller::{before_a_stack, caller};
pub(crate) use handler::execution_role;

use super::desired::Desired;
use super::observed::{Observed, Place};
use super::resources::api;
use super::roles;

/// One permission, what it is for, and what is missing without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) group: Group,
    pub(crate) phase: Phase,
    /// `dynamodb:CreateTable`
    pub(crate) action: &'static str,
    /// ARNs, as few as do. `*` stands for an id that only AWS knows, or is the whole where AWS has no finer resource for the action.
    pub(crate) resources: Vec<String>,
    /// The condition key, and what it equals, under which the permission is enough.
    pub(crate) condition: Option<(&'static str, String)>,
    /// The calls that ask for it, as AWS names them.
    pub(crate) calls: &'static [&'static str],
    /// What it is for, in one line for an administrator.
    pub(crate) why: &'static str,
    /// What does not work without it.
    pub(crate) without: &'static str,
    /// Whether everything else works without it.
    pub(crate) optional: bool,
}

/// The statement of a policy that a permission belongs to: what may be denied or left out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Table,
    TablePolicy,
    TableTags,
    Function,
    FunctionTags,
    OtherCallers,
    PassRole,
    Api,
    ApiTags,
    Logs,
    StageLogs,
    Roles,
    Caller,
    Connections,
    ReadLogs,
    Backends,
    Items,
    Replies,
    LogLines,
    TokenKey,
}

impl Group {
    /// The `Sid` of its statement: letters and digits only.
    pub(crate) fn sid(self) -> &'static str {
        match self {
            Self::Table => "Table",
            Self::TablePolicy => "TablePolicy",
            Self::TableTags => "TableTags",
            Self::Function => "Function",
            Self::FunctionTags => "FunctionTags",
            Self::OtherCallers => "OtherCallers",
            Self::PassRole => "PassRoleToLambda",
            Self::Api => "WebSocketApi",
            Self::ApiTags => "WebSocketApiTags",
            Self::Logs => "Logs",
            Self::StageLogs => "StageLogs",
            Self::Roles => "ReadRoles",
            Self::Caller => "ReadOwnPermissions",
            Self::Connections => "ReadConnections",
            Self::ReadLogs => "ReadLogs",
            Self::Backends => "ReadBackends",
            Self::Items => "ConnectionItems",
            Self::Replies => "Replies",
            Self::LogLines => "LogLines",
            Self::TokenKey => "TokenKey",
        }
    }
}

/// When a permission is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// By `init`, before there is a config.
    Init,
    /// By every command, to see what is there; and while waiting for a change.
    Look,
    /// By `provision` before the first change, and by `plan --preflight`.
    Preflight,
    /// By `provision`.
    Provision,
    /// By `teardown`.
    Teardown,
    /// By commands that look at a stack at work: `status`, `logs` and their like.
    Operate,
    /// By the running handler.
    Serve,
}

impl Phase {
    /// As a person reads it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Look => "look",
            Self::Preflight => "preflight",
            Self::Provision => "provision",
            Self::Teardown => "teardown",
            Self::Operate => "operate",
            Self::Serve => "serve",
        }
    }
}

/// What the list is made for.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) want: &'a Desired,
    pub(crate) place: &'a Place,
    /// ARN of the user or the role that runs wsfix; `None`: not known.
    pub(crate) caller: Option<&'a str>,
    /// ARN of the execution role; `None`: not chosen yet.
    pub(crate) role: Option<&'a str>,
    /// Id of the API; `None`: not made yet.
    pub(crate) api: Option<&'a str>,
    /// The APIs with this stack's mark: that one, and spare ones.
    pub(crate) marked: &'a [api::One],
    /// Whether the role is known to need the table's resource policy.
    pub(crate) table_policy: bool,
}

impl<'a> Scope<'a> {
    /// The scope of an account as it was read. `role`: its ARN, as far as it is known.
    pub(crate) fn of(want: &'a Desired, seen: &'a Observed, role: Option<&'a str>) -> Self {
        let table_policy = roles::judged(want, seen).is_some_and(roles::Judged::needs_table_policy);
        let marked = seen.api.present().map(api::Live::marked).unwrap_or_default();
        Self { want, place: &seen.place, caller: None, role, api: seen.api().map(|api| api.id.as_str()), marked, table_policy }
    }

    /// The API's id, or what stands for it in a policy.
    fn api_id(self) -> &'a str {
        self.api.unwrap_or("*")
    }

    /// ARN of something of API Gateway, without an account.
    fn gateway(self, path: &str) -> String {
        let Place { partition, region, .. } = self.place;
        format!("arn:{partition}:apigateway:{region}::{path}")
    }

    /// ARN of something of IAM, without a Region.
    fn iam(self, resource: &str) -> String {
        let Place { partition, account, .. } = self.place;
        format!("arn:{partition}:iam::{account}:{resource}")
    }

    /// A log group as policies name it: AWS looks at it with and without a stream at its end.
    fn log_group(self, name: &str) -> Vec<String> {
        let group = self.place.arn("logs", &format!("log-group:{name}"));
        vec![group.clone(), format!("{group}:*")]
    }
}

/// A permission in the making.
struct Row {
    group: Group,
    phase: Phase,
    action: &'static str,
    resources: Vec<String>,
    condition: Option<(&'static str, String)>,
    calls: &'static [&'static str],
}

impl Row {
    fn new(group: Group, phase: Phase, action: &'static str, calls: &'static [&'static str]) -> Self {
        Self { group, phase, action, resources: Vec::new(), condition: None, calls }
    }

    fn on(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }

    fn on_all(self, resources: Vec<String>) -> Self {
        Self { resources, ..self }
    }

    fn where_equals(self, key: &'static str, value: impl Into<String>) -> Self {
        Self { condition: Some((key, value.into())), ..self }
    }

    /// Nothing works without it.
    fn needed(self, why: &'static str, without: &'static str) -> Need {
        self.need(why, without, false)
    }

    /// The rest works without it.
    fn optional(self, why: &'static str, without: &'static str) -> Need {
        self.need(why, without, true)
    }

    fn need(self, why: &'static str, without: &'static str, optional: bool) -> Need {
        let Self { group, phase, action, resources, condition, calls } = self;
        Need { group, phase, action, resources, condition, calls, why, without, optional }
    }
}
