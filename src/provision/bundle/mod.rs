//! Which handler binary is uploaded, whether it is fit, and the zip: the same bytes every time.

use std::path::PathBuf;

use crate::config::Architecture;

use super::progress::Reporter;

/// A zip that is ready to be uploaded.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The zip's bytes.
    pub zip: bytes::Bytes,
    /// Base64 of its SHA-256, to compare with Lambda's `CodeSha256`.
    pub sha256: String,
    /// Where the binary came from, for a person.
    pub source: String,
}

/// Finds or builds the handler for `architecture`, checks it, and zips it.
///
/// # Errors
/// When there is no handler, it cannot be built, or it would not start on Lambda.
pub async fn build(handler: Option<&PathBuf>, architecture: Architecture, reporter: &dyn Reporter) -> Result<Bundle, Error> {
    let _ = (architecture, reporter);
    Err(Error { what: format!("no handler {handler:?}"), remedy: String::new() })
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// What is wrong, with the file.
    pub what: String,
    /// The command or setting that mends it.
    pub remedy: String,
}
