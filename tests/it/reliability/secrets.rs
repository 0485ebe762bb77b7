//! Secrets are in the function's environment, where the handler needs them, and in nothing else: whatever the tool says, whatever it makes, whatever
//! it starts is searched for them.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wsfix::config::Algorithm;
use wsfix::local::account::Account;
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::local::{Cloud, Options};
use wsfix::secret::Secret;
use wsfix::verify::{self, Socket, Target};

use crate::handler;
use crate::support::aws::Aws;
use crate::support::{Sandbox, block_on, docs};
use crate::tool::{Tool, signal};

/// Each secret with the variable that it is given in.
const SEEDS: [(&str, &str); 6] = [
    ("AWS_SECRET_ACCESS_KEY", "seededAwsSecretKey/4f1c+9d2e7b80a35e"),
    ("AWS_SESSION_TOKEN", "seededSessionToken//IQoJb3JpZ2luX2VjEBca"),
    ("JWT_SECRET", "seeded-jwt-secret-b1946ac92492d2347c6235b4"),
    ("WSFIX_SIGNING_KEY", "seeded-signing-key-591785b794601e212b260e25"),
    ("WSFIX_TICKET_KEY", "seeded-ticket-key-6f5902ac237024bdd0c176cb9"),
    ("API_KEY", "seeded-api-key-of-the-function-3e25960a79db"),
];
/// What stands in a URL or on a command line, where it should not.
const TOKEN: &str = "seeded-token-in-a-url-1c383cd30b7c298ab50293";
const TYPED: &str = "seeded-secret-on-the-command-line-03e2fb6be";

/// The account's caller has the seeded key.
fn cloud() -> Cloud {
    let text = include_str!("../../../templates/accounts/assumed-role.yaml");
    let text = text.replace("wsfix-local-session-secret", SEEDS[0].1).replace("wsfix-local-session-token", SEEDS[1].1);
    Cloud::start(Options { account: Account::parse(&text, "test").expect("an account"), ..Options::default() }).expect("a cloud")
}

fn tool(cloud: &Cloud) -> Tool {
    let mut tool = Tool::of(cloud);
    tool.set("AWS_ACCESS_KEY_ID", "ASIAWSFIXLOCALSES001");
    tool.set("RUST_BACKTRACE", "1");
    SEEDS.iter().for_each(|(name, value)| tool.set(name, value));
    tool.file(
        "wsfix.yaml",
        "existing_role: lambda_basic_execution\nbackend_url: https://backend.example\n\
         function: {handler: bootstrap, environment: {API_KEY: \"${API_KEY}\"}}\njwt: {token_from: [query, subprotocol, ticket]}\n",
    );
    tool
}

/// Counts, for each place, how many of the seeds are there.
#[derive(Default)]
struct Search(BTreeMap<&'static str, Vec<String>>);

impl Search {
    fn look(&mut self, place: &'static str, what: &str, text: &str) {
        let found = self.0.entry(place).or_default();
        for seed in SEEDS.iter().map(|(_, seed)| *seed).chain([TOKEN, TYPED]) {
            let encoded: String = url::form_urlencoded::byte_serialize(seed.as_bytes()).collect();
            let forms = [seed.to_owned(), encoded, STANDARD.encode(seed), URL_SAFE_NO_PAD.encode(seed), seed.replace('/', "\\/")];
            if forms.iter().any(|form| text.contains(form.as_str())) {
                found.push(format!("{what}: {seed}\n{text}"));
            }
        }
    }

    fn run(&mut self, place: &'static str, tool: &Tool, arguments: &[&str]) -> Option<i32> {
        let ended = tool.run(arguments);
        self.look(place, &arguments.join(" "), &ended.out);
        self.look(place, &arguments.join(" "), &ended.err);
        ended.code
    }
}

/// What each command is run with, besides nothing.
fn arguments(command: &str) -> Vec<Vec<String>> {
    let with = |rest: &[&str]| [&[command], rest].concat().into_iter().map(str::to_owned).collect::<Vec<String>>();
    let url = format!("ws://127.0.0.1:9/prod?sessionId=s&token={TOKEN}");
    match command {
        "plan" => vec![with(&["--calls", "--preflight", "-v"]), with(&["--jwt-secret", TYPED]), with(&["--memory", "512"])],
        "provision" => vec![with(&["-v"]), with(&[])],
        "roles" => ["markdown", "json", "cloudformation", "terraform"].map(|form| with(&["--request", "--format", form])).to_vec(),
        "doctor" => vec![with(&[&url]), with(&[&url, "--token", TYPED])],
        "dev" => vec![with(&["--once", "--handler", handler::zip()])],
        "completions" => vec![with(&["bash"])],
        "teardown" => vec![with(&[])],
        _ => vec![with(&[]), with(&["-v"])],
    }
}

/// The names that `--help` lists, `provision` first and `teardown` last.
fn commands(tool: &Tool) -> Vec<String> {
    let help = tool.run(&["--help"]).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| !line.starts_with("   "));
    let mut names: Vec<String> = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.len() >= 9, "{help}");
    names.sort_by_key(|name| (name != "provision", name == "teardown"));
    names
}

