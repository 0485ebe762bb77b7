//! AWS takes its time, reads late, loses things and counts calls: a stack's whole life in each of the local cloud's modes.

use std::time::Duration;

use aws_sdk_dynamodb::types::{DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, TableStatus, TimeToLiveSpecification};
use wsfix::config::Throttle;
use wsfix::local::Options;
use wsfix::local::faults::{Fault, Kind, Moment};
use wsfix::local::modes::{self, Mode};
use wsfix::provision::Error;

use crate::support::{Sandbox, WEAK_ROLE, block_on, differences, docs};

/// A mode, and what is held against it. The times are long enough to be waited for on a machine that is busy with other things.
struct Case {
    modes: Vec<&'static Mode>,
    /// How much faster its times pass.
    speed: f64,
    /// What a run is seen to wait for.
    waits: &'static [&'static str],
    /// What somebody changes behind wsfix's back.
    edit: fn(&Sandbox),
}

fn cases() -> Vec<Case> {
    let case = |name: &str, speed, waits, edit| Case { modes: vec![modes::find(name).expect(name)], speed, waits, edit };
    vec![
        case("table-states", 10.0, &["table: CREATING"], nothing),
        case("index-backfill", 240.0, &["table: Cannot delete table while indexes are being created"], without_index),
        case("function-states", 2.0, &["function: Pending", "function: update InProgress"], nothing),
        case("slow-deletions", 4.0, &["table: DELETING", "function: Deleting"], nothing),
        case(
            "late-reads",
            2.0,
            &["table: not known yet", "function: not known yet", "permission: the statement is not there yet"],
            nothing,
        ),
        case("late-deployments", 4.0, &["stage: deploying"], nothing),
        case("log-group-returns", 1.0, &[], nothing),
        case("permission-lost", 1.0, &["permission: the statement is not there yet"], nothing),
        case("role-not-assumable", 1.0, &["function: The role defined for the function cannot be assumed by Lambda"], nothing),
        case("quotas", 10.0, &[], nothing),
        Case { modes: modes::ALL.iter().collect(), speed: 10.0, waits: &["table: CREATING"], edit: nothing },
    ]
}

fn nothing(_: &Sandbox) {}

/// Deletes the index, so that the next run adds it.
fn without_index(sandbox: &Sandbox) {
    let aws = sandbox.aws();
    block_on(async {
        let index = DeleteGlobalSecondaryIndexAction::builder().index_name("SessionIdIndex").build().expect("an index");
        let update = GlobalSecondaryIndexUpdate::builder().delete(index).build();
        let call = aws.dynamodb.update_table().table_name(&sandbox.config.table).global_secondary_index_updates(update);
        call.send().await.expect("an update");
    });
}

fn sandbox(case: &Case) -> Sandbox {
    let mut options = Options { speed: case.speed, ..Options::default() };
    case.modes.iter().for_each(|mode| mode.switch_on(&mut options));
    let paced = options.quotas;
    let mut sandbox = Sandbox::with(options);
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    sandbox.config.connection.gateway_rate = paced.then(|| rate(case.speed));
    sandbox
}

/// The pace of AWS, on a clock that runs so much faster.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers")]
fn rate(speed: f64) -> Throttle {
    let Throttle { rate, burst } = wsfix::config::GATEWAY_RATE;
    Throttle { rate: (f64::from(rate) * speed) as u32, burst }
}

