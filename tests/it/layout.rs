//! The layering of `src/lib.rs`, held by reading every path in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each top-level module may import from the crate; `src/lib.rs` shows the same table.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("secret", &[]),
    ("https", &[]),
    ("signature", &[]),
    ("jose", &[]),
    ("policy", &[]),
    ("config", &["jose", "contract", "secret"]),
    ("provision", &["config", "policy", "jose", "https", "contract", "secret"]),
    ("template", &["config", "provision", "contract"]),
    ("handler", &["jose", "signature", "contract", "secret"]),
    ("verify", &["jose", "signature", "https", "contract", "secret"]),
    ("local", &["policy", "contract", "secret"]),
    ("cli", &["config", "provision", "template", "verify", "local", "contract", "secret"]),
    ("main", &["cli"]),
    ("bin/wsfix-handler", &["handler"]),
];

/// Files of `provision` that work on values alone: no call to AWS, no clock.
const PURE: &[&str] = &["provision/desired", "provision/plan", "provision/outputs"];

/// What a pure file has no business with.
const IMPURE: &[&str] = &["aws", "wait"];

/// Files of `provision/resources` that are one resource with another file.
const PARTS: &[(&str, &str)] = &[("function_calls", "function"), ("table_calls", "table"), ("table_policy", "table")];

/// What a resource may use of another: `former` looks for what the stack had under other names.
const KNOWN_RESOURCES: &[(&str, &str)] = &[("former", "function"), ("former", "table")];

/// Operations that change IAM, as the SDK's methods. wsfix has no code for any of them.
const IAM_WRITES: &[&str] = &[
    "add_role_to_instance_profile",
    "add_user_to_group",
    "attach_group_policy",
    "attach_role_policy",
    "attach_user_policy",
    "create_access_key",
    "create_group",
    "create_instance_profile",
    "create_login_profile",
    "create_policy",
    "create_policy_version",
    "create_role",
    "create_service_linked_role",
    "create_user",
    "delete_policy",
    "delete_policy_version",
    "delete_role",
    "delete_role_permissions_boundary",
    "delete_role_policy",
    "delete_user_policy",
    "detach_role_policy",
    "detach_user_policy",
    "put_group_policy",
    "put_role_permissions_boundary",
    "put_role_policy",
    "put_user_permissions_boundary",
    "put_user_policy",
    "set_default_policy_version",
    "tag_policy",
    "tag_role",
    "untag_policy",
    "untag_role",
    "update_assume_role_policy",
    "update_role",
    "update_role_description",
];

/// Longest file; nine in ten are far below.
const MAX_LINES: usize = 500;

/// One source file.
struct Source {
    path: PathBuf,
    /// Below `src/`, without `.rs` and `/mod`: `provision/plan`.
    name: String,
    text: String,
}

impl Source {
    /// The row of [`MAY_IMPORT`] that it belongs to.
    fn layer(&self) -> &str {
        if self.name.starts_with("bin/") { &self.name } else { self.name.split('/').next().unwrap_or_default() }
    }

    /// Every path in the code that starts at the crate's root, without `crate`: `provision::plan::Plan`.
    fn crate_paths(&self) -> BTreeSet<String> {
        let module: Vec<&str> = self.name.split('/').collect();
        let mut paths = BTreeSet::new();
        let mut inner = 0;
        let code = code_of(&self.text);
        for (at, line) in line_starts(&code) {
            if line.starts_with("mod ") && line.ends_with('{') {
                inner = 1;
            } else if line == "}" {
                inner = 0;
            }
            for (offset, root) in roots(line) {
                let base: Vec<&str> = match root {
                    Root::Crate => Vec::new(),
                    Root::Super(steps) => module[..module.len().saturating_sub(steps - inner.min(steps))].to_vec(),
                };
                for tail in tree(&code[at + offset..]) {
                    paths.insert(base.iter().copied().map(str::to_owned).chain(tail).collect::<Vec<_>>().join("::"));
                }
            }
        }
        paths
    }
}

/// Where a path starts.
enum Root {
    Crate,
    Super(usize),
}

/// The starts of paths in a line: where the part after `crate::`, `wsfix::` or `super::` begins.
fn roots(line: &str) -> Vec<(usize, Root)> {
    let mut found = Vec::new();
    for word in ["crate::", "wsfix::"] {
        found.extend(line.match_indices(word).filter(|(at, _)| is_word_start(line, *at)).map(|(at, _)| (at + word.len(), Root::Crate)));
    }
    for (at, _) in line.match_indices("super::").filter(|(at, _)| is_word_start(line, *at)) {
        if line[..at].ends_with("super::") {
            continue;
        }
        let steps = line[at..].split("super::").take_while(|part| part.is_empty()).count();
        found.push((at + steps * "super::".len(), Root::Super(steps)));
    }
    found
}

/// Whether `at` does not continue a longer word or path, but for a chain of `super::`.
fn is_word_start(line: &str, at: usize) -> bool {
    let before = &line[..at];
    before.ends_with("super::") || !before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == ':')
}

/// All paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn tree(text: &str) -> Vec<Vec<String>> {
    let word: String = text.chars().take_while(|next| next.is_alphanumeric() || *next == '_').collect();
    let rest = &text[word.len()..];
    if let Some(inner) = rest.strip_prefix("::").filter(|_| !word.is_empty()) {
        return tree(inner).into_iter().map(|tail| std::iter::once(word.clone()).chain(tail).collect()).collect();
    }
    if let Some(inner) = rest.strip_prefix('{').filter(|_| word.is_empty()) {
        return group(inner).iter().flat_map(|part| tree(part.trim())).collect();
    }
    if word.is_empty() { vec![Vec::new()] } else { vec![vec![word]] }
}

