//! Whether a principal may do something, and what says so. Pure.

use serde::Serialize;

use crate::policy::{Forecast, Kind, Reason};

/// One of three answers, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// By the policies of these names, where they are known. Not a promise: what neither a simulation nor a role's own policies show
    /// (session policies, service control policies with conditions) may still deny it.
    Allowed(Vec<String>),
    /// Known to be refused.
    Denied(Denied),
    /// Nobody can tell; the text says why.
    Unknown(String),
}

/// How something is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// A statement denies it, so that no allow helps; else nothing allows it.
    pub explicit: bool,
    /// What kind of policy.
    pub layer: Layer,
    /// Name or ARN of the policy that denies it, where it is known.
    pub policy: Option<String>,
}

/// A kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The principal's own.
    Identity,
    /// That of the resource.
    Resource,
    /// The limit of what the principal's own policies can give.
    Boundary,
    /// The organisation's.
    Organisation,
}

impl Layer {
    /// As AWS calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Boundary => "permissions boundary",
            Self::Organisation => "service control policy",
        }
    }
}

impl From<Kind> for Layer {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Identity => Self::Identity,
            Kind::Resource => Self::Resource,
            Kind::Boundary => Self::Boundary,
            Kind::ServiceControl => Self::Organisation,
        }
    }
}

impl From<Reason> for Denied {
    fn from(Reason { explicit, kind, policy }: Reason) -> Self {
        Self { explicit, layer: kind.into(), policy }
    }
}

impl From<Forecast> for Answer {
    fn from(forecast: Forecast) -> Self {
        match forecast {
            Forecast::Allowed(by) => Self::Allowed(by),
            Forecast::Denied(reason) => Self::Denied(reason.into()),
            Forecast::Depends(on) => Self::depends(&on),
        }
    }
}

impl Answer {
    /// What a condition decides that cannot be evaluated here.
    pub(crate) fn depends(on: &[String]) -> Self {
        Self::Unknown(format!("it depends on {}", on.join(", ")))
    }

    /// `allowed`, `denied` or `unknown`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Denied(_) => "denied",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What says so, in a few words; empty where nothing more is known.
    #[must_use]
    pub fn because(&self) -> String {
        match self {
            Self::Allowed(by) if by.is_empty() => String::new(),
            Self::Allowed(by) => format!("by {}", by.join(", ")),
            Self::Denied(Denied { explicit: true, layer, policy: Some(policy) }) => format!("explicitly, in the {} {policy}", layer.name()),
            Self::Denied(Denied { explicit: true, layer, policy: None }) => format!("explicitly, in a {}", layer.name()),
            Self::Denied(Denied { explicit: false, layer, .. }) => format!("no {} allows it", layer.name()),
            Self::Unknown(why) => why.clone(),
        }
    }
}
