//! Settings of a stage: throttles, logs, variables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::model::Pairs;
use super::request::bad_request;
use crate::local::wire::ServiceError;

/// Throttle and logging of all routes, or of one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RouteSettings {
    pub data_trace_enabled: Option<bool>,
    pub detailed_metrics_enabled: Option<bool>,
    pub logging_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_burst_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_rate_limit: Option<f64>,
}

impl RouteSettings {
    /// What a stage has that nobody gave settings to: no limits of its own.
    pub(super) fn untouched() -> Self {
        Self {
            data_trace_enabled: Some(false),
            detailed_metrics_enabled: Some(false),
            logging_level: Some("OFF".to_owned()),
            throttling_burst_limit: None,
            throttling_rate_limit: None,
        }
    }

    /// As stored over what was there. A limit that was never sent is stored as 0, and then nothing gets through: AWS does the same.
    pub(super) fn stored_over(self, old: &Self) -> Result<Self, ServiceError> {
        if let Some(level) = &self.logging_level
            && !["ERROR", "INFO", "OFF"].contains(&level.as_str())
        {
            return Err(bad_request(format!("Invalid logging level specified {level}. Must be one of ERROR, INFO, OFF")));
        }
        if self.throttling_burst_limit.is_some_and(|burst| burst < 0) || self.throttling_rate_limit.is_some_and(|rate| rate < 0.0) {
            return Err(bad_request("Invalid throttle settings: limits must not be negative"));
        }
        Ok(Self {
            data_trace_enabled: self.data_trace_enabled.or(old.data_trace_enabled),
            detailed_metrics_enabled: self.detailed_metrics_enabled.or(old.detailed_metrics_enabled),
            logging_level: self.logging_level.or_else(|| old.logging_level.clone()),
            throttling_burst_limit: self.throttling_burst_limit.or(old.throttling_burst_limit).or(Some(0)),
            throttling_rate_limit: self.throttling_rate_limit.or(old.throttling_rate_limit).or(Some(0.0)),
        })
    }

    /// Whether execution logs are asked for.
    pub(crate) fn wants_logs(&self) -> bool {
        self.logging_level.as_deref().is_some_and(|level| level != "OFF")
    }
}

/// Where access logs go, and what stands in them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AccessLogSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

impl AccessLogSettings {
    /// Destination and format.
    pub(super) fn complete(&self) -> Option<(String, String)> {
        Some((self.destination_arn.clone()?, self.format.clone()?))
    }

    /// As stored over what was there.
    pub(super) fn stored_over(self, old: Option<Self>) -> Result<Self, ServiceError> {
        let old = old.unwrap_or_default();
        let new = Self { destination_arn: self.destination_arn.or(old.destination_arn), format: self.format.or(old.format) };
        let (Some(arn), Some(format)) = (&new.destination_arn, &new.format) else {
            return Err(bad_request("Access log settings need both destinationArn and format"));
        };
        if !arn.starts_with("arn:") || !arn.contains(":log-group:") || arn.ends_with(":*") {
            return Err(bad_request(format!("Invalid ARN specified in the request: {arn}")));
        }
        if format.len() > 1024 || format.contains('\n') {
            return Err(bad_request("Access log format must be a single line of at most 1024 characters"));
        }
        if !format.contains("$context.requestId") && !format.contains("$context.extendedRequestId") {
            return Err(bad_request("Access Log format must contain $context.requestId or $context.extendedRequestId"));
        }
        Ok(new)
    }
}

/// Variables over those that were there; an empty value takes one away.
pub(super) fn variables_over(new: Pairs, old: &mut Pairs) -> Result<(), ServiceError> {
    for (name, value) in new {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(bad_request(format!("Invalid stage variable name: {name}")));
        }
        if value.is_empty() {
            old.remove(&name);
        } else {
            old.insert(name, value);
        }
    }
    Ok(())
}

/// Settings of single routes over those that were there. An entry stands for all settings of its route, not only for those named.
pub(super) fn routes_over(new: BTreeMap<String, RouteSettings>, old: &mut BTreeMap<String, RouteSettings>) -> Result<(), ServiceError> {
    for (key, settings) in new {
        let before = old.get(&key).cloned().unwrap_or_else(RouteSettings::untouched);
        old.insert(key, settings.stored_over(&before)?);
    }
    Ok(())
}
