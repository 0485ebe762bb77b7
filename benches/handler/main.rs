//! What the handler costs, beside three others that serve the same events: a bare `lambda_runtime` that does nothing, a plain handler in Rust
//! with everything at its defaults, and one in JavaScript.
//!
//! `cargo bench --bench handler` builds all of them, prints one table, and ends with 1 where a goal is missed. `-- --rounds 5` is quicker and
//! less exact. Each round goes through all candidates, so that a busy machine slows all of them, and the goals are ratios of processor time.

#![allow(clippy::print_stdout, reason = "the table is what this is for")]

#[cfg(target_os = "linux")]
mod candidates;
#[cfg(target_os = "linux")]
mod events;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod runtime;
#[cfg(target_os = "linux")]
mod stubs;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = arguments.iter().position(|argument| argument == "--rounds").and_then(|at| arguments.get(at + 1)?.parse().ok());
    let folder = tempfile::tempdir().expect("a folder");
    let built = candidates::build(folder.path());
    let driver = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let measured = driver.block_on(measure::measure(&built, folder.path(), rounds.unwrap_or(20)));
    let report = report::Report::of(&measured);
    println!("{}", report.table);
    for goal in &report.missed {
        println!("missed: {goal}");
    }
    std::process::ExitCode::from(u8::from(!report.missed.is_empty()))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark reads /proc and runs what Lambda runs: it needs Linux");
}
