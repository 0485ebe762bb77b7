//! Config -> Desired. Pure.

use std::collections::BTreeMap;

use super::Consent;
use super::bundle::Bundle;
use super::error::Refusal;
use super::ownership::{Owner, Tags};
use crate::config::variables;
use crate::config::{AccessLogs, Api, Config, Function, Reply};
use crate::contract::ownership;
use crate::secret::Secret;

/// The stack as the config wants it. What only the account knows (ids, the account itself) is not in it.
#[derive(Clone, Debug)]
pub(crate) struct Desired {
    pub(crate) stack: String,
    /// The person's tags and the one that marks the stack.
    pub(crate) tags: Tags,
    /// The execution role's name or ARN; `None`: find one.
    pub(crate) role: Option<String>,
    pub(crate) table: String,
    pub(crate) function: Function,
    /// The function's environment, but for what depends on the API and the reply mode.
    pub(crate) environment: BTreeMap<String, Secret>,
    /// The handler to upload; `None`: not compared.
    pub(crate) code: Option<Bundle>,
    pub(crate) log_retention_days: i32,
    pub(crate) access_logs: AccessLogs,
    pub(crate) api: Api,
    pub(crate) reply: Reply,
    /// An endpoint of one's own, without a trailing slash.
    pub(crate) endpoint: Option<String>,
    /// What may happen to what was there before.
    pub(crate) consent: Consent,
}

impl Desired {
    /// What the config wants.
    ///
    /// # Errors
    /// When a setting is missing that a stack cannot do without.
    pub(crate) fn new(config: &Config) -> Result<Self, Vec<Refusal>> {
        let missing = missing(config);
        if missing.is_empty() { Ok(Self::partly(config)) } else { Err(missing) }
    }

    /// What the config says, even where a setting is missing: enough to find and to delete a stack.
    pub(crate) fn partly(config: &Config) -> Self {
        let mut tags = config.tags.clone();
        tags.insert(ownership::STACK_TAG.to_owned(), config.stack.clone());
        Self {
            stack: config.stack.clone(),
            tags,
            role: config.existing_role.clone(),
            table: config.table.clone(),
            function: config.function.clone(),
            environment: variables::of(config),
            code: None,
            log_retention_days: config.log_retention_days,
            access_logs: config.access_logs,
            api: config.api.clone(),
            reply: config.reply,
            endpoint: config.connection.endpoint_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            consent: Consent::default(),
        }
    }

    /// Whether a resource of this owner may be changed: it is ours, or becomes so.
    pub(crate) fn takes(&self, owner: &Owner) -> bool {
        owner.is_ours() || (self.consent.adopt && *owner == Owner::Nobody)
    }

    /// The tags of a resource. What was there before says so.
    pub(crate) fn tags_of(&self, adopted: bool) -> Tags {
        let mut tags = self.tags.clone();
        if adopted {
            tags.insert(ownership::ADOPTED_TAG.to_owned(), ownership::TRUE.to_owned());
        }
        tags
    }

    /// The text that marks the API, the integration and the function.
    pub(crate) fn marker(&self) -> String {
        ownership::marker(&self.stack)
    }

    /// The function's log group: Lambda's own name for it.
    pub(crate) fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.function.name)
    }

    /// The group of the stage's access logs. One a stack, whatever its stage is called.
    pub(crate) fn access_log_group(&self) -> String {
        format!("/aws/apigateway/{}", self.stack)
    }

    /// Every route key: the gateway's own and the custom ones.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &str> {
        ["$connect", "$disconnect", "$default"].into_iter().chain(self.api.routes.iter().map(String::as_str))
    }
}

fn missing(config: &Config) -> Vec<Refusal> {
    let mut missing = Vec::new();
    let mut refuse = |resource: &str, reason: &str, remedy: &str| {
        missing.push(Refusal { resource: resource.to_owned(), reason: reason.to_owned(), remedy: remedy.to_owned() });
    };
    if config.backend_url.is_none() {
        refuse("backend", "there is no URL to forward messages to", "set `backend_url`, or `--backend-url`");
    }
    let jwt = &config.jwt;
    if jwt.accepts_tokens() && jwt.secret.is_none() && jwt.keys.is_none() {
        refuse(
            "token",
            "there is no key to check tokens with",
            "set JWT_SECRET, `jwt.secret` to `env:`, `ssm:` or `secretsmanager:` and a name, or `jwt.jwks_url`",
        );
    }
    if jwt.accepts_tickets() && jwt.ticket_key.is_none() {
        refuse("ticket", "there is no key to check tickets with", "set WSFIX_TICKET_KEY, or `jwt.ticket_key`");
    }
    missing
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::{Purpose, Settings, Sources, load};

    /// The config of somebody who gave nothing but what is needed, with these flags.
    pub(crate) fn config(flags: Settings) -> Config {
        let environment = |name: &str| match name {
            "JWT_SECRET" => Some(OsString::from("0123456789abcdef0123456789abcdef")),
            "APP_RUNNER_URL" => Some(OsString::from("https://backend.example")),
            _ => None,
        };
        let directory = tempfile::tempdir().expect("a directory");
        let sources = Sources {
            purpose: Purpose::Provision,
            file: None,
            directory: directory.path().to_owned(),
            flags,
            environment: &environment,
            stdin: &mut std::io::empty(),
        };
        load(sources).expect("a valid config").config
    }

    /// What [`config`] wants.
    pub(crate) fn desired(flags: Settings) -> Desired {
        Desired::new(&config(flags)).expect("a complete config")
    }

    #[test]
    fn our_tag_and_the_fixed_routes_are_always_there() {
        let want = desired(Settings { routes: Some(vec!["sendMessage".to_owned()]), stack: Some("one".to_owned()), ..Settings::default() });
        assert_eq!(want.tags.get("wsfix:stack").map(String::as_str), Some("one"));
        assert_eq!(want.routes().collect::<Vec<_>>(), ["$connect", "$disconnect", "$default", "sendMessage"]);
        assert_eq!(want.log_group(), "/aws/lambda/websocket-handler-one");
    }

    #[test]
    fn what_is_missing_is_refused_all_at_once() {
        let mut config = config(Settings::default());
        config.backend_url = None;
        config.jwt.secret = None;
        assert_eq!(Desired::new(&config).expect_err("refused").len(), 2);
    }
}
