//! What policies will say about a request of which not everything is known beforehand. Pure.
//!
//! [`decide`](super::decide) takes a key that the context lacks for absent, as AWS does when the request is there. Here it is unknown.

use super::evaluate::{Kind, Reason, Request, Source, Subject, names_service};
use super::glob::Glob;
use super::{Document, Effect, Statement};

/// What can be said before the request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Forecast {
    /// By the policies of these names.
    Allowed(Vec<String>),
    Denied(Reason),
    /// These condition keys or variables decide.
    Depends(Vec<String>),
}

/// Whether a statement will match.
enum Match {
    No,
    Yes,
    /// Where these keys have the right values.
    Maybe(Vec<String>),
}

/// Forecasts a request by identity policies, boundary and service control policies. `granted`: a resource policy names the role, so that no
/// identity policy has to allow it; its boundary still has to (IAM guide, "Permissions boundaries": resource policies that name a role).
pub(crate) fn forecast(subject: &Subject<'_>, request: Request<'_>, granted: bool) -> Forecast {
    let boundary: Vec<Source<'_>> = subject.boundary.into_iter().collect();
    let kinds = [(Kind::ServiceControl, &subject.service_control), (Kind::Identity, &subject.identity), (Kind::Boundary, &boundary)];
    let mut keys = Vec::new();
    for (kind, sources) in kinds {
        for source in sources {
            match any(source.document, Effect::Deny, request) {
                Match::Yes => return Forecast::Denied(Reason { explicit: true, kind, policy: source.arn.map(str::to_owned) }),
                Match::Maybe(more) => keys.extend(more),
                Match::No => {}
            }
        }
    }
    let mut by = Vec::new();
    // What limits comes before what grants: no allow helps against it.
    for (kind, sources) in [kinds[0], kinds[2], kinds[1]] {
        let limited = kind == Kind::Identity || !sources.is_empty();
        if !limited || (kind == Kind::Identity && granted) {
            continue;
        }
        let mut maybe = Vec::new();
        let mut allowed = false;
        for source in sources {
            match any(source.document, Effect::Allow, request) {
                Match::Yes => {
                    allowed = true;
                    if kind == Kind::Identity {
                        by.push(source.name.to_owned());
                    }
                }
                Match::Maybe(more) => maybe.extend(more),
                Match::No => {}
            }
        }
        match (allowed, maybe.is_empty()) {
            (true, _) => {}
            (false, false) => keys.extend(maybe),
            (false, true) => return Forecast::Denied(Reason { explicit: false, kind, policy: None }),
        }
    }
    if keys.is_empty() {
        return Forecast::Allowed(by);
    }
    keys.sort();
    keys.dedup();
    Forecast::Depends(keys)
}

/// Whether a trust policy lets a service in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Yes,
    /// A statement denies it; else none allows it.
    No {
        explicit: bool,
    },
    /// These condition keys decide.
    Depends(Vec<String>),
}

/// Forecasts whether a trust policy lets `service` do what is asked for.
pub(crate) fn trust(document: &Document, service: &str, request: Request<'_>) -> Trust {
    let about = |effect| {
        let statements = document.statements.iter().filter(move |statement| statement.effect == effect);
        best(statements.filter(|statement| names_service(statement, service)).map(|statement| of(statement, document.variables, request)))
    };
    match (about(Effect::Deny), about(Effect::Allow)) {
        (Match::Yes, _) => Trust::No { explicit: true },
        (_, Match::No) => Trust::No { explicit: false },
        (Match::Maybe(keys), _) | (Match::No, Match::Maybe(keys)) => Trust::Depends(keys),
        (Match::No, Match::Yes) => Trust::Yes,
    }
}

fn any(document: &Document, effect: Effect, request: Request<'_>) -> Match {
    let statements = document.statements.iter().filter(|statement| statement.effect == effect);
    best(statements.map(|statement| of(statement, document.variables, request)))
}

/// One that will match is enough; else all keys by which one may.
fn best(matches: impl Iterator<Item = Match>) -> Match {
    let mut keys: Vec<String> = Vec::new();
    for one in matches {
        match one {
            Match::Yes => return Match::Yes,
            Match::Maybe(more) => keys.extend(more),
            Match::No => {}
        }
    }
    if keys.is_empty() { Match::No } else { Match::Maybe(keys) }
}

