//! "Fail call N of this operation, before or after it took effect."

use std::sync::Mutex;

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened yet.
    Before,
    /// The call took effect, its answer is lost.
    After,
}

/// What the caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error of the service, in its protocol's shape.
    Error { status: u16, code: String, message: String },
    /// The connection breaks with no answer.
    Reset,
}

/// One planned fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// As AWS names it: `CreateRoute`.
    pub operation: String,
    /// The first call that fails, counted from 1 for this operation.
    pub nth: u32,
    /// How many calls in a row fail.
    pub times: u32,
    /// Before or after it took effect.
    pub moment: Moment,
    /// What the caller sees.
    pub kind: Kind,
}

/// The planned faults, and how often each operation was called.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    planned: Vec<Fault>,
    seen: std::collections::HashMap<String, u32>,
}

impl Faults {
    /// Plans one more.
    pub fn plan(&self, fault: Fault) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).planned.push(fault);
    }

    /// Forgets all plans and counts.
    pub fn clear(&self) {
        *self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = State::default();
    }

    /// Counts a call and says what shall go wrong with it.
    pub(crate) fn strike(&self, operation: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seen = state.seen.entry(operation.to_owned()).or_default();
        *seen += 1;
        let nth = *seen;
        let hit = |fault: &&Fault| fault.operation == operation && (fault.nth..fault.nth + fault.times).contains(&nth);
        state.planned.iter().find(hit).cloned()
    }
}
