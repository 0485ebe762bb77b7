//! Functions, spoken to by AWS's own SDK.

mod control;
mod sandboxes;
