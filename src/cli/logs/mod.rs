//! `wsfix logs`: what the handler wrote, in columns for people, as it is for programs.

mod line;
mod stats;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::config::{Config, Purpose, Settings};
use crate::provision::log_lines::{Follower, Line, LogGroup, Reading, Silence};
use crate::provision::{self, Consent, Run, Stop};

use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, Names};
use super::runtime::{Interrupts, block_on, until_stopped};
use super::settings;
use super::style::{Paint, count, printable};
use super::ui::Ui;
use line::{Entry, Kind, Picker, Reader, Wanted};
use stats::Stats;

/// Between two readings: an account has 5 a second (CloudWatch Logs quotas, FilterLogEvents).
const PAUSE: Duration = Duration::from_secs(1);
/// After readings that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// Shows what the handler logged, in columns where a person reads it.
#[derive(clap::Args)]
#[command(after_help = "In a terminal each line has its time (UTC), the invocation, the connection, and what happened; elsewhere lines
are as they were written. Lambda's own lines are shown with -v. --connection and --request find every line of
the invocations that are meant, also those that do not name them.

Examples:
  wsfix logs -f
  wsfix logs --since 2h --filter Refused
  wsfix logs --since 1d --connection R1kmxc2VNjMCFIA=
  wsfix logs --since 1d --stats")]
pub(crate) struct LogsArgs {
    /// Goes on with new lines until Ctrl-C
    #[arg(short, long)]
    follow: bool,

    /// How far back: 10m, 2h, 1d, or a time such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = since)]
    since: Since,

    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Only lines about this connection
    #[arg(long, value_name = "ID")]
    connection: Option<String>,

    /// Only lines of this invocation: Lambda's request id, or the `requestId` that a client was told
    #[arg(long, value_name = "ID")]
    request: Option<String>,

    /// Sums up instead: invocations, cold starts, durations, memory, errors
    #[arg(long, conflicts_with = "follow")]
    stats: bool,

    #[command(flatten)]
    names: Names,
}

/// Where the reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Ago(Duration),
    /// Epoch milliseconds.
    At(i64),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = humantime::parse_duration(text) {
        return Ok(Since::Ago(time));
    }
    let at =
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "a time such as 10m, 2h, 1d or 2026-01-31T12:00:00Z is needed".to_owned())?;
    Ok(Since::At(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()))
}

impl Since {
    fn milliseconds(self) -> i64 {
        match self {
            Self::Ago(time) => now().saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)).max(0),
            Self::At(milliseconds) => milliseconds.max(0),
        }
    }
}

/// The time in epoch milliseconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| i64::try_from(time.as_millis()).ok()).unwrap_or_default()
}

pub(crate) fn run(args: &LogsArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let mut flags = Settings::default();
    args.names.write(&mut flags);
    let config = settings::load(ui, global, Purpose::Stack, flags)?;
    if args.follow {
        return block_on(follow(args, &config, ui));
    }
    let stop = Stop::default();
    let (found, silence) = block_on(until_stopped(ui, &stop, read(args, &config, ui, &stop)))?;
    let notes: Vec<&String> = silence.iter().flat_map(|silence| &silence.reasons).collect();
    let document = match args.stats {
        true => json!({ "group": found.group, "since": found.since, "stats": found.stats.document(), "silence": notes }),
        false => json!({ "group": found.group, "since": found.since, "lines": found.lines, "silence": notes }),
    };
    if !args.stats || found.read == 0 {
        tell(&found, silence.as_ref(), ui);
    }
    let text = if args.stats && found.read > 0 { found.stats.text(ui.paint()) } else { String::new() };
    ui.result(Exit::Done, &text, &document)?;
    Ok(Exit::Done)
}

/// What one reading found.
struct Found {
    group: String,
    /// Epoch milliseconds.
    since: i64,
    /// How many lines were looked at.
    read: usize,
    /// How many of them were wanted.
    shown: usize,
    lines: Vec<Value>,
    stats: Stats,
}