/// What is in the account, but for the function's environment.
fn account(cloud: &Cloud) -> String {
    let keys = wsfix::config::Keys {
        access_key_id: "AKIAWSFIXLOCALDEV001".to_owned(),
        secret_access_key: Secret::new("wsfix-local-secret"),
        session_token: None,
    };
    block_on(async {
        let aws = Aws::connect(cloud.endpoint(), cloud.region(), &keys).await;
        let apis = aws.api.get_apis().send().await.expect("apis");
        let api = apis.items()[0].api_id().expect("an id");
        let table = aws.dynamodb.describe_table().table_name("WebSocketConnections").send().await.expect("a table");
        let arn = table.table().and_then(|table| table.table_arn()).expect("an ARN");
        let mut function = aws.lambda.get_function_configuration().function_name("websocket-handler").send().await.expect("a function");
        function.environment = None;
        let mut text = format!("{apis:?}{table:?}{function:?}");
        text += &format!("{:?}", aws.api.get_stages().api_id(api).send().await.expect("stages"));
        text += &format!("{:?}", aws.api.get_integrations().api_id(api).send().await.expect("integrations"));
        text += &format!("{:?}", aws.api.get_routes().api_id(api).send().await.expect("routes"));
        text += &format!("{:?}", aws.dynamodb.get_resource_policy().resource_arn(arn).send().await.expect("a policy"));
        text += &format!("{:?}", aws.dynamodb.list_tags_of_resource().resource_arn(arn).send().await.expect("tags"));
        text += &format!("{:?}", aws.lambda.get_policy().function_name("websocket-handler").send().await.expect("a policy"));
        text += &format!("{:?}", aws.logs.describe_log_groups().send().await.expect("log groups"));
        text
    })
}

/// A config that has none of the secrets any more: only the account has them still.
fn no_longer_wanted(search: &mut Search, cloud: &Cloud) {
    let mut tool = tool(cloud);
    SEEDS.iter().skip(2).for_each(|(name, _)| tool.set(name, ""));
    tool.file(
        "wsfix.yaml",
        "existing_role: lambda_basic_execution\nbackend_url: https://backend.example\n\
         function: {handler: bootstrap}\njwt: {algorithm: RS256, jwks_url: \"https://issuer.example/jwks.json\"}\n",
    );
    for (command, form) in [("plan", "text"), ("plan", "json"), ("plan", "markdown"), ("status", "text"), ("status", "json")] {
        search.run("a plan that takes the secrets away", &tool, &[command, "--output", form]);
    }
    let plan = tool.run(&["plan"]);
    for (name, _) in SEEDS.iter().skip(2) {
        assert!(plan.out.contains(&format!("environment.{name}: (sensitive) -> ")), "{name}: {}\n{}", plan.out, plan.err);
    }
}

