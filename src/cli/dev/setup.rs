//! The local cloud with the stack in it, and a backend.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cli::checklist::Checklist;
use crate::cli::error::Error;
use crate::cli::flags::Global;
use crate::cli::settings::tell;
use crate::cli::style;
use crate::cli::token::{now, random, signed};
use crate::cli::ui::Ui;
use crate::config::{self, Config, GATEWAY_RATE, Keys, Purpose, Sources, Throttle};
use crate::local::account::{Account, built_in};
use crate::local::backend::{self, Backend};
use crate::local::modes::Mode;
use crate::local::{self, Cloud, LogLine, StartError, descriptors, page};
use crate::provision::progress::{Event, Reporter};
use crate::provision::{self, Consent, Outputs, Provisioned, Run, Stop};
use crate::secret::Secret;

use super::{DevArgs, PORT};

/// Variables that stand for what is made up here; nobody sets them.
const JWT_SECRET: &str = "WSFIX_DEV_JWT_SECRET";
const SIGNING_KEY: &str = "WSFIX_DEV_SIGNING_KEY";
const TICKET_KEY: &str = "WSFIX_DEV_TICKET_KEY";
/// How long the token that is printed is good, in seconds.
const TOKEN_SECONDS: i64 = 12 * 60 * 60;
/// Whom tokens are for.
pub(super) const USER: &str = "dev";
/// With fewer open files than this, a load test would find the limit before anything else.
const FEW_FILES: u64 = 4096;
/// The session that the token is for.
const SESSION: &str = "dev";
/// An account file to start from.
const TEMPLATE: &str = "`templates/accounts/default.yaml` in the repository is an account file to start from";

/// Everything that is known before anything starts.
pub(super) struct Setup {
    config: Config,
    account: Account,
    keys: Keys,
    address: IpAddr,
    port: u16,
    speed: f64,
    modes: Vec<&'static Mode>,
    /// No backend of the person's own.
    demo: bool,
    allow_commands: bool,
}

impl Setup {
    /// Reads flags, environment, config and account file.
    pub(super) fn new(args: &DevArgs, global: &Global, ui: &Ui) -> Result<Self, Error> {
        for (flag, given) in [("--endpoint-url", &global.endpoint_url), ("--profile", &global.profile)] {
            if given.is_some() {
                return Err(Error::usage(format!("{flag} has no meaning for `dev`"), "it brings a cloud and an account of its own"));
            }
        }
        let account = match &args.account {
            Some(named) => account(named)?,
            None => Account::built_in(),
        };
        let keys = keys_of(&account)?;
        let mut flags = args.stack.settings();
        let demo = flags.backend_url.is_none();
        flags.region.clone_from(&global.region);
        flags.endpoint_url = Some("http://127.0.0.1:1".to_owned()); // until the real one is known, as is the next
        flags.backend_url.get_or_insert_with(|| "http://127.0.0.1:1".to_owned());
        flags.architecture.get_or_insert_with(host_architecture);
        let public = flags.jwt_public_key.is_some() || flags.jwks.is_some() || flags.jwks_url.is_some();
        if flags.jwt_secret.is_none() && !public {
            // Tokens can be signed here, whatever signs them elsewhere.
            flags.jwt_secret = Some(format!("env:{JWT_SECRET}"));
            flags.jwt_algorithm = Some("HS256".to_owned());
            flags.jwks_pin = Some(false);
        }
        flags.ticket_key.get_or_insert_with(|| format!("env:{TICKET_KEY}"));
        flags.signing_key.get_or_insert_with(|| format!("env:{SIGNING_KEY}"));
        flags.existing_role.get_or_insert_with(|| account.role.clone());
        let (jwt_secret, signing_key, ticket_key) = (random()?, random()?, random()?);
        let environment = |name: &str| match name {
            JWT_SECRET => Some(OsString::from(&jwt_secret)),
            SIGNING_KEY => Some(OsString::from(&signing_key)),
            TICKET_KEY => Some(OsString::from(&ticket_key)),
            // The person's own account has no part in this.
            name if name.starts_with("AWS_") => None,
            name => config::process_environment(name),
        };
        let stdin = &mut io::stdin().lock();
        let directory = PathBuf::from(".");
        let sources =
            Sources { purpose: Purpose::Provision, file: global.config.clone(), directory, flags, environment: &environment, stdin };
        let loaded = config::load(sources)?;
        tell(&loaded, ui);
        let mut config = loaded.config;
        config.jwt.session_claim.get_or_insert_with(|| "sessionId".to_owned());
        if config.api.routes.is_empty() {
            config.api.routes.push("sendMessage".to_owned());
        }
        let port = args.port.unwrap_or(if args.once { 0 } else { PORT });
        let (modes, address) = (args.modes(), args.listen);
        Ok(Self { config, account, keys, address, port, speed: args.speed, modes, demo, allow_commands: args.allow_commands })
    }
}