/// Reads once. Where there is nothing to show, says why.
async fn read(args: &LogsArgs, config: &Config, ui: &Ui, stop: &Stop) -> Result<(Found, Option<Silence>), Error> {
    let group = LogGroup::of(config).await?;
    let mut view = View::new(args, ui);
    let since = args.since.milliseconds();
    let mut found = Found { group: group.name().to_owned(), since, read: 0, shown: 0, lines: Vec::new(), stats: Stats::default() };
    let mut written = Ok(());
    let reading = group
        .read(since, stop, |lines| {
            found.read += lines.len();
            for entry in view.entries(lines) {
                found.shown += 1;
                found.stats.add(&entry);
                if args.stats {
                    continue;
                }
                if ui.is_json() {
                    found.lines.push(entry.document());
                } else if written.is_ok() {
                    written = view.print(&entry);
                }
            }
        })
        .await?;
    written?;
    if reading == Reading::Stopped {
        return Err(provision::Error::Stopped { done: Vec::new(), left: Vec::new() }.into());
    }
    let silence = if found.read == 0 { Some(silence(config, ui).await?) } else { None };
    Ok((found, silence))
}

/// Why there is nothing to read.
async fn silence(config: &Config, ui: &Ui) -> Result<Silence, Error> {
    let stop = Stop::default();
    let silence = provision::log_silence(&Run { config, reporter: ui, stop: &stop, consent: Consent::default() }).await?;
    if silence.function {
        return Ok(silence);
    }
    Err(Error::here(
        silence.reasons.join("; "),
        "`wsfix provision` makes it; another stack or Region is named with `--stack`, `--function-name` and `--region`",
    ))
}

/// Says why there is less than a person may have looked for.
fn tell(found: &Found, silence: Option<&Silence>, ui: &Ui) {
    let from = moment(found.since).unwrap_or_default();
    if let Some(Silence { reasons, last, .. }) = silence {
        reasons.iter().for_each(|reason| ui.note(&printable(reason)));
        let last = last.and_then(moment).map(|last| format!("; the last one that is known of is of {last}")).unwrap_or_default();
        if reasons.is_empty() {
            ui.note(&format!("no line since {from} in {}{last}: `--since` looks further back", found.group));
        }
    } else if found.shown == 0 {
        ui.note(&format!("none of the {} since {from} in {} is one of those that are wanted", count(found.read, "line"), found.group));
    }
}

/// `2026-01-31T12:00:00Z`
fn moment(milliseconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(milliseconds / 1000).ok()?.format(&Rfc3339).ok()
}

