//! The account's settings of API Gateway: one call of its first API, sent by the client of the second.
//!
//! Both share host, signing name and protocol, so that endpoint, credentials, retries and errors are those of every other call;
//! a client of the first API alone would add more code than all that wsfix asks of it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_apigatewayv2::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_apigatewayv2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use serde_json::Value;

use super::answer::{Answer, unanswered};
use super::error::AwsError;
use super::plan::ApiCall;

/// Reads the account's settings.
pub(crate) const GET_ACCOUNT: ApiCall = ApiCall { name: "GetAccount", iam: "apigateway:GET" };

/// The call that lends its envelope: it takes no parameters, and overlooks members that it does not know.
const LENT: &str = "/v2/apis";
const PATH: &str = "/account";

/// The role that API Gateway writes logs with, in this Region; `None`: the account has set none.
///
/// # Errors
/// Where there is no answer, or a refusal. `resource` names the settings in it.
pub(crate) async fn log_role(api: &aws_sdk_apigatewayv2::Client, resource: &str) -> Result<Option<String>, AwsError> {
    let answer = Body::default();
    let call = api.get_apis().customize().interceptor(answer.clone()).mutate_request(|request| {
        let uri = request.uri().to_owned();
        // A path that is no URI is refused by whoever it is sent to.
        let _ = request.set_uri(uri.replacen(LENT, PATH, 1));
    });
    call.send().await.explain(GET_ACCOUNT, resource)?;
    let body = answer.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    let settings: Value =
        serde_json::from_slice(&body).map_err(|_| unanswered(GET_ACCOUNT, resource, "an answer that is no JSON document"))?;
    Ok(settings["cloudwatchRoleArn"].as_str().filter(|arn| !arn.is_empty()).map(str::to_owned))
}

/// Keeps the answer's body, of which the lent call would show nothing.
#[derive(Clone, Debug, Default)]
struct Body(Arc<Mutex<Option<Vec<u8>>>>);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = context.response().body().bytes().map(<[u8]>::to_vec);
        Ok(())
    }
}
