//! Layers in, a valid config out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{Errors, Spot};
use super::file::{self, File};
use super::reader::{Found, Given, Reader, shown};
use super::secrets::{self, Fetch};
use super::sources::{DEFAULT_FILE, Purpose, Settings, Sources};
use super::{AccessLogs, Api, Architecture, Config, Connection, Function, Pace, Reply, Throttle};
use super::{jwt, names, tags, urls, variables};
use crate::contract::default;

/// What CloudWatch Logs accepts (`PutRetentionPolicy`).
const RETENTION_DAYS: [i64; 22] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A config, and what a person should know about it that stops nothing.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Complete and checked.
    pub config: Config,
    /// One sentence each, without secrets.
    pub notes: Vec<String>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Makes one config from all layers.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(sources: Sources<'_>) -> Result<Loaded, Errors> {
    let Sources { purpose, file, directory, flags, environment, stdin } = sources;
    let mut notes = Vec::new();
    let (path, name) = match file {
        Some(name) => (Some(directory.join(&name)), name),
        None => {
            let path = directory.join(DEFAULT_FILE);
            let slip = "wsfix.yml";
            let there = path.symlink_metadata().is_ok();
            if !there && directory.join(slip).exists() {
                notes.push(format!("{slip} is not read: the file is called {DEFAULT_FILE}"));
            }
            (there.then_some(path), PathBuf::from(DEFAULT_FILE))
        }
    };
    let read = path.as_ref().map(|path| file::read(path, &name)).unwrap_or_default();
    let File { settings, source, wrong } = read;
    let lookup = |name: &str| environment(name).map(|value| value.into_string().map_err(|_| ()));
    let mut reader = Reader { purpose, file: settings, flags: given(flags), environment: &lookup, source, wrong, notes };
    let file_directory = path.as_deref().and_then(Path::parent).unwrap_or(&directory).to_owned();
    let mut fetch = Fetch { directory: &directory, file_directory: &file_directory, stdin, stdin_taken: None };
    let config = config(&mut reader, &mut fetch);
    variables::check_size(&mut reader, &config);
    if reader.wrong.is_empty() {
        let file = path.map(|_| name);
        Ok(Loaded { config, notes: reader.notes, file })
    } else {
        Err(reader.source.errors(reader.wrong))
    }
}

/// The flags by the paths of their settings.
fn given(flags: Settings) -> BTreeMap<&'static str, Given> {
    let Settings {
        stack,
        region,
        profile,
        endpoint_url,
        existing_role,
        backend_url,
        backend_timeout_seconds,
        table,
        log_retention_days,
        access_logs,
        reply,
        function_name,
        architecture,
        memory_mb,
        timeout_seconds,
        handler,
        api_name,
        route_selection_expression,
        routes,
        stage,
        jwt_secret,
        jwt_algorithm,
        jwt_public_key,
        jwks,
        jwks_url,
        jwks_pin,
        session_claim,
        issuer,
        audience,
        leeway_seconds,
        max_age_seconds,
        single_use,
        ticket_key,
        token_from,
        signing_key,
        allowed_origins,
        require_origin,
        session_cache_seconds,
        tags,
    } = flags;
    let texts = [
        ("stack", stack),
        ("region", region),
        ("profile", profile),
        ("endpoint_url", endpoint_url),
        ("existing_role", existing_role),
        ("backend_url", backend_url),
        ("backend_timeout_seconds", backend_timeout_seconds),
        ("table", table),
        ("log_retention_days", log_retention_days),
        ("access_logs", access_logs),
        ("reply", reply),
        ("function.name", function_name),
        ("function.architecture", architecture),
        ("function.memory_mb", memory_mb),
        ("function.timeout_seconds", timeout_seconds),
        ("function.handler", handler.map(|path| path.to_string_lossy().into_owned())),
        ("api.name", api_name),
        ("api.route_selection_expression", route_selection_expression),
        ("api.stage", stage),
        ("jwt.secret", jwt_secret),
        ("jwt.algorithm", jwt_algorithm),
        ("jwt.public_key", jwt_public_key),
        ("jwt.jwks", jwks),
        ("jwt.jwks_url", jwks_url),
        ("jwt.jwks_pin", jwks_pin.map(|pin| pin.to_string())),
        ("jwt.session_claim", session_claim),
        ("jwt.issuer", issuer),
        ("jwt.audience", audience),
        ("jwt.leeway_seconds", leeway_seconds),
        ("jwt.max_age_seconds", max_age_seconds),
        ("jwt.single_use", single_use.map(|once| once.to_string())),
        ("jwt.ticket_key", ticket_key),
        ("signing_key", signing_key),
        ("require_origin", require_origin.map(|required| required.to_string())),
        ("session_cache_seconds", session_cache_seconds),
    ];
    let lists = [
        ("api.routes", routes),
        ("jwt.token_from", token_from),
        ("allowed_origins", allowed_origins),
        ("tags", (!tags.is_empty()).then_some(tags)),
    ];
    let texts = texts.into_iter().filter_map(|(path, text)| Some((path, Given::Text(text?))));
    texts.chain(lists.into_iter().filter_map(|(path, list)| Some((path, Given::List(list?))))).collect()
}

