//! A function as it is kept and shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::code::Code;
use super::policy::Policy;
use super::pool::Pool;
use super::triggers::Triggers;
use crate::local::ids;

/// What a sandbox runs with: code and configuration at one moment. No `Debug`: secrets stand in the environment.
#[derive(Clone)]
pub(crate) struct Settings {
    pub role: String,
    pub description: String,
    pub handler: String,
    pub runtime: String,
    /// Seconds.
    pub timeout: u64,
    /// Megabytes.
    pub memory_size: u64,
    /// Megabytes of `/tmp`.
    pub storage_size: u64,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    pub environment: BTreeMap<String, String>,
    pub logging: Logging,
    pub tracing: String,
    pub code: Arc<Code>,
}

/// Where log lines go, and in which form.
#[derive(Clone, Debug)]
pub(crate) struct Logging {
    pub json: bool,
    pub group: String,
    pub application_level: Option<String>,
    pub system_level: Option<String>,
}

/// One function.
#[derive(Clone)]
pub(super) struct Function {
    pub name: String,
    pub arn: String,
    /// As reads show it; what is served may be older while an update goes on.
    pub settings: Settings,
    pub pool: Arc<Pool>,
    pub last_modified: String,
    pub revision_id: String,
    pub tags: BTreeMap<String, String>,
    pub policy: Policy,
    pub triggers: Triggers,
    pub reserved: Option<u64>,
    pub active_at: Instant,
    /// When the update that goes on is done.
    pub updated_at: Option<Instant>,
    /// When the deletion that goes on is done.
    pub gone_at: Option<Instant>,
}

/// What the answer to a change says of the state, however quick the change is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Just {
    Created,
    Updated,
    Nothing,
}

impl Function {
    /// Does what is due.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.updated_at.take_if(|at| *at <= now).is_some() {
            self.pool.serve(Arc::new(self.settings.clone()));
        }
    }

    /// `Active`, or why it cannot be used.
    pub(super) fn state(&self, now: Instant) -> &'static str {
        if self.gone_at.is_some() {
            "Deleting"
        } else if self.active_at > now {
            "Pending"
        } else {
            "Active"
        }
    }

    /// Notes a change that takes `delay` to be served.
    pub(super) fn touch(&mut self, delay: std::time::Duration, last_modified: String) {
        self.updated_at = Some(Instant::now() + delay);
        self.last_modified = last_modified;
        self.revision_id = ids::uuid();
    }

    /// The `FunctionConfiguration`.
    pub(super) fn configuration(&self, just: Just) -> Value {
        let settings = &self.settings;
        let mut shown = json!({
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "Runtime": settings.runtime,
            "Role": settings.role,
            "Handler": settings.handler,
            "CodeSize": settings.code.size,
            "Description": settings.description,
            "Timeout": settings.timeout,
            "MemorySize": settings.memory_size,
            "LastModified": self.last_modified,
            "CodeSha256": settings.code.sha256,
            "Version": "$LATEST",
            "TracingConfig": { "Mode": settings.tracing },
            "RevisionId": self.revision_id,
            "PackageType": "Zip",
            "Architectures": [settings.architecture],
            "EphemeralStorage": { "Size": settings.storage_size },
            "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
            "LoggingConfig": settings.logging.shown(),
        });
        if !settings.environment.is_empty() {
            shown["Environment"] = json!({ "Variables": settings.environment });
        }
        let state = if just == Just::Created { "Pending" } else { self.state(Instant::now()) };
        shown["State"] = state.into();
        if state == "Pending" {
            shown["StateReason"] = "The function is being created.".into();
            shown["StateReasonCode"] = "Creating".into();
        } else if just == Just::Updated || self.updated_at.is_some() {
            shown["LastUpdateStatus"] = "InProgress".into();
            shown["LastUpdateStatusReason"] = "The function is being created.".into();
            shown["LastUpdateStatusReasonCode"] = "Creating".into();
        } else {
            shown["LastUpdateStatus"] = "Successful".into();
        }
        shown
    }
}

impl Logging {
    fn shown(&self) -> Value {
        let mut shown = json!({ "LogFormat": if self.json { "JSON" } else { "Text" }, "LogGroup": self.group });
        if let Some(level) = &self.application_level {
            shown["ApplicationLogLevel"] = level.as_str().into();
        }
        if let Some(level) = &self.system_level {
            shown["SystemLogLevel"] = level.as_str().into();
        }
        shown
    }
}
