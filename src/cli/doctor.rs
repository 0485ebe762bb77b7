//! `wsfix doctor`: why a WebSocket URL closes with 1006.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::config;
use crate::verify::doctor::scan::{self, Place};
use crate::verify::doctor::{End, Ending, Findings, Options, Verdict, examine, judge};
use crate::verify::{Failure, Target};

use super::error::Error;
use super::exit::Exit;
use super::flags::{above_zero, certificates, speed};
use super::runtime::block_on;
use super::style::{Paint, duration, printable, seconds};
use super::ui::Ui;

/// Says why a WebSocket URL closes with 1006, for any host.
#[derive(clap::Args)]
#[command(after_help = "It opens some connections at once, leaves most of them quiet, sends a small message or a ping on the others,
and watches how each of them ends. Exit codes: 0 nothing is wrong, 2 wrong usage, 3 something is.

Examples:
  wsfix doctor wss://abc123.us-east-1.awsapprunner.com/ws
  wsfix doctor wss://a1b2c3.execute-api.us-east-1.amazonaws.com/prod --session s1 --token env:TOKEN --hold 12m
  wsfix doctor --scan .")]
pub(crate) struct DoctorArgs {
    /// The URL: ws:// or wss://
    #[arg(value_name = "URL", required_unless_present = "scan")]
    url: Option<String>,

    /// Looks in a folder for WebSocket URLs that still lead to the old host
    #[arg(long, value_name = "DIR")]
    scan: Option<PathBuf>,

    /// How many connections without traffic are opened
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    tries: u32,

    /// How long they are watched, as in 40s, 12m, 2h; 0s: only the handshake is tried
    #[arg(long, value_name = "TIME", default_value = "40s", value_parser = humantime::parse_duration)]
    hold: Duration,

    /// Between two messages or pings
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = above_zero)]
    ping: Duration,

    /// What is sent as a message
    #[arg(long, value_name = "TEXT", default_value = r#"{"action":"ping","type":"ping"}"#)]
    message: String,

    /// A sub-protocol to offer; can be repeated
    #[arg(long, value_name = "NAME")]
    subprotocol: Vec<String>,

    /// The `Origin` to send, as a browser would
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,

    /// Where a token is: env:NAME, file:PATH or - (standard input); it goes into the query as `token`
    #[arg(long, value_name = "SOURCE", allow_hyphen_values = true)]
    token: Option<String>,

    /// Offers the token as a sub-protocol instead of in the query
    #[arg(long, requires = "token")]
    token_in_subprotocol: bool,

    /// The session to ask for, `sessionId` in the query
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// How long each stage of the handshake may take
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = above_zero)]
    timeout: Duration,

    /// Certificates in PEM that are trusted besides those that browsers trust
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// How many times faster than real time the server's clock runs, as with `wsfix dev --speed`
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed, hide_short_help = true)]
    speed: f64,
}

pub(crate) fn run(args: &DoctorArgs, ui: &Ui) -> Result<Exit, Error> {
    let places = match &args.scan {
        Some(folder) => Some(scanned(folder)?),
        None => None,
    };
    let examined = match &args.url {
        Some(url) => Some(block_on(async { look(&options(args, url)?, ui).await })?),
        None => None,
    };
    let healthy = examined.as_ref().is_none_or(|(_, verdict)| verdict.healthy);
    let current = places.iter().flatten().all(|place| !place.old);
    let exit = if healthy && current { Exit::Done } else { Exit::Changes };
    let mut text = String::new();
    if let Some((findings, verdict)) = &examined {
        text.push_str(&show(findings, verdict, ui.paint()));
    }
    if let (Some(places), Some(folder)) = (&places, &args.scan) {
        text.push_str(&show_places(places, folder, ui.paint()));
    }
    let document = json!({
        "healthy": healthy && current,
        "findings": examined.as_ref().map(|(findings, _)| findings_document(findings)),
        "verdict": examined.as_ref().map(|(_, verdict)| verdict_document(verdict)),
        "places": places.as_ref().map(|places| places.iter().map(place_document).collect::<Vec<_>>()),
    });
    ui.result(exit, &text, &document)?;
    Ok(exit)
}

fn scanned(folder: &Path) -> Result<Vec<Place>, Error> {
    scan::scan(folder).map_err(|error| Error::usage(format!("--scan {}: {error}", folder.display()), "name a folder that can be read"))
}

fn options(args: &DoctorArgs, url: &str) -> Result<Options, Error> {
    let token = match &args.token {
        Some(source) => {
            let read = config::secret_at(source, &config::process_environment, &mut std::io::stdin().lock());
            Some(read.map_err(|(what, remedy)| Error::usage(format!("--token: {what}"), remedy))?)
        }
        None => None,
    };
    let roots = args.ca_file.as_deref().map(certificates).transpose()?;
    let target = Target {
        in_subprotocol: args.token_in_subprotocol,
        subprotocols: args.subprotocol.clone(),
        session: args.session.clone(),
        origin: args.origin.clone(),
        roots,
        limit: args.timeout,
        ..Target::new(url, token)
    };
    if let Err(why) = target.check() {
        return Err(Error::usage(why.to_string(), "write it as in `wss://host/path`"));
    }
    Ok(Options { target, tries: args.tries, watch: args.hold, every: args.ping, message: args.message.clone(), speed: args.speed })
}

async fn look(options: &Options, ui: &Ui) -> Result<(Findings, Verdict), Error> {
    let told = Cell::new(false);
    let findings = examine(options, &|findings: &Findings| {
        if !told.replace(true) && findings.failure.is_none() && !options.watch.is_zero() {
            ui.say(&format!("open; {} connections are watched for {}", options.tries + 2, duration(options.watch)));
        }
    })
    .await;
    let verdict = judge(&findings);
    Ok((findings, verdict))
}

