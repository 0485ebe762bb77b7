//! The real tool, ended by SIGKILL while one of its calls is under way.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use wsfix::config::{AccessLogs, Config, Reply};

use super::{Ended, Scene};
use crate::support::Sandbox;
use crate::tool::{Tool, signal};

/// Runs it until the call is under way, and kills it. Ended with what would be its error.
pub(super) fn run(scene: Scene, sandbox: &Sandbox) -> Result<Ended, String> {
    let mut tool = Tool::of(&sandbox.cloud);
    tool.set("WSFIX_SIGNING_KEY", "fedcba9876543210fedcba9876543210");
    tool.file("wsfix.yaml", &file(&sandbox.config));
    let mut child = tool.start(scene.arguments());
    let struck = sandbox.cloud.faults().wait_struck(Duration::from_secs(30));
    if struck {
        signal(&child, "-KILL");
    }
    let ended = child.wait().map_err(|error| error.to_string())?;
    if struck && ended.code().is_some() { Err(format!("it ended by itself: {ended}")) } else { Ok(Err("killed".to_owned())) }
}

/// The config of a sandbox, as a file.
fn file(config: &Config) -> String {
    let reply = match config.reply {
        Reply::Auto => "auto",
        Reply::ManagementApi => "management-api",
        Reply::RouteResponse => "route-response",
    };
    let access_logs = match config.access_logs {
        AccessLogs::Auto => "auto",
        AccessLogs::On => "on",
        AccessLogs::Off => "off",
    };
    let handler = config.function.handler.as_ref().expect("a handler");
    // JSON is YAML.
    let environment: BTreeMap<&str, &str> =
        config.function.environment.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    json!({
        "existing_role": config.existing_role,
        "backend_url": config.backend_url,
        "access_logs": access_logs,
        "reply": reply,
        "function": { "handler": handler, "architecture": "x86_64", "environment": environment },
        "api": { "routes": config.api.routes },
        "tags": config.tags,
    })
    .to_string()
}
