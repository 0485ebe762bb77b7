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

/// Interrupts from the terminal or the system: SIGINT and SIGTERM.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Catches them from now on.
    pub(crate) fn catch() -> Result<Self, Error> {
        let catch = |kind| signal(kind).map_err(|error| Error::here(format!("cannot catch Ctrl-C: {error}"), ""));
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A terminal's Ctrl-C also ends the compiler that builds the handler; that is no error of the handler's.
fn stopped(error: Error) -> Error {
    let compiler = matches!(&error, Error::Provision(inner) if matches!(**inner, provision::Error::Bundle(_)));
    if compiler { provision::Error::Stopped { done: Vec::new(), left: Vec::new() }.into() } else { error }
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
