//! Tokens that the stack accepts: signed here where the key is known, given, or from a program of the person's own.

use std::cell::Cell;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::LocalBoxFuture;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use crate::config::{Config, SecretSource, TokenFrom};
use crate::contract::TICKET_LEAD;
use crate::secret::Secret;
use crate::verify;
use crate::verify::checks::Tokens;

use super::error::Error;

/// How long a token that is signed for a test is good, in seconds: it outlives a held connection.
const GOOD_SECONDS: i64 = 3 * 60 * 60;
/// The claim with the session where the config names none; the handler knows it.
const SESSION_CLAIM: &str = "sessionId";
/// Tells the program which session is wanted.
const SESSION_VARIABLE: &str = "WSFIX_SESSION";

/// How long a ticket is good, in seconds: the handler takes no longer ones than 30 s.
const TICKET_SECONDS: i64 = 25;

/// Signs a ticket, where the stack takes no tokens; else a token. `ahead`: how far its end is from now, in seconds. `None` where the key is not
/// known here.
fn signed_as_wanted(config: &Config, user: &str, session: &str, ahead: i64) -> Option<Secret> {
    if config.jwt.accepts_tokens() {
        return signed(config, user, session, now() + ahead);
    }
    let Some(SecretSource::Value(key)) = &config.jwt.ticket_key else { return None };
    let payload = json!({ "id": random().ok()?, "sessionId": session, "userId": user, "exp": now() + ahead.min(TICKET_SECONDS) });
    Some(verify::ticket(key, &payload))
}

/// Signs a token for a session, good until then (epoch seconds); `None` where the key is not known here.
pub(crate) fn signed(config: &Config, user: &str, session: &str, expires: i64) -> Option<Secret> {
    let Some(SecretSource::Value(secret)) = &config.jwt.secret else { return None };
    let issued = now().min(expires);
    let mut claims = json!({ "sub": user, "iat": issued, "exp": expires });
    let more = [("iss", &config.jwt.issuer), ("aud", &config.jwt.audience)];
    for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        claims[name] = Value::from(value.as_str());
    }
    claims[session_claim(config)] = Value::from(session);
    if config.jwt.single_use {
        claims["jti"] = Value::from(random().ok()?);
    }
    for (name, value) in &config.jwt.claims {
        claims[name] = Value::from(value.as_str());
    }
    verify::mint(config.jwt.algorithm, secret, &claims)
}

fn session_claim(config: &Config) -> &str {
    config.jwt.session_claim.as_deref().unwrap_or(SESSION_CLAIM)
}

/// 256 bits that nobody knows.
pub(crate) fn random() -> Result<String, Error> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::here("the system has no random numbers", ""))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Epoch seconds.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| i64::try_from(time.as_secs()).ok()).unwrap_or_default()
}

/// Where tokens come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Each is signed here, for this user.
    Signed(&'static str),
    /// One for all handshakes.
    Given(Secret),
    /// A command for the shell, which prints one.
    Command { line: String, limit: Duration },
}

/// Tokens for one session of one stack.
pub(crate) struct Issuer<'a> {
    config: &'a Config,
    source: Source,
    /// The session that they are for.
    pub(crate) session: String,
    /// Whether they say so.
    named: bool,
    /// Whether they are tickets.
    tickets: bool,
    /// Whether the one that was given was shown.
    used: Cell<bool>,
}

impl<'a> Issuer<'a> {
    /// Gets a first one, where it is not signed here, and reads its session; where it has none, `session` is asked for.
    pub(crate) async fn new(config: &'a Config, source: Source, session: String) -> Result<Self, Error> {
        let tickets = !config.jwt.accepts_tokens();
        let mut issuer = Self { config, source, session, named: true, tickets, used: Cell::new(false) };
        let first = match &issuer.source {
            Source::Signed(user) => {
                return match signed_as_wanted(config, user, &issuer.session, GOOD_SECONDS) {
                    Some(_) => Ok(issuer),
                    None => Err(Error::usage(
                        "no token can be signed here: the stack's key is public, in a store, or not known",
                        "give one with `--token env:NAME` or `--token-command CMD`, or set JWT_SECRET where the stack has a shared secret",
                    )),
                };
            }
            Source::Given(token) => token.clone(),
            Source::Command { line, limit } => printed(line, *limit, &issuer.session).await.map_err(|why| {
                Error::here(format!("--token-command: {why}"), "run it by hand: it has to print a token and nothing else")
            })?,
        };
        issuer.tickets = first.expose().starts_with(TICKET_LEAD);
        let name = if issuer.tickets { SESSION_CLAIM } else { session_claim(config) };
        match claim(&first, name) {
            Some(session) => issuer.session = session,
            None => issuer.named = false,
        }
        Ok(issuer)
    }