fn config(reader: &mut Reader<'_>, fetch: &mut Fetch<'_>) -> Config {
    let connection = connection(reader);
    let stack = name(reader, "stack", names::STACK, names::stack);
    let existing_role = existing_role(reader);
    let table = name(reader, "table", &names::of_stack("WebSocketConnections", &stack, 255), names::table);
    let function = function(reader, fetch, &stack);
    let api = api(reader, &stack);
    let log_retention_days = retention(reader);
    let access_logs = reader.choice(
        "access_logs",
        &[("auto", AccessLogs::Auto), ("on", AccessLogs::On), ("off", AccessLogs::Off)],
        &[("true", "on"), ("yes", "on"), ("false", "off"), ("no", "off"), ("none", "off")],
    );
    let reply = reader.choice(
        "reply",
        &[("auto", Reply::Auto), ("management-api", Reply::ManagementApi), ("route-response", Reply::RouteResponse)],
        &[("management_api", "management-api"), ("route_response", "route-response"), ("@connections", "management-api")],
    );
    let backend_url = backend_url(reader, connection.endpoint_url.is_some());
    let backend_timeout_seconds = backend_timeout(reader, function.timeout_seconds);
    let jwt = jwt::read(reader, fetch);
    let signing_key = secrets::signing_key(reader, fetch, &jwt);
    let allowed_origins = origins(reader);
    let require_origin = reader.boolean("require_origin").unwrap_or(false);
    let session_cache_seconds = reader.integer("session_cache_seconds", 0..=900, "").map_or(0, |found| whole(found.value));
    let sequence = reader.switch("sequence").unwrap_or(false);
    let reconnect_notice = reader.switch("reconnect_notice").unwrap_or(true);
    let largest = reader.integer("max_message_kb", 128..=4096, " (KB)");
    let max_message_kb = largest.map_or(default::MAX_MESSAGE_KB, |found| whole(found.value));
    let tags = tags::read(reader);
    Config {
        connection,
        stack,
        existing_role,
        table,
        function,
        api,
        log_retention_days,
        access_logs: access_logs.unwrap_or(AccessLogs::Auto),
        reply: reply.unwrap_or(Reply::Auto),
        backend_url,
        backend_timeout_seconds,
        jwt,
        signing_key,
        allowed_origins,
        require_origin,
        session_cache_seconds,
        sequence,
        reconnect_notice,
        max_message_kb,
        tags,
    }
}

/// A number that was checked to be small and not negative.
pub(super) fn whole<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

fn name(reader: &mut Reader<'_>, path: &str, default: &str, check: fn(&str) -> Result<(), &'static str>) -> String {
    let Some(found) = reader.any_text(path) else { return default.to_owned() };
    if let Err(why) = check(&found.value) {
        reader.wrong(&found.spot, format!("`{path}` cannot be {}", shown(&found.value)), why);
    }
    found.value
}

