//! Signed calls to AWS: the JSON protocols of DynamoDB, Systems Manager and Secrets Manager, and raw requests to `@connections`.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use serde_json::Value;

use crate::secret::Secret;

use super::Call;
use super::deadline::Deadline;
use super::http::{Answer, HttpError, LARGEST_ANSWER, Peer};
use super::log::shown_from_aws;
use super::settings::BaseUrl;
use super::sign::{Credentials, Scope};

const ATTEMPTS: u32 = 3;
const ATTEMPT_LIMIT: Duration = Duration::from_secs(2);
const TOTAL_LIMIT: Duration = Duration::from_secs(6);
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A service that speaks one of the JSON protocols.
pub(super) struct Service<'a> {
    pub(super) endpoint: &'a BaseUrl,
    /// The name in signatures.
    pub(super) name: &'static str,
    /// What stands before the operation in `X-Amz-Target`.
    pub(super) target: &'static str,
    /// `application/x-amz-json-` and the version.
    pub(super) content_type: &'static str,
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {cause}")]
pub(super) struct AwsError {
    operation: &'static str,
    pub(super) cause: Cause,
    /// More than 1: an attempt before the last one may have taken effect.
    pub(super) attempts: u32,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("the environment has no credentials")]
    NoCredentials,
    #[error("the request cannot be made: {0}")]
    Unsigned(String),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("status {}, {code}: {said}", .status.as_u16())]
    Refused { status: StatusCode, code: String, said: String },
    #[error("the answer is not what was expected: {0}")]
    Answer(&'static str),
}

impl Cause {
    /// Whether a repetition may succeed.
    fn is_passing(&self) -> bool {
        match self {
            Self::NoCredentials | Self::Unsigned(_) | Self::Answer(_) | Self::Http(HttpError::TooLarge(_)) => false,
            Self::Http(HttpError::Timeout | HttpError::Connect(_) | HttpError::Broken(_)) => true,
            Self::Refused { status, code, .. } => {
                let throttled = [
                    "ProvisionedThroughputExceededException",
                    "RequestLimitExceeded",
                    "ThrottlingException",
                    "ThrottledException",
                    "TooManyRequestsException",
                ];
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS || throttled.contains(&code.as_str())
            }
        }
    }

    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}

/// Calls an operation, which must be one that may be repeated: at most 3 attempts of 2 s, 6 s in all.
pub(super) async fn call(cx: &Call<'_>, service: &Service<'_>, operation: &'static str, input: &Value) -> Result<Value, AwsError> {
    let deadline = cx.deadline.within(TOTAL_LIMIT);
    let body = Bytes::from(input.to_string());
    let mut attempts = 1;
    loop {
        let cause = match attempt(cx, service, operation, body.clone(), deadline).await {
            Ok(answer) => return Ok(answer),
            Err(cause) => cause,
        };
        if attempts == ATTEMPTS || !cause.is_passing() || !pause(cx, attempts, deadline).await {
            return Err(AwsError { operation, cause, attempts });
        }
        attempts += 1;
    }
}

async fn attempt(cx: &Call<'_>, service: &Service<'_>, operation: &str, body: Bytes, deadline: Deadline) -> Result<Value, Cause> {
    let target = format!("{}.{operation}", service.target);
    let headers = [("content-type", service.content_type), ("x-amz-target", target.as_str())];
    let url = service.endpoint.url(&service.endpoint.path("/"));
    let request = signed(cx, service.name, &url, &headers, body)?;
    let answer = cx.deps.http.send(Peer::Aws, request, deadline.left(ATTEMPT_LIMIT), LARGEST_ANSWER, cx.now_ms()).await?;
    if answer.status.is_success() {
        // Whoever reads it may then index it by name.
        serde_json::from_slice(&answer.body).map(Value::Object).map_err(|_| Cause::Answer("not a JSON object"))
    } else {
        Err(refusal(&answer))
    }
}

/// Waits before another attempt. `false`: there is no time for one.
pub(super) async fn pause(cx: &Call<'_>, attempts: u32, deadline: Deadline) -> bool {
    let jitter = Duration::from_millis(cx.now_ms() % 50);
    let pause = FIRST_PAUSE * 2_u32.saturating_pow(attempts - 1) + jitter;
    if deadline.left(pause) < pause {
        return false;
    }
    tokio::time::sleep(pause).await;
    true
}

