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

/// What AWS does now and then without an error; each strikes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// After DeleteLogGroup a late delivery makes the group again.
    LogGroupReturns,
    /// A statement of AddPermission is lost to another call at the same time.
    PermissionLost,
    /// A `$disconnect` is not delivered.
    DisconnectLost,
}

/// The planned faults, and how often each operation was called.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    planned: Vec<Fault>,
    quirks: Vec<Quirk>,
    seen: std::collections::HashMap<String, u32>,
}

impl Faults {
    /// Plans one more.
    pub fn plan(&self, fault: Fault) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).planned.push(fault);
    }

    /// Plans that AWS does this once; planned twice, it does it twice.
    pub fn quirk(&self, quirk: Quirk) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).quirks.push(quirk);
    }

    /// Whether this is to happen now; it is used up.
    pub(crate) fn take_quirk(&self, quirk: Quirk) -> bool {
        let quirks = &mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).quirks;
        let found = quirks.iter().position(|planned| *planned == quirk);
        found.map(|at| quirks.remove(at)).is_some()
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
