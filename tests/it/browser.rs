//! What runs in a browser: the hook of `templates/`, and the example front end with everything behind it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::skip;

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

#[test]
fn the_front_end_has_the_hook_of_the_templates() {
    for file in ["gateway-socket.mjs", "use-terminal-api-gateway.ts"] {
        let (template, copy) = (format!("templates/hook/{file}"), format!("examples/terminal-frontend/src/hooks/{file}"));
        assert!(text(&template) == text(&copy), "{copy} is a copy of {template}: change that one, and copy it");
    }
}

#[test]
fn the_hook_passes_its_tests_without_a_browser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/hook");
    let ended = Command::new("node").args(["--test", "--test-reporter=tap"]).current_dir(folder).stdin(Stdio::null()).output();
    let Ok(ended) = ended else { return skip("the hook", "Node.js is not here") };
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && !said.contains("\n# tests 0"), "{said}");
}
