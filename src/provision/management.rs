//! `@connections`, the API of a stage for its open connections, with the caller's own credentials.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{AwsError, Cause};
use super::observed::Observed;
use super::outputs::management_url;
use super::plan::ApiCall;
use super::resource::Context;
use super::signed::Signed;

const POST_TO_CONNECTION: ApiCall = ApiCall { name: "PostToConnection", iam: "execute-api:ManageConnections" };

/// The longest that one call takes.
const LIMIT: Duration = Duration::from_secs(5);

/// The `@connections` of one stage.
pub(crate) struct Management {
    signed: Signed,
    /// With the stage.
    url: String,
}

impl Management {
    /// That of the stack's stage; `None`: the stack has no API.
    pub(crate) async fn of(cx: &Context<'_>, seen: &Observed) -> Result<Option<Self>, AwsError> {
        let Some(api) = seen.api() else { return Ok(None) };
        let arn = seen.place.arn("execute-api", &format!("{}/{}/POST/@connections/*", api.id, cx.want.api.stage));
        let signed = Signed::new(&cx.clients, "execute-api", POST_TO_CONNECTION, &arn).await?;
        Ok(Some(Self { signed, url: management_url(&cx.want, seen, &api.id) }))
    }

    /// Sends a text to a connection. One that is gone is [`Cause::NotFound`].
    pub(crate) async fn post(&self, id: &str, text: &str) -> Result<(), AwsError> {
        let url = format!("{}/@connections/{}", self.url, utf8_percent_encode(id, NON_ALPHANUMERIC));
        let answer = tokio::time::timeout(LIMIT, self.signed.post(&url, &[], text.to_owned())).await;
        let late = |_| Err(self.signed.failed(Cause::Unreachable, format!("no answer within {} s", LIMIT.as_secs())));
        answer.unwrap_or_else(late).map(|_| ())
    }
}
