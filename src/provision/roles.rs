//! What a role lets Lambda and the handler do, as far as it can be told. Pure.

use serde_json::Value;

use super::desired::Desired;
use super::observed::{Found, Observed};
use crate::config::Reply;
use crate::contract::reply;

/// Whether Lambda may assume a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Its trust policy says so.
    Yes,
    /// Its trust policy does not say so, or denies it.
    No,
    /// A condition decides, or the trust policy cannot be read.
    Unknown,
}

/// How replies travel, and why so.
pub(crate) struct ReplyMode {
    /// One of [`reply`].
    pub(crate) mode: &'static str,
    pub(crate) why: String,
}

/// Settles `auto`: `management-api`, unless the role is known not to allow it.
pub(crate) fn reply(want: &Desired, seen: &Observed) -> ReplyMode {
    let (mode, why) = match (want.reply, &seen.may_manage) {
        (Reply::ManagementApi, _) => (reply::MANAGEMENT_API, "the config says so".to_owned()),
        (Reply::RouteResponse, _) => (reply::ROUTE_RESPONSE, "the config says so".to_owned()),
        (Reply::Auto, Found::Present(true)) => (reply::MANAGEMENT_API, "the role allows execute-api:ManageConnections".to_owned()),
        (Reply::Auto, Found::Present(false)) => {
            (reply::ROUTE_RESPONSE, "the role does not allow execute-api:ManageConnections, which this mode does not need".to_owned())
        }
        (Reply::Auto, Found::Absent) => {
            (reply::MANAGEMENT_API, "whether the role allows execute-api:ManageConnections is not known".to_owned())
        }
        (Reply::Auto, Found::Unknown(why)) => {
            (reply::MANAGEMENT_API, format!("whether the role allows execute-api:ManageConnections is not known: {why}"))
        }
    };
    ReplyMode { mode, why }
}

/// Reads a trust policy, percent-encoded as IAM answers it or plain.
pub(crate) fn trusts_lambda(document: &str) -> Trust {
    let decoded = percent_encoding::percent_decode_str(document).decode_utf8_lossy();
    let Ok(policy) = serde_json::from_str::<Value>(&decoded) else { return Trust::Unknown };
    let mut trust = Trust::No;
    for statement in items(&policy["Statement"]) {
        let assumes = items(&statement["Action"]).any(|action| {
            let action = action.as_str().unwrap_or_default();
            ["sts:AssumeRole", "sts:*", "*"].iter().any(|known| action.eq_ignore_ascii_case(known))
        });
        let lambda = |principal: &Value| {
            principal.as_str() == Some("*")
                || items(&principal["Service"]).any(|name| matches!(name.as_str(), Some("lambda.amazonaws.com" | "*")))
        };
        if !assumes || !lambda(&statement["Principal"]) {
            continue;
        }
        let conditional = statement.get("Condition").is_some_and(|condition| !condition.is_null());
        match (statement["Effect"].as_str(), conditional) {
            (Some("Deny"), false) => return Trust::No,
            (Some("Deny"), true) => return Trust::Unknown,
            (Some("Allow"), false) => trust = Trust::Yes,
            (Some("Allow"), true) if trust == Trust::No => trust = Trust::Unknown,
            _ => {}
        }
    }
    trust
}

/// In a policy everything may be one thing or a list of them.
pub(crate) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Value::Array(list) => (list.as_slice(), None),
        Value::Null => (&[] as &[Value], None),
        one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => (&[] as &[Value], Some(one)),
    };
    list.iter().chain(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_read_in_every_spelling() {
        let allow = |principal: &str, rest: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{rest}}}]}}"#
            )
        };
        let lambda = r#"{"Service":"lambda.amazonaws.com"}"#;
        assert_eq!(trusts_lambda(&allow(lambda, "")), Trust::Yes);
        assert_eq!(trusts_lambda(&allow(r#"{"Service":["ec2.amazonaws.com","lambda.amazonaws.com"]}"#, "")), Trust::Yes);
        assert_eq!(trusts_lambda(&allow("\"*\"", "")), Trust::Yes);
        assert_eq!(trusts_lambda(&allow(r#"{"Service":"edgelambda.amazonaws.com"}"#, "")), Trust::No);
        assert_eq!(trusts_lambda(&allow(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, "")), Trust::No);
        assert_eq!(trusts_lambda(&allow(lambda, r#","Condition":{"StringEquals":{"aws:SourceAccount":"1"}}"#)), Trust::Unknown);
        assert_eq!(trusts_lambda("not json"), Trust::Unknown);
        let single = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["sts:TagSession","sts:AssumeRole"]}}"#;
        assert_eq!(trusts_lambda(single), Trust::Yes);
        let encoded = percent_encoding::utf8_percent_encode(single, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(trusts_lambda(&encoded), Trust::Yes);
    }

    #[test]
    fn a_deny_outranks_an_allow() {
        let both = r#"{"Statement":[
            {"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"},
            {"Effect":"Deny","Principal":"*","Action":"sts:*"}]}"#;
        assert_eq!(trusts_lambda(both), Trust::No);
    }
}