    /// Whether a second handshake with the same one is refused.
    fn counts_once(&self) -> bool {
        self.config.jwt.single_use || self.tickets
    }
}

impl Tokens for Issuer<'_> {
    fn good(&self) -> LocalBoxFuture<'_, Result<Secret, String>> {
        Box::pin(async {
            match &self.source {
                Source::Signed(user) => {
                    signed_as_wanted(self.config, user, &self.session, GOOD_SECONDS).ok_or_else(|| "no token can be signed here".to_owned())
                }
                Source::Given(_) if self.counts_once() && self.used.replace(true) => {
                    Err("it counts once, and has been used: `--token-command` gives one for each handshake".to_owned())
                }
                Source::Given(token) => Ok(token.clone()),
                Source::Command { line, limit } => printed(line, *limit, &self.session).await,
            }
        })
    }

    fn expired(&self) -> Result<Secret, String> {
        let over = -i64::from(self.config.jwt.leeway_seconds) - 60;
        match &self.source {
            Source::Signed(user) => {
                signed_as_wanted(self.config, user, &self.session, over).ok_or_else(|| "no token can be signed here".to_owned())
            }
            Source::Given(_) | Source::Command { .. } => {
                Err("a token that is given is good; only one that is signed here can have expired".to_owned())
            }
        }
    }

    fn name_the_session(&self) -> bool {
        self.named
    }

    fn in_query(&self) -> bool {
        self.tickets || self.config.jwt.token_from.contains(&TokenFrom::Query)
    }

    fn in_subprotocol(&self) -> bool {
        self.tickets || self.config.jwt.token_from.contains(&TokenFrom::Subprotocol)
    }
}

/// A text among a token's claims. Nobody checks the signature: whoever gave the token knows what it is.
fn claim(token: &Secret, name: &str) -> Option<String> {
    let payload = token.expose().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.get(name)?.as_str().map(str::to_owned)
}

/// What the program prints. Its standard error is nobody's business here: it may hold what it prints.
async fn printed(line: &str, limit: Duration, session: &str) -> Result<Secret, String> {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", line]).env(SESSION_VARIABLE, session).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let run = tokio::time::timeout(limit, command.output()).await;
    let ended = run.map_err(|_| format!("it printed nothing within {limit:?}"))?.map_err(|error| format!("it does not start: {error}"))?;
    if !ended.status.success() {
        return Err(format!("it ended with {}", ended.status));
    }
    match String::from_utf8(ended.stdout) {
        Ok(text) if !text.trim().is_empty() && !text.trim().contains(char::is_whitespace) => Ok(Secret::new(text.trim())),
        _ => Err("what it prints is no token: one word is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn the_claims_of_a_token_are_read_and_what_is_none_has_none() {
        let token = |claims: Value| Secret::new(format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string())));
        assert_eq!(claim(&token(json!({ "sid": "s1" })), "sid").as_deref(), Some("s1"));
        assert_eq!(claim(&token(json!({ "sid": 1 })), "sid"), None);
        assert_eq!(claim(&Secret::new("opaque"), "sid"), None);
    }

    #[test]
    fn a_program_prints_one_word_and_knows_the_session() {
        let printed = |line: &str| block_on(printed(line, Duration::from_secs(5), "s1"));
        assert_eq!(printed("echo a.$WSFIX_SESSION.c").expect("a token").expose(), "a.s1.c");
        for (line, why) in [("exit 4", "exit status: 4"), ("echo two words", "one word"), ("true", "one word")] {
            let failed = printed(line).expect_err(line);
            assert!(failed.contains(why), "{failed}");
        }
    }
}
