//! The table in `docs/accounts.md`: compared, and written anew where `WSFIX_UPDATE_DOCS` is set.

use super::visit::Visit;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/accounts.md");
const BEGIN: &str = "<!-- The tests write what follows: WSFIX_UPDATE_DOCS=1 cargo test --test it accounts -->\n";

/// The page must be as these visits were.
pub(super) fn hold(visits: &[Visit]) {
    let page = std::fs::read_to_string(FILE).expect("docs/accounts.md");
    let (prose, table) = page.split_once(BEGIN).expect("the comment before the table");
    let now = format!("\n{}\n{}\n{}", accounts(visits), outcomes(visits), words(visits));
    if std::env::var_os("WSFIX_UPDATE_DOCS").is_some() {
        return std::fs::write(FILE, format!("{prose}{BEGIN}{now}")).expect("docs/accounts.md");
    }
    if let Some((is, says)) = now.lines().zip(table.lines()).find(|(is, says)| is != says) {
        panic!("docs/accounts.md says\n  {says}\nbut it is\n  {is}\nWSFIX_UPDATE_DOCS=1 cargo test --test it accounts writes it anew");
    }
    assert_eq!(now.lines().count(), table.lines().count(), "docs/accounts.md has other rows");
}

fn accounts(visits: &[Visit]) -> String {
    let row = |visit: &Visit| format!("| `{}` | {} |\n", visit.name, visit.about);
    format!("| account | |\n|---|---|\n{}", visits.iter().map(row).collect::<String>())
}

fn outcomes(visits: &[Visit]) -> String {
    let mut text = "| account | `roles` | `plan --preflight` | `plan` | `provision` | replies by | a message and its reply | `provision` again | `status` | `teardown` | left | first words of an error |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for visit in visits {
        let code = |command: &str| visit.code(command).map_or("-".to_owned(), |code| code.to_string());
        let tour = match &visit.tour {
            None => "-".to_owned(),
            Some(Ok(())) => "ok".to_owned(),
            Some(Err(why)) => why.clone(),
        };
        let again = match (visit.code("again"), visit.again.as_slice()) {
            (Some(0), []) => "no change".to_owned(),
            (Some(0), changed) => changed.join(", "),
            _ => code("again"),
        };
        let cells = [
            format!("`{}`", visit.name),
            code("roles"),
            code("preflight"),
            code("plan"),
            code("provision"),
            reply(visit),
            tour,
            again,
            code("status"),
            code("teardown"),
            if visit.left.is_empty() { "nothing".to_owned() } else { visit.left.join(", ") },
            error(visit),
        ];
        text += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text
}

/// What a person reads where `provision` does not get to its end.
fn words(visits: &[Visit]) -> String {
    let mut text = "## What `provision` says\n".to_owned();
    for visit in visits.iter().filter(|visit| visit.code("provision") != Some(0)) {
        let said = visit.said("provision").err.lines().skip_while(|line| !line.starts_with("error: "));
        // What runs at the same time may end before or after a denial.
        let said = said.filter(|line| !line.starts_with("done so far: ") && !line.starts_with("left to do: "));
        // Ids of requests differ.
        let said: Vec<&str> = said.map(|line| line.split(" (request ").next().unwrap_or(line).trim_end()).collect();
        text += &format!("\n### `{}`\n\n```text\n{}\n```\n", visit.name, said.join("\n").trim_end());
    }
    text
}

/// The mode that `provision` printed.
fn reply(visit: &Visit) -> String {
    let mut words = visit.said("provision").out.split_whitespace().skip_while(|word| *word != "reply");
    words.nth(1).unwrap_or("-").to_owned()
}

/// The first error that a person sees, up to where AWS's own words begin.
fn error(visit: &Visit) -> String {
    let of = |command: &str| {
        let text = &visit.said(command).err;
        let line = text.lines().find_map(|line| line.strip_prefix("error: "))?;
        Some(line.split(" (").next().unwrap_or(line).to_owned())
    };
    ["provision", "teardown"].into_iter().find_map(of).unwrap_or_default()
}
