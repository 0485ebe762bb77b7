//! The function's own environment variables, and whether everything fits.

use std::collections::BTreeMap;

use super::reader::{Found, Reader};
use super::{Config, Reply, SecretSource, TokenFrom};
use crate::contract::{env, reply};

/// All variables together, names, values and JSON (Lambda quotas).
const MAX_BYTES: usize = 4096;
/// What Lambda sets itself and refuses (Lambda guide, defined runtime environment variables).
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];
/// What the handler gets from wsfix, besides `WSFIX_*`.
const OURS: &[&str] = &[env::TABLE_NAME, env::APP_RUNNER_URL, env::JWT_SECRET, env::JWT_SECRET_REF, env::DOMAIN_NAME, env::STAGE];

/// Reads `function.environment`.
pub(super) fn read(reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value, outside) in reader.map("function.environment") {
        if let Err(why) = check(&name.value) {
            reader.wrong(&name.spot, format!("`function.environment` cannot set `{}`", name.value.escape_debug()), why);
        }
        if value.value.contains('\0') {
            reader.wrong(&value.spot, "an environment variable cannot hold a NUL character", "take it out");
        }
        if !outside && looks_secret(&name.value, &value.value) {
            reader.notes.push(format!(
                "function.environment.{name} looks like a secret in clear text; `{name}: ${{{name}}}` would take it from the environment",
                name = name.value.escape_debug()
            ));
        }
        variables.insert(name.value, value.value);
    }
    variables
}

fn check(name: &str) -> Result<(), &'static str> {
    if OURS.contains(&name) || name.starts_with("WSFIX_") {
        Err("wsfix sets it from its own settings; use another name")
    } else if RESERVED.contains(&name) || name.starts_with("AWS_LAMBDA_") {
        Err("Lambda sets it itself; use another name")
    } else if name.starts_with("AWS_ENDPOINT_URL") {
        Err("it would lead the handler away from AWS; remove it")
    } else if name.len() < 2
        || !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        Err("Lambda wants at least two letters, digits and `_`, a letter first")
    } else {
        Ok(())
    }
}

/// A guess for a warning. Names decide; short values and addresses of secrets are let be.
fn looks_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let telling = ["SECRET", "PASSWORD", "PASSWD", "TOKEN", "PRIVATE_KEY", "API_KEY", "APIKEY", "CREDENTIAL"];
    let address = ["arn:", "http://", "https://", "ssm:", "secretsmanager:", "/"];
    value.len() >= 8 && telling.iter().any(|part| name.contains(part)) && !address.iter().any(|lead| value.starts_with(lead))
}

/// Reports an environment that Lambda would refuse for its size.
pub(super) fn check_size(reader: &mut Reader<'_>, config: &Config) {
    let variables = all(config);
    let size = serde_json::to_string(&variables).map_or(usize::MAX, |json| json.len());
    if size <= MAX_BYTES {
        return;
    }
    let mut largest: Vec<(&str, usize)> = variables.iter().map(|(name, value)| (name.as_str(), name.len() + value.len())).collect();
    largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let named: Vec<String> = largest.iter().take(3).map(|(name, bytes)| format!("{name} ({bytes} bytes)")).collect();
    let what = format!("the function's environment has {size} bytes, Lambda allows {MAX_BYTES}; the largest: {}", named.join(", "));
    let spot = match reader.map("function.environment").into_iter().max_by_key(|(_, value, _)| value.value.len()) {
        Some((Found { spot, .. }, ..)) => spot,
        None => super::error::Spot::Nowhere,
    };
    reader.wrong(&spot, what, "keep large values elsewhere, such as in SSM, and pass their names");
}

/// The variables as the function will have them, as far as they can be known before there is an API.
fn all(config: &Config) -> BTreeMap<String, String> {
    let mut variables = config.function.environment.clone();
    let mut set = |name: &str, value: String| {
        variables.insert(name.to_owned(), value);
    };
    set(env::TABLE_NAME, config.table.clone());
    set(env::APP_RUNNER_URL, config.backend_url.clone().unwrap_or_default());
    match &config.jwt.secret {
        Some(SecretSource::Value(secret)) => set(env::JWT_SECRET, secret.expose().to_owned()),
        Some(SecretSource::Ssm(name)) => set(env::JWT_SECRET_REF, format!("ssm:{name}")),
        Some(SecretSource::SecretsManager(id)) => set(env::JWT_SECRET_REF, format!("secretsmanager:{id}")),
        None => {}
    }
    let region = config.connection.region.as_deref().unwrap_or("ap-southeast-2");
    set(env::DOMAIN_NAME, format!("0123456789.execute-api.{region}.amazonaws.com"));
    set(env::STAGE, config.api.stage.clone());
    set(env::REPLY, if config.reply == Reply::RouteResponse { reply::ROUTE_RESPONSE } else { reply::MANAGEMENT_API }.to_owned());
    if let Some(endpoint) = &config.connection.endpoint_url {
        set(env::MANAGEMENT_URL, format!("{endpoint}/_aws/execute-api/0123456789/{}", config.api.stage));
    }
    for (name, value) in [
        (env::SIGNING_KEY, config.signing_key.as_ref().map(|key| key.expose().to_owned())),
        (env::SESSION_CLAIM, config.jwt.session_claim.clone()),
        (env::ISSUER, config.jwt.issuer.clone()),
        (env::AUDIENCE, config.jwt.audience.clone()),
        (env::LEEWAY_SECONDS, (config.jwt.leeway_seconds > 0).then(|| config.jwt.leeway_seconds.to_string())),
        (env::ALLOWED_ORIGINS, (!config.allowed_origins.is_empty()).then(|| config.allowed_origins.join(","))),
        (env::REQUIRE_ORIGIN, config.require_origin.then(|| "true".to_owned())),
        (env::SESSION_CACHE_SECONDS, (config.session_cache_seconds > 0).then(|| config.session_cache_seconds.to_string())),
        (env::BACKEND_TIMEOUT_SECONDS, Some(config.backend_timeout_seconds.to_string())),
        (env::TOKEN_FROM, Some(config.jwt.token_from.iter().map(|from| word(*from)).collect::<Vec<_>>().join(","))),
    ] {
        if let Some(value) = value {
            set(name, value);
        }
    }
    variables
}

fn word(from: TokenFrom) -> &'static str {
    match from {
        TokenFrom::Query => "query",
        TokenFrom::Subprotocol => "subprotocol",
    }
}
