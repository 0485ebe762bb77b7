//! The sentence inside what protocols and tools put around it.

use serde_json::Value;

/// The message alone, in one line.
pub(super) fn plain(said: &str) -> String {
    let inner = of_json(said).or_else(|| of_xml(said)).unwrap_or_else(|| said.to_owned());
    inner.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The message of the JSON object that the text is or ends with.
fn of_json(said: &str) -> Option<String> {
    let start = said.find('{')?;
    let value: Value = serde_json::from_str(said[start..].trim()).ok()?;
    let members = value.as_object()?;
    let message = members.iter().find(|(name, _)| name.eq_ignore_ascii_case("message") || name.eq_ignore_ascii_case("errorMessage"));
    message.and_then(|(_, text)| text.as_str()).map(str::to_owned)
}

/// What stands between `<Message>` and its end.
fn of_xml(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("<Message>")?;
    let text = rest.split("</Message>").next()?;
    let marks = [("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    Some(marks.iter().fold(text.to_owned(), |text, (mark, plain)| text.replace(mark, plain)))
}