/// Errors in which AWS repeats what it was sent, and others.
fn failures(search: &mut Search) {
    let (cloud, place) = (cloud(), "errors of AWS, and of the network");
    let tool = tool(&cloud);
    let repeated = format!("exceeded the 4KB limit. String measured: {{\"JWT_SECRET\":\"{}\",\"API_KEY\":\"{}\"}}", SEEDS[2].1, SEEDS[5].1);
    let error = |status, code: &str, message: &str| Kind::Error { status, code: code.to_owned(), message: message.to_owned() };
    let faults = [
        ("CreateFunction", error(400, "InvalidParameterValueException", &repeated)),
        ("CreateFunction", Kind::Reset),
        ("CreateTable", error(400, "ValidationException", "no")),
        ("GetCallerIdentity", error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")),
        ("GetFunction", error(500, "ServiceException", "")),
        ("CreateStage", error(400, "ExpiredTokenException", "The security token included in the request is expired")),
    ];
    for (operation, kind) in faults {
        cloud.faults().clear();
        cloud.faults().plan(Fault { operation: operation.to_owned(), nth: 1, times: 1, moment: Moment::Before, kind });
        for form in ["text", "json"] {
            search.run(place, &tool, &["provision", "--output", form]);
        }
    }
}

/// The form of the output with which [`a_defect`] is to be run.
const DEFECT: &str = "WSFIX_TEST_DEFECT";

/// Not a test: what [`crashes`] starts. A panic whose words hold every secret, as the tool tells of it.
#[test]
#[ignore = "it is started by another test"]
fn a_defect() {
    let Some(form) = std::env::var_os(DEFECT) else { return };
    let line = ["wsfix".into(), "stacks".into(), "--output".into(), form];
    let args = <wsfix::cli::Args as clap::Parser>::try_parse_from(line).expect("a command line");
    wsfix::cli::explain_panics(&args.global);
    panic!("a defect: {SEEDS:?}");
}

/// A real panic in a process of its own, with the tool's way to tell of it.
fn crashes(search: &mut Search) {
    for (form, words) in [("text", "report this text"), ("json", "{\"event\":\"error\",\"message\":\"a defect of wsfix")] {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
        child.args(["--exact", "reliability::secrets::a_defect", "--ignored", "--nocapture"]);
        let ended = child.env(DEFECT, form).env("RUST_BACKTRACE", "full").output().expect("it runs");
        let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        search.look("a crash, with its backtrace", form, &out);
        search.look("a crash, with its backtrace", form, &err);
        assert_eq!(ended.status.code(), Some(101), "{out}\n{err}");
        assert!(err.contains(words) && err.contains("secrets.rs") && !err.contains("panicked at"), "{err}");
    }
}

pub(super) fn descendants(of: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let all: Vec<u32> =
        fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let mut found = vec![of];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(all.iter().copied().filter(|other| parent(*other) == Some(pid)));
        at += 1;
    }
    found
}

