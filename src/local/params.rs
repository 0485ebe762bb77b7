//! The form of a query protocol's request. Pure.

use std::collections::BTreeMap;

use super::wire::{Call, ServiceError};

/// Names as the protocol flattens them: `ActionNames.member.1`.
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn of(call: &Call) -> Self {
        Self(url::form_urlencoded::parse(&call.body).into_owned().collect())
    }

    /// An optional parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A required one.
    pub(crate) fn need(&self, name: &str) -> Result<&str, ServiceError> {
        let missing = || {
            let member = name.split('.').next_back().unwrap_or(name);
            let member = member[..1].to_ascii_lowercase() + &member[1..];
            ServiceError::new(
                400,
                "ValidationError",
                format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"),
            )
        };
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// A list, in order; an item may itself have members, which `list` or `get` read below the prefix that `prefixes` gives.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|at| self.get(&format!("{name}.member.{at}"))).collect()
    }

    /// The prefixes of a list of structures that have this member.
    pub(crate) fn prefixes(&self, name: &str, member: &str) -> Vec<String> {
        let prefix = |at: u32| format!("{name}.member.{at}");
        (1..).map(prefix).take_while(|prefix| self.get(&format!("{prefix}.{member}")).is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Params;
    use crate::local::wire::{Service, tests::call};

    #[test]
    fn lists_and_structures_are_read_in_order() {
        let body = "Action=X&A.member.1=a%20b&A.member.2=c&E.member.1.Key=k&E.member.1.Values.member.1=v";
        let params = Params::of(&call(Service::Iam, "X", body));
        assert_eq!(params.list("A"), ["a b", "c"]);
        assert_eq!(params.prefixes("E", "Key"), ["E.member.1"]);
        assert_eq!(params.list("E.member.1.Values"), ["v"]);
        assert!(params.need("RoleName").unwrap_err().message.contains("'roleName'"));
    }
}
