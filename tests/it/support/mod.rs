//! A local cloud, a config for it, and the pipelines run against it in this process.

pub(crate) mod aws;
pub(crate) mod console;
pub(crate) mod docs;
pub(crate) mod elf;
pub(crate) mod load;
pub(crate) mod packages;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wsfix::config::{
    AccessLogs, Algorithm, Api, Architecture, Config, Connection, Function, Jwt, Keys, Pace, Reply, SecretSource, Throttle, TokenFrom,
};
use wsfix::local::calls::CallRecord;
use wsfix::local::{Cloud, Options};
use wsfix::provision::plan::{Action, Plan};
use wsfix::provision::progress::{Event, Reporter};
use wsfix::provision::{self, Consent, Error, Provisioned, Run, Status, Stop};
use wsfix::secret::Secret;

/// What the pipelines told.
#[derive(Default)]
pub(crate) struct Heard(RefCell<Vec<Event>>);

impl Heard {
    /// Texts of the notes so far.
    pub(crate) fn notes(&self) -> Vec<String> {
        let note = |event: &Event| if let Event::Note { text } = event { Some(text.clone()) } else { None };
        self.0.borrow().iter().filter_map(note).collect()
    }
}

impl Heard {
    /// What was waited for, as `table WebSocketConnections: CREATING`.
    pub(crate) fn waits(&self) -> Vec<String> {
        let wait = |event: &Event| {
            if let Event::Waiting { resource, state } = event { Some(format!("{resource}: {state}")) } else { None }
        };
        self.0.borrow().iter().filter_map(wait).collect()
    }
}

impl Reporter for Heard {
    fn event(&self, event: Event) {
        self.0.borrow_mut().push(event);
    }
}

/// One account with one stack.
pub(crate) struct Sandbox {
    pub(crate) cloud: Cloud,
    pub(crate) config: Config,
    pub(crate) heard: Heard,
    pub(crate) stop: Stop,
    pub(crate) consent: Consent,
    _handler: tempfile::TempDir,
}

/// Whatever a test did: nothing wrote to IAM since the calls were last forgotten.
impl Drop for Sandbox {
    fn drop(&mut self) {
        let writes: Vec<CallRecord> =
            self.cloud.calls().all().into_iter().filter(|call| call.service == "iam" && call.is_mutating()).collect();
        assert!(writes.is_empty() || std::thread::panicking(), "IAM was written to: {writes:#?}");
        // Nor was a secret told, or kept in the record of calls.
        let told = format!("{:?}{:?}", self.heard.0.borrow(), self.cloud.calls().all());
        let shown = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210", "wsfix-local-secret"]
            .map(|secret| told.contains(secret));
        assert!(!shown.contains(&true) || std::thread::panicking(), "a secret is told: {told}");
    }
}

impl Sandbox {
    /// The built-in account, with no delays.
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    /// A cloud of these options.
    pub(crate) fn with(options: Options) -> Self {
        let cloud = Cloud::start(options).expect("a cloud");
        let handler = tempfile::tempdir().expect("a directory");
        let path = handler.path().join("bootstrap");
        std::fs::write(&path, elf::executable(&[])).expect("a handler");
        let config = config(&cloud, path);
        Self { cloud, config, heard: Heard::default(), stop: Stop::default(), consent: Consent::default(), _handler: handler }
    }

    /// Another handler, whose bytes differ by `mark`.
    pub(crate) fn change_handler(&self, mark: &[u8]) {
        let path = self.config.function.handler.as_ref().expect("a handler");
        std::fs::write(path, elf::executable(mark)).expect("a handler");
    }

