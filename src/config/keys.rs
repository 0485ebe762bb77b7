//! Every setting: its place in the file, its environment variables, its flag.

/// What the value of a setting is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A mapping of further settings.
    Group,
    /// One value.
    Scalar,
    /// A list of texts; in the environment they are separated by commas.
    List,
    /// A mapping with keys of the person's own.
    Map,
    /// Where a key is, secret or public, never the key itself.
    Secret,
}

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// Place in the file, such as `function.memory_mb`.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// Environment variables, the strongest first. For a [`Kind::Secret`]: the variable that holds the secret
    /// where nothing else is named.
    pub(super) variables: &'static [&'static str],
    pub(super) flag: Option<&'static str>,
}

const fn key(path: &'static str, kind: Kind, variables: &'static [&'static str], flag: Option<&'static str>) -> Key {
    Key { path, kind, variables, flag }
}

/// All settings, in the order of the documentation.
pub(super) static KEYS: &[Key] = &[
    key("stack", Kind::Scalar, &["WSFIX_STACK"], Some("--stack")),
    key("region", Kind::Scalar, &["AWS_REGION", "AWS_DEFAULT_REGION"], Some("--region")),
    key("profile", Kind::Scalar, &["AWS_PROFILE"], Some("--profile")),
    key("endpoint_url", Kind::Scalar, &["AWS_ENDPOINT_URL"], Some("--endpoint-url")),
    key("existing_role", Kind::Scalar, &["WSFIX_EXISTING_ROLE"], Some("--existing-role")),
    key("backend_url", Kind::Scalar, &["WSFIX_BACKEND_URL", "APP_RUNNER_URL"], Some("--backend-url")),
    key("backend_timeout_seconds", Kind::Scalar, &["WSFIX_BACKEND_TIMEOUT_SECONDS"], Some("--backend-timeout")),
    key("table", Kind::Scalar, &["WSFIX_TABLE"], Some("--table")),
    key("log_retention_days", Kind::Scalar, &["WSFIX_LOG_RETENTION_DAYS"], Some("--log-retention")),
    key("access_logs", Kind::Scalar, &["WSFIX_ACCESS_LOGS"], Some("--access-logs")),
    key("reply", Kind::Scalar, &["WSFIX_REPLY"], Some("--reply")),
    key("function", Kind::Group, &[], None),
    key("function.name", Kind::Scalar, &["WSFIX_FUNCTION_NAME"], Some("--function-name")),
    key("function.architecture", Kind::Scalar, &["WSFIX_FUNCTION_ARCHITECTURE"], Some("--architecture")),
    key("function.memory_mb", Kind::Scalar, &["WSFIX_FUNCTION_MEMORY_MB"], Some("--memory")),
    key("function.timeout_seconds", Kind::Scalar, &["WSFIX_FUNCTION_TIMEOUT_SECONDS"], Some("--timeout")),
    key("function.handler", Kind::Scalar, &["WSFIX_FUNCTION_HANDLER"], Some("--handler")),
    key("function.environment", Kind::Map, &[], None),
    key("api", Kind::Group, &[], None),
    key("api.name", Kind::Scalar, &["WSFIX_API_NAME"], Some("--api-name")),
    key("api.route_selection_expression", Kind::Scalar, &["WSFIX_API_ROUTE_SELECTION_EXPRESSION"], Some("--route-selection-expression")),
    key("api.routes", Kind::List, &["WSFIX_API_ROUTES"], Some("--route")),
    key("api.stage", Kind::Scalar, &["WSFIX_API_STAGE"], Some("--stage")),
    key("api.throttle", Kind::Group, &[], None),
    key("api.throttle.connect", Kind::Group, &[], None),
    key("api.throttle.connect.rate", Kind::Scalar, &["WSFIX_API_THROTTLE_CONNECT_RATE"], None),
    key("api.throttle.connect.burst", Kind::Scalar, &["WSFIX_API_THROTTLE_CONNECT_BURST"], None),
    key("api.throttle.message", Kind::Group, &[], None),
    key("api.throttle.message.rate", Kind::Scalar, &["WSFIX_API_THROTTLE_MESSAGE_RATE"], None),
    key("api.throttle.message.burst", Kind::Scalar, &["WSFIX_API_THROTTLE_MESSAGE_BURST"], None),
    key("jwt", Kind::Group, &[], None),
    key("jwt.algorithm", Kind::Scalar, &["WSFIX_JWT_ALGORITHM"], Some("--jwt-algorithm")),
    key("jwt.secret", Kind::Secret, &["JWT_SECRET"], Some("--jwt-secret")),
    key("jwt.public_key", Kind::Secret, &["WSFIX_JWT_PUBLIC_KEY"], Some("--jwt-public-key")),
    key("jwt.jwks", Kind::Secret, &["WSFIX_JWT_JWKS"], Some("--jwks")),
    key("jwt.jwks_url", Kind::Scalar, &["WSFIX_JWT_JWKS_URL"], Some("--jwks-url")),
    key("jwt.jwks_pin", Kind::Scalar, &["WSFIX_JWT_JWKS_PIN"], Some("--jwks-pin")),
    key("jwt.session_claim", Kind::Scalar, &["WSFIX_JWT_SESSION_CLAIM"], Some("--session-claim")),
    key("jwt.issuer", Kind::Scalar, &["WSFIX_JWT_ISSUER"], Some("--issuer")),
    key("jwt.audience", Kind::Scalar, &["WSFIX_JWT_AUDIENCE"], Some("--audience")),
    key("jwt.claims", Kind::Map, &[], None),
    key("jwt.leeway_seconds", Kind::Scalar, &["WSFIX_JWT_LEEWAY_SECONDS"], Some("--leeway")),
    key("jwt.max_age_seconds", Kind::Scalar, &["WSFIX_JWT_MAX_AGE_SECONDS"], Some("--max-token-age")),
    key("jwt.single_use", Kind::Scalar, &["WSFIX_JWT_SINGLE_USE"], Some("--single-use")),
    key("jwt.enforce_expiry", Kind::Scalar, &["WSFIX_JWT_ENFORCE_EXPIRY"], None),
    key("jwt.token_from", Kind::List, &["WSFIX_JWT_TOKEN_FROM"], Some("--token-from")),
    key("jwt.ticket_key", Kind::Secret, &["WSFIX_TICKET_KEY"], Some("--ticket-key")),
    key("signing_key", Kind::Secret, &["WSFIX_SIGNING_KEY"], Some("--signing-key")),
    key("allowed_origins", Kind::List, &["WSFIX_ALLOWED_ORIGINS"], Some("--allowed-origin")),
    key("require_origin", Kind::Scalar, &["WSFIX_REQUIRE_ORIGIN"], Some("--require-origin")),
    key("session_cache_seconds", Kind::Scalar, &["WSFIX_SESSION_CACHE_SECONDS"], Some("--session-cache")),
    key("sequence", Kind::Scalar, &["WSFIX_SEQUENCE"], None),
    key("reconnect_notice", Kind::Scalar, &["WSFIX_RECONNECT_NOTICE"], None),
    key("max_message_kb", Kind::Scalar, &["WSFIX_MAX_MESSAGE_KB"], None),
    key("tags", Kind::Map, &[], Some("--tag")),
];

/// The setting at `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// What a person who wrote `name` inside `group` (empty: at the top) may have meant.
pub(super) fn meant(group: &str, name: &str) -> Option<&'static str> {
    let written = plain(name);
    let here = |key: &&Key| key.path.rsplit_once('.').map_or("", |(parent, _)| parent) == group;
    let last = |key: &Key| plain(key.path.rsplit('.').next().unwrap_or(key.path));
    let elsewhere = || KEYS.iter().find(|key| last(key) == written || plain(key.path) == written);
    let nearest = KEYS.iter().filter(here).map(|key| (distance(&last(key), &written), key)).min_by_key(|(far, _)| *far);
    match nearest {
        Some((0, key)) => Some(key.path),
        Some((far, key)) => elsewhere().or((far * 3 <= written.chars().count().max(3)).then_some(key)).map(|key| key.path),
        None => elsewhere().map(|key| key.path),
    }
}

