//! SimulatePrincipalPolicy: what the policies of a user or a role say, without doing it.

use std::collections::BTreeSet;

use super::{not_found, page};
use crate::local::account::EntityKind;
use crate::local::params::Params;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::local::xml::{element, list, wrap};
use crate::policy::{self, Context, Decision, Document, Effect, Request, Source, Subject};

/// A decision as the simulator names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Allowed,
    ImplicitDeny,
    ExplicitDeny,
}

impl Verdict {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Allowed => Self::Allowed,
            Decision::Denied(reason) if reason.explicit => Self::ExplicitDeny,
            Decision::Denied(_) => Self::ImplicitDeny,
        }
    }

    fn text(self) -> String {
        let name = match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        };
        name.to_owned()
    }
}

pub(super) fn principal(world: &World, call: &Call, params: &Params) -> Result<String, ServiceError> {
    let arn = params.need("PolicySourceArn")?;
    world.authorize(&call.caller, "iam:SimulatePrincipalPolicy", arn, None)?;
    let invalid = |what: String| ServiceError::new(400, "InvalidInput", what);
    if !arn.contains(":user/") && !arn.contains(":role/") && !arn.contains(":group/") {
        return Err(invalid(format!("Invalid Entity Arn: {arn} does not clearly define entity type and name.")));
    }
    let entity = world.account.entity(arn).ok_or_else(|| not_found(format!("The entity {arn} cannot be found.")))?;
    let actions = params.list("ActionNames");
    if let Some(action) = actions.iter().find(|action| !(3..=128).contains(&action.len()) || !action.contains(':')) {
        return Err(invalid(format!("Invalid Action Name: {action}")));
    }
    if actions.is_empty() {
        return Err(invalid("ActionNames must not be empty.".to_owned()));
    }
    let document = |text: &str| {
        let json = serde_json::from_str(text).map_err(|error| invalid(format!("Invalid policy: {error}")))?;
        Document::parse(&json).map_err(|error| invalid(format!("Invalid policy: {error}")))
    };
    let more: Vec<Document> = params.list("PolicyInputList").into_iter().map(document).collect::<Result<_, _>>()?;
    let boundary = params.list("PermissionsBoundaryPolicyInputList").into_iter().next().map(document).transpose()?;
    let resource_policy = params.get("ResourcePolicy").map(document).transpose()?;
    let mut subject = world.account.subject(arn, arn);
    subject.identity.extend(more.iter().map(|document| Source { arn: None, name: "PolicyInputList", document }));
    if let Some(document) = &boundary {
        subject.boundary = Some(Source { arn: None, name: "PermissionsBoundaryPolicyInputList", document });
    }
    // Service control policies with conditions are not simulated.
    subject.service_control.retain(|policy| policy.document.statements.iter().all(|statement| statement.conditions.is_empty()));
    // The simulator knows the principal; whatever else a condition looks at has to be told.
    let mut context = Context::default().with("aws:PrincipalArn", arn).with("aws:userid", &entity.id);
    let is_user = matches!(entity.kind, EntityKind::User { .. });
    if is_user {
        context = context.with("aws:username", &entity.name);
    }
    for prefix in params.prefixes("ContextEntries", "ContextKeyName") {
        let key = params.need(&format!("{prefix}.ContextKeyName"))?;
        for value in params.list(&format!("{prefix}.ContextKeyValues")) {
            context = context.with(key, value);
        }
    }
    // Resource policies are looked at for users alone, the guide says.
    let simulation = Simulation { subject, context, resource_policy: resource_policy.filter(|_| is_user) };
    let resources = params.list("ResourceArns");
    let (actions, paged) = page(params, &actions)?;
    Ok(list("EvaluationResults", actions.iter().map(|action| simulation.result(action, &resources))) + &paged)
}

struct Simulation<'a> {
    subject: Subject<'a>,
    context: Context,
    resource_policy: Option<Document>,
}

/// One action on one resource.
struct Simulated<'a> {
    resource: &'a str,
    verdict: Verdict,
    /// Names of the policies whose statements decide.
    matched: BTreeSet<&'a str>,
    missing: BTreeSet<String>,
    /// `None`: there is no boundary.
    by_boundary: Option<bool>,
    /// `None`: nothing is controlled.
    by_organization: Option<bool>,
}

