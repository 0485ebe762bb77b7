//! The reads of functions.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::error::invalid;
use super::model::Just;
use super::state::{authorize, name_in, see_function};
use crate::local::wire::{Answer, Call, Outcome};
use crate::local::world::World;

/// Below this, code can be had by whoever has been told its address.
pub(crate) const CODE: &str = "/_aws/lambda-code/";

/// A page of ListFunctions where the caller does not say, and at most.
const PAGE: usize = 50;

/// `2026-01-31T12:00:00.000+0000`
pub(super) fn last_modified(world: &World) -> String {
    let nanoseconds = i128::from(world.clock.now_ms()) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+0000");
    moment.format(form).unwrap_or_default()
}

/// One parameter of the query string, decoded.
pub(super) fn parameter(call: &Call, name: &str) -> Option<String> {
    url::form_urlencoded::parse(call.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(super) fn list(world: &Arc<World>, call: &Call) -> Outcome {
    world.authorize(&call.caller, "lambda:ListFunctions", "*", None)?;
    let size = match parameter(call, "MaxItems").map(|text| text.parse::<usize>()) {
        None => PAGE,
        Some(Ok(size)) if (1..=10_000).contains(&size) => size.min(PAGE),
        Some(_) => return Err(invalid("MaxItems must be between 1 and 10000")),
    };
    let after = parameter(call, "Marker").unwrap_or_default();
    let mut functions = world.functions.lock();
    let mut left = functions.seen().values().filter(|function| function.name > after);
    let page: Vec<_> = left.by_ref().take(size).collect();
    let shown: Vec<_> = page.iter().map(|function| function.configuration(Just::Nothing)).collect();
    let mut body = json!({ "Functions": shown });
    if left.next().is_some()
        && let Some(last) = page.last()
    {
        body["NextMarker"] = last.name.as_str().into();
    }
    Ok(Answer::json(200, &body))
}

pub(super) fn get(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:GetFunction", &name)?;
    let tags_denied = authorize(world, call, "lambda:ListTags", &name).err();
    see_function(world, &name, |function| {
        let mut body = json!({
            "Configuration": function.configuration(Just::Nothing),
            "Code": {
                "RepositoryType": "S3",
                "Location": format!("{}{CODE}{name}/{}", world.endpoint, function.settings.code.nonce),
            },
        });
        match tags_denied {
            Some(denied) => body["TagsError"] = json!({ "ErrorCode": denied.code, "Message": denied.message }),
            None if function.tags.is_empty() => {}
            None => body["Tags"] = json!(function.tags),
        }
        if let Some(reserved) = function.reserved {
            body["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
        }
        Ok(Answer::json(200, &body))
    })
}

pub(super) fn configuration(world: &Arc<World>, call: &Call, reference: &str) -> Outcome {
    let name = name_in(world, reference)?;
    authorize(world, call, "lambda:GetFunctionConfiguration", &name)?;
    see_function(world, &name, |function| Ok(Answer::json(200, &function.configuration(Just::Nothing))))
}

/// The zip at an address that GetFunction gave; `None` where that is none, or no longer one.
pub(crate) fn package(world: &World, path: &str) -> Option<Bytes> {
    let (name, nonce) = path.strip_prefix(CODE)?.split_once('/')?;
    let functions = world.functions.lock();
    let code = &functions.get(name)?.settings.code;
    (code.nonce == nonce).then(|| code.zip.clone())
}
