//! The sandboxes of one function: which are free, and which may start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout_at};

use super::model::Settings;
use super::sandbox::{Job, Sandbox};
use crate::local::world::World;

/// So long a busy sandbox is waited for before another one starts: most answers are followed by "ready" at once.
const NEARLY_FREE: Duration = Duration::from_millis(10);

/// All sandboxes of a function, and what they run.
pub(crate) struct Pool {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    serving: Arc<Settings>,
    generation: u64,
    idle: Vec<Seat>,
    /// Seats that are not idle.
    busy: usize,
    /// Events that run or wait for a sandbox.
    running: u64,
}

/// A sandbox as its pool sees it. It ends when this is dropped.
pub(super) struct Seat {
    pub jobs: mpsc::Sender<Job>,
    generation: u64,
}

/// Counts one event as long as it lives.
pub(super) struct Running<'a>(&'a Pool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl Pool {
    pub(super) fn new(serving: Arc<Settings>) -> Self {
        let state = State { serving, generation: 0, idle: Vec::new(), busy: 0, running: 0 };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs other code or configuration from now on: sandboxes of the old one end, busy ones after their event.
    pub(super) fn serve(&self, serving: Arc<Settings>) {
        let mut state = self.lock();
        state.serving = serving;
        state.generation += 1;
        state.idle.clear();
    }

    /// Counts an event, if there is room under `limit`.
    pub(super) fn enter(&self, limit: u64) -> Option<Running<'_>> {
        let mut state = self.lock();
        if state.running >= limit {
            return None;
        }
        state.running += 1;
        Some(Running(self))
    }

    /// Events that run or wait.
    pub(super) fn running(&self) -> u64 {
        self.lock().running
    }

    /// Takes a sandbox back after its event.
    pub(super) fn give_back(&self, seat: Seat) {
        let mut state = self.lock();
        state.busy = state.busy.saturating_sub(1);
        if seat.generation == state.generation {
            state.idle.push(seat);
        }
        drop(state);
        self.freed.notify_one();
    }

    fn take(&self) -> Option<Seat> {
        let mut state = self.lock();
        // The one used last is the warmest, and the others may come of age.
        while let Some(seat) = state.idle.pop() {
            if !seat.jobs.is_closed() {
                state.busy += 1;
                return Some(seat);
            }
        }
        None
    }

    /// A sandbox that is free, or a new one; `None` once the cloud stops.
    pub(super) async fn acquire(self: &Arc<Self>, world: &Arc<World>, name: &str) -> Option<Seat> {
        if let Some(seat) = self.take() {
            return Some(seat);
        }
        let deadline = Instant::now() + NEARLY_FREE;
        // A notice may be an old one, of a sandbox that has been taken since.
        while self.lock().busy > 0 && timeout_at(deadline, self.freed.notified()).await.is_ok() {
            if let Some(seat) = self.take() {
                return Some(seat);
            }
        }
        loop {
            if let Some(seat) = self.take() {
                return Some(seat);
            }
            let permit = tokio::select! {
                permit = world.functions.starts.clone().acquire_owned() => permit.ok()?,
                () = self.freed.notified() => continue,
            };
            let mut state = self.lock();
            state.busy += 1;
            let (sender, jobs) = mpsc::channel(1);
            let sandbox = Sandbox::new(world, self, name, state.serving.clone());
            tokio::spawn(sandbox.live(jobs, permit));
            return Some(Seat { jobs: sender, generation: state.generation });
        }
    }
}
