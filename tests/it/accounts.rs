//! Every account that comes with the tool, and what each command does in it: the table in `docs/accounts.md`.

mod table;
mod visit;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use serde_json::json;
use wsfix::local::Options;
use wsfix::local::account::{Account, built_in};

use crate::handler;
use crate::support::{Sandbox, WEAK_ROLE, block_on};
use crate::tool::Tool;

use visit::Visit;

/// Each account, visited once for all tests; the visits are concurrent, and this is their number at a time.
static VISITS: LazyLock<Vec<Visit>> = LazyLock::new(|| {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((at, account)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, built_in::ALL.get(at)?)))
                {
                    let visit = Visit::to(account, Path::new(handler::zip()));
                    done.lock().expect("no visit panicked").push((at, visit));
                }
            });
        }
    });
    let mut visits = done.into_inner().expect("no visit panicked");
    visits.sort_by_key(|(at, _)| *at);
    visits.into_iter().map(|(_, visit)| visit).collect()
});

#[test]
fn the_table_of_the_docs_says_what_happens() {
    table::hold(&VISITS);
}

#[test]
fn no_account_sees_a_write_to_iam_or_a_second_api() {
    for visit in &*VISITS {
        let writes: Vec<_> = visit.calls.iter().filter(|call| call.service == "iam" && call.is_mutating()).collect();
        assert!(writes.is_empty(), "{}: {writes:#?}", visit.name);
        // Only a call that was denied, and so made nothing, may be followed by another.
        let apis = visit.calls.iter().filter(|call| call.operation == "CreateApi" && call.status != 403).count();
        assert!(apis <= 1, "{}: {apis} calls of CreateApi", visit.name);
    }
    let operations: BTreeSet<&str> = VISITS.iter().flat_map(|visit| &visit.calls).map(|call| call.operation.as_str()).collect();
    assert!(operations.contains("CreateApi") && operations.contains("GetRole"), "nothing was recorded: {operations:?}");
}

/// What is left is what nobody could prove to be the stack's, and it is said.
#[test]
fn what_is_left_after_a_teardown_is_named() {
    for visit in &*VISITS {
        let teardown = visit.said("teardown");
        for left in &visit.left {
            let name = left.split(' ').next_back().unwrap_or(left);
            assert!(teardown.err.contains(name), "{}: {left} is left in silence:\n{}", visit.name, teardown.err);
        }
        assert!(visit.left.is_empty() || ["tags-denied", "logs-denied"].contains(&visit.name), "{}: {:?}", visit.name, visit.left);
    }
}

#[test]
fn a_stack_that_stands_works_and_is_not_changed_again() {
    for visit in VISITS.iter().filter(|visit| visit.code("provision") == Some(0)) {
        assert_eq!(visit.again, Vec::<String>::new(), "{}: a second run changes something", visit.name);
        match &visit.tour {
            Some(Ok(())) => {}
            // Where nobody can know whether the role may post replies, the way out is said.
            _ => assert!(visit.said("provision").err.contains("`reply: route-response`"), "{}: {:?}", visit.name, visit.tour),
        }
    }
}

/// Whatever is denied in the account: a stack that was just made is no reason for an alarm.
#[test]
fn the_status_of_a_fresh_stack_is_quiet() {
    for visit in VISITS.iter().filter(|visit| visit.code("provision") == Some(0)) {
        let status = &visit.said("status").out;
        let first = status.lines().next().unwrap_or_default();
        assert!(first.starts_with("stack `terminal`: healthy"), "{}:\n{status}", visit.name);
        for words in ["not ok", "difference"] {
            assert!(!status.contains(words), "{}: {words}\n{status}", visit.name);
        }
        assert!(status.contains("Everything is as the config says."), "{}:\n{status}", visit.name);
    }
    for visit in VISITS.iter().filter(|visit| ["several-fit-roles", "no-fit-role"].contains(&visit.name)) {
        assert!(visit.said("status").out.starts_with("stack `terminal`: not there"), "{}: {}", visit.name, visit.said("status").out);
    }
}

/// A role that may write logs and nothing else carries the whole stack.
#[test]
fn the_weak_role_passes_the_whole_tour() {
    let toured = Tool::new().run(&["dev", "--once", "--account", "weak-role", "--handler", handler::zip(), "--output", "json"]);
    toured.says(0, &[]);
    let document = toured.document();
    let checks = document["result"]["checks"].as_array().expect("a checklist");
    let passed = checks.iter().filter(|check| check["verdict"] == "passed").count();
    assert!(checks.len() >= 19 && passed == checks.len(), "{passed} of {}: {document:#}", checks.len());
}

/// What lets it in is a policy for this role alone, on this table and its index, with what the handler does there.
#[test]
fn the_tables_policy_gives_the_weak_role_what_the_handler_does_and_no_more() {
    let account = Account::of("weak-role").expect("an account");
    let mut sandbox = Sandbox::with(Options { account, ..Options::default() });
    sandbox.config.existing_role = Some(WEAK_ROLE.to_owned());
    sandbox.provision();
    let table = "arn:aws:dynamodb:us-east-1:111122223333:table/WebSocketConnections";
    let policy = block_on(sandbox.aws().dynamodb.get_resource_policy().resource_arn(table).send()).expect("a policy");
    let policy: serde_json::Value = serde_json::from_str(policy.policy().expect("a policy")).expect("JSON");
    let role = json!({ "AWS": "arn:aws:iam::111122223333:role/lambda_basic_execution" });
    let own = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WsfixStackterminal",
                "Effect": "Allow",
                "Principal": role,
                "Action": ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"],
                "Resource": table,
            },
            {
                "Sid": "WsfixStackterminalZIndex",
                "Effect": "Allow",
                "Principal": role,
                "Action": ["dynamodb:Query"],
                "Resource": format!("{table}/index/SessionIdIndex"),
            },
        ],
    });
    assert_eq!(policy, own);
}
