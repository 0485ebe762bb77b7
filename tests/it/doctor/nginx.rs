//! nginx between the client and a WebSocket server: without the upgrade's headers, and with a short timeout.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Case, Running, options, run, servers};
use crate::support::packages::debian;
use crate::support::skip;

pub(super) struct Nginx {
    _process: Running,
    ports: [u16; 2],
    _upstream: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

impl Nginx {
    /// Starts nginx; where it is missing it is installed, if this is root on Debian.
    pub(super) fn start() -> Option<Self> {
        if !debian("nginx", "-v", "nginx-light") {
            skip("doctor: nginx", "nginx is not here and cannot be installed");
            return None;
        }
        let upstream = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let echo = upstream.block_on(servers::echo_server());
        let directory = tempfile::tempdir().expect("a directory");
        // A free port may be taken before nginx has it: then others are tried.
        let (process, ports) = (0..5).find_map(|_| started(directory.path(), &echo)).expect("nginx listens");
        Some(Self { _process: process, ports, _upstream: upstream, _directory: directory })
    }

    pub(super) fn cases(&self) -> Vec<Case> {
        let url = |at: usize| format!("ws://127.0.0.1:{}/ws", self.ports[at]);
        vec![
            Case::new("nginx that passes no `Upgrade` on, before a server that wants one", "upgrade-stripped", options(&url(0))),
            Case::new("nginx with `proxy_read_timeout` of 5 s", "idle-timeout", options(&url(1))),
        ]
    }
}

/// Starts nginx on two free ports; `None` when it ends again.
fn started(directory: &Path, echo: &str) -> Option<(Running, [u16; 2])> {
    let ports = [free_port(), free_port()];
    let path = directory.display();
    let passed = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";
    let folders: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {path}/{name};\n")).concat();
    let config = format!(
        "daemon off;\nworker_processes 1;\npid {path}/pid;\nerror_log {path}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}
         server {{ listen 127.0.0.1:{}; location / {{ proxy_pass http://{echo}; proxy_http_version 1.1; }} }}
         server {{ listen 127.0.0.1:{}; location / {{ proxy_pass http://{echo}; proxy_http_version 1.1; {passed} proxy_read_timeout 500ms; }} }}\n}}\n",
        ports[0], ports[1]
    );
    fs::write(directory.join("nginx.conf"), config).expect("a config");
    let mut command = Command::new("nginx");
    command.arg("-e").arg(directory.join("error.log")).arg("-c").arg(directory.join("nginx.conf"));
    let mut process = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nginx starts"));
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(10) {
        if process.0.try_wait().expect("a child").is_some() {
            return None;
        }
        if ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            return Some((process, ports));
        }
        run(async { tokio::time::sleep(Duration::from_millis(20)).await });
    }
    None
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
