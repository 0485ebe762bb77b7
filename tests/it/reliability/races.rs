//! Several runs at once in one account: one stack stands in the end, and whoever did not get through says so.

mod sets;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use wsfix::config::Config;
use wsfix::local::calls::Calls;
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::provision::error::Cause;
use wsfix::provision::{self, Consent, Error, Run, Stop};

use super::scene::empty;
use super::{full, picture, try_all};
use crate::support::docs::hold;
use crate::support::{Heard, Sandbox, block_on, differences};

/// The longest that a call waits before it takes effect, and again before it is answered.
const LONGEST: Duration = Duration::from_millis(4);

/// What one of the runs does.
#[derive(Clone, Debug)]
struct Does {
    teardown: bool,
    config: Config,
}

impl Does {
    /// Runs it as a process of its own would, and notes when it ended.
    fn run(&self) -> Ended {
        let said = self.said();
        Ended { said, at: Instant::now() }
    }

    /// What it says of itself: the id of the API that is the stack's.
    fn said(&self) -> Result<Option<String>, Error> {
        let (heard, stop) = (Heard::default(), Stop::default());
        let run = Run { config: &self.config, reporter: &heard, stop: &stop, consent: Consent::default() };
        block_on(async {
            if self.teardown {
                let plan = provision::plan_teardown(&run).await?;
                return provision::teardown(&run, &plan).await.map(|_| None);
            }
            provision::provision(&run).await.map(|done| Some(done.outputs.api_id))
        })
    }
}

/// How a run ended.
struct Ended {
    said: Result<Option<String>, Error>,
    at: Instant,
}

/// Runs that begin at the same time.
struct Race {
    name: &'static str,
    /// The account as it is before, and what each run does.
    set: fn() -> (Sandbox, Vec<Does>),
    /// Calls that wait for those of the other runs, besides the orders that seeds give.
    meets: &'static [(&'static str, Moment)],
    /// Calls of the other runs after which the last run begins.
    late: &'static [&'static str],
}

