//! `${NAME}` in a value of the file becomes the environment variable's text, once and as plain text.

/// Why a value cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// The variable is not set.
    Unset(String),
    /// The variable's value is not UTF-8.
    NotText(String),
    /// What stands between the braces is not a variable's name.
    NotAName(String),
    /// There is no `}`.
    Unclosed,
}

/// The environment: `None` for what is not set, `Some(Err(()))` for what is not UTF-8.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<Result<String, ()>> + 'a;

/// Expands `text`. `$${` stands for `${`; any other `$` stands for itself. With `expressions`, `${request.` and
/// `${context.` belong to API Gateway and stay.
///
/// # Errors
/// Every mistake in `text`.
pub(super) fn expand(text: &str, expressions: bool, lookup: &Lookup<'_>) -> Result<String, Vec<Mistake>> {
    let mut out = String::with_capacity(text.len());
    let mut mistakes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, inner) = (&rest[..at], &rest[at + 2..]);
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = inner;
            continue;
        }
        out.push_str(before);
        if expressions && ["request.", "context."].iter().any(|lead| inner.starts_with(lead)) {
            out.push_str("${");
            rest = inner;
            continue;
        }
        let Some(end) = inner.find('}') else {
            mistakes.push(Mistake::Unclosed);
            rest = "";
            continue;
        };
        let name = &inner[..end];
        rest = &inner[end + 1..];
        if !is_name(name) {
            mistakes.push(Mistake::NotAName(name.chars().take(60).collect()));
            continue;
        }
        match lookup(name) {
            Some(Ok(value)) => out.push_str(&value),
            Some(Err(())) => mistakes.push(Mistake::NotText(name.to_owned())),
            None => mistakes.push(Mistake::Unset(name.to_owned())),
        }
    }
    out.push_str(rest);
    if mistakes.is_empty() { Ok(out) } else { Err(mistakes) }
}

/// The variable's name where `text` is nothing but one `${NAME}`.
pub(super) fn whole(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}').filter(|name| is_name(name))
}

/// Whether a shell would take `name` for a variable.
pub(super) fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<Result<String, ()>> {
        match name {
            "A" => Some(Ok("1".into())),
            "B" => Some(Ok("${A}: {x}".into())),
            "EMPTY" => Some(Ok(String::new())),
            "BYTES" => Some(Err(())),
            _ => None,
        }
    }

    #[test]
    fn names_are_replaced_once() {
        for (text, expanded) in [
            ("", ""),
            ("plain", "plain"),
            ("${A}", "1"),
            ("x${A}y${A}", "x1y1"),
            ("${B}", "${A}: {x}"),
            ("[${EMPTY}]", "[]"),
            ("$request.body.action", "$request.body.action"),
            ("$A $$ $$A }{", "$A $$ $$A }{"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("é${A}é", "é1é"),
        ] {
            assert_eq!(expand(text, false, &lookup).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn expressions_of_api_gateway_stay() {
        let text = "${request.body.service}/${A}/${context.stage}";
        assert_eq!(expand(text, true, &lookup).as_deref(), Ok("${request.body.service}/1/${context.stage}"));
        assert!(expand(text, false, &lookup).is_err());
    }

    #[test]
    fn every_mistake_is_told() {
        assert_eq!(
            expand("${X} ${a-b} ${} ${BYTES} ${A", false, &lookup),
            Err(vec![
                Mistake::Unset("X".into()),
                Mistake::NotAName("a-b".into()),
                Mistake::NotAName(String::new()),
                Mistake::NotText("BYTES".into()),
                Mistake::Unclosed
            ])
        );
    }

    #[test]
    fn a_whole_value_is_one_name() {
        for (text, name) in [("${A}", Some("A")), ("${A}x", None), ("${A}${B}", None), ("A", None), ("${1}", None)] {
            assert_eq!(whole(text), name, "{text}");
        }
    }
}
