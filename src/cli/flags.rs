//! The flags that commands share. Each command's own are beside the command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::Settings;

use super::error::Error;

/// Flags of every command.
#[derive(Args)]
pub struct Global {
    /// The config file [default: wsfix.yaml, where there is one]
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(crate) config: Option<PathBuf>,

    /// How results and progress are written
    #[arg(long, global = true, value_enum, default_value_t = Output::Text, hide_possible_values = true, value_name = "text|json|markdown", help_heading = HEADING)]
    pub(crate) output: Output,

    /// No colours; the variable NO_COLOR does the same
    #[arg(long, global = true, env = "NO_COLOR", hide_env = true, value_parser = present, num_args = 0, default_value = "", default_missing_value = "x", help_heading = HEADING)]
    pub(crate) no_color: bool,

    /// The profile of the AWS configuration files
    #[arg(long, global = true, value_name = "NAME", help_heading = HEADING, hide_short_help = true)]
    pub(crate) profile: Option<String>,

    /// The AWS Region
    #[arg(long, global = true, value_name = "REGION", help_heading = HEADING)]
    pub(crate) region: Option<String>,

    /// Another endpoint for every AWS service: a local cloud
    #[arg(long, global = true, value_name = "URL", help_heading = HEADING, hide_short_help = true)]
    pub(crate) endpoint_url: Option<String>,

    /// Says more: what was read, each state that was waited for
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = HEADING)]
    pub(crate) verbose: u8,
}

const HEADING: &str = "Options of every command";

/// `NO_COLOR` counts when it is not empty, whatever it says.
fn present(text: &str) -> Result<bool, std::convert::Infallible> {
    Ok(!text.is_empty())
}

/// How many times faster a clock runs.
pub(crate) fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.001..=100_000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.001 to 100000 is needed, such as 60".to_owned()),
    }
}

/// A time that is not zero.
pub(crate) fn above_zero(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err("a time above zero is needed, such as 10s".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The certificates of `--ca-file`.
pub(crate) fn certificates(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file)
        .map_err(|error| Error::usage(format!("--ca-file {}: {error}", file.display()), "name a file with certificates in PEM"))
}

/// How results and progress are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One document on standard output, events on standard error.
    Json,
    /// A plan as a comment on a pull request.
    Markdown,
}

/// Which stack: how its resources are named.
#[derive(Args, Default)]
#[command(next_help_heading = "Names")]
pub(crate) struct Names {
    /// Name of the stack, the value of the tag `wsfix:stack`
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,

    /// Name of the table of connections
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    table: Option<String>,

    /// Name of the Lambda function
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    function_name: Option<String>,

    /// Name of the WebSocket API
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    api_name: Option<String>,

    /// Name of the API's stage
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    stage: Option<String>,
}

/// What is uploaded.
#[derive(Args, Default)]
#[command(next_help_heading = "Handler")]
pub(crate) struct Upload {
    /// The function's processor: x86_64 or arm64
    #[arg(long, value_name = "ARCH")]
    architecture: Option<String>,

    /// A handler of one's own: a zip, or an ELF file
    #[arg(long, value_name = "FILE")]
    handler: Option<PathBuf>,
}

/// What the stack shall be.
#[derive(Args, Default)]
#[command(next_help_heading = "Stack")]
pub(crate) struct Wanted {
    /// The execution role, a name or an ARN; without a value, the one that fits is found
    #[arg(long, value_name = "ROLE", num_args = 0..=1, default_missing_value = "")]
    existing_role: Option<String>,

    /// Base URL of the HTTP backend
    #[arg(long, value_name = "URL")]
    backend_url: Option<String>,

    /// Longest time that the backend may take for one message
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    backend_timeout: Option<String>,

    /// How replies travel: auto, management-api or route-response
    #[arg(long, value_name = "MODE")]
    reply: Option<String>,

    /// A route besides $connect, $disconnect and $default; can be repeated
    #[arg(long, value_name = "KEY")]
    route: Vec<String>,

    /// What picks a message's route
    #[arg(long, value_name = "EXPRESSION", hide_short_help = true)]
    route_selection_expression: Option<String>,

    /// Memory of the function
    #[arg(long, value_name = "MB", hide_short_help = true)]
    memory: Option<String>,

