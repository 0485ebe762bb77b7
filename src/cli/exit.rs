//! How a run ends.

use std::process::ExitCode;

/// The exit codes; part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// Wrong usage or config; nothing was called.
    Usage = 2,
    /// `plan`: changes wait. `dev --once`, `verify`, `doctor`, `contract`: a check failed.
    Changes = 3,
    /// Somebody pressed Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// As the shell sees it.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
