//! The account's App Runner services, one of which may be the backend.

use crate::config::{self, Connection, Purpose, Settings, Sources};
use crate::provision::app_runner::{self, Service};
use crate::provision::error::{AwsError, Cause};

use super::super::error::Error;
use super::super::flags::Global;
use super::super::runtime::block_on;
use super::super::style::printable;
use super::super::ui::Ui;

/// All of them; where they cannot be listed a note says why, and nothing fails.
pub(super) fn list(global: &Global, ui: &Ui) -> Result<Vec<Service>, Error> {
    let connection = connection(global)?;
    let listed = block_on(async { Ok(app_runner::services(&connection).await) })?;
    Ok(listed.unwrap_or_else(|error| {
        ui.note(&format!("{} ({})", app_runner::without(), printable(&reason(&error))));
        Vec::new()
    }))
}

/// For people.
pub(super) fn line(service: &Service) -> String {
    format!("App Runner: {} at {}, {}", service.name, service.url, service.status)
}

/// The URL of the only one that runs, or of the one that a person chooses. A paused one answers with errors.
pub(super) fn pick(services: &[Service], yes: bool, ui: &Ui) -> Result<Option<String>, Error> {
    let running: Vec<&Service> = services.iter().filter(|service| service.runs()).collect();
    match running.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.url.clone())),
        several if yes => {
            let urls: Vec<&str> = several.iter().map(|service| service.url.as_str()).collect();
            ui.note(&format!("several App Runner services run; name the backend by `--backend-url`: {}", urls.join(", ")));
            Ok(None)
        }
        several => {
            let item = |service: &&Service| format!("{}  {}", printable(&service.name), service.url);
            let items: Vec<String> = several.iter().map(item).chain(["none of these".to_owned()]).collect();
            let chosen = ui.choose("Which App Runner service is the backend?", &items)?;
            Ok(chosen.and_then(|at| several.get(at)).map(|service| service.url.clone()))
        }
    }
}

/// As flags and AWS's own variables say; the file is not there yet.
fn connection(global: &Global) -> Result<Connection, Error> {
    let folder = tempfile::tempdir().map_err(|error| Error::here(format!("cannot make a folder: {error}"), ""))?;
    let mut flags = Settings::default();
    global.write(&mut flags);
    let sources = Sources {
        purpose: Purpose::Stack,
        file: None,
        directory: folder.path().to_owned(),
        flags,
        environment: &|name| if name.starts_with("AWS_") { config::process_environment(name) } else { None },
        stdin: &mut std::io::empty(),
    };
    Ok(config::load(sources)?.config.connection)
}

fn reason(error: &AwsError) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is told in the words that came with it")]
    match &error.cause {
        Cause::Denied { .. } => format!("{} is not allowed", error.iam),
        Cause::Credentials => "there are no AWS credentials, or they are wrong or expired".to_owned(),
        _ => error.words(),
    }
}
