//! A server of the Node package `ws`, which is in order.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Case, Running, options};
use crate::support::skip;

pub(super) struct Node {
    _process: Running,
    port: u16,
}

impl Node {
    /// Installs the package and starts the server.
    pub(super) fn start() -> Option<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external/node");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
        std::fs::create_dir_all(&folder).expect("a directory");
        for file in ["package.json", "package-lock.json", "server.mjs"] {
            std::fs::copy(source.join(file), folder.join(file)).expect("a copy");
        }
        let install = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output();
        if !install.as_ref().is_ok_and(|output| output.status.success()) {
            let why = install.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stderr).into_owned());
            skip("doctor: a Node server", why.lines().last().unwrap_or("npm failed"));
            return None;
        }
        let mut command = Command::new("node");
        command.arg("server.mjs").current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Running(command.spawn().expect("node starts"));
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Some(Self { _process: process, port: line.trim().parse().expect("a port") })
    }

    pub(super) fn cases(&self) -> Vec<Case> {
        let options = options(&format!("ws://127.0.0.1:{}/ws", self.port));
        let mut named = options.clone();
        named.target.subprotocols = vec!["chat.v1".to_owned()];
        vec![Case::new("Node's `ws`", "healthy", options), Case::new("Node's `ws`, with a sub-protocol", "healthy", named)]
    }
}
