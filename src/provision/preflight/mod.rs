//! Whether the caller may do what a plan takes, before anything exists. Three answers: allowed, denied (by what), unknown (why).
//!
//! One question to IAM's simulator; where that may not be asked, the caller's own policies as far as they can be read. An allow is no
//! promise: session policies, conditions on what only the request has, and some of the organisation's policies are not seen. A denial
//! that is known is one.

mod caller;
mod culprit;
mod judge;
mod read;

use std::collections::BTreeSet;

use super::error::{AwsError, Error, Refusal};
use super::evidence::Answer;
use super::observed::Observed;
use super::permissions::{Need, Scope, caller as needs_of_caller};
use super::plan::Plan;
use super::resource::Context;
use super::roles;
use super::simulate::{Ask, simulate};
use caller::Caller;
pub use culprit::Culprit;
pub(crate) use culprit::culprits;
use judge::Question;
pub use judge::{Check, Necessity};

/// What is known of the caller's and the role's permissions.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// As GetCallerIdentity says it.
    pub caller: String,
    /// Who that is, in words.
    pub who: String,
    /// What the caller needs.
    pub checks: Vec<Check>,
    /// The statements of the caller's policies that deny what is denied, as far as they can be read.
    pub culprits: Vec<Culprit>,
    /// ARN of the execution role; `None`: not known.
    pub role: Option<String>,
    /// What the handler needs of the execution role.
    pub role_checks: Vec<Check>,
}

impl Preflight {
    /// What is known to be denied, and needed now.
    pub fn denied(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.stops())
    }
}

/// Everything that either principal may ever need for this stack, with what the plan needs now marked.
///
/// # Errors
/// When there is no answer at all, or the credentials are wrong.
pub(crate) async fn survey(cx: &Context<'_>, seen: &Observed, plan: &Plan) -> Result<Preflight, AwsError> {
    let role = roles::arn(&cx.want, seen);
    let caller = caller::find(&cx.clients, &seen.caller).await?;
    let scope = Scope { caller: caller.principal(), ..Scope::of(&cx.want, seen, role.as_deref()) };
    let needs = needs_of_caller(scope);
    let checks = check(cx, seen, &caller, scope, &needs.iter().collect::<Vec<_>>(), plan).await?;
    let explicit = checks.iter().filter(|check| matches!(&check.answer, Answer::Denied(denied) if denied.explicit));
    let denied: Vec<(&str, &str)> = explicit.map(|check| (check.action, check.resource.as_str())).collect();
    let culprits = if denied.is_empty() { Vec::new() } else { culprits(&cx.clients, scope, &caller, &denied).await? };
    let role_checks = roles::judged(&cx.want, seen).map(judge::of_role).unwrap_or_default();
    Ok(Preflight { caller: seen.caller.clone(), who: caller.words(), checks, culprits, role, role_checks })
}

/// What was asked already, so that a plan that grew is asked about its new calls alone.
#[derive(Debug, Default)]
pub(crate) struct Asked(BTreeSet<(&'static str, Vec<String>)>);

/// Stops a run of which a call is known to be denied that nothing can do without. Asks nothing where the plan changes nothing.
///
/// # Errors
/// All known denials at once; or when there is no answer at all, or the credentials are wrong.
pub(crate) async fn guard(cx: &Context<'_>, seen: &Observed, plan: &Plan, asked: &mut Asked) -> Result<(), Error> {
    let role = roles::arn(&cx.want, seen);
    let scope = Scope::of(&cx.want, seen, role.as_deref());
    let needs = needs_of_caller(scope);
    let new: Vec<&Need> = needs
        .iter()
        .filter(|need| !need.optional && judge::is_called(need, plan))
        .filter(|need| asked.0.insert((need.action, need.resources.clone())))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let caller = caller::find(&cx.clients, &seen.caller).await?;
    let checks = check(cx, seen, &caller, scope, &new, plan).await?;
    let refusals: Vec<Refusal> = judge::merged(checks.into_iter().filter(Check::stops)).iter().map(Check::refusal).collect();
    if refusals.is_empty() { Ok(()) } else { Err(Error::Refused(refusals)) }
}

async fn check(
    cx: &Context<'_>,
    seen: &Observed,
    caller: &Caller,
    scope: Scope<'_>,
    needs: &[&Need],
    plan: &Plan,
) -> Result<Vec<Check>, AwsError> {
    let questions: Vec<Question<'_>> = needs.iter().flat_map(|need| judge::questions(need)).collect();
    let asks: Vec<Ask<'_>> = questions.iter().flat_map(Question::asks).collect();
    let answers = answers(cx, caller, scope, &asks).await?;
    let mut answers = answers.into_iter();
    Ok(questions
        .into_iter()
        .map(|question| {
            let own = answers.by_ref().take(question.asked.len()).collect();
            question.check(own, seen, plan)
        })
        .collect())
}

async fn answers(cx: &Context<'_>, caller: &Caller, scope: Scope<'_>, asks: &[Ask<'_>]) -> Result<Vec<Answer>, AwsError> {
    let same = |answer: Answer| vec![answer; asks.len()];
    let Some(principal) = caller.principal() else { return Ok(same(caller.answer())) };
    let context = judge::context(scope, caller);
    let simulated = roles::known(simulate(&cx.clients, principal, asks, &context).await)?;
    let unasked = match simulated {
        Ok(answers) => return Ok(answers),
        Err(why) => why,
    };
    let policies = read::policies(&cx.clients, caller).await?;
    let context = judge::known_context(context, principal);
    let answer = |ask: &Ask<'_>| match policies.answer(ask.action, ask.resource, &context, false) {
        Answer::Unknown(why) if why != unasked => Answer::Unknown(format!("{unasked}; {why}")),
        known @ (Answer::Allowed(_) | Answer::Denied(_) | Answer::Unknown(_)) => known,
    };
    Ok(asks.iter().map(answer).collect())
}
