//! `@connections`, the API of a stage for its open connections, with the caller's own credentials.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::answer::refused;
use super::error::{AwsError, Cause};
use super::observed::Observed;
use super::outputs::management_url;
use super::plan::ApiCall;
use super::resource::Context;
use crate::https::{Client, client};

const POST_TO_CONNECTION: ApiCall = ApiCall { name: "PostToConnection", iam: "execute-api:ManageConnections" };

/// The longest that one call takes.
const LIMIT: Duration = Duration::from_secs(5);
/// More of an error is not read.
const LARGEST_ERROR: usize = 16 * 1024;

/// The `@connections` of one stage.
pub(crate) struct Management {
    client: Client,
    /// With the stage.
    url: String,
    /// What errors are about.
    arn: String,
    region: String,
    credentials: Credentials,
}

impl Management {
    /// That of the stack's stage; `None`: the stack has no API.
    pub(crate) async fn of(cx: &Context<'_>, seen: &Observed) -> Result<Option<Self>, AwsError> {
        let Some(api) = seen.api() else { return Ok(None) };
        let arn = seen.place.arn("execute-api", &format!("{}/{}/POST/@connections/*", api.id, cx.want.api.stage));
        let failed = |cause, said: String| AwsError::of(POST_TO_CONNECTION, &arn, cause, Some(said));
        let provider = cx.clients.credentials.as_ref().ok_or_else(|| failed(Cause::Credentials, "there are no credentials".to_owned()))?;
        let credentials = provider.provide_credentials().await.map_err(|error| failed(Cause::Credentials, error.to_string()))?;
        let client = client().map_err(|error| failed(Cause::Other, error.to_string()))?;
        let url = management_url(&cx.want, seen, &api.id);
        Ok(Some(Self { client, url, region: cx.clients.region.clone(), credentials, arn }))
    }

    /// Sends a text to a connection. One that is gone is [`Cause::NotFound`].
    pub(crate) async fn post(&self, id: &str, text: &str) -> Result<(), AwsError> {
        let url = format!("{}/@connections/{}", self.url, utf8_percent_encode(id, NON_ALPHANUMERIC));
        let request = self.signed(&url, text).map_err(|error| self.failed(Cause::Invalid, error.to_string()))?;
        let send = async {
            let response = self.client.request(request).await.map_err(|error| self.failed(Cause::Unreachable, error.to_string()))?;
            let (head, body) = response.into_parts();
            if head.status == StatusCode::OK {
                return Ok(());
            }
            let body = Limited::new(body, LARGEST_ERROR).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let message = body["message"].as_str().or_else(|| body["Message"].as_str()).unwrap_or_default();
            let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
            let error = refused(POST_TO_CONNECTION, &self.arn, head.status, header("x-amzn-errortype").unwrap_or_default(), message);
            Err(AwsError { request_id: header("x-amzn-requestid").map(str::to_owned), ..error })
        };
        let answer = tokio::time::timeout(LIMIT, send).await;
        answer.unwrap_or_else(|_| Err(self.failed(Cause::Unreachable, format!("no answer within {} s", LIMIT.as_secs()))))
    }

    fn failed(&self, cause: Cause, said: String) -> AwsError {
        AwsError::of(POST_TO_CONNECTION, &self.arn, cause, Some(said))
    }

    fn signed(&self, url: &str, text: &str) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error>> {
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder().identity(&identity).region(&self.region).name("execute-api");
        let params = params.time(SystemTime::now()).settings(SigningSettings::default()).build()?.into();
        let mut request = Request::post(url).body(Full::new(Bytes::copy_from_slice(text.as_bytes())))?;
        let signable = SignableRequest::new("POST", url, std::iter::empty(), SignableBody::Bytes(text.as_bytes()))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
