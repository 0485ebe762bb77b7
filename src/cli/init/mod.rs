//! `wsfix init`: writes a `wsfix.yaml` for the app in this folder.

mod folder;
mod services;
mod write;

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::{self, DEFAULT_FILE, Purpose, Settings, Sources};
use crate::contract::env;

use super::error::Error;
use super::exit::Exit;
use super::file::Target;
use super::flags::Global;
use super::style::printable;
use super::ui::Ui;
use folder::{Finds, look};
use write::{Answers, yaml};

/// Writes a wsfix.yaml for the app in this folder, asking what it cannot find.
#[derive(clap::Args)]
#[command(
    after_help = "It looks for package.json, Dockerfile, apprunner.yaml and .env files; of variables it reads names, and values that are
URLs. Where neither a flag nor a file has the backend's URL, the account's App Runner services are listed, if a Region is set;
with --yes the only one that runs is taken. No secret is asked for or written: the file says where it is. `--config FILE` names
another file than wsfix.yaml.

Examples:
  wsfix init
  wsfix init --yes --backend-url https://abc123.us-east-1.awsapprunner.com"
)]
pub(crate) struct InitArgs {
    /// Asks nothing: what no flag says is taken as it was found, or left open
    #[arg(short, long)]
    yes: bool,

    /// Replaces a file that is there; the old one is kept beside it as FILE.bak
    #[arg(long)]
    force: bool,

    /// Name of the stack
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,

    /// Base URL of the HTTP backend
    #[arg(long, value_name = "URL")]
    backend_url: Option<String>,

    /// The execution role, a name or an ARN; without it the one that fits is found
    #[arg(long, value_name = "ROLE")]
    existing_role: Option<String>,

    /// Where the key that signs tokens is: env:NAME, file:PATH, ssm:NAME or secretsmanager:ID[#MEMBER]
    #[arg(long, value_name = "SOURCE")]
    jwt_secret: Option<String>,

    /// The claim of a token that must equal `sessionId`
    #[arg(long, value_name = "CLAIM")]
    session_claim: Option<String>,

    /// Where the key that signs requests to the backend is: env:NAME or file:PATH
    #[arg(long, value_name = "SOURCE")]
    signing_key: Option<String>,

    /// An `Origin` that may connect; can be repeated
    #[arg(long, value_name = "ORIGIN")]
    allowed_origin: Vec<String>,

    /// A route besides $connect, $disconnect and $default; can be repeated
    #[arg(long, value_name = "KEY")]
    route: Vec<String>,
}

