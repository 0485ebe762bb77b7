//! What runs in a browser: the hook of `templates/`, and the example front end with everything behind it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;

use crate::examples::{example, has_no_known_holes, passes, terminal_backend};
use crate::support::packages::{debian, node_project, run};
use crate::support::skip;

/// `examples/terminal-frontend`, installed below `target/`.
static FRONTEND: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| node_project(&example("terminal-frontend"), "external-terminal-frontend"));

/// The folder, unless the registry cannot be reached.
fn frontend() -> Option<&'static Path> {
    match &*FRONTEND {
        Ok(folder) => Some(folder),
        Err(why) => {
            skip("terminal-frontend", &format!("its packages cannot be installed: {why}"));
            None
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_front_end_has_the_hook_of_the_templates() {
    let text = |path: &str| fs::read_to_string(root().join(path)).expect("readable");
    for file in ["gateway-socket.mjs", "use-terminal-api-gateway.ts"] {
        let (template, copy) = (format!("templates/hook/{file}"), format!("examples/terminal-frontend/src/hooks/{file}"));
        assert!(text(&template) == text(&copy), "{copy} is a copy of {template}: change that one, and copy it");
    }
}

#[test]
fn the_hook_passes_its_tests_without_a_browser() {
    let folder = root().join("templates/hook");
    let ended = Command::new("node").args(["--test", "--test-reporter=tap"]).current_dir(folder).stdin(Stdio::null()).output();
    let Ok(ended) = ended else { return skip("the hook", "Node.js is not here") };
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && !said.contains("\n# tests 0"), "{said}");
}

#[test]
fn the_front_end_lints_and_passes_its_tests() {
    let Some(folder) = frontend() else { return };
    passes(&["run", "lint"], folder);
    passes(&["test"], folder);
    has_no_known_holes(folder);
}

/// The steps, and what is killed in them, are in `tests/browser/terminal.mjs`. With `WSFIX_UPDATE_DOCS` it makes the picture in the docs.
#[test]
fn a_terminal_in_a_real_browser() {
    let (Some(frontend), Some(backend)) = (frontend(), terminal_backend()) else { return };
    let driver = match node_project(&root().join("tests/browser"), "external-browser") {
        Ok(driver) => driver,
        Err(why) => return skip("the browser", &format!("its driver cannot be installed: {why}")),
    };
    let built = thread::spawn(|| run("npm", &["run", "build"], frontend));
    for (program, package) in [("chromium", "chromium"), ("redis-server", "redis-server")] {
        if !debian(program, "--version", package) {
            return skip("the browser", &format!("{program} is not here and cannot be installed"));
        }
    }
    if let Err(wrote) = built.join().expect("a thread") {
        panic!("the front end cannot be built:\n{wrote}");
    }
    let mut command = Command::new("node");
    command.arg("terminal.mjs").current_dir(driver).stdin(Stdio::null());
    command.env("WSFIX", env!("CARGO_BIN_EXE_wsfix")).env("HANDLER", env!("CARGO_BIN_EXE_wsfix-handler"));
    command.env("FRONTEND", frontend.join("out")).env("BACKEND", backend).env("CHROMIUM", "/usr/bin/chromium");
    if std::env::var_os("WSFIX_UPDATE_DOCS").is_some() {
        command.env("SCREENSHOT", root().join("docs/terminal.png"));
    }
    let ended = command.output().expect("node starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    println!("{said}");
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("the end: everything is stopped"), "{said}");
}
