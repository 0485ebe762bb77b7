//! From needs and answers to checks. Pure.

use crate::contract::ownership::STACK_TAG;
use crate::policy::Context;
use crate::provision::denial::{Denial, Effect, PolicyKind};
use crate::provision::error::Refusal;
use crate::provision::evidence::{Answer, Denied, Layer};
use crate::provision::observed::Observed;
use crate::provision::permissions::{Need, Phase, Scope};
use crate::provision::plan::Plan;
use crate::provision::roles::Judged;
use crate::provision::simulate::Ask;

use super::caller::Caller;

/// One permission, and whether the principal has it.
#[derive(Clone, Debug)]
pub struct Check {
    /// `dynamodb:CreateTable`
    pub action: &'static str,
    /// ARN, as a policy would name it.
    pub resource: String,
    /// When it is used: `look`, `preflight`, `provision`, `teardown`, `operate`, `serve`.
    pub phase: &'static str,
    /// How much depends on it now.
    pub necessity: Necessity,
    /// Allowed, denied or unknown, with the evidence.
    pub answer: Answer,
    /// What it is for.
    pub why: &'static str,
    /// What does not work without it.
    pub without: &'static str,
}

/// How much depends on a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Necessity {
    /// The plan's steps need it.
    Needed,
    /// It is used, and the rest works without it.
    Optional,
    /// The plan's steps do not use it.
    Later,
}

impl Necessity {
    /// As a person reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Needed => "needed",
            Self::Optional => "optional",
            Self::Later => "later",
        }
    }
}

impl Check {
    /// Whether a run cannot go on: it is needed now and known to be denied.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.necessity == Necessity::Needed && matches!(self.answer, Answer::Denied(_))
    }

    /// What to do about a denial; empty where there is none.
    #[must_use]
    pub fn advice(&self) -> String {
        let Answer::Denied(Denied { explicit, layer, policy }) = &self.answer else { return String::new() };
        let denial = Denial {
            effect: if *explicit { Effect::Explicit } else { Effect::Implicit },
            policy_kind: Some(match layer {
                Layer::Identity => PolicyKind::Identity,
                Layer::Resource => PolicyKind::Resource,
                Layer::Boundary => PolicyKind::Boundary,
                Layer::Organisation => PolicyKind::ServiceControl,
            }),
            policy: policy.clone(),
            ..Denial::default()
        };
        denial.advice(self.action, &self.resource)
    }

    pub(super) fn refusal(&self) -> Refusal {
        Refusal {
            resource: format!("permission {}", self.action),
            reason: format!("on {}: denied, {}", self.resource, self.answer.because()),
            remedy: self.advice(),
        }
    }
}

/// One check for all resources on which the same action has the same answer.
pub(super) fn merged(checks: impl Iterator<Item = Check>) -> Vec<Check> {
    let mut merged: Vec<Check> = Vec::new();
    for check in checks {
        match merged.iter_mut().find(|other| (other.action, &other.answer) == (check.action, &check.answer)) {
            Some(other) => other.resource = format!("{}, {}", other.resource, check.resource),
            None => merged.push(check),
        }
    }
    merged
}

/// What the role was judged by, as checks.
pub(super) fn of_role(judged: &Judged) -> Vec<Check> {
    let check = |permission: &crate::provision::roles::Permission| Check {
        action: permission.action,
        resource: permission.resource.clone(),
        phase: "serve",
        necessity: if permission.help.is_some() { Necessity::Optional } else { Necessity::Needed },
        answer: permission.answer.clone(),
        why: permission.why,
        without: permission.without,
    };
    judged.permissions.iter().map(check).collect()
}

/// Whether a step of `provision` asks for it.
pub(super) fn is_called(need: &Need, plan: &Plan) -> bool {
    let mut calls = plan.changes().flat_map(|step| &step.calls);
    need.phase != Phase::Teardown && calls.any(|call| call.iam == need.action && need.calls.contains(&call.name))
}

/// A need on one resource, and the ARNs that stand for it in questions.
pub(super) struct Question<'a> {
    need: &'a Need,
    /// As a policy names it.
    shown: &'a str,
    /// As AWS looks at it when the call is made.
    pub(super) asked: Vec<String>,
}

/// One question for each resource; a log group's two spellings are one.
pub(super) fn questions(need: &Need) -> Vec<Question<'_>> {
    if need.action.starts_with("logs:") {
        let shown = need.resources.first().map_or("*", String::as_str);
        return vec![Question { need, shown, asked: need.resources.iter().map(|resource| of_stream(resource)).collect() }];
    }
    need.resources.iter().map(|shown| Question { need, shown, asked: vec![example(shown)] }).collect()
}

/// `log-group:NAME:*` -> `log-group:NAME:log-stream:`, and `log-group:*` -> `log-group::log-stream:` (CloudWatch Logs, what denials name).
fn of_stream(resource: &str) -> String {
    match resource.strip_suffix('*') {
        Some(group) if group.ends_with("log-group:") => format!("{group}:log-stream:"),
        Some(group) => format!("{group}log-stream:"),
        None => resource.to_owned(),
    }
}

