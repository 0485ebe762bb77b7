//! Outputs that are closed or full, terminals of every kind, arguments and locales that are not UTF-8, places that cannot be written.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::process::{Command, Stdio};

use wsfix::local::{Cloud, Options};

use crate::support::{docs, skip};
use crate::tool::{Ended, Tool};

fn stack() -> (Cloud, Tool) {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    (cloud, tool)
}

#[test]
fn outputs_that_are_gone_or_full_are_no_crash() {
    let (_cloud, tool) = stack();
    tool.run(&["provision"]).says(0, &[]);
    // Each line with its exit code: that of the tool, whatever reads it.
    let cases = [
        ("$W plan | head -1", 0, "a reader that leaves is no error"),
        ("$W plan --memory 512 | head -1", 3, "the exit code is that of the plan"),
        ("$W status --output json | true", 0, "a reader that never reads is no error"),
        ("$W status >&-", 0, "with no standard output nothing is said"),
        ("$W status --output json >&- 2>&-", 0, "nor with no standard error"),
        ("$W status 2>&-", 0, "results need no standard error"),
        ("$W status >/dev/full", 1, "a full disk is told"),
        ("$W status --output json >/dev/full", 1, "a full disk is told"),
        ("$W plan -v 2>/dev/full", 0, "progress is no result"),
        ("$W teardown <&-", 2, "nobody can be asked"),
        ("$W teardown </dev/null", 2, "nobody can be asked"),
        ("$W --help | true", 0, "help is a result like any other"),
    ];
    let mut table = "| `wsfix` as `$W` | exit code | |\n|---|---|---|\n".to_owned();
    for (line, code, why) in cases {
        let ended = tool.shell(&format!("{line}; echo \"exit ${{PIPESTATUS[0]}}\" >&3"));
        let exit = ended.err.lines().last().unwrap_or_default().to_owned();
        assert_eq!(exit, format!("exit {code}"), "{line}: {}\n{}", ended.out, ended.err);
        table += &format!("| `{}` | {code} | {why} |\n", line.replace('|', "\\|"));
    }
    docs::hold("reliability.md", "outputs", &table);
}

#[test]
fn every_terminal_gets_what_it_can_show() {
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skip("terminals", "there is no `script` (util-linux)");
    }
    let (_cloud, tool) = stack();
    let colour = |text: &str| text.contains("\x1b[32m") || text.contains("\x1b[1m");
    for (term, columns, more, coloured) in [
        ("xterm-256color", 120, "", true),
        ("xterm-256color", 20, "", true),
        ("xterm-256color", 500, "", true),
        ("xterm-256color", 1, "", true),
        ("xterm-256color", 80, "NO_COLOR=1", false),
        ("dumb", 80, "", false),
        ("", 80, "", false),
        ("nonsense-terminal", 80, "LC_ALL=C", true),
    ] {
        for command in ["plan", "provision", "status", "provision", "--help", "teardown --yes"] {
            let at = format!("TERM={term} {more} {columns} columns: {command}");
            let line = format!("stty cols {columns} rows 24; TERM={term} {more} $W {command}");
            let ended = tool.shell(&format!("script -qec '{line}' /dev/null </dev/null; echo \"exit $?\" >&3"));
            let exit = ended.err.lines().last().unwrap_or_default();
            assert_eq!(exit, if command == "plan" { "exit 3" } else { "exit 0" }, "{at}: {}\n{}", ended.out, ended.err);
            assert!(!ended.out.contains("panicked"), "{at}: {}", ended.out);
            if command == "plan" {
                assert_eq!(colour(&ended.out), coloured, "{at}: {:?}", ended.out);
            }
            if term == "dumb" || term.is_empty() {
                assert!(!ended.out.contains('\x1b'), "{at}: {:?}", ended.out);
            }
        }
    }
}

#[test]
fn arguments_and_locales_that_are_not_utf_8_are_told() {
    let (_cloud, mut tool) = stack();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    for (arguments, code) in [
        (vec!["plan".as_ref(), "--stack".as_ref(), odd], 2),
        (vec!["plan".as_ref(), "--config".as_ref(), odd], 2),
        (vec![odd], 2),
        (vec!["plan".as_ref(), "--handler".as_ref(), odd], 1),
    ] {
        let ended = tool.run_os(&arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}\n{}", ended.out, ended.err);
        assert!(ended.err.contains("error: "), "{arguments:?}: {}", ended.err);
    }
    tool.set("LC_ALL", "xx_XX.ISO-8859-15");
    tool.set("LANG", "C");
    tool.run(&["plan"]).says(3, &[]);
}

#[test]
fn what_cannot_be_written_is_told_and_nothing_is_half_made() {
    let (cloud, tool) = stack();
    tool.run(&["build", "--out", "/proc/handler.zip"]).says(1, &["error: cannot write /proc/handler.zip", "hint: `--out FILE`"]);
    tool.run(&["build", "--out", "/dev/full"]).says(1, &["cannot write /dev/full: No space left on device"]);
    assert!(std::fs::metadata("/dev/full").expect("a device").file_type().is_char_device());
    tool.file("old.zip", "old");
    // A file may grow to one block: the disk is full after that.
    let ended = tool.shell("trap '' XFSZ; ulimit -f 0; $W build --out old.zip; echo \"exit $?\" >&3");
    let exit = ended.err.lines().last().unwrap_or_default();
    assert_eq!(exit, "exit 1", "{}\n{}", ended.out, ended.err);
    assert_eq!(std::fs::read_to_string(tool.directory.path().join("old.zip")).expect("the old one"), "old", "{}", ended.err);
    tool.run(&["provision"]).says(0, &[]);
    tool.run(&["teardown", "--yes", "--export", "/proc/items.jsonl"]).says(1, &["cannot write /proc/items.jsonl", "nothing was deleted"]);
    assert_eq!(cloud.inventory().len(), 4);
}

/// The tool in a shell: `$W` is its path, and descriptor 3 goes where standard error goes, whatever the line does to that.
impl Tool {
    fn shell(&self, line: &str) -> Ended {
        let mut command = self.command("bash");
        command.arg("-c").arg(format!("exec 3>&2; {line}")).env("W", env!("CARGO_BIN_EXE_wsfix")).env("PATH", "/usr/bin:/bin");
        Ended::of(command.stdin(Stdio::null()).output().expect("a shell"))
    }

    fn run_os(&self, arguments: &[&std::ffi::OsStr]) -> Ended {
        Ended::of(self.command(env!("CARGO_BIN_EXE_wsfix")).args(arguments).output().expect("it runs"))
    }
}
