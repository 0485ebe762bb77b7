//! Patterns of policies: `*`, `?` and `${variables}`.

use super::Context;

/// A pattern whose variables are filled in. What a variable stands for is never a wildcard.
pub(super) struct Glob(Vec<Piece>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Exactly(char),
}

impl Glob {
    /// A pattern; `None` where it has a variable that the request does not have: such a pattern matches nothing.
    pub(super) fn new(pattern: &str, context: Option<&Context>) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = pattern;
        while let Some(next) = rest.chars().next() {
            if let (Some(context), Some((name, after))) = (context, variable(rest)) {
                let value = match name.trim() {
                    literal @ ("*" | "?" | "$") => literal.to_owned(),
                    name => {
                        let (name, default) = name.split_once(',').map_or((name, None), |(name, default)| (name, Some(default)));
                        let default = default.map(|text| text.trim().trim_matches('\'').to_owned());
                        context.single(name.trim()).or(default)?
                    }
                };
                pieces.extend(value.chars().map(Piece::Exactly));
                rest = after;
                continue;
            }
            pieces.push(match next {
                '*' => Piece::Any,
                '?' => Piece::One,
                other => Piece::Exactly(other),
            });
            rest = &rest[next.len_utf8()..];
        }
        Some(Self(pieces))
    }

    /// The same, as exact text: wildcards stand for themselves.
    pub(super) fn exact(mut self) -> Self {
        for piece in &mut self.0 {
            match piece {
                Piece::Any => *piece = Piece::Exactly('*'),
                Piece::One => *piece = Piece::Exactly('?'),
                Piece::Exactly(_) => {}
            }
        }
        self
    }

    /// Whether the whole text fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        fits(&self.0, &text.chars().collect::<Vec<_>>(), |a, b| a == b)
    }

    /// Whether the whole text fits, whatever its case.
    pub(super) fn matches_ignoring_case(&self, text: &str) -> bool {
        fits(&self.0, &text.chars().collect::<Vec<_>>(), |a, b| a.eq_ignore_ascii_case(&b))
    }

    /// Whether an ARN fits: each of its six parts for itself, so that `*` does not reach over a colon but in the last.
    pub(super) fn matches_arn(&self, arn: &str) -> bool {
        let mut patterns = self.0.splitn(6, |piece| *piece == Piece::Exactly(':'));
        let mut parts = arn.splitn(6, ':');
        loop {
            match (patterns.next(), parts.next()) {
                (None, None) => return true,
                (Some(pattern), Some(part)) if fits(pattern, &part.chars().collect::<Vec<_>>(), |a, b| a == b) => {}
                _ => return false,
            }
        }
    }
}

/// The text inside of a leading `${...}` and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}')
}

fn fits(pattern: &[Piece], text: &[char], same: impl Fn(char, char) -> bool) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on when a `*` has to take one character more.
    let mut back: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(Piece::Any) => {
                back = Some((at, from));
                at += 1;
            }
            Some(Piece::One) => (at, from) = (at + 1, from + 1),
            Some(Piece::Exactly(character)) if same(*character, text[from]) => (at, from) = (at + 1, from + 1),
            Some(Piece::Exactly(_)) | None => match back {
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    (at, from) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|piece| *piece == Piece::Any)
}

#[cfg(test)]
mod tests {
    use super::Glob;
    use crate::policy::Context;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern, None).unwrap().matches(text)
    }

    #[test]
    fn wildcards_match_any_and_one() {
        for (pattern, text) in [("*", ""), ("*", "a"), ("a*c", "abbc"), ("a*b*c", "a-b-b-c"), ("a?c", "abc"), ("", ""), ("ab", "ab")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a?c", "ac"), ("a*c", "abcd"), ("", "a"), ("ab", "abc"), ("*b", "abc")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn an_arn_matches_part_by_part() {
        let glob = |pattern: &str| Glob::new(pattern, None).unwrap();
        assert!(glob("arn:aws:execute-api:*:1:api/*/$connect").matches_arn("arn:aws:execute-api:us-east-1:1:api/prod/$connect"));
        assert!(glob("arn:aws:logs:*:*:*").matches_arn("arn:aws:logs:r:1:log-group:/aws/x:*"));
        assert!(!glob("arn:aws:*").matches_arn("arn:aws:sqs:r:1:queue"));
    }

    #[test]
    fn variables_are_filled_in_and_are_no_wildcards() {
        let context = Context::default().with("aws:username", "d*v");
        let glob = |pattern: &str| Glob::new(pattern, Some(&context));
        assert!(glob("user/${aws:username}/*").unwrap().matches("user/d*v/x"));
        assert!(!glob("user/${aws:username}").unwrap().matches("user/dev"));
        assert!(glob("${aws:PrincipalTag/team}").is_none());
        assert!(glob("${aws:PrincipalTag/team, 'none'}").unwrap().matches("none"));
        assert!(glob("a${*}").unwrap().matches("a*"));
        assert!(!glob("a${*}").unwrap().matches("ab"));
    }
}