impl Simulation<'_> {
    /// One result per action: the most restrictive decision of all resources, and each resource's own where some are named.
    fn result(&self, action: &str, resources: &[&str]) -> String {
        let everything = resources.is_empty() || resources == ["*"];
        let asked = if everything { &["*"] } else { resources };
        let outcomes: Vec<Simulated<'_>> = asked.iter().map(|resource| self.simulate(action, resource)).collect();
        let verdict = outcomes.iter().map(|outcome| outcome.verdict).max().unwrap_or(Verdict::ImplicitDeny);
        let deciding = outcomes.iter().filter(|outcome| outcome.verdict == verdict);
        let all = |by: fn(&Simulated<'_>) -> Option<bool>| outcomes.iter().filter_map(by).reduce(|one, other| one && other);
        // An ARN's template, or `*` where the action has none: never the resource that was asked for.
        let mut text = element("EvalActionName", action) + &element("EvalResourceName", "*") + &element("EvalDecision", &verdict.text());
        text += &statements(&deciding.flat_map(|outcome| outcome.matched.iter().copied()).collect());
        text += &missing(&outcomes.iter().flat_map(|outcome| outcome.missing.iter().cloned()).collect());
        if let Some(allowed) = all(|outcome| outcome.by_organization) {
            text += &wrap("OrganizationsDecisionDetail", &element("AllowedByOrganizations", &allowed.to_string()));
        }
        text += &boundary(all(|outcome| outcome.by_boundary));
        if !everything {
            let one = |outcome: &Simulated<'_>| {
                element("EvalResourceName", outcome.resource)
                    + &element("EvalResourceDecision", &outcome.verdict.text())
                    + &statements(&outcome.matched)
                    + &missing(&outcome.missing)
                    + &boundary(outcome.by_boundary)
            };
            text += &list("ResourceSpecificResults", outcomes.iter().map(one));
        }
        text
    }

    fn simulate<'a>(&'a self, action: &str, resource: &'a str) -> Simulated<'a> {
        let subject = &self.subject;
        let request = Request { action, resource, context: &self.context };
        let verdict = Verdict::of(&policy::decide(subject, request, self.resource_policy.as_ref()));
        let mut matched = subject.matching(request);
        if verdict == Verdict::ExplicitDeny {
            matched.retain(|(_, effect)| *effect == Effect::Deny);
        }
        let alone = |subject: Subject<'_>| policy::decide(&subject, request, None) == Decision::Allowed;
        let controls = || alone(Subject { root: true, service_control: subject.service_control.clone(), ..Subject::default() });
        Simulated {
            resource,
            verdict,
            matched: matched.into_iter().map(|(source, _)| source.name).collect(),
            missing: subject.missing_context(request).into_iter().collect(),
            by_boundary: subject.boundary.map(|boundary| alone(Subject { identity: vec![boundary], ..Subject::default() })),
            by_organization: (!subject.service_control.is_empty()).then(controls),
        }
    }
}

/// AWS says `IAM Policy` of every kind of policy, which the model's list of kinds does not have.
fn statements(policies: &BTreeSet<&str>) -> String {
    let statement = |name: &&str| element("SourcePolicyId", name) + &element("SourcePolicyType", "IAM Policy");
    list("MatchedStatements", policies.iter().map(statement))
}

fn missing(keys: &BTreeSet<String>) -> String {
    let keys: String = keys.iter().map(|key| element("member", key)).collect();
    wrap("MissingContextValues", &keys)
}

