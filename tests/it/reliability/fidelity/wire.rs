//! The local cloud as its clients see it: signed requests over HTTP, sockets, and functions made of a few lines of Python.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use wsfix::local::account::Account;
use wsfix::local::{Cloud, Options};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/websocket-handler-role";

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.to_lowercase() == name));
        found.map_or("", |(_, value)| value)
    }

    /// The error's code, wherever this protocol has it.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let kind = body["__type"].as_str().map_or_else(|| self.header("x-amzn-errortype").to_owned(), str::to_owned);
        kind.rsplit('#').next().unwrap_or_default().to_owned()
    }

    /// The error's text, however this error spells its member.
    pub(crate) fn message(&self) -> String {
        let body = self.json();
        body["message"].as_str().or_else(|| body["Message"].as_str()).unwrap_or(&self.body).to_owned()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str, part: &str) {
        assert!(self.status == status && self.code() == code && self.message().contains(part), "{self:#?}");
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:#?}");
        self.json()
    }
}

/// A cloud, and who speaks to it.
pub(crate) struct Lab {
    pub(crate) cloud: Cloud,
    key: (String, String, Option<String>),
    files: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let key = options.account.caller_key().expect("a caller");
        let key = (key.access_key_id.clone(), key.secret_access_key.clone(), key.session_token.clone());
        Self { cloud: Cloud::start(options).expect("a cloud"), key, files: tempfile::tempdir().expect("a directory") }
    }

    /// One of the accounts that come with wsfix, or the text of a file.
    pub(crate) fn account(account: &str) -> Self {
        let account = Account::of(account).unwrap_or_else(|| Account::parse(account, "test").unwrap_or_else(|error| panic!("{error}")));
        Self::with(Options { account, ..Options::default() })
    }

    /// A signed request.
    pub(crate) async fn send(&self, service: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let identity = aws_credential_types::Credentials::new(&self.key.0, &self.key.1, self.key.2.clone(), None, "test").into();
        let params = v4::SigningParams::builder().identity(&identity).region(self.cloud.region()).name(service);
        let params = params.time(SystemTime::now()).settings(SigningSettings::default()).build().expect("parameters").into();
        let url = format!("{}{path}", self.cloud.endpoint());
        let signable = SignableRequest::new(method, &url, headers.iter().copied(), SignableBody::Bytes(body)).expect("a request");
        let (instructions, _) = sign(signable, &params).expect("a signature").into_parts();
        let signed: Vec<(&str, &str)> = instructions.headers().chain(headers.iter().copied()).collect();
        self.raw(method, path, &signed, body).await
    }

    /// Any request.
    pub(crate) async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let host = format!("127.0.0.1:{}", self.cloud.port());
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        let mut stream = TcpStream::connect(&host).await.expect("a connection");
        stream.write_all(format!("{head}\r\n").as_bytes()).await.expect("the head");
        stream.write_all(body).await.expect("the body");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = if head.to_lowercase().contains("transfer-encoding: chunked") { dechunked(body) } else { body.to_owned() };
        Reply { status, headers: head.to_owned(), body }
    }

    /// API Gateway: `/v2` and what comes after it.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("apigateway", method, &format!("/v2{path}"), &[("content-type", "application/json")], body.as_bytes()).await
    }

    /// Lambda: what comes after `/2015-03-31/functions`.
    pub(crate) async fn lambda(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("lambda", method, &format!("/2015-03-31/functions{path}"), &[], body.as_bytes()).await
    }

    pub(crate) async fn dynamodb(&self, operation: &str, body: Value) -> Reply {
        let headers = [("x-amz-target", &*format!("DynamoDB_20120810.{operation}")), ("content-type", "application/x-amz-json-1.0")];
        self.send("dynamodb", "POST", "/", &headers, body.to_string().as_bytes()).await
    }

    pub(crate) async fn logs(&self, operation: &str, body: Value) -> Reply {
        let headers = [("x-amz-target", &*format!("Logs_20140328.{operation}")), ("content-type", "application/x-amz-json-1.1")];
        self.send("logs", "POST", "/", &headers, body.to_string().as_bytes()).await
    }

    /// IAM and STS: the form without its `Version`.
    pub(crate) async fn form(&self, service: &str, form: &str) -> Reply {
        let version = if service == "sts" { "2011-06-15" } else { "2010-05-08" };
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(service, "POST", "/", &headers, format!("{form}&Version={version}").as_bytes()).await
    }

    /// `@connections`, with what comes after the API's id.
    pub(crate) async fn connections(&self, method: &str, rest: &str, body: &[u8]) -> Reply {
        self.send("execute-api", method, &format!("/_aws/execute-api/{rest}"), &[], body).await
    }

    // What tests are about.

    /// CreateFunction, of a zip with one file.
    pub(crate) async fn create(&self, name: &str, file: (&str, u32, &[u8]), more: Value) -> Reply {
        let mut body = json!({"FunctionName": name, "Role": ROLE, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 28,
            "Code": {"ZipFile": zipped(file)}});
        for (member, value) in more.as_object().into_iter().flatten() {
            body[member] = value.clone();
        }
        self.lambda("POST", "", body).await
    }

    /// A function that notes each `event`, and sets `result` for it.
    pub(crate) async fn function(&self, name: &str, body: &str) {
        self.create(name, ("bootstrap", 0o755, self.bootstrap("", body).as_bytes()), Value::Null).await.ok();
    }

    /// A runtime in Python; `init` runs before the first event.
    pub(crate) fn bootstrap(&self, init: &str, body: &str) -> String {
        let output = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().expect("python3");
        let python = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
        let events = self.files.path().join("events");
        format!(
            r#"#!{python}
import http.client, json, os, sys, threading, time
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    runtime.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    response = runtime.getresponse()
    return response, response.read()
{init}
while True:
    response, raw = call("GET", "next")
    event = json.loads(raw)
    result = {{"statusCode": 200}}
    open({events:?}, "a").write(json.dumps(event) + "\n")
{body}
    sys.stdout.flush()
    call("POST", response.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(result))
"#
        )
    }

    /// The events that functions got so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.files.path().join("events")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for so many events.
    pub(crate) async fn wait_events(&self, count: usize) -> Vec<Value> {
        let found = until(async || Some(self.events()).filter(|events| events.len() >= count)).await;
        found.unwrap_or_else(|| panic!("{} events, not {count}", self.events().len()))
    }

    /// Invokes a function; gives the answer, and the kind of error that its header names.
    pub(crate) async fn invoke(&self, name: &str, event: Value) -> (Value, String) {
        let reply = self.lambda("POST", &format!("/{name}/invocations"), event).await;
        assert_eq!(reply.status, 200, "{reply:#?}");
        (reply.json(), reply.header("x-amz-function-error").to_owned())
    }

    /// CreateApi.
    pub(crate) async fn bare_api(&self, name: &str) -> String {
        let body = json!({"name": name, "protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action"});
        self.api("POST", "/apis", body).await.ok()["apiId"].as_str().expect("an id").to_owned()
    }

    /// CreateIntegration with a function; gives the target for routes.
    pub(crate) async fn integration(&self, api: &str, function: &str) -> String {
        let arn = format!("arn:aws:lambda:us-east-1:111122223333:function:{function}");
        let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations");
        let body = json!({"integrationType": "AWS_PROXY", "integrationMethod": "POST", "integrationUri": uri});
        let made = self.api("POST", &format!("/apis/{api}/integrations"), body).await.ok();
        format!("integrations/{}", made["integrationId"].as_str().expect("an id"))
    }

    /// CreateRoute.
    pub(crate) async fn route(&self, api: &str, key: &str, target: &str) -> Reply {
        self.api("POST", &format!("/apis/{api}/routes"), json!({"routeKey": key, "target": target})).await
    }

    /// CreateStage `prod`, which deploys by itself.
    pub(crate) async fn stage(&self, api: &str) {
        self.api("POST", &format!("/apis/{api}/stages"), json!({"stageName": "prod", "autoDeploy": true})).await.ok();
    }

    /// AddPermission for what comes after `arn:aws:execute-api:us-east-1:111122223333:`.
    pub(crate) async fn permit(&self, function: &str, id: &str, source: &str) -> Reply {
        let body = json!({"StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
            "SourceArn": format!("arn:aws:execute-api:us-east-1:111122223333:{source}")});
        self.lambda("POST", &format!("/{function}/policy"), body).await
    }

    /// A function `f`, and an API with these routes to it, served as `prod`.
    pub(crate) async fn served(&self, body: &str, routes: &[&str]) -> String {
        self.function("f", body).await;
        let api = self.bare_api("api").await;
        let target = self.integration(&api, "f").await;
        for key in routes {
            self.route(&api, key, &target).await.ok();
        }
        self.permit("f", "all", &format!("{api}/*")).await.ok();
        self.stage(&api).await;
        api
    }

    pub(crate) fn url(&self, api: &str) -> String {
        format!("ws://127.0.0.1:{}/_aws/execute-api/{api}/prod", self.cloud.port())
    }

    /// Opens a socket; or gives the status and the body that it was refused with.
    pub(crate) async fn connect(&self, request: impl IntoClientRequest + Unpin) -> Result<Socket, (u16, String)> {
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A socket of this API.
    pub(crate) async fn open(&self, api: &str) -> Socket {
        self.connect(self.url(api)).await.expect("a socket")
    }

    /// The status of a handshake: 101, or what it was refused with.
    pub(crate) async fn handshake(&self, api: &str) -> u16 {
        self.connect(self.url(api)).await.map_or_else(|(status, _)| status, |_| 101)
    }
}

