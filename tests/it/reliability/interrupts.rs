//! SIGINT, SIGTERM and SIGHUP in the middle of every command that takes time, and credentials that end there.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::local::{Cloud, Delays, Options};

use crate::handler;
use crate::support::{block_on, docs};
use crate::tool::{Ended, Tool, signal};

/// One command, stopped by each of these signals when this event has come.
#[derive(Clone, Copy)]
struct Case {
    command: &'static str,
    arguments: &'static [&'static str],
    event: &'static str,
    action: &'static str,
    /// As the table says it.
    moment: &'static str,
    signals: &'static [&'static str],
    /// The stack stands before.
    stands: bool,
}

const ALL: &[&str] = &["-INT", "-TERM", "-HUP"];

const fn case(
    command: &'static str,
    event: &'static str,
    action: &'static str,
    moment: &'static str,
    signals: &'static [&'static str],
) -> Case {
    Case { command, arguments: &[], event, action, moment, signals, stands: false }
}

const fn teardown(event: &'static str, action: &'static str, moment: &'static str, signals: &'static [&'static str]) -> Case {
    Case { arguments: &["--yes"], stands: true, ..case("teardown", event, action, moment, signals) }
}

const CASES: [Case; 7] = [
    case("plan", "started", "look", "while it reads", &["-HUP"]),
    Case { stands: true, ..case("status", "started", "look", "while it reads", &["-INT"]) },
    case("provision", "started", "look", "while it reads", &["-TERM"]),
    case("provision", "started", "create", "at its first change", ALL),
    case("provision", "finished", "create", "after its first change", &["-INT"]),
    teardown("started", "look", "while it reads", &["-INT"]),
    teardown("started", "delete", "at its first deletion", ALL),
];

/// Reads until an event has come; answers what is left.
fn await_event(child: &mut Child, event: &str, action: &str) -> BufReader<ChildStderr> {
    let mut lines = BufReader::new(child.stderr.take().expect("standard error"));
    loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).expect("a line"), 0, "it ended before `{event} {action}`");
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        if said["event"] == event && (said["action"] == action || said["name"] == action) {
            return lines;
        }
    }
}

fn rest(child: Child, mut lines: BufReader<ChildStderr>) -> Ended {
    let mut err = String::new();
    lines.read_to_string(&mut err).expect("text");
    let mut ended = Ended::of(child.wait_with_output().expect("its end"));
    ended.err = err;
    ended
}

/// How it ended, and what the same command then does.
fn stop(case: Case, name: &str) -> String {
    let delays = Delays { call: Duration::from_millis(200), ..Delays::default() };
    let cloud = Cloud::start(Options { delays, ..Options::default() }).expect("a cloud");
    let tool = Tool::of(&cloud);
    if case.stands {
        tool.run(&["provision"]).says(0, &[]);
    }
    let before = cloud.inventory();
    let mut child = tool.start(&[&[case.command], case.arguments, &["--output", "json"]].concat());
    let lines = await_event(&mut child, case.event, case.action);
    signal(&child, name);
    let since = Instant::now();
    let ended = rest(child, lines);
    let at = format!("{} {}, {name}", case.command, case.moment);
    assert!(since.elapsed() < Duration::from_secs(5), "{at}: {:?}", since.elapsed());
    assert_eq!(ended.code, Some(130), "{at}: {}\n{}", ended.out, ended.err);
    let error = ended.document()["error"].clone();
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    let done = error["done"].as_array().map_or(0, Vec::len);
    if done == 0 {
        assert_eq!(cloud.inventory(), before, "{at}: {message}");
    }
    let again = tool.run(&[&[case.command], case.arguments].concat());
    let last = match case.command {
        "plan" => Some(3),
        _ => Some(0),
    };
    assert_eq!(again.code, last, "{at}: {}\n{}", again.out, again.err);
    if case.command == "provision" {
        tool.run(&["plan"]).says(0, &[]);
    }
    if case.command == "teardown" {
        assert!(cloud.inventory().is_empty(), "{at}: {:?}", cloud.inventory());
    }
    message
}

