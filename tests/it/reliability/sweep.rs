//! Every call of every run goes wrong in every way: the run gets over it, or says which call it was, and the next one finishes the work.

mod killed;
mod table;

use std::time::{Duration, Instant};

use wsfix::local::calls::CallRecord;
use wsfix::local::faults::{Fault, Kind, Moment};

use super::scene::{self, Scene};
use super::{full, picture, try_all};
use crate::support::docs::{hold, shown};
use crate::support::{Sandbox, differences};

/// Of so many cases one is tried each time that all tests run.
const SHARE: usize = 5;
/// The longest that a run may take, whatever happens to one of its calls.
const LONGEST: Duration = Duration::from_secs(60);
/// How long an answer is waited for where one is slow, and how slow it is.
const PATIENCE: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_millis(2500);

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Refused,
    Undone,
    Lost,
    Reset,
    Throttled,
    Broken,
    Slow,
    Denied,
    KilledBefore,
    KilledAfter,
}

impl Trouble {
    const ALL: [Self; 10] = [
        // The slow ones first: they wait, and the others work meanwhile.
        Self::Slow,
        Self::Refused,
        Self::Undone,
        Self::Lost,
        Self::Reset,
        Self::Throttled,
        Self::Broken,
        Self::Denied,
        Self::KilledBefore,
        Self::KilledAfter,
    ];

    /// As the table says it.
    fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Undone => "done, called an error",
            Self::Lost => "done, answer lost",
            Self::Reset => "reset",
            Self::Throttled => "throttled x3",
            Self::Broken => "HTTP 500 x3",
            Self::Slow => "done, answer too slow",
            Self::Denied => "denied",
            Self::KilledBefore => "killed before",
            Self::KilledAfter => "killed after",
        }
    }

    fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    fn fault(self, operation: &str, nth: u32) -> Fault {
        let refused = || Kind::Error { status: 400, code: "InjectedException".to_owned(), message: "made up".to_owned() };
        let (moment, kind, times) = match self {
            Self::Refused => (Moment::Before, refused(), 1),
            Self::Undone => (Moment::After, refused(), 1),
            Self::Lost => (Moment::After, Kind::Reset, 1),
            Self::Reset => (Moment::Before, Kind::Reset, 1),
            Self::Throttled => (Moment::Before, Kind::Throttled, 3),
            Self::Broken => (Moment::Before, Kind::Broken, 3),
            Self::Slow => (Moment::After, Kind::Slow(SLOW), 1),
            Self::Denied => (Moment::Before, Kind::Denied, u32::MAX),
            Self::KilledBefore => (Moment::Before, Kind::Silent, 1),
            Self::KilledAfter => (Moment::After, Kind::Silent, 1),
        };
        Fault { operation: operation.to_owned(), nth, times, moment, kind }
    }
}

/// One call of one run, and what goes wrong with it.
#[derive(Clone, Debug)]
struct Case {
    scene: Scene,
    /// `lambda:CreateFunction`
    operation: String,
    nth: u32,
    mutating: bool,
    trouble: Trouble,
}

/// How a case ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The run did all of it, as if nothing had been.
    Itself,
    /// The run did without what was denied, and said so.
    Without,
    /// The run named the call; the next one did the rest.
    Next,
}

/// The calls of a run, each as operation and number. All of them, or the first and the last of an operation.
fn calls(calls: &[CallRecord], all: bool) -> Vec<(String, u32, bool)> {
    let mut list: Vec<(String, u32, bool)> = Vec::new();
    for call in calls {
        let operation = format!("{}:{}", call.service, call.operation);
        let nth = list.iter().filter(|(other, ..)| *other == operation).count();
        list.push((operation, u32::try_from(nth + 1).expect("few calls"), call.is_mutating() && call.service != "sts"));
    }
    let count = |operation: &str| list.iter().filter(|(other, ..)| other == operation).count();
    let kept = |(operation, nth, _): &&(String, u32, bool)| all || *nth == 1 || *nth as usize == count(operation);
    list.iter().filter(kept).cloned().collect()
}

/// Every case; or so many of them, over all calls and all troubles alike, as fit into the time of all tests.
fn cases() -> Vec<Case> {
    let scenes = Scene::ALL.map(|scene| (scene, calls(&scene.calls(), full())));
    let mut cases = Vec::new();
    for (column, trouble) in Trouble::ALL.into_iter().enumerate() {
        let all = scenes.iter().flat_map(|(scene, calls)| calls.iter().map(move |call| (*scene, call)));
        // What only reads is the same in every run, and a run that was killed between two changes is one that was killed at either.
        let tried = all.filter(|(scene, (.., mutating))| *mutating || (*scene == Scene::Fresh && !trouble.kills()));
        let picked = tried.enumerate().filter(|(row, _)| full() || (row + column) % SHARE == 0);
        cases.extend(picked.map(|(_, (scene, (operation, nth, mutating)))| Case {
            scene,
            operation: operation.clone(),
            nth: *nth,
            mutating: *mutating,
            trouble,
        }));
    }
    cases
}

