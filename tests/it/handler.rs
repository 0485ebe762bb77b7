//! The handler's binary, ready to be uploaded.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use crate::tool::Tool;

/// The handler's zip, made once: one that is not optimised is large and takes seconds.
pub(crate) fn zip() -> &'static str {
    static ZIP: LazyLock<String> = LazyLock::new(|| {
        let zip = Path::new(env!("CARGO_TARGET_TMPDIR")).join("handler.zip").display().to_string();
        let tool = Tool::new();
        let small = tool.directory.path().join("bootstrap");
        // Without its debug information it is a quarter of the size; where there is no `strip` it is uploaded as it is.
        let stripped = Command::new("strip").arg("-o").arg(&small).arg(env!("CARGO_BIN_EXE_wsfix-handler")).status();
        let path =
            if stripped.is_ok_and(|status| status.success()) { small.as_path() } else { Path::new(env!("CARGO_BIN_EXE_wsfix-handler")) };
        let built = tool.run(&["build", "--handler", &path.display().to_string(), "--out", &zip]);
        built.says(0, &[]);
        zip
    });
    &ZIP
}
