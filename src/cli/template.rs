//! `wsfix template`: files to copy from, filled in from the config.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::Purpose;
use crate::template::{Filled, Given, TEMPLATES, Template};

use super::error::Error;
use super::exit::Exit;
use super::flags::Global;
use super::plan::StackArgs;
use super::runtime::block_on;
use super::settings;
use super::ui::Ui;

/// Writes stacks for other tools, policies, pipelines and backends, from the config.
#[derive(clap::Args)]
#[command(after_help = "Nothing is called, and no secret is written: a template says where each of them goes.

Examples:
  wsfix template --list
  wsfix template deployer-policy --account 111122223333 --existing-role lambda_basic_execution
  wsfix template sam --out stack/")]
pub(crate) struct TemplateArgs {
    /// Which one; without it they are listed
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TEMPLATES.iter().map(|template| template.name)), hide_possible_values = true)]
    name: Option<String>,

    /// Lists the templates, as it does without a name
    #[arg(long, conflicts_with_all = ["name", "out"])]
    list: bool,

    /// A file, or a folder for a template of several files [default: standard output, the first file]
    #[arg(short = 'O', long, value_name = "PATH")]
    out: Option<PathBuf>,

    /// Writes over files that are there
    #[arg(long, requires = "out")]
    force: bool,

    /// The AWS account, for policies
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,

    #[command(flatten)]
    stack: StackArgs,
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account has 12 digits; `aws sts get-caller-identity` shows yours".to_owned())
    }
}

pub(crate) fn run(args: &TemplateArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let Some(template) = args.name.as_deref().and_then(Template::named) else {
        ui.result(
            Exit::Done,
            &list(),
            &json!({ "templates": TEMPLATES.iter().map(|one| json!({ "name": one.name, "about": one.about })).collect::<Vec<_>>() }),
        )?;
        return Ok(Exit::Done);
    };
    let config = settings::load(ui, global, Purpose::Stack, args.stack.settings())?;
    let given = Given { config: &config, account: args.account.as_deref() };
    let filled = block_on(async { Ok(template.fill(given).await?) })?;
    for placeholder in &filled.placeholders {
        ui.note(placeholder);
    }
    match &args.out {
        Some(out) => write(&filled, out, args.force, ui),
        None => print(template, &filled, ui),
    }
}

fn list() -> String {
    let width = TEMPLATES.iter().map(|template| template.name.len()).max().unwrap_or(0);
    TEMPLATES.iter().fold(String::new(), |mut text, template| {
        let _ = writeln!(text, "  {:width$}  {}", template.name, template.about);
        text
    })
}

/// On standard output there is room for one file. The parts of a policy are an exception: each is a document of its own.
fn print(template: &Template, filled: &Filled, ui: &Ui) -> Result<Exit, Error> {
    let files: Vec<Value> = filled.files.iter().map(|file| json!({ "path": file.path, "text": file.text })).collect();
    let parts = filled.files.iter().all(|file| file.path.ends_with(".json"));
    let shown = if parts { filled.files.len() } else { 1 };
    let text: String = filled.files.iter().take(shown).map(|file| file.text.as_str()).collect();
    let others: Vec<&str> = filled.files.iter().skip(shown).map(|file| file.path.as_str()).collect();
    if !others.is_empty() {
        ui.note(&format!("this is the first file of several; `--out FOLDER` writes {} too", others.join(", ")));
    }
    ui.result(Exit::Done, text.trim_end(), &json!({ "template": template.name, "files": files }))?;
    Ok(Exit::Done)
}

/// Writes all files, or none where one of them is in the way.
fn write(filled: &Filled, out: &Path, force: bool, ui: &Ui) -> Result<Exit, Error> {
    let folder = filled.files.len() > 1 || out.is_dir() || out.to_string_lossy().ends_with('/');
    let targets: Vec<(PathBuf, &str)> =
        filled.files.iter().map(|file| (if folder { out.join(&file.path) } else { out.to_owned() }, file.text.as_str())).collect();
    let differs = |(path, text): &&(PathBuf, &str)| std::fs::read(path).is_ok_and(|found| found != text.as_bytes());
    let in_the_way: Vec<String> = targets.iter().filter(differs).map(|(path, _)| path.display().to_string()).collect();
    if !force && !in_the_way.is_empty() {
        let message = format!("{} is there already, and is not the same: nothing was written", in_the_way.join(", "));
        return Err(Error::here(message, "`--force` writes over it; `--out` elsewhere lets you compare"));
    }
    for (path, text) in &targets {
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
        written.map_err(|error| Error::here(format!("cannot write {}: {error}", path.display()), "`--out PATH` puts it elsewhere"))?;
    }
    let paths: Vec<String> = targets.iter().map(|(path, _)| path.display().to_string()).collect();
    ui.result(Exit::Done, &paths.join("\n"), &json!({ "files": paths }))?;
    Ok(Exit::Done)
}
