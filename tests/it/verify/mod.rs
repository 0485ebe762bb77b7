//! `wsfix verify` against stacks on the local cloud: one that works, and each that is broken in its own way.

mod backend;
mod broken;
mod stack;
mod whole;

use std::fmt::Write as _;

use wsfix::verify::causes;

use crate::support::docs;

/// The table in docs/verify.md says what the command says.
#[test]
fn every_cause_is_documented() {
    let mut table = String::from("| layer | cause | what is seen | what is likely behind it | what helps |\n|---|---|---|---|---|\n");
    for cause in causes::ALL {
        let (layer, name) = (cause.layer.as_str(), cause.name);
        let _ = writeln!(table, "| {layer} | `{name}` | {} | {} | {} |", cause.sign, cause.likely, cause.fix);
    }
    docs::hold("verify.md", "causes", &table);
}
