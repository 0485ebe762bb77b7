//! Tables in `docs/` that the tests produce.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Several tests may write into one document, each its own piece.
static WRITING: Mutex<()> = Mutex::new(());

/// Holds a piece of a document against what the test saw: the text between `<!-- NAME -->` and `<!-- /NAME -->`.
/// With WSFIX_UPDATE_DOCS=1 it is written there instead.
pub(crate) fn hold(file: &str, name: &str, text: &str) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let (before, found, after) = parts(file, name);
    if std::env::var_os("WSFIX_UPDATE_DOCS").is_some() {
        std::fs::write(path(file), format!("{before}{text}{after}")).expect("the document");
        return;
    }
    assert_eq!(found, text, "docs/{file} is not what the tests see: run them once with WSFIX_UPDATE_DOCS=1 and read the change");
}

/// The piece as it is.
pub(crate) fn shown(file: &str, name: &str) -> String {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    parts(file, name).1
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file)
}

/// What is before a piece, the piece, and what is after it.
fn parts(file: &str, name: &str) -> (String, String, String) {
    let whole = std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("docs/{file}: {error}"));
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = whole.find(&begin).unwrap_or_else(|| panic!("{file} has no {begin}")) + begin.len();
    let to = from + whole[from..].find(&end).unwrap_or_else(|| panic!("{file} has no {end}"));
    (whole[..from].to_owned(), whole[from..to].to_owned(), whole[to..].to_owned())
}
