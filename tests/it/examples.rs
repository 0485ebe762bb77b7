//! The projects of `examples/`: installed from their lock files, built, linted, tested, and asked by the handler's binary itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use crate::backends::{KEY, Listening, judge_signatures};
use crate::support::packages::{debian, node_project, run};
use crate::support::skip;
use crate::tool::{Ended, Tool};

/// `examples/terminal-backend`, installed and built below `target/`.
static TERMINAL_BACKEND: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let folder = node_project(&example("terminal-backend"), "external-terminal-backend")?;
    run("npm", &["run", "build"], &folder)?;
    Ok(folder)
});

pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The folder, unless the registry cannot be reached.
pub(crate) fn terminal_backend() -> Option<&'static Path> {
    match &*TERMINAL_BACKEND {
        Ok(folder) => Some(folder),
        Err(why) => {
            skip("terminal-backend", &format!("it cannot be built: {why}"));
            None
        }
    }
}

/// Runs one of its commands; fails with what that wrote.
#[track_caller]
pub(crate) fn passes(arguments: &[&str], folder: &Path) {
    if let Err(wrote) = run("npm", arguments, folder) {
        panic!("npm {}:\n{wrote}", arguments.join(" "));
    }
}

/// No package of the project is known for a hole of high severity, as far as the registry answers.
#[track_caller]
pub(crate) fn has_no_known_holes(folder: &Path) {
    match run("npm", &["audit", "--audit-level=high"], folder) {
        Ok(_) => {}
        // Some registries do not answer this.
        Err(wrote) if wrote.contains("audit endpoint returned an error") => println!("npm audit was not answered"),
        Err(wrote) => panic!("npm audit:\n{wrote}"),
    }
}

#[test]
fn the_terminal_backend_lints_and_passes_its_tests() {
    let Some(folder) = terminal_backend() else { return };
    if !debian("redis-server", "--version", "redis-server") {
        skip("terminal-backend: Redis", "redis-server is not here and cannot be installed");
    }
    thread::scope(|scope| {
        scope.spawn(|| passes(&["run", "lint"], folder));
        passes(&["test"], folder);
    });
    has_no_known_holes(folder);
}

#[test]
fn the_terminal_backend_lets_in_what_the_handler_signed() {
    let Some(folder) = terminal_backend() else { return };
    let mut command = Command::new("node");
    command.arg("dist/server.js").current_dir(folder).env("PORT", "0");
    let backend = Listening::start(&mut command, false, "listening on port ");
    let result = judge_signatures(&backend.url, "command_result");
    assert_eq!((&result["exitCode"], &result["output"]), (&0.into(), &"".into()), "an empty home: {result}");
    backend.end();
}

#[test]
fn the_terminal_backend_passes_the_tour() {
    let Some(folder) = terminal_backend() else { return };
    let mut command = Command::new("node");
    command.arg("dist/server.js").current_dir(folder).env("PORT", "0");
    let backend = Listening::start(&mut command, false, "listening on port ");
    let mut tool = Tool::new();
    tool.set("SIGNING_KEY", KEY);
    let handler = env!("CARGO_BIN_EXE_wsfix-handler");
    // The handler of this build is large, and is zipped.
    let child = tool.start(&["dev", "--once", "--handler", handler, "--backend-url", &backend.url, "--signing-key", "env:SIGNING_KEY"]);
    let ended = Ended::of(child.wait_with_output().expect("it runs"));
    ended.says(0, &[]);
    assert!(ended.out.contains("18 of 18 checks passed"), "{}", ended.out);
    backend.end();
}