/// A running `dev`: its own command line, and those and the environments of all that it starts.
fn processes(search: &mut Search) {
    let tool = tool(&cloud());
    let mut child = tool.start(&["dev", "--port", "0", "--output", "json", "--handler", handler::zip()]);
    let mut errors = child.stderr.take().expect("standard error");
    let drained = std::thread::spawn(move || std::io::read_to_string(&mut errors));
    let mut out = std::io::BufReader::new(child.stdout.take().expect("standard output"));
    let mut document = String::new();
    while !document.ends_with("\n}\n") {
        assert_ne!(std::io::BufRead::read_line(&mut out, &mut document).expect("a line"), 0, "it ended: {document}");
    }
    search.look("what `dev` prints, but for the keys of its own cloud", "document", &document);
    let result: Value = serde_json::from_str::<Value>(&document).expect("a document")["result"].clone();
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    let target = Target::new(text("websocket_url"), Some(Secret::new(text("token")))).session(text("session_id"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let socket = runtime.block_on(Socket::connect(&target)).expect("a connection");
    let pids = descendants(child.id());
    assert!(pids.len() > 1, "the handler does not run");
    for pid in pids {
        let read = |what: &str| {
            fs::read(format!("/proc/{pid}/{what}")).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', "\n")).unwrap_or_default()
        };
        search.look("command lines in the process list", "cmdline", &read("cmdline"));
        if pid != child.id() {
            // What is in the function's own environment is there for the handler.
            let environ = read("environ");
            let rest: Vec<&str> = environ.lines().filter(|line| !line.starts_with("API_KEY=")).collect();
            search.look("environments of the processes that it starts", "environ", &rest.join("\n"));
        }
    }
    runtime.block_on(socket.close(Duration::from_secs(5))).expect("closed");
    signal(&child, "-INT");
    child.wait().expect("its end");
    search.look("what the handler logs, and the local cloud's events", "stderr", &drained.join().expect("a thread").expect("text"));
}

/// The real handler, called with a seeded token: its log group.
fn log_lines(search: &mut Search) {
    let cloud = cloud();
    let tool = tool(&cloud);
    tool.run(&["provision", "--handler", handler::zip()]).says(0, &[]);
    let url =
        tool.run(&["status", "--output", "json"]).document()["result"]["outputs"]["websocket_url"].as_str().expect("a URL").to_owned();
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() + 600;
    let claims = json!({ "sub": "ann", "exp": expires, "sessionId": "s", "note": TOKEN });
    let good = verify::mint(Algorithm::Hs256, &Secret::new(SEEDS[2].1), &claims);
    block_on(async {
        Socket::connect(&Target::new(url.as_str(), Some(Secret::new(TOKEN))).session("s")).await.map(drop).expect_err("refused");
        let socket = Socket::connect(&Target::new(url.as_str(), good).session("s")).await.expect("let in");
        socket.close(Duration::from_secs(5)).await.expect("closed");
    });
    let aws = block_on(Aws::connect(cloud.endpoint(), cloud.region(), &crate::support::keys()));
    let lines = block_on(aws.logs.filter_log_events().log_group_name("/aws/lambda/websocket-handler").send()).expect("lines");
    let lines: String = lines.events().iter().filter_map(|event| event.message()).collect();
    assert!(lines.contains("$connect"), "{lines}");
    search.look("the function's log group", "log", &lines);
    search.look("tables, APIs, stages, tags, policies and log groups of the stack", "account", &account(&cloud));
    search.look("the local cloud's record of calls", "calls", &format!("{:?}", cloud.calls().all()));
}

#[test]
fn no_secret_is_found_in_anything_that_is_said_made_or_started() {
    let mut search = Search::default();
    let cloud = cloud();
    let tool = tool(&cloud);
    for command in commands(&tool) {
        for line in arguments(&command) {
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            search.run("every command: text", &tool, &line);
            search.run("every command: JSON, events and errors", &tool, &[&line[..], &["--output", "json"]].concat());
        }
    }
    // A secret that is replaced is told as such.
    let mut changed = self::tool(&cloud);
    changed.set("JWT_SECRET", "another-jwt-secret-of-at-least-32-bytes");
    let plan = changed.run(&["plan", "--jwt-secret", "env:JWT_SECRET"]);
    search.look("every command: text", "plan", &plan.out);
    assert!(plan.out.contains("environment.JWT_SECRET: (sensitive) -> (sensitive, changed)"), "{}", plan.out);
    assert!(!plan.out.contains("environment.WSFIX_SIGNING_KEY"), "what did not change is not told: {}", plan.out);
    no_longer_wanted(&mut search, &cloud);
    tool.run(&["teardown", "--yes"]).says(0, &[]);

    tool.file("clear.yaml", &format!("jwt: {{secret: {TYPED}}}\nsigning_key: {}\n", SEEDS[3].1));
    search.run("errors of the config", &tool, &["plan", "--config", "clear.yaml"]);
    search.run("errors of the config", &tool, &["plan", "--jwt-secret", TYPED, "--output", "json"]);
    failures(&mut search);
    crashes(&mut search);
    processes(&mut search);
    log_lines(&mut search);
    let sandbox = Sandbox::new();
    let shown = format!("{:?}", sandbox.config);
    for secret in ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210", "wsfix-local-secret", "hello"] {
        assert!(!shown.contains(secret), "a panic would show {secret}: {shown}");
    }

    let mut table = "| searched | secrets found |\n|---|---|\n".to_owned();
    for (place, found) in &search.0 {
        assert!(found.is_empty(), "{place}: {found:#?}");
        table += &format!("| {place} | {} |\n", found.len());
    }
    docs::hold("reliability.md", "secrets", &table);
}