/// Stands for an id that only AWS knows: a `*` in a question is no wildcard, and a pattern for one id may not match it.
const EXAMPLE: &str = "a1b2c3d4e5";

fn example(resource: &str) -> String {
    if resource == "*" { resource.to_owned() } else { resource.replace('*', EXAMPLE) }
}

impl Question<'_> {
    pub(super) fn asks(&self) -> impl Iterator<Item = Ask<'_>> {
        self.asked.iter().map(|resource| Ask { action: self.need.action, resource })
    }

    /// The check, given the answer on each of the ARNs that were asked.
    pub(super) fn check(&self, answers: Vec<Answer>, seen: &Observed, plan: &Plan) -> Check {
        let need = self.need;
        let necessity = match (is_called(need, plan), need.optional) {
            (true, false) => Necessity::Needed,
            (true, true) => Necessity::Optional,
            (false, _) => Necessity::Later,
        };
        Check {
            action: need.action,
            resource: self.shown.to_owned(),
            phase: need.phase.name(),
            necessity,
            answer: own_policy(combine(answers), need, seen),
            why: need.why,
            without: need.without,
        }
    }
}

/// Of several spellings of one resource a deny of any counts, and an allow of any is enough.
fn combine(answers: Vec<Answer>) -> Answer {
    let weight = |answer: &Answer| match answer {
        Answer::Denied(Denied { explicit: true, .. }) => 0,
        Answer::Allowed(_) => 1,
        Answer::Unknown(_) => 2,
        Answer::Denied(_) => 3,
    };
    answers.into_iter().min_by_key(weight).unwrap_or_else(|| Answer::Unknown("it was not asked".to_owned()))
}

/// A table or a function that is there may have a policy of its own that lets the caller in, which neither simulation nor the caller's
/// policies show.
fn own_policy(answer: Answer, need: &Need, seen: &Observed) -> Answer {
    let Answer::Denied(Denied { explicit: false, layer: Layer::Identity, .. }) = &answer else { return answer };
    let there = match need.action.split(':').next() {
        Some("dynamodb") => seen.table.present().map(|_| "table"),
        Some("lambda") => seen.function.present().map(|_| "function"),
        _ => None,
    };
    there.map_or(answer, |what| Answer::Unknown(format!("no identity-based policy allows it, and the {what}'s own policy may")))
}

/// What is known of the calls before they are made.
pub(super) fn context(scope: Scope<'_>, caller: &Caller) -> Vec<(String, String)> {
    let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let kind = if matches!(caller, Caller::Role { .. }) { "AssumedRole" } else { "User" };
    let mut context = vec![
        text("aws:PrincipalAccount", &scope.place.account),
        text("aws:ResourceAccount", &scope.place.account),
        text("aws:PrincipalType", kind),
        text("aws:PrincipalIsAWSService", "false"),
        text("aws:ViaAWSService", "false"),
        text("aws:RequestedRegion", &scope.place.region),
        text("aws:SecureTransport", "true"),
        text("iam:PassedToService", "lambda.amazonaws.com"),
        text("aws:TagKeys", STACK_TAG),
    ];
    context.extend(scope.want.tags.iter().map(|(key, value)| (format!("aws:RequestTag/{key}"), value.clone())));
    context
}

