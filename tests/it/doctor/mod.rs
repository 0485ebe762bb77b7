//! `wsfix doctor` against servers on loopback, each with its own way to lose a WebSocket; the table in docs/doctor.md comes from here.

mod gateway;
mod nginx;
mod node;
mod servers;

use std::future::Future;
use std::pin::Pin;
use std::process::{Child, Command};
use std::time::Duration;

use futures_util::future::join_all;
use wsfix::verify::Target;
use wsfix::verify::doctor::{Findings, Options, Verdict, examine, judge};

use crate::support::docs;

/// The servers' clocks run so much faster than this machine's: 40 s are 4 s.
const SPEED: f64 = 10.0;

/// Seconds of a server, in real time.
fn scaled(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds / SPEED)
}

/// Watches for 40 s of the server's time, with a message or a ping every 4 s.
fn options(url: &str) -> Options {
    let target = Target { limit: scaled(20.0), ..Target::new(url, None) };
    Options { target, tries: 3, watch: scaled(40.0), every: scaled(4.0), message: r#"{"type":"ping"}"#.to_owned(), speed: SPEED }
}

/// A server of somebody else's; it ends with the test. On SIGTERM nginx ends its workers too.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// One server: what it does, how it is tried, and what the verdict must be.
struct Case {
    server: &'static str,
    expected: &'static str,
    examined: Pin<Box<dyn Future<Output = (Findings, Verdict)>>>,
}

impl Case {
    fn new(server: &'static str, expected: &'static str, options: Options) -> Self {
        let examined = Box::pin(async move {
            let findings = examine(&options, &|_| ()).await;
            let verdict = judge(&findings);
            (findings, verdict)
        });
        Self { server, expected, examined }
    }
}

/// Runs the cases side by side and answers the rows of the table.
async fn rows(cases: Vec<Case>) -> String {
    let judged = cases.into_iter().map(|case| async move {
        let (findings, verdict) = case.examined.await;
        assert_eq!(verdict.case, case.expected, "{}\n{verdict:#?}\n{findings:#?}", case.server);
        assert!(!verdict.headline.is_empty() && (verdict.healthy || !verdict.certain.is_empty()), "{verdict:#?}");
        format!("| {} | `{}` | {} |\n", case.server, verdict.case, steady(&verdict.headline))
    });
    join_all(judged).await.concat()
}

/// A headline without what differs from run to run: ports, and seconds that are a little off.
fn steady(headline: &str) -> String {
    let words: Vec<&str> = headline.split(' ').collect();
    let steady = words.iter().enumerate().map(|(at, word)| {
        let number = word.trim_end_matches([',', ';', ':']);
        let unit = words.get(at + 1).is_some_and(|next| next.trim_end_matches([',', ';', ':']) == "s");
        match number.parse::<f64>() {
            Ok(seconds) if unit => word.replace(number, &format!("{:.0}", (seconds / 5.0).round() * 5.0)),
            Ok(port) if port > 1024.0 => word.replace(number, "PORT"),
            _ => (*word).to_owned(),
        }
    });
    steady.collect::<Vec<_>>().join(" ")
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

#[test]
fn every_way_to_lose_a_websocket_has_its_verdict() {
    let rows = run(async {
        let cases = servers::cases().await;
        rows(cases).await
    });
    docs::hold("doctor.md", "servers", &format!("{HEAD}{rows}"));
}

#[test]
fn the_local_clouds_gateway_in_each_failing_state() {
    let rows = gateway::rows();
    docs::hold("doctor.md", "gateway", &format!("{HEAD}{rows}"));
}

#[test]
fn nginx_without_upgrade_headers_and_with_a_short_timeout() {
    let Some(nginx) = nginx::Nginx::start() else { return };
    let rows = run(async { rows(nginx.cases()).await });
    docs::hold("doctor.md", "nginx", &format!("{HEAD}{rows}"));
}

#[test]
fn a_node_server_that_is_fine() {
    let Some(node) = node::Node::start() else { return };
    let rows = run(async { rows(node.cases()).await });
    docs::hold("doctor.md", "node", &format!("{HEAD}{rows}"));
}

const HEAD: &str = "| server | verdict | in words |\n|---|---|---|\n";