    /// Time limit of the function, 2 to 28
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    timeout: Option<String>,

    /// How long log lines are kept
    #[arg(long, value_name = "DAYS", hide_short_help = true)]
    log_retention: Option<String>,

    /// Whether the stage logs requests and failed executions: auto, on or off
    #[arg(long, value_name = "MODE", hide_short_help = true)]
    access_logs: Option<String>,

    /// A tag for everything that is made; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Vec<String>,
}

/// Who may connect.
#[derive(Args, Default)]
#[command(next_help_heading = "Who may connect")]
pub(crate) struct Access {
    /// Where the key that signs tokens is: env:NAME, file:PATH, - (standard input), ssm:NAME or secretsmanager:ID[#MEMBER]
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true)]
    jwt_secret: Option<String>,

    /// The algorithm of tokens: HS256 with a secret; with public keys it must be named, such as RS256 or ES256
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    jwt_algorithm: Option<String>,

    /// Where the public key that tokens are checked with is, in PEM form: env:NAME, file:PATH or - (standard input)
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    jwt_public_key: Option<String>,

    /// Where the JWK Set that tokens are checked with is: env:NAME, file:PATH or - (standard input)
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    jwks: Option<String>,

    /// Where the issuer publishes its JWK Set
    #[arg(long, value_name = "URL", hide_short_help = true)]
    jwks_url: Option<String>,

    /// Reads the issuer's JWK Set now, so that the handler does not have to
    #[arg(long, hide_short_help = true)]
    jwks_pin: bool,

    /// Where the key that signs requests to the backend is: env:NAME, file:PATH or - (standard input)
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true)]
    signing_key: Option<String>,

    /// The claim of a token that must equal `sessionId`
    #[arg(long, value_name = "CLAIM", hide_short_help = true)]
    session_claim: Option<String>,

    /// The `iss` that a token must have
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    issuer: Option<String>,

    /// The `aud` that a token must have
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    audience: Option<String>,

    /// How far clocks may differ
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    leeway: Option<String>,

    /// How long a token counts after it was issued (`iat`) [default: until it expires]
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    max_token_age: Option<String>,

    /// A token counts once, by its `jti`
    #[arg(long, hide_short_help = true)]
    single_use: bool,

    /// Where the key of tickets is, with `--token-from ticket`: as `--jwt-secret`
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    ticket_key: Option<String>,

    /// Where a token may come from: query, subprotocol or ticket; can be repeated
    #[arg(long, value_name = "PLACE", hide_short_help = true)]
    token_from: Vec<String>,

    /// An `Origin` that may connect; can be repeated
    #[arg(long, value_name = "ORIGIN", hide_short_help = true)]
    allowed_origin: Vec<String>,

    /// Refuses a handshake without an `Origin`
    #[arg(long, hide_short_help = true)]
    require_origin: bool,

    /// How long a stored session may be kept in memory
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    session_cache: Option<String>,
}

impl Global {
    /// Which account.
    pub(crate) fn write(&self, settings: &mut Settings) {
        settings.region.clone_from(&self.region);
        settings.profile.clone_from(&self.profile);
        settings.endpoint_url.clone_from(&self.endpoint_url);
    }
}

impl Names {
    /// Which stack.
    pub(crate) fn write(&self, settings: &mut Settings) {
        let Self { stack, table, function_name, api_name, stage } = self;
        settings.stack.clone_from(stack);
        settings.table.clone_from(table);
        settings.function_name.clone_from(function_name);
        settings.api_name.clone_from(api_name);
        settings.stage.clone_from(stage);
    }
}

impl Upload {
    /// What is uploaded.
    pub(crate) fn write(&self, settings: &mut Settings) {
        let Self { architecture, handler } = self;
        settings.architecture.clone_from(architecture);
        settings.handler.clone_from(handler);
    }
}

