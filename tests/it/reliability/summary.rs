//! The table at the head of docs/reliability.md: each part with its command, and with what its own tables count.

use crate::support::docs;

/// What counts as one case of a table.
#[derive(Clone, Copy)]
enum Case {
    Row,
    /// A cell behind the first two that is not empty.
    Cell,
    /// As many as the number in this column says.
    Column(usize),
}

/// One part: its section, the tests, the tables with their cases, and the column that counts what was lost or found where it should not be.
struct Part {
    section: &'static str,
    tests: &'static str,
    tables: &'static [(&'static str, Case)],
    lost: Option<usize>,
}

const PARTS: [Part; 9] = [
    Part { section: "A call fails, or its answer is lost", tests: "sweep", tables: &[("sweep", Case::Cell)], lost: None },
    Part { section: "Several runs at once", tests: "races", tables: &[("races", Case::Column(1))], lost: Some(2) },
    Part { section: "Teardown", tests: "teardown", tables: &[("teardown", Case::Row)], lost: None },
    Part { section: "AWS takes its time", tests: "asynchronous", tables: &[("modes", Case::Row)], lost: None },
    Part { section: "Interrupts", tests: "interrupts", tables: &[("interrupts", Case::Row)], lost: None },
    Part { section: "Outputs and terminals", tests: "terminals", tables: &[("outputs", Case::Row)], lost: None },
    Part { section: "Secrets", tests: "secrets", tables: &[("secrets", Case::Row)], lost: Some(1) },
    Part {
        section: "The local cloud under abuse",
        tests: "abuse",
        tables: &[
            ("abuse-http", Case::Row),
            ("abuse-frames", Case::Row),
            ("abuse-zips", Case::Row),
            ("abuse-names", Case::Row),
            ("autobahn", Case::Column(1)),
        ],
        lost: None,
    },
    Part { section: "The local cloud fails where AWS fails", tests: "fidelity", tables: &[("fidelity", Case::Row)], lost: None },
];

/// The cells of each row, without the two lines of the head.
fn rows(table: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    table.lines().filter(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

fn number(row: &[String], column: usize) -> usize {
    row.get(column).and_then(|cell| cell.parse().ok()).unwrap_or_else(|| panic!("no number in column {column} of {row:?}"))
}

fn cases(table: &str, case: Case) -> usize {
    let count = |row: &Vec<String>| match case {
        Case::Row => 1,
        Case::Cell => row.iter().skip(2).filter(|cell| !cell.is_empty()).count(),
        Case::Column(column) => number(row, column),
    };
    rows(table).iter().map(count).sum()
}

/// Each table is held by the test that makes it, which fails where a case ends otherwise than its row says.
#[test]
fn the_head_counts_what_the_tables_say() {
    let mut head = "| part | `cargo test --test it reliability::` | tried | survived | lost |\n|---|---|---|---|---|\n".to_owned();
    for Part { section, tests, tables, lost } in PARTS {
        let shown = |name: &str| docs::shown("reliability.md", name);
        let tried: usize = tables.iter().map(|(name, case)| cases(&shown(name), *case)).sum();
        let lost: usize = lost.map_or(0, |column| rows(&shown(tables[0].0)).iter().map(|row| number(row, column)).sum());
        assert!(tried > 0, "{section}: nothing was tried");
        let anchor = section.to_lowercase().replace(',', "").replace(' ', "-");
        head += &format!("| [{section}](#{anchor}) | `{tests}` | {tried} | {} | {lost} |\n", tried - lost);
    }
    docs::hold("reliability.md", "head", &head);
}