/// The word among `words` that is nearest to `written`, where one is near.
pub(super) fn nearest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let written = plain(written);
    let (far, word) = words.iter().map(|word| (distance(&plain(word), &written), *word)).min_by_key(|(far, _)| *far)?;
    (far * 3 <= written.chars().count().max(3)).then_some(word)
}

/// Letters and digits alone, in lower case: `memoryMb`, `memory-mb` and `memory_mb` are the same slip.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect()
}

/// Levenshtein's distance.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = if x == *y { diagonal } else { 1 + diagonal.min(left).min(*cell) };
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, far) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("stage", "stagee", 1), ("abc", "abc", 0)] {
            assert_eq!(distance(a, b), far, "{a} {b}");
            assert_eq!(distance(b, a), far, "{b} {a}");
        }
    }

    #[test]
    fn slips_are_understood() {
        for (group, name, path) in [
            ("", "stak", "stack"),
            ("", "Table", "table"),
            ("function", "memoryMb", "function.memory_mb"),
            ("", "memory_mb", "function.memory_mb"),
            ("", "stage", "api.stage"),
            ("api", "route", "api.routes"),
            ("", "allowed-origins", "allowed_origins"),
            ("", "jwt_secret", "jwt.secret"),
        ] {
            assert_eq!(meant(group, name), Some(path), "{group} {name}");
        }
        assert_eq!(meant("", "zzzzzzzz"), None);
        assert_eq!(meant("stack", "anything"), None);
    }

    #[test]
    fn no_two_settings_share_a_name() {
        let mut seen = std::collections::BTreeSet::new();
        for key in KEYS {
            for name in key.variables.iter().copied().chain(key.flag).chain([key.path]) {
                assert!(seen.insert(name), "{name}");
            }
            if let Some((parent, _)) = key.path.rsplit_once('.') {
                assert_eq!(find(parent).map(|key| key.kind), Some(Kind::Group), "{}", key.path);
            }
        }
    }
}
