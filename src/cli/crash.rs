//! What is said of a defect of wsfix itself: a panic. Its own words may hold values of the user, so only those that stand in the code are shown.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::{self, PanicHookInfo};

use serde_json::json;

use super::flags::{Global, Output};
use super::ui::{self, VERSION};

/// From now on a panic ends with a message that says how to go on, in place of Rust's own. The process then ends as Rust ends it, with 101.
pub fn explain_panics(global: &Global) {
    let output = global.output;
    panic::set_hook(Box::new(move |info| {
        let text = match output {
            Output::Text | Output::Markdown => text(info, &Backtrace::capture()),
            Output::Json => json!({ "v": VERSION, "event": "error", "message": headline(info) }).to_string(),
        };
        let _ = ui::write(&mut io::stderr().lock(), &text);
    }));
}

fn headline(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!("a defect of wsfix {} at {place}", env!("CARGO_PKG_VERSION"))
}

fn text(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    // What was formatted holds values: of a config, of an answer of AWS.
    let words = info.payload().downcast_ref::<&'static str>().map(|words| format!("  because  {words}\n")).unwrap_or_default();
    let frames = if backtrace.status() == BacktraceStatus::Captured { format!("{backtrace}") } else { String::new() };
    let headline = headline(info);
    format!(
        "error: {headline}\n{words}{frames}\
         hint: the calls that were under way may have taken effect or not; the next run reads the account and goes on from there\n\
         hint: report this text and the command, with RUST_BACKTRACE=1 in its environment; no value of the config or of an answer is in it"
    )
}
