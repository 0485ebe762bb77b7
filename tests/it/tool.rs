//! The tool as a person starts it: arguments in, an exit code and words out.

use std::process::{Child, Output, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use wsfix::local::Cloud;
use wsfix::secret::VARIABLES;

use crate::support::elf;

/// The secrets that tests give to the tool where they need some. Whatever it says, it says none of them.
const SECRETS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];

/// The tool in an empty directory, with nothing in its environment but what is said here.
pub(crate) struct Tool {
    pub(crate) directory: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Tool {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), variables: Vec::new() }
    }

    /// As the user `dev` of this cloud, with a config file that lacks nothing.
    pub(crate) fn of(cloud: &Cloud) -> Self {
        let mut tool = Self::new();
        tool.variables = vec![
            ("AWS_ENDPOINT_URL", cloud.endpoint().to_owned()),
            ("AWS_REGION", cloud.region().to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAWSFIXLOCALDEV001".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "wsfix-local-secret".to_owned()),
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
        ];
        std::fs::write(tool.directory.path().join("bootstrap"), elf::executable(&[])).expect("a handler");
        tool.file(
            "wsfix.yaml",
            "existing_role: lambda_basic_execution\nbackend_url: https://backend.example\nfunction:\n  handler: bootstrap\napi:\n  routes: [sendMessage]\n",
        );
        tool
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.to_owned()));
    }

    /// Its environment, for what runs it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &String)> {
        self.variables.iter().map(|(name, value)| (*name, value))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::cargo_bin("wsfix").expect("the tool");
        command.current_dir(self.directory.path()).env_clear().timeout(Duration::from_secs(60));
        command.envs(self.variables.iter().cloned());
        let ended = Ended::of(command.args(arguments).output().expect("it runs"));
        // `dev` shows the keys of its own cloud: that is what it is for.
        let secret = |name: &str| name != "AWS_ACCESS_KEY_ID" && VARIABLES.contains(&name);
        let set = |(name, value): &&(&'static str, String)| secret(name) && !value.is_empty();
        for (name, value) in self.variables.iter().filter(|variable| set(variable) && arguments.first() != Some(&"dev")) {
            assert!(
                !ended.out.contains(value) && !ended.err.contains(value),
                "{name} is shown by {arguments:?}:\n{}\n{}",
                ended.out,
                ended.err
            );
        }
        ended
    }

    /// Starts it and does not wait; both outputs are pipes.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        piped(self.command(env!("CARGO_BIN_EXE_wsfix")).args(arguments))
    }

    /// The same, started by another program of the system, such as `nohup`.
    pub(crate) fn start_with(&self, program: &str, arguments: &[&str]) -> Child {
        piped(self.command(program).env("PATH", "/usr/bin:/bin").arg(env!("CARGO_BIN_EXE_wsfix")).args(arguments))
    }

    /// A program in the tool's directory and environment.
    pub(crate) fn command(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command.current_dir(self.directory.path()).env_clear().envs(self.variables.iter().cloned());
        command
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).expect("a file");
    }
}

fn piped(command: &mut std::process::Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Sends a signal as `kill` does.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success(), "{name} is not sent");
}

/// How it ended, and what it said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let ended = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        for secret in SECRETS {
            assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "`{secret}` is shown:\n{}\n{}", ended.out, ended.err);
        }
        assert!(!ended.err.contains("panicked at") && !ended.err.contains("a defect of wsfix"), "{}", ended.err);
        ended
    }

    /// Judges the exit code, and that standard error has these words.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing in:\n{}", self.err);
        }
    }

    /// The one document on standard output, of a run with `--output json`.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    /// The events on standard error, of a run with `--output json`.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        let event = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.err.lines().map(event).collect()
    }
}
