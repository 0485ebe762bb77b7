//! Asks IAM about roles: the simulator first, and their policies where it may not be asked or cannot tell.

use futures_util::stream::{self, StreamExt};

use super::judge::{Judged, Permission};
use super::read::{self, AT_ONCE, Policies, Role, known};
use super::trust::Trust;
use crate::policy::Context;
use crate::provision::aws::Clients;
use crate::provision::error::AwsError;
use crate::provision::evidence::{Answer, Denied, Layer};
use crate::provision::permissions::{Group, Need, Scope, execution_role};
use crate::provision::simulate::{Ask, simulate};

/// Judges each role, in their order. Nobody is asked about a role that Lambda may not assume.
///
/// # Errors
/// When there is no answer at all, or the credentials are wrong.
pub(crate) async fn judge(clients: &Clients, scope: Scope<'_>, roles: &[Role]) -> Result<Vec<Judged>, AwsError> {
    let needs = execution_role(scope);
    let pairs: Vec<(&Need, &str)> = needs.iter().flat_map(|need| need.resources.iter().map(move |on| (need, on.as_str()))).collect();
    let asked: Vec<&Role> = roles.iter().filter(|role| !matches!(role.trust, Trust::No(_))).collect();
    let questions = asked.iter().map(|role| simulated(clients, scope, role, &pairs));
    let mut simulations = stream::iter(questions).buffered(AT_ONCE);
    let mut answers = Vec::new();
    while let Some(answer) = simulations.next().await {
        answers.push(answer?);
    }
    let open: Vec<usize> =
        (0..asked.len()).filter(|at| pairs.iter().zip(&answers[*at]).any(|((need, _), answer)| matters(need, answer))).collect();
    let unsure: Vec<&Role> = open.iter().map(|at| asked[*at]).collect();
    let read = if unsure.is_empty() { Vec::new() } else { read::policies(clients, &unsure).await? };
    let permissions = |role: &Role| {
        let Some(at) = asked.iter().position(|other| other.arn == role.arn) else { return Vec::new() };
        let policies = open.iter().position(|other| *other == at).and_then(|at| read.get(at));
        let context =
            context(scope, &role.arn, &pairs).into_iter().fold(Context::default(), |context, (key, value)| context.with(&key, value));
        let one = |((need, on), simulated): (&(&Need, &str), &Answer)| {
            let (alone, granted) = both(need.action, on, simulated, policies, &context);
            Permission::judge(need, on, alone, &granted)
        };
        pairs.iter().zip(&answers[at]).map(one).collect()
    };
    Ok(roles.iter().map(|role| Judged::new(&role.arn, role.trust.clone(), permissions(role))).collect())
}

/// Whether an answer leaves something open that is worth more questions.
fn matters(need: &Need, answer: &Answer) -> bool {
    matches!(answer, Answer::Unknown(_)) && (!need.optional || need.group == Group::Replies)
}

async fn simulated(clients: &Clients, scope: Scope<'_>, role: &Role, pairs: &[(&Need, &str)]) -> Result<Vec<Answer>, AwsError> {
    let asks: Vec<Ask<'_>> = pairs.iter().map(|(need, resource)| Ask { action: need.action, resource }).collect();
    // The simulator knows the principal that it simulates.
    let mut context = context(scope, &role.arn, pairs);
    context.retain(|(key, _)| key != PRINCIPAL);
    let answers = known(simulate(clients, &role.arn, &asks, &context).await)?;
    Ok(answers.unwrap_or_else(|why| vec![Answer::Unknown(why); asks.len()]))
}

const PRINCIPAL: &str = "aws:PrincipalArn";

/// What is known of the handler's requests before they are made.
fn context(scope: Scope<'_>, role: &str, pairs: &[(&Need, &str)]) -> Vec<(String, String)> {
    let place = scope.place;
    let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut context = vec![
        text(PRINCIPAL, role),
        text("aws:PrincipalAccount", &place.account),
        text("aws:ResourceAccount", &place.account),
        text("aws:PrincipalType", "AssumedRole"),
        text("aws:PrincipalIsAWSService", "false"),
        text("aws:RequestedRegion", &place.region),
        text("aws:SecureTransport", "true"),
        text("lambda:SourceFunctionArn", &place.function(&scope.want.function.name)),
    ];
    context.extend(pairs.iter().filter_map(|(need, _)| need.condition.as_ref()).map(|(key, value)| text(key, value)));
    context
}

/// Whether the role has it by itself, and whether it would with a resource policy that names it.
fn both(action: &str, resource: &str, simulated: &Answer, policies: Option<&Policies>, context: &Context) -> (Answer, Answer) {
    match (simulated, policies) {
        (Answer::Unknown(why), Some(policies)) => {
            let of = |granted| match policies.answer(action, resource, context, granted) {
                Answer::Unknown(other) if other != *why => Answer::Unknown(format!("{why}; {other}")),
                known @ (Answer::Allowed(_) | Answer::Denied(_) | Answer::Unknown(_)) => known,
            };
            (of(false), of(true))
        }
        (Answer::Denied(Denied { explicit: false, layer: Layer::Identity, .. }), _) => (simulated.clone(), Answer::Allowed(Vec::new())),
        _ => (simulated.clone(), simulated.clone()),
    }
}