/// Looks again and again, for ten seconds at most.
pub(crate) async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    for _ in 0..500 {
        if let Some(found) = look().await {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// Sends a text.
pub(crate) async fn say(socket: &mut Socket, text: impl Into<String>) {
    socket.send(Message::text(text.into())).await.expect("it is sent");
}

/// The next text frame.
pub(crate) async fn hear(socket: &mut Socket) -> String {
    match tokio::time::timeout(Duration::from_secs(10), socket.next()).await {
        Ok(Some(Ok(Message::Text(text)))) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Code and reason of the close that comes next.
pub(crate) async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match tokio::time::timeout(Duration::from_secs(10), socket.next()).await {
            Ok(Some(Ok(Message::Close(Some(frame))))) => return (frame.code.into(), frame.reason.to_string()),
            Ok(Some(Ok(Message::Text(_) | Message::Pong(_)))) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A zip with one file, as CreateFunction takes it.
pub(crate) fn zipped((name, mode, content): (&str, u32, &[u8])) -> String {
    use base64::Engine as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default().unix_permissions(mode)).expect("a file");
    zip.write_all(content).expect("its content");
    base64::engine::general_purpose::STANDARD.encode(zip.finish().expect("a zip").into_inner())
}

fn dechunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole += rest.get(..size).unwrap_or_default();
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}
