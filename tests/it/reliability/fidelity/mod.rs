//! Where the local cloud must fail, because AWS fails: the eighteen lines of docs/local-cloud.md, "AWS fails here", each by its number.
//!
//! Everything goes over the cloud's port, as clients see it.

mod connections;
mod denials;
mod functions;
mod gateway;
mod handshakes;
mod leftovers;
mod messages;
mod table;
mod wire;

use crate::support::docs;

/// The files with tests of lines.
const FILES: [&str; 8] = [
    include_str!("gateway.rs"),
    include_str!("functions.rs"),
    include_str!("table.rs"),
    include_str!("denials.rs"),
    include_str!("handshakes.rs"),
    include_str!("messages.rs"),
    include_str!("connections.rs"),
    include_str!("leftovers.rs"),
];

#[test]
fn every_line_has_its_tests() {
    let page = include_str!("../../../../docs/local-cloud.md");
    let list = page.split("## AWS fails here").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the list");
    let lines = list.lines().filter(|line| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())).count();
    assert_eq!(lines, 18);
    let names: Vec<&str> =
        FILES.iter().flat_map(|text| text.split("async fn line_").skip(1).filter_map(|rest| rest.split('(').next())).collect();
    let mut rows = String::from("| line | tests |\n|---|---|\n");
    for number in 1..=lines {
        let prefix = format!("{number:02}_");
        let tests: Vec<String> = names.iter().filter_map(|name| name.strip_prefix(&prefix)).map(|name| name.replace('_', " ")).collect();
        assert!(!tests.is_empty(), "line {number} has no test");
        rows += &format!("| {number} | {} |\n", tests.join("; "));
    }
    docs::hold("reliability.md", "fidelity", &rows);
}
