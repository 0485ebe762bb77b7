//! Servers on loopback that stand for AWS and for a backend, and what a test needs to run the handler against them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Deps;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    /// The only value of a header; empty where it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let value = values.next().unwrap_or_default();
        assert_eq!(values.next(), None, "{name} stands twice");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The operation of a JSON protocol of AWS.
    pub(crate) fn operation(&self) -> &str {
        self.header("x-amz-target").rsplit('.').next().unwrap_or_default()
    }
}

/// What a stub answers. Status 0: it closes the connection instead.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: String,
    body: String,
    delay: Duration,
}

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: String::new(), body: body.to_owned(), delay: Duration::ZERO }
}

impl Reply {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

#[derive(Default)]
struct Record {
    requests: Vec<Seen>,
    connections: usize,
}

/// A server that remembers what it was asked.
pub(crate) struct Stub {
    address: String,
    record: Arc<Mutex<Record>>,
    task: JoinHandle<()>,
}

impl Stub {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let record = Arc::new(Mutex::new(Record::default()));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&record));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.lock().unwrap().connections += 1;
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                tokio::spawn(async move { serve(stream, &*answer, &kept).await });
            }
        });
        Self { address, record, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.record.lock().unwrap().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.record.lock().unwrap().connections
    }

    /// Stops listening. The URL is that of a server that is not there.
    pub(crate) fn close(self) -> String {
        self.url()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// HTTP/1.1 as far as the handler's client speaks it.
async fn serve(stream: TcpStream, answer: &(impl Fn(&Seen) -> Reply + Send + Sync), record: &Mutex<Record>) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read(&mut stream).await {
        let reply = answer(&seen);
        record.lock().unwrap().requests.push(seen);
        tokio::time::sleep(reply.delay).await;
        if reply.status == 0 {
            return;
        }
        let length = if reply.status == 204 { String::new() } else { format!("content-length: {}\r\n", reply.body.len()) };
        let text = format!("HTTP/1.1 {} X\r\n{length}{}\r\n{}", reply.status, reply.headers, reply.body);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut start = lines.first()?.split(' ').map(str::to_owned);
    let (method, path) = (start.next()?, start.next()?);
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": ")).map(|(key, value)| (key.to_owned(), value.to_owned()));
    let headers: Vec<_> = headers.collect();
    let length = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case("content-length")).and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { method, path, headers, body: String::from_utf8(body).unwrap() })
}

/// DynamoDB's items by connection, and `@connections`, in as much as the handler calls them.
#[derive(Clone, Default)]
pub(crate) struct Cloud {
    items: Arc<Mutex<HashMap<String, Value>>>,
    /// What is answered instead, by the operation or a part of the path.
    refusals: Arc<Mutex<Vec<(String, Reply)>>>,
}

impl Cloud {
    pub(crate) fn answer(&self, seen: &Seen) -> Reply {
        let refusals = self.refusals.lock().unwrap();
        if let Some((_, refusal)) = refusals.iter().find(|(what, _)| seen.operation() == what || seen.path.contains(what)) {
            return refusal.clone();
        }
        let mut items = self.items.lock().unwrap();
        let input: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let key = |part: &str| input[part]["connectionId"]["S"].as_str().unwrap_or_default().to_owned();
        match seen.operation() {
            "PutItem" if !holds(&input, items.get(&key("Item"))) => refused_condition(),
            "PutItem" => {
                items.insert(key("Item"), input["Item"].clone());
                reply(200, "{}")
            }
            "GetItem" => {
                assert_eq!(input["ConsistentRead"], true);
                reply(200, &items.get(&key("Key")).map_or_else(|| "{}".to_owned(), |item| json!({ "Item": item }).to_string()))
            }
            "UpdateItem" if !holds(&input, items.get(&key("Key"))) => refused_condition(),
            "UpdateItem" => {
                let (name, value) = input["UpdateExpression"].as_str().unwrap().strip_prefix("SET ").unwrap().split_once(" = ").unwrap();
                items.get_mut(&key("Key")).unwrap()[name] = input["ExpressionAttributeValues"][value].clone();
                reply(200, "{}")
            }
            "Query" => {
                assert_eq!(input["KeyConditionExpression"], "sessionId = :session");
                let found = items.values().filter(|item| item["sessionId"] == input["ExpressionAttributeValues"][":session"]);
                reply(200, &json!({ "Items": found.collect::<Vec<_>>() }).to_string())
            }
            "DeleteItem" => {
                assert_eq!(input["ReturnValues"], "ALL_OLD");
                reply(200, &items.remove(&key("Key")).map_or_else(|| "{}".to_owned(), |item| json!({ "Attributes": item }).to_string()))
            }
            _ if seen.path.starts_with("/prod/@connections/") => reply(200, ""),
            other => reply(400, &json!({ "__type": "UnknownOperationException", "message": other }).to_string()),
        }
    }

