//! What the tests of the local cloud share: a cloud with clients, and functions made of a few lines of Python.

use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use http::Method;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::services::lambda::fixture::zip;
use super::wire::{Answer, Call, Service, ServiceError, tests::call};
use super::{Cloud, LogLine, Options, connections};

/// A role that Lambda may assume and that may write logs.
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/websocket-handler-role";

/// The interpreter itself: what is found by name may be a script that looks for another one.
static PYTHON: LazyLock<String> = LazyLock::new(|| {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
});

/// A running cloud, and clients that sign as the built-in user.
pub(crate) struct Lab {
    pub cloud: Cloud,
    pub lambda: aws_sdk_lambda::Client,
    pub api: aws_sdk_apigatewayv2::Client,
    /// All log lines since the start.
    pub lines: Arc<Mutex<Vec<LogLine>>>,
}

pub(crate) fn config(cloud: &Cloud) -> SdkConfig {
    let client = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let credentials = Credentials::new("AKIAWSFIXLOCALDEV001", "wsfix-local-secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(cloud.region().to_owned()))
        .endpoint_url(cloud.endpoint())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(client)
        .build()
}

impl Lab {
    pub(crate) fn start(mut options: Options) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        options.on_log = Some(Arc::new(move |line: &LogLine| sink.lock().unwrap().push(line.clone())));
        let cloud = Cloud::start(options).unwrap();
        let config = config(&cloud);
        Self { lambda: aws_sdk_lambda::Client::new(&config), api: aws_sdk_apigatewayv2::Client::new(&config), cloud, lines }
    }

    /// A function that sets `result` for each `event`; `init` runs before the first.
    pub(crate) fn function(&self, name: &str, init: &str, body: &str) -> CreateFunctionFluentBuilder {
        self.function_of(name, &zip(&[("bootstrap", 0o755, bootstrap(init, body).as_bytes())]))
    }

    /// A function from a zip, ready to be sent.
    pub(crate) fn function_of(&self, name: &str, zip: &[u8]) -> CreateFunctionFluentBuilder {
        self.lambda
            .create_function()
            .function_name(name)
            .role(ROLE)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
    }

    /// Invokes a function; gives its answer, and whether that is an error.
    pub(crate) async fn invoke(&self, name: &str, payload: &str) -> (serde_json::Value, bool) {
        let answer = self.lambda.invoke().function_name(name).payload(Blob::new(payload)).send().await.unwrap();
        let payload = answer.payload.unwrap_or_else(|| Blob::new("null"));
        (serde_json::from_slice(payload.as_ref()).unwrap(), answer.function_error.is_some())
    }

    /// A WebSocket API with these routes, all leading to one function that may be invoked, served as stage `prod`.
    pub(crate) async fn api(&self, function: &str, routes: &[&str]) -> String {
        let id = self.api_without_permission(function, routes).await;
        let source = format!("arn:aws:execute-api:us-east-1:111122223333:{id}/*/*");
        let permission = self.lambda.add_permission().function_name(function).statement_id(&id).action("lambda:InvokeFunction");
        permission.principal("apigateway.amazonaws.com").source_arn(source).send().await.unwrap();
        id
    }

    pub(crate) async fn api_without_permission(&self, function: &str, routes: &[&str]) -> String {
        let id = self.bare_api("api").await;
        self.routes(&id, function, routes).await;
        self.api.create_stage().api_id(&id).stage_name("prod").auto_deploy(true).send().await.unwrap();
        id
    }

    pub(crate) async fn bare_api(&self, name: &str) -> String {
        let api = self.api.create_api().name(name).protocol_type(aws_sdk_apigatewayv2::types::ProtocolType::Websocket);
        api.route_selection_expression("$request.body.action").send().await.unwrap().api_id.unwrap()
    }

    pub(crate) async fn routes(&self, api_id: &str, function: &str, routes: &[&str]) {
        let uri = format!(
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111122223333:function:{function}/invocations"
        );
        let integration = self.api.create_integration().api_id(api_id).integration_uri(uri);
        let integration = integration.integration_type(aws_sdk_apigatewayv2::types::IntegrationType::AwsProxy).send().await.unwrap();
        let target = format!("integrations/{}", integration.integration_id.unwrap());
        for key in routes {
            self.api.create_route().api_id(api_id).route_key(*key).target(&target).send().await.unwrap();
        }
    }

    /// `ws://127.0.0.1:PORT/_aws/execute-api/{apiId}/{stage}`
    pub(crate) fn url(&self, api_id: &str, stage: &str) -> String {
        format!("ws://127.0.0.1:{}/_aws/execute-api/{api_id}/{stage}", self.cloud.port())
    }

    /// Opens a socket; or gives the status and the body that it was refused with.
    pub(crate) async fn connect(&self, url: impl IntoClientRequest + Unpin) -> Result<Socket, (u16, String)> {
        match tokio_tungstenite::connect_async(url).await {
            Ok((socket, _)) => Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// One call to `@connections`, as the built-in user.
    pub(crate) async fn connections(&self, method: Method, path: &str, body: &[u8]) -> Result<Answer, ServiceError> {
        let operation = match method {
            Method::POST => "PostToConnection",
            Method::DELETE => "DeleteConnection",
            _ => "GetConnection",
        };
        let mut call: Call = call(Service::ExecuteApi, operation, "");
        call.method = method;
        call.path = format!("/_aws/execute-api/{path}");
        call.body = bytes::Bytes::copy_from_slice(body);
        connections::answer(&self.cloud.world, &call).await
    }
}

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A runtime in Python.
pub(crate) fn bootstrap(init: &str, body: &str) -> String {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        r#"#!{python}
import http.client, json, os, sys, threading, time
host = os.environ["AWS_LAMBDA_RUNTIME_API"]
runtime = http.client.HTTPConnection(host)
def call(method, path, body=None, headers={{}}):
    runtime.request(method, "/2018-06-01/runtime/" + path, body, headers)
    response = runtime.getresponse()
    return response, response.read()
{init}
while True:
    response, raw = call("GET", "invocation/next")
    id = response.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(raw)
    result = {{"statusCode": 200}}
{body}
    sys.stdout.flush()
    call("POST", "invocation/" + id + "/response", json.dumps(result))
"#,
        python = *PYTHON
    )
}

/// The body of a plain GET.
pub(crate) async fn download(url: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    answer.split_off(end + 4)
}
