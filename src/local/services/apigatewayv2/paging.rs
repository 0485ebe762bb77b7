//! Lists in pages: `maxResults` is a text in this service, and a page without `nextToken` is the last.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};

use super::request::bad_request;
use crate::local::wire::{Answer, Call, Outcome, ServiceError};

/// A page holds so many items where the caller does not say.
const DEFAULT: usize = 25;
/// The most that a caller may ask for.
const MOST: usize = 500;

/// One page of `items`, each known by its id.
pub(super) fn page<T: Serialize>(call: &Call, items: &[T], id: impl Fn(&T) -> &str) -> Outcome {
    let size = match parameter(call, "maxResults") {
        None => DEFAULT,
        Some(text) => match text.parse::<usize>() {
            Ok(size) if (1..=MOST).contains(&size) => size,
            _ => return Err(bad_request("Invalid maxResults value")),
        },
    };
    let start = match parameter(call, "nextToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => start(&token, items, &id)?,
    };
    let end = items.len().min(start + size);
    let page: Result<Vec<Value>, _> = items[start..end].iter().map(serde_json::to_value).collect();
    let page = page.map_err(|error| ServiceError::new(500, "InternalServerErrorException", error.to_string()))?;
    let mut body = json!({ "items": page });
    if end < items.len()
        && let Some(last) = items[..end].last()
    {
        body["nextToken"] = Value::from(URL_SAFE_NO_PAD.encode(format!("{end}:{}", id(last))));
    }
    Ok(Answer::json(200, &body))
}

/// After the item that the last page ended with; where it is gone by now, at the same place.
fn start<T>(token: &str, items: &[T], id: &impl Fn(&T) -> &str) -> Result<usize, ServiceError> {
    let invalid = || bad_request("Invalid nextToken value");
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
    let (place, last) = text.split_once(':').ok_or_else(invalid)?;
    let place: usize = place.parse().map_err(|_| invalid())?;
    Ok(items.iter().position(|item| id(item) == last).map_or(place.min(items.len()), |found| found + 1))
}

/// One parameter of the query string, decoded.
pub(super) fn parameter(call: &Call, name: &str) -> Option<String> {
    url::form_urlencoded::parse(call.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
