//! Which binary: the one given, the one in this program, one compiled now, or the one beside this program.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::compile::{self, Compiled};
use super::{BINARY, Error, MAX_UNPACKED_BYTES};
use crate::config::Architecture;
use crate::provision::progress::Reporter;

/// A file that may be a handler.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) bytes: Vec<u8>,
    /// What errors call it.
    pub(super) name: String,
    /// Where it came from, for a person.
    pub(super) source: String,
}

/// Where handlers are looked for.
#[derive(Debug)]
pub(super) struct Places {
    /// The checkout that this program was compiled from.
    pub(super) checkout: PathBuf,
    /// Cargo, by name or path.
    pub(super) cargo: PathBuf,
    /// The directory of this program.
    pub(super) beside: Option<PathBuf>,
    /// What this program holds itself.
    pub(super) embedded: fn(Architecture) -> Option<&'static [u8]>,
}

impl Places {
    pub(super) fn here() -> Self {
        Self {
            checkout: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            cargo: PathBuf::from("cargo"),
            beside: std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned)),
            embedded,
        }
    }
}

/// The handlers that a release puts into the tool: compiled with `--cfg wsfix_embed`, and the environment variables
/// `WSFIX_EMBED_ARM64` and `WSFIX_EMBED_X86_64` naming the binaries.
fn embedded(architecture: Architecture) -> Option<&'static [u8]> {
    #[cfg(wsfix_embed)]
    return Some(match architecture {
        Architecture::Arm64 => include_bytes!(env!("WSFIX_EMBED_ARM64")),
        Architecture::X86_64 => include_bytes!(env!("WSFIX_EMBED_X86_64")),
    });
    #[cfg(not(wsfix_embed))]
    {
        let _ = architecture;
        None
    }
}

/// Finds the handler, compiling it if need be.
pub(super) async fn find(
    places: &Places,
    handler: Option<&PathBuf>,
    architecture: Architecture,
    reporter: &dyn Reporter,
    resource: &str,
) -> Result<Found, Error> {
    if let Some(path) = handler {
        let name = path.display().to_string();
        return Ok(Found { bytes: read(path)?, source: format!("{name} as given"), name });
    }
    if let Some(bytes) = (places.embedded)(architecture) {
        let name = "the handler in this program".to_owned();
        return Ok(Found { bytes: bytes.to_vec(), source: name.clone(), name });
    }
    let why = if is_checkout(&places.checkout) {
        match compile::compile(places, architecture, reporter, resource).await? {
            Compiled::Binary { path, command } => {
                let name = path.display().to_string();
                return Ok(Found { bytes: read(&path)?, source: format!("{name} by `{command}`"), name });
            }
            Compiled::NoTool { what, remedy } => Error::new(what, remedy),
        }
    } else {
        let what = format!("there is no handler for {}", architecture.as_str());
        Error::new(what, "give one with `--handler FILE`, or run wsfix in a checkout of its sources with cargo installed")
    };
    let Some(beside) = places.beside.as_ref().map(|directory| directory.join(BINARY)).filter(|path| path.is_file()) else {
        return Err(why);
    };
    let name = beside.display().to_string();
    Ok(Found { bytes: read(&beside)?, source: format!("{name}, beside this program"), name })
}

/// Whether the sources that this program was made from are still there.
fn is_checkout(directory: &Path) -> bool {
    std::fs::read_to_string(directory.join("Cargo.toml"))
        .is_ok_and(|manifest| manifest.lines().any(|line| line.split_whitespace().collect::<String>() == "name=\"wsfix\""))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let name = path.display();
    let remedy = "name a zip or a Linux executable that you can read";
    let failed = |error: std::io::Error| Error::new(format!("the handler {name} cannot be read: {error}"), remedy);
    if path.is_dir() {
        return Err(Error::new(format!("the handler {name} is a directory"), remedy));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_UNPACKED_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_UNPACKED_BYTES {
        let remedy = "strip the binary (`strip = \"symbols\"` in its profile)";
        return Err(Error::new(format!("the handler {name} has more than 250 MB, Lambda's limit"), remedy));
    }
    Ok(bytes)
}
