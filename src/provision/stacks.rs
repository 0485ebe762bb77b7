//! Every stack of the account in this Region, by the marks of their APIs.

use serde::Serialize;

use super::error::AwsError;
use super::ownership::{Tags, is_adopted, marked};
use super::resource::Context;
use super::resources::api;
use crate::contract::ownership::STACK_TAG;

/// A stack that an API's mark names. Its JSON is part of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackFound {
    /// The stack's name.
    pub stack: String,
    /// The API's id.
    pub api_id: String,
    /// The API's name.
    pub api_name: String,
    /// When the API was made, as AWS writes it (RFC 3339).
    pub made: String,
    /// Whether the API was there before the stack, or is made by another tool.
    pub adopted: bool,
}

/// All of them, by name. The tag says more than the description, which anybody may have copied.
pub(super) async fn all(cx: &Context<'_>) -> Result<Vec<StackFound>, AwsError> {
    let mut found = Vec::new();
    api::each(cx, |api| {
        let tags: Tags = api.tags().cloned().unwrap_or_default().into_iter().collect();
        let stack = tags.get(STACK_TAG).map(String::as_str).or_else(|| marked(api.description()));
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        found.extend(stack.map(|stack| StackFound {
            stack: stack.to_owned(),
            api_id: text(api.api_id()),
            api_name: text(api.name()),
            made: api.created_date().map(ToString::to_string).unwrap_or_default(),
            adopted: is_adopted(Some(&tags), api.description()),
        }));
    })
    .await?;
    found.sort_by(|left, right| (&left.stack, &left.api_id).cmp(&(&right.stack, &right.api_id)));
    Ok(found)
}