/// When the calls of a race go on.
#[derive(Clone, Copy, Debug)]
enum Order {
    Seed(u64),
    Meet(&'static str, Moment),
    Late(&'static str, u64),
}

/// `cargo test --test it reliability::races -- --nocapture` prints what the runs said; with `WSFIX_SWEEP=full` of many more orders.
#[test]
#[expect(clippy::print_stdout, reason = "numbers for a person")]
fn runs_at_the_same_time_leave_one_stack() {
    let seeds = if full() { 12 } else { 1 };
    let cases: Vec<(&Race, Order)> = sets::RACES
        .iter()
        .flat_map(|race| {
            let meets = race.meets.iter().map(|(operation, moment)| Order::Meet(operation, *moment));
            let late = race.late.iter().flat_map(|operation| (1..=seeds).map(|seed| Order::Late(operation, seed)));
            (1..=seeds).map(Order::Seed).chain(meets).chain(late).map(move |order| (race, order))
        })
        .collect();
    let results = try_all(&cases, |(race, order)| try_race(race, *order));
    let (mut table, mut told) = ("| runs at once | orders tried | lost |\n|---|---|---|\n".to_owned(), String::new());
    for race in sets::RACES {
        let of = || cases.iter().zip(&results).filter(|((other, _), _)| other.name == race.name).map(|(_, result)| result);
        let done: usize = of().map(|result| result.done).sum();
        let mut words: Vec<&String> = of().flat_map(|result| &result.said_so).collect();
        words.sort();
        words.dedup();
        let said_so: usize = of().map(|result| result.said_so.len()).sum();
        let lost = of().filter(|result| !result.wrong.is_empty()).count();
        let _ = writeln!(table, "| {} | {} | {lost} |", race.name, of().count());
        let _ = writeln!(told, "{}: {done} runs did it, {said_so} said that they did not: {words:#?}", race.name);
    }
    println!("{table}\n{told}");
    let wrong: Vec<String> = cases
        .iter()
        .zip(&results)
        .filter(|(_, result)| !result.wrong.is_empty())
        .map(|((race, order), result)| format!("{}, {order:?}: {:#?}\n  said: {:#?}", race.name, result.wrong, result.said_so))
        .collect();
    assert!(wrong.is_empty(), "{} of {} races:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    if !full() {
        hold("reliability.md", "races", &table);
    }
}

/// What became of one race.
#[derive(Debug, Default)]
struct Outcome {
    /// Runs that said that all is done.
    done: usize,
    /// What the others said.
    said_so: Vec<String>,
    wrong: Vec<String>,
}

fn try_race(race: &Race, order: Order) -> Outcome {
    let (sandbox, runs) = (race.set)();
    let (faults, calls) = (sandbox.cloud.faults(), sandbox.cloud.calls());
    calls.clear();
    match order {
        Order::Seed(seed) | Order::Late(_, seed) => faults.scatter(seed, LONGEST),
        Order::Meet(operation, moment) => faults.meet(operation, moment, runs.len()),
    }
    let begin = |at: usize, does: &Does| {
        if let (Order::Late(operation, _), true) = (order, at + 1 == runs.len()) {
            wait_called(calls, operation);
        }
        does.run()
    };
    let ended: Vec<Ended> = std::thread::scope(|scope| {
        let started: Vec<_> = runs.iter().enumerate().map(|(at, does)| scope.spawn(move || begin(at, does))).collect();
        started.into_iter().map(|run| run.join().expect("no run panics")).collect()
    });
    faults.clear();
    let said_so: Vec<String> = ended.iter().filter_map(|ended| ended.said.as_ref().err()).map(words).collect();
    let done = ended.len() - said_so.len();
    let mut outcome = Outcome { done, said_so, wrong: Vec::new() };
    judge(&sandbox, &runs, &ended, &mut outcome);
    if outcome.wrong.is_empty() {
        heal(&sandbox, &runs, &mut outcome);
    }
    outcome
}

/// Waits until a run has called this, two seconds at most: it may never be called.
fn wait_called(calls: &Calls, operation: &str) {
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end && !calls.all().iter().any(|call| call.operation == operation) {
        block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    }
}

/// In few words, without ids.
fn words(error: &Error) -> String {
    match error {
        Error::Incomplete { errors, .. } => {
            errors.iter().map(|error| format!("{} {:?}", error.operation, error.cause)).collect::<Vec<_>>().join(", ")
        }
        Error::Refused(refusals) => refusals.iter().map(|refusal| format!("refused {}: {}", refusal.resource, refusal.reason)).collect(),
        other => other.to_string(),
    }
}

/// Whether what stands is what somebody said that he made; or somebody said that it is not.
fn judge(sandbox: &Sandbox, runs: &[Does], ended: &[Ended], outcome: &mut Outcome) {
    let found = picture::of(sandbox);
    let made: Vec<&Config> =
        runs.iter().zip(ended).filter(|(does, ended)| !does.teardown && ended.said.is_ok()).map(|(does, _)| &does.config).collect();
    let deleted = runs.iter().zip(ended).any(|(does, ended)| does.teardown && ended.said.is_ok());
    let teardowns = runs.iter().any(|does| does.teardown);
    if teardowns {
        judge_last(runs, ended, &found, outcome);
    }
    let whole = wanted(runs).into_iter().filter(|(configs, _)| configs.iter().all(|config| made.iter().any(|made| same(made, config))));
    let stands = whole.map(|(_, wanted)| picture::difference(&wanted, &found)).min_by_key(Vec::len);
    let serial = stands.as_ref().is_some_and(Vec::is_empty) || (deleted && found.is_empty());
    if !serial && outcome.said_so.is_empty() {
        outcome.wrong.push(format!("nobody made what stands, and all said that they were done: {stands:#?}"));
    }
    if !serial && !teardowns && made.len() == runs.len() {
        outcome.wrong.push(format!("another stack: {stands:#?}"));
    }
    // Of two configs each run may undo the other's, until both give up and say so.
    if made.is_empty()
        && !teardowns
        && runs.iter().all(|does| does.config.stack != runs[0].config.stack || same(&does.config, &runs[0].config))
    {
        outcome.wrong.push("nobody got through".to_owned());
    }
    let apis = sandbox.cloud.inventory().into_iter().filter(|line| line.starts_with("api ")).count();
    let stacks = wanted_stacks(runs);
    if apis > stacks {
        outcome.wrong.push(format!("{apis} APIs"));
    }
    for error in ended.iter().filter_map(|ended| ended.said.as_ref().err()) {
        if let Error::Incomplete { errors, .. } = error
            && let Some(error) = errors.iter().find(|error| matches!(error.cause, Cause::Other | Cause::Invalid | Cause::Unreachable))
        {
            outcome.wrong.push(format!("no true word of a race: {error:?}"));
        }
    }
}

/// Where some make a stack and others delete it, whoever ends last and says that it is done is right: a whole stack stands, or nothing.
fn judge_last(runs: &[Does], ended: &[Ended], found: &[String], outcome: &mut Outcome) {
    let last = runs.iter().zip(ended).max_by_key(|(_, ended)| ended.at).filter(|(_, ended)| ended.said.is_ok());
    let wrong = match last {
        Some((does, _)) if does.teardown => found.to_vec(),
        Some(_) => wanted(runs).into_iter().flat_map(|(_, wanted)| picture::difference(&wanted, found)).collect(),
        None => Vec::new(),
    };
    if !wrong.is_empty() {
        outcome.wrong.push(format!("who ended last said that it is done: {wrong:#?}"));
    }
}

/// Whether two configs want the same.
fn same(one: &Config, other: &Config) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

fn wanted_stacks(runs: &[Does]) -> usize {
    let mut stacks: Vec<&str> = runs.iter().map(|does| does.config.stack.as_str()).collect();
    stacks.sort_unstable();
    stacks.dedup();
    stacks.len()
}

/// The pictures that may stand in the end, each with the configs that it is made of.
fn wanted(runs: &[Does]) -> Vec<(Vec<&Config>, Vec<String>)> {
    let mut configs: Vec<&Config> = Vec::new();
    for does in runs.iter().filter(|does| !does.teardown) {
        if !configs.iter().any(|config| same(config, &does.config)) {
            configs.push(&does.config);
        }
    }
    let sets: Vec<Vec<&Config>> =
        if wanted_stacks(runs) > 1 { vec![configs] } else { configs.into_iter().map(|config| vec![config]).collect() };
    sets.into_iter()
        .map(|configs| {
            let mut sandbox = empty();
            for config in &configs {
                let connection = sandbox.config.connection.clone();
                sandbox.config = Config { connection, ..(*config).clone() };
                sandbox.provision();
            }
            let picture = picture::of(&sandbox);
            (configs, picture)
        })
        .collect()
}

/// One more run puts right whatever is left, and a teardown takes all of it away.
fn heal(sandbox: &Sandbox, runs: &[Does], outcome: &mut Outcome) {
    let mut stacks: Vec<&Does> = Vec::new();
    for does in runs {
        if !stacks.iter().any(|other| other.config.stack == does.config.stack) {
            stacks.push(does);
        }
    }
    for does in &stacks {
        let again = Does { teardown: false, config: does.config.clone() };
        if let Err(error) = again.said() {
            outcome.wrong.push(format!("the next run: {error:#?}"));
        }
    }
    for does in &stacks {
        let gone = Does { teardown: true, config: does.config.clone() };
        if let Err(error) = gone.said() {
            outcome.wrong.push(format!("the teardown: {error:#?}"));
        }
    }
    let left = sandbox.cloud.inventory();
    if !left.is_empty() {
        outcome.wrong.push(format!("left: {left:?}"));
    }
}

/// Between the look at the table and the look at its tags somebody deletes it: it is not somebody else's.
#[test]
fn a_table_that_goes_while_it_is_read_is_made_anew() {
    let sandbox = empty();
    sandbox.provision();
    sandbox.cloud.faults().meet("ListTagsOfResource", Moment::Before, 2);
    let does = Does { teardown: false, config: sandbox.config.clone() };
    sandbox.cloud.calls().clear();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| does.said());
        wait_called(sandbox.cloud.calls(), "DescribeTable");
        let aws = sandbox.aws();
        block_on(async {
            aws.dynamodb.delete_table().table_name(&sandbox.config.table).send().await.expect("a deletion");
            let arn = format!("arn:aws:dynamodb:us-east-1:111122223333:table/{}", sandbox.config.table);
            aws.dynamodb.list_tags_of_resource().resource_arn(arn).send().await.expect_err("no tags");
        });
        run.join().expect("no panic").expect("a stack");
    });
    assert!(sandbox.mutating().contains(&"CreateTable".to_owned()), "{:?}", sandbox.mutating());
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