/// Reads again and again.
async fn follow(args: &LogsArgs, config: &Config, ui: &Ui) -> Result<Exit, Error> {
    let mut interrupts = Interrupts::catch()?;
    let (group, stop) = (LogGroup::of(config).await?, Stop::default());
    let (mut view, mut follower) = (View::new(args, ui), Follower::new(args.since.milliseconds()));
    let (mut first, mut pause) = (true, PAUSE);
    loop {
        let (mut written, mut read, since) = (Ok(()), 0, follower.from());
        let reading = group.read(since, &stop, |lines| {
            read += lines.len();
            for entry in view.entries(follower.fresh(lines)) {
                if written.is_ok() {
                    written = view.print(&entry);
                }
            }
        });
        let ended = tokio::select! {
            ended = reading => ended,
            () = interrupts.next() => return Ok(Exit::Done),
        };
        written?;
        match ended {
            Ok(_) => {
                follower.complete(now());
                pause = PAUSE;
            }
            Err(error) if first || !error.passes() => return Err(error.into()),
            Err(error) => {
                if pause == PAUSE {
                    ui.note(&format!("lines cannot be read just now, it is tried again: {error}"));
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        if first && read == 0 {
            silence(config, ui).await?.reasons.iter().for_each(|reason| ui.note(&printable(reason)));
            ui.say("waiting for lines; Ctrl-C ends it");
        }
        first = false;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = interrupts.next() => return Ok(Exit::Done),
        }
    }
}

/// Lines on their way to a person or a program.
struct View<'a> {
    ui: &'a Ui,
    reader: Reader,
    picker: Picker,
    /// The day of the last line, in a terminal.
    day: std::cell::RefCell<String>,
}

impl<'a> View<'a> {
    fn new(args: &LogsArgs, ui: &'a Ui) -> Self {
        let wanted = Wanted { text: args.filter.clone(), connection: args.connection.clone(), request: args.request.clone() };
        Self { ui, reader: Reader::default(), picker: Picker::new(wanted), day: std::cell::RefCell::default() }
    }

    /// Those that are wanted.
    fn entries(&mut self, lines: Vec<Line>) -> Vec<Entry> {
        lines.into_iter().flat_map(|line| self.picker.pick(self.reader.read(line))).collect()
    }

    fn print(&self, entry: &Entry) -> Result<(), Error> {
        if self.ui.is_json() {
            return self.ui.print(&entry.document().to_string());
        }
        if entry.kind.is_platform() && !self.ui.verbose() {
            return Ok(());
        }
        if !self.ui.on_screen() {
            return self.ui.print(&entry.line.message);
        }
        let paint = self.ui.paint();
        let (day, row) = columns(entry, paint);
        if self.day.replace(day.clone()) != day {
            self.ui.print(&paint.dim(&format!("{day} (UTC)")))?;
        }
        self.ui.print(&row)
    }
}

/// The day of a line, and the line in columns: time, invocation, connection, what happened, and the rest.
fn columns(entry: &Entry, paint: Paint) -> (String, String) {
    let Entry { line, kind, request_id, connection_id, detail } = entry;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(line.timestamp) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let day = at.format(format_description!("[year]-[month]-[day]")).unwrap_or_default();
    let time = at.format(format_description!("[hour]:[minute]:[second].[subsecond digits:3]")).unwrap_or_default();
    let short: String = request_id.as_deref().unwrap_or("-").chars().take(8).collect();
    let what = format!("{:12}", kind.name());
    let what = if *kind == Kind::Connected {
        paint.green(&what)
    } else if kind.is_bad() {
        paint.red(&what)
    } else if kind.is_platform() {
        paint.dim(&what)
    } else {
        what
    };
    let connection = printable(connection_id.as_deref().unwrap_or("-"));
    let detail: Vec<String> = detail.lines().map(printable).collect();
    let row = format!("{}  {:8}  {connection:16}  {what}  {}", paint.dim(&time), printable(&short), detail.join("\n    "));
    (day, row.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_nothing_controls_the_terminal() {
        let mut reader = Reader::default();
        let rows: Vec<String> = [
            "START RequestId: 0f3a9c1e-7777 Version: $LATEST",
            "[WebSocket] Route: $connect, ConnectionId: R1kmxc2VNjMCFIA=",
            "[WebSocket] Connected: R1kmxc2VNjMCFIA=, Session: s1",
            "a panic\x1b[2J\nin two lines",
        ]
        .into_iter()
        .map(|message| {
            let line = Line { id: String::new(), stream: "s".to_owned(), timestamp: 1_767_225_599_007, message: message.to_owned() };
            columns(&reader.read(line), Paint::new(false)).1
        })
        .collect();
        insta::assert_snapshot!(rows.join("\n"), @r"
        23:59:59.007  0f3a9c1e  -                 start         Version: $LATEST
        23:59:59.007  0f3a9c1e  R1kmxc2VNjMCFIA=  route         $connect
        23:59:59.007  0f3a9c1e  R1kmxc2VNjMCFIA=  connected     Session: s1
        23:59:59.007  0f3a9c1e  R1kmxc2VNjMCFIA=  other         a panic\u{1b}[2J
            in two lines
        ");
    }

    #[test]
    fn a_beginning_is_an_age_or_a_time() {
        assert_eq!(since("10m"), Ok(Since::Ago(Duration::from_secs(600))));
        assert_eq!(since("2026-01-31T12:00:00Z"), Ok(Since::At(1_769_860_800_000)));
        assert!(since("yesterday").is_err() && since("-5m").is_err());
        assert_eq!(Since::Ago(Duration::MAX).milliseconds(), 0);
    }
}
