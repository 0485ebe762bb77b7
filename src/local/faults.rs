//! "Fail call N of this operation, before or after it took effect."

mod answers;
mod timing;

use std::sync::{Condvar, Mutex};
use std::time::Duration;

pub(crate) use answers::answer;
use timing::Timing;

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
    /// Too many calls, as this service says it.
    Throttled,
    /// The service fails inside, as this service says it: HTTP 500.
    Broken,
    /// An explicit deny, as this service says it.
    Denied,
    /// The answer itself, but so much later.
    Slow(Duration),
    /// No answer at all: the connection stays open until the caller closes it.
    Silent,
}

/// One planned fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// As AWS names it: `CreateRoute`; or with the service's prefix where several have one of that name: `lambda:TagResource`.
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
    /// Lambda cannot assume a role yet that was made a moment ago: CreateFunction, or UpdateFunctionConfiguration with a role.
    RoleNotAssumable,
}

/// The planned faults, how often each operation was called, and when calls go on.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
    /// Rung at each strike.
    bell: Condvar,
    pub(crate) timing: Timing,
}

#[derive(Debug, Default)]
struct State {
    planned: Vec<Fault>,
    quirks: Vec<Quirk>,
    seen: std::collections::HashMap<String, u32>,
    struck: u32,
}

impl Faults {
    /// With these planned.
    pub(crate) fn with(quirks: Vec<Quirk>) -> Self {
        Self { state: Mutex::new(State { quirks, ..State::default() }), ..Self::default() }
    }

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

    /// Lets the first calls of this operation (named as in [`Fault`]) wait for each other at this moment, so many of them; a second at most.
    pub fn meet(&self, operation: &str, moment: Moment, calls: usize) {
        self.timing.meet(operation, moment, calls);
    }

    /// Makes every call wait before it takes effect and before it is answered, up to `longest` each; the same seed gives the same pauses.
    pub fn scatter(&self, seed: u64, longest: Duration) {
        self.timing.scatter(seed, longest);
    }

    /// Forgets all plans, counts and pauses.
    pub fn clear(&self) {
        *self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = State::default();
        self.timing.clear();
    }

    /// How many calls went wrong since the last [`Faults::clear`].
    #[must_use]
    pub fn struck(&self) -> u32 {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).struck
    }

    /// Waits for a call to go wrong, where `Moment::After` once it took effect; `false`: none did in time.
    pub fn wait_struck(&self, limit: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(state, limit, |state| state.struck == 0);
        waited.unwrap_or_else(std::sync::PoisonError::into_inner).0.struck > 0
    }

    /// Tells that a fault is done with the account.
    pub(crate) fn ring(&self) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).struck += 1;
        self.bell.notify_all();
    }

    /// Counts what is no call of a service, e.g. `$disconnect`, and says what shall go wrong with it.
    pub(crate) fn strike(&self, operation: &str) -> Option<Fault> {
        self.strike_any(&[operation.to_owned()])
    }

    /// Counts a call and says what shall go wrong with it. `service` is the IAM prefix.
    pub(crate) fn strike_call(&self, service: &str, operation: &str) -> Option<Fault> {
        self.strike_any(&[operation.to_owned(), format!("{service}:{operation}")])
    }

    fn strike_any(&self, names: &[String]) -> Option<Fault> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let counts: Vec<(&String, u32)> = names
            .iter()
            .map(|name| {
                let seen = state.seen.entry(name.clone()).or_default();
                *seen += 1;
                (name, *seen)
            })
            .collect();
        let due = |fault: &Fault, count: u32| count >= fault.nth && count - fault.nth < fault.times;
        let hit = |fault: &&Fault| counts.iter().any(|(name, count)| fault.operation == **name && due(fault, *count));
        state.planned.iter().find(hit).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults, Kind, Moment, Quirk};

    fn fault(operation: &str, nth: u32, times: u32) -> Fault {
        Fault { operation: operation.to_owned(), nth, times, moment: Moment::Before, kind: Kind::Reset }
    }

    #[test]
    fn a_fault_strikes_the_calls_that_it_names() {
        let faults = Faults::default();
        faults.plan(fault("CreateRoute", 2, 2));
        let struck: Vec<bool> = (0..5).map(|_| faults.strike_call("apigateway", "CreateRoute").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.strike_call("apigateway", "CreateStage").is_none());
        faults.clear();
        assert!((0..5).all(|_| faults.strike_call("apigateway", "CreateRoute").is_none()));
    }

    #[test]
    fn a_fault_may_name_the_service() {
        let faults = Faults::default();
        faults.plan(fault("lambda:TagResource", 1, 1));
        assert!(faults.strike_call("dynamodb", "TagResource").is_none());
        assert!(faults.strike_call("lambda", "TagResource").is_some());
    }

    #[test]
    fn a_quirk_is_used_up() {
        let faults = Faults::default();
        faults.quirk(Quirk::LogGroupReturns);
        assert!(!faults.take_quirk(Quirk::PermissionLost));
        assert!(faults.take_quirk(Quirk::LogGroupReturns));
        assert!(!faults.take_quirk(Quirk::LogGroupReturns));
    }
}