    /// A run of the pipelines.
    fn run(&self) -> Run<'_> {
        Run { config: &self.config, reporter: &self.heard, stop: &self.stop, consent: self.consent }
    }

    pub(crate) fn try_provision(&self) -> Result<Provisioned, Error> {
        block_on(provision::provision(&self.run()))
    }

    pub(crate) fn provision(&self) -> Provisioned {
        self.try_provision().unwrap_or_else(|error| panic!("provision: {error:#?}"))
    }

    pub(crate) fn try_plan(&self) -> Result<Plan, Error> {
        block_on(provision::plan(&self.run()))
    }

    pub(crate) fn plan(&self) -> Plan {
        self.try_plan().unwrap_or_else(|error| panic!("plan: {error:#?}"))
    }

    /// What the caller and the role may do.
    pub(crate) fn preflight(&self) -> provision::Preflight {
        block_on(provision::plan_with_preflight(&self.run())).unwrap_or_else(|error| panic!("preflight: {error:#?}")).1
    }

    /// What would be asked of an administrator.
    pub(crate) fn request(&self) -> provision::request::Request {
        block_on(provision::request(&self.run())).unwrap_or_else(|error| panic!("request: {error:#?}"))
    }

    pub(crate) fn status(&self) -> Status {
        block_on(provision::status(&self.run())).unwrap_or_else(|error| panic!("status: {error:#?}"))
    }

    pub(crate) fn plan_teardown(&self) -> Result<Plan, Error> {
        block_on(provision::plan_teardown(&self.run()))
    }

    /// Deletes what was listed before.
    pub(crate) fn teardown_listed(&self, plan: &Plan) -> Result<provision::TornDown, Error> {
        block_on(provision::teardown(&self.run(), plan))
    }

    pub(crate) fn try_teardown(&self) -> Result<Plan, Error> {
        block_on(async {
            let plan = provision::plan_teardown(&self.run()).await?;
            provision::teardown(&self.run(), &plan).await?;
            Ok(plan)
        })
    }

    pub(crate) fn teardown(&self) -> Plan {
        self.try_teardown().unwrap_or_else(|error| panic!("teardown: {error:#?}"))
    }

    /// The SDK's clients, for what a person does behind wsfix's back.
    pub(crate) fn aws(&self) -> aws::Aws {
        block_on(aws::Aws::connect(self.cloud.endpoint(), self.cloud.region(), &keys()))
    }

    /// What stands in the account.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let aws = self.aws();
        block_on(async {
            let mut names = aws.dynamodb.list_tables().send().await.expect("tables").table_names().to_vec();
            let functions = aws.lambda.list_functions().send().await.expect("functions");
            names.extend(functions.functions().iter().filter_map(|function| function.function_name().map(str::to_owned)));
            let apis = aws.api.get_apis().send().await.expect("apis");
            names.extend(apis.items().iter().filter_map(|api| api.api_id().map(str::to_owned)));
            let groups = aws.logs.describe_log_groups().send().await.expect("log groups");
            names.extend(groups.log_groups().iter().filter_map(|group| group.log_group_name().map(str::to_owned)));
            names
        })
    }

    /// Calls since the last [`Calls::clear`](wsfix::local::calls::Calls::clear) that may have changed the account.
    pub(crate) fn mutating(&self) -> Vec<String> {
        self.cloud.calls().all().into_iter().filter(CallRecord::is_mutating).map(|call| call.operation).collect()
    }
}

/// Says, past the capture of the test harness, that something cannot be tried here; where `CI` is set that is a failure.
pub(crate) fn skip(what: &str, why: &str) {
    use std::io::Write as _;
    assert!(std::env::var_os("CI").is_none(), "{what}: {why}");
    let _ = writeln!(std::io::stderr(), "SKIP {what}: {why}");
}

/// Runs a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Keys of the default user.
pub(crate) fn keys() -> Keys {
    Keys { access_key_id: "AKIAWSFIXLOCALDEV001".to_owned(), secret_access_key: Secret::new("wsfix-local-secret"), session_token: None }
}

