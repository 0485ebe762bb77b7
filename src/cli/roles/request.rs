//! `wsfix roles --request`: what to send to an administrator.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::provision::request::Request;

/// How the request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people: why each line, and commands to paste.
    Markdown,
    /// The bare data.
    Json,
    /// A template for `aws cloudformation deploy`.
    Cloudformation,
    /// A configuration for `terraform apply`.
    Terraform,
}

pub(super) fn run(request: &Request, format: Format, out: Option<&Path>, ui: &Ui) -> Result<Exit, Error> {
    let text = match format {
        Format::Markdown => request.markdown(),
        Format::Json => format!("{:#}\n", request.json()),
        Format::Cloudformation => format!("{:#}\n", request.cloudformation()),
        Format::Terraform => request.terraform(),
    };
    let Some(out) = out else {
        ui.result(Exit::Done, text.trim_end(), &document(request, format, &text))?;
        return Ok(Exit::Done);
    };
    std::fs::write(out, &text)
        .map_err(|error| Error::here(format!("cannot write {}: {error}", out.display()), "`--out FILE` puts it elsewhere"))?;
    ui.result(
        Exit::Done,
        &format!("{}: to be sent to an administrator of account {}", out.display(), request.account),
        &json!({ "file": out.display().to_string() }),
    )?;
    Ok(Exit::Done)
}

/// With `--output json`: data as it is, and a text as one.
fn document(request: &Request, format: Format, text: &str) -> Value {
    match format {
        Format::Json => request.json(),
        Format::Cloudformation => request.cloudformation(),
        Format::Markdown | Format::Terraform => json!({ "text": text }),
    }
}
