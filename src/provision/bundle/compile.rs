//! The handler compiled by cargo from this package's own checkout.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::source::Places;
use super::{BINARY, BOOTSTRAP, Error, elf};
use crate::config::Architecture;
use crate::provision::progress::{Event, Reporter};
use crate::secret;

/// Lines of cargo that an error shows.
const SHOWN: usize = 20;
/// How often a compilation tells how far it is.
const TELL: Duration = Duration::from_secs(2);

/// What must not reach cargo. Flags for this machine, such as `-C target-cpu=native`, are wrong for Lambda's. The others
/// are there when cargo itself started this program (`cargo run`); build scripts look at some of them, so that with and without
/// them everything would be compiled anew.
const NOT_FOR_CARGO: &[&str] = &[
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "OUT_DIR",
];

/// What came of it.
#[derive(Debug)]
pub(super) enum Compiled {
    /// The binary, and the command that made it.
    Binary { path: PathBuf, command: String },
    /// Nothing here can compile for this processor.
    NoTool { what: String, remedy: String },
}

impl From<(PathBuf, String)> for Compiled {
    fn from((path, command): (PathBuf, String)) -> Self {
        Self::Binary { path, command }
    }
}

/// The ways to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `cargo build`: this machine is as the function's.
    Native,
    /// `cargo zigbuild`, linked against the C library of Amazon Linux 2023.
    Zigbuild,
    /// `cargo lambda build`.
    Lambda,
}

/// Compiles the handler for `architecture`.
pub(super) async fn compile(
    places: &Places,
    architecture: Architecture,
    reporter: &dyn Reporter,
    resource: &str,
) -> Result<Compiled, Error> {
    let no_cargo = || Compiled::NoTool {
        what: format!("there is no handler for {}, and no cargo that could compile it", architecture.as_str()),
        remedy: "install Rust (https://rustup.rs), or give a handler with `--handler FILE`".to_owned(),
    };
    let target = elf::target(architecture);
    let native = cfg!(target_os = "linux") && target.starts_with(std::env::consts::ARCH);
    if native {
        let Some(made) = run(places, Way::Native, architecture, reporter, resource).await? else { return Ok(no_cargo()) };
        // A C library here that is newer than Lambda's may leave its mark on the binary.
        if std::fs::read(&made.0).is_ok_and(|bytes| elf::check(&bytes, "", architecture).is_ok()) {
            return Ok(made.into());
        }
        let zigbuild = commands(places).await.is_some_and(|commands| commands.iter().any(|command| command == "zigbuild"));
        let again = if zigbuild { run(places, Way::Zigbuild, architecture, reporter, resource).await? } else { None };
        return Ok(again.unwrap_or(made).into());
    }
    let Some(commands) = commands(places).await else { return Ok(no_cargo()) };
    let has = |name: &str| commands.iter().any(|command| command == name);
    let way = if has("zigbuild") {
        Way::Zigbuild
    } else if has("lambda") {
        Way::Lambda
    } else {
        let here = std::env::consts::ARCH.replace("aarch64", "arm64");
        return Ok(Compiled::NoTool {
            what: format!("this machine cannot compile the handler for {} by itself", architecture.as_str()),
            remedy: format!(
                "`pip install cargo-zigbuild && rustup target add {target}`, or install cargo-lambda, or set `function.architecture: {here}`"
            ),
        });
    };
    Ok(run(places, way, architecture, reporter, resource).await?.map_or_else(no_cargo, Compiled::from))
}

/// The subcommands that cargo has here; `None` without cargo.
async fn commands(places: &Places) -> Option<Vec<String>> {
    let listed = cargo(places).arg("--list").stderr(Stdio::null()).output().await.ok()?;
    let text = String::from_utf8_lossy(&listed.stdout);
    listed.status.success().then(|| text.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect())
}

