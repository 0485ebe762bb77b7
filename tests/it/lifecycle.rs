//! The life of a stack: made, left alone, put right, taken away.

use std::time::{Duration, Instant};

use wsfix::local::{Delays, Options};
use wsfix::provision::plan::Action;

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
            Sandbox::with(Options { delays: Delays { call: Duration::from_millis(30), ..Delays::default() }, ..Options::default() });
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

#[test]
fn the_calls_of_a_run_wait_for_each_other_as_little_as_they_can() {
    for (role, most) in [(super::support::GOOD_ROLE, 7), (WEAK_ROLE, 7)] {
        let call = Duration::from_millis(100);
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
        assert!(longest.len() <= 3, "{role}: {longest:?}");
        println!("{role}: teardown: {} calls, chain of {}: {longest:?}", calls.len(), longest.len());
    }
}
