//! SimulatePrincipalPolicy: what the policies of a user or a role say about many actions at once, without doing them.
//!
//! It knows neither resource policies of roles' requests nor session policies, nor service control policies with conditions
//! (IAM guide, "How the IAM policy simulator works").

use std::collections::BTreeMap;

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PermissionsBoundaryDecisionDetail, PolicyEvaluationDecisionType, Statement,
};

use super::answer::Answer as _;
use super::aws::Clients;
use super::error::AwsError;
use super::evidence::{Answer, Denied, Layer};
use super::plan::ApiCall;

pub(crate) const SIMULATE: ApiCall = ApiCall { name: "SimulatePrincipalPolicy", iam: "iam:SimulatePrincipalPolicy" };

/// What is asked: may the principal do this with that?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ask<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
}

/// Answers each question, in their order: one call for all of them, and one more for each further page. `principal`: the ARN of a user or a
/// role, not of a session. `context`: keys that conditions look at.
pub(crate) async fn simulate(
    clients: &Clients,
    principal: &str,
    asks: &[Ask<'_>],
    context: &[(String, String)],
) -> Result<Vec<Answer>, AwsError> {
    let unique = |of: fn(&Ask<'_>) -> String| {
        let mut list: Vec<String> = asks.iter().map(of).collect();
        list.sort();
        list.dedup();
        list
    };
    let call = clients
        .iam
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(unique(|ask| ask.action.to_owned())))
        .set_resource_arns(Some(unique(|ask| ask.resource.to_owned())))
        .set_context_entries(Some(context.iter().map(|(key, value)| entry(key, value)).collect()));
    let mut pages = call.into_paginator().send();
    let mut answers = BTreeMap::new();
    while let Some(page) = pages.next().await {
        for result in page.explain(SIMULATE, principal)?.evaluation_results() {
            read(result, &mut answers);
        }
    }
    let answer = |ask: &Ask<'_>| {
        let found = answers.get(&(ask.action.to_lowercase(), ask.resource.to_owned()));
        found.cloned().unwrap_or_else(|| Answer::Unknown(format!("{} did not answer", SIMULATE.name)))
    };
    Ok(asks.iter().map(answer).collect())
}

fn entry(key: &str, value: &str) -> ContextEntry {
    let kind = if matches!(value, "true" | "false") { ContextKeyTypeEnum::Boolean } else { ContextKeyTypeEnum::String };
    ContextEntry::builder().context_key_name(key).context_key_type(kind).context_key_values(value).build()
}

/// The answers by action, in lower case, and resource.
fn read(result: &EvaluationResult, answers: &mut BTreeMap<(String, String), Answer>) {
    let action = result.eval_action_name().to_lowercase();
    // Only told for all resources together.
    let organisation = result.organizations_decision_detail().is_none_or(|detail| detail.allowed_by_organizations());
    let whole = One {
        decision: result.eval_decision(),
        statements: result.matched_statements(),
        missing: result.missing_context_values(),
        boundary: result.permissions_boundary_decision_detail(),
        organisation,
    };
    if let Some(resource) = result.eval_resource_name() {
        answers.insert((action.clone(), resource.to_owned()), whole.answer());
    }
    for specific in result.resource_specific_results() {
        let one = One {
            decision: specific.eval_resource_decision(),
            statements: specific.matched_statements(),
            missing: specific.missing_context_values(),
            boundary: specific.permissions_boundary_decision_detail(),
            organisation,
        };
        answers.insert((action.clone(), specific.eval_resource_name().to_owned()), one.answer());
    }
}

/// One decision of the simulator.
struct One<'a> {
    decision: &'a PolicyEvaluationDecisionType,
    statements: &'a [Statement],
    missing: &'a [String],
    boundary: Option<&'a PermissionsBoundaryDecisionDetail>,
    organisation: bool,
}

