//! `wsfix contract`: whether a backend does what the handler expects of it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::config;
use crate::contract::env::SIGNING_KEY;
use crate::secret::Secret;
use crate::verify::backend::{Check, Options, Outcome, examine};

use super::error::Error;
use super::exit::Exit;
use super::runtime::block_on;
use super::style::{Paint, count, duration, printable, seconds};
use super::ui::Ui;

/// Tests any backend against what the handler expects of it.
#[derive(clap::Args)]
#[command(after_help = "It sends some 40 requests as the handler would, for a connection of its own, among them the command
`echo wsfix`; so ask a backend that may be played with. The key is read from WSFIX_SIGNING_KEY where no flag names another place.
Exit codes: 0 all is as it must be, 1 failed, 2 wrong usage, 3 a check failed.

Examples:
  wsfix contract http://127.0.0.1:3000
  wsfix contract https://abc123.us-east-1.awsapprunner.com --signing-key file:key.txt")]
pub(crate) struct ContractArgs {
    /// Base URL of the backend
    #[arg(value_name = "URL")]
    url: Url,

    /// Where the key that signs requests is: env:NAME, file:PATH or - (standard input)
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true)]
    signing_key: Option<String>,

    /// The longest that one answer may take
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = limit)]
    timeout: Duration,
}

fn limit(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("a time above zero is needed, such as 20s".to_owned()),
    }
}

pub(crate) fn run(args: &ContractArgs, ui: &Ui) -> Result<Exit, Error> {
    let signing_key = key(args.signing_key.as_deref())?;
    if signing_key.is_none() {
        ui.note(&format!("no signing key: set {SIGNING_KEY}, or give `--signing-key`; whether strangers are refused is not tried"));
    }
    let options = Options { url: args.url.clone(), signing_key, limit: args.timeout };
    let tell = |check: &Check| {
        ui.emit(
            "check",
            json!({ "name": check.rule.name, "verdict": check.outcome.name(), "evidence": check.evidence, "seconds": seconds(check.time) }),
        );
        ui.say(&line(check, ui.paint_err()));
    };
    let examined = block_on(async { Ok(examine(&options, tell).await) })?;
    let checks =
        examined.map_err(|why| Error::usage(format!("the URL: {why}"), "write it like https://abc123.us-east-1.awsapprunner.com"))?;
    let exit = if checks.iter().any(|check| check.outcome == Outcome::Failed) { Exit::Changes } else { Exit::Done };
    ui.result(exit, &text(&checks, ui.paint()), &document(&checks))?;
    Ok(exit)
}

/// The key, from where the flag says it is, or from the usual variable.
fn key(source: Option<&str>) -> Result<Option<Secret>, Error> {
    let there = config::process_environment(SIGNING_KEY).is_some_and(|value| !value.is_empty());
    let usual = format!("env:{SIGNING_KEY}");
    let Some(source) = source.or(there.then_some(usual.as_str())) else { return Ok(None) };
    let read = config::secret_at(source, &config::process_environment, &mut std::io::stdin().lock());
    read.map(Some).map_err(|(what, remedy)| Error::usage(format!("--signing-key: {what}"), remedy))
}

fn line(check: &Check, paint: Paint) -> String {
    let verdict = format!("{:7}", check.outcome.name());
    let verdict = match check.outcome {
        Outcome::Passed => paint.green(&verdict),
        Outcome::Failed => paint.red(&verdict),
        Outcome::Skipped => paint.yellow(&verdict),
    };
    format!("  {verdict} {:>8}  {:18} {}", duration(check.time), check.rule.name, paint.dim(&printable(&check.evidence)))
}

/// What failed and how to mend it, and how many did not.
fn text(checks: &[Check], paint: Paint) -> String {
    let of = |outcome| checks.iter().filter(move |check| check.outcome == outcome);
    let mut text = String::new();
    for check in of(Outcome::Failed) {
        let _ = writeln!(text, "{} {}", paint.red("failed:"), paint.bold(check.rule.name));
        let _ = writeln!(text, "  must  {}\n  was   {}\n  fix   {}", check.rule.demands, printable(&check.evidence), check.rule.fix);
    }
    let skipped = of(Outcome::Skipped).count();
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} not tried") };
    let _ = writeln!(text, "{} of {} passed{skipped}", of(Outcome::Passed).count(), count(checks.len(), "check"));
    text
}

fn document(checks: &[Check]) -> serde_json::Value {
    let check = |check: &Check| {
        json!({
            "name": check.rule.name,
            "demands": check.rule.demands,
            "verdict": check.outcome.name(),
            "evidence": check.evidence,
            "fix": (check.outcome == Outcome::Failed).then_some(check.rule.fix),
            "seconds": seconds(check.time),
        })
    };
    json!({ "ok": checks.iter().all(|check| check.outcome != Outcome::Failed), "checks": checks.iter().map(check).collect::<Vec<_>>() })
}