/// The same for an evaluation here: the simulator knows the principal by itself.
pub(super) fn known_context(context: Vec<(String, String)>, principal: &str) -> Context {
    let name = principal.split_once(":user/").map(|(_, path)| path.rsplit('/').next().unwrap_or_default());
    let known = Context::default().with("aws:PrincipalArn", principal);
    let known = name.into_iter().fold(known, |known, name| known.with("aws:username", name));
    context.into_iter().fold(known, |known, (key, value)| known.with(&key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;
    use crate::provision::observed::{Found, Place};
    use crate::provision::permissions::caller;
    use crate::provision::plan::{Action, ApiCall, Step};

    fn place() -> Place {
        Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() }
    }

    fn needs() -> Vec<Need> {
        let (want, place) = (desired(Settings { existing_role: Some("r".to_owned()), ..Settings::default() }), place());
        caller(Scope {
            want: &want,
            place: &place,
            caller: None,
            role: Some("arn:aws:iam::111122223333:role/r"),
            api: None,
            marked: &[],
            table_policy: false,
        })
    }

    fn need(needs: &[Need], action: &str, call: &str) -> Need {
        needs.iter().find(|need| need.action == action && need.calls.contains(&call)).expect("in the list").clone()
    }

    fn implicit() -> Answer {
        Answer::Denied(Denied { explicit: false, layer: Layer::Identity, policy: None })
    }

    fn explicit() -> Answer {
        Answer::Denied(Denied { explicit: true, layer: Layer::Identity, policy: Some("Guard".to_owned()) })
    }

    fn plan(calls: &[ApiCall]) -> Plan {
        let step = Step { kind: "table", name: "t".to_owned(), action: Action::Create, calls: calls.to_vec() };
        Plan { steps: vec![step], ..Plan::default() }
    }

    #[test]
    fn questions_name_what_aws_looks_at() {
        let needs = needs();
        let asked = |action: &str, call: &str| {
            questions(&need(&needs, action, call)).iter().flat_map(|question| question.asked.clone()).collect::<Vec<_>>()
        };
        assert_eq!(asked("apigateway:PATCH", "UpdateRoute"), ["arn:aws:apigateway:eu-west-1::/apis/a1b2c3d4e5/routes/a1b2c3d4e5"]);
        assert_eq!(asked("iam:PassRole", "CreateFunction"), ["arn:aws:iam::111122223333:role/r"]);
        let logs = "arn:aws:logs:eu-west-1:111122223333:log-group:";
        assert_eq!(
            asked("logs:CreateLogGroup", "CreateLogGroup"),
            [format!("{logs}/aws/lambda/websocket-handler"), format!("{logs}/aws/lambda/websocket-handler:log-stream:")]
        );
        assert_eq!(asked("logs:DescribeLogGroups", "DescribeLogGroups"), [format!("{logs}:log-stream:")]);
        assert!(
            needs
                .iter()
                .flat_map(questions)
                .all(|question| !question.asked.iter().any(|resource| resource.len() > 1 && resource.contains('*')))
        );
    }

    #[test]
    fn only_what_the_steps_call_is_needed_and_an_optional_part_stops_nothing() {
        let needs = needs();
        let plan = plan(&[
            ApiCall { name: "CreateTable", iam: "dynamodb:CreateTable" },
            ApiCall { name: "CreateTable", iam: "dynamodb:TagResource" },
        ]);
        let check = |action: &str, call: &str| {
            questions(&need(&needs, action, call)).remove(0).check(vec![implicit()], &Observed::default(), &plan)
        };
        let (create, tag, delete) = (
            check("dynamodb:CreateTable", "CreateTable"),
            check("dynamodb:TagResource", "CreateTable"),
            check("dynamodb:DeleteTable", "DeleteTable"),
        );
        assert_eq!([create.necessity, tag.necessity, delete.necessity], [Necessity::Needed, Necessity::Optional, Necessity::Later]);
        assert_eq!([create.stops(), tag.stops(), delete.stops()], [true, false, false]);
        assert_eq!(create.refusal().resource, "permission dynamodb:CreateTable");
        assert!(create.advice().contains("to allow `dynamodb:CreateTable`"), "{}", create.advice());
    }

    #[test]
    fn an_explicit_deny_is_never_answered_with_an_allow() {
        let needs = needs();
        let plan = plan(&[ApiCall { name: "CreateFunction", iam: "iam:PassRole" }]);
        let check =
            questions(&need(&needs, "iam:PassRole", "CreateFunction")).remove(0).check(vec![explicit()], &Observed::default(), &plan);
        let refusal = check.refusal();
        assert!(refusal.reason.contains("explicitly, in the identity-based policy Guard"), "{refusal:?}");
        assert!(refusal.remedy.contains("only a change to the policy Guard helps") && !refusal.remedy.contains("to allow"), "{refusal:?}");
    }

    #[test]
    fn of_two_spellings_a_deny_counts_before_an_allow_and_an_allow_before_nothing() {
        let allowed = || Answer::Allowed(Vec::new());
        let unknown = || Answer::Unknown("x".to_owned());
        assert_eq!(combine(vec![allowed(), explicit()]), explicit());
        assert_eq!(combine(vec![implicit(), allowed()]), allowed());
        assert_eq!(combine(vec![implicit(), unknown()]), unknown());
        assert_eq!(combine(vec![implicit(), implicit()]), implicit());
        assert_eq!(combine(Vec::new()).word(), "unknown");
    }

    /// A table that is there may let the caller in by itself; one that is not there cannot.
    #[test]
    fn the_policy_of_what_is_there_may_allow() {
        let needs = needs();
        let update = need(&needs, "dynamodb:UpdateTable", "UpdateTable");
        assert_eq!(own_policy(implicit(), &update, &Observed::default()), implicit());
        let there = Observed { function: Found::Unknown("denied".to_owned()), ..Observed::default() };
        assert_eq!(own_policy(implicit(), &update, &there), implicit());
    }

    #[test]
    fn users_are_known_by_their_names() {
        let context = known_context(Vec::new(), "arn:aws:iam::111122223333:user/team/dev@example");
        let matches = |key: &str, value: &str| {
            let policy = serde_json::json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {"StringEquals": {key: value}}}});
            let document = crate::policy::Document::parse(&policy).expect("a policy");
            let subject = crate::policy::Subject {
                identity: vec![crate::policy::Source { arn: None, name: "p", document: &document }],
                ..crate::policy::Subject::default()
            };
            crate::policy::decide(&subject, crate::policy::Request { action: "a:B", resource: "*", context: &context }, None)
                == crate::policy::Decision::Allowed
        };
        assert!(matches("aws:username", "dev@example"));
        assert!(!matches("aws:username", "team/dev@example"));
    }
}
