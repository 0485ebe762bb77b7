//! Makes one AWS account match a `Config`: the pipelines `plan`, `provision`, `status` and `teardown`, in reading order.
//!
//! Data flows one way: config -> desired -> observed -> plan -> apply -> outputs. The account is the state; there is no state file.

pub mod bundle;
pub mod error;
pub mod outputs;
pub mod plan;
pub mod progress;

use std::cell::Cell;

use crate::config::Config;
pub use error::Error;
pub use outputs::{Outputs, Status};
pub use plan::Plan;
use progress::Reporter;

/// What every pipeline works with.
pub struct Run<'a> {
    /// What is wanted.
    pub config: &'a Config,
    /// Told what happens.
    pub reporter: &'a dyn Reporter,
    /// Asked before every new step.
    pub stop: &'a Stop,
}

/// A request to stop: no new step starts, those running finish.
#[derive(Debug, Default)]
pub struct Stop(Cell<bool>);

impl Stop {
    /// Asks the run to stop.
    pub fn request(&self) {
        self.0.set(true);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.get()
    }
}

/// What `provision` did.
#[derive(Debug)]
pub struct Provisioned {
    /// What was planned, and then done.
    pub plan: Plan,
    /// What a person needs from the stack.
    pub outputs: Outputs,
}

/// Looks at the account and says what `provision` would do. Changes nothing.
///
/// # Errors
/// When the account cannot be read, the handler cannot be had, or something stands in the way.
pub async fn plan(run: &Run<'_>) -> Result<Plan, Error> {
    let _ = run;
    Ok(Plan::default())
}

/// Makes the account match the config. Safe to repeat: a second run makes no mutating call.
///
/// # Errors
/// As [`plan`], and when a step fails or the run is stopped: the error says what is done and what is left.
pub async fn provision(run: &Run<'_>) -> Result<Provisioned, Error> {
    let _ = run;
    Err(Error::Stopped { done: Vec::new(), left: Vec::new() })
}

/// What is there, whether it works, and whether it is as the config says. Changes nothing.
///
/// # Errors
/// When the account cannot be read at all.
pub async fn status(run: &Run<'_>) -> Result<Status, Error> {
    let _ = run;
    Err(Error::Stopped { done: Vec::new(), left: Vec::new() })
}

/// Says what `teardown` would delete, and why that is ours. Changes nothing.
///
/// # Errors
/// When the account cannot be read.
pub async fn plan_teardown(run: &Run<'_>) -> Result<Plan, Error> {
    let _ = run;
    Ok(Plan::default())
}

/// Deletes what `plan` lists, and reads until it is gone.
///
/// # Errors
/// When a step fails or the run is stopped: the error says what is gone and what is left.
pub async fn teardown(run: &Run<'_>, plan: &Plan) -> Result<(), Error> {
    let _ = (run, plan);
    Ok(())
}
