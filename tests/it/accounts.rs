//! Every account that comes with the tool, and what each command does in it: the table in `docs/accounts.md`.

mod table;
mod visit;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use wsfix::local::account::built_in;

use visit::Visit;

/// Each account, visited once for all tests; the visits are concurrent, and this is their number at a time.
static VISITS: LazyLock<Vec<Visit>> = LazyLock::new(|| {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let handler = visit::handler();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((at, account)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, built_in::ALL.get(at)?)))
                {
                    let visit = Visit::to(account, handler.path());
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
