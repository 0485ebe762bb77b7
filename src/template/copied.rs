//! What is copied as it is.

use super::{File, Filled};

/// Paths, and what is in the files.
type Files = &'static [(&'static str, &'static str)];

pub(super) const EXPRESS: Files = &[
    ("server.mjs", include_str!("../../templates/backend-express/server.mjs")),
    ("package.json", include_str!("../../templates/backend-express/package.json")),
    ("package-lock.json", include_str!("../../templates/backend-express/package-lock.json")),
];
pub(super) const FASTAPI: Files = &[("main.py", include_str!("../../templates/backend-fastapi/main.py"))];
pub(super) const AXUM: Files = &[("main.rs", include_str!("../../templates/backend-axum/main.rs"))];

pub(super) const HOOK: Files = &[
    ("gateway-socket.mjs", include_str!("../../templates/hook/gateway-socket.mjs")),
    ("use-terminal-api-gateway.ts", include_str!("../../templates/hook/use-terminal-api-gateway.ts")),
];

pub(super) fn files(files: Files) -> Filled {
    let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
    Filled { files: files.iter().map(file).collect(), placeholders: Vec::new() }
}
