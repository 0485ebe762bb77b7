//! Pipelines: what plans, provisions and tears down from a repository.

use minijinja::context;

use super::{Filled, Given};
use crate::provision::fill;

const GITHUB: &str = include_str!("../../templates/pipelines/github-actions.yml");
const GITLAB: &str = include_str!("../../templates/pipelines/gitlab-ci.yml");
const CODEBUILD: &str = include_str!("../../templates/pipelines/codebuild.yml");
/// The action that the workflow uses, copied beside it: nobody else's repository is trusted.
const ACTION: &str = include_str!("../../action.yml");

pub(super) fn github(given: Given<'_>) -> Filled {
    filled(given, ".github/workflows/wsfix.yml", GITHUB).and(".github/actions/wsfix/action.yml", ACTION)
}

pub(super) fn gitlab(given: Given<'_>) -> Filled {
    filled(given, ".gitlab-ci.yml", GITLAB)
}

pub(super) fn codebuild(given: Given<'_>) -> Filled {
    filled(given, "buildspec.yml", CODEBUILD)
}

fn filled(given: Given<'_>, path: &str, template: &str) -> Filled {
    let context = context! {
        stack => given.config.stack.as_str(),
        region => given.config.connection.region.as_deref().unwrap_or(super::REGION),
        version => env!("CARGO_PKG_VERSION"),
    };
    Filled { placeholders: given.unknown_region().into_iter().collect(), ..Filled::of(path, fill::rendered(template, context)) }
}
