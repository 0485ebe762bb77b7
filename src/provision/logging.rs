//! Whether the stage writes logs, and what stands in them. Pure.

use super::desired::Desired;
use super::observed::{Found, Observed};
use crate::config::AccessLogs;

/// One line of the access log. Only what identifies a request and says how it ended: no query, which may hold a token, no header, no
/// address, nothing of a message. It must hold `$context.requestId` (API Gateway guide, Configure logging for WebSocket APIs).
pub(crate) const FORMAT: &str = concat!(
    r#"{"requestId":"$context.requestId","requestTime":"$context.requestTime","connectionId":"$context.connectionId","#,
    r#""routeKey":"$context.routeKey","status":"$context.status","error":"$context.error.message","#,
    r#""integrationError":"$context.integrationErrorMessage"}"#,
);

/// How much of executions is logged: what failed. More would hold what clients sent.
pub(crate) const LEVEL: &str = "ERROR";
/// Nothing of executions is logged.
pub(crate) const SILENT: &str = "OFF";

/// What becomes of the stage's logs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Logging {
    /// They are written.
    Write,
    /// They are not, and settings that wsfix made are taken back; why, where a person may have expected them.
    Stop(Option<String>),
    /// They stay as they are found, and why.
    Leave(String),
}

/// Settles `auto`.
pub(crate) fn wanted(want: &Desired, seen: &Observed) -> Logging {
    match (want.access_logs, &seen.log_role) {
        (AccessLogs::Off, _) => Logging::Stop(None),
        (AccessLogs::On, _) => Logging::Write,
        (AccessLogs::Auto, Found::Absent) => {
            Logging::Stop(Some("the account has no role that API Gateway writes logs with; an administrator can set one".to_owned()))
        }
        (AccessLogs::Auto, Found::Unknown(why)) => {
            Logging::Leave(format!("whether the account has a role that API Gateway writes logs with is not known: {why}"))
        }
        (AccessLogs::Auto, Found::Present(_)) => in_the_way(want, seen).map_or(Logging::Write, Logging::Leave),
    }
}

/// Why logs that could be written are not.
fn in_the_way(want: &Desired, seen: &Observed) -> Option<String> {
    let name = want.access_log_group();
    let stage = seen.stage_found();
    if stage.is_some_and(|stage| stage.logs_denied()) {
        return Some(format!(
            "they were denied when the stage was made; take `{DENIED}` off its description, or set `access_logs: on`, to have them tried again"
        ));
    }
    match &seen.access_log_group {
        Found::Unknown(why) if stage.is_some_and(|stage| !stage.logs_to(&name)) => {
            Some(format!("whether the log group {name} is there cannot be read: {why}"))
        }
        Found::Present(group) if !want.takes(&group.owner(&want.stack)) && !stage.is_some_and(|stage| stage.logs_to(&name)) => {
            Some(format!("the log group {name}: {}", group.owner(&want.stack).reason()))
        }
        Found::Present(_) | Found::Absent | Found::Unknown(_) => None,
    }
}

/// Ends the description of a stage whose logs were denied: missing ones are then no difference.
pub(crate) const DENIED: &str = ";logs-denied";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;

    #[test]
    fn a_line_holds_nothing_of_what_a_client_sent() {
        let variables: Vec<&str> = FORMAT.split("$context.").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let harmless = ["requestId", "requestTime", "connectionId", "routeKey", "status", "error.message", "integrationErrorMessage"];
        assert_eq!(variables, harmless);
        assert_eq!(FORMAT.matches('$').count(), variables.len());
        assert!(FORMAT.len() <= 1024 && !FORMAT.contains('\n'));
        assert!(serde_json::from_str::<serde_json::Value>(FORMAT).is_ok());
    }

    #[test]
    fn auto_writes_where_it_is_known_to_work() {
        let want = |mode: &str| desired(Settings { access_logs: Some(mode.to_owned()), ..Settings::default() });
        let seen = |log_role| Observed { log_role, ..Observed::default() };
        let role = || Found::Present("arn:aws:iam::111122223333:role/logs".to_owned());
        let denied = || Found::Unknown("GetAccount (apigateway:GET): denied".to_owned());
        assert_eq!(wanted(&want("auto"), &seen(role())), Logging::Write);
        assert!(matches!(wanted(&want("auto"), &seen(Found::Absent)), Logging::Stop(Some(_))));
        assert!(matches!(wanted(&want("auto"), &seen(denied())), Logging::Leave(why) if why.contains("GetAccount")));
        for found in [role(), Found::Absent, denied()] {
            assert_eq!(wanted(&want("on"), &seen(found.clone())), Logging::Write);
            assert_eq!(wanted(&want("off"), &seen(found)), Logging::Stop(None));
        }
    }
}