/// A provision, another one, one after changes, and a teardown. Answers with the row of the table.
fn life(case: &Case) -> String {
    let name = if case.modes.len() == 1 { case.modes[0].name } else { "all of them" };
    let mut sandbox = sandbox(case);
    sandbox.provision();

    sandbox.cloud.calls().clear();
    let again = sandbox.provision();
    assert_eq!(differences(&again.plan), Vec::<String>::new(), "{name}: a second run");
    assert_eq!(sandbox.mutating(), Vec::<String>::new(), "{name}: a second run");

    (case.edit)(&sandbox);
    sandbox.change_handler(b"second");
    sandbox.config.function.memory_mb = 512;
    sandbox.config.api.routes.push("other".to_owned());
    sandbox.provision();
    // Late reads catch up.
    pass(&sandbox, 2);
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new(), "{name}: after changes");
    let apis = sandbox.cloud.inventory().iter().filter(|what| what.starts_with("api ")).count();
    assert_eq!(apis, 1, "{name}: {:?}", sandbox.cloud.inventory());

    sandbox.teardown();
    assert_eq!(sandbox.cloud.inventory(), Vec::<String>::new(), "{name}: after a teardown");

    let heard = sandbox.heard.waits();
    for wait in case.waits {
        let (kind, state) = wait.split_once(": ").expect("a kind and a state");
        let found = heard.iter().any(|text| text.starts_with(kind) && text.contains(state));
        assert!(found, "{name}: nobody waited for `{wait}`: {heard:#?}");
    }
    let waits: Vec<String> = case.waits.iter().map(|wait| format!("`{wait}`")).collect();
    format!("| {name} | done | no changing call | done, no difference left | nothing left | {} |\n", waits.join(", "))
}

/// Lets so much time pass on the cloud's clock.
fn pass(sandbox: &Sandbox, seconds: u64) {
    block_on(async { tokio::time::sleep(sandbox.cloud.clock().real(Duration::from_secs(seconds))).await });
}