impl Wanted {
    /// What the stack shall be.
    pub(crate) fn write(&self, settings: &mut Settings) {
        let Self {
            existing_role,
            backend_url,
            backend_timeout,
            reply,
            route,
            route_selection_expression,
            memory,
            timeout,
            log_retention,
            access_logs,
            tag,
        } = self;
        settings.existing_role.clone_from(existing_role);
        settings.backend_url.clone_from(backend_url);
        settings.backend_timeout_seconds.clone_from(backend_timeout);
        settings.reply.clone_from(reply);
        settings.routes = given(route);
        settings.route_selection_expression.clone_from(route_selection_expression);
        settings.memory_mb.clone_from(memory);
        settings.timeout_seconds.clone_from(timeout);
        settings.log_retention_days.clone_from(log_retention);
        settings.access_logs.clone_from(access_logs);
        settings.tags.clone_from(tag);
    }
}

impl Access {
    /// Who may connect.
    pub(crate) fn write(&self, settings: &mut Settings) {
        let Self {
            jwt_secret,
            jwt_algorithm,
            jwt_public_key,
            jwks,
            jwks_url,
            jwks_pin,
            signing_key,
            session_claim,
            issuer,
            audience,
            leeway,
            max_token_age,
            single_use,
            ticket_key,
            token_from,
            allowed_origin,
            require_origin,
            session_cache,
        } = self;
        settings.jwt_secret.clone_from(jwt_secret);
        settings.jwt_algorithm.clone_from(jwt_algorithm);
        settings.jwt_public_key.clone_from(jwt_public_key);
        settings.jwks.clone_from(jwks);
        settings.jwks_url.clone_from(jwks_url);
        settings.jwks_pin = jwks_pin.then_some(true);
        settings.signing_key.clone_from(signing_key);
        settings.session_claim.clone_from(session_claim);
        settings.issuer.clone_from(issuer);
        settings.audience.clone_from(audience);
        settings.leeway_seconds.clone_from(leeway);
        settings.max_age_seconds.clone_from(max_token_age);
        settings.single_use = single_use.then_some(true);
        settings.ticket_key.clone_from(ticket_key);
        settings.token_from = given(token_from);
        settings.allowed_origins = given(allowed_origin);
        settings.require_origin = require_origin.then_some(true);
        settings.session_cache_seconds.clone_from(session_cache);
    }
}

fn given(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct All {
        #[command(flatten)]
        global: Global,
        #[command(flatten)]
        names: Names,
        #[command(flatten)]
        upload: Upload,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        access: Access,
    }

    fn settings(arguments: &[&str]) -> Settings {
        let all = All::try_parse_from([&["wsfix"], arguments].concat()).unwrap();
        let mut settings = Settings::default();
        all.global.write(&mut settings);
        all.names.write(&mut settings);
        all.upload.write(&mut settings);
        all.wanted.write(&mut settings);
        all.access.write(&mut settings);
        settings
    }

    #[test]
    fn every_flag_reaches_its_setting() {
        let nothing = format!("{:?}", settings(&[]));
        assert_eq!(nothing, format!("{:?}", Settings::default()));
        let flags = "region profile endpoint-url stack table function-name api-name stage architecture handler existing-role backend-url \
                     backend-timeout reply route route-selection-expression memory timeout log-retention access-logs tag jwt-secret signing-key session-claim \
                     issuer audience leeway token-from allowed-origin session-cache jwt-algorithm jwt-public-key jwks jwks-url max-token-age ticket-key";
        for flag in flags.split_whitespace() {
            let told = format!("{:?}", settings(&[&format!("--{flag}"), "a-value"]));
            assert_eq!(told.matches("a-value").count(), 1, "{flag}: {told}");
            assert_eq!(told.matches("None").count() + 1 - usize::from(flag == "tag"), nothing.matches("None").count(), "{flag}: {told}");
        }
        assert_eq!(settings(&["--require-origin"]).require_origin, Some(true));
        assert_eq!(settings(&["--jwks-pin"]).jwks_pin, Some(true));
        assert_eq!(settings(&["--single-use"]).single_use, Some(true));
    }

    #[test]
    fn values_that_are_special_pass() {
        assert_eq!(settings(&["--existing-role"]).existing_role.as_deref(), Some(""));
        assert_eq!(settings(&["--existing-role", "--reply", "auto"]).existing_role.as_deref(), Some(""));
        assert_eq!(settings(&["--jwt-secret", "-"]).jwt_secret.as_deref(), Some("-"));
        assert_eq!(settings(&["--route", "a", "--route", "b"]).routes, Some(vec!["a".to_owned(), "b".to_owned()]));
    }
}
