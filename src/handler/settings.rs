//! The function's environment, read once into what the handler works with.

pub(crate) mod keys;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ring::hmac;

use crate::contract::{default, env, reply};
use crate::secret::Secret;

use super::token::Rules;
use keys::{TicketKeys, TokenKeys};

/// Everything that the handler is told by its environment.
pub(crate) struct Settings {
    /// The table of connections.
    pub(crate) table: String,
    /// Where messages go.
    pub(crate) backend: BaseUrl,
    pub(crate) backend_timeout: Duration,
    /// Keys of the signature on requests to the backend; empty: they are not signed.
    pub(crate) signing_keys: Vec<hmac::Key>,
    /// `None`: no tokens are accepted.
    pub(crate) token_keys: Option<TokenKeys>,
    /// `None`: no tickets are accepted.
    pub(crate) ticket_keys: Option<TicketKeys>,
    pub(crate) rules: Rules,
    /// Whether messages are refused once the connection's token has expired.
    pub(crate) enforce_expiry: bool,
    pub(crate) token_from: TokenFrom,
    pub(crate) origins: Origins,
    pub(crate) reply: Reply,
    /// How long a stored session may be kept in memory.
    pub(crate) session_cache: Duration,
    /// Whether a client's `seq` comes back in what answers it.
    pub(crate) sequence: bool,
    /// Whether clients are told that their connection nears its end.
    pub(crate) reconnect_notice: bool,
    /// Most bytes of a message that travels in parts.
    pub(crate) largest_message: usize,
    pub(crate) aws: AwsSettings,
}

/// Where a token is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenFrom {
    pub(crate) query: bool,
    pub(crate) subprotocol: bool,
    /// A ticket instead, in the query or in the list of sub-protocols.
    pub(crate) ticket: bool,
}

/// Which `Origin`s may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origins {
    /// Scheme, host and port as browsers write them; empty: any.
    pub(crate) allowed: Vec<String>,
    /// Whether there must be one.
    pub(crate) required: bool,
}

/// How replies travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Posted to `@connections` below this URL, which includes the stage.
    ManagementApi(BaseUrl),
    /// Returned by the function.
    RouteResponse,
}

/// Where AWS is.
pub(crate) struct AwsSettings {
    pub(crate) region: String,
    pub(crate) dynamodb: BaseUrl,
    pub(crate) ssm: BaseUrl,
    pub(crate) secrets_manager: BaseUrl,
}

/// A URL without query and trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// Scheme, host and port.
    origin: String,
    /// Empty, or starting with a slash.
    path: String,
}

impl BaseUrl {
    /// Takes http and https URLs without a user name and without a query.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let url: http::Uri = text.parse().ok()?;
        let authority = url.authority()?.as_str();
        let scheme = url.scheme_str()?;
        let plain = matches!(scheme, "http" | "https") && !authority.contains('@') && url.query().is_none() && !text.contains('#');
        plain.then(|| Self { origin: format!("{scheme}://{authority}"), path: url.path().trim_end_matches('/').to_owned() })
    }

    /// The path of a request, as it is sent.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.path)
    }

    /// The URL of a request whose path [`BaseUrl::path`] gave.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn host(&self) -> &str {
        let authority = self.origin.split_once("://").map_or("", |(_, authority)| authority);
        match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, _)) => host,
            None => authority.split(':').next().unwrap_or_default(),
        }
    }

    /// Whether what is sent there stays secret: https, or this very machine.
    fn is_private(&self) -> bool {
        is_private(self.origin.split("://").next().unwrap_or_default(), self.host())
    }
}

/// Whether what is sent to a host stays as it is: https, or this very machine.
fn is_private(scheme: &str, host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    scheme == "https" || scheme == "http" && (host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// What is wrong with the environment: all of it. It names variables and never says what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingsError(Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads the environment through `lookup`.
    pub(crate) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader { lookup, wrong: Vec::new() };
        let settings = reader.settings();
        match settings {
            Some(settings) if reader.wrong.is_empty() => Ok(settings),
            _ => Err(SettingsError(reader.wrong)),
        }
    }
}

