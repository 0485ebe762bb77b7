//! Reading requests, and the errors of this service.

use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;

/// Reads the body. Members that the operation does not have are ignored, as AWS does; a wrong type is refused.
pub(super) fn read<T: DeserializeOwned>(call: &Call) -> Result<T, ServiceError> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    serde_json::from_slice(body).map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
}

/// Whether the body has tags in it.
pub(super) fn has_tags(call: &Call) -> bool {
    let body = serde_json::from_slice::<serde_json::Value>(&call.body).unwrap_or_default();
    body.get("tags").and_then(serde_json::Value::as_object).is_some_and(|tags| !tags.is_empty())
}

/// A path segment as it was meant.
pub(super) fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// `BadRequestException`
pub(super) fn bad_request(message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "BadRequestException", message)
}

/// `ConflictException`
pub(super) fn conflict(message: impl Into<String>) -> ServiceError {
    ServiceError::new(409, "ConflictException", message)
}

/// `NotFoundException` for a part of an API: `Invalid Route identifier specified abc123`.
pub(super) fn no_such(kind: &str, id: &str) -> ServiceError {
    ServiceError::new(404, "NotFoundException", format!("Invalid {kind} identifier specified {id}"))
}

/// `NotFoundException` for an API; AWS says the account with its id.
pub(super) fn no_such_api(world: &World, id: &str) -> ServiceError {
    no_such("API", &format!("{}:{id}", world.account.id))
}

/// The quota texts of this service come as throttling errors.
pub(super) fn too_many(noun: &str, limit: usize) -> ServiceError {
    let message = format!(
        "Maximum number of {noun} for this API has been reached. Please contact AWS if you need additional {noun}. The limit is {limit}."
    );
    ServiceError::new(429, "TooManyRequestsException", message)
}

/// Refuses a text that is too long or, where `least` says so, empty.
pub(super) fn check_length(member: &str, text: Option<&str>, least: usize, most: usize) -> Result<(), ServiceError> {
    match text.map(|text| text.chars().count()) {
        Some(length) if length < least || length > most => {
            Err(bad_request(format!("Invalid value for {member}. Its length must be between {least} and {most}")))
        }
        _ => Ok(()),
    }
}

/// ISO-8601, whole seconds, as `createdDate` is.
pub(super) fn date(world: &World) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(world.clock.now_ms() / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(&Rfc3339).unwrap_or_default()
}

/// The partition of a Region.
pub(crate) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}