impl One<'_> {
    fn answer(&self) -> Answer {
        let mut names: Vec<String> =
            self.statements.iter().filter_map(|statement| statement.source_policy_id().map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        if *self.decision == PolicyEvaluationDecisionType::Allowed {
            return Answer::Allowed(names);
        }
        let explicit = *self.decision == PolicyEvaluationDecisionType::ExplicitDeny;
        let bounded = self.boundary.is_some_and(|detail| !detail.allowed_by_permissions_boundary());
        let layer = match (self.organisation, bounded) {
            (false, _) => Layer::Organisation,
            // What its own policies deny is not the boundary's doing.
            (true, true) if !explicit || names.is_empty() => Layer::Boundary,
            (true, _) => Layer::Identity,
        };
        // A condition on a key that the simulator was not told may hold when the request is there.
        if !self.missing.is_empty() {
            return Answer::depends(self.missing);
        }
        Answer::Denied(Denied { explicit, layer, policy: names.into_iter().next().filter(|_| explicit) })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{OrganizationsDecisionDetail, ResourceSpecificResult};

    use super::*;

    fn told(result: &EvaluationResult) -> Vec<String> {
        let mut answers = BTreeMap::new();
        read(result, &mut answers);
        answers
            .into_iter()
            .map(|((action, resource), answer)| format!("{action} {resource} {} {}", answer.word(), answer.because()))
            .collect()
    }

    fn result(decision: PolicyEvaluationDecisionType) -> aws_sdk_iam::types::builders::EvaluationResultBuilder {
        EvaluationResult::builder().eval_action_name("dynamodb:PutItem").eval_resource_name("r").eval_decision(decision)
    }

    fn specific(resource: &str, decision: PolicyEvaluationDecisionType) -> ResourceSpecificResult {
        ResourceSpecificResult::builder().eval_resource_name(resource).eval_resource_decision(decision).build().expect("a result")
    }

    #[test]
    fn each_resource_has_its_own_answer() {
        let (yes, no) = (PolicyEvaluationDecisionType::Allowed, PolicyEvaluationDecisionType::ImplicitDeny);
        let one = result(no.clone()).resource_specific_results(specific("r", yes)).resource_specific_results(specific("s", no));
        assert_eq!(
            told(&one.build().expect("a result")),
            ["dynamodb:putitem r allowed ", "dynamodb:putitem s denied no identity-based policy allows it"]
        );
    }

    #[test]
    fn who_denies_is_told_apart() {
        let of =
            |change: fn(aws_sdk_iam::types::builders::EvaluationResultBuilder) -> aws_sdk_iam::types::builders::EvaluationResultBuilder,
             decision| { told(&change(result(decision)).build().expect("a result")).remove(0) };
        let (implicit, explicit) = (PolicyEvaluationDecisionType::ImplicitDeny, PolicyEvaluationDecisionType::ExplicitDeny);
        let policy = |builder: aws_sdk_iam::types::builders::EvaluationResultBuilder| {
            builder.matched_statements(Statement::builder().source_policy_id("Guard").build())
        };
        assert_eq!(of(policy, explicit.clone()), "dynamodb:putitem r denied explicitly, in the identity-based policy Guard");
        let bounded = |builder: aws_sdk_iam::types::builders::EvaluationResultBuilder| {
            builder.permissions_boundary_decision_detail(
                PermissionsBoundaryDecisionDetail::builder().allowed_by_permissions_boundary(false).build(),
            )
        };
        assert_eq!(of(bounded, implicit.clone()), "dynamodb:putitem r denied no permissions boundary allows it");
        let organised = |builder: aws_sdk_iam::types::builders::EvaluationResultBuilder| {
            builder.organizations_decision_detail(OrganizationsDecisionDetail::builder().allowed_by_organizations(false).build())
        };
        assert_eq!(of(organised, explicit), "dynamodb:putitem r denied explicitly, in a service control policy");
        let missing = |builder: aws_sdk_iam::types::builders::EvaluationResultBuilder| builder.missing_context_values("aws:SourceIp");
        assert_eq!(of(missing, implicit), "dynamodb:putitem r unknown it depends on aws:SourceIp");
    }
}
