//! The role of the account that API Gateway writes logs with. Referenced, never changed: it belongs to every API of the Region.

use std::rc::Rc;

use crate::config::AccessLogs;
use crate::provision::desired::Desired;
use crate::provision::gateway_account;
use crate::provision::logging::{self, Logging};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::resource::{Context, Kind, Resource, Seen, Verdict};

/// What an administrator sets once for each Region (API Gateway guide, Set up CloudWatch logging).
const SET_UP: &str = "have an administrator set one for the Region: a role that apigateway.amazonaws.com may assume, with the policy \
    AmazonAPIGatewayPushToCloudWatchLogs, by `aws apigateway update-account --patch-operations \
    op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN`; or set `access_logs: auto`";

pub(crate) struct LogRole;

impl Resource for LogRole {
    fn kind(&self) -> Kind {
        Kind::LogRole
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async {
            if cx.want.access_logs == AccessLogs::Off {
                return Ok(Slot::LogRole(Found::Absent));
            }
            let answer = gateway_account::log_role(&cx.clients.api, "account settings of API Gateway").await;
            Ok(Slot::LogRole(match Found::optional(answer)? {
                Found::Present(Some(role)) => Found::Present(role),
                Found::Present(None) => Found::Absent,
                // A server that does not know the call says nothing of the role.
                Found::Absent => Found::Unknown("GetAccount (apigateway:GET): there is no such call here".to_owned()),
                Found::Unknown(why) => Found::Unknown(why),
            }))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        match (want.access_logs, &seen.log_role) {
            (AccessLogs::On, Found::Absent) => Verdict::refuse(
                Kind::LogRole,
                "of the account",
                "`access_logs` is `on`, and the account has no role that API Gateway writes logs with",
                SET_UP,
            ),
            (AccessLogs::Auto, _) => match logging::wanted(want, seen) {
                Logging::Leave(why) | Logging::Stop(Some(why)) => Verdict::default().with_note(format!("no access logs: {why}")),
                Logging::Write | Logging::Stop(None) => Verdict::default(),
            },
            (AccessLogs::On | AccessLogs::Off, _) => Verdict::default(),
        }
    }
}