    pub(crate) async fn start(&self) -> Stub {
        let cloud = self.clone();
        Stub::start(move |seen| cloud.answer(seen)).await
    }

    pub(crate) fn item(&self, connection_id: &str) -> Option<Value> {
        self.items.lock().unwrap().get(connection_id).cloned()
    }

    pub(crate) fn store(&self, connection_id: &str, item: Value) {
        self.items.lock().unwrap().insert(connection_id.to_owned(), item);
    }

    /// Deletes an item behind the handler's back.
    pub(crate) fn forget(&self, connection_id: &str) {
        self.items.lock().unwrap().remove(connection_id);
    }

    /// The ids of all items, sorted.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.items.lock().unwrap().keys().cloned().collect();
        ids.sort();
        ids
    }

    /// Answers an operation, or requests with `what` in their path, otherwise.
    pub(crate) fn refuse(&self, what: &str, answer: Reply) {
        self.refusals.lock().unwrap().push((what.to_owned(), answer));
    }
}

/// Whether an item fits a condition: terms of the few kinds that the handler writes, joined by AND.
fn holds(input: &Value, item: Option<&Value>) -> bool {
    let stored = |name: &str| item.and_then(|item| item.get(name));
    let value = |name: &str| &input["ExpressionAttributeValues"][name];
    let number = |value: &Value| value["N"].as_str().unwrap().parse::<i64>().unwrap();
    let condition = input["ConditionExpression"].as_str().unwrap_or_default();
    condition.split(" AND ").filter(|term| !term.is_empty()).all(|term| {
        let named = |function: &str| term.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(name) = named("attribute_exists") {
            stored(name).is_some()
        } else if let Some(name) = named("attribute_not_exists") {
            stored(name).is_none()
        } else if let Some((name, other)) = term.split_once(" = ") {
            stored(name) == Some(value(other))
        } else if let Some((name, other)) = term.split_once(" > ") {
            stored(name).is_some_and(|stored| number(stored) > number(value(other)))
        } else {
            panic!("a condition that the stub does not know: {term}")
        }
    })
}

fn refused_condition() -> Reply {
    reply(
        400,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}"#,
    )
}

/// The connection of the recorded events.
pub(crate) const ID: &str = "R1kmxc2VNjMCFIA=";

/// An item as a handshake stores it.
pub(crate) fn item() -> Value {
    json!({
        "connectionId": { "S": ID },
        "sessionId": { "S": "s1" },
        "userId": { "S": "user-1" },
        "connectedAt": { "N": "1699999999000" },
        "expiresAt": { "N": (NOW + 7800).to_string() },
        "authUntil": { "N": (NOW + 300).to_string() },
        "sourceIp": { "S": "203.0.113.9" },
    })
}

pub(crate) fn connect_event() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/events/connect.json")).unwrap()
}

/// A recorded message with another body.
pub(crate) fn message_event(body: &str) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../tests/fixtures/events/message.json")).unwrap();
    event["body"] = json!(body);
    event
}

pub(crate) fn disconnect_event() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/events/disconnect.json")).unwrap()
}

/// A good signature on any claims.
pub(crate) fn token(claims: &Value) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(claims.to_string().as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), text.as_bytes());
    format!("{text}.{}", encode(tag.as_ref()))
}

