//! Whether a request is allowed, and which policy decides it. "Policy evaluation logic" of the IAM guide, inside one account.

use serde_json::Value;

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
    pub name: &'a str,
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

impl<'a> Subject<'a> {
    /// The identity policies that have a matching statement, and what it does.
    pub(crate) fn matching(&self, request: Request<'_>) -> Vec<(Source<'a>, Effect)> {
        let effects = [Effect::Allow, Effect::Deny];
        let pairs = self.identity.iter().flat_map(|source| effects.map(|effect| (*source, effect)));
        pairs.filter(|(source, effect)| has(source.document, *effect, request)).collect()
    }

    /// The condition keys that statements about this action and resource look at, and that the request does not have.
    pub(crate) fn missing_context(&self, request: Request<'_>) -> Vec<String> {
        let sources = self.identity.iter().chain(&self.boundary);
        let statements =
            sources.flat_map(|source| source.document.statements.iter().map(|statement| (statement, source.document.variables)));
        let about = statements.filter(|(statement, variables)| is_about(statement, *variables, request));
        let mut missing: Vec<String> =
            about.flat_map(|(statement, _)| &statement.conditions).filter_map(|condition| condition.missing(request.context)).collect();
        missing.sort();
        missing.dedup();
        missing
    }
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
    /// No policy of the caller allows it.
    pub(crate) fn none_allows() -> Self {
        Self { explicit: false, kind: Kind::Identity, policy: None }
    }

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
    let any = |effect| {
        let of_effect = document.statements.iter().filter(|statement| statement.effect == effect);
        of_effect.into_iter().any(|statement| names_service(statement, service) && applies(statement, document.variables, request))
    };
    any(Effect::Allow) && !any(Effect::Deny)
}

/// Whether a statement is about this service.
pub(super) fn names_service(statement: &Statement, service: &str) -> bool {
    statement.principal.as_ref().is_some_and(|principal| {
        principal.has(|one| match one {
            Principal::Everyone => true,
            Principal::Service(name) => name == service,
            Principal::Aws(_) | Principal::Other => false,
        })
    })
}

/// The statements of a document that deny a request, as they are written.
pub(crate) fn denying(document: &Document, request: Request<'_>) -> Vec<Value> {
    let written = match &document.json["Statement"] {
        Value::Array(list) => list.as_slice(),
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => std::slice::from_ref(one),
    };
    let denies = |statement: &Statement| statement.effect == Effect::Deny && applies(statement, document.variables, request);
    document.statements.iter().zip(written).filter(|(statement, _)| denies(statement)).map(|(_, json)| json.clone()).collect()
}

fn has(document: &Document, effect: Effect, request: Request<'_>) -> bool {
    document.statements.iter().any(|statement| statement.effect == effect && applies(statement, document.variables, request))
}

fn applies(statement: &Statement, variables: bool, request: Request<'_>) -> bool {
    is_about(statement, variables, request) && statement.conditions.iter().all(|condition| condition.holds(request.context, variables))
}

