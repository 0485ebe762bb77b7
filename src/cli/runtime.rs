//! One thread, one runtime; and what Ctrl-C does to what runs there.

use std::future::Future;
use std::pin::pin;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

use crate::provision::{self, Stop};

use super::error::Error;
use super::ui::Ui;

/// Runs a command to its end on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::here(format!("cannot start: {error}"), ""))?;
    let ended = LocalSet::new().block_on(&runtime, work);
    runtime.shutdown_background(); // a name lookup may still be stuck in its thread
    ended
}

/// Interrupts from the terminal or the system: SIGINT, SIGTERM, and SIGHUP when the terminal goes away.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    /// `None`: whoever started this wants it to outlive its terminal (`nohup`).
    hangup: Option<Signal>,
}

impl Interrupts {
    /// Catches them from now on.
    pub(crate) fn catch() -> Result<Self, Error> {
        let catch = |kind| signal(kind).map_err(|error| Error::here(format!("cannot catch Ctrl-C: {error}"), ""));
        let hangup = if ignores_hangup() { None } else { Some(catch(SignalKind::hangup())?) };
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())?, hangup })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(_) = async { self.hangup.as_mut()?.recv().await } => {}
        }
    }
}

/// Whether SIGHUP is ignored, as the system tells it; catching it would undo that.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1))
}

/// A terminal's Ctrl-C also ends the compiler that builds the handler; that is no error of the handler's.
fn stopped(error: Error) -> Error {
    let compiler = matches!(&error, Error::Provision(inner) if matches!(**inner, provision::Error::Bundle(_)));
    if compiler { provision::Error::Stopped { done: Vec::new(), left: Vec::new() }.into() } else { error }
}

/// Runs `work`, which changes no account, until it ends or an interrupt comes; it is dropped then, with all that it started.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut interrupts = Interrupts::catch()?;
    tokio::select! {
        biased;
        ended = work => ended,
        () = interrupts.next() => Err(provision::Error::Stopped { done: Vec::new(), left: Vec::new() }.into()),
    }
}

/// Runs `work` until it ends. The first interrupt asks it to stop, so that the calls under way finish; the second one ends it at once.
pub(crate) async fn until_stopped<T>(ui: &Ui, stop: &Stop, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut interrupts = Interrupts::catch()?;
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            ended = &mut work => return ended.map_err(|error| if stop.requested() { stopped(error) } else { error }),
            () = interrupts.next() => {
                if stop.requested() {
                    return Err(Error::Aborted);
                }
                stop.request();
                ui.note("stopping: the calls that are under way finish first; Ctrl-C once more stops at once");
            }
        }
    }
}
