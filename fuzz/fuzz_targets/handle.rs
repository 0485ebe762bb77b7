//! Any event, any answer of the backend and any answer of the table: the handler answers, in time, and its log stays clean.
//!
//! An input has up to four sections with `\n----\n` between them: options, event, the backend's answer, the table's answer. The options are bytes:
//! the first one's lowest bit says how replies travel; its second bit that the second section is what a client wrote instead of a
//! whole event; the second byte chooses the backend's status. `TOKEN` in an event stands for a good token.

#![no_main]

mod neighbours;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use neighbours::{Answers, Neighbours};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use wsfix::handler::{Deps, handle};

const NOW_MS: u64 = 1_700_000_000_000;
/// Leaves some moments for calls, after what the handler keeps back for its reply and its answer.
const LIMIT_MS: u64 = 700;
const SECRET: &str = "a secret of at least thirty-two bytes";
/// Signed with it; good until 300 s from [`NOW_MS`].
const TOKEN: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3MDAwMDAzMDB9.",
    "j4MYxg8Sugbi1S0jHsPiJbJJoqmgwwPtjaGKqVMRics"
);
const STATUSES: [u16; 8] = [200, 200, 200, 200, 204, 302, 404, 500];

/// What lives from one input to the next, as in a sandbox of Lambda.
struct Sandbox {
    runtime: Runtime,
    neighbours: Neighbours,
    /// With `@connections`, and with route responses.
    handlers: [Deps; 2],
    lines: Arc<Mutex<Vec<String>>>,
}

impl Sandbox {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let neighbours = runtime.block_on(Neighbours::start());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let handlers = ["management-api", "route-response"].map(|reply| {
            let url = neighbours.url();
            let variables = HashMap::from([
                ("TABLE_NAME", "Connections".to_owned()),
                ("APP_RUNNER_URL", format!("{url}/backend")),
                ("JWT_SECRET", SECRET.to_owned()),
                ("AWS_REGION", "eu-west-1".to_owned()),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
                ("AWS_ENDPOINT_URL", url.to_owned()),
                ("WSFIX_MANAGEMENT_URL", format!("{url}/prod")),
                ("WSFIX_REPLY", reply.to_owned()),
                ("WSFIX_SEQUENCE", "on".to_owned()),
            ]);
            let sink = Arc::clone(&lines);
            let log = move |line: &str| sink.lock().expect("no panic").push(line.to_owned());
            Deps::new(move |name| variables.get(name).cloned(), || NOW_MS, log)
        });
        Self { runtime, neighbours, handlers, lines }
    }

    fn run(&self, input: &str) {
        let mut sections = input.splitn(4, "\n----\n");
        let mut options = sections.next().unwrap_or_default().bytes();
        let (kind, status) = (options.next().unwrap_or(0), options.next().unwrap_or(0));
        let text = sections.next().unwrap_or_default();
        let event = if kind & 2 == 0 { text.replace("TOKEN", TOKEN) } else { message(text) };
        self.neighbours.answer_with(Answers {
            status: STATUSES[usize::from(status) % STATUSES.len()],
            backend: sections.next().unwrap_or_default().to_owned(),
            table: sections.next().unwrap_or_default().to_owned(),
        });
        let started = Instant::now();
        let handler = &self.handlers[usize::from(kind & 1)];
        let answer = self.runtime.block_on(handle(&event, NOW_MS + LIMIT_MS, handler));
        assert!(started.elapsed() < Duration::from_millis(LIMIT_MS), "{:?}", started.elapsed());
        assert!(answer["statusCode"].is_u64(), "{answer}");
        assert!(answer["body"].is_null() || answer["body"].is_string(), "{answer}");
        for line in self.lines.lock().expect("no panic").drain(..) {
            assert!(line.starts_with("[WebSocket] ") && line.chars().all(|c| !c.is_control()), "{line:?}");
            assert!(!line.contains(SECRET) && !line.contains(TOKEN) && !line.contains("wJalrXUtnFEMI"), "{line}");
        }
    }
}

fn message(text: &str) -> String {
    let context = json!({
        "eventType": "MESSAGE",
        "routeKey": "$default",
        "connectionId": "R1kmxc2VNjMCFIA=",
        "requestId": "R1knNHGmtjMFqVg=",
        "connectedAt": NOW_MS - 1000,
        "requestTimeEpoch": NOW_MS,
    });
    json!({ "requestContext": context, "body": text, "isBase64Encoded": false }).to_string()
}

thread_local! {
    static SANDBOX: OnceCell<Sandbox> = const { OnceCell::new() };
}

fuzz_target!(|input: &[u8]| {
    let input = String::from_utf8_lossy(input);
    SANDBOX.with(|sandbox| sandbox.get_or_init(Sandbox::new).run(&input));
});
