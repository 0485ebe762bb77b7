//! The whole way from text to `Config`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::*;

mod fuzz;
mod refused;
mod secrets;
mod tokens;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "fedcba9876543210fedcba9876543210";

/// A directory with a file, an environment and flags of its own.
struct Bench {
    directory: tempfile::TempDir,
    environment: BTreeMap<String, OsString>,
    flags: Settings,
    purpose: Purpose,
    stdin: String,
    file: Option<PathBuf>,
}

impl Bench {
    /// With what `provision` cannot do without.
    fn new() -> Self {
        let mut bench = Self::bare();
        bench.set("JWT_SECRET", SECRET);
        bench.set("APP_RUNNER_URL", "https://backend.example");
        bench
    }

    fn bare() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            environment: BTreeMap::new(),
            flags: Settings::default(),
            purpose: Purpose::Provision,
            stdin: String::new(),
            file: None,
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.into());
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn load(&self) -> Result<Loaded, Errors> {
        load(Sources {
            purpose: self.purpose,
            file: self.file.clone(),
            directory: self.path().to_owned(),
            flags: self.flags.clone(),
            environment: &|name| self.environment.get(name).cloned(),
            stdin: &mut self.stdin.as_bytes(),
        })
    }

    fn config(&self) -> Config {
        self.load().unwrap_or_else(|errors| panic!("{errors}")).config
    }

    /// What a person reads.
    fn told(&self) -> String {
        self.load().map(|loaded| loaded.config).unwrap_err().to_string()
    }
}

fn with_file(text: &str) -> Bench {
    let mut bench = Bench::new();
    bench.write("wsfix.yaml", text);
    if text.contains("backend_url:") {
        // The environment would win.
        bench.environment.remove("APP_RUNNER_URL");
    }
    bench
}

#[test]
fn nothing_but_the_needed_gives_the_defaults() {
    let config = Bench::new().config();
    assert_eq!(
        format!("{config:?}"),
        "Config { connection: Connection { region: None, profile: None, endpoint_url: None, keys: None, pace: Pace { answer: 30s, \
         upload: 300s, pause: 1s }, gateway_rate: None }, stack: \"terminal\", existing_role: None, table: \"WebSocketConnections\", function: Function { name: \"websocket-handler\", architecture: X86_64, memory_mb: 256, \
         timeout_seconds: 28, handler: None, environment: {} }, api: Api { name: \"TerminalWebSocketAPI\", \
         route_selection_expression: \"$request.body.action\", routes: [], stage: \"prod\", connect_throttle: Throttle { rate: 50, \
         burst: 100 }, message_throttle: Throttle { rate: 500, burst: 1000 } }, log_retention_days: 14, access_logs: Auto, reply: Auto, backend_url: \
         Some(\"https://backend.example\"), backend_timeout_seconds: 20, jwt: Jwt { algorithm: Hs256, secret: Some(Value(****)), keys: None, \
         session_claim: None, issuer: None, audience: None, claims: {}, leeway_seconds: 30, max_age_seconds: None, single_use: false, \
         enforce_expiry: true, token_from: [Query, Subprotocol], ticket_key: None }, signing_key: None, allowed_origins: [], \
         require_origin: false, session_cache_seconds: 0, sequence: false, reconnect_notice: true, max_message_kb: 1024, tags: {} }"
    );
}

#[test]
fn the_example_file_is_valid_and_sets_everything() {
    let mut bench = Bench::new();
    bench.set("WSFIX_SIGNING_KEY", KEY);
    bench.write("wsfix.yaml", include_str!("../../../examples/wsfix.yaml"));
    let loaded = bench.load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.file.as_deref(), Some(Path::new("wsfix.yaml")));
    assert_eq!(loaded.notes, Vec::<String>::new());
    let config = loaded.config;
    assert_eq!(config.connection.region.as_deref(), Some("ap-south-1"));
    assert_eq!(config.existing_role.as_deref(), Some("lambda_basic_execution"));
    assert_eq!(config.api.routes, ["sendMessage"]);
    assert_eq!(config.signing_key.unwrap().expose(), KEY);
    let written = include_str!("../../../examples/wsfix.yaml");
    for key in keys::KEYS {
        let name = key.path.rsplit('.').next().unwrap();
        assert!(written.contains(&format!("{name}:")), "{} is not in the example", key.path);
    }
}

