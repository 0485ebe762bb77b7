//! The log groups that API Gateway makes by itself for the execution logs of a stage. Nobody deletes them with the API.

use std::rc::Rc;

use super::answer::{Answer, gone};
use super::desired::Desired;
use super::error::{AwsError, Cause};
use super::observed::{Found, Observed, Slot};
use super::ownership::Owner;
use super::plan::{Action, ApiCall};
use super::resource::{Context, Kind, Resource, Seen, Verdict};
use super::resources::log_group::{PROTECTED, unprotect};
use super::wait::retry;

const DESCRIBE_LOG_GROUPS: ApiCall = ApiCall { name: "DescribeLogGroups", iam: "logs:DescribeLogGroups" };
const DELETE_LOG_GROUP: ApiCall = ApiCall { name: "DeleteLogGroup", iam: "logs:DeleteLogGroup" };

/// The log groups of one API.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// Its id, which proves whose they are: no other API ever has it.
    api: String,
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    name: String,
    /// Against deletion.
    protected: bool,
}

/// Both beginnings of a name that API Gateway is known to use.
fn prefixes(api: &str) -> [String; 2] {
    [format!("/aws/apigateway/{api}/"), format!("API-Gateway-Execution-Logs_{api}/")]
}

/// The API whose logs they are: the stack's. Where it is gone already, a teardown may have ended just after that: the one that the function
/// worked with.
fn api<'a>(want: &Desired, seen: &'a Observed) -> Option<&'a str> {
    if let Some(api) = seen.api() {
        return Some(&api.id);
    }
    let apis = seen.api.present()?;
    let function = seen.function.present().filter(|function| function.owner(&want.stack) == Owner::Ours)?;
    function.api().filter(|id| !id.is_empty() && !apis.has(id))
}

pub(crate) struct ExecutionLogs;

impl Resource for ExecutionLogs {
    fn kind(&self) -> Kind {
        Kind::ExecutionLogs
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(api) = api(&cx.want, &seen) else { return Ok(Slot::ExecutionLogs(Found::Absent)) };
            Ok(Slot::ExecutionLogs(Found::optional(find(cx, api).await)?))
        })
    }

    fn diff(&self, _want: &Desired, _seen: &Observed) -> Verdict {
        Verdict::default()
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, item: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(delete(cx, item, seen))
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        if seen.api().is_some_and(|api| api.is_left(want)) {
            return None;
        }
        let live = match &seen.execution_logs {
            Found::Unknown(why) => {
                let [one, other] = prefixes(api(want, seen)?);
                let note = format!("execution logs may be left, in log groups {one}... and {other}...: {why}");
                return Some(Verdict::default().with_note(note));
            }
            Found::Present(live) if !live.groups.is_empty() => live,
            Found::Present(_) | Found::Absent => return None,
        };
        let names = names(seen).join(", ");
        if want.consent.keep_logs {
            return Some(Verdict::default().with_note(format!("the execution logs are kept, and no later teardown finds them: {names}")));
        }
        if let Some(group) = live.groups.iter().find(|group| group.protected) {
            return Some(Verdict::refuse(Kind::ExecutionLogs, &group.name, PROTECTED, &unprotect(&group.name)));
        }
        let why = format!("API Gateway made it for the API {}", live.api);
        Some(Verdict::step(Kind::ExecutionLogs, &names, Action::Delete(why), &vec![DELETE_LOG_GROUP; live.groups.len()]))
    }
}

async fn find(cx: &Context<'_>, api: &str) -> Result<Live, AwsError> {
    let prefixes = prefixes(api);
    let (mut groups, mut token) = (Vec::new(), None);
    loop {
        let call = cx.clients.logs.describe_log_groups().log_group_name_pattern(api).set_next_token(token);
        let page = call.send().await.explain(DESCRIBE_LOG_GROUPS, api)?;
        for group in page.log_groups() {
            let name = group.log_group_name().unwrap_or_default();
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                groups.push(Group { name: name.to_owned(), protected: group.deletion_protection_enabled().unwrap_or_default() });
            }
        }
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(Live { api: api.to_owned(), groups });
        }
    }
}

/// Names of those that were found; after a teardown, of those that are left.
pub(crate) fn names(seen: &Observed) -> Vec<String> {
    let live = seen.execution_logs.present();
    live.into_iter().flat_map(|live| &live.groups).map(|group| group.name.clone()).collect()
}

/// Deletes them; those that may not be deleted are told, and left.
async fn delete(cx: &Context<'_>, item: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let Some(mut live) = seen.execution_logs.present().cloned() else { return Ok(Slot::Same) };
    let mut left = Vec::new();
    for group in live.groups {
        let call = cx.clients.logs.delete_log_group().log_group_name(&group.name);
        let watch = cx.watch(Kind::ExecutionLogs, item, DELETE_LOG_GROUP, 60);
        match gone(retry(watch, async || call.clone().send().await.explain(DELETE_LOG_GROUP, &group.name)).await) {
            Ok(()) => {}
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                cx.note(format!("the execution logs in {} are left ({})", group.name, error.words()));
                left.push(group);
            }
            Err(error) => return Err(error),
        }
    }
    live.groups = left;
    Ok(Slot::ExecutionLogs(Found::Present(live)))
}
