//! What a config is made from.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "wsfix.yaml";

/// What the config is for, hence what must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `provision` and `plan`: the backend's URL and the JWT secret are needed.
    Provision,
    /// `status`, `teardown` and others that only have to find the stack. Secrets and the backend's URL are filled in
    /// where they can be had without asking anybody; standard input is not read.
    Stack,
}

/// Where settings come from. A flag wins over the environment, which wins over the file.
pub struct Sources<'a> {
    /// What must be known.
    pub purpose: Purpose,
    /// The file that the person named. `None`: [`DEFAULT_FILE`] in `directory`, where there is one.
    pub file: Option<PathBuf>,
    /// Where [`DEFAULT_FILE`] is looked for, and what relative paths in flags start from; `.` for a command.
    pub directory: PathBuf,
    /// What the flags say.
    pub flags: Settings,
    /// Looks up an environment variable; [`process_environment`] for a command.
    pub environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// Read for a secret whose source is `-`.
    pub stdin: &'a mut dyn Read,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("purpose", &self.purpose).field("file", &self.file).finish_non_exhaustive()
    }
}

/// An environment variable of this process.
#[must_use]
pub fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// What the flags say: text as it was typed, judged together with everything else. `None`: not given.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--stack NAME`
    pub stack: Option<String>,
    /// `--region REGION`
    pub region: Option<String>,
    /// `--profile NAME`
    pub profile: Option<String>,
    /// `--endpoint-url URL`
    pub endpoint_url: Option<String>,
    /// `--existing-role [ROLE]`; an empty text: find one, whatever the file names.
    pub existing_role: Option<String>,
    /// `--backend-url URL`
    pub backend_url: Option<String>,
    /// `--backend-timeout SECONDS`
    pub backend_timeout_seconds: Option<String>,
    /// `--table NAME`
    pub table: Option<String>,
    /// `--log-retention DAYS`
    pub log_retention_days: Option<String>,
    /// `--access-logs auto|on|off`
    pub access_logs: Option<String>,
    /// `--reply auto|management-api|route-response`
    pub reply: Option<String>,
    /// `--function-name NAME`
    pub function_name: Option<String>,
    /// `--architecture arm64|x86_64`
    pub architecture: Option<String>,
    /// `--memory MB`
    pub memory_mb: Option<String>,
    /// `--timeout SECONDS`
    pub timeout_seconds: Option<String>,
    /// `--handler FILE`
    pub handler: Option<PathBuf>,
    /// `--api-name NAME`
    pub api_name: Option<String>,
    /// `--route-selection-expression EXPRESSION`
    pub route_selection_expression: Option<String>,
    /// `--route KEY`, once for each; an empty list: no custom route.
    pub routes: Option<Vec<String>>,
    /// `--stage NAME`
    pub stage: Option<String>,
    /// `--jwt-secret SOURCE`: `env:NAME`, `file:PATH`, `-`, `ssm:NAME` or `secretsmanager:ID[#MEMBER]`, never the secret itself.
    pub jwt_secret: Option<String>,
    /// `--jwt-algorithm NAME`
    pub jwt_algorithm: Option<String>,
    /// `--jwt-public-key SOURCE`: `env:NAME`, `file:PATH` or `-`.
    pub jwt_public_key: Option<String>,
    /// `--jwks SOURCE`: `env:NAME`, `file:PATH` or `-`.
    pub jwks: Option<String>,
    /// `--jwks-url URL`
    pub jwks_url: Option<String>,
    /// `--jwks-pin`
    pub jwks_pin: Option<bool>,
    /// `--session-claim NAME`
    pub session_claim: Option<String>,
    /// `--issuer TEXT`
    pub issuer: Option<String>,
    /// `--audience TEXT`
    pub audience: Option<String>,
    /// `--leeway SECONDS`
    pub leeway_seconds: Option<String>,
    /// `--max-token-age SECONDS`
    pub max_age_seconds: Option<String>,
    /// `--single-use`
    pub single_use: Option<bool>,
    /// `--ticket-key SOURCE`, as `--jwt-secret`.
    pub ticket_key: Option<String>,
    /// `--token-from query|subprotocol|ticket`, once for each.
    pub token_from: Option<Vec<String>>,
    /// `--signing-key SOURCE`: `env:NAME`, `file:PATH` or `-`.
    pub signing_key: Option<String>,
    /// `--allowed-origin ORIGIN`, once for each.
    pub allowed_origins: Option<Vec<String>>,
    /// `--require-origin`
    pub require_origin: Option<bool>,
    /// `--session-cache SECONDS`
    pub session_cache_seconds: Option<String>,
    /// `--tag KEY=VALUE`, once for each; added to the file's.
    pub tags: Vec<String>,
}
