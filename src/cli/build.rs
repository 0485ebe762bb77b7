//! `wsfix build`: makes the handler's zip alone.

use std::path::PathBuf;

use serde_json::json;

use crate::config::{Purpose, Settings};
use crate::provision::{Stop, bundle};

use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, Upload};
use super::runtime::{block_on, until_stopped};
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
    let stop = Stop::default();
    let build = async {
        bundle::build(function.handler.as_ref(), function.architecture, ui)
            .await
            .map_err(|error| Error::from(crate::provision::Error::from(error)))
    };
    let bundle = block_on(until_stopped(ui, &stop, build))?;
    let architecture = function.architecture.as_str();
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("wsfix-handler-{architecture}.zip")));
    std::fs::write(&out, &bundle.zip)
        .map_err(|error| Error::here(format!("cannot write {}: {error}", out.display()), "`--out FILE` puts it elsewhere"))?;
    let text = format!(
        "{}  {}\n  architecture  {architecture}\n  from          {}\n  CodeSha256    {}",
        out.display(),
        bytes(bundle.zip.len()),
        bundle.source,
        bundle.sha256
    );
    let document = json!({ "file": out, "bytes": bundle.zip.len(), "architecture": architecture, "source": bundle.source, "code_sha256": bundle.sha256 });
    ui.result(Exit::Done, &text, &document)?;
    Ok(Exit::Done)
}
