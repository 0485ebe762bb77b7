//! Whether Lambda may assume a role. Pure.

use serde_json::Value;

use crate::policy::{self, Choice, Context, Document, Effect, Principal, Request};

const LAMBDA: &str = "lambda.amazonaws.com";
const ASSUME: &str = "sts:AssumeRole";

/// What a role's trust policy says about Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It lets Lambda in.
    Yes,
    /// It does not, or denies it; says what it has instead.
    No(String),
    /// A condition decides, which only AWS can evaluate, or it cannot be read; says which.
    Unknown(String),
}

impl Trust {
    /// Reads a trust policy, percent-encoded as IAM answers it or plain.
    pub(crate) fn read(document: &str) -> Self {
        let decoded = percent_encoding::percent_decode_str(document).decode_utf8_lossy();
        let parsed = serde_json::from_str::<Value>(&decoded).map_err(|error| error.to_string()).and_then(|json| Document::parse(&json));
        let document = match parsed {
            Ok(document) => document,
            Err(why) => return Self::Unknown(format!("its trust policy cannot be understood: {why}")),
        };
        let context = Context::default();
        match policy::trust(&document, LAMBDA, Request { action: ASSUME, resource: "*", context: &context }) {
            policy::Trust::Yes => Self::Yes,
            policy::Trust::No { explicit: true } => Self::No(format!("its trust policy denies {ASSUME} to {LAMBDA}")),
            policy::Trust::No { explicit: false } => Self::No(instead(&document)),
            policy::Trust::Depends(keys) => Self::Unknown(format!("a condition on {} in its trust policy decides", keys.join(", "))),
        }
    }

    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Yes => format!("{LAMBDA} may assume it"),
            Self::No(why) | Self::Unknown(why) => why.clone(),
        }
    }
}

/// Whom it lets in, where that is not Lambda.
fn instead(document: &Document) -> String {
    let allowing = || document.statements.iter().filter(|statement| statement.effect == Effect::Allow);
    let named = |of: fn(&Principal) -> Option<&str>| {
        let mut names: Vec<&str> = allowing()
            .filter_map(|statement| match &statement.principal {
                Some(Choice::Of(principals)) => Some(principals.iter().filter_map(of)),
                Some(Choice::NotOf(_)) | None => None,
            })
            .flatten()
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let services = named(|principal| match principal {
        Principal::Service(name) => Some(name),
        Principal::Everyone | Principal::Aws(_) | Principal::Other => None,
    });
    if services.contains(&LAMBDA) {
        return format!("its trust policy names {LAMBDA}, but does not let it do {ASSUME}");
    }
    let others = named(|principal| match principal {
        Principal::Aws(name) => Some(name),
        Principal::Everyone | Principal::Service(_) | Principal::Other => None,
    });
    match (services.as_slice(), others.as_slice()) {
        ([], []) => format!("its trust policy does not name {LAMBDA}"),
        ([], others) => format!("its trust policy names {}, not {LAMBDA}", few(others)),
        (services, _) => format!("its trust policy names {}, not {LAMBDA}", few(services)),
    }
}

/// The first of them, and how many more.
fn few(names: &[&str]) -> String {
    match names {
        [first, second, _, ..] => format!("{first}, {second} and {} more", names.len() - 2),
        names => names.join(" and "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statements: &str) -> Trust {
        Trust::read(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#))
    }

    fn allow(principal: &str, rest: &str) -> String {
        format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{rest}}}"#)
    }

    const SERVICE: &str = r#"{"Service":"lambda.amazonaws.com"}"#;

    #[test]
    fn trust_is_read_in_every_spelling() {
        assert_eq!(of(&allow(SERVICE, "")), Trust::Yes);
        assert_eq!(of(&allow(r#"{"Service":["ec2.amazonaws.com","lambda.amazonaws.com"]}"#, "")), Trust::Yes);
        assert_eq!(of(&allow("\"*\"", "")), Trust::Yes);
        let several = format!(r#"[{},{}]"#, allow(r#"{"AWS":"arn:aws:iam::1:root"}"#, ""), allow(SERVICE, ""));
        assert_eq!(of(&several), Trust::Yes);
        let wild = r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["sts:TagSession","STS:Assume*"]}"#;
        assert_eq!(of(wild), Trust::Yes);
        let encoded =
            percent_encoding::utf8_percent_encode(&format!(r#"{{"Statement":{wild}}}"#), percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(Trust::read(&encoded), Trust::Yes);
    }

    #[test]
    fn what_is_not_trust_says_what_it_is_instead() {
        for (statement, said) in [
            (allow(r#"{"Service":"edgelambda.amazonaws.com"}"#, ""), "names edgelambda.amazonaws.com, not lambda"),
            (allow(r#"{"Service":["a.x","b.x","c.x"]}"#, ""), "names a.x, b.x and 1 more, not lambda"),
            (allow(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, ""), "names arn:aws:iam::111122223333:root, not lambda"),
            (allow(r#"{"Federated":"arn:x"}"#, ""), "does not name lambda"),
            (
                r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:TagSession"}"#.to_owned(),
                "does not let it do sts:AssumeRole",
            ),
            (format!(r#"[{},{{"Effect":"Deny","Principal":"*","Action":"sts:*"}}]"#, allow(SERVICE, "")), "denies sts:AssumeRole"),
            ("[]".to_owned(), "does not name lambda"),
        ] {
            assert!(matches!(of(&statement), Trust::No(why) if why.contains(said)), "{statement}: {:?}", of(&statement));
        }
    }

    #[test]
    fn a_condition_is_left_to_aws() {
        let condition = r#","Condition":{"StringEquals":{"aws:SourceAccount":"1"}}"#;
        assert!(matches!(of(&allow(SERVICE, condition)), Trust::Unknown(why) if why.contains("aws:SourceAccount")));
        assert!(matches!(Trust::read("not json"), Trust::Unknown(_)));
        let strange = allow(SERVICE, r#","Condition":{"NewOperator":{"k":"v"}}"#);
        assert!(matches!(of(&strange), Trust::Unknown(why) if why.contains("NewOperator")));
    }
}
