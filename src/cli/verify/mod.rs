//! `wsfix verify`: whether the stack works, and its sockets stay open.

mod account;
mod control_plane;
mod junit;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::config::{self, Config, Purpose, Settings};
use crate::provision::{self, Consent, Inspection, Run, Stop, Witness};
use crate::verify::Target;
use crate::verify::check::Check;
use crate::verify::checks::{self, Extent, Hold, Subject};

pub(crate) use account::Account;

use super::checklist::{self, Checklist};
use super::error::Error;
use super::exit::Exit;
use super::flags::{Access, Global, Names, above_zero};
use super::runtime::{Interrupts, block_on};
use super::settings;
use super::token::{self, Issuer, Source};
use super::ui::Ui;

/// Connects as a browser would, and goes through all that a socket depends on
#[derive(clap::Args)]
#[command(after_help = "It reads what the control plane says, opens some connections, and changes nothing. What you may
not read is `unknown`, and no failure. The token is signed with the stack's secret (JWT_SECRET), or
given. Exit codes: 0 nothing failed, 1 it could not be tried, 2 wrong usage or config, 3 a check
failed: the last line begins with the layer to look at first.

Examples:
  wsfix verify
  wsfix verify --limits --junit verify.xml
  wsfix verify --hold 12m --ping 30s
  wsfix verify --url wss://ws.example.com --token env:TOKEN")]
pub(crate) struct VerifyArgs {
    /// The URL that clients use [default: the stack's own]
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Where a good token is: env:NAME, file:PATH or - (standard input) [default: one is signed with the stack's secret]
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true, conflicts_with = "token_command")]
    token: Option<String>,

    /// A command that prints a good token; it is run for each handshake, with the wanted session in WSFIX_SESSION
    #[arg(long, value_name = "COMMAND")]
    token_command: Option<String>,

    /// The session to ask for [default: the token's, or one of its own]
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// The `Origin` to send [default: the first of `allowed_origins`]
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,

    /// How long a connection must stay open, as in 35s, 12m, 1h50m; 0s: it is not tried [default: 35s without traffic]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    hold: Option<Duration>,

    /// Between two messages over the connection that is held with --hold
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = above_zero, requires = "hold")]
    ping: Duration,

    /// Sends nothing over the connection that is held
    #[arg(long, conflicts_with = "ping")]
    idle: bool,

    /// Tries the largest messages too
    #[arg(long)]
    limits: bool,

    /// Writes the checks as a JUnit report too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// How long one answer may take
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = above_zero)]
    timeout: Duration,

    /// How long a fresh stack's handshake, the table and the log are waited for
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    wait: Duration,

    /// Certificates in PEM that are trusted besides those that browsers trust
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    ca_file: Option<PathBuf>,

    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    names: Names,
}

/// Without `--hold`: longer than the hosts that break connections at once, and shorter than a person's patience.
const HOLD: Duration = Duration::from_secs(35);
/// The user of tokens that are signed here.
const USER: &str = "wsfix-verify";

impl VerifyArgs {
    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        self.access.write(&mut settings);
        self.names.write(&mut settings);
        settings
    }

    fn held(&self) -> Option<Hold> {
        match self.hold {
            None => Some(Hold { time: HOLD, ping: None }),
            Some(time) => (!time.is_zero()).then_some(Hold { time, ping: (!self.idle).then_some(self.ping) }),
        }
    }

    fn source(&self) -> Result<Source, Error> {
        match (&self.token, &self.token_command) {
            (Some(source), _) => {
                let read = config::secret_at(source, &config::process_environment, &mut std::io::stdin().lock());
                Ok(Source::Given(read.map_err(|(what, remedy)| Error::usage(format!("--token: {what}"), remedy))?))
            }
            (None, Some(line)) => Ok(Source::Command { line: line.clone(), limit: self.timeout }),
            (None, None) => Ok(Source::Signed(USER)),
        }
    }
}

pub(crate) fn run(args: &VerifyArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let started = Instant::now();
    let config = settings::load(ui, global, Purpose::Stack, args.settings())?;
    let source = args.source()?;
    if let Some(file) = &args.junit {
        junit::check(file)?;
    }
    let roots = args.ca_file.as_deref().map(super::flags::certificates).transpose()?;
    if let Some(url) = &args.url {
        let usable = Target { roots: roots.clone(), ..Target::new(url, None) }.check();
        usable.map_err(|why| Error::usage(format!("--url: {why}"), "write it as in `wss://host/path`"))?;
    }
    let list = Checklist::new(ui, started);
    block_on(async {
        let mut interrupts = Interrupts::catch()?;
        let told: RefCell<Vec<Check>> = RefCell::default();
        let tell = |check: &Check| {
            list.tell(check);
            told.borrow_mut().push(check.clone());
        };
        let work = verify(args, &config, source, roots, ui, &tell);
        let (url, stopped) = tokio::select! {
            ended = work => {
                let Checked { checks, url } = ended?;
                told.replace(checks);
                (url, false)
            }
            () = interrupts.next() => (String::new(), true),
        };
        let checks = told.take();
        list.keep(&checks);
        if let (Some(file), false) = (&args.junit, stopped) {
            junit::write(file, &checks)?;
        }
        let exit = match (stopped, list.all_passed()) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::Done,
            (false, false) => Exit::Changes,
        };
        if stopped {
            ui.note("stopped: the other checks were not made");
        }
        report(exit, &checks, &url, ui, &list)
    })
}