/// Reads variables and remembers everything that is wrong with them.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    wrong: Vec<String>,
}

impl Reader<'_> {
    /// `None`: something that is needed is missing, and said to be.
    fn settings(&mut self) -> Option<Settings> {
        let table = self.needed(env::TABLE_NAME);
        let backend = self.backend();
        let token_from = self.token_from();
        let token_keys = self.token_keys(token_from.query || token_from.subprotocol);
        let ticket_keys = self.ticket_keys(token_from.ticket);
        let aws = self.aws();
        let reply = self.reply();
        let signing_keys = self.signing_keys();
        let rules = Rules {
            session_claim: self.text(env::SESSION_CLAIM),
            issuer: self.text(env::ISSUER),
            audience: self.text(env::AUDIENCE),
            claims: self.claims(),
            leeway: i64::from(self.number(env::LEEWAY_SECONDS, default::LEEWAY_SECONDS, 0, 300)),
            max_age: Some(i64::from(self.number(env::MAX_TOKEN_AGE_SECONDS, 0, 1, u32::MAX))).filter(|age| *age > 0),
            single_use: self.flag(env::SINGLE_USE, false),
        };
        let enforce_expiry = self.flag(env::ENFORCE_EXPIRY, true);
        let origins = Origins {
            allowed: self.list(env::ALLOWED_ORIGINS).iter().map(|origin| normal_origin(origin)).collect(),
            required: self.flag(env::REQUIRE_ORIGIN, false),
        };
        let session_cache = self.seconds(env::SESSION_CACHE_SECONDS, 0, 0, 900);
        let sequence = self.switch(env::SEQUENCE, false);
        let reconnect_notice = self.switch(env::RECONNECT_NOTICE, true);
        let largest = self.number(env::MAX_MESSAGE_KB, default::MAX_MESSAGE_KB, 128, 4096);
        let backend_timeout = self.seconds(env::BACKEND_TIMEOUT_SECONDS, default::BACKEND_TIMEOUT_SECONDS, 1, 900);
        Some(Settings {
            table: table?,
            backend: backend?,
            backend_timeout,
            signing_keys,
            token_keys,
            ticket_keys,
            rules,
            enforce_expiry,
            token_from,
            origins,
            reply: reply?,
            session_cache,
            sequence,
            reconnect_notice,
            largest_message: usize::try_from(largest).unwrap_or_default() * 1024,
            aws: aws?,
        })
    }

    /// A variable that is there and not empty.
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    fn refuse<T>(&mut self, name: &str, what: &str) -> Option<T> {
        self.wrong.push(format!("{name} {what}"));
        None
    }

    fn needed(&mut self, name: &str) -> Option<String> {
        self.text(name).or_else(|| self.refuse(name, "is not set"))
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }

    fn number(&mut self, name: &str, otherwise: u32, least: u32, most: u32) -> u32 {
        match self.text(name).map(|text| text.parse::<u32>()) {
            None => otherwise,
            Some(Ok(number)) if (least..=most).contains(&number) => number,
            Some(_) => self.refuse(name, &format!("is not a number from {least} to {most}")).unwrap_or(otherwise),
        }
    }

    fn seconds(&mut self, name: &str, otherwise: u32, least: u32, most: u32) -> Duration {
        Duration::from_secs(u64::from(self.number(name, otherwise, least, most)))
    }

    fn flag(&mut self, name: &str, otherwise: bool) -> bool {
        match self.text(name).as_deref() {
            None => otherwise,
            Some("true") => true,
            Some("false") => false,
            Some(_) => self.refuse(name, "is neither `true` nor `false`").unwrap_or(otherwise),
        }
    }

    fn switch(&mut self, name: &str, otherwise: bool) -> bool {
        match self.text(name).as_deref() {
            None => otherwise,
            Some("on") => true,
            Some("off") => false,
            Some(_) => self.refuse(name, "is neither `on` nor `off`").unwrap_or(otherwise),
        }
    }

    fn url(&mut self, name: &str, text: &str) -> Option<BaseUrl> {
        BaseUrl::parse(text).or_else(|| self.refuse(name, "is not an http or https URL without user name and query"))
    }

    fn backend(&mut self) -> Option<BaseUrl> {
        let text = self.needed(env::APP_RUNNER_URL)?;
        let url = self.url(env::APP_RUNNER_URL, &text)?;
        if url.is_private() { Some(url) } else { self.refuse(env::APP_RUNNER_URL, "is http, which is for loopback only: use https") }
    }

    fn claims(&mut self) -> BTreeMap<String, String> {
        let claims = self.text(env::CLAIMS).map_or_else(|| Ok(BTreeMap::new()), |text| serde_json::from_str(&text));
        claims.unwrap_or_else(|_| self.refuse(env::CLAIMS, "is not a JSON object of texts").unwrap_or_default())
    }

    fn token_from(&mut self) -> TokenFrom {
        let mut entries = self.list(env::TOKEN_FROM);
        if entries.is_empty() {
            entries = default::TOKEN_FROM.split(',').map(str::to_owned).collect();
        }
        let from = TokenFrom {
            query: entries.iter().any(|entry| entry == "query"),
            subprotocol: entries.iter().any(|entry| entry == "subprotocol"),
            ticket: entries.iter().any(|entry| entry == "ticket"),
        };
        if entries.iter().any(|entry| !matches!(entry.as_str(), "query" | "subprotocol" | "ticket")) {
            self.refuse::<()>(env::TOKEN_FROM, "has something other than `query`, `subprotocol` and `ticket`");
        }
        from
    }

    fn reply(&mut self) -> Option<Reply> {
        match self.text(env::REPLY).as_deref() {
            Some(reply::ROUTE_RESPONSE) => Some(Reply::RouteResponse),
            None | Some(reply::MANAGEMENT_API) => match self.text(env::MANAGEMENT_URL) {
                Some(text) => self.url(env::MANAGEMENT_URL, &text).map(Reply::ManagementApi),
                None => {
                    let (domain, stage) = (self.needed(env::DOMAIN_NAME), self.needed(env::STAGE));
                    self.url(env::DOMAIN_NAME, &format!("https://{}/{}", domain?, stage?)).map(Reply::ManagementApi)
                }
            },
            Some(_) => self.refuse(env::REPLY, "is neither `management-api` nor `route-response`"),
        }
    }

    fn aws(&mut self) -> Option<AwsSettings> {
        let region = self.needed("AWS_REGION")?;
        let suffix = self.suffix(&region);
        Some(AwsSettings {
            dynamodb: self.endpoint("DYNAMODB", "dynamodb", &region, &suffix)?,
            ssm: self.endpoint("SSM", "ssm", &region, &suffix)?,
            secrets_manager: self.endpoint("SECRETS_MANAGER", "secretsmanager", &region, &suffix)?,
            region,
        })
    }

    /// The partition's domain. The API's own host names it, unless the API has a domain of its own.
    fn suffix(&self, region: &str) -> String {
        let domain = self.text(env::DOMAIN_NAME).unwrap_or_default();
        match domain.split_once(&format!(".execute-api.{region}.")) {
            Some((_, suffix)) if !suffix.is_empty() => suffix.to_owned(),
            _ if region.starts_with("cn-") => "amazonaws.com.cn".to_owned(),
            _ => "amazonaws.com".to_owned(),
        }
    }

    /// As the SDKs do: the variable of the service, the one for all, AWS itself.
    fn endpoint(&mut self, variable: &str, service: &str, region: &str, suffix: &str) -> Option<BaseUrl> {
        let names = [format!("AWS_ENDPOINT_URL_{variable}"), "AWS_ENDPOINT_URL".to_owned()];
        let set = names.iter().find_map(|name| Some((name.as_str(), self.text(name)?)));
        match set {
            Some((name, text)) => self.url(name, &text),
            None => self.url("AWS_REGION", &format!("https://{service}.{region}.{suffix}")),
        }
    }
}

/// An allowed origin as a browser would write it: lower case, no default port, no slash at the end.
fn normal_origin(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let origin = lower.trim_end_matches('/');
    let port = if origin.starts_with("https://") { ":443" } else { ":80" };
    origin.strip_suffix(port).unwrap_or(origin).to_owned()
}

#[cfg(test)]
mod tests;