/// Whether action and resource match.
fn is_about(statement: &Statement, variables: bool, request: Request<'_>) -> bool {
    let context = variables.then_some(request.context);
    let action = |pattern: &String| Glob::new(pattern, None).is_some_and(|glob| glob.matches_ignoring_case(request.action));
    let resource = |pattern: &String| Glob::new(pattern, context).is_some_and(|glob| glob.matches(request.resource));
    statement.action.has(action) && statement.resource.as_ref().is_none_or(|resources| resources.has(resource))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Decision, Kind, Request, Source, Subject, decide, trusts};
    use crate::policy::{Context, Document};

    const USER: &str = "arn:aws:iam::111122223333:user/dev@example";
    const ROLE: &str = "arn:aws:iam::111122223333:role/path/handler";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/handler/websocket-handler";
    const TABLE: &str = "arn:aws:dynamodb:us-east-1:111122223333:table/T";

    fn policy(effect: &str, action: &str, resource: &str) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]})
    }

    /// Asks for PutItem on the table; each policy is JSON, null where there is none.
    fn put_item(arn: &str, principal: &str, identity: &[Value], boundary: &Value, control: &Value, resource: &Value) -> String {
        let parse = |json: &Value| (!json.is_null()).then(|| Document::parse(json).unwrap());
        let source = |document| Source { arn: Some("arn:aws:iam::111122223333:policy/p"), name: "p", document };
        let identity: Vec<_> = identity.iter().filter_map(parse).collect();
        let (boundary, control, resource) = (parse(boundary), parse(control), parse(resource));
        let subject = Subject {
            arn,
            principal,
            account: "111122223333",
            root: false,
            identity: identity.iter().map(source).collect(),
            boundary: boundary.as_ref().map(source),
            service_control: control.iter().map(source).collect(),
        };
        let context = Context::default();
        match decide(&subject, Request { action: "dynamodb:PutItem", resource: TABLE, context: &context }, resource.as_ref()) {
            Decision::Allowed => "allowed".to_owned(),
            Decision::Denied(reason) => reason.text("dynamodb:PutItem", true),
        }
    }

    fn granting(principal: &Value) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "dynamodb:*", "Resource": TABLE}]})
    }

    #[test]
    fn each_kind_of_denial_has_its_words() {
        let (allow, deny, other) = (policy("Allow", "*", "*"), policy("Deny", "dynamodb:Put*", "*"), policy("Allow", "s3:*", "*"));
        let no = &Value::Null;
        let ask = |identity: &[Value], boundary: &Value, control: &Value, resource: &Value| {
            put_item(USER, USER, identity, boundary, control, resource)
        };
        assert_eq!(ask(std::slice::from_ref(&allow), no, no, no), "allowed");
        assert_eq!(ask(&[], no, no, no), " because no identity-based policy allows the dynamodb:PutItem action");
        assert_eq!(
            ask(&[allow.clone(), deny.clone()], no, no, no),
            " with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/p"
        );
        assert_eq!(
            ask(std::slice::from_ref(&allow), &other, no, no),
            " because no permissions boundary allows the dynamodb:PutItem action"
        );
        assert_eq!(
            ask(std::slice::from_ref(&allow), &deny, no, no),
            " with an explicit deny in a permissions boundary: arn:aws:iam::111122223333:policy/p"
        );
        assert_eq!(
            ask(std::slice::from_ref(&allow), no, &other, no),
            " because no service control policy allows the dynamodb:PutItem action"
        );
        assert_eq!(
            ask(std::slice::from_ref(&allow), no, &deny, no),
            " with an explicit deny in a service control policy: arn:aws:iam::111122223333:policy/p"
        );
        let mut denying = granting(&json!("*"));
        denying["Statement"][0]["Effect"] = json!("Deny");
        assert_eq!(ask(&[allow], no, no, &denying), " with an explicit deny in a resource-based policy");
    }

    #[test]
    fn a_resource_policy_is_enough_by_itself_inside_one_account() {
        let (no, other) = (&Value::Null, policy("Allow", "s3:*", "*"));
        for (arn, principal, named, boundary, allowed) in [
            (SESSION, ROLE, json!({"AWS": ROLE}), no, true),
            (SESSION, ROLE, json!({"AWS": ROLE}), &other, false),
            (SESSION, ROLE, json!({"AWS": SESSION}), &other, true),
            (SESSION, ROLE, json!("*"), no, true),
            (SESSION, ROLE, json!({"AWS": "arn:aws:iam::111122223333:role/other"}), no, false),
            (USER, USER, json!({"AWS": USER}), &other, true),
            // The account as principal only delegates: its identity policies decide.
            (USER, USER, json!({"AWS": "arn:aws:iam::111122223333:root"}), no, false),
            (USER, USER, json!({"Service": "lambda.amazonaws.com"}), no, false),
        ] {
            let got = put_item(arn, principal, &[], boundary, no, &granting(&named));
            assert_eq!(got == "allowed", allowed, "{arn} {named}: {got}");
        }
        let deny = policy("Deny", "*", "*");
        assert_ne!(put_item(SESSION, ROLE, &[deny], no, no, &granting(&json!({"AWS": ROLE}))), "allowed");
    }

    #[test]
    fn a_deny_may_name_everyone_but_some() {
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*", "Resource": "*"}]});
        let allow = policy_allowing_all();
        let no = &Value::Null;
        assert_eq!(put_item(SESSION, ROLE, std::slice::from_ref(&allow), no, no, &policy), "allowed");
        assert_ne!(put_item(USER, USER, &[allow], no, no, &policy), "allowed");
    }

    fn policy_allowing_all() -> Value {
        policy("Allow", "*", "*")
    }

    #[test]
    fn not_action_and_not_resource_turn_a_match_round() {
        let no = &Value::Null;
        let ask = |statement: Value| put_item(USER, USER, &[json!({"Version": "2012-10-17", "Statement": statement})], no, no, no);
        assert_eq!(ask(json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})), "allowed");
        assert_ne!(ask(json!({"Effect": "Allow", "NotAction": "DynamoDB:*", "Resource": "*"})), "allowed");
        assert_eq!(ask(json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::*"})), "allowed");
        assert_ne!(ask(json!({"Effect": "Allow", "Action": "*", "NotResource": [TABLE]})), "allowed");
    }

    #[test]
    fn root_is_bound_by_service_control_policies_alone() {
        let deny = Document::parse(&policy("Deny", "dynamodb:*", "*")).unwrap();
        let context = Context::default();
        let request = Request { action: "dynamodb:PutItem", resource: TABLE, context: &context };
        let mut root = Subject { root: true, account: "111122223333", ..Subject::default() };
        assert_eq!(decide(&root, request, None), Decision::Allowed);
        root.service_control = vec![Source { arn: None, name: "", document: &deny }];
        assert!(matches!(decide(&root, request, None), Decision::Denied(reason) if reason.kind == Kind::ServiceControl));
    }

    #[test]
    fn a_trust_policy_names_the_service() {
        let trust = |principal: Value| {
            Document::parse(&json!({"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:*"}})).unwrap()
        };
        let context = Context::default();
        let request = Request { action: "sts:AssumeRole", resource: ROLE, context: &context };
        assert!(trusts(&trust(json!({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]})), "lambda.amazonaws.com", request));
        assert!(trusts(&trust(json!("*")), "lambda.amazonaws.com", request));
        assert!(!trusts(&trust(json!({"Service": "edgelambda.amazonaws.com"})), "lambda.amazonaws.com", request));
        assert!(!trusts(&trust(json!({"AWS": ROLE})), "lambda.amazonaws.com", request));
    }
}
