//! Bodies of the JSON protocols.

use serde::de::DeserializeOwned;

use super::wire::{Call, ServiceError};

/// Reads a body into what the operation takes; members that are not known are left out, as AWS does.
pub(crate) fn read<T: DeserializeOwned>(call: &Call) -> Result<T, ServiceError> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    serde_json::from_slice(body).map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
}

/// A member that has to be there; `path` is its name as AWS writes it in validation errors: `tableName`.
pub(crate) fn need<T>(code: &str, path: &str, member: Option<T>) -> Result<T, ServiceError> {
    let text = || format!("1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null");
    member.ok_or_else(|| ServiceError::new(400, code, text()))
}

/// A value that breaks a constraint of the model.
pub(crate) fn invalid(code: &str, path: &str, value: &str, constraint: &str) -> ServiceError {
    let text = format!("1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}");
    ServiceError::new(400, code, text)
}
