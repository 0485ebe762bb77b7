//! Every changing call of a run fails once, before and after it took effect: the next run finishes the work.

use wsfix::local::calls::CallRecord;
use wsfix::local::faults::{Fault, Kind, Moment};

use crate::support::{Sandbox, WEAK_ROLE, differences};

/// The changing calls of one pipeline, as `CreateRoute#2`.
fn changing(calls: &[CallRecord]) -> Vec<(String, u32)> {
    let mut list: Vec<(String, u32)> = Vec::new();
    for call in calls.iter().filter(|call| call.is_mutating() && call.service != "sts") {
        let nth = list.iter().filter(|(operation, _)| *operation == call.operation).count();
        list.push((call.operation.clone(), u32::try_from(nth + 1).expect("few calls")));
    }
    list
}

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    sandbox.config.api.routes.truncate(1);
    sandbox
}

fn fault(operation: &str, nth: u32, moment: Moment) -> Fault {
    let kind = Kind::Error { status: 400, code: "InjectedException".to_owned(), message: "made up".to_owned() };
    Fault { operation: operation.to_owned(), nth, times: 1, moment, kind }
}

#[test]
fn a_provision_that_fails_at_any_call_is_finished_by_the_next() {
    let first = sandbox();
    first.provision();
    let calls = changing(&first.cloud.calls().all());
    assert!(calls.len() >= 14, "{calls:?}");
    for (operation, nth) in &calls {
        for moment in [Moment::Before, Moment::After] {
            let at = format!("{operation}#{nth} {moment:?}");
            let sandbox = sandbox();
            sandbox.cloud.faults().plan(fault(operation, *nth, moment));
            let error = sandbox.try_provision().expect_err(&at);
            assert!(format!("{error:?}").contains(operation.as_str()), "{at}: {error:?}");
            sandbox.cloud.faults().clear();
            sandbox.try_provision().unwrap_or_else(|error| panic!("{at}: {error:#?}"));
            assert_eq!(differences(&sandbox.plan()), Vec::<String>::new(), "{at}");
            sandbox.try_teardown().unwrap_or_else(|error| panic!("{at}: {error:#?}"));
            assert_eq!(sandbox.leftovers(), Vec::<String>::new(), "{at}");
        }
    }
}

#[test]
fn a_teardown_that_fails_at_any_call_is_finished_by_the_next() {
    let first = sandbox();
    first.provision();
    first.cloud.calls().clear();
    first.teardown();
    for (operation, nth) in changing(&first.cloud.calls().all()) {
        for moment in [Moment::Before, Moment::After] {
            let at = format!("{operation}#{nth} {moment:?}");
            let sandbox = sandbox();
            sandbox.provision();
            sandbox.cloud.faults().plan(fault(&operation, nth, moment));
            sandbox.try_teardown().expect_err(&at);
            sandbox.cloud.faults().clear();
            sandbox.try_teardown().unwrap_or_else(|error| panic!("{at}: {error:#?}"));
            assert_eq!(sandbox.leftovers(), Vec::<String>::new(), "{at}");
        }
    }
}

/// The SDK repeats a call whose answer was lost, and is then told that the thing is there.
#[test]
fn a_lost_answer_is_no_failure() {
    for operation in
        ["CreateTable", "CreateLogGroup", "CreateFunction", "AddPermission", "CreateRoute", "CreateRouteResponse", "CreateStage"]
    {
        let sandbox = sandbox();
        sandbox.cloud.faults().plan(Fault { kind: Kind::Reset, ..fault(operation, 1, Moment::After) });
        sandbox.try_provision().unwrap_or_else(|error| panic!("{operation}: {error:#?}"));
        assert_eq!(differences(&sandbox.plan()), Vec::<String>::new(), "{operation}");
    }
    // These two are never repeated: a second one could not be told from the first.
    for operation in ["CreateApi", "CreateIntegration"] {
        let sandbox = sandbox();
        sandbox.cloud.faults().plan(Fault { kind: Kind::Reset, ..fault(operation, 1, Moment::After) });
        sandbox.try_provision().expect_err(operation);
        let calls = sandbox.cloud.calls().all();
        assert_eq!(calls.iter().filter(|call| call.operation == operation).count(), 1, "{operation}");
        sandbox.provision();
        assert_eq!(differences(&sandbox.plan()), Vec::<String>::new(), "{operation}");
        sandbox.teardown();
        assert_eq!(sandbox.leftovers(), Vec::<String>::new(), "{operation}");
    }
}
