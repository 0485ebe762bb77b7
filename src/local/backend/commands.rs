//! What `command` answers: a few harmless commands over made-up files, or, where asked for, a real shell.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// Well below the handler's time for the backend.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// A reply travels in one message of at most 128 KB, JSON escapes included.
const OUTPUT_LIMIT: u64 = 16 * 1024;

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) output: String,
    pub(super) exit_code: i32,
}

const FILES: &[(&str, &str)] =
    &[("README.txt", "This is the demo backend of `wsfix dev`.\n"), ("hello.sh", "#!/bin/sh\necho hello\n"), ("notes", "buy milk\n")];
const HELP: &str = "cat FILE, date, echo TEXT, help, ls [-la], pwd, whoami\n\
     Nothing is run for real: start `wsfix dev --allow-commands` for a shell.\n";

/// Answers like a shell would, and runs nothing.
pub(super) fn pretend(command: &str) -> Done {
    let ok = |output: String| Done { output, exit_code: 0 };
    let (name, rest) = command.trim().split_once(' ').unwrap_or((command.trim(), ""));
    match name {
        "" => ok(String::new()),
        "echo" => ok(format!("{rest}\n")),
        "pwd" => ok("/home/demo\n".to_owned()),
        "whoami" => ok("demo\n".to_owned()),
        "help" => ok(HELP.to_owned()),
        "date" => ok(date()),
        "ls" if rest.starts_with('-') && rest.contains('l') => {
            let lines = FILES.iter().map(|(name, text)| format!("-rw-r--r-- 1 demo demo {:>4} Jan  1 00:00 {name}\n", text.len()));
            ok(format!("total {}\n{}", FILES.len() * 4, lines.collect::<String>()))
        }
        "ls" => ok(FILES.iter().map(|(name, _)| format!("{name}\n")).collect()),
        "cat" => match FILES.iter().find(|(name, _)| *name == rest) {
            Some((_, text)) => ok((*text).to_owned()),
            None => Done { output: format!("cat: {rest}: No such file or directory\n"), exit_code: 1 },
        },
        _ => Done { output: format!("{name}: command not found (try `help`)\n"), exit_code: 127 },
    }
}

fn date() -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] UTC [year]\n"
    );
    time::OffsetDateTime::now_utc().format(format).unwrap_or_default()
}

/// Runs it in `sh`, with no input, a time limit and an output limit.
pub(super) async fn run(command: &str) -> Done {
    let failed = |output: String| Done { output, exit_code: 126 };
    // One pipe for both, in the order in which they are written.
    let script = format!("exec 2>&1\n{command}");
    let child = Command::new("sh").arg("-c").arg(script).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return failed(format!("sh: {error}\n")),
    };
    let Some(stdout) = child.stdout.take() else { return failed("sh: no output\n".to_owned()) };
    let mut output = Vec::new();
    let work = async {
        // The end of the limit closes the pipe; what still writes then is ended by the system.
        stdout.take(OUTPUT_LIMIT).read_to_end(&mut output).await?;
        child.wait().await
    };
    let ended = tokio::time::timeout(TIME_LIMIT, work).await;
    let mut output = String::from_utf8_lossy(&output).into_owned();
    let exit_code = match ended {
        Ok(Ok(status)) => status.code().unwrap_or(137),
        Ok(Err(error)) => return failed(format!("sh: {error}\n")),
        Err(_) => {
            output.push_str(&format!("\n(ended after {} s)\n", TIME_LIMIT.as_secs()));
            124
        }
    };
    Done { output, exit_code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretended_commands_answer_like_a_shell() {
        assert_eq!(pretend("  echo a b ").output, "a b\n");
        assert_eq!(pretend("ls -la").output.lines().count(), FILES.len() + 1);
        assert_eq!(pretend("cat notes").output, "buy milk\n");
        assert_eq!(pretend("cat /etc/passwd").exit_code, 1);
        assert_eq!(pretend("rm -rf /").exit_code, 127);
        assert_eq!(pretend("").exit_code, 0);
        assert!(pretend("date").output.ends_with('\n') && pretend("date").output.contains("UTC"));
    }

    #[tokio::test]
    async fn a_real_shell_gives_output_and_status() {
        assert_eq!(run("echo out; echo err >&2; exit 3").await, Done { output: "out\nerr\n".to_owned(), exit_code: 3 });
        let much = run("yes | head -c 100000; exit 0").await;
        assert_eq!(much.output.len() as u64, OUTPUT_LIMIT);
    }
}
