//! All state of the cloud, shared by its services.

use std::sync::Arc;

use super::account::Account;
use super::calls::Calls;
use super::clock::Clock;
use super::faults::Faults;
use super::wire::{Caller, ServiceError};
use super::{Delays, LogLine};

/// One running cloud. Each service keeps its own state behind its own lock.
pub(crate) struct World {
    pub account: Account,
    pub region: String,
    /// `http://127.0.0.1:PORT`
    pub endpoint: String,
    pub clock: Clock,
    pub delays: Delays,
    pub calls: Calls,
    pub faults: Faults,
    pub on_log: Option<Arc<dyn Fn(&LogLine) + Send + Sync>>,
}

/// Credentials of a role's session, for a sandbox.
#[derive(Clone)]
pub(crate) struct SessionCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

impl World {
    /// Allowed, or the denial in the shape that the service of `action` has.
    pub(crate) fn authorize(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        resource_policy: Option<&serde_json::Value>,
    ) -> Result<(), ServiceError> {
        let _ = (caller, action, resource, resource_policy);
        Ok(())
    }

    /// Credentials for a session of a role, known from then on.
    pub(crate) fn assume_role(&self, role_arn: &str, session: &str) -> SessionCredentials {
        let _ = (role_arn, session);
        SessionCredentials { access_key_id: String::new(), secret_access_key: String::new(), session_token: String::new() }
    }

    /// Whether the role's trust policy lets this service assume it; `None`: there is no such role.
    pub(crate) fn may_assume(&self, role_arn: &str, service_principal: &str) -> Option<bool> {
        let _ = (role_arn, service_principal);
        None
    }

    /// Writes lines as the role of a function would: created group and stream included, where the role may; else they are lost, as on AWS.
    pub(crate) fn write_logs(&self, caller: &Caller, group: &str, stream: &str, lines: &[String]) {
        let _ = (caller, group, stream, lines);
    }
}
