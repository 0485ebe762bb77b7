//! Where a stage's access logs go, and what becomes of them in a call.

use aws_sdk_apigatewayv2::types::{AccessLogSettings, Stage as Answered};

use crate::config::AccessLogs;
use crate::contract::ownership::marker;
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::logging::{self, DENIED, FORMAT, LEVEL, Logging, SILENT};
use crate::provision::observed::{Found, Observed};
use crate::provision::resource::Field;

/// What wsfix manages about the access logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AccessLog {
    /// ARN of the log group; empty: none.
    destination: String,
    format: String,
    /// The stage's description says that they were denied.
    denied: bool,
}

impl AccessLog {
    pub(super) fn found(stage: &Answered) -> Self {
        let settings = stage.access_log_settings();
        let text = |of: fn(&AccessLogSettings) -> Option<&str>| settings.and_then(of).unwrap_or_default().to_owned();
        Self {
            destination: text(AccessLogSettings::destination_arn).trim_end_matches(":*").to_owned(),
            format: text(AccessLogSettings::format),
            denied: stage.description().is_some_and(|description| description.ends_with(DENIED)),
        }
    }

    /// `None`: they stay as they are found.
    pub(super) fn fields(of: Option<&Self>) -> [Field; 3] {
        [
            Field::maybe("access_log.destination", of.map(|log| log.destination.clone())),
            Field::maybe("access_log.format", of.map(|log| log.format.clone())),
            Field::maybe("access_log.denied", of.map(|log| log.denied.to_string())),
        ]
    }

    pub(super) fn was_denied(&self) -> bool {
        self.denied
    }

    /// The log group's name; empty: none.
    pub(super) fn group(&self) -> &str {
        self.destination.split_once(":log-group:").map_or("", |(_, name)| name)
    }
}

/// What a call does to the stage's logs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Logs {
    /// They go to the log group with this ARN.
    Write(String),
    /// They end.
    Stop,
    /// They stay as they are found.
    Leave,
    /// They were denied: the stage goes without, and its description says so.
    Denied,
}

impl Logs {
    /// As the config and the account want it. Settings that somebody else made are not taken back.
    pub(super) fn wanted(want: &Desired, seen: &Observed, found: Option<&AccessLog>) -> Self {
        let group = want.access_log_group();
        match logging::wanted(want, seen) {
            Logging::Write => Self::Write(seen.place.arn("logs", &format!("log-group:{group}"))),
            Logging::Stop(_) if found.is_some_and(|log| log.group() == group) => Self::Stop,
            Logging::Stop(_) | Logging::Leave(_) => Self::Leave,
        }
    }

    /// As [`Self::wanted`], once the log group has had its turn: without one there is nowhere to write.
    pub(super) fn settled(want: &Desired, seen: &Observed, found: Option<&AccessLog>) -> Self {
        let logs = Self::wanted(want, seen, found);
        let there = matches!(seen.access_log_group, Found::Present(_)) || found.is_some_and(|log| log.group() == want.access_log_group());
        let missed = matches!(logs, Self::Write(_)) && !there && want.access_logs == AccessLogs::Auto;
        if missed { Self::Denied } else { logs }
    }

    /// What the comparison wants to find.
    pub(super) fn spec(&self) -> Option<AccessLog> {
        match self {
            Self::Write(arn) => Some(AccessLog { destination: arn.clone(), format: FORMAT.to_owned(), denied: false }),
            Self::Stop => Some(AccessLog::default()),
            Self::Leave | Self::Denied => None,
        }
    }

    /// The level of execution logs; `None`: as it is found.
    pub(super) fn level(&self) -> Option<&'static str> {
        match self {
            Self::Write(_) => Some(LEVEL),
            Self::Stop => Some(SILENT),
            Self::Leave | Self::Denied => None,
        }
    }

    pub(super) fn settings(&self) -> Option<AccessLogSettings> {
        match self {
            Self::Write(arn) => Some(AccessLogSettings::builder().destination_arn(arn).format(FORMAT).build()),
            Self::Stop | Self::Leave | Self::Denied => None,
        }
    }

    /// The stage's description, where the call says something of it. `found`: nothing, where the stage is made.
    pub(super) fn description(&self, stack: &str, found: Option<&AccessLog>) -> Option<String> {
        match self {
            Self::Denied => Some(marker(stack) + DENIED),
            Self::Write(_) | Self::Stop if found.is_some_and(AccessLog::was_denied) => Some(marker(stack)),
            Self::Write(_) | Self::Stop | Self::Leave => found.is_none().then(|| marker(stack)),
        }
    }

    /// Whether a call may be tried again without logs after this error: the logs may be what is refused, and they may be missed.
    pub(super) fn may_be_missed(&self, want: &Desired, error: &AwsError) -> bool {
        let refused = match error.cause {
            Cause::Denied { .. } => true,
            Cause::Invalid => error.said.as_ref().is_some_and(|said| said.contains("enable logging")),
            Cause::NotFound
            | Cause::Exists
            | Cause::NotReady
            | Cause::Throttled
            | Cause::Credentials
            | Cause::Unreachable
            | Cause::TimedOut { .. }
            | Cause::FailedState { .. }
            | Cause::Overtaken
            | Cause::Lost
            | Cause::Other => false,
        };
        refused && matches!(self, Self::Write(_)) && want.access_logs == AccessLogs::Auto
    }
}
