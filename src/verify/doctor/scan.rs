//! Looks in a project for WebSocket URLs that still lead to the old host.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// Folders that are made, not written.
const SKIPPED: &[&str] = &["node_modules", "target", "dist", "build", "out", "coverage", "vendor", "venv", "__pycache__"];

/// Files that may hold a URL; besides those whose name begins with `.env`.
const READ: &[&str] = &[
    "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "vue", "svelte", "html", "json", "yaml", "yml", "toml", "env", "py", "rb", "go",
    "rs", "java", "kt", "cs", "php", "sh", "tf", "conf",
];

/// Larger files are data, or made.
const MAX_BYTES: u64 = 1 << 20;

/// The front end's variable that holds the URL.
const VARIABLE: &str = "NEXT_PUBLIC_WS_URL";

/// One place with a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, below the folder that was scanned.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// The URL without its query, which may hold a token.
    pub url: String,
    /// Whether it leads to a host that takes no WebSockets: that of App Runner.
    pub old: bool,
}

/// Every WebSocket URL of a project, and every value of `NEXT_PUBLIC_WS_URL`.
///
/// # Errors
/// When the folder itself cannot be read; a file that cannot be read is passed over.
pub fn scan(folder: &Path) -> std::io::Result<Vec<Place>> {
    fs::read_dir(folder)?;
    let mut places = Vec::new();
    let files = WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(wanted).filter_map(Result::ok);
    for entry in files.filter(|entry| entry.file_type().is_file() && is_read(entry)) {
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        let file = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        for (line, text) in text.lines().enumerate() {
            let found = urls(text).into_iter().map(|url| Place { file: file.to_owned(), line: line + 1, old: is_old(&url), url });
            places.extend(found);
        }
    }
    Ok(places)
}

fn wanted(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let hidden = name.starts_with('.') && !name.starts_with(".env") && entry.file_type().is_dir();
    entry.depth() == 0 || !(entry.file_type().is_dir() && (hidden || SKIPPED.contains(&name.as_ref())))
}

fn is_read(entry: &DirEntry) -> bool {
    let small = entry.metadata().is_ok_and(|data| data.len() <= MAX_BYTES);
    let name = entry.file_name().to_string_lossy();
    let ending = entry.path().extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    small && (name.starts_with(".env") || READ.contains(&ending.as_str()))
}

/// The URLs of a line, each once.
fn urls(line: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut take = |text: &str| {
        let end = text.find(|c: char| c.is_whitespace() || "\"'`<>(){}[],;?#\\".contains(c)).unwrap_or(text.len());
        let url = text[..end].trim_end_matches(['.', ':', '/']);
        let host = url.split_once("://").map_or("", |(_, rest)| rest);
        // A template such as `wss://${host}` says nothing.
        let is_host = host.starts_with(|c: char| c.is_alphanumeric() || c == '[');
        if is_host && !found.iter().any(|known| known == url) {
            found.push(url.to_owned());
        }
    };
    for scheme in ["wss://", "ws://"] {
        for (at, _) in line.match_indices(scheme) {
            // `wss://` ends with `s://`, not with `ws://`; a word that ends with it is no URL.
            let before = line[..at].chars().next_back();
            if !before.is_some_and(char::is_alphanumeric) {
                take(&line[at..]);
            }
        }
    }
    if let Some((_, value)) = line.split_once(VARIABLE) {
        let value = value.trim_start_matches(|c: char| c.is_whitespace() || "=:\"'`".contains(c));
        if value.starts_with("http") {
            take(value);
        }
    }
    found
}

fn is_old(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
    host.ends_with(".awsapprunner.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_found_without_what_may_be_secret() {
        assert_eq!(urls(r#"new WebSocket("wss://a.awsapprunner.com/ws?token=abc")"#), ["wss://a.awsapprunner.com/ws"]);
        assert_eq!(urls("NEXT_PUBLIC_WS_URL=https://a.awsapprunner.com"), ["https://a.awsapprunner.com"]);
        assert_eq!(urls("see ws://localhost:3000, or wss://x/prod."), ["wss://x/prod", "ws://localhost:3000"]);
        assert!(urls("news://x, `wss://${host}`").is_empty());
        assert!(is_old("wss://a.eu-west-1.awsapprunner.com/ws") && !is_old("wss://example.com/x.awsapprunner.com"));
    }

    #[test]
    fn a_project_is_read_without_what_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(".env.production", "A=1\nNEXT_PUBLIC_WS_URL=wss://a.awsapprunner.com\n");
        write("src/hook.ts", "const url = 'wss://a1.execute-api.eu-west-1.amazonaws.com/prod'\n");
        write("node_modules/x/index.js", "wss://a.awsapprunner.com\n");
        write(".next/app.js", "wss://a.awsapprunner.com\n");
        let places = scan(folder.path()).unwrap();
        let seen: Vec<(String, usize, bool)> =
            places.iter().map(|place| (place.file.display().to_string(), place.line, place.old)).collect();
        assert_eq!(seen, [(".env.production".to_owned(), 2, true), ("src/hook.ts".to_owned(), 1, false)]);
        assert!(scan(&folder.path().join("none")).is_err());
    }
}
