//! What git keeps of a file.

use std::path::Path;
use std::process::{Command, Stdio};

/// What git has of a file, as staged and as committed; empty where it does not track it, or there is no git.
pub(super) fn kept(path: &Path) -> Vec<Vec<u8>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return Vec::new() };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let show = |version: &str| {
        let mut git = Command::new("git");
        git.arg("-C").arg(folder).args(["--no-optional-locks", "show", &format!("{version}:./{name}")]);
        let ended = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        ended.status.success().then_some(ended.stdout)
    };
    ["", "HEAD"].into_iter().filter_map(show).collect()
}