/// Cargo in the checkout, in an environment that does not tell whether this program was started by cargo itself.
pub(super) fn cargo(places: &Places) -> Command {
    let mut command = Command::new(&places.cargo);
    // A build runs code of many authors.
    for name in NOT_FOR_CARGO.iter().copied().chain(secret::VARIABLES) {
        command.env_remove(name);
    }
    command.current_dir(&places.checkout).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The binary and the command that made it; `None` without cargo.
async fn run(
    places: &Places,
    way: Way,
    architecture: Architecture,
    reporter: &dyn Reporter,
    resource: &str,
) -> Result<Option<(PathBuf, String)>, Error> {
    let target = elf::target(architecture);
    let lambda_directory = tempfile::tempdir().map_err(|error| Error::new(format!("no temporary directory: {error}"), "set TMPDIR"))?;
    let mut arguments: Vec<String> = match way {
        Way::Native => vec!["build".to_owned()],
        Way::Zigbuild => vec!["zigbuild".to_owned(), "--target".to_owned(), format!("{target}.2.34")],
        Way::Lambda => {
            let shortcut = match architecture {
                Architecture::Arm64 => "--arm64",
                Architecture::X86_64 => "--x86-64",
            };
            let directory = lambda_directory.path().display().to_string();
            vec!["lambda".to_owned(), "build".to_owned(), shortcut.to_owned(), "--lambda-dir".to_owned(), directory]
        }
    };
    arguments.extend(["--profile", "handler", "--bin", BINARY, "--no-default-features", "--features", "handler"].map(str::to_owned));
    let command = format!("cargo {}", arguments.join(" "));
    reporter.event(Event::Waiting { resource: resource.to_owned(), state: format!("compiling: {command}") });
    arguments.push("--locked".to_owned());
    if way != Way::Lambda {
        arguments.extend(["--message-format", "json-render-diagnostics"].map(str::to_owned));
    }
    let Some(output) = output(places, &arguments, reporter, resource).await? else { return Ok(None) };
    if !output.success {
        let last: Vec<&str> = output.last.iter().map(String::as_str).collect();
        return Err(Error::new(
            format!("the handler could not be compiled by `{command}`:\n{}", last.join("\n")),
            remedy(&last, way, target),
        ));
    }
    let path = match way {
        Way::Native | Way::Zigbuild => output.executable.ok_or_else(|| {
            Error::new(
                format!("`{command}` says nothing about where it put {BINARY}"),
                "compile it yourself and give it with `--handler FILE`",
            )
        })?,
        Way::Lambda => {
            // The directory goes away with this function.
            let made = lambda_directory.path().join(BINARY).join(BOOTSTRAP);
            let kept = places.checkout.join("target").join("lambda").join(target).join(BOOTSTRAP);
            let moved = kept.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::copy(&made, &kept));
            moved.map_err(|error| {
                Error::new(format!("{} cannot be kept: {error}", made.display()), "compile it yourself and give it with `--handler FILE`")
            })?;
            kept
        }
    };
    Ok(Some((path, command)))
}

/// What cargo did.
struct Output {
    success: bool,
    executable: Option<PathBuf>,
    last: VecDeque<String>,
}

async fn output(places: &Places, arguments: &[String], reporter: &dyn Reporter, resource: &str) -> Result<Option<Output>, Error> {
    let failed = |error: std::io::Error| Error::new(format!("cargo cannot be run: {error}"), "give a handler with `--handler FILE`");
    let spawned = cargo(places)
        .args(arguments)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut executable = None;
    let mut last = VecDeque::new();
    let mut compiled = 0_u32;
    let mut told = Instant::now();
    let messages = each_line(stdout, |line| {
        if let Some(path) = artifact(&line) {
            executable = Some(path);
        }
    });
    let words = each_line(stderr, |line| {
        if line.trim_start().starts_with("Compiling ") {
            compiled += 1;
            if told.elapsed() >= TELL {
                told = Instant::now();
                reporter.event(Event::Waiting { resource: resource.to_owned(), state: format!("{compiled} crates, {}", line.trim()) });
            }
        }
        if last.len() == SHOWN {
            last.pop_front();
        }
        last.push_back(line);
    });
    tokio::join!(messages, words);
    let status = child.wait().await.map_err(failed)?;
    Ok(Some(Output { success: status.success(), executable, last }))
}

async fn each_line(from: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(String)) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        take(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

/// The path in cargo's message that the binary is there.
fn artifact(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let is = |pointer: &str, value: &str| message.pointer(pointer).and_then(serde_json::Value::as_str) == Some(value);
    let ours = is("/reason", "compiler-artifact") && is("/target/name", BINARY);
    ours.then(|| message.pointer("/executable").and_then(serde_json::Value::as_str).map(PathBuf::from)).flatten()
}

fn remedy(last: &[&str], way: Way, target: &str) -> String {
    let says = |part: &str| last.iter().any(|line| line.contains(part));
    if says("target may not be installed") || says("can't find crate for `core`") || says("can't find crate for `std`") {
        format!("`rustup target add {target}`")
    } else if says("linker `cc` not found") {
        "install a C compiler, such as the package gcc".to_owned()
    } else if way == Way::Zigbuild && (says("Failed to find zig") || says("zig")) {
        "`pip install ziglang`, or install zig".to_owned()
    } else if says("failed to download") || says("Could not resolve host") || says("failed to get ") {
        "let cargo reach its registry, or give a handler with `--handler FILE`".to_owned()
    } else if says("--locked") {
        "run `cargo build` once, so that Cargo.lock fits Cargo.toml".to_owned()
    } else {
        "mend what cargo reports, or give a handler with `--handler FILE`".to_owned()
    }
}
