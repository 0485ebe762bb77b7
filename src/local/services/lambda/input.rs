//! Reading and checking requests.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{constraint, invalid, too_large};
use super::model::{Logging, Settings};
use crate::local::wire::{Call, ServiceError};

/// Largest body of a call that brings code: 50 MB in base64 and a little.
const CODE_BODY: usize = 70_167_211;
/// Largest body of a call that brings configuration alone.
const CONFIGURATION_BODY: usize = 5120;
/// Names, values and what JSON needs around them.
const ENVIRONMENT: usize = 4096;

/// Variables that belong to Lambda itself.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Members that CreateFunction and UpdateFunctionConfiguration share.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ConfigurationInput {
    pub description: Option<String>,
    pub environment: Option<EnvironmentInput>,
    pub ephemeral_storage: Option<StorageInput>,
    pub handler: Option<String>,
    pub logging_config: Option<LoggingInput>,
    pub memory_size: Option<i64>,
    pub revision_id: Option<String>,
    pub role: Option<String>,
    pub runtime: Option<String>,
    pub timeout: Option<i64>,
    pub tracing_config: Option<TracingInput>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct EnvironmentInput {
    pub variables: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct StorageInput {
    size: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct LoggingInput {
    application_log_level: Option<String>,
    log_format: Option<String>,
    log_group: Option<String>,
    system_log_level: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TracingInput {
    mode: Option<String>,
}

/// The code in CreateFunction's `Code`, or in the body of UpdateFunctionCode.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CodeInput {
    pub architectures: Option<Vec<String>>,
    pub dry_run: Option<bool>,
    pub image_uri: Option<String>,
    pub revision_id: Option<String>,
    pub s3_bucket: Option<String>,
    pub zip_file: Option<String>,
}

impl CodeInput {
    /// The zip's bytes; `None`: no code was sent.
    pub(super) fn zip(&self) -> Result<Option<Vec<u8>>, ServiceError> {
        if self.image_uri.is_some() || self.s3_bucket.is_some() {
            return Err(invalid("The local cloud takes code as ZipFile alone: it has neither images nor S3."));
        }
        let Some(text) = &self.zip_file else { return Ok(None) };
        STANDARD.decode(text).map(Some).map_err(|_| ServiceError::new(400, "SerializationException", "ZipFile is not valid base64"))
    }
}

/// Reads a body, with the size limit that its operation has.
pub(super) fn read<T: DeserializeOwned>(call: &Call) -> Result<T, ServiceError> {
    let limit = match call.operation.as_str() {
        "CreateFunction" | "UpdateFunctionCode" => CODE_BODY,
        "UpdateFunctionConfiguration" => CONFIGURATION_BODY,
        _ => usize::MAX,
    };
    if call.body.len() > limit {
        return Err(too_large(limit, &call.operation));
    }
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    // The text of the error could echo a value, and values may be secret.
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("Could not parse request body into json: line {} column {}", error.line(), error.column());
        ServiceError::new(400, "SerializationException", message)
    })
}

/// Whether a name is one that a function may have.
pub(super) fn check_name(name: &str) -> Result<(), ServiceError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        let rule = "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+";
        return Err(constraint(name, "functionName", rule));
    }
    if name.len() > 64 {
        return Err(constraint(name, "functionName", "Member must have length less than or equal to 64"));
    }
    Ok(())
}

/// Exactly one architecture that Lambda has.
pub(super) fn architecture(list: Option<&[String]>) -> Result<Option<String>, ServiceError> {
    match list {
        None => Ok(None),
        Some([one]) if one == "x86_64" || one == "arm64" => Ok(Some(one.clone())),
        Some(list) => Err(constraint(
            &format!("[{}]", list.join(", ")),
            "architectures",
            "Member must have length less than or equal to 1 and satisfy enum value set: [x86_64, arm64]",
        )),
    }
}

