//! XML answers of STS and IAM.

use super::wire::{Answer, Service, ServiceError};

/// The version of the service's query protocol, which is a part of its namespace.
pub(crate) fn version(service: Service) -> &'static str {
    if service == Service::Sts { "2011-06-15" } else { "2010-05-08" }
}

fn namespace(service: Service) -> String {
    let host = if service == Service::Sts { "sts" } else { "iam" };
    format!("https://{host}.amazonaws.com/doc/{}/", version(service))
}

/// `<name>text</name>`, the text escaped.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// `<name>...</name>` around XML.
pub(crate) fn wrap(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// `<name><member>...</member>...</name>`.
pub(crate) fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members: String = members.into_iter().map(|member| wrap("member", &member)).collect();
    wrap(name, &members)
}

/// The answer of an operation, with `result` as what is inside of `<{operation}Result>`.
pub(crate) fn answer(service: Service, operation: &str, result: &str) -> Answer {
    let body = format!(
        "<{operation}Response xmlns=\"{}\"><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
        namespace(service),
        super::ids::uuid(),
    );
    Answer { status: 200, headers: Vec::new(), body: body.into() }
}

/// An error's document.
pub(crate) fn error(service: Service, error: &ServiceError, request_id: &str) -> String {
    let blame = if error.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{}\"><Error>{}{}{}</Error>{}</ErrorResponse>",
        namespace(service),
        element("Type", blame),
        element("Code", &error.code),
        element("Message", &error.message),
        element("RequestId", request_id),
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_escaped_and_members_are_wrapped() {
        assert_eq!(super::element("A", "<b> & \"c\""), "<A>&lt;b&gt; &amp; &quot;c&quot;</A>");
        assert_eq!(super::list("L", ["x".to_owned()]), "<L><member>x</member></L>");
    }
}