/// A limit as it is on a clock that runs `speed` times as fast.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number, and one that is too large is the largest")]
fn faster(Throttle { rate, burst }: Throttle, speed: f64) -> Throttle {
    Throttle { rate: (f64::from(rate) * speed).max(1.0) as u32, burst }
}

/// What runs.
pub(super) struct Session {
    pub(super) cloud: Cloud,
    pub(super) demo: Option<Backend>,
    pub(super) config: Config,
    pub(super) keys: Keys,
    pub(super) outputs: Outputs,
    pub(super) session_id: String,
    /// `None`: the key of the tokens is not known here.
    pub(super) token: Option<Secret>,
    /// What the handler logs.
    pub(super) lines: UnboundedReceiver<LogLine>,
}

impl Session {
    /// Starts the cloud and the backend, and provisions. What happens is told to `ui`, and to `list` as checks.
    pub(super) async fn start(setup: Setup, ui: &Ui, list: Option<&Checklist<'_>>) -> Result<Self, Error> {
        let Setup { mut config, account, keys, address, port, speed, modes, demo, allow_commands } = setup;
        let (sender, lines) = unbounded_channel();
        let on_log: local::OnLog = Arc::new(move |line: &LogLine| {
            let _ = sender.send(line.clone());
        });
        let region = config.connection.region.clone().unwrap_or_else(|| local::DEFAULT_REGION.to_owned());
        let mut options =
            local::Options { address, port, account, region: region.clone(), speed, on_log: Some(on_log), ..local::Options::default() };
        modes.iter().for_each(|mode| mode.switch_on(&mut options));
        let gateway_rate = options.quotas.then(|| faster(GATEWAY_RATE, speed));
        let cloud = Cloud::start(options).map_err(|error| not_started(&error))?;
        warn(&cloud, address, ui);
        let connection = config::Connection {
            region: Some(region),
            profile: None,
            endpoint_url: Some(cloud.endpoint().to_owned()),
            keys: Some(keys.clone()),
            pace: config.connection.pace,
            gateway_rate,
        };
        config.connection = connection;
        let demo = if demo {
            let options = backend::Options { signing_key: config.signing_key.clone(), allow_commands };
            Some(Backend::start(options).map_err(|error| Error::here(format!("cannot start the demo backend: {error}"), ""))?)
        } else {
            None
        };
        if let Some(demo) = &demo {
            config.backend_url = Some(demo.url());
        }
        if let Some(list) = list {
            list.passed("the local cloud runs", cloud.endpoint());
        }
        let token = signed(&config, USER, SESSION, now() + TOKEN_SECONDS);
        let recorder = Recorder { ui, built: RefCell::default() };
        let provisioning = Instant::now();
        let stop = Stop::default();
        let run = Run { config: &config, reporter: &recorder, stop: &stop, consent: Consent::default() };
        let done = provision::provision(&run).await?;
        if let Some(list) = list {
            let Built { detail, time, .. } = recorder.built.take();
            list.passed_in("the handler's binary is ready", from_here(&detail), time);
            list.passed_in("the stack is provisioned", provisioned(&cloud, &done), provisioning.elapsed());
        }
        cloud.set_page(page::Info {
            websocket_url: done.outputs.websocket_url.clone(),
            token: token.clone(),
            session_id: SESSION.to_owned(),
            action: config.api.routes.first().cloned().unwrap_or_default(),
        });
        Ok(Self { cloud, demo, config, keys, outputs: done.outputs, session_id: SESSION.to_owned(), token, lines })
    }

    /// The backend that the handler talks to.
    pub(super) fn backend_url(&self) -> &str {
        self.config.backend_url.as_deref().unwrap_or_default()
    }

    /// The page with the terminal.
    pub(super) fn page_url(&self) -> String {
        format!("{}/", self.cloud.endpoint())
    }

    /// Ends everything and waits for it.
    pub(super) fn stop(mut self) {
        self.cloud.stop();
    }
}

