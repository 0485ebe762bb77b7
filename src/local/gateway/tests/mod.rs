//! The front door, over real sockets, with functions made of a few lines of Python.

mod connections;
mod handshakes;
mod logs;
mod messages;

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::local::support::{Lab, Socket};

/// Appends every event to a file, so that a test can see them all.
struct Events(tempfile::TempDir);

impl Events {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Python that notes the event.
    fn note(&self) -> String {
        format!("open({:?}, 'a').write(json.dumps(event) + '\\n')\n", self.0.path().join("events"))
    }

    fn all(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.0.path().join("events")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for so many events.
    async fn wait(&self, count: usize) -> Vec<Value> {
        for _ in 0..500 {
            let all = self.all();
            if all.len() >= count {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} events, not {count}", self.all().len());
    }
}

/// The next text frame as JSON, or as a JSON text.
async fn next(socket: &mut Socket) -> Value {
    match tokio::time::timeout(Duration::from_secs(10), socket.next()).await {
        Ok(Some(Ok(Message::Text(text)))) => serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.as_str())),
        other => panic!("{other:?}"),
    }
}

/// Code and reason of the close that comes next.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match tokio::time::timeout(Duration::from_secs(10), socket.next()).await {
            Ok(Some(Ok(Message::Close(Some(frame))))) => return (frame.code.into(), frame.reason.to_string()),
            Ok(Some(Ok(Message::Text(_) | Message::Pong(_)))) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A function, and an API with these routes in front of it.
async fn served(lab: &Lab, body: &str, routes: &[&str]) -> String {
    lab.function("f", "", body).timeout(28).send().await.unwrap();
    lab.api("f", routes).await
}
