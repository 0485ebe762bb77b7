//! The life of a stack: made, left alone, put right, taken away.

use std::time::{Duration, Instant};

use wsfix::local::{Delays, Options};
use wsfix::provision::plan::Action;

use wsfix::provision::Error;

use super::support::{Sandbox, WEAK_ROLE, chain, differences, sum};

#[test]
fn a_fresh_stack_has_no_differences_and_a_teardown_leaves_nothing() {
    let sandbox = Sandbox::new();
    let made = sandbox.provision();
    assert!(made.plan.changes().all(|step| step.action == Action::Create), "{:#?}", differences(&made.plan));
    assert!(made.outputs.websocket_url.starts_with("ws://127.0.0.1:"), "{:#?}", made.outputs);
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    let status = sandbox.status();
    let sick: Vec<_> = status.resources.iter().filter(|resource| resource.healthy != Some(true)).collect();
    assert!(sick.is_empty(), "{sick:#?}");

    let gone = sandbox.teardown();
    assert_eq!(gone.changes().count(), 4, "{:#?}", differences(&gone));
    assert!(sandbox.teardown().is_empty());
    assert_eq!(sandbox.plan().changes().count(), made.plan.changes().count());
}

#[test]
fn a_second_run_makes_no_mutating_call() {
    for role in [super::support::GOOD_ROLE, WEAK_ROLE] {
        let mut sandbox =
            Sandbox::with(Options { delays: Delays { call: Duration::from_millis(200), ..Delays::default() }, ..Options::default() });
        sandbox.config.existing_role = Some(role.to_owned());
        sandbox.provision();
        sandbox.cloud.calls().clear();
        let again = sandbox.provision();
        assert!(again.plan.is_empty(), "{role}: {:#?}", differences(&again.plan));
        assert_eq!(sandbox.mutating(), Vec::<String>::new(), "{role}");
        let chain = chain(&sandbox.cloud.calls().all());
        assert!(chain.len() <= 3, "{role}: {chain:?}");
    }
}

/// `cargo test --test it the_calls_of_a_run -- --nocapture` prints the numbers.
#[test]
#[expect(clippy::print_stdout, reason = "numbers for a person")]
fn the_calls_of_a_run_wait_for_each_other_as_little_as_they_can() {
    for (role, most) in [(super::support::GOOD_ROLE, 8), (WEAK_ROLE, 8)] {
        let call = Duration::from_millis(300);
        let mut sandbox = Sandbox::with(Options { delays: Delays { call, ..Delays::default() }, ..Options::default() });
        sandbox.config.existing_role = Some(role.to_owned());
        let start = Instant::now();
        sandbox.provision();
        let took = start.elapsed();
        let calls = sandbox.cloud.calls().all();
        let longest = chain(&calls);
        assert!(longest.len() <= most, "{role}: {longest:?}");
        let share = took.as_secs_f64() / sum(&calls).as_secs_f64();
        assert!(share <= 0.4, "{role}: {} calls, {took:?}, share {share:.2}, chain {longest:?}", calls.len());
        println!("{role}: {} calls, {took:?}, share {share:.2}, chain of {}: {longest:?}", calls.len(), longest.len());

        sandbox.cloud.calls().clear();
        sandbox.teardown();
        // A poll after the deletions is no call that anything waits for.
        let calls = sandbox.cloud.calls().all();
        let last = calls.iter().rposition(|call| call.is_mutating()).expect("deletions");
        let longest = chain(&calls[..=last]);
        // What is listed with its connections, what is proven once more, the API, and the rest.
        assert!(longest.len() <= 7, "{role}: {longest:?}");
        println!("{role}: teardown: {} calls, chain of {}: {longest:?}", calls.len(), longest.len());
    }
}

/// CreateTable goes out first, and everything else is done while the table is made.
#[test]
fn a_slow_table_costs_its_own_time_and_little_more() {
    let delays = Delays {
        call: Duration::from_millis(20),
        table: Duration::from_millis(1500),
        function: Duration::from_millis(400),
        deployment: Duration::from_millis(300),
        deletion: Duration::from_millis(400),
        ..Delays::default()
    };
    let sandbox = Sandbox::with(Options { delays, ..Options::default() });
    let start = Instant::now();
    sandbox.provision();
    let took = start.elapsed();
    assert!(took < delays.table + Duration::from_secs(2), "{took:?}");
    let calls = sandbox.cloud.calls().all();
    let mut changing: Vec<_> = calls.iter().filter(|call| call.is_mutating() && call.service != "sts").collect();
    changing.sort_by_key(|call| call.started);
    let first = changing.iter().position(|call| call.operation == "CreateTable").expect("a table");
    assert!(first < 3, "{:?}", changing.iter().map(|call| call.operation.as_str()).collect::<Vec<_>>());
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
    sandbox.teardown();
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[test]
fn a_run_that_is_stopped_says_what_is_left_and_the_next_goes_on() {
    let mut sandbox = Sandbox::new();
    sandbox.stop.request();
    let Err(Error::Stopped { done, left }) = sandbox.try_provision() else { panic!("not stopped") };
    assert!(done.is_empty());
    assert!(left.contains(&"table WebSocketConnections".to_owned()) && left.contains(&"stage prod".to_owned()), "{left:?}");
    assert_eq!(sandbox.mutating(), Vec::<String>::new());
    sandbox.stop = wsfix::provision::Stop::default();
    sandbox.provision();
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

#[test]
fn a_new_handler_is_uploaded_and_nothing_else_changes() {
    let sandbox = Sandbox::new();
    sandbox.provision();
    sandbox.change_handler(b"second");
    assert_eq!(differences(&sandbox.plan()), ["function websocket-handler: code"]);
    sandbox.cloud.calls().clear();
    sandbox.provision();
    assert_eq!(sandbox.mutating(), ["UpdateFunctionCode"]);
    assert_eq!(differences(&sandbox.plan()), Vec::<String>::new());
}

#[test]
fn a_plan_of_a_fresh_account_lists_the_rights_that_it_takes() {
    let plan = Sandbox::new().plan();
    let mut rights: Vec<&str> = plan.steps.iter().flat_map(|step| &step.calls).map(|call| call.iam).collect();
    rights.sort_unstable();
    rights.dedup();
    for right in [
        "apigateway:POST",
        "dynamodb:CreateTable",
        "dynamodb:UpdateTimeToLive",
        "iam:PassRole",
        "lambda:AddPermission",
        "lambda:CreateFunction",
    ] {
        assert!(rights.contains(&right), "{rights:?}");
    }
    assert!(rights.iter().all(|right| !right.starts_with("iam:") || *right == "iam:PassRole"), "{rights:?}");
}
