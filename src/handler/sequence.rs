//! `seq`: a client's own name for a message, which comes back in what answers it.

use super::Call;
use super::members::{Members, member};

const SEQ: &str = "seq";
/// Longest `seq` as it stands in the message, in bytes.
const LONGEST: usize = 64;

/// A client's `seq`, as it wrote it: a number or a text.
pub(super) struct Sequence(String);

impl Sequence {
    /// `None`: the message has none, or the setting is off.
    pub(super) fn of(cx: &Call<'_>, message: &Members<'_>) -> Option<Self> {
        let raw = message.raw(SEQ).filter(|_| cx.settings.sequence)?;
        let fits = raw.len() <= LONGEST && raw.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit());
        fits.then(|| Self(raw.to_owned()))
    }

    /// The answer with the `seq` of what it answers. An answer that is no object, or has a `seq` of its own, stays as it is.
    pub(super) fn echo(&self, answer: String) -> String {
        let members = Members::read(&answer);
        let comma = match &members {
            Some(members) if members.raw(SEQ).is_none() => !members.0.is_empty(),
            Some(_) | None => return answer,
        };
        // Only the last brace is the object's own; those before it belong to its values.
        let open = answer.trim_end().strip_suffix('}').unwrap_or_default();
        format!("{open}{}{}}}", if comma { "," } else { "" }, member(SEQ, &self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    proptest! {
        /// The answer means what it meant, and has the number.
        #[test]
        fn an_echo_adds_the_number_and_nothing_else(names in proptest::collection::btree_map("[a-p]{0,3}", ".{0,6}|[}\"{]{0,4}", 0..5), spaces in "[ \n]{0,3}") {
            let answer = json!(names);
            let echoed = Sequence("7".to_owned()).echo(format!("{spaces}{answer}{spaces}"));
            let mut expected = answer;
            expected["seq"] = json!(7);
            prop_assert_eq!(serde_json::from_str::<Value>(&echoed).unwrap(), expected);
        }
    }

    #[test]
    fn an_object_gets_the_number_and_stays_as_it_was_otherwise() {
        let seven = Sequence("7".to_owned());
        for (answer, echoed) in [
            ("{}", r#"{"seq":7}"#),
            (" { } \n", r#" { "seq":7}"#),
            (r#"{"a":{"b":{}}}"#, r#"{"a":{"b":{}},"seq":7}"#),
            (r#"{ "a" : 1.50 }"#, r#"{ "a" : 1.50 ,"seq":7}"#),
            (r#"{"seq":null}"#, r#"{"seq":null}"#),
            ("[1]", "[1]"),
            ("\"}\"", "\"}\""),
        ] {
            assert_eq!(seven.echo(answer.to_owned()), echoed);
        }
    }
}
