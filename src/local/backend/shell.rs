//! Commands: a few that only look like those of a system, or, where it is allowed, a real shell.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::secret;

/// A command of a real shell may take so long; the function waits less than 29 s.
const LIMIT: Duration = Duration::from_secs(10);
/// So much of its output is kept: it travels in one message of at most 128 KB, and JSON can make six bytes of one.
const LARGEST_OUTPUT: usize = 20 * 1024;
/// So many run at the same time.
const AT_ONCE: usize = 8;
/// So many sessions have a directory of their own.
const SESSIONS: usize = 1000;
const HOME: &str = "/home/demo";

/// The files that there are to see.
const FILES: [(&str, &str); 4] = [
    ("/etc/motd", "Nothing here is real: this is wsfix's demo backend.\n"),
    ("/home/demo/README.md", "# Hello\n\nYou reached this over API Gateway, Lambda and HTTP.\n"),
    ("/home/demo/notes.txt", "A WebSocket lives at most two hours behind API Gateway, and ten minutes without data.\n"),
    ("/home/demo/src/server.js", "app.post('/api/ws/message', handle)\n"),
];

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ran {
    pub output: String,
    pub exit_code: i32,
    /// Where the session is now.
    pub directory: String,
}

/// All sessions' terminals.
pub(super) struct Shell {
    real: bool,
    /// Where each session is, in the file system that is none.
    directories: Mutex<HashMap<String, String>>,
    running: Semaphore,
}

impl Shell {
    pub(super) fn new(real: bool) -> Self {
        Self { real, directories: Mutex::default(), running: Semaphore::new(AT_ONCE) }
    }

    /// Ends a session.
    pub(super) fn forget(&self, session_id: Option<&str>) {
        if let Some(id) = session_id {
            self.directories.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
    }

    /// Runs one command line.
    pub(super) async fn run(&self, session_id: &str, command: &str) -> Ran {
        if self.real {
            let _permit = self.running.acquire().await;
            let (output, exit_code) = real(command, LIMIT).await;
            return Ran { output, exit_code, directory: String::new() };
        }
        let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if directories.len() >= SESSIONS && !directories.contains_key(session_id) {
            directories.clear();
        }
        let directory = directories.entry(session_id.to_owned()).or_insert_with(|| HOME.to_owned());
        let (output, exit_code) = pretend(command, directory);
        Ran { output, exit_code, directory: directory.clone() }
    }
}

/// The few commands; what they print, and how they end.
fn pretend(command: &str, directory: &mut String) -> (String, i32) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let operands: Vec<&str> = words.iter().skip(1).filter(|word| !word.starts_with('-')).copied().collect();
    match words.first().copied() {
        None => (String::new(), 0),
        Some("help") => ("cat  cd  date  echo  help  ls  pwd  whoami\n".to_owned(), 0),
        Some("echo") => (command.trim_start()["echo".len()..].trim_start().to_owned() + "\n", 0),
        Some("pwd") => (format!("{directory}\n"), 0),
        Some("whoami") => ("demo\n".to_owned(), 0),
        Some("date") => (date(), 0),
        Some("ls") => list(&resolve(directory, operands.first().copied().unwrap_or(".")), words.iter().any(|word| word.starts_with("-l"))),
        Some("cat") => {
            let Some(name) = operands.first() else { return ("cat: which file?\n".to_owned(), 1) };
            let path = resolve(directory, name);
            match FILES.iter().find(|(file, _)| *file == path) {
                Some((_, content)) => ((*content).to_owned(), 0),
                None => (format!("cat: {name}: No such file\n"), 1),
            }
        }
        Some("cd") => {
            let path = resolve(directory, operands.first().copied().unwrap_or(HOME));
            if is_directory(&path) {
                *directory = path;
                (String::new(), 0)
            } else {
                (format!("cd: {}: No such directory\n", operands.first().unwrap_or(&HOME)), 1)
            }
        }
        Some(other) => (format!("{other}: command not found (try `help`)\n"), 127),
    }
}

/// `Thu Jan  1 00:00:00 UTC 1970`
fn date() -> String {
    let form = format_description!("[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] UTC [year]");
    OffsetDateTime::now_utc().format(form).unwrap_or_default() + "\n"
}

/// A path from where one is, without `.` and `..`.
fn resolve(directory: &str, path: &str) -> String {
    let path = path.strip_prefix('~').map_or_else(|| path.to_owned(), |rest| format!("{HOME}{rest}"));
    let joined = if path.starts_with('/') { path } else { format!("{directory}/{path}") };
    let parts = joined.split('/').fold(Vec::new(), |mut parts, part| {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
        parts
    });
    format!("/{}", parts.join("/"))
}

fn below<'a>(directory: &str, file: &'a str) -> Option<&'a str> {
    file.strip_prefix(directory.trim_end_matches('/'))?.strip_prefix('/')
}

fn is_directory(path: &str) -> bool {
    FILES.iter().any(|(file, _)| below(path, file).is_some())
}

