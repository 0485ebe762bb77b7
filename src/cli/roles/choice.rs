//! A person's choice among roles that serve equally well.

use crate::config::Config;
use crate::provision::{self, roles::Judged};

use crate::cli::error::Error;
use crate::cli::style::printable;
use crate::cli::ui::Ui;

/// Runs `work`; where it finds several roles, asks which one and runs it again with that one. Where nobody can be asked, the list is the error.
pub(crate) fn with_a_choice<T>(ui: &Ui, config: &mut Config, mut work: impl FnMut(&Config) -> Result<T, Error>) -> Result<T, Error> {
    let error = match work(config) {
        Err(Error::Provision(error)) => error,
        other => return other,
    };
    let provision::Error::Choice(roles) = *error else { return Err(Error::Provision(error)) };
    let items: Vec<String> = roles.iter().map(line).collect();
    match ui.choose("Several roles of the account can serve. Which one shall the function have?", &items)? {
        Some(at) => config.existing_role = roles.get(at).map(|role| role.arn.clone()),
        None => return Err(provision::Error::Choice(roles).into()),
    }
    work(config)
}

/// The roles, one on a line, for who cannot be asked.
pub(crate) fn choices(roles: &[Judged]) -> String {
    roles.iter().map(|role| format!("\n{}", line(role))).collect()
}

fn line(role: &Judged) -> String {
    let reasons = role.reasons().join("; ");
    let why = if reasons.is_empty() { String::new() } else { format!(": {reasons}") };
    printable(&format!("{}  ({}{why})", role.arn, role.fitness.name()))
}
