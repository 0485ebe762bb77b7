//! Commands for a POSIX shell.

/// A word that the shell passes on as it is.
pub(super) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Writes a file. Nothing in the text is expanded, and the text is JSON, which has no line that is the mark alone.
pub(super) fn file(name: &str, text: &str) -> String {
    format!("cat > {} <<'JSON'\n{text}\nJSON", quoted(name))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_shell_passes_on_what_was_quoted() {
        for text in ["plain-Name_1.x", "", "it's", "a b", "$HOME", "`id`", "a\\b", "\"q\"", "x;y", "*", "ann@example.com", "-n"] {
            let output = Command::new("sh").args(["-c", &format!("printf '%s' {}", quoted(text))]).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }
}
