//! `wsfix build`: makes the handler's zip alone.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::{Purpose, Settings};
use crate::provision::bundle;

use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, Upload};
use super::runtime::{block_on, unless_interrupted};
use super::settings;
use super::style::bytes;
use super::ui::Ui;

/// Makes the handler's zip alone, the same bytes every time.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wsfix build --architecture arm64
  wsfix build --out dist/handler.zip")]
pub(crate) struct BuildArgs {
    /// Where the zip goes [default: wsfix-handler-ARCH.zip]
    #[arg(short = 'O', long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    upload: Upload,
}

pub(crate) fn run(args: &BuildArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let mut flags = Settings::default();
    args.upload.write(&mut flags);
    let function = settings::load(ui, global, Purpose::Stack, flags)?.function;
    let build = async {
        bundle::build(function.handler.as_ref(), function.architecture, ui)
            .await
            .map_err(|error| Error::from(crate::provision::Error::from(error)))
    };
    let bundle = block_on(unless_interrupted(build))?;
    let architecture = function.architecture.as_str();
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("wsfix-handler-{architecture}.zip")));
    write(&out, &bundle.zip)
        .map_err(|error| Error::here(format!("cannot write {}: {error}", out.display()), "`--out FILE` puts it elsewhere"))?;
    let text = format!(
        "{}  {}\n  architecture  {architecture}\n  from          {}\n  CodeSha256    {}",
        out.display(),
        bytes(bundle.zip.len()),
        bundle.source,
        bundle.sha256
    );
    let document = json!({ "file": out.display().to_string(), "bytes": bundle.zip.len(), "architecture": architecture, "source": bundle.source, "code_sha256": bundle.sha256 });
    ui.result(Exit::Done, &text, &document)?;
    Ok(Exit::Done)
}

/// Writes the file whole, or not at all. What is no plain file, such as a pipe, is written as it is.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return std::fs::write(path, bytes);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