#[test]
fn every_setting_is_documented_with_its_names() {
    let text = include_str!("../../../docs/configuration.md");
    for key in keys::KEYS.iter().filter(|key| key.kind != keys::Kind::Group) {
        let line = text.lines().find(|line| line.starts_with(&format!("| `{}` |", key.path)));
        let line = line.unwrap_or_else(|| panic!("{} is not documented", key.path));
        for name in key.variables.iter().copied().chain(key.flag) {
            assert!(line.contains(&format!("`{name}")), "{name} is missing in: {line}");
        }
    }
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let mut bench = with_file("stack: from-file\napi: { routes: [a, b], stage: file }\nrequire_origin: true\n");
    assert_eq!(bench.config().stack, "from-file");
    bench.set("WSFIX_STACK", "from-environment");
    bench.set("WSFIX_API_ROUTES", "c, d");
    bench.set("WSFIX_REQUIRE_ORIGIN", "false");
    bench.set("WSFIX_API_STAGE", "");
    let config = bench.config();
    assert_eq!((config.stack.as_str(), config.api.stage.as_str()), ("from-environment", "file"));
    assert_eq!((config.api.routes, config.require_origin), (vec!["c".to_owned(), "d".to_owned()], false));
    bench.flags.stack = Some("from-flag".into());
    bench.flags.routes = Some(Vec::new());
    bench.flags.require_origin = Some(true);
    let config = bench.config();
    assert_eq!((config.stack.as_str(), config.api.routes.len(), config.require_origin), ("from-flag", 0, true));
}

#[test]
fn what_is_overridden_is_not_judged() {
    let mut bench = with_file("backend_url: ${NOT_SET}\nfunction: { memory_mb: 1 }\n");
    bench.flags.backend_url = Some("https://other.example/".into());
    bench.flags.memory_mb = Some("512".into());
    let config = bench.config();
    assert_eq!((config.backend_url.as_deref(), config.function.memory_mb), (Some("https://other.example"), 512));
}

#[test]
fn what_is_needed_is_asked_for() {
    let mut bench = Bench::bare();
    let told = bench.told();
    assert!(told.contains("the backend's URL is missing") && told.contains("the JWT secret is missing"), "{told}");
    bench.purpose = Purpose::Stack;
    let config = bench.config();
    assert!(config.backend_url.is_none() && config.jwt.secret.is_none());
    bench.write("wsfix.yaml", "backend_url: ${NOT_SET}\njwt: { secret: env:NOT_SET }\nsigning_key: \"-\"\n");
    let config = bench.config();
    assert!(config.backend_url.is_none() && config.jwt.secret.is_none() && config.signing_key.is_none());
}

#[test]
fn variables_are_expanded_as_text() {
    let mut bench = with_file(
        "stack: ${NAME}-${NAME}\nfunction: { memory_mb: \"${MEMORY}\", environment: { AA: \"x${YAML}\", BB: \"$${NAME}\" } }\n\
         require_origin: ${FLAG}\ntags: { team: \"${NAME}\" }\napi: { route_selection_expression: \"${request.body.action}\" }\n",
    );
    bench.set("NAME", "blue");
    bench.set("MEMORY", "512");
    bench.set("FLAG", "true");
    bench.set("YAML", "{a: b}\n- c: ${NAME}");
    let config = bench.config();
    assert_eq!((config.stack.as_str(), config.function.memory_mb, config.require_origin), ("blue-blue", 512, true));
    assert_eq!(config.function.environment["AA"].expose(), "x{a: b}\n- c: ${NAME}");
    assert_eq!(config.function.environment["BB"].expose(), "${NAME}");
    assert_eq!(config.tags["team"], "blue");
    assert_eq!(config.api.route_selection_expression, "${request.body.action}");
    refused::refused("stack: ${NOT_SET}\n", &["wsfix.yaml:1:8: `stack` needs the environment variable NOT_SET, which is not set"]);
    refused::refused("stack: ${a-b}\n", &["names no environment variable"]);
    refused::refused("stack: \"${a\"\n", &["has no `}`"]);
}

#[test]
fn notes_tell_what_stops_nothing() {
    let mut bench = with_file(
        "backend_url: http://localhost:3000\nfunction: { environment: { DB_PASSWORD: hunter2hunter2, API_TOKEN: \"${JWT_SECRET}\", \
         TOKEN_URL: https://x.example/y, COLOR: blueblueblue } }\n",
    );
    let notes = bench.load().unwrap().notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("function.environment.DB_PASSWORD") && !notes[0].contains("hunter2"), "{notes:?}");
    assert!(notes[1].contains("cannot reach it"), "{notes:?}");
    bench.set("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
    assert_eq!(bench.load().unwrap().notes.len(), 1);
}

#[test]
fn short_functions_have_short_backends() {
    for (timeout, backend) in [(28, 20), (22, 20), (21, 19), (10, 8), (3, 1), (2, 1)] {
        let config = with_file(&format!("function: {{ timeout_seconds: {timeout} }}\n")).config();
        assert_eq!(config.backend_timeout_seconds, backend, "{timeout}");
    }
}

#[test]
fn tags_of_flags_are_added() {
    let mut bench = with_file("tags: { team: blue, stage: a }\n");
    bench.flags.tags = vec!["stage=b".into(), "cost center=12=3".into()];
    let tags = bench.config().tags;
    assert_eq!(
        tags.into_iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>(),
        ["cost center:12=3", "stage:b", "team:blue"]
    );
    bench.flags.tags = vec!["nothing".into()];
    assert!(bench.told().contains("--tag: `nothing` is no tag"));
}
