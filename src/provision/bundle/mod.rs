//! Which handler binary is uploaded, whether it is fit, and the zip: the same bytes every time.

mod archive;
mod compile;
mod elf;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use base64::Engine as _;

use crate::config::Architecture;

use super::progress::{Event, Reporter};
use source::{Found, Places};

/// The binary of this package that is the function.
const BINARY: &str = "wsfix-handler";
/// What the runtime `provided.al2023` starts.
const BOOTSTRAP: &str = "bootstrap";
/// Largest zip that can be sent in a request (Lambda quotas).
const MAX_ZIP_BYTES: u64 = 50 * 1024 * 1024;
/// Largest code when unpacked (Lambda quotas).
const MAX_UNPACKED_BYTES: u64 = 250 * 1024 * 1024;

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

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// What is wrong, with the file.
    pub what: String,
    /// The command or setting that mends it.
    pub remedy: String,
}

impl Error {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// Finds or builds the handler for `architecture`, checks it, and zips it.
///
/// # Errors
/// When there is no handler, it cannot be built, or it would not start on Lambda.
pub async fn build(handler: Option<&PathBuf>, architecture: Architecture, reporter: &dyn Reporter) -> Result<Bundle, Error> {
    build_from(&Places::here(), handler, architecture, reporter).await
}

async fn build_from(
    places: &Places,
    handler: Option<&PathBuf>,
    architecture: Architecture,
    reporter: &dyn Reporter,
) -> Result<Bundle, Error> {
    let resource = format!("handler for {}", architecture.as_str());
    reporter.event(Event::Started { resource: resource.clone(), action: "build" });
    match find_and_pack(places, handler, architecture, reporter, &resource).await {
        Ok(bundle) => {
            let detail = format!("{}, zip {}", bundle.source, size(bundle.zip.len()));
            reporter.event(Event::Finished { resource, action: "build", detail });
            Ok(bundle)
        }
        Err(error) => {
            reporter.event(Event::Failed { resource, action: "build" });
            Err(error)
        }
    }
}

async fn find_and_pack(
    places: &Places,
    handler: Option<&PathBuf>,
    architecture: Architecture,
    reporter: &dyn Reporter,
    resource: &str,
) -> Result<Bundle, Error> {
    let found = source::find(places, handler, architecture, reporter, resource).await?;
    // Compressing takes part of a second: the thread has calls to AWS to look after.
    match tokio::task::spawn_blocking(move || pack(found, architecture)).await {
        Ok(result) => result,
        Err(stopped) => Err(Error::new(format!("the handler could not be zipped: {stopped}"), "")),
    }
}

/// Checks what was found and makes it a zip, if it is none.
fn pack(found: Found, architecture: Architecture) -> Result<Bundle, Error> {
    let Found { bytes, name, source } = found;
    let zip = match archive::kind(&bytes) {
        archive::Kind::Zip => {
            archive::check(&bytes, &name, architecture)?;
            bytes
        }
        archive::Kind::Elf => {
            elf::check(&bytes, &name, architecture)?;
            archive::make(&bytes, &name)?
        }
        archive::Kind::Other(what) => {
            let remedy = "give a zip with `bootstrap` in it or a Linux executable; without `--handler`, wsfix uses its own";
            return Err(Error::new(format!("{name} is {what}: no handler"), remedy));
        }
    };
    if u64::try_from(zip.len()).unwrap_or(u64::MAX) > MAX_ZIP_BYTES {
        let what = format!("the zip of {name} has {}, Lambda takes 50 MB in a request", size(zip.len()));
        return Err(Error::new(what, "strip the binary (`strip = \"symbols\"` in its profile) or leave files out"));
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &zip);
    let sha256 = base64::engine::general_purpose::STANDARD.encode(digest.as_ref());
    Ok(Bundle { zip: zip.into(), sha256, source })
}

/// Bytes for a person.
fn size(bytes: usize) -> String {
    let kilobytes = bytes / 1024;
    if kilobytes < 1024 { format!("{} KB", kilobytes.max(1)) } else { format!("{}.{} MB", kilobytes / 1024, kilobytes % 1024 * 10 / 1024) }
}
