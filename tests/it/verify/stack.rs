//! A stack with the handler's real binary, and the tool that looks at it.

use serde_json::Value;
use wsfix::config::Config;
use wsfix::local::Options;
use wsfix::local::account::Account;
use wsfix::local::backend::{self, Backend};

use crate::handler;
use crate::support::{Sandbox, block_on};
use crate::tool::{Ended, Tool};

/// One stack, and what a person needs to verify it.
pub(super) struct Stack {
    pub(super) sandbox: Sandbox,
    pub(super) tool: Tool,
    usual: Config,
    /// The demo backend; the stack may have another.
    pub(super) backend: Option<Backend>,
    /// One with something wrong with it.
    pub(super) faulty: Option<super::backend::Backend>,
}

/// Roles besides the account's own, each with something missing.
const ROLES: &str = "
extends: default
roles:
";

/// A role with all that the handler needs, and a denial.
fn role(name: &str, denied: &str) -> String {
    format!(
        "  - name: {name}
    trust: lambda.amazonaws.com
    managed_policies: [arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole, TableAndConnections]
    inline_policies:
      no: {{Version: '2012-10-17', Statement: [{{Effect: Deny, Action: '{denied}', Resource: '*'}}]}}
"
    )
}

/// The roles that a stack can be given, by the action that they lack.
pub(super) const LACKING: [(&str, &str); 5] = [
    ("no-put", "dynamodb:PutItem"),
    ("no-get", "dynamodb:GetItem"),
    ("no-delete", "dynamodb:DeleteItem"),
    ("no-post", "execute-api:ManageConnections"),
    ("no-logs", "logs:PutLogEvents"),
];

impl Stack {
    /// Not provisioned yet, so that a test can change what it will be.
    pub(super) fn new(speed: f64) -> Self {
        let roles: String = LACKING.iter().map(|(name, denied)| role(name, denied)).collect();
        let pass = "policies:
  RestrictedUserResourceIsolation: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: '*', Resource: '*'}]}
";
        let account = Account::parse(&format!("{ROLES}{roles}{pass}"), "test").expect("an account");
        let mut sandbox = Sandbox::with(Options { account, speed, ..Options::default() });
        sandbox.config.function.handler = Some(handler::zip().into());
        sandbox.config.backend_timeout_seconds = 1;
        let tool = Tool::of(&sandbox.cloud);
        tool.file("wsfix.yaml", "jwt: {session_claim: sessionId}\napi: {routes: [resize, sendMessage]}\n");
        let mut stack = Self { usual: sandbox.config.clone(), sandbox, tool, backend: None, faulty: None };
        stack.reset();
        stack
    }

    /// The config as it was, and a backend that works; the next `provision` puts the rest right.
    pub(super) fn reset(&mut self) {
        self.sandbox.config = self.usual.clone();
        self.faulty = None;
        let signing_key = self.usual.signing_key.clone();
        let start = || Backend::start(backend::Options { signing_key, allow_commands: false }).expect("a backend");
        self.sandbox.config.backend_url = Some(self.backend.get_or_insert_with(start).url());
    }

    /// The command's document, with what is short in a test.
    pub(super) fn verify(&self, more: &[&str]) -> Ended {
        let usual = ["verify", "--output", "json", "--timeout", "4s", "--wait", "2s"];
        self.tool.run(&[&usual, more].concat())
    }

    /// The API's id.
    pub(super) fn api(&self) -> String {
        self.sandbox.status().outputs.expect("an API").api_id
    }

    /// Changes variables of the function behind wsfix's back.
    pub(super) fn set(&self, name: &str, value: &str) {
        let aws = self.sandbox.aws();
        block_on(async {
            let function = aws.lambda.get_function_configuration().function_name("websocket-handler").send().await.expect("a function");
            let mut variables = function.environment().and_then(|all| all.variables()).cloned().unwrap_or_default();
            variables.insert(name.to_owned(), value.to_owned());
            let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables)).build();
            let update = aws.lambda.update_function_configuration().function_name("websocket-handler").environment(environment);
            update.send().await.expect("updated");
        });
    }

    /// Gives the function another role behind wsfix's back.
    pub(super) fn take(&self, role: &str) {
        let update = self.sandbox.aws().lambda.update_function_configuration().function_name("websocket-handler");
        block_on(update.role(format!("arn:aws:iam::111122223333:role/{role}")).send()).expect("updated");
    }
}

/// A check of a document, by a part of its name.
pub(super) fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["result"]["checks"].as_array().expect("checks");
    checks
        .iter()
        .find(|check| check["name"].as_str().is_some_and(|full| full.contains(name)))
        .unwrap_or_else(|| panic!("no {name}: {document:#}"))
}
