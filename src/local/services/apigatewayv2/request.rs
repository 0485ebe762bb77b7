//! Reading requests, and the errors of this service.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::model::Pairs;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;

/// Reads the body. Members that the operation does not have are ignored, as AWS does; a wrong type is refused.
pub(super) fn read<T: DeserializeOwned>(call: &Call) -> Result<T, ServiceError> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    serde_json::from_slice(body).map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
}

/// The tags in the body; none where there is something else in their place.
pub(super) fn tags_in(call: &Call) -> Pairs {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Tagged {
        tags: Option<Pairs>,
    }
    serde_json::from_slice::<Tagged>(&call.body).ok().and_then(|body| body.tags).unwrap_or_default()
}

/// What all ARNs of this service begin with: they have no account.
pub(super) fn root(world: &World) -> String {
    format!("arn:aws:apigateway:{}::", world.region)
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
