//! Observed -> Outputs. Pure.

use serde::Serialize;

use super::connections::Connections;
use super::desired::Desired;
use super::observed::{Found, Observed};
use super::plan::Plan;
use super::resource::Kind;
use super::roles;

/// What a person needs from a stack. Its JSON is part of the interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outputs {
    /// `wss://{apiId}.execute-api.{region}.amazonaws.com/{stage}`, or the local cloud's.
    pub websocket_url: String,
    /// Base URL of `@connections`, stage included.
    pub management_url: String,
    /// The API's id.
    pub api_id: String,
    /// The stage's name.
    pub stage: String,
    /// ARN of the function.
    pub function_arn: String,
    /// Name of the table.
    pub table: String,
    /// Name of the log group.
    pub log_group: String,
    /// ARN of the execution role.
    pub role_arn: String,
    /// `management-api` or `route-response`.
    pub reply: String,
    /// The Region.
    pub region: String,
}

/// What `status` reports.
#[derive(Clone, Debug)]
pub struct Status {
    /// One line a resource.
    pub resources: Vec<ResourceStatus>,
    /// `None` where the stack has no API.
    pub outputs: Option<Outputs>,
    /// The open connections.
    pub connections: Connections,
    /// What differs from the config; `None` where the config is not complete enough to tell.
    pub drift: Option<Plan>,
    /// Why [`Self::drift`] is not known.
    pub not_compared: Vec<String>,
}

/// How a stack is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing of it is there.
    Absent,
    /// All of it can do its work.
    Healthy,
    /// Nothing is known to be wrong, and something could not be read.
    Unknown,
    /// Something is missing, or cannot do its work.
    NotHealthy,
}

impl Health {
    /// For programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::NotHealthy => "not healthy",
        }
    }
}

impl Status {
    /// How the stack is as a whole.
    #[must_use]
    pub fn health(&self) -> Health {
        // The role is there before the stack, and whatever becomes of it.
        let mut own = self.resources.iter().filter(|one| one.kind != Kind::Role.name()).peekable();
        if own.peek().is_some() && own.all(|one| one.state == "absent") {
            Health::Absent
        } else if self.resources.iter().any(|one| one.healthy == Some(false)) {
            Health::NotHealthy
        } else if self.resources.iter().any(|one| one.healthy.is_none()) {
            Health::Unknown
        } else {
            Health::Healthy
        }
    }
}

/// One resource, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceStatus {
    /// `table`, `function` ...
    pub kind: &'static str,
    /// The name that a person knows it by.
    pub name: String,
    /// `absent`, `unknown`, or AWS's own word: `ACTIVE`, `Pending`, `DEPLOYED`.
    pub state: String,
    /// Whether it can do its work; `None`: could not be read.
    pub healthy: Option<bool>,
    /// Why it is not healthy, what was changed but never deployed, and the like; empty: nothing to say.
    pub detail: String,
}

/// What a person needs from the stack; `None` where it has no API.
pub(crate) fn outputs(want: &Desired, seen: &Observed) -> Option<Outputs> {
    let api = seen.api()?.id.as_str();
    Some(Outputs {
        websocket_url: websocket_url(want, seen, api),
        management_url: management_url(want, seen, api),
        api_id: api.to_owned(),
        stage: want.api.stage.clone(),
        function_arn: match &seen.function {
            Found::Present(function) => function.arn.clone(),
            Found::Absent | Found::Unknown(_) => seen.place.function(&want.function.name),
        },
        table: want.table.clone(),
        log_group: want.log_group(),
        role_arn: roles::arn(want, seen).unwrap_or_default(),
        reply: roles::reply(want, seen).mode.to_owned(),
        region: seen.place.region.clone(),
    })
}

/// Where clients connect to.
pub(crate) fn websocket_url(want: &Desired, seen: &Observed, api: &str) -> String {
    match management_url(want, seen, api).split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        Some((_, rest)) => format!("wss://{rest}"),
        None => String::new(),
    }
}

/// Where replies are posted to. An endpoint of one's own serves its APIs below itself, as the emulators do.
pub(crate) fn management_url(want: &Desired, seen: &Observed, api: &str) -> String {
    let stage = &want.api.stage;
    match &want.endpoint {
        Some(endpoint) => format!("{endpoint}/_aws/execute-api/{api}/{stage}"),
        None => format!("https://{}/{stage}", seen.place.host(api)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;
    use crate::provision::environment;
    use crate::provision::observed::Place;

    fn seen() -> Observed {
        Observed {
            place: Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() },
            ..Observed::default()
        }
    }

    #[test]
    fn urls_are_those_of_aws_or_lie_below_an_endpoint_of_ones_own() {
        let want = desired(Settings::default());
        assert_eq!(websocket_url(&want, &seen(), "a1"), "wss://a1.execute-api.eu-west-1.amazonaws.com/prod");
        assert_eq!(management_url(&want, &seen(), "a1"), "https://a1.execute-api.eu-west-1.amazonaws.com/prod");
        let want = desired(Settings { endpoint_url: Some("http://127.0.0.1:4566/".to_owned()), ..Settings::default() });
        assert_eq!(websocket_url(&want, &seen(), "a1"), "ws://127.0.0.1:4566/_aws/execute-api/a1/prod");
        assert_eq!(management_url(&want, &seen(), "a1"), "http://127.0.0.1:4566/_aws/execute-api/a1/prod");
        assert!(outputs(&want, &seen()).is_none());
    }

    #[test]
    fn the_function_is_told_a_management_url_only_for_an_endpoint_of_ones_own() {
        let names = |flags: Settings| environment::variables(&desired(flags), &seen()).into_keys().collect::<Vec<_>>();
        let aws = names(Settings::default());
        assert!(!aws.contains(&"WSFIX_MANAGEMENT_URL".to_owned()), "{aws:?}");
        for name in ["TABLE_NAME", "APP_RUNNER_URL", "JWT_SECRET", "DOMAIN_NAME", "STAGE", "WSFIX_REPLY"] {
            assert!(aws.contains(&name.to_owned()), "{aws:?}");
        }
        assert!(!aws.iter().any(|name| name.starts_with("AWS_")), "{aws:?}");
        let own = names(Settings { endpoint_url: Some("http://127.0.0.1:4566".to_owned()), ..Settings::default() });
        assert!(own.contains(&"WSFIX_MANAGEMENT_URL".to_owned()), "{own:?}");
    }
}