fn boundary(allowed: Option<bool>) -> String {
    let detail = |allowed: bool| element("AllowedByPermissionsBoundary", &allowed.to_string());
    allowed.map_or(String::new(), |allowed| wrap("PermissionsBoundaryDecisionDetail", &detail(allowed)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{ask, world};
    use crate::local::world::World;
    use crate::local::{Account, Options};

    const DEV: &str = "PolicySourceArn=arn:aws:iam::111122223333:user/dev";
    const PASS: &str = "ActionNames.member.1=iam:PassRole&ResourceArns.member.1=arn:aws:iam::111122223333:role/websocket-handler-role";

    #[tokio::test]
    async fn tells_allowed_from_the_two_denials() {
        let actions = "ActionNames.member.1=dynamodb:CreateTable&ActionNames.member.2=iam:CreateRole&ActionNames.member.3=sqs:SendMessage";
        let result = ask(&world(), "SimulatePrincipalPolicy", &format!("{DEV}&{actions}")).await.unwrap();
        let decisions: Vec<_> = result.split("<EvalDecision>").skip(1).filter_map(|text| text.split('<').next()).collect();
        assert_eq!(decisions, ["allowed", "explicitDeny", "implicitDeny"]);
        assert!(result.contains("<SourcePolicyId>RestrictedUserResourceIsolation</SourcePolicyId>"), "{result}");
    }

    #[tokio::test]
    async fn a_missing_context_key_is_named_and_decides() {
        let without = ask(&world(), "SimulatePrincipalPolicy", &format!("{DEV}&{PASS}")).await.unwrap();
        assert!(without.contains("<EvalDecision>implicitDeny</EvalDecision>"), "{without}");
        assert!(without.contains("<MissingContextValues><member>iam:PassedToService</member>"), "{without}");
        let entry = "ContextEntries.member.1.ContextKeyName=iam:PassedToService&ContextEntries.member.1.ContextKeyType=string\
                     &ContextEntries.member.1.ContextKeyValues.member.1=lambda.amazonaws.com";
        let with = ask(&world(), "SimulatePrincipalPolicy", &format!("{DEV}&{PASS}&{entry}")).await.unwrap();
        assert!(with.contains("<EvalDecision>allowed</EvalDecision>"), "{with}");
        assert!(with.contains("<MissingContextValues></MissingContextValues>"), "{with}");
    }

    #[tokio::test]
    async fn several_resources_are_told_one_by_one() {
        let role = "PolicySourceArn=arn:aws:iam::111122223333:role/websocket-handler-role&ActionNames.member.1=dynamodb:Query\
                    &ResourceArns.member.1=arn:aws:dynamodb:us-east-1:111122223333:table/T/index/I\
                    &ResourceArns.member.2=arn:aws:dynamodb:us-east-1:111122223333:table/T";
        let result = ask(&world(), "SimulatePrincipalPolicy", role).await.unwrap();
        assert!(result.contains("<EvalDecision>implicitDeny</EvalDecision>"), "{result}");
        let decisions: Vec<_> = result.split("<EvalResourceDecision>").skip(1).filter_map(|text| text.split('<').next()).collect();
        assert_eq!(decisions, ["allowed", "implicitDeny"]);
        // The decision at the top is of all of them together, so it names none.
        assert!(result.contains("<EvalResourceName>*</EvalResourceName><EvalDecision>"), "{result}");
    }

    #[tokio::test]
    async fn boundary_and_organization_are_told_beside_the_decision() {
        let text = "account: '111122223333'\nusers: [{name: dev, managed_policies: [All], permissions_boundary: Tables}]\npolicies:\n  \
                    All: {Statement: {Effect: Allow, Action: '*', Resource: '*'}}\n  Tables: {Statement: {Effect: Allow, Action: ['dynamodb:*', 'iam:Simulate*'], Resource: '*'}}\n\
                    service_control_policies:\n  NoDelete: {Statement: {Effect: Deny, Action: 'dynamodb:DeleteTable', Resource: '*'}}\n  \
                    Conditional: {Statement: {Effect: Deny, Action: '*', Resource: '*', Condition: {StringEquals: {'aws:RequestedRegion': eu-west-1}}}}\n";
        let account = Account::parse(text, "f").unwrap();
        let world = Arc::new(World::new(&Options { account, ..Options::default() }, 4566));
        let decide = async |action: &str| {
            let result = ask(&world, "SimulatePrincipalPolicy", &format!("{DEV}&ActionNames.member.1={action}")).await.unwrap();
            let part = |name: &str| result.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned();
            ["EvalDecision", "AllowedByOrganizations", "AllowedByPermissionsBoundary"].map(part)
        };
        assert_eq!(decide("dynamodb:PutItem").await, ["allowed", "true", "true"]);
        assert_eq!(decide("dynamodb:DeleteTable").await, ["explicitDeny", "false", "true"]);
        assert_eq!(decide("lambda:CreateFunction").await, ["implicitDeny", "true", "false"]);
        let wider =
            "PermissionsBoundaryPolicyInputList.member.1={\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";
        assert_eq!(decide(&format!("lambda:CreateFunction&{wider}")).await, ["allowed", "true", "true"]);
    }

    #[tokio::test]
    async fn sessions_and_strangers_are_refused() {
        let of = |arn: &str| format!("PolicySourceArn={arn}&ActionNames.member.1=dynamodb:Query");
        let session = ask(&world(), "SimulatePrincipalPolicy", &of("arn:aws:sts::111122223333:assumed-role/r/s")).await.unwrap_err();
        assert!(session.starts_with("InvalidInput"), "{session}");
        let stranger = ask(&world(), "SimulatePrincipalPolicy", &of("arn:aws:iam::111122223333:role/gone")).await.unwrap_err();
        assert!(stranger.starts_with("NoSuchEntity"), "{stranger}");
    }
}