/// What was checked, and where.
struct Checked {
    checks: Vec<Check>,
    url: String,
}

async fn verify(
    args: &VerifyArgs,
    config: &Config,
    source: Source,
    roots: Option<Vec<u8>>,
    ui: &Ui,
    tell: &dyn Fn(&Check),
) -> Result<Checked, Error> {
    let own = format!("wsfix-verify-{}", &token::random()?[..8]);
    let issuer = Issuer::new(config, source, args.session.clone().unwrap_or(own)).await?;
    let (inspection, account) = control_plane(args, config, ui).await?;
    let mut checks = inspection.checks;
    checks.iter().for_each(tell);
    let own_url = inspection.url;
    let Some(url) = args.url.clone().or_else(|| own_url.clone()) else {
        if checks.iter().all(|check| check.cause().is_none()) {
            return Err(Error::here("the stack's URL is not known: what its API is may not be read", "name it with `--url`"));
        }
        return Ok(Checked { checks, url: String::new() });
    };
    let hold = args.held();
    let holding = RefCell::new(hold.map(|hold| ui.holding(hold.time)));
    let subject = Subject {
        url: url.clone(),
        own_url,
        session: issuer.session.clone(),
        tokens: &issuer,
        action: config.api.routes.first().cloned().unwrap_or_else(|| "message".to_owned()),
        origin: args.origin.clone().or_else(|| config.allowed_origins.first().cloned()),
        origins_matter: !config.allowed_origins.is_empty(),
        roots,
        limit: args.timeout,
        patience: args.wait,
        hopeless: checks.iter().any(|check| check.cause().is_some()),
        stack: &account,
        tell,
        held: &|time| {
            if let Some(holding) = holding.borrow().as_ref() {
                holding.reached(time);
            }
        },
        shown: RefCell::default(),
    };
    checks.push(checks::url(&subject).await);
    let found = checks::run(&subject, &Extent { hold, limits: args.limits, logs: true }).await;
    if let Some(why) = found.untried {
        return Err(Error::here(format!("there is no token to connect with: {why}"), "`--token` and `--token-command` give one"));
    }
    checks.extend(found.checks);
    Ok(Checked { checks, url })
}

/// What the control plane says, and the stack's URL, where it is known.
struct Inspected {
    checks: Vec<Check>,
    url: Option<String>,
}

/// With a URL of the person's own, an account that cannot be asked stops nothing.
async fn control_plane(args: &VerifyArgs, config: &Config, ui: &Ui) -> Result<(Inspected, Account), Error> {
    let stop = Stop::default();
    let run = Run { config, reporter: ui, stop: &stop, consent: Consent::default() };
    let started = Instant::now();
    match provision::inspect(&run).await {
        Ok(Inspection { conditions, outputs }) => {
            let checks = control_plane::checks(&conditions, started.elapsed());
            let account = Account(Ok(Witness::connect(config).await?));
            Ok((Inspected { checks, url: outputs.map(|outputs| outputs.websocket_url) }, account))
        }
        Err(error) if args.url.is_some() => {
            let why = format!("the account cannot be asked: {}", Error::from(error).report("verify").headline());
            ui.note(&format!("{why}; only what a client sees is checked"));
            Ok((Inspected { checks: Vec::new(), url: None }, Account(Err(why))))
        }
        Err(error) => Err(error.into()),
    }
}

fn report(exit: Exit, checks: &[Check], url: &str, ui: &Ui, list: &Checklist<'_>) -> Result<Exit, Error> {
    let paint = ui.paint();
    let heading = if url.is_empty() { String::new() } else { format!("{url}\n\n") };
    let mut text = format!("{heading}{}\n", list.text(paint));
    let causes = checklist::causes(checks, paint);
    if !causes.is_empty() {
        let _ = writeln!(text, "{causes}");
    }
    let blame = checklist::blame(checks);
    let _ = match blame {
        Some(layer) => writeln!(text, "{}: {}", paint.red(layer), list.summary()),
        None => writeln!(text, "{}", list.summary()),
    };
    let mut document = list.document();
    document["layer"] = json!(blame);
    document["websocket_url"] = json!(url);
    ui.result(exit, &text, &document)?;
    Ok(exit)
}