fn connection(reader: &mut Reader<'_>) -> Connection {
    let region = reader.text("region");
    if let Some(found) = &region
        && let Err(why) = names::region(&found.value)
    {
        reader.wrong(&found.spot, format!("`region` cannot be {}", shown(&found.value)), why);
    }
    let profile = reader.text("profile");
    if let Some(found) = &profile
        && found.value.chars().any(char::is_control)
    {
        reader.wrong(&found.spot, "`profile` has a line break in it", "write the name of a profile of your AWS configuration");
    }
    let endpoint_url = url(reader, "endpoint_url", urls::endpoint).map(|found| found.value);
    empty_endpoints(reader, endpoint_url.is_some());
    // The SDK reads AWS_PROFILE by itself, and weighs it as every AWS tool does; a profile that a flag or the file names is meant.
    let profile = profile.filter(|found| !matches!(found.spot, Spot::Variable(_))).map(|found| found.value);
    Connection { region: region.map(|found| found.value), profile, endpoint_url, keys: None, pace: Pace::default(), gateway_rate: None }
}

/// The SDK reads these by itself, and panics where one is set to nothing.
fn empty_endpoints(reader: &mut Reader<'_>, endpoint_is_known: bool) {
    const NAMES: [&str; 7] = [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_IAM",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_LAMBDA",
        "AWS_ENDPOINT_URL_APIGATEWAYV2",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    ];
    let empty = |name: &&str| (reader.environment)(name) == Some(Ok(String::new()));
    let found: Vec<&'static str> = NAMES.into_iter().filter(empty).collect();
    for name in found.into_iter().filter(|name| !endpoint_is_known || *name != "AWS_ENDPOINT_URL") {
        reader.wrong(&Spot::Variable(name), format!("{name} is empty"), format!("unset {name}, or give it a URL"));
    }
}

pub(super) fn url(reader: &mut Reader<'_>, path: &str, check: fn(&str) -> Result<String, (&'static str, String)>) -> Option<Found<String>> {
    let found = reader.text(path)?;
    match check(&found.value) {
        Ok(value) => Some(Found { value, spot: found.spot }),
        Err((what, remedy)) => {
            reader.wrong(&found.spot, format!("`{path}` {what}"), remedy);
            None
        }
    }
}

fn existing_role(reader: &mut Reader<'_>) -> Option<String> {
    let found = reader.any_text("existing_role").filter(|found| !found.value.is_empty())?;
    if let Err(why) = names::role(&found.value) {
        reader.wrong(&found.spot, format!("`existing_role` cannot be {}", shown(&found.value)), why);
    }
    Some(found.value)
}

fn function(reader: &mut Reader<'_>, fetch: &Fetch<'_>, stack: &str) -> Function {
    let name = name(reader, "function.name", &names::of_stack("websocket-handler", stack, 64), names::function);
    let architecture = reader.choice(
        "function.architecture",
        &[("x86_64", Architecture::X86_64), ("arm64", Architecture::Arm64)],
        &[("amd64", "x86_64"), ("x64", "x86_64"), ("x86-64", "x86_64"), ("aarch64", "arm64"), ("graviton", "arm64")],
    );
    let memory = reader.integer("function.memory_mb", 128..=10240, " (MB)");
    let timeout = reader.integer(
        "function.timeout_seconds",
        2..=28,
        ": API Gateway gives up after 29 seconds, and the backend needs at least one of them",
    );
    let handler = reader.text("function.handler").map(|found| match found.spot {
        Spot::Line(_) => fetch.file_directory.join(found.value),
        Spot::Flag(_) | Spot::Variable(_) | Spot::File | Spot::Nowhere => fetch.directory.join(found.value),
    });
    Function {
        name,
        architecture: architecture.unwrap_or(Architecture::X86_64),
        memory_mb: memory.map_or(256, |found| whole(found.value)),
        timeout_seconds: timeout.map_or(28, |found| whole(found.value)),
        handler,
        environment: variables::read(reader),
    }
}

