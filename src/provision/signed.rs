//! Calls to AWS that no SDK client here makes: signed with the caller's own credentials (Signature Version 4), answered in JSON.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use serde_json::Value;

use super::answer::refused;
use super::aws::Clients;
use super::error::{AwsError, Cause};
use super::plan::ApiCall;
use crate::https::{Client, client};

/// More of an answer is not read.
const LARGEST: usize = 1024 * 1024;

/// Makes one call on one resource, as often as it is asked to.
pub(crate) struct Signed {
    client: Client,
    credentials: Credentials,
    region: String,
    /// As signatures name the service.
    service: &'static str,
    call: ApiCall,
    /// What errors are about.
    resource: String,
}

impl Signed {
    /// Asks for the credentials. Calls nobody but what they need.
    pub(crate) async fn new(clients: &Clients, service: &'static str, call: ApiCall, resource: &str) -> Result<Self, AwsError> {
        let failed = |cause, said: String| AwsError::of(call, resource, cause, Some(said));
        let provider = clients.credentials.as_ref().ok_or_else(|| failed(Cause::Credentials, "there are no credentials".to_owned()))?;
        let credentials = provider.provide_credentials().await.map_err(|error| failed(Cause::Credentials, error.to_string()))?;
        let client = client().map_err(|error| failed(Cause::Other, error.to_string()))?;
        Ok(Self { client, credentials, region: clients.region.clone(), service, call, resource: resource.to_owned() })
    }

    /// Sends a body and reads what is answered; `null` where that is no JSON.
    pub(crate) async fn post(&self, url: &str, headers: &[(&'static str, &'static str)], body: String) -> Result<Value, AwsError> {
        let request = self.request(url, headers, body).map_err(|error| self.failed(Cause::Invalid, error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| self.failed(Cause::Unreachable, error.to_string()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map(Collected::to_bytes);
        if head.status == StatusCode::OK {
            let body = body.map_err(|error| self.failed(Cause::Unreachable, error.to_string()))?;
            return Ok(serde_json::from_slice(&body).unwrap_or_default());
        }
        Err(self.refused(head.status, &head.headers, &serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default()))
    }

    /// A failure of this call.
    pub(crate) fn failed(&self, cause: Cause, said: String) -> AwsError {
        AwsError::of(self.call, &self.resource, cause, Some(said))
    }

    /// The code is in a header or in the body, the message under one of two names: services differ.
    fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &Value) -> AwsError {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let code = header("x-amzn-errortype").or_else(|| body["__type"].as_str()).unwrap_or_default();
        let message = body["message"].as_str().or_else(|| body["Message"].as_str()).unwrap_or_default();
        let error = refused(self.call, &self.resource, status, code, message);
        AwsError { request_id: header("x-amzn-requestid").map(str::to_owned), ..error }
    }

    fn request(
        &self,
        url: &str,
        headers: &[(&'static str, &'static str)],
        body: String,
    ) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error>> {
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder().identity(&identity).region(&self.region).name(self.service);
        let params = params.time(SystemTime::now()).settings(SigningSettings::default()).build()?.into();
        let signable = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut request = Request::post(url).body(Full::new(Bytes::from(body)))?;
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
