//! One account, with all commands run in it by the built tool and a client that speaks to the stack.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use wsfix::config::Algorithm;
use wsfix::local::account::Account;
use wsfix::local::account::built_in::BuiltIn;
use wsfix::local::backend::{self, Backend};
use wsfix::local::calls::CallRecord;
use wsfix::local::{Cloud, Options};
use wsfix::secret::Secret;
use wsfix::verify::{self, Socket, Target};

use crate::support::block_on;
use crate::tool::{Ended, Tool};

const JWT_SECRET: &str = "0123456789abcdef0123456789abcdef";
const SIGNING_KEY: &str = "fedcba9876543210fedcba9876543210";
/// Longest time for one answer; only a stack that does not work takes it.
const LIMIT: Duration = Duration::from_secs(15);

/// What was seen in one account.
pub(super) struct Visit {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Each command as it ended, in order.
    commands: Vec<(&'static str, Ended)>,
    /// A connection with a message and its reply, where there was a stack.
    pub(super) tour: Option<Result<(), String>>,
    /// What the second `provision` changed.
    pub(super) again: Vec<String>,
    /// What is in the account at the end, and was not at the beginning.
    pub(super) left: Vec<String>,
    pub(super) calls: Vec<CallRecord>,
}

impl Visit {
    pub(super) fn to(account: &'static BuiltIn, handler: &Path) -> Self {
        let backend =
            Backend::start(backend::Options { signing_key: Some(Secret::new(SIGNING_KEY)), allow_commands: false }).expect("a backend");
        let parsed = Account::of(account.name).expect("an account");
        let cloud = Cloud::start(Options { account: parsed.clone(), ..Options::default() }).expect("a cloud");
        let tool = tool(&cloud, &parsed, &backend, handler);
        let before = cloud.inventory();
        let mut visit = Self {
            name: account.name,
            about: account.about(),
            commands: Vec::new(),
            tour: None,
            again: Vec::new(),
            left: Vec::new(),
            calls: Vec::new(),
        };
        visit.run(&tool, "roles", &["roles"]);
        visit.run(&tool, "preflight", &["plan", "--preflight"]);
        visit.run(&tool, "plan", &["plan"]);
        visit.run(&tool, "provision", &["provision"]);
        if visit.code("provision") == Some(0) {
            visit.tour = Some(block_on(tour(&visit.said("provision").out)));
            let calls = cloud.calls().all().len();
            visit.run(&tool, "again", &["provision"]);
            // The function still hears of the client's end, and calls AWS by itself.
            let of_tool = |call: &CallRecord| !call.caller.ends_with("/websocket-handler") && call.is_mutating();
            let changing = cloud.calls().all().into_iter().skip(calls).filter(of_tool);
            visit.again = changing.map(|call| call.operation).collect();
        }
        visit.run(&tool, "status", &["status"]);
        visit.run(&tool, "teardown", &["teardown", "--yes"]);
        visit.left = cloud.inventory().into_iter().filter(|one| !before.contains(one)).collect();
        visit.calls = cloud.calls().all();
        visit
    }

    fn run(&mut self, tool: &Tool, name: &'static str, arguments: &[&str]) {
        self.commands.push((name, tool.run(arguments)));
    }

    /// How a command ended, where it was run.
    pub(super) fn code(&self, command: &str) -> Option<i32> {
        self.commands.iter().find(|(name, _)| *name == command).and_then(|(_, ended)| ended.code)
    }

    pub(super) fn said(&self, command: &str) -> &Ended {
        self.commands.iter().find(|(name, _)| *name == command).map(|(_, ended)| ended).expect("a command that was run")
    }
}

/// The tool as the account's caller.
fn tool(cloud: &Cloud, account: &Account, backend: &Backend, handler: &Path) -> Tool {
    let key = account.caller_key().expect("a caller");
    let mut tool = Tool::of(cloud);
    tool.set("AWS_ACCESS_KEY_ID", &key.access_key_id);
    tool.set("AWS_SECRET_ACCESS_KEY", &key.secret_access_key);
    if let Some(token) = &key.session_token {
        tool.set("AWS_SESSION_TOKEN", token);
    }
    tool.set("JWT_SECRET", JWT_SECRET);
    tool.set("WSFIX_SIGNING_KEY", SIGNING_KEY);
    let role = if account.role.is_empty() { String::new() } else { format!("existing_role: {}\n", account.role) };
    let (backend, handler) = (backend.url(), handler.display());
    let rest = format!(
        "backend_url: {backend}\nfunction: {{handler: {handler}}}\napi: {{routes: [sendMessage]}}\njwt: {{session_claim: sessionId}}\n"
    );
    tool.file("wsfix.yaml", &(role + &rest));
    tool
}

/// Connects, sends a message and gets the backend's reply.
async fn tour(provisioned: &str) -> Result<(), String> {
    let url = provisioned.split_whitespace().find(|word| word.starts_with("ws://")).ok_or("no URL")?;
    let expires = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs() + 600;
    let token = verify::mint(Algorithm::Hs256, &Secret::new(JWT_SECRET), &json!({ "sub": "ann", "exp": expires, "sessionId": "tour" }));
    let mut socket = Socket::connect(&Target::new(url, token).session("tour")).await.map_err(|failure| failure.to_string())?;
    let (answer, _) = socket.ask(r#"{"action":"sendMessage","type":"ping"}"#, LIMIT).await.map_err(|failure| failure.to_string())?;
    let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    if answer["type"] != "pong" {
        return Err(format!("the reply is {answer}"));
    }
    socket.close(LIMIT).await.map_err(|failure| failure.to_string())
}