/// The parts of `{a, b::{c, d}}` after its opening brace.
fn group(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for next in text.chars() {
        match next {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(String::new()),
            _ => {
                depth += i32::from(next == '{') - i32::from(next == '}');
                parts.last_mut().expect("starts with one").push(next);
            }
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The text with comments blanked, line by line.
fn code_of(text: &str) -> String {
    let strip = |line: &str| if line.trim_start().starts_with("//") { String::new() } else { line.to_owned() };
    text.lines().map(strip).collect::<Vec<_>>().join("\n")
}

/// Each line with where it starts.
fn line_starts(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let starts = text.split('\n').map(|line| {
        let start = at;
        at += line.len() + 1;
        (start, line)
    });
    starts.collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the package.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let source = |path: PathBuf| {
        let below = path.strip_prefix(root().join("src")).expect("below src").with_extension("");
        let name = below.to_string_lossy().replace('\\', "/");
        let name = name.strip_suffix("/mod").unwrap_or(&name).to_owned();
        Source { text: fs::read_to_string(&path).expect("readable"), path, name }
    };
    let found: Vec<Source> = files("src").into_iter().map(source).collect();
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// Fails with everything that is wrong, one a line.
#[track_caller]
fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn each_module_imports_only_what_its_layer_may() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.name != "lib") {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(layer, _)| *layer == source.layer()) else {
            wrong.push(format!("{}: not in the table", source.path.display()));
            continue;
        };
        for path in source.crate_paths() {
            let first = path.split("::").next().unwrap_or_default();
            if first != source.layer() && !allowed.contains(&first) {
                wrong.push(format!("{}: {} may not import `{path}`", source.path.display(), source.layer()));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn the_table_is_the_one_that_lib_rs_shows() {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("readable");
    let shown: Vec<(String, BTreeSet<String>)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let imports = cells[2].split(", ").filter(|name| *name != "nothing").map(str::to_owned).collect();
            (cells[0].trim_end_matches("`]").to_owned(), imports)
        })
        .collect();
    let modules = MAY_IMPORT.iter().filter(|(layer, _)| *layer != "main" && !layer.starts_with("bin/"));
    let held: Vec<_> =
        modules.map(|(layer, imports)| ((*layer).to_owned(), imports.iter().map(|name| (*name).to_owned()).collect())).collect();
    assert_eq!(shown, held);
}

#[test]
fn pure_files_of_provision_neither_call_nor_wait() {
    let sources = sources();
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| PURE.contains(&source.name.as_str())) {
        for path in source.crate_paths() {
            if IMPURE.iter().any(|part| path.split("::").any(|name| name == *part)) {
                wrong.push(format!("{}: imports `{path}`", source.path.display()));
            }
        }
        for call in [".await", "aws_sdk_", "Instant::now", "SystemTime::now"] {
            if code_of(&source.text).contains(call) {
                wrong.push(format!("{}: has `{call}`", source.path.display()));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn no_resource_imports_another() {
    let whole = |file: &str| PARTS.iter().find(|(part, _)| *part == file).map_or(file, |(_, whole)| whole).to_owned();
    let sources = sources();
    let resource = |name: &str| name.strip_prefix("provision/resources/").map(|rest| whole(rest.split('/').next().unwrap_or(rest)));
    let kinds: BTreeSet<String> = sources.iter().filter_map(|source| resource(&source.name)).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let Some(own) = resource(&source.name) else { continue };
        for path in source.crate_paths() {
            let parts: Vec<&str> = path.split("::").collect();
            if let ["provision", "resources", other, ..] = parts.as_slice() {
                let other = whole(other);
                let known = KNOWN_RESOURCES.contains(&(own.as_str(), other.as_str()));
                if other != own && kinds.contains(&other) && !known {
                    wrong.push(format!("{}: imports `{path}`", source.path.display()));
                }
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn nothing_writes_to_iam() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.layer() != "local") {
        let code = code_of(&source.text);
        for operation in IAM_WRITES {
            let called = |(at, _): &(usize, &str)| is_word_start(&code, *at) && code[at + operation.len()..].starts_with(['(', ':']);
            if code.match_indices(operation).any(|hit| called(&hit)) {
                wrong.push(format!("{}: calls `{operation}`", source.path.display()));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn no_file_is_too_long_and_none_has_leftovers() {
    let leftovers = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("dbg", "!(")];
    let mut wrong = Vec::new();
    for path in ["src", "tests", "benches"].into_iter().flat_map(files) {
        let text = fs::read_to_string(&path).expect("readable");
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{}: {lines} lines, split it by noun", path.display()));
        }
        for word in leftovers.iter().filter(|word| text.contains(**word)) {
            wrong.push(format!("{}: has `{word}`", path.display()));
        }
    }
    nothing(&wrong);
}

/// What the checks above find in a file that breaks them, so that they cannot pass by being blind.
#[test]
fn paths_are_found_however_they_are_written() {
    let text = "use crate::{config::Config, secret::{self, Secret}};\nuse super::super::local::Cloud;\n// crate::cli is a comment\n\
                fn f() { crate::verify::g(super::plan::Plan) }\nmod tests {\n    use super::super::table::Table;\n}\n";
    let source = Source { path: PathBuf::new(), name: "provision/resources/api".into(), text: text.into() };
    let expected = [
        "config::Config",
        "provision::local::Cloud",
        "provision::resources::plan::Plan",
        "provision::resources::table::Table",
        "secret::Secret",
        "secret::self",
        "verify::g",
    ];
    assert_eq!(source.crate_paths().into_iter().collect::<Vec<_>>(), expected);
}
