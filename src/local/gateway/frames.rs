//! The error frames that API Gateway itself sends. Pure.

/// `{"message": "Forbidden", "connectionId":"...", "requestId":"..."}`: one space after the first colon and after each comma.
pub(super) fn error(message: &str, connection_id: &str, request_id: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(r#"{{"message": {}, "connectionId":{}, "requestId":{}}}"#, quoted(message), quoted(connection_id), quoted(request_id))
}

#[cfg(test)]
mod tests {
    use super::error;

    #[test]
    fn the_layout_is_that_of_api_gateway() {
        let expected = r#"{"message": "Internal server error", "connectionId":"Qyi07eCbtjMCJKw=", "requestId":"Qyi3UG41tjMFlUg="}"#;
        assert_eq!(error("Internal server error", "Qyi07eCbtjMCJKw=", "Qyi3UG41tjMFlUg="), expected);
    }
}
