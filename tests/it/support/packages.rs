//! What tests need from the registries of Debian and npm packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// `apt-get` takes one at a time, and so does a folder.
static INSTALLING: Mutex<()> = Mutex::new(());

/// What a Node project makes itself.
const MADE: [&str; 8] = ["node_modules", "dist", "build-test", ".next", "out", "next-env.d.ts", "tsconfig.tsbuildinfo", "installed"];

/// Whether a program is here; where it is missing its package is installed, if this is root on Debian. `asked`: an argument that it ends after.
pub(crate) fn debian(program: &str, asked: &str, package: &str) -> bool {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let ends = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let there = || ends(Command::new(program).arg(asked));
    let script = format!("apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {package}");
    there() || (ends(Command::new("sh").args(["-c", &script])) && there())
}

/// A copy of a Node project below `target/`, with the packages of its lock file, which are installed once. Fails with npm's reason.
pub(crate) fn node_project(source: &Path, name: &str) -> Result<PathBuf, String> {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(name);
    fs::create_dir_all(&folder).expect("a folder");
    // A file that is no longer in the project must not be in the copy.
    for path in entries(&folder).filter(|path| !is_made(path)) {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.expect("a removed file");
    }
    copy(source, &folder);
    let (lock, installed) = (fs::read(source.join("package-lock.json")).expect("a lock file"), folder.join("installed"));
    if fs::read(&installed).ok().as_ref() == Some(&lock) {
        return Ok(folder);
    }
    run("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"], &folder)?;
    fs::write(&installed, lock).expect("a note of what is installed");
    Ok(folder)
}

/// Runs a program in a folder; what it wrote, where it failed.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    // Next.js tells its makers of every build.
    let quiet = ("NEXT_TELEMETRY_DISABLED", "1");
    let ended = Command::new(program).args(arguments).current_dir(folder).envs([quiet]).stdin(Stdio::null()).output();
    let ended = ended.map_err(|error| format!("{program}: {error}"))?;
    let wrote = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    if ended.status.success() { Ok(wrote) } else { Err(wrote.trim().to_owned()) }
}

fn copy(from: &Path, to: &Path) {
    for path in entries(from).filter(|path| !is_made(path)) {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            fs::create_dir_all(&target).expect("a folder");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
}

fn is_made(path: &Path) -> bool {
    path.file_name().is_some_and(|name| MADE.iter().any(|made| name == *made))
}
