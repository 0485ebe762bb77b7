//! `wsfix dev` as a process of its own, spoken to byte by byte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::handler;
use crate::tool::Tool;

/// Nothing may need longer than this to be answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running `wsfix dev` whose temporary files are in a folder of its own.
pub(super) struct Dev {
    pub(super) tool: Tool,
    pub(super) child: Child,
    pub(super) address: SocketAddr,
    /// Path and query of a handshake that is let in.
    socket: String,
}

impl Dev {
    pub(super) fn start() -> Self {
        let mut tool = Tool::new();
        let folder = tool.directory.path().join("tmp");
        std::fs::create_dir(&folder).unwrap();
        tool.set("TMPDIR", &folder.display().to_string());
        let mut child = tool.start(&["dev", "--port", "0", "--output", "json", "--handler", handler::zip()]);
        let mut errors = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            assert_ne!(out.read_line(&mut text).unwrap(), 0, "it ended: {text}");
        }
        let document: Value = serde_json::from_str(&text).unwrap();
        let of = |name: &str| document["result"][name].as_str().unwrap().to_owned();
        let (url, token, session) = (of("websocket_url"), of("token"), of("session_id"));
        let (host, path) = url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
        Self { tool, child, address: host.parse().unwrap(), socket: format!("/{path}?sessionId={session}&token={token}") }
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes, says where asked that no more will come, and gives what came back until the end.
    pub(super) fn exchange(&self, bytes: &[u8], ends: bool) -> Vec<u8> {
        let mut stream = self.connect();
        // The server may have closed before all was sent.
        let _ = stream.write_all(bytes);
        if ends {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        read_all(&mut stream)
    }

    /// An open socket.
    pub(super) fn socket(&self) -> TcpStream {
        let mut stream = self.connect();
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.socket, self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        stream
    }

    /// The server is there and well.
    pub(super) fn is_well(&self, after: &str) {
        let answer = self.exchange(format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).as_bytes(), false);
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "after {after}: {}", String::from_utf8_lossy(&answer));
    }

    /// Megabytes: the most that it had since it started.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() / 1024
    }

    pub(super) fn temporary(&self) -> Vec<String> {
        let folder = self.tool.directory.path().join("tmp");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything until the end; a reset is an end too.
pub(super) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert!(
            !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
            "no end after {} bytes",
            bytes.len()
        );
    }
    bytes
}