/// The layers, the endings, the verdict.
fn show(findings: &Findings, verdict: &Verdict, paint: Paint) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{}  {}", paint.bold(&format!("{name:<11}")), printable(value));
    };
    if let Some((addresses, time)) = &findings.lookup {
        let all: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        row("name", &format!("{} ({})", all.join(", "), duration(*time)));
    }
    if let Some((peer, time)) = &findings.tcp {
        row("TCP", &format!("{peer} ({})", duration(*time)));
    }
    if let Some((seen, time)) = &findings.tls {
        let certificate =
            seen.certificate.as_ref().map(|certificate| format!(", {}, issued by {}", certificate.subject, certificate.issuer));
        let version = seen.version.as_deref().unwrap_or("failed");
        row("TLS", &format!("{version}{} ({})", certificate.unwrap_or_default(), duration(*time)));
    }
    if let Some(answer) = &findings.answer {
        row("upgrade", &format!("HTTP {} ({})", answer.status, duration(answer.elapsed)));
        for name in
            ["server", "via", "sec-websocket-protocol", "x-amzn-errortype", "x-amzn-requestid", "apigw-requestid", "cf-ray", "location"]
        {
            let value = answer.header(name).split(['?', '#']).next().unwrap_or_default();
            if !value.is_empty() {
                row("", &format!("{name}: {value}"));
            }
        }
    }
    if let Some(who) = &findings.who {
        row("answered by", &format!("{}, since {}", who.whom.name(), who.because));
    }
    let mark = if verdict.healthy { paint.green("ok") } else { paint.red("wrong") };
    let _ = writeln!(text, "\n{mark}: {}  {}", printable(&verdict.headline), paint.dim(&format!("[{}]", verdict.case)));
    for (title, lines) in
        [("measured", &verdict.measured), ("certain", &verdict.certain), ("likely", &verdict.likely), ("what to do", &verdict.advice)]
    {
        for (at, line) in lines.iter().enumerate() {
            let title = if at == 0 { title } else { "" };
            let _ = writeln!(text, "  {}  {}", paint.bold(&format!("{title:<10}")), printable(line));
        }
    }
    text
}

fn show_places(places: &[Place], folder: &Path, paint: Paint) -> String {
    let old: Vec<&Place> = places.iter().filter(|place| place.old).collect();
    let mut text = String::new();
    for place in &old {
        let _ = writeln!(text, "{}  {}:{}  {}", paint.red("old"), place.file.display(), place.line, printable(&place.url));
    }
    let folder = folder.display();
    let _ = match (old.len(), places.len()) {
        (0, 0) => writeln!(text, "no WebSocket URL in {folder}"),
        (0, all) => writeln!(text, "{folder}: none of {all} WebSocket URLs leads to a host without WebSockets"),
        (old, all) => writeln!(
            text,
            "\n{folder}: {old} of {all} WebSocket URLs lead to App Runner, which takes HTTP only; `wsfix status` prints the URL to write there"
        ),
    };
    text
}

fn findings_document(findings: &Findings) -> Value {
    let Findings { address, lookup, tcp, tls, answer, offered, failure, who, endings, watched, jitter: _ } = findings;
    let headers = |answer: &crate::verify::Answer| -> Value {
        let shown = answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned())));
        Value::Object(shown.filter(|(name, _)| name != "set-cookie").collect())
    };
    json!({
        "host": address.as_ref().map(|address| &address.host),
        "port": address.as_ref().map(|address| address.port),
        "name": lookup.as_ref().map(|(addresses, time)| json!({
            "addresses": addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>(), "seconds": seconds(*time),
        })),
        "tcp": tcp.as_ref().map(|(peer, time)| json!({ "peer": peer.to_string(), "seconds": seconds(*time) })),
        "tls": tls.as_ref().map(|(seen, time)| json!({
            "version": seen.version,
            "certificate": seen.certificate.as_ref().map(|certificate| json!({
                "subject": certificate.subject, "issuer": certificate.issuer, "names": certificate.names,
                "not_before": certificate.not_before, "not_after": certificate.not_after,
            })),
            "seconds": seconds(*time),
        })),
        "upgrade": answer.as_ref().map(|answer| json!({
            "status": answer.status, "headers": headers(answer), "body": answer.body, "seconds": seconds(answer.elapsed),
        })),
        "subprotocols_offered": offered,
        "failure": failure.as_ref().map(Failure::to_string),
        "answered_by": who.as_ref().map(|who| json!({ "name": who.whom.name(), "because": who.because })),
        "endings": endings.iter().map(ending_document).collect::<Vec<_>>(),
        "watched_seconds": seconds(*watched),
    })
}

fn ending_document(ending: &Ending) -> Value {
    let Ending { traffic, open, end, sent, pongs, received } = ending;
    let (how, code, detail) = match end {
        End::Open => ("open", None, None),
        End::Closed { code, reason } => ("closed", Some(*code), Some(reason)),
        End::Broken(why) => ("broken", Some(1006), Some(why)),
        End::Refused(why) => ("refused", None, Some(why)),
    };
    json!({
        "traffic": traffic.as_str(), "seconds": seconds(*open), "end": how, "code": code, "detail": detail,
        "sent": sent, "pongs": pongs, "received": received,
    })
}

fn verdict_document(verdict: &Verdict) -> Value {
    let Verdict { case, healthy, headline, measured, certain, likely, advice } = verdict;
    json!({ "case": case, "healthy": healthy, "headline": headline, "measured": measured, "certain": certain, "likely": likely, "advice": advice })
}

fn place_document(place: &Place) -> Value {
    json!({ "file": place.file.display().to_string(), "line": place.line, "url": place.url, "old": place.old })
}