fn of(statement: &Statement, variables: bool, request: Request<'_>) -> Match {
    let action = |pattern: &String| Glob::new(pattern, None).is_some_and(|glob| glob.matches_ignoring_case(request.action));
    if !statement.action.has(action) {
        return Match::No;
    }
    let mut keys = Vec::new();
    if let Some(resources) = &statement.resource {
        let context = variables.then_some(request.context);
        let patterns = match resources {
            super::Choice::Of(patterns) | super::Choice::NotOf(patterns) => patterns,
        };
        let open = |pattern: &&String| Glob::new(pattern, context).is_none();
        let hit = patterns.iter().any(|pattern| Glob::new(pattern, context).is_some_and(|glob| glob.matches(request.resource)));
        let wanted = matches!(resources, super::Choice::Of(_));
        match (hit, patterns.iter().find(open)) {
            // A pattern with a variable that is not known may still match.
            (false, Some(pattern)) => keys.push(pattern.clone()),
            (hit, _) if hit != wanted => return Match::No,
            _ => {}
        }
    }
    for condition in &statement.conditions {
        match condition.foreseen(request.context, variables) {
            Some(true) => {}
            Some(false) => return Match::No,
            None => keys.push(condition.key().to_owned()),
        }
    }
    if keys.is_empty() { Match::Yes } else { Match::Maybe(keys) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Forecast, Trust, forecast, trust};
    use crate::policy::{Context, Document, Request, Source, Subject};

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:111122223333:table/T";

    /// Forecasts PutItem on the table.
    fn put_item(identity: &[Value], boundary: &Value, granted: bool) -> String {
        let parse = |statement: &Value| {
            (!statement.is_null()).then(|| Document::parse(&json!({"Version": "2012-10-17", "Statement": statement})).unwrap())
        };
        let identity: Vec<_> = identity.iter().filter_map(parse).collect();
        let boundary = parse(boundary);
        let source = |document| Source { arn: Some("arn:p"), name: "p", document };
        let subject =
            Subject { identity: identity.iter().map(source).collect(), boundary: boundary.as_ref().map(source), ..Subject::default() };
        let context = Context::default().with("aws:RequestedRegion", "us-east-1");
        match forecast(&subject, Request { action: "dynamodb:PutItem", resource: TABLE, context: &context }, granted) {
            Forecast::Allowed(by) => format!("allowed by {}", by.join(",")),
            Forecast::Denied(reason) => format!("denied{}", reason.text("it", true)),
            Forecast::Depends(keys) => format!("depends on {}", keys.join(",")),
        }
    }

    fn allow(resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": "dynamodb:*", "Resource": resource})
    }

    #[test]
    fn what_is_certain_is_certain() {
        let no = &Value::Null;
        assert_eq!(put_item(&[allow("*")], no, false), "allowed by p");
        assert_eq!(put_item(&[], no, false), "denied because no identity-based policy allows the it action");
        let deny = json!({"Effect": "Deny", "NotAction": "logs:*", "Resource": "*"});
        assert_eq!(put_item(&[allow("*"), deny.clone()], no, true), "denied with an explicit deny in an identity-based policy: arn:p");
        assert_eq!(put_item(&[allow("*")], &deny, false), "denied with an explicit deny in a permissions boundary: arn:p");
    }

    #[test]
    fn a_resource_policy_stands_in_for_an_allow_and_for_nothing_else() {
        assert_eq!(put_item(&[], &Value::Null, true), "allowed by ");
        assert_eq!(put_item(&[], &allow("*"), true), "allowed by ");
        let logs = json!({"Effect": "Allow", "Action": "logs:*", "Resource": "*"});
        for granted in [false, true] {
            assert_eq!(put_item(&[], &logs, granted), "denied because no permissions boundary allows the it action");
        }
    }

    #[test]
    fn a_key_that_is_not_known_decides() {
        let no = &Value::Null;
        let when = |effect: &str, operator: &str, key: &str, value: &str| json!({"Effect": effect, "Action": "*", "Resource": "*", "Condition": {operator: {key: value}}});
        let region = when("Allow", "StringEquals", "aws:RequestedRegion", "us-east-1");
        assert_eq!(put_item(&[region], no, false), "allowed by p");
        let elsewhere = when("Deny", "StringNotEquals", "aws:RequestedRegion", "us-east-1");
        assert_eq!(put_item(&[allow("*"), elsewhere], no, false), "allowed by p");
        let tagged = when("Allow", "StringEquals", "aws:PrincipalTag/team", "x");
        assert_eq!(put_item(std::slice::from_ref(&tagged), no, false), "depends on aws:PrincipalTag/team");
        assert_eq!(put_item(&[tagged.clone(), allow("*")], no, false), "allowed by p");
        assert_eq!(put_item(&[allow("*")], &tagged, true), "depends on aws:PrincipalTag/team");
        let network = when("Deny", "NotIpAddress", "aws:SourceIp", "10.0.0.0/8");
        assert_eq!(put_item(&[allow("*"), network.clone()], no, false), "depends on aws:SourceIp");
        // Without any allow the condition of a deny does not matter, until a resource policy allows.
        assert!(put_item(std::slice::from_ref(&network), no, false).starts_with("denied because no identity-based"));
        assert_eq!(put_item(&[network], no, true), "depends on aws:SourceIp");
        let own = "arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/team}-*";
        assert_eq!(put_item(&[allow(own)], no, false), format!("depends on {own}"));
    }

    #[test]
    fn trust_depends_on_what_only_aws_knows() {
        let context = Context::default();
        let request = Request { action: "sts:AssumeRole", resource: "*", context: &context };
        let of = |statements: Value| trust(&Document::parse(&json!({ "Statement": statements })).unwrap(), "lambda.amazonaws.com", request);
        let allow = |principal: &str| json!({"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"});
        assert_eq!(of(json!([allow("lambda.amazonaws.com")])), Trust::Yes);
        assert_eq!(of(json!([allow("edgelambda.amazonaws.com")])), Trust::No { explicit: false });
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*"});
        assert_eq!(of(json!([allow("lambda.amazonaws.com"), deny])), Trust::No { explicit: true });
        let mut conditional = allow("lambda.amazonaws.com");
        conditional["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "1"}});
        assert_eq!(of(json!([conditional])), Trust::Depends(vec!["aws:SourceAccount".to_owned()]));
        assert_eq!(of(json!([conditional, allow("lambda.amazonaws.com")])), Trust::Yes);
        conditional["Effect"] = json!("Deny");
        assert_eq!(of(json!([conditional, allow("lambda.amazonaws.com")])), Trust::Depends(vec!["aws:SourceAccount".to_owned()]));
        assert_eq!(of(json!([conditional])), Trust::No { explicit: false });
        let other = json!({"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}, "NotAction": "sts:TagSession"});
        assert_eq!(of(json!(other)), Trust::Yes);
    }
}
