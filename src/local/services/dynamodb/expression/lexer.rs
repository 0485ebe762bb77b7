//! From an expression's text to its tokens.

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An attribute's name, a keyword or a function.
    Word(String),
    /// `#name`
    Name(String),
    /// `:value`
    Value(String),
    /// `[3]`
    Index(usize),
    /// `= <> < <= > >= ( ) , . + -`
    Sign(&'static str),
}

const SIGNS: [&str; 12] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", "+", "-"];

/// The tokens, or the part that is none.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' | ':' => {
                let length = first.len_utf8() + word_length(&rest[1..]);
                if length == 1 {
                    return Err(rest.chars().take(8).collect());
                }
                let word = rest[..length].to_owned();
                tokens.push(if first == '#' { Token::Name(word) } else { Token::Value(word) });
                length
            }
            '[' => {
                let end = rest.find(']').unwrap_or(1);
                let index = rest[1..end].trim().parse().map_err(|_| rest[..=end.min(rest.len() - 1)].to_owned())?;
                tokens.push(Token::Index(index));
                end + 1
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let length = word_length(rest);
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| rest.chars().take(8).collect::<String>())?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

#[cfg(test)]
mod tests {
    use super::{Token, tokens};

    #[test]
    fn splits_names_values_signs_and_indexes() {
        let expected = vec![
            Token::Word("a".into()),
            Token::Sign("."),
            Token::Name("#b".into()),
            Token::Index(2),
            Token::Sign("<>"),
            Token::Value(":v_1".into()),
        ];
        assert_eq!(tokens(" a.#b[ 2 ]<>:v_1 ").unwrap(), expected);
    }

    #[test]
    fn what_is_no_token_is_named() {
        for text in ["a = 'x'", "a = :", "#", "a[x]", "a[", "a & b", "1"] {
            assert!(tokens(text).is_err(), "{text}");
        }
    }
}