/// `cargo test --test it reliability::sweep -- --nocapture` prints the table, with `WSFIX_SWEEP=full` of every call that there is.
#[test]
#[expect(clippy::print_stdout, reason = "numbers for a person")]
fn nothing_that_goes_wrong_with_a_call_is_lost() {
    let wanted = |scene: Scene| {
        let sandbox = scene.set();
        scene.run(&sandbox).expect("nothing goes wrong");
        picture::of(&sandbox)
    };
    let pictures = [wanted(Scene::Fresh), wanted(Scene::Edited), wanted(Scene::Settings), wanted(Scene::Teardown)];
    assert_eq!(picture::difference(&pictures[0], &pictures[1]), Vec::<String>::new(), "a repaired stack is as a new one");
    assert_eq!(pictures[3], Vec::<String>::new());
    let cases = cases();
    let started = Instant::now();
    let results = try_all(&cases, |case| try_case(case, &pictures[case.scene as usize]));
    let table = table::of(&cases, &results);
    println!("{}\n{:.1} s", table.text(), started.elapsed().as_secs_f64());
    let failed: Vec<String> = cases
        .iter()
        .zip(&results)
        .filter_map(|(case, result)| {
            Some(format!("{} {}#{} {}: {}", case.scene.name(), case.operation, case.nth, case.trouble.name(), result.as_ref().err()?))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
    if full() {
        hold("reliability.md", "sweep", &table.text());
    } else {
        table.is_part_of(&shown("reliability.md", "sweep"));
    }
}

/// One case, from an account as it was before to the same account after a teardown.
fn try_case(case: &Case, wanted: &[String]) -> Result<Outcome, String> {
    let mut sandbox = case.scene.set();
    let before = sandbox.cloud.inventory();
    if case.trouble == Trouble::Slow {
        (sandbox.config.connection.pace.answer, sandbox.config.connection.pace.upload) = (PATIENCE, PATIENCE);
    }
    sandbox.cloud.faults().plan(case.trouble.fault(&case.operation, case.nth));
    let ended = if case.trouble.kills() { killed::run(case.scene, &sandbox) } else { run(case, &sandbox) };
    let struck = sandbox.cloud.faults().struck();
    sandbox.cloud.faults().clear();
    let ended = ended?;
    if struck == 0 && !case.mutating && case.nth > 1 {
        // What is waited for by asking again is asked for as often as it takes: this run asked once less than the one whose calls were noted.
        return try_case(&Case { nth: case.nth - 1, ..case.clone() }, wanted);
    }
    if struck == 0 {
        return Err("nothing went wrong".to_owned());
    }
    let mut without = false;
    if case.scene == Scene::Teardown {
        if ended.is_err() {
            sandbox.try_teardown().map_err(|error| format!("the second teardown: {error:#?}"))?;
        }
    } else {
        without = stands(&sandbox, &ended, wanted)?;
        sandbox.try_teardown().map_err(|error| format!("teardown: {error:#?}"))?;
    }
    let left = sandbox.cloud.inventory();
    if !left.is_empty() {
        return Err(format!("left, of {before:?}: {left:?}"));
    }
    Ok(match ended {
        Err(_) => Outcome::Next,
        Ok(_) if without => Outcome::Without,
        Ok(_) => Outcome::Itself,
    })
}

/// How a run ended: with these notes, or with an error, which names the call.
type Ended = Result<Vec<String>, String>;

/// The run in which a call goes wrong.
fn run(case: &Case, sandbox: &Sandbox) -> Result<Ended, String> {
    let started = Instant::now();
    let ended = case.scene.run(sandbox).map_err(|error| format!("{error:?}"));
    let took = started.elapsed();
    if took > LONGEST {
        return Err(format!("it took {took:?}"));
    }
    let name = case.operation.split_once(':').map_or("", |(_, name)| name);
    match ended {
        Err(error) if !error.contains(name) => Err(format!("the error does not name the call: {error}")),
        ended => Ok(ended),
    }
}

/// Whether exactly one stack stands, as the config has it: after a run that failed, once a second one is through; after one that did without a part,
/// and told so, as it can be or once that part may be made. Answers whether it did without.
fn stands(sandbox: &Sandbox, ended: &Ended, wanted: &[String]) -> Result<bool, String> {
    let again = || sandbox.try_provision().map_err(|error| format!("the second run: {error:#?}"));
    if ended.is_err() {
        again()?;
    }
    let look = || sandbox.try_plan().map_err(|error| format!("the plan: {error:#?}"));
    let (mut plan, mut without) = (look()?, false);
    if !plan.is_empty() && ended.as_ref().is_ok_and(|notes| !notes.is_empty()) {
        without = true;
        again()?;
        plan = look()?;
    }
    if !plan.is_empty() {
        return Err(format!("the plan is not empty: {:?}", differences(&plan)));
    }
    let difference = picture::difference(wanted, &picture::of(sandbox));
    // What was denied is remembered, told in each run, and no difference from then on.
    let remembered = plan.notes.iter().any(|note| note.contains("was denied and is done without") || note.contains("access logs"));
    if !difference.is_empty() && !remembered {
        return Err(format!("another stack: {difference:#?}"));
    }
    Ok(without || !difference.is_empty())
}

#[test]
fn a_half_made_stack_can_be_torn_down_at_once() {
    let calls = calls(&Scene::Fresh.calls(), false);
    let halves: Vec<_> = calls.into_iter().filter(|(.., mutating)| *mutating).collect();
    let results = try_all(&halves, |(operation, nth, _)| {
        let sandbox = scene::empty();
        sandbox.cloud.faults().plan(Trouble::Undone.fault(operation, *nth));
        let Err(error) = sandbox.try_provision() else { return Err("it did not fail".to_owned()) };
        sandbox.cloud.faults().clear();
        sandbox.try_teardown().map_err(|error| format!("teardown: {error:#?}"))?;
        let left = sandbox.cloud.inventory();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} left after {error:?}")) }
    });
    let failed: Vec<_> = halves.iter().zip(results).filter_map(|(half, result)| Some((half, result.err()?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
