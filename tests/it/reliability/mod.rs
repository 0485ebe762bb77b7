//! What a run does when something goes wrong: the tables of docs/reliability.md, one file for each.

mod abuse;
mod asynchronous;
mod fidelity;
mod interrupts;
mod load;
mod picture;
mod races;
mod scene;
mod secrets;
mod summary;
mod sweep;
mod teardown;
mod terminals;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether every case is tried, and not only those that fit into the time of all tests: `WSFIX_SWEEP=full`.
fn full() -> bool {
    std::env::var_os("WSFIX_SWEEP").is_some_and(|value| value == "full")
}

/// How many cases run at once. Most of their time they wait.
const AT_ONCE: usize = 4;

/// Tries every case, several at a time, and answers in their order.
fn try_all<C: Sync, R: Send>(cases: &[C], try_one: impl Fn(&C) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((at, case)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cases.get(at)?))) {
                    let result = try_one(case);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
