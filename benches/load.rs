//! Many connections with many messages through the local cloud, the handler and the built-in backend.
//!
//! `cargo bench --bench load` runs 2,000 connections with 1,000 messages a second for a minute; `-- 100 50 10`: connections, messages a second, seconds.
//! It ends with 1 where a message was lost or doubled, or something else came.

#![allow(clippy::print_stdout, reason = "the table is what this is for")]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, unreachable_pub, clippy::wildcard_enum_match_arm, reason = "shared with the tests, which use the rest")]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use support::load::{Load, run};

/// Megabytes that this process, with the local cloud and the clients in it, had at most; 0 where the system does not say.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    peak.unwrap_or_default() / 1024
}

fn main() -> ExitCode {
    let numbers: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let [connections, per_second, seconds] = match numbers.as_slice() {
        [connections, per_second, seconds] => [*connections, *per_second, *seconds],
        _ => [2000, 1000, 60],
    };
    let load = Load { connections, per_second: f64::from(per_second), time: Duration::from_secs(u64::from(seconds)) };
    let measured = run(load, PathBuf::from(env!("CARGO_BIN_EXE_wsfix-handler")));
    println!("| connections | messages | lost | doubled | anything else | half within | 99 of 100 within | all within | memory |");
    println!("|---|---|---|---|---|---|---|---|---|");
    println!(
        "| {connections} | {} in {:.1} s | {} | {} | {} | {:.1?} | {:.1?} | {:.1?} | {} MB |",
        measured.sent,
        measured.took.as_secs_f64(),
        measured.lost,
        measured.doubled,
        measured.other.len(),
        measured.delay(500),
        measured.delay(990),
        measured.delay(1000),
        memory()
    );
    measured.other.iter().take(10).for_each(|other| println!("{other}"));
    ExitCode::from(u8::from(measured.lost + measured.doubled + measured.other.len() > 0 || measured.sent == 0))
}