fn api(reader: &mut Reader<'_>, stack: &str) -> Api {
    let expression = reader.any_text("api.route_selection_expression");
    if let Some(found) = &expression
        && let Err(why) = names::route_selection_expression(&found.value)
    {
        reader.wrong(&found.spot, format!("`api.route_selection_expression` cannot be {}", shown(&found.value)), why);
    }
    let mut routes: Vec<String> = Vec::new();
    for found in reader.list("api.routes").unwrap_or_default() {
        if let Err(why) = names::route(&found.value) {
            reader.wrong(&found.spot, format!("a route key cannot be {}", shown(&found.value)), why);
        } else if routes.contains(&found.value) {
            reader.wrong(&found.spot, format!("the route {} is there twice", shown(&found.value)), "keep one of them");
        } else {
            routes.push(found.value);
        }
    }
    // 300 routes an API (API Gateway quotas), three of which are always there.
    if routes.len() > 297 {
        reader.wrong(&Spot::Nowhere, format!("{} routes are too many", routes.len()), "API Gateway allows 300, with the three of its own");
    }
    routes.sort();
    Api {
        name: name(reader, "api.name", &names::of_stack("TerminalWebSocketAPI", stack, 128), names::api),
        route_selection_expression: expression.map_or_else(|| "$request.body.action".to_owned(), |found| found.value),
        routes,
        stage: name(reader, "api.stage", "prod", names::stage),
        connect_throttle: throttle(reader, ["api.throttle.connect.rate", "api.throttle.connect.burst"], [50, 100]),
        message_throttle: throttle(reader, ["api.throttle.message.rate", "api.throttle.message.burst"], [500, 1000]),
    }
}

fn throttle(reader: &mut Reader<'_>, [rate, burst]: [&str; 2], [steady, most]: [u32; 2]) -> Throttle {
    let mut limit = |path: &str, default: u32| {
        let why = "; 0 would refuse everybody";
        reader.integer(path, 1..=i64::from(i32::MAX), why).map_or(default, |found| whole(found.value))
    };
    Throttle { rate: limit(rate, steady), burst: limit(burst, most) }
}

fn retention(reader: &mut Reader<'_>) -> i32 {
    let Some(found) = reader.integer("log_retention_days", 1..=3653, "") else { return 14 };
    if !RETENTION_DAYS.contains(&found.value) {
        let next = RETENTION_DAYS.iter().find(|days| **days > found.value).unwrap_or(&3653);
        let all: Vec<String> = RETENTION_DAYS.iter().map(i64::to_string).collect();
        let what = format!("CloudWatch Logs cannot keep logs for {} days", found.value);
        reader.wrong(&found.spot, what, format!("write {next}; it can be {}", all.join(", ")));
    }
    whole(found.value)
}

fn backend_url(reader: &mut Reader<'_>, elsewhere: bool) -> Option<String> {
    let before = reader.wrong.len();
    let found = url(reader, "backend_url", urls::backend);
    if found.is_none() && reader.purpose == Purpose::Provision && reader.wrong.len() == before {
        let remedy = "give `--backend-url URL`, set APP_RUNNER_URL, or write `backend_url: https://...` into wsfix.yaml";
        reader.wrong(&Spot::Nowhere, "the backend's URL is missing", remedy);
    }
    let found = found?;
    if !elsewhere && url::Url::parse(&found.value).is_ok_and(|url| urls::is_loopback(&url)) {
        reader.notes.push(format!("backend_url {} is this machine; a function in AWS cannot reach it", found.value));
    }
    Some(found.value)
}

/// The handler needs a moment after the backend's time is up, to tell the client.
fn backend_timeout(reader: &mut Reader<'_>, function_seconds: i32) -> u32 {
    let limit = i64::from(function_seconds);
    let Some(found) = reader.integer("backend_timeout_seconds", 1..=i64::from(i32::MAX), ", and below `function.timeout_seconds`") else {
        return whole((limit - 2).clamp(1, 20));
    };
    if found.value >= limit {
        let what = format!("`backend_timeout_seconds` is {}, the function itself ends after {limit}", found.value);
        reader.wrong(&found.spot, what, format!("write at most {}, or raise `function.timeout_seconds` (at most 28)", limit - 1));
    }
    whole(found.value)
}

fn origins(reader: &mut Reader<'_>) -> Vec<String> {
    let mut origins: Vec<String> = Vec::new();
    for found in reader.list("allowed_origins").unwrap_or_default() {
        match urls::origin(&found.value) {
            Ok(()) if origins.contains(&found.value) => {}
            Ok(()) => origins.push(found.value),
            Err((what, remedy)) => reader.wrong(&found.spot, format!("an item of `allowed_origins` {what}"), remedy),
        }
    }
    origins
}