impl ConfigurationInput {
    /// Checks what was sent and puts it over what was there.
    pub(super) fn over(self, settings: &mut Settings) -> Result<(), ServiceError> {
        if let Some(role) = self.role {
            check_role(&role)?;
            settings.role = role;
        }
        if let Some(description) = self.description {
            within("description", description.chars().count() as i64, 0, 256)?;
            settings.description = description;
        }
        if let Some(runtime) = self.runtime {
            check_runtime(&runtime)?;
            settings.runtime = runtime;
        }
        if let Some(handler) = self.handler {
            if handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace) {
                return Err(constraint(&handler, "handler", "Member must satisfy regular expression pattern: [^\\s]+"));
            }
            settings.handler = handler;
        }
        settings.timeout = limited("timeout", self.timeout, 1, 900, settings.timeout)?;
        settings.memory_size = limited("memorySize", self.memory_size, 128, 10_240, settings.memory_size)?;
        let size = self.ephemeral_storage.and_then(|storage| storage.size);
        settings.storage_size = limited("ephemeralStorage.size", size, 512, 10_240, settings.storage_size)?;
        if let Some(mode) = self.tracing_config.and_then(|tracing| tracing.mode) {
            if mode != "Active" && mode != "PassThrough" {
                return Err(constraint(&mode, "tracingConfig.mode", "Member must satisfy enum value set: [Active, PassThrough]"));
            }
            settings.tracing = mode;
        }
        if let Some(logging) = self.logging_config {
            logging.over(&mut settings.logging)?;
        }
        if let Some(environment) = self.environment {
            let variables = environment.variables.unwrap_or_default();
            check_environment(&variables)?;
            settings.environment = variables;
        }
        Ok(())
    }
}

impl LoggingInput {
    fn over(self, logging: &mut Logging) -> Result<(), ServiceError> {
        match self.log_format.as_deref() {
            None => {}
            Some("JSON") => logging.json = true,
            Some("Text") => logging.json = false,
            Some(other) => return Err(constraint(other, "loggingConfig.logFormat", "Member must satisfy enum value set: [JSON, Text]")),
        }
        if let Some(group) = self.log_group {
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
            if group.is_empty() || group.len() > 512 || !group.chars().all(plain) {
                let rule = "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+";
                return Err(constraint(&group, "loggingConfig.logGroup", rule));
            }
            logging.group = group;
        }
        logging.application_level = self.application_log_level.or_else(|| logging.application_level.take());
        logging.system_level = self.system_log_level.or_else(|| logging.system_level.take());
        Ok(())
    }
}

fn within(member: &str, value: i64, least: i64, most: i64) -> Result<(), ServiceError> {
    let rule = if value < least {
        format!("Member must have value greater than or equal to {least}")
    } else if value > most {
        format!("Member must have value less than or equal to {most}")
    } else {
        return Ok(());
    };
    Err(constraint(&value.to_string(), member, &rule))
}

fn limited(member: &str, value: Option<i64>, least: i64, most: i64, old: u64) -> Result<u64, ServiceError> {
    let Some(value) = value else { return Ok(old) };
    within(member, value, least, most)?;
    Ok(u64::try_from(value).unwrap_or(old))
}

fn check_role(role: &str) -> Result<(), ServiceError> {
    let well_formed = || {
        let mut parts = role.splitn(6, ':');
        let head = parts.next()? == "arn" && parts.next()?.starts_with("aws") && parts.next()? == "iam" && parts.next()?.is_empty();
        let account = parts.next()?;
        let name = parts.next()?.strip_prefix("role/")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
        Some(head && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() && name.chars().all(plain))
    };
    if well_formed() == Some(true) {
        return Ok(());
    }
    let pattern = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
    Err(constraint(role, "role", &format!("Member must satisfy regular expression pattern: {pattern}")))
}

fn check_runtime(runtime: &str) -> Result<(), ServiceError> {
    match runtime {
        "provided.al2023" | "provided.al2" => Ok(()),
        _ => Err(invalid(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: the local cloud runs provided.al2023 and provided.al2 alone"
        ))),
    }
}

/// The rules for variables, in AWS's order: names, reserved names, size. Over the size AWS says all values; here they are left out.
pub(super) fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    for name in variables.keys() {
        let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let reserved = RESERVED.contains(&name.as_str());
        let named = name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(rest);
        if !named && !reserved {
            let rule = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
            return Err(constraint(name, "environment.variables", rule));
        }
    }
    let reserved: Vec<&str> = variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    let unable = "Lambda was unable to configure your environment variables because the environment variables you have provided";
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{unable} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let size = serde_json::to_string(variables).map_or(usize::MAX, |text| text.len());
    if !variables.is_empty() && size > ENVIRONMENT {
        return Err(invalid(format!("{unable} exceeded the 4KB limit. String measured: {{{} names and their values}}", variables.len())));
    }
    Ok(())
}
