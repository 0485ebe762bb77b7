//! The backend, the table and `@connections` in one server on loopback, in the fuzzer's own process.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the neighbours say.
#[derive(Default)]
pub struct Answers {
    pub status: u16,
    pub backend: String,
    pub table: String,
}

/// They answer as they were last told.
pub struct Neighbours {
    url: String,
    answers: Arc<Mutex<Answers>>,
}

impl Neighbours {
    /// Needs a runtime, in which the server lives.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answers = Arc::new(Mutex::new(Answers::default()));
        let told = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = Arc::clone(&told);
                tokio::spawn(async move { serve(BufReader::new(stream), &told).await });
            }
        });
        Self { url, answers }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn answer_with(&self, answers: Answers) {
        *self.answers.lock().expect("no panic") = answers;
    }
}

async fn serve(mut stream: BufReader<TcpStream>, answers: &Mutex<Answers>) {
    while let Some(path) = read(&mut stream).await {
        let (status, body) = {
            let answers = answers.lock().expect("no panic");
            match path.as_str() {
                "/" => (200, answers.table.clone()),
                path if path.starts_with("/backend/") => (answers.status, answers.backend.clone()),
                _ => (200, String::new()),
            }
        };
        let head = match status {
            204 => "HTTP/1.1 204 X\r\n\r\n".to_owned(),
            _ => format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len()),
        };
        let text = if status == 204 { head } else { head + &body };
        if stream.get_mut().write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads a request, and answers its path.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut path, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if path.is_none() {
            path = line.split(' ').nth(1).map(str::to_owned);
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.parse().ok()?;
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    path
}
