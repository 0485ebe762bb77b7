//! The function's own environment variables, and whether everything fits.

use std::collections::BTreeMap;

use super::reader::{Found, Reader};
use super::{Config, PublicKeys, Reply, SecretSource, TokenFrom};
use crate::contract::{default, env, reply};
use crate::secret::Secret;

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
/// Those of them that are secrets.
const SECRETS: &[&str] = &[env::JWT_SECRET, env::SIGNING_KEY, env::TICKET_KEY];

/// Reads `function.environment`.
pub(super) fn read(reader: &mut Reader<'_>) -> BTreeMap<String, Secret> {
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
        variables.insert(name.value, Secret::new(value.value));
    }
    variables
}

fn check(name: &str) -> Result<(), &'static str> {
    if is_ours(name) {
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

fn is_ours(name: &str) -> bool {
    OURS.contains(&name) || name.starts_with("WSFIX_")
}

/// Whether a plan may show what a variable of the function holds: a setting of wsfix's own that is no secret. Any other one may be a secret.
#[must_use]
pub fn may_be_shown(name: &str) -> bool {
    is_ours(name) && !SECRETS.contains(&name)
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

/// The function's variables, but for those that depend on the API and the reply mode. What equals the handler's own default is left out.
#[must_use]
pub fn of(config: &Config) -> BTreeMap<String, Secret> {
    let mut variables = config.function.environment.clone();
    let mut put = |name: &str, value: Secret| {
        variables.insert(name.to_owned(), value);
    };
    let from = config.jwt.token_from.iter().map(|from| word(*from)).collect::<Vec<_>>().join(",");
    let algorithm = config.jwt.algorithm.name();
    let (timeout, leeway) = (config.backend_timeout_seconds, config.jwt.leeway_seconds);
    let shown = [
        (env::TABLE_NAME, Some(config.table.clone())),
        (env::APP_RUNNER_URL, config.backend_url.clone()),
        (env::STAGE, Some(config.api.stage.clone())),
        (env::BACKEND_TIMEOUT_SECONDS, (timeout != default::BACKEND_TIMEOUT_SECONDS).then(|| timeout.to_string())),
        (env::LEEWAY_SECONDS, (leeway != default::LEEWAY_SECONDS).then(|| leeway.to_string())),
        (env::ENFORCE_EXPIRY, (!config.jwt.enforce_expiry).then(|| "false".to_owned())),
        (env::TOKEN_FROM, (from != default::TOKEN_FROM).then_some(from)),
        (env::SESSION_CLAIM, config.jwt.session_claim.clone()),
        (env::ISSUER, config.jwt.issuer.clone()),
        (env::AUDIENCE, config.jwt.audience.clone()),
        (env::JWT_ALGORITHM, (algorithm != default::JWT_ALGORITHM).then(|| algorithm.to_owned())),
        (env::CLAIMS, (!config.jwt.claims.is_empty()).then(|| serde_json::json!(config.jwt.claims).to_string())),
        (env::MAX_TOKEN_AGE_SECONDS, config.jwt.max_age_seconds.map(|seconds| seconds.to_string())),
        (env::SINGLE_USE, config.jwt.single_use.then(|| "true".to_owned())),
        (env::ALLOWED_ORIGINS, (!config.allowed_origins.is_empty()).then(|| config.allowed_origins.join(","))),
        (env::REQUIRE_ORIGIN, config.require_origin.then(|| "true".to_owned())),
        (env::SESSION_CACHE_SECONDS, (config.session_cache_seconds > 0).then(|| config.session_cache_seconds.to_string())),
        (env::SEQUENCE, config.sequence.then(|| "on".to_owned())),
        (env::RECONNECT_NOTICE, (!config.reconnect_notice).then(|| "off".to_owned())),
        (env::MAX_MESSAGE_KB, (config.max_message_kb != default::MAX_MESSAGE_KB).then(|| config.max_message_kb.to_string())),
    ];
    for (name, value) in shown {
        if let Some(value) = value {
            put(name, Secret::new(value));
        }
    }
    let secrets =
        [(&config.jwt.secret, env::JWT_SECRET, env::JWT_SECRET_REF), (&config.jwt.ticket_key, env::TICKET_KEY, env::TICKET_KEY_REF)];
    for (secret, name, reference) in secrets {
        match secret {
            Some(SecretSource::Value(secret)) => put(name, secret.clone()),
            Some(SecretSource::Ssm(parameter)) => put(reference, Secret::new(format!("ssm:{parameter}"))),
            Some(SecretSource::SecretsManager { id, member }) => {
                let member = member.as_ref().map(|member| format!("#{member}")).unwrap_or_default();
                put(reference, Secret::new(format!("secretsmanager:{id}{member}")));
            }
            None => {}
        }
    }
    match &config.jwt.keys {
        Some(PublicKeys::Given(keys)) => put(env::JWKS, Secret::new(keys)),
        Some(PublicKeys::Issuer { url, pin: false }) => put(env::JWKS_URL, Secret::new(url)),
        // What is pinned is not known before the issuer is asked.
        Some(PublicKeys::Issuer { pin: true, .. }) | None => {}
    }
    if let Some(key) = &config.signing_key {
        put(env::SIGNING_KEY, key.clone());
    }
    variables
}

/// Names and values as Lambda will count them, with the longest values of those that only the account knows.
fn all(config: &Config) -> BTreeMap<String, String> {
    let known = of(config).into_iter().map(|(name, variable)| (name, variable.expose().to_owned()));
    let region = config.connection.region.as_deref().unwrap_or("ap-southeast-2");
    let reply = if config.reply == Reply::RouteResponse { reply::ROUTE_RESPONSE } else { reply::MANAGEMENT_API };
    let mut variables: BTreeMap<String, String> = known.collect();
    variables.insert(env::DOMAIN_NAME.to_owned(), format!("0123456789.execute-api.{region}.amazonaws.com"));
    variables.insert(env::REPLY.to_owned(), reply.to_owned());
    if let Some(endpoint) = &config.connection.endpoint_url {
        let url = format!("{endpoint}/_aws/execute-api/0123456789/{}", config.api.stage);
        variables.insert(env::MANAGEMENT_URL.to_owned(), url);
    }
    variables
}

fn word(from: TokenFrom) -> &'static str {
    match from {
        TokenFrom::Query => "query",
        TokenFrom::Subprotocol => "subprotocol",
        TokenFrom::Ticket => "ticket",
    }
}