/// A POST signed with the credentials that the environment holds now.
pub(super) fn signed(
    cx: &Call<'_>,
    service: &str,
    url: &str,
    headers: &[(&'static str, &str)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Cause> {
    let unsigned = |error: &dyn std::fmt::Display| Cause::Unsigned(error.to_string());
    let variable = |name| (cx.deps.environment)(name);
    let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
        return Err(Cause::NoCredentials);
    };
    let credentials = Credentials { id, secret: Secret::new(secret), token: variable("AWS_SESSION_TOKEN") };
    let scope = Scope { region: &cx.settings.aws.region, service };
    let url = url.parse::<Uri>().map_err(|error| unsigned(&error))?;
    let headers = cx.deps.signer.headers(&credentials, &scope, &url, headers, &body, cx.now()).map_err(|error| unsigned(&error))?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Reads an error: the services differ in how they write the code and the text.
pub(super) fn refusal(answer: &Answer) -> Cause {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["__type"].as_str().or(answer.error_type.as_deref()).unwrap_or("no error code");
    let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    // The lines after the first quote the request where a signature did not fit, and with it the session token.
    let said = body["message"].as_str().or(body["Message"].as_str()).and_then(|text| text.lines().next()).unwrap_or("nothing");
    Cause::Refused { status: answer.status, code: shown_from_aws(code), said: shown_from_aws(said) }
}

#[cfg(test)]
mod tests {
    use ring::{digest, hmac};
    use serde_json::json;

    use super::*;
    use crate::handler::testing::{Bench, DEADLINE_MS, NOW_MS, Seen, Stub, reply};

    fn dynamodb(endpoint: &BaseUrl) -> Service<'_> {
        Service { endpoint, name: "dynamodb", target: "DynamoDB_20120810", content_type: "application/x-amz-json-1.0" }
    }

    async fn get_item(bench: &Bench) -> Result<Value, AwsError> {
        let Ok(settings) = &bench.deps.settings else { panic!("wrong settings") };
        let cx = Call { deps: &bench.deps, settings, deadline: Deadline::new(DEADLINE_MS, NOW_MS) };
        call(&cx, &dynamodb(&settings.aws.dynamodb), "GetItem", &json!({ "TableName": "t" })).await
    }

    fn hex(bytes: impl AsRef<[u8]>) -> String {
        bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Signature version 4 done by hand, from the request as it arrived. `path`: encoded twice, as every service but S3 wants it.
    fn expected_authorization(seen: &Seen, service: &str, path: &str) -> String {
        let names = seen.header("authorization").split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap().to_owned();
        let headers: String = names.split(';').map(|name| format!("{name}:{}\n", seen.header(name))).collect();
        let payload = hex(digest::digest(&digest::SHA256, seen.body.as_bytes()));
        let canonical = format!("POST\n{path}\n\n{headers}\n{names}\n{payload}");
        let scope = format!("20231114/eu-west-1/{service}/aws4_request");
        let digest = hex(digest::digest(&digest::SHA256, canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n20231114T221320Z\n{scope}\n{digest}");
        let start = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec();
        let key = ["20231114", "eu-west-1", service, "aws4_request"].iter().fold(start, |key, part| mac(&key, part));
        let signature = hex(mac(&key, &text));
        format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    fn mac(key: &[u8], text: &str) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    }

    #[tokio::test]
    async fn requests_are_signed_as_the_service_checks_it() {
        let stub = Stub::start(|_| reply(200, "{}")).await;
        let bench = Bench::new(&stub.url(), "https://backend.example", &[]);
        get_item(&bench).await.unwrap();
        let seen = &stub.requests()[0];
        assert_eq!((seen.path.as_str(), seen.operation()), ("/", "GetItem"));
        assert_eq!(seen.header("x-amz-security-token"), "a-session-token");
        assert!(seen.header("authorization").contains("content-type;host;x-amz-date;x-amz-security-token;x-amz-target"));
        assert_eq!(seen.header("authorization"), expected_authorization(seen, "dynamodb", "/"));
    }

    #[tokio::test]
    async fn the_path_of_a_connection_is_encoded_twice_in_its_signature() {
        let stub = Stub::start(|_| reply(200, "")).await;
        let bench = Bench::new(&stub.url(), "https://backend.example", &[("WSFIX_REPLY", "management-api")]);
        let Ok(settings) = &bench.deps.settings else { panic!("wrong settings") };
        let cx = Call { deps: &bench.deps, settings, deadline: Deadline::new(DEADLINE_MS, NOW_MS) };
        let crate::handler::settings::Reply::ManagementApi(base) = &settings.reply else { panic!("no management API") };
        let client = crate::handler::reply::Client { connection_id: "R1kmxc2VNjMCFIA=", parts: false };
        crate::handler::reply::deliver(&cx, base, &client, "req", std::iter::once("{}")).await;
        let seen = &stub.requests()[0];
        assert_eq!(seen.path, "/prod/@connections/R1kmxc2VNjMCFIA%3D");
        let expected = expected_authorization(seen, "execute-api", "/prod/%40connections/R1kmxc2VNjMCFIA%253D");
        assert_eq!(seen.header("authorization"), expected);
    }

    #[tokio::test]
    async fn passing_errors_are_tried_three_times_and_lasting_ones_once() {
        for (status, body, times) in [
            (500, "{}", 3),
            (503, "", 3),
            (400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#, 3),
            (400, r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: x"}"#, 1),
            (400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested"}"#, 1),
            (200, "not JSON", 1),
            (0, "", 3),
        ] {
            let stub = Stub::start(move |_| reply(status, body)).await;
            let bench = Bench::new(&stub.url(), "https://backend.example", &[]);
            let error = get_item(&bench).await.unwrap_err();
            assert_eq!((error.attempts, stub.requests().len()), (times, times as usize), "{error}");
        }
    }

    #[tokio::test]
    async fn denials_are_quoted_and_missing_credentials_named() {
        let stub = Stub::start(|_| {
            reply(400, r#"{"__type":"a#AccessDeniedException","Message":"User: \"me\" is not authorized\n\nThe Canonical String"}"#)
        })
        .await;
        let bench = Bench::new(&stub.url(), "https://backend.example", &[]);
        let error = get_item(&bench).await.unwrap_err();
        assert_eq!(error.to_string(), r#"GetItem: status 400, AccessDeniedException: User: \"me\" is not authorized"#);
        assert!(error.cause.is("AccessDeniedException"));
        let bare = Bench::new(&stub.url(), "https://backend.example", &[("AWS_ACCESS_KEY_ID", "")]);
        assert_eq!(get_item(&bare).await.unwrap_err().to_string(), "GetItem: the environment has no credentials");
    }
}
