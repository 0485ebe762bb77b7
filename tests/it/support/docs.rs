//! Tables in `docs/` that the tests produce.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Several tests may write into one document, each its own piece.
static WRITING: Mutex<()> = Mutex::new(());

/// Holds a piece of a document against what the test saw: the text between `<!-- NAME -->` and `<!-- /NAME -->`.
/// With WSFIX_UPDATE_DOCS=1 it is written there instead.
pub(crate) fn hold(file: &str, name: &str, text: &str) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let whole = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = whole.split_once(&begin).unwrap_or_else(|| panic!("{file} has no {begin}"));
    let (found, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{file} has no {end}"));
    if std::env::var_os("WSFIX_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{text}{end}{after}")).expect("the document");
        return;
    }
    assert_eq!(found, text, "docs/{file} is not what the tests see: run them once with WSFIX_UPDATE_DOCS=1 and read the change");
}