fn list(path: &str, long: bool) -> (String, i32) {
    if !is_directory(path) {
        return match FILES.iter().any(|(file, _)| *file == path) {
            true => (format!("{path}\n"), 0),
            false => (format!("ls: {path}: No such file or directory\n"), 1),
        };
    }
    let mut lines: Vec<String> = Vec::new();
    for (file, content) in FILES {
        let Some(rest) = below(path, file) else { continue };
        let line = match (rest.split_once('/'), long) {
            (Some((name, _)), true) => format!("drwxr-xr-x demo    - {name}/\n"),
            (Some((name, _)), false) => format!("{name}/\n"),
            (None, true) => format!("-rw-r--r-- demo {:>4} {rest}\n", content.len()),
            (None, false) => format!("{rest}\n"),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    (lines.concat(), 0)
}

/// Runs a real command, with nothing to read, within time and size.
async fn real(command: &str, limit: Duration) -> (String, i32) {
    let mut shell = Command::new("sh");
    // Whoever has a token for the terminal may ask for the environment.
    for name in secret::VARIABLES {
        shell.env_remove(name);
    }
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = match shell.spawn() {
        Ok(child) => child,
        Err(error) => return (format!("cannot start a shell: {error}\n"), 126),
    };
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut output = Vec::new();
    let finished = timeout(limit, async {
        collect(stdout, stderr, &mut output).await;
        child.wait().await
    });
    let code = match finished.await {
        Ok(Ok(status)) => status.code().unwrap_or(128),
        Ok(Err(_)) => 126,
        Err(_) => {
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            output.extend_from_slice(format!("\n(ended after {} s)\n", limit.as_secs()).as_bytes());
            124
        }
    };
    (String::from_utf8_lossy(&output).into_owned(), code)
}

/// Reads both outputs in the order in which they come. What is too much is read and thrown away, so that nobody waits to write it.
async fn collect<O, E>(mut stdout: Option<O>, mut stderr: Option<E>, output: &mut Vec<u8>)
where
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    let mut cut = false;
    while stdout.is_some() || stderr.is_some() {
        let (mut first, mut second) = ([0; 4096], [0; 4096]);
        let chunk = tokio::select! {
            read = read(&mut stdout, &mut first) => &first[..read],
            read = read(&mut stderr, &mut second) => &second[..read],
        };
        let room = LARGEST_OUTPUT.saturating_sub(output.len()).min(chunk.len());
        output.extend_from_slice(&chunk[..room]);
        if room < chunk.len() && !cut {
            cut = true;
            output.extend_from_slice(b"\n(cut here)\n");
        }
    }
}

/// Reads some; a pipe at its end is put away, and one that is put away gives nothing.
async fn read<R: AsyncRead + Unpin>(pipe: &mut Option<R>, buffer: &mut [u8]) -> usize {
    let Some(open) = pipe else { return std::future::pending().await };
    let read = open.read(buffer).await.unwrap_or_default();
    if read == 0 {
        *pipe = None;
    }
    read
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LARGEST_OUTPUT, Shell, real};

    #[tokio::test]
    async fn the_few_commands_look_real() {
        let shell = Shell::new(false);
        for (command, output, code) in [
            ("echo hello  world", "hello  world\n", 0),
            ("pwd", "/home/demo\n", 0),
            ("ls", "README.md\nnotes.txt\nsrc/\n", 0),
            ("ls /", "etc/\nhome/\n", 0),
            ("cd src", "", 0),
            ("pwd", "/home/demo/src\n", 0),
            ("cat ../../../etc/motd", "Nothing here is real: this is wsfix's demo backend.\n", 0),
            ("cd /nowhere", "cd: /nowhere: No such directory\n", 1),
            ("rm -rf /", "rm: command not found (try `help`)\n", 127),
            ("", "", 0),
        ] {
            let ran = shell.run("s", command).await;
            assert_eq!((ran.output.as_str(), ran.exit_code), (output, code), "{command}");
        }
        assert_eq!(shell.run("other", "pwd").await.output, "/home/demo\n");
        assert!(shell.run("s", "date").await.output.contains(" UTC 20"));
    }

    #[tokio::test]
    async fn nothing_of_the_system_runs_unless_it_is_allowed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("made");
        let shell = Shell::new(false);
        for command in [format!("touch {file:?}"), format!("echo $(touch {file:?})"), format!("ls; touch {file:?}")] {
            shell.run("s", &command).await;
        }
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_real_command_has_limits() {
        let limit = Duration::from_millis(300);
        assert_eq!(real("echo out; echo err >&2; exit 3", limit).await.1, 3);
        assert_eq!(real("cat", limit).await, (String::new(), 0));
        let started = Instant::now();
        let (output, code) = real("echo begun; sleep 60 & sleep 60", limit).await;
        assert!(started.elapsed() < Duration::from_secs(5) && output.starts_with("begun\n"));
        assert_eq!(code, 124);
        let (output, _) = real("head -c 1000000 /dev/zero | tr '\\0' x", Duration::from_secs(5)).await;
        assert!(output.len() < LARGEST_OUTPUT + 20 && output.ends_with("(cut here)\n"));
    }
}