/// The time in tests: epoch seconds.
pub(crate) const NOW: i64 = 1_700_000_000;
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;
/// A function's usual time limit.
pub(crate) const DEADLINE_MS: u64 = NOW_MS + 28_000;
pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

/// The handler with an environment of its own, and what it logs. When it goes, the log is searched for everything secret.
pub(crate) struct Bench {
    pub(crate) deps: Deps,
    lines: Arc<Mutex<Vec<String>>>,
    clock: Arc<AtomicU64>,
    secrets: Vec<String>,
}

impl Bench {
    /// `aws` serves the table and `@connections`, below `/prod`.
    pub(crate) fn new(aws: &str, backend: &str, changes: &[(&str, &str)]) -> Self {
        let mut variables: HashMap<String, String> = HashMap::new();
        let management = format!("{aws}/prod");
        let usual = [
            ("TABLE_NAME", "WebSocketConnections"),
            ("APP_RUNNER_URL", backend),
            ("JWT_SECRET", SECRET),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", "a-session-token"),
            ("AWS_ENDPOINT_URL", aws),
            ("WSFIX_MANAGEMENT_URL", &management),
        ];
        variables.extend(usual.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let secret = ["JWT_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WSFIX_SIGNING_KEY"].map(|name| variables.get(name));
        let secrets =
            secret.iter().flatten().flat_map(|value| value.split(',')).filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let (lines, clock) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(NOW_MS)));
        let (sink, hand) = (Arc::clone(&lines), Arc::clone(&clock));
        let deps = Deps::new(
            move |name| variables.get(name).filter(|value| !value.is_empty()).cloned(),
            move || hand.load(Ordering::SeqCst),
            move |line| sink.lock().unwrap().push(line.to_owned()),
        );
        Self { deps, lines, clock, secrets }
    }

    /// Handles an event within a function's usual time limit.
    pub(crate) async fn handle(&self, event: &Value) -> Value {
        self.handle_within(event, DEADLINE_MS - NOW_MS).await
    }

    /// Handles an event within some milliseconds.
    pub(crate) async fn handle_within(&self, event: &Value, limit_ms: u64) -> Value {
        super::handle(&event.to_string(), self.clock.load(Ordering::SeqCst) + limit_ms, &self.deps).await
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    /// All lines so far.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let log = self.log();
        if !std::thread::panicking() {
            // Every JWT begins with the base64 of `{"`.
            assert!(!log.contains("eyJ"), "a token is in the log: {log}");
            assert!(self.secrets.iter().all(|secret| !log.contains(secret)), "a secret is in the log: {log}");
        }
    }
}

/// The handler between a table with `@connections` and a backend.
pub(crate) struct Scene {
    pub(crate) cloud: Cloud,
    pub(crate) aws: Stub,
    pub(crate) backend: Stub,
    pub(crate) bench: Bench,
}

impl Scene {
    /// The recorded connection is stored; the backend's paths begin with `/base`.
    pub(crate) async fn start(changes: &[(&str, &str)], backend: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let cloud = Cloud::default();
        cloud.store(ID, item());
        let (aws, backend) = (cloud.start().await, Stub::start(backend).await);
        let bench = Bench::new(&aws.url(), &format!("{}/base", backend.url()), changes);
        Self { cloud, aws, backend, bench }
    }

    /// What the client of a connection got; the id is one without characters that a path encodes, but for `=`.
    pub(crate) fn sent_to(&self, connection_id: &str) -> Vec<String> {
        let path = format!("/prod/@connections/{}", connection_id.replace('=', "%3D"));
        self.aws.requests().into_iter().filter(|seen| seen.path == path).map(|seen| seen.body).collect()
    }

    /// The operations on the table so far.
    pub(crate) fn table_calls(&self) -> Vec<String> {
        let operations = self.aws.requests().iter().map(|seen| seen.operation().to_owned()).collect::<Vec<_>>();
        operations.into_iter().filter(|operation| !operation.is_empty()).collect()
    }
}
