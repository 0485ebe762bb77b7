//! Names for what a template calls by letters and digits alone.

use std::collections::BTreeSet;

/// One name of letters and digits for each text, no two the same: `JWT_SECRET` is `JwtSecret`, `$connect` is `Connect`.
pub(super) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    texts
        .into_iter()
        .map(|text| {
            let base = camel(text);
            let numbered = (2..).map(|number| format!("{base}{number}"));
            // Logical ids that differ in case alone would be two, but not for who reads them.
            let free = std::iter::once(base.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
            free.unwrap_or(base)
        })
        .collect()
}

/// `JwtSecret` is `jwt_secret`.
pub(super) fn snake(camel: &str) -> String {
    camel.chars().enumerate().fold(String::new(), |mut name, (at, letter)| {
        if at > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
        name
    })
}

fn camel(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let shouted = !text.chars().any(|letter| letter.is_ascii_lowercase());
    let name: String = words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            let rest = if shouted { rest.to_ascii_lowercase() } else { rest.to_owned() };
            first.to_ascii_uppercase() + &rest
        })
        .collect();
    if name.is_empty() { "Other".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_and_digits_and_no_two_the_same() {
        let texts = ["JWT_SECRET", "$connect", "sendMessage", "send_message", "svc/join", "sendmessage", "ä", "§", "DB2_URL"];
        let names = of(texts);
        assert_eq!(names, ["JwtSecret", "Connect", "SendMessage", "SendMessage2", "SvcJoin", "Sendmessage3", "Other", "Other2", "Db2Url"]);
        assert_eq!((snake(&names[0]), snake(&names[1])), ("jwt_secret".to_owned(), "connect".to_owned()));
    }
}