fn config(cloud: &Cloud, handler: PathBuf) -> Config {
    Config {
        connection: Connection {
            region: Some(cloud.region().to_owned()),
            profile: None,
            endpoint_url: Some(cloud.endpoint().to_owned()),
            keys: Some(keys()),
            pace: Pace::default(),
            gateway_rate: None,
        },
        stack: "terminal".to_owned(),
        existing_role: Some(GOOD_ROLE.to_owned()),
        table: "WebSocketConnections".to_owned(),
        function: Function {
            name: "websocket-handler".to_owned(),
            architecture: Architecture::X86_64,
            memory_mb: 256,
            timeout_seconds: 28,
            handler: Some(handler),
            environment: BTreeMap::from([("GREETING".to_owned(), Secret::new("hello"))]),
        },
        api: Api {
            name: "TerminalWebSocketAPI".to_owned(),
            route_selection_expression: "$request.body.action".to_owned(),
            routes: vec!["resize".to_owned(), "sendMessage".to_owned()],
            stage: "prod".to_owned(),
            connect_throttle: Throttle { rate: 50, burst: 100 },
            message_throttle: Throttle { rate: 500, burst: 1000 },
        },
        log_retention_days: 14,
        access_logs: AccessLogs::Auto,
        reply: Reply::Auto,
        backend_url: Some("https://backend.example".to_owned()),
        backend_timeout_seconds: 20,
        jwt: Jwt {
            algorithm: Algorithm::Hs256,
            keys: None,
            claims: BTreeMap::new(),
            max_age_seconds: None,
            single_use: false,
            ticket_key: None,
            secret: Some(SecretSource::Value(Secret::new("0123456789abcdef0123456789abcdef"))),
            session_claim: Some("sessionId".to_owned()),
            issuer: None,
            audience: None,
            leeway_seconds: 30,
            enforce_expiry: true,
            token_from: vec![TokenFrom::Query, TokenFrom::Subprotocol],
        },
        signing_key: Some(Secret::new("fedcba9876543210fedcba9876543210")),
        allowed_origins: Vec::new(),
        require_origin: false,
        session_cache_seconds: 0,
        sequence: false,
        reconnect_notice: true,
        max_message_kb: 1024,
        tags: BTreeMap::from([("team".to_owned(), "terminals".to_owned())]),
    }
}

/// A role of the built-in account that may do all that the handler does.
pub(crate) const GOOD_ROLE: &str = "websocket-handler-role";
/// A role of the built-in account that may write logs and nothing else.
pub(crate) const WEAK_ROLE: &str = "lambda_basic_execution";

/// What a plan changes: `table.ttl_attribute`, `route old deleted` ...
pub(crate) fn differences(plan: &Plan) -> Vec<String> {
    let mut list = Vec::new();
    for step in plan.changes() {
        match &step.action {
            Action::Update(changes) => list.extend(changes.iter().map(|change| format!("{} {}: {}", step.kind, step.name, change.field))),
            Action::Adopt(_) => list.push(format!("{} {}: adopted", step.kind, step.name)),
            Action::Create => list.push(format!("{} {}: created", step.kind, step.name)),
            Action::Delete(_) => list.push(format!("{} {}: deleted", step.kind, step.name)),
            Action::Refuse(why) => list.push(format!("{} {}: refused: {why}", step.kind, step.name)),
            Action::Keep => {}
        }
    }
    list
}

/// The longest row of calls of which none began before the one before it was answered.
pub(crate) fn chain(calls: &[CallRecord]) -> Vec<String> {
    let mut calls: Vec<&CallRecord> = calls.iter().collect();
    calls.sort_by_key(|call| call.ended);
    let mut best: Vec<(usize, Option<usize>)> = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let before = (0..at).filter(|other| calls[*other].ended <= call.started).max_by_key(|other| best[*other].0);
        best.push((before.map_or(1, |other| best[other].0 + 1), before));
    }
    let mut at = (0..calls.len()).max_by_key(|at| best[*at].0);
    let mut chain = Vec::new();
    while let Some(this) = at {
        chain.push(calls[this].operation.clone());
        at = best[this].1;
    }
    chain.reverse();
    chain
}

/// How long the calls took together.
pub(crate) fn sum(calls: &[CallRecord]) -> Duration {
    calls.iter().map(|call| call.ended - call.started).sum()
}
