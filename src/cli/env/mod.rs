//! `wsfix env`: the front end's variable, printed or written into a dotenv file.

mod dotenv;
mod git;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use crate::config::Purpose;
use crate::provision::{self, Consent, Run, Stop};

use super::error::Error;
use super::exit::Exit;
use super::file::Target;
use super::flags::{Global, Names};
use super::runtime::{block_on, until_stopped};
use super::settings;
use super::style::printable;
use super::ui::Ui;

/// Prints the front end's variable with the URL, or writes it into a dotenv file.
#[derive(clap::Args)]
#[command(
    after_help = "With --write only the value of that one variable changes, or a line is added; the old file is kept beside it as FILE.bak.

Examples:
  wsfix env --write .env.production
  eval \"$(wsfix env --format shell --name WS_URL)\"
  wsfix env --format github --name websocket_url >> \"$GITHUB_OUTPUT\""
)]
pub(crate) struct EnvArgs {
    /// The file to write into; it is made where it is not there
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// The variable's name
    #[arg(long, value_name = "NAME", default_value = "NEXT_PUBLIC_WS_URL", value_parser = name)]
    name: String,

    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Dotenv, value_name = "dotenv|json|shell|github", hide_possible_values = true, conflicts_with = "write")]
    format: Format,

    /// Writes even where the value that is replaced is in no commit and not staged
    #[arg(long, requires = "write")]
    force: bool,

    #[command(flatten)]
    names: Names,
}

/// How a variable is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// `NAME=value`
    Dotenv,
    /// An object with one member.
    Json,
    /// `export NAME='value'`
    Shell,
    /// A line for `$GITHUB_OUTPUT` or `$GITHUB_ENV`.
    Github,
}

fn name(text: &str) -> Result<String, String> {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if first && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        Ok(text.to_owned())
    } else {
        Err("a variable's name has letters, digits and `_`, and does not begin with a digit".to_owned())
    }
}

pub(crate) fn run(args: &EnvArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let mut flags = crate::config::Settings::default();
    args.names.write(&mut flags);
    let config = settings::load(ui, global, Purpose::Stack, flags)?;
    let stop = Stop::default();
    let run = Run { config: &config, reporter: ui, stop: &stop, consent: Consent::default() };
    let url = block_on(until_stopped(ui, &stop, async { Ok(provision::websocket_url(&run).await?) }))?;
    let url = url.ok_or_else(|| {
        Error::here(
            format!("stack `{}` has no API, so there is no URL", config.stack),
            "`wsfix provision` makes it; for another stack name it with `--stack`",
        )
    })?;
    let (text, mut document) = match &args.write {
        None => (line(args.format, &args.name, &url), json!({})),
        Some(path) => write(args, path, &url)?,
    };
    document["name"] = json!(args.name);
    document["value"] = json!(url);
    ui.result(Exit::Done, &text, &document)?;
    Ok(Exit::Done)
}

/// The variable as a program reads it.
fn line(format: Format, name: &str, value: &str) -> String {
    match format {
        Format::Dotenv => format!("{name}={}\n", dotenv::written(value, None)),
        Format::Json => format!("{:#}\n", json!({ name: value })),
        Format::Shell => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
        Format::Github => format!("{name}={value}\n"),
    }
}

fn write(args: &EnvArgs, path: &Path, url: &str) -> Result<(String, serde_json::Value), Error> {
    let (name, shown) = (&args.name, printable(&path.display().to_string()));
    let target = Target::open(path)?;
    let before = target.before.as_deref().unwrap_or_default();
    let edited = dotenv::set(before, name, url);
    let told: Vec<String> = edited.before.iter().map(|value| without_query(value)).collect();
    if edited.bytes == before {
        return Ok((
            format!("{shown} has {name}={url} already\n"),
            json!({ "file": shown, "changed": false, "before": told, "backup": null }),
        ));
    }
    if let Some(lost) = lost(&target, name, &edited.before).filter(|_| !args.force) {
        return Err(Error::here(
            format!(
                "{shown} is tracked by git, and the value that would be replaced is in no commit and not staged: {name}={}",
                without_query(&lost)
            ),
            "commit or stage it first, or give `--force`",
        ));
    }
    let backup = target.replace(&edited.bytes)?.map(|backup| printable(&backup.display().to_string()));
    let was = match told.as_slice() {
        [] => "a new line".to_owned(),
        [one] if one.is_empty() => "it was empty".to_owned(),
        [one] => format!("it was {one}"),
        several => format!("on {} lines", several.len()),
    };
    let kept = backup.as_ref().map(|backup| format!("; the old file is {backup}")).unwrap_or_default();
    let text = format!("{shown}: {name}={url}  ({was}{kept})\n");
    Ok((text, json!({ "file": shown, "changed": true, "before": told, "backup": backup })))
}

/// A value that may be shown: a URL's query may have a token in it.
fn without_query(value: &str) -> String {
    let shown = value.split_once('?').map_or_else(|| value.to_owned(), |(url, _)| format!("{url}?..."));
    printable(&shown)
}

/// A value that git would not give back: the file is tracked, and neither its commit nor what is staged has it.
fn lost(target: &Target, name: &str, before: &[String]) -> Option<String> {
    let kept = git::kept(&target.path);
    let known: Vec<String> = kept.iter().flat_map(|text| dotenv::values(text, name)).collect();
    before.iter().find(|value| !kept.is_empty() && !known.contains(value)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_one_that_its_reader_takes() {
        let of = |format| line(format, "NEXT_PUBLIC_WS_URL", "wss://a.example/prod");
        assert_eq!(of(Format::Dotenv), "NEXT_PUBLIC_WS_URL=wss://a.example/prod\n");
        assert_eq!(of(Format::Json), "{\n  \"NEXT_PUBLIC_WS_URL\": \"wss://a.example/prod\"\n}\n");
        assert_eq!(of(Format::Shell), "export NEXT_PUBLIC_WS_URL='wss://a.example/prod'\n");
        assert_eq!(of(Format::Github), "NEXT_PUBLIC_WS_URL=wss://a.example/prod\n");
    }

    #[test]
    fn a_name_is_one_that_shells_take() {
        assert!(["NEXT_PUBLIC_WS_URL", "_x", "vite2"].into_iter().all(|text| name(text).is_ok()));
        assert!(["", "2x", "A-B", "A B", "A=B", "A\nB"].into_iter().all(|text| name(text).is_err()));
    }
}
