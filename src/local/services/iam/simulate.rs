//! SimulatePrincipalPolicy: what the policies of a user or a role say, without doing it.

use super::{not_found, page};
use crate::local::params::Params;
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;
use crate::local::xml::{element, list, wrap};
use crate::policy::{self, Context, Decision, Document, Effect, Kind, Request, Source, Subject};

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
    let mut resources = params.list("ResourceArns");
    if resources.is_empty() {
        resources.push("*");
    }
    let document = |text: &str| {
        let json = serde_json::from_str(text).map_err(|error| invalid(format!("Invalid policy: {error}")))?;
        Document::parse(&json).map_err(|error| invalid(format!("Invalid policy: {error}")))
    };
    let more: Vec<Document> = params.list("PolicyInputList").into_iter().map(document).collect::<Result<_, _>>()?;
    let resource_policy = params.get("ResourcePolicy").map(document).transpose()?;
    let mut subject = world.account.subject(arn, arn);
    subject.identity.extend(more.iter().map(|document| Source { arn: None, name: "PolicyInputList", document }));
    // The simulator knows the principal; whatever else a condition looks at has to be told.
    let mut context = Context::default().with("aws:PrincipalArn", arn).with("aws:userid", &entity.id);
    if entity.trust.is_none() {
        context = context.with("aws:username", &entity.name);
    }
    for prefix in params.prefixes("ContextEntries", "ContextKeyName") {
        let key = params.need(&format!("{prefix}.ContextKeyName"))?;
        for value in params.list(&format!("{prefix}.ContextKeyValues")) {
            context = context.with(key, value);
        }
    }
    let simulated = Simulation { subject, context, resource_policy, role: entity.trust.is_some() };
    let (actions, paged) = page(params, &actions)?;
    Ok(list("EvaluationResults", actions.iter().map(|action| simulated.result(action, &resources))) + &paged)
}

struct Simulation<'a> {
    subject: Subject<'a>,
    context: Context,
    resource_policy: Option<Document>,
    role: bool,
}

impl Simulation<'_> {
    fn decide(&self, request: Request<'_>) -> Decision {
        // Resource policies are not looked at for roles, the guide says.
        policy::decide(&self.subject, request, self.resource_policy.as_ref().filter(|_| !self.role))
    }

    fn result(&self, action: &str, resources: &[&str]) -> String {
        let requests = resources.iter().map(|resource| Request { action, resource, context: &self.context });
        let decided: Vec<(Request<'_>, Decision)> = requests.map(|request| (request, self.decide(request))).collect();
        let worst = decided.iter().max_by_key(|(_, decision)| Verdict::of(decision));
        let Some((request, decision)) = worst else { return String::new() };
        let mut text = element("EvalActionName", action) + &element("EvalResourceName", resources.first().unwrap_or(&"*"));
        text += &element("EvalDecision", &Verdict::of(decision).text());
        text += &self.details(*request, decision);
        if decided.len() > 1 {
            let one = |(request, decision): &(Request<'_>, Decision)| {
                element("EvalResourceName", request.resource)
                    + &element("EvalResourceDecision", &Verdict::of(decision).text())
                    + &self.details(*request, decision)
            };
            text += &list("ResourceSpecificResults", decided.iter().map(one));
        }
        text
    }

    fn details(&self, request: Request<'_>, decision: &Decision) -> String {
        let mut matched = self.subject.matching(request);
        if Verdict::of(decision) == Verdict::ExplicitDeny {
            matched.retain(|(_, effect)| *effect == Effect::Deny);
        }
        let statement = |(source, _): &(Source<'_>, Effect)| {
            let kind = match source.arn {
                Some(arn) if arn.contains("::aws:policy/") => "aws-managed",
                Some(_) => "user-managed",
                None if self.role => "role",
                None => "user",
            };
            element("SourcePolicyId", source.name) + &element("SourcePolicyType", kind)
        };
        let mut text = list("MatchedStatements", matched.iter().map(statement));
        let missing: String = self.subject.missing_context(request).iter().map(|key| element("member", key)).collect();
        text += &wrap("MissingContextValues", &missing);
        let stopped_by = |kind: Kind| matches!(decision, Decision::Denied(reason) if reason.kind == kind);
        let allowed = |name: &str, kind: Kind| element(name, if stopped_by(kind) { "false" } else { "true" });
        if !self.subject.service_control.is_empty() {
            text += &wrap("OrganizationsDecisionDetail", &allowed("AllowedByOrganizations", Kind::ServiceControl));
        }
        if self.subject.boundary.is_some() {
            text += &wrap("PermissionsBoundaryDecisionDetail", &allowed("AllowedByPermissionsBoundary", Kind::Boundary));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, world};

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
