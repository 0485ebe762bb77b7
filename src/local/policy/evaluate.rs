//! Whether a request is allowed, and which policy decides it. "Policy evaluation logic" of the IAM guide, inside one account.

use super::glob::Glob;
use super::{Choice, Context, Document, Effect, Principal, Statement};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// `dynamodb:PutItem`
    pub action: &'a str,
    /// An ARN, or `*`.
    pub resource: &'a str,
    pub context: &'a Context,
}

/// A policy, and what a denial calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// Inline policies have none.
    pub arn: Option<&'a str>,
    pub document: &'a Document,
}

/// Whose policies count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject<'a> {
    /// As GetCallerIdentity says it.
    pub arn: &'a str,
    /// The user or the role.
    pub principal: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// The account itself: only service control policies bind it.
    pub root: bool,
    pub identity: Vec<Source<'a>>,
    pub boundary: Option<Source<'a>>,
    /// None: nothing is controlled.
    pub service_control: Vec<Source<'a>>,
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    Denied(Reason),
}

/// Why something is denied. Only one reason is given, as AWS does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// A statement says Deny; else no statement says Allow.
    pub explicit: bool,
    pub kind: Kind,
    /// Of the policy that denies explicitly.
    pub policy: Option<String>,
}

/// A kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identity,
    Resource,
    Boundary,
    ServiceControl,
}

impl Reason {
    /// The part of the message after the resource.
    pub(crate) fn text(&self, action: &str, with_policy: bool) -> String {
        let (implicit, explicit) = match self.kind {
            Kind::Identity => ("identity-based policy", "an identity-based policy"),
            Kind::Resource => ("resource-based policy", "a resource-based policy"),
            Kind::Boundary => ("permissions boundary", "a permissions boundary"),
            Kind::ServiceControl => ("service control policy", "a service control policy"),
        };
        match (&self.policy, self.explicit) {
            (Some(arn), true) if with_policy => format!(" with an explicit deny in {explicit}: {arn}"),
            (_, true) => format!(" with an explicit deny in {explicit}"),
            (_, false) => format!(" because no {implicit} allows the {action} action"),
        }
    }
}

/// How far a resource policy's Allow reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grant {
    None,
    /// To the account: its own policies must allow too.
    Account,
    /// To the role: its boundary still counts.
    Role,
    /// To the user or the session: nothing but a Deny stands in the way.
    Direct,
}

/// Decides a request.
pub(crate) fn decide(subject: &Subject<'_>, request: Request<'_>, resource_policy: Option<&Document>) -> Decision {
    let explicit = |kind, arn: Option<&str>| Decision::Denied(Reason { explicit: true, kind, policy: arn.map(str::to_owned) });
    let implicit = |kind| Decision::Denied(Reason { explicit: false, kind, policy: None });
    let denying = |sources: &[Source<'_>]| {
        sources.iter().find(|source| has(source.document, Effect::Deny, request)).map(|found| found.arn.map(str::to_owned))
    };

    if let Some(arn) = denying(&subject.service_control) {
        return explicit(Kind::ServiceControl, arn.as_deref());
    }
    if resource_policy.is_some_and(|document| grant(document, Effect::Deny, subject, request) > Grant::None) {
        return explicit(Kind::Resource, None);
    }
    if !subject.root {
        if let Some(arn) = denying(&subject.identity) {
            return explicit(Kind::Identity, arn.as_deref());
        }
        if let Some(arn) = subject.boundary.and_then(|boundary| denying(&[boundary])) {
            return explicit(Kind::Boundary, arn.as_deref());
        }
    }
    let allows = |source: &Source<'_>| has(source.document, Effect::Allow, request);
    if !subject.service_control.is_empty() && !subject.service_control.iter().any(allows) {
        return implicit(Kind::ServiceControl);
    }
    if subject.root {
        return Decision::Allowed;
    }
    let granted = resource_policy.map_or(Grant::None, |document| grant(document, Effect::Allow, subject, request));
    if granted == Grant::Direct {
        return Decision::Allowed;
    }
    if granted < Grant::Role && !subject.identity.iter().any(allows) {
        return implicit(Kind::Identity);
    }
    if subject.boundary.is_some_and(|boundary| !allows(&boundary)) {
        return implicit(Kind::Boundary);
    }
    Decision::Allowed
}

/// Whether a trust policy, or a function's policy, lets a service do this.
pub(crate) fn trusts(document: &Document, service: &str, request: Request<'_>) -> bool {
    let about = |statement: &Statement| {
        statement.principal.as_ref().is_some_and(|principal| {
            principal.has(|one| match one {
                Principal::Everyone => true,
                Principal::Service(name) => name == service,
                Principal::Aws(_) | Principal::Other => false,
            })
        })
    };
    let any = |effect| {
        let of_effect = document.statements.iter().filter(|statement| statement.effect == effect);
        of_effect.into_iter().any(|statement| about(statement) && applies(statement, document.variables, request))
    };
    any(Effect::Allow) && !any(Effect::Deny)
}

fn has(document: &Document, effect: Effect, request: Request<'_>) -> bool {
    document.statements.iter().any(|statement| statement.effect == effect && applies(statement, document.variables, request))
}

fn applies(statement: &Statement, variables: bool, request: Request<'_>) -> bool {
    let context = variables.then_some(request.context);
    let action = |pattern: &String| Glob::new(pattern, None).is_some_and(|glob| glob.matches_ignoring_case(request.action));
    let resource = |pattern: &String| Glob::new(pattern, context).is_some_and(|glob| glob.matches(request.resource));
    statement.action.has(action)
        && statement.resource.as_ref().is_none_or(|resources| resources.has(resource))
        && statement.conditions.iter().all(|condition| condition.holds(request.context, variables))
}

fn grant(document: &Document, effect: Effect, subject: &Subject<'_>, request: Request<'_>) -> Grant {
    let statements = document.statements.iter().filter(|statement| statement.effect == effect);
    let matching = statements.filter(|statement| applies(statement, document.variables, request));
    matching
        .map(|statement| statement.principal.as_ref().map_or(Grant::None, |principal| reach(principal, subject)))
        .max()
        .unwrap_or(Grant::None)
}

fn reach(principals: &Choice<Principal>, subject: &Subject<'_>) -> Grant {
    let is_role = subject.arn != subject.principal;
    let named = if is_role { Grant::Role } else { Grant::Direct };
    let of = |principal: &Principal| match principal {
        Principal::Everyone => named,
        Principal::Aws(name) if name == subject.arn => Grant::Direct,
        Principal::Aws(name) if name == subject.principal => named,
        Principal::Aws(name) if name == subject.account || is_root(name, subject.account) => Grant::Account,
        Principal::Aws(_) | Principal::Service(_) | Principal::Other => Grant::None,
    };
    match principals {
        Choice::Of(principals) => principals.iter().map(of).max().unwrap_or(Grant::None),
        Choice::NotOf(principals) if principals.iter().any(|principal| of(principal) > Grant::None) => Grant::None,
        Choice::NotOf(_) => named,
    }
}

fn is_root(arn: &str, account: &str) -> bool {
    arn.strip_suffix(":root").and_then(|arn| arn.rsplit_once(':')).is_some_and(|(_, number)| number == account)
}
