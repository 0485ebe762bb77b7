//! The log groups that API Gateway makes by itself for the execution logs of a stage. Nobody deletes them with the API.

use std::rc::Rc;

use super::answer::{Answer, gone};
use super::desired::Desired;
use super::error::{AwsError, Cause};
use super::observed::{Found, Observed, Slot};
use super::plan::ApiCall;
use super::resource::{Context, Kind, Resource, Seen, Verdict};
use super::wait::retry;

const DESCRIBE_LOG_GROUPS: ApiCall = ApiCall { name: "DescribeLogGroups", iam: "logs:DescribeLogGroups" };
/// Deletes one of them.
pub(crate) const DELETE_LOG_GROUP: ApiCall = ApiCall { name: "DeleteLogGroup", iam: "logs:DeleteLogGroup" };

/// Both beginnings of a name that API Gateway is known to use. The id in them proves whose they are: no other API ever has it.
fn prefixes(api: &str) -> [String; 2] {
    [format!("/aws/apigateway/{api}/"), format!("API-Gateway-Execution-Logs_{api}/")]
}

/// Those of the stack's API. They are deleted by the step that deletes the API.
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
            let Some(api) = seen.api() else { return Ok(Slot::ExecutionLogs(Found::Absent)) };
            Ok(Slot::ExecutionLogs(Found::optional(find(cx, &api.id).await)?))
        })
    }

    fn diff(&self, _want: &Desired, _seen: &Observed) -> Verdict {
        Verdict::default()
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let note = match &seen.execution_logs {
            Found::Unknown(why) => {
                let [one, other] = prefixes(seen.api_id());
                format!("execution logs may be left, in log groups {one}... and {other}...: {why}")
            }
            Found::Present(groups) if want.consent.keep_logs && !groups.is_empty() => {
                format!("the execution logs are kept, and no later teardown finds them: {}", groups.join(", "))
            }
            Found::Present(_) | Found::Absent => return None,
        };
        Some(Verdict::default().with_note(note))
    }
}

async fn find(cx: &Context<'_>, api: &str) -> Result<Vec<String>, AwsError> {
    let prefixes = prefixes(api);
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let call = cx.clients.logs.describe_log_groups().log_group_name_pattern(api).set_next_token(token);
        let page = call.send().await.explain(DESCRIBE_LOG_GROUPS, api)?;
        let names = page.log_groups().iter().filter_map(|group| group.log_group_name());
        found.extend(names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).map(str::to_owned));
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// Those that go with the API.
pub(crate) fn deleted<'a>(want: &Desired, seen: &'a Observed) -> &'a [String] {
    let found = seen.execution_logs.present().filter(|_| !want.consent.keep_logs);
    found.map_or(&[], Vec::as_slice)
}

/// Deletes them, before the API itself goes: afterwards nothing finds them any more. A denial is told, and stops nothing.
pub(crate) async fn delete(cx: &Context<'_>, seen: &Observed) -> Result<(), AwsError> {
    for group in deleted(&cx.want, seen) {
        let call = cx.clients.logs.delete_log_group().log_group_name(group);
        let watch = cx.watch(Kind::Api, &cx.want.api.name, DELETE_LOG_GROUP, 60);
        match gone(retry(watch, async || call.clone().send().await.explain(DELETE_LOG_GROUP, group)).await) {
            Ok(()) => {}
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                cx.note(format!("the execution logs in {group} are left ({})", error.words()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