/// The marks of a table that was made a moment ago are not known yet: whoever comes then waits for them, and says nothing wrong.
#[test]
fn a_table_whose_marks_are_read_late_is_still_this_stacks() {
    let sandbox = empty();
    sandbox.provision();
    let late = |times| {
        sandbox.cloud.faults().clear();
        for (operation, code) in [("ListTagsOfResource", "ResourceNotFoundException"), ("GetResourcePolicy", "PolicyNotFoundException")] {
            let kind = Kind::Error { status: 400, code: code.to_owned(), message: "not found".to_owned() };
            sandbox.cloud.faults().plan(Fault { operation: operation.to_owned(), nth: 1, times, moment: Moment::Before, kind });
        }
        sandbox.cloud.calls().clear();
    };
    late(2);
    // Nothing proves yet whose function it is, either.
    block_on(sandbox.aws().lambda.delete_function().function_name(&sandbox.config.function.name).send()).expect("gone");
    sandbox.provision();
    let touched: Vec<String> = sandbox.mutating().into_iter().filter(|call| call.contains("Table") || call.contains("Tag")).collect();
    assert_eq!(touched, Vec::<String>::new());
    late(2);
    let Err(Error::Refused(refusals)) = sandbox.try_teardown() else { panic!("not refused") };
    assert!(refusals[0].reason.contains("nobody can tell yet whose it is"), "{refusals:#?}");
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
}

#[test]
fn a_second_run_that_comes_late_joins_the_first() {
    let sandbox = empty();
    let first = sandbox.provision().outputs.api_id;
    let does = Does { teardown: false, config: sandbox.config.clone() };
    assert_eq!(does.said().expect("a second run"), Some(first));
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}