#[test]
fn every_interrupt_ends_with_130_and_the_same_command_goes_on() {
    let all: Vec<(Case, &str)> = CASES.iter().flat_map(|case| case.signals.iter().map(|signal| (*case, *signal))).collect();
    let (next, ended) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((at, (case, name))) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, *all.get(at)?))) {
                    let message = stop(case, name);
                    ended.lock().expect("no case panicked").push((at, case, name, message));
                }
            });
        }
    });
    let mut ended = ended.into_inner().expect("no case panicked");
    ended.sort_by_key(|(at, ..)| *at);
    let mut table =
        "| command | interrupted | signals | exit code | it says | the same command then |\n|---|---|---|---|---|---|\n".to_owned();
    for case in CASES {
        let of_case = || ended.iter().filter(|(_, other, ..)| (other.command, other.moment) == (case.command, case.moment));
        let messages: BTreeSet<&str> = of_case().map(|(.., message)| message.as_str()).collect();
        assert_eq!(messages.len(), 1, "{}: {messages:?}", case.command);
        let signals = case.signals.iter().map(|name| name.replace('-', "SIG")).collect::<Vec<_>>().join(", ");
        let then = if case.command == "plan" || case.command == "status" { "answers" } else { "ends the work" };
        let message = messages.into_iter().collect::<String>();
        table += &format!("| `{}` | {} | {signals} | 130 | {message} | {then} |\n", case.command, case.moment);
    }
    docs::hold("reliability.md", "interrupts", &table);
}

/// Whether a process is there, and not only waits to be looked after.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[test]
fn an_interrupted_tour_leaves_no_process() {
    let tool = Tool::new();
    let mut child = tool.start(&["dev", "--once", "--output", "json", "--handler", handler::zip()]);
    let lines = await_event(&mut child, "check", "a client connects with a good token");
    let started: Vec<u32> = super::secrets::descendants(child.id()).into_iter().filter(|pid| *pid != child.id()).collect();
    signal(&child, "-TERM");
    let ended = rest(child, lines);
    // The tour may have been at its end already.
    assert!(matches!(ended.code, Some(0 | 130)), "{}\n{}", ended.out, ended.err);
    assert!(!started.is_empty(), "no handler ran");
    let since = Instant::now();
    while started.iter().any(|pid| lives(*pid)) {
        assert!(since.elapsed() < Duration::from_secs(5), "{started:?} are there still");
        block_on(tokio::time::sleep(Duration::from_millis(20)));
    }
}

#[test]
fn a_run_that_shall_outlive_its_terminal_does() {
    let delays = Delays { call: Duration::from_millis(50), ..Delays::default() };
    let cloud = Cloud::start(Options { delays, ..Options::default() }).expect("a cloud");
    let tool = Tool::of(&cloud);
    let mut child = tool.start_with("nohup", &["provision", "--output", "json"]);
    let lines = await_event(&mut child, "started", "create");
    signal(&child, "-HUP");
    let ended = rest(child, lines);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
}

#[test]
fn credentials_that_end_in_the_middle_say_what_is_done_and_how_to_go_on() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    let message = "The security token included in the request is expired".to_owned();
    let kind = Kind::Error { status: 403, code: "ExpiredTokenException".to_owned(), message };
    cloud.faults().plan(Fault { operation: "CreateRoute".to_owned(), nth: 1, times: 1000, moment: Moment::Before, kind });
    tool.run(&["provision"]).says(
        1,
        &[
            "error: cannot create route",
            "ExpiredTokenException: The security token included in the request is expired",
            "hint: the session is over: log in again",
            "done so far: ",
            "the same command goes on from here",
        ],
    );
    cloud.faults().clear();
    tool.run(&["provision"]).says(0, &["created   route $connect"]);
    tool.run(&["plan"]).says(0, &[]);
}

#[test]
fn a_clock_that_is_off_is_told_with_its_minutes() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    let said = [
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20261123T080000Z is now earlier than 20261123T084100Z (20261123T084600Z - 5 min.)",
            "hint: this machine's clock is 46 min behind AWS's: set it",
        ),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20261123T080000Z is still later than 20261123T073500Z (20261123T073000Z + 5 min.)",
            "hint: this machine's clock is 30 min ahead of AWS's: set it",
        ),
        (
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            "hint: this machine's clock is wrong",
        ),
    ];
    for (code, message, hint) in said {
        let kind = Kind::Error { status: 403, code: code.to_owned(), message: message.to_owned() };
        cloud.faults().clear();
        cloud.faults().plan(Fault { operation: "GetCallerIdentity".to_owned(), nth: 1, times: 1, moment: Moment::Before, kind });
        tool.run(&["plan"]).says(1, &[code, hint]);
    }
}

#[test]
fn keys_for_another_region_are_told_so() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let mut tool = Tool::of(&cloud);
    tool.set("AWS_REGION", "eu-west-1");
    tool.run(&["plan"]).says(1, &["hint: what answers there is in another Region: set `--region`"]);
    tool.set("AWS_REGION", "");
    tool.run(&["plan"]).says(1, &["no AWS Region is set", "hint: set `--region`"]);
}
