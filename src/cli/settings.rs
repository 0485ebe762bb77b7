//! Flags, environment and file into one `Config`, once a command.

use std::io;
use std::path::PathBuf;

use crate::config::{self, Config, Loaded, Purpose, Settings, Sources};

use super::error::Error;
use super::flags::Global;
use super::ui::Ui;

/// The config that a command works with; everything that is wrong with it at once.
pub(crate) fn load(ui: &Ui, global: &Global, purpose: Purpose, mut flags: Settings) -> Result<Config, Error> {
    global.write(&mut flags);
    let sources = Sources {
        purpose,
        file: global.config.clone(),
        directory: PathBuf::from("."),
        flags,
        environment: &config::process_environment,
        stdin: &mut io::stdin().lock(),
    };
    let loaded = config::load(sources)?;
    tell(&loaded, ui);
    Ok(loaded.config)
}

/// Says what a person should know about the config.
pub(crate) fn tell(loaded: &Loaded, ui: &Ui) {
    for note in &loaded.notes {
        ui.note(note);
    }
    if let Some(file) = loaded.file.as_ref().filter(|_| ui.verbose()) {
        ui.say(&format!("read      {}", file.display()));
    }
}
