//! A server on loopback that remembers what it was asked, and answers as it is told: well, badly, or not at all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

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
    /// What it does instead of answering as HTTP wants it; then it closes the connection.
    steps: Vec<Step>,
}

/// Something that a server does with its connection.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say(Vec<u8>),
    Wait(Duration),
    /// The same bytes again and again, with a pause between, until the other side goes.
    Forever(Vec<u8>, Duration),
    /// Ends the connection as a process does that was killed.
    Reset,
}

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: String::new(), body: body.to_owned(), delay: Duration::ZERO, steps: Vec::new() }
}

/// A server that does not keep to HTTP.
pub(crate) fn steps(steps: impl Into<Vec<Step>>) -> Reply {
    Reply { steps: steps.into(), ..reply(0, "") }
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
            return perform(stream.get_mut(), reply).await;
        }
        let length = if reply.status == 204 { String::new() } else { format!("content-length: {}\r\n", reply.body.len()) };
        let text = format!("HTTP/1.1 {} X\r\n{length}{}\r\n{}", reply.status, reply.headers, reply.body);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Does everything that a reply has instead of an answer.
pub(crate) async fn perform(stream: &mut TcpStream, reply: Reply) {
    for step in reply.steps {
        if do_step(stream, step).await.is_err() {
            return;
        }
    }
}

async fn do_step(stream: &mut TcpStream, step: Step) -> std::io::Result<()> {
    match step {
        Step::Say(bytes) => stream.write_all(&bytes).await,
        Step::Wait(time) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Step::Forever(bytes, pause) => loop {
            stream.write_all(&bytes).await?;
            tokio::time::sleep(pause).await;
        },
        Step::Reset => stream.set_zero_linger(),
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