#[test]
fn a_stack_lives_through_every_mode() {
    let cases = cases();
    assert!(modes::ALL.iter().all(|mode| cases.iter().any(|case| case.modes.len() == 1 && case.modes[0].name == mode.name)));
    let rows: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = cases.iter().map(|case| scope.spawn(move || life(case))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let head = "| mode | provision | a second one | one after changes | teardown | what was waited for |\n|---|---|---|---|---|---|\n";
    docs::hold("reliability.md", "modes", &format!("{head}{}", rows.concat()));
}

#[test]
fn the_modes_are_documented() {
    let rows: String = modes::ALL.iter().map(|mode| format!("| `{}` | {} |\n", mode.name, mode.about)).collect();
    docs::hold("local-cloud.md", "modes", &format!("| mode | on AWS |\n|---|---|\n{rows}"));
}

/// Between two changes of expiry, and a little more.
const COOL_DOWN: u64 = 31 * 60 + 30;

/// Expiry was switched off a moment ago: AWS refuses to switch it on for half an hour, and nobody waits that long.
#[test]
fn expiry_comes_back_when_its_cool_down_is_over() {
    // Half an hour passes in half a second.
    let sandbox = Sandbox::with(Options { speed: 3600.0, ..Options::default() });
    sandbox.provision();
    pass(&sandbox, COOL_DOWN);
    let aws = sandbox.aws();
    let off = TimeToLiveSpecification::builder().enabled(false).attribute_name("expiresAt").build().expect("a setting");
    block_on(async {
        let call = aws.dynamodb.update_time_to_live().table_name(&sandbox.config.table).time_to_live_specification(off);
        call.send().await.expect("switched off");
    });
    sandbox.provision();
    let told = sandbox.heard.notes();
    assert!(told.iter().any(|note| note.contains("run `wsfix provision` again within the hour")), "{told:#?}");
    assert_eq!(differences(&sandbox.plan()), ["table WebSocketConnections: ttl_attribute"]);
    pass(&sandbox, COOL_DOWN);
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    sandbox.teardown();
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

/// What a person deletes, or another run, while this one looks away, is made anew.
#[test]
fn a_table_that_is_on_its_way_out_is_made_anew() {
    let case = Case { modes: vec![modes::find("slow-deletions").expect("a mode")], speed: 20.0, waits: &[], edit: nothing };
    let sandbox = sandbox(&case);
    sandbox.provision();
    let aws = sandbox.aws();
    let status = block_on(async {
        let answer = aws.dynamodb.delete_table().table_name(&sandbox.config.table).send().await.expect("a deletion");
        answer.table_description().and_then(|table| table.table_status()).cloned()
    });
    assert_eq!(status, Some(TableStatus::Deleting));
    if sandbox.try_provision().is_err() {
        // It was told to wait; once the table is gone a run makes it.
        pass(&sandbox, 6);
        sandbox.provision();
    }
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    sandbox.teardown();
}

/// The API alone is made, which is quick: the run after it must not take it for missing. What is read back of the permission takes as long.
#[test]
fn an_api_that_the_list_does_not_have_yet_is_not_made_twice() {
    let late = Case { modes: vec![modes::find("late-reads").expect("a mode")], speed: 2.0, waits: &[], edit: nothing };
    let sandbox = sandbox(&late);
    sandbox.provision();
    let aws = sandbox.aws();
    block_on(async {
        let apis = aws.api.get_apis().send().await.expect("apis");
        let id = apis.items().first().and_then(|api| api.api_id()).expect("an api");
        aws.api.delete_api().api_id(id).send().await.expect("a deletion");
    });
    pass(&sandbox, 3);
    sandbox.provision();
    sandbox.cloud.calls().clear();
    sandbox.provision();
    assert!(!sandbox.mutating().contains(&"CreateApi".to_owned()), "{:?}", sandbox.mutating());
    assert_eq!(sandbox.cloud.inventory().iter().filter(|what| what.starts_with("api ")).count(), 1);
}

/// As many custom routes, with a reply each, as nobody has; on a clock that runs eight times as fast.
fn routes(count: usize) -> Sandbox {
    let speed = 8.0;
    let mut sandbox = Sandbox::with(Options { speed, quotas: true, ..Options::default() });
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    sandbox.config.api.routes = (0..count).map(|number| format!("route{number}")).collect();
    // Half the pace: on this clock a moment in which the machine does something else weighs eight times as much.
    let Throttle { rate, burst } = rate(speed / 2.0);
    sandbox.config.connection.gateway_rate = Some(Throttle { rate, burst: burst / 2 });
    sandbox
}

/// Calls to API Gateway, and how many of them it refused.
fn gateway_calls(sandbox: &Sandbox) -> (usize, usize) {
    let calls = sandbox.cloud.calls().all();
    let calls: Vec<_> = calls.iter().filter(|call| call.service == "apigateway").collect();
    (calls.len(), calls.iter().filter(|call| call.status == 429).count())
}

#[test]
fn a_hundred_routes_stay_under_the_quota() {
    let sandbox = routes(100);
    let counted = |run: &dyn Fn(&Sandbox)| {
        sandbox.cloud.calls().clear();
        run(&sandbox);
        gateway_calls(&sandbox)
    };
    let counts = [
        ("provision", 212, counted(&|sandbox| drop(sandbox.provision()))),
        ("a second one", 108, counted(&|sandbox| assert_eq!(differences(&sandbox.provision().plan), Vec::<String>::new()))),
        ("teardown", 16, counted(&|sandbox| drop(sandbox.teardown()))),
    ];
    assert_eq!(sandbox.cloud.inventory(), Vec::<String>::new());
    for (what, most, (calls, refused)) in counts {
        // One look more or less depends on how quick the machine is; and where it stands still for a moment, calls come in bunches.
        assert!(calls - refused <= most, "{what}: {calls} calls, {refused} refused");
        assert!(refused * 5 <= calls, "{what}: {calls} calls, {refused} refused");
    }
    let rows: String = counts.iter().map(|(what, most, _)| format!("| {what} | {most} |\n")).collect();
    docs::hold("reliability.md", "quota", &format!("| 100 custom routes | calls to API Gateway, at most |\n|---|---|\n{rows}"));
}

/// The account's other users leave nothing for a while: what is refused is sent again.
#[test]
fn what_is_refused_for_the_quota_is_sent_again() {
    let sandbox = routes(20);
    let kind = Kind::Error { status: 429, code: "TooManyRequestsException".to_owned(), message: "Too Many Requests".to_owned() };
    sandbox.cloud.faults().plan(Fault { operation: "CreateRoute".to_owned(), nth: 1, times: 30, moment: Moment::Before, kind });
    sandbox.provision();
    assert_eq!(gateway_calls(&sandbox).1, 30);
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

#[test]
fn more_routes_than_an_api_has_are_refused_before_anything_is_made() {
    let sandbox = routes(298);
    let Err(Error::Refused(refusals)) = sandbox.try_provision() else { panic!("not refused") };
    assert!(refusals[0].reason.starts_with("301 routes are wanted, and an API has at most 300"), "{refusals:?}");
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    assert_eq!(routes(297).plan().changes().filter(|step| step.kind == "route").count(), 300);
}