/// The same text with paths below the current directory as a person would write them.
fn from_here(text: &str) -> String {
    match std::env::current_dir() {
        Ok(here) => text.replace(&format!("{}/", here.display()), ""),
        Err(_) => text.to_owned(),
    }
}

fn provisioned(cloud: &Cloud, done: &Provisioned) -> String {
    let Provisioned { plan, outputs } = done;
    let role = style::short(&outputs.role_arn);
    let calls = cloud.calls().all().len();
    format!("{} resources, {calls} AWS calls, role {role}, replies by {}", plan.changes().count(), outputs.reply)
}

/// Where the handler's binary came from, and how long it took to have it.
#[derive(Default)]
struct Built {
    since: Option<Instant>,
    detail: String,
    time: Duration,
}

/// Listens for the handler's binary.
struct Recorder<'a> {
    ui: &'a Ui,
    built: RefCell<Built>,
}

impl Reporter for Recorder<'_> {
    fn event(&self, event: Event) {
        match &event {
            Event::Started { action: "build", .. } => self.built.borrow_mut().since = Some(Instant::now()),
            Event::Finished { action: "build", detail, .. } => {
                let mut built = self.built.borrow_mut();
                built.time = built.since.map(|since| since.elapsed()).unwrap_or_default();
                built.detail.clone_from(detail);
            }
            Event::Planned { .. }
            | Event::Adopting { .. }
            | Event::Started { .. }
            | Event::Waiting { .. }
            | Event::Finished { .. }
            | Event::Failed { .. }
            | Event::Note { .. } => {}
        }
        self.ui.event(event);
    }
}

/// This machine's architecture, in AWS's words.
fn host_architecture() -> String {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }.to_owned()
}

/// The accounts that come with the tool, each in a line of its own.
fn accounts() -> String {
    built_in::ALL.iter().map(|account| format!("\n  {:22}  {}", account.name, account.about())).collect()
}

/// The account that comes with the tool by this name, or the one of this file.
fn account(named: &Path) -> Result<Account, Error> {
    if let Some(account) = named.to_str().and_then(Account::of) {
        return Ok(account);
    }
    // A word alone is a name; what looks like a file is one, whether it is there or not.
    if named.components().count() == 1 && named.extension().is_none() && !named.exists() {
        let what = format!("there is no account `{}`, and no such file", named.display());
        return Err(Error::usage(what, format!("name a file, or one of these:{}", accounts())));
    }
    Account::load(named).map_err(|error| {
        let because = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Error::usage(format!("{error}{because}"), TEMPLATE)
    })
}

/// The keys of who provisions.
fn keys_of(account: &Account) -> Result<Keys, Error> {
    let key = account.caller_key().ok_or_else(|| {
        Error::usage(
            "the account file has no user with an access key",
            "`dev` signs its calls as a user: give one a key, or name a `caller`",
        )
    })?;
    Ok(Keys {
        access_key_id: key.access_key_id.clone(),
        secret_access_key: Secret::new(key.secret_access_key.clone()),
        session_token: key.session_token.clone().map(Secret::new),
    })
}

/// Says what a person should know about how this cloud runs.
fn warn(cloud: &Cloud, address: IpAddr, ui: &Ui) {
    if !address.is_loopback() {
        let at = std::net::SocketAddr::new(address, cloud.port());
        ui.note(&format!(
            "whoever reaches {at} can run programs on this machine as you: the local cloud's keys are no secret, and functions are not isolated"
        ));
    }
    if let Some(files) = descriptors::limit().filter(|files| *files < FEW_FILES) {
        ui.note(&format!(
            "this user may have {files} files open, so about {} WebSocket connections fit; `ulimit -Hn` is what an administrator can raise",
            files / 2
        ));
    }
}

fn not_started(error: &StartError) -> Error {
    match error {
        StartError::PortInUse { at } => {
            let what = format!("port {} on {} is in use", at.port(), at.ip());
            Error::here(what, "`--port 0` takes any free one, `--port N` another")
        }
        StartError::Listen { at, source } => {
            let hint = if at.ip().is_loopback() {
                "`--port 0` takes any free one"
            } else {
                "`--listen` takes an address of this machine, or 0.0.0.0 for all of them; `--port 0` takes any free port"
            };
            Error::here(format!("cannot listen on port {} of {}: {source}", at.port(), at.ip()), hint)
        }
        StartError::Thread(source) => Error::here(format!("cannot start the local cloud: {source}"), ""),
    }
}
