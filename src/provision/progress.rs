//! What a run tells the outside while it goes on.

use super::plan::FieldChange;

/// Something that happened in a run. `cli/ui.rs` turns it into a bar, a line or an NDJSON event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// What a run will do is known: so many steps of each kind follow.
    Planned { create: usize, update: usize, adopt: usize, delete: usize },
    /// This is about to be adopted, and changed in these fields: told before the first step.
    Adopting { resource: String, fields: Vec<FieldChange> },
    /// A step begins: `action` is `look`, `create`, `update`, `adopt`, `delete`, `build`, `wait` or `drain`.
    Started { resource: String, action: &'static str },
    /// A step waits for AWS: the state last seen.
    Waiting { resource: String, state: String },
    /// A step is done. `detail` is what a person would want to see: an id, the fields that changed.
    Finished { resource: String, action: &'static str, detail: String },
    /// A step failed; the error itself is what the run returns.
    Failed { resource: String, action: &'static str },
    /// Something that a person should know and that stops nothing.
    Note { text: String },
}

/// Told what happens, as it happens. Called on the thread of the run.
pub trait Reporter {
    /// One event.
    fn event(&self, event: Event);
}
