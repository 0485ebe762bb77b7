//! What a role lets Lambda and the handler do, as far as it can be told. Pure.

use serde_json::Value;

use super::desired::Desired;
use super::observed::{Found, Observed, Place};
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

/// ARN of the role, as far as it is known: as read, as the config says it, or put together from its name.
pub(crate) fn arn(want: &Desired, seen: &Observed) -> Option<String> {
    let read = seen.role.present().and_then(|live| live.chosen(seen.function_role(want))).map(str::to_owned);
    read.or_else(|| want.role.as_ref().map(|named| guess(named, &seen.place)))
}

fn guess(named: &str, place: &Place) -> String {
    if named.starts_with("arn:") {
        named.to_owned()
    } else {
        format!("arn:{}:iam::{}:role/{}", place.partition, place.account, named.trim_start_matches('/'))
    }
}

/// How replies travel, and why so.
pub(crate) struct ReplyMode {
    /// One of [`mod@reply`].
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

/// The one response that a WebSocket route can have, and the expression that picks it.
pub(crate) const TWO_WAY: &str = "$default";

/// Whether what the function returns on this route goes to the client.
pub(crate) fn is_two_way(want: &Desired, seen: &Observed, key: &str) -> bool {
    reply(want, seen).mode == reply::ROUTE_RESPONSE && !["$connect", "$disconnect"].contains(&key)
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
    fn a_name_keeps_its_path_in_the_arn() {
        let place = Place { account: "111122223333".to_owned(), partition: "aws-cn".to_owned(), region: "cn-north-1".to_owned() };
        assert_eq!(guess("service-role/x", &place), "arn:aws-cn:iam::111122223333:role/service-role/x");
        assert_eq!(guess("x", &place), "arn:aws-cn:iam::111122223333:role/x");
        assert_eq!(guess("arn:aws:iam::1:role/p/x", &place), "arn:aws:iam::1:role/p/x");
    }

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
