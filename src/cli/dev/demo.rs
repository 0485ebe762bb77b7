//! The built-in backend, where the person has none.

use crate::cli::error::Error;
use crate::secret::Secret;

/// The built-in backend.
pub(super) struct Demo {
    url: String,
}

impl Demo {
    pub(super) fn start(_signing_key: Option<Secret>, _allow_commands: bool) -> Result<Self, Error> {
        Err(Error::usage("there is no built-in backend in this build", "give one of your own: `--backend-url http://127.0.0.1:3000`"))
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The connections whose end it was told.
    pub(super) fn disconnects(&self) -> Vec<String> {
        Vec::new()
    }
}
