//! Flags, environment and file into one `Config`, once a command.

use std::io;
use std::path::PathBuf;

use crate::config::{self, Config, Purpose, Settings, Sources};

use super::error::Error;
use super::flags::Global;

/// The config that a command works with; everything that is wrong with it at once.
pub(crate) fn load(global: &Global, purpose: Purpose, mut flags: Settings) -> Result<Config, Error> {
    global.write(&mut flags);
    let sources = Sources {
        purpose,
        file: global.config.clone(),
        directory: PathBuf::from("."),
        flags,
        environment: &config::process_environment,
        stdin: &mut io::stdin().lock(),
    };
    Ok(config::load(sources)?)
}