pub(crate) fn run(args: &InitArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let path = global.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let shown = printable(&path.display().to_string());
    let target = Target::open(&path)?;
    if target.before.is_some() && !args.force {
        return Err(Error::usage(
            format!("{shown} is there already; it is left as it is"),
            "`--force` replaces it and keeps the old one beside it",
        ));
    }
    if !args.yes && !ui.interactive() {
        return Err(Error::usage("nobody can be asked here", "give `--yes`, and flags for what is to be otherwise"));
    }
    let mut finds = look(Path::new("."));
    let known = args.backend_url.is_some() || finds.backend_url.is_some();
    let services = if known { Vec::new() } else { services::list(global, ui)? };
    finds.notes.extend(services.iter().map(services::line));
    finds.notes.iter().for_each(|note| ui.say(&format!("found     {}", printable(note))));
    if !known {
        finds.backend_url = services::pick(&services, args.yes, ui)?;
    }
    let proposed = proposed(args, global, &finds);
    let answers = if args.yes { proposed } else { asked(proposed, args, ui)? };
    let text = yaml(&answers);
    judge(&text)?;
    let backup = target.replace(text.as_bytes())?.map(|backup| printable(&backup.display().to_string()));
    let next = next(&answers, &path);
    let kept = backup.as_ref().map(|backup| format!("; the old one is {backup}")).unwrap_or_default();
    ui.result(
        Exit::Done,
        &format!("{shown} is written{kept}.\n\nNext:\n{}\n", next.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")),
        &json!({ "file": shown, "backup": backup, "found": finds.notes, "next": next }),
    )?;
    Ok(Exit::Done)
}

/// What flags say, else what the folder tells, else what is usual.
fn proposed(args: &InitArgs, global: &Global, finds: &Finds) -> Answers {
    let flag = |given: &Option<String>| given.clone().unwrap_or_default();
    let or = |given: &Option<String>, usual: String| given.clone().unwrap_or(usual);
    let secret = finds.secrets.first().map_or(env::JWT_SECRET, String::as_str);
    Answers {
        stack: or(&args.stack, "terminal".to_owned()),
        region: flag(&global.region),
        backend_url: or(&args.backend_url, finds.backend_url.clone().unwrap_or_default()),
        role: flag(&args.existing_role),
        jwt_secret: or(&args.jwt_secret, format!("env:{secret}")),
        session_claim: or(&args.session_claim, "sessionId".to_owned()),
        signing_key: or(&args.signing_key, format!("env:{}", env::SIGNING_KEY)),
        origins: if args.allowed_origin.is_empty() { finds.origins.clone() } else { args.allowed_origin.clone() },
        routes: if args.route.is_empty() { vec!["sendMessage".to_owned()] } else { args.route.clone() },
    }
}

/// Asks a person for everything that no flag says.
fn asked(proposed: Answers, args: &InitArgs, ui: &Ui) -> Result<Answers, Error> {
    let ask = |given: bool, question: &str, proposal: String| if given { Ok(proposal) } else { ui.input(question, &proposal) };
    let several = |given: bool, question: &str, proposal: Vec<String>| -> Result<Vec<String>, Error> {
        if given {
            return Ok(proposal);
        }
        let answer = ui.input(question, &proposal.join(", "))?;
        Ok(answer.split(',').map(str::trim).filter(|item| !item.is_empty() && *item != "-").map(str::to_owned).collect())
    };
    Ok(Answers {
        stack: ask(args.stack.is_some(), "Name of the stack", proposed.stack)?,
        region: proposed.region,
        backend_url: ask(args.backend_url.is_some(), "URL of the HTTP backend (https; empty: later)", proposed.backend_url)?,
        role: ask(args.existing_role.is_some(), "Execution role (empty: the one that fits is found)", proposed.role)?,
        jwt_secret: ask(
            args.jwt_secret.is_some(),
            "Where the key of tokens is (env:NAME, file:PATH, ssm:NAME, secretsmanager:ID)",
            proposed.jwt_secret,
        )?,
        session_claim: ask(args.session_claim.is_some(), "Claim of a token that must equal the session", proposed.session_claim)?,
        signing_key: ask(args.signing_key.is_some(), "Where the key is that signs requests to the backend", proposed.signing_key)?,
        origins: several(
            !args.allowed_origin.is_empty(),
            "Origins that may connect, with commas between them (empty or -: any)",
            proposed.origins,
        )?,
        routes: several(
            !args.route.is_empty(),
            "Routes: the values of `action` in messages, with commas between them (-: none)",
            proposed.routes,
        )?,
    })
}

/// Whether the config takes the text: what is wrong is told before anything is written.
fn judge(text: &str) -> Result<(), Error> {
    let folder = tempfile::tempdir().map_err(|error| Error::here(format!("cannot make a folder: {error}"), ""))?;
    let failed = |error: std::io::Error| Error::here(format!("cannot write: {error}"), "");
    std::fs::write(folder.path().join(DEFAULT_FILE), text).map_err(failed)?;
    let sources = Sources {
        purpose: Purpose::Stack,
        file: None,
        directory: folder.path().to_owned(),
        flags: Settings::default(),
        environment: &|_| None,
        stdin: &mut std::io::empty(),
    };
    config::load(sources)?;
    Ok(())
}

/// The commands that come next.
fn next(answers: &Answers, path: &Path) -> Vec<String> {
    let unset = |source: &str| {
        let name = source.strip_prefix("env:")?;
        config::process_environment(name).is_none_or(|value| value.is_empty()).then(|| name.to_owned())
    };
    let mut lines = Vec::new();
    lines.extend(unset(&answers.jwt_secret).map(|name| format!("export {name}=...   # the key of your tokens, as your backend has it")));
    lines.extend(unset(&answers.signing_key).map(|name| format!("export {name}=$(openssl rand -hex 32)   # your backend needs it too")));
    let file =
        if path == Path::new(DEFAULT_FILE) { String::new() } else { format!(" --config {}", printable(&path.display().to_string())) };
    let backend = if answers.backend_url.is_empty() { " --backend-url https://..." } else { "" };
    lines.push(format!("wsfix plan{file}{backend}"));
    lines
}
