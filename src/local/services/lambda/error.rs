//! The errors of this service, with AWS's texts.

use serde_json::Value;

use crate::local::wire::ServiceError;

fn user_error(status: u16, code: &str, message: impl Into<String>) -> ServiceError {
    let mut error = ServiceError::new(status, code, message);
    error.members.push(("Type", Value::from("User")));
    error
}

/// `InvalidParameterValueException`
pub(super) fn invalid(message: impl Into<String>) -> ServiceError {
    user_error(400, "InvalidParameterValueException", message)
}

/// `ValidationException`: the request breaks a rule of the model.
pub(super) fn constraint(value: &str, member: &str, rule: &str) -> ServiceError {
    let message = format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}");
    ServiceError::new(400, "ValidationException", message)
}

/// `ResourceNotFoundException` for a function.
pub(super) fn no_function(arn: &str) -> ServiceError {
    not_found(format!("Function not found: {arn}"))
}

/// `ResourceNotFoundException`
pub(super) fn not_found(message: impl Into<String>) -> ServiceError {
    user_error(404, "ResourceNotFoundException", message)
}

/// `ResourceConflictException`; it has four meanings, told apart by the text.
pub(super) fn conflict(message: impl Into<String>) -> ServiceError {
    user_error(409, "ResourceConflictException", message)
}

/// A function that was just made cannot be changed or invoked yet.
pub(super) fn not_ready(state: &str) -> ServiceError {
    conflict(format!("The operation cannot be performed at this time. The function is currently in the following state: {state}"))
}

/// `PreconditionFailedException`: a stale `RevisionId`.
pub(super) fn stale(read_with: &str) -> ServiceError {
    let message = format!(
        "The Revision Id provided does not match the latest Revision Id. Call the {read_with} API to retrieve the latest Revision Id"
    );
    user_error(412, "PreconditionFailedException", message)
}

/// `RequestEntityTooLargeException`
pub(super) fn too_large(limit: usize, operation: &str) -> ServiceError {
    let message = format!("Request must be smaller than {limit} bytes for the {operation} operation");
    ServiceError::new(413, "RequestEntityTooLargeException", message)
}
