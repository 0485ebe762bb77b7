//! Shared secrets of HS256, HS384 and HS512.

use super::Algorithm;

/// What a text with a secret cannot be. None of it says what the text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    /// RFC 7518 section 3.2: at least as many bits as the hash.
    #[error("shorter than {least} bytes, which {algorithm} needs")]
    Short { algorithm: Algorithm, least: usize },
    #[error("a key in PEM form: a shared secret is a text that nobody else knows")]
    Pem,
    #[error("a JSON object: name the member that holds the secret")]
    Object,
    #[error("a list: one secret, or `[\"NEW\", \"OLD\"]` while it is changed")]
    List,
    #[error("no secret: {0} is checked with a public key")]
    Public(Algorithm),
}

/// The secrets that `text` holds: one as it is, or two as a JSON list, the new one first, while it is changed.
pub(crate) fn secrets(algorithm: Algorithm, text: &str) -> Result<Vec<String>, SecretError> {
    let hash = algorithm.hmac().ok_or(SecretError::Public(algorithm))?;
    let least = hash.digest_algorithm().output_len();
    if text.contains("-----BEGIN ") {
        return Err(SecretError::Pem);
    }
    if text.starts_with('{') && super::json::object(text.as_bytes()).is_some() {
        return Err(SecretError::Object);
    }
    // No random text begins so; whoever writes this means a list.
    let secrets = if text.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('"')) {
        serde_json::from_str::<Vec<String>>(text).map_err(|_| SecretError::List)?
    } else {
        vec![text.to_owned()]
    };
    match secrets.as_slice() {
        [_] => {}
        [new, old] if new != old => {}
        _ => return Err(SecretError::List),
    }
    if secrets.iter().any(|secret| secret.len() < least) {
        return Err(SecretError::Short { algorithm, least });
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_as_many_bytes_as_the_hash() {
        for (algorithm, least) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
            for short in [0, 1, least - 1] {
                assert_eq!(secrets(algorithm, &"x".repeat(short)), Err(SecretError::Short { algorithm, least }));
            }
            assert_eq!(secrets(algorithm, &"x".repeat(least)), Ok(vec!["x".repeat(least)]));
        }
        assert_eq!(secrets(Algorithm::Rs256, &"x".repeat(99)), Err(SecretError::Public(Algorithm::Rs256)));
    }

    #[test]
    fn two_secrets_are_a_list() {
        let (new, old) = ("n".repeat(32), "o".repeat(32));
        for (text, expected) in [
            (format!(r#"["{new}","{old}"]"#), Ok(vec![new.clone(), old.clone()])),
            (format!(r#"[ "{new}" ]"#), Ok(vec![new.clone()])),
            (format!("[{new}]"), Ok(vec![format!("[{new}]")])),
            (format!(r#"["{new}","{new}"]"#), Err(SecretError::List)),
            (format!(r#"["{new}","{old}","{old}x"]"#), Err(SecretError::List)),
            (format!(r#"["{new}",1]"#), Err(SecretError::List)),
            (format!(r#"["{new}""#), Err(SecretError::List)),
            (format!(r#"["{new}","short"]"#), Err(SecretError::Short { algorithm: Algorithm::Hs256, least: 32 })),
        ] {
            assert_eq!(secrets(Algorithm::Hs256, &text), expected, "{text}");
        }
    }

    #[test]
    fn other_things_are_not_taken_for_a_secret() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----\n";
        assert_eq!(secrets(Algorithm::Hs256, pem), Err(SecretError::Pem));
        let members = r#"{"jwt":"0123456789abcdef0123456789abcdef"}"#;
        assert_eq!(secrets(Algorithm::Hs256, members), Err(SecretError::Object));
    }
}
