//! Desired x Observed -> Plan. Pure.

use super::desired::Desired;
use super::error::Refusal;
use super::observed::Observed;
use super::permissions::{self, Phase, Scope};
use super::resource::{RESOURCES, halves, label};
use super::roles;

/// Every step of a run, in the order in which a person reads them. The plan that is printed is the one that is applied.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One for each resource, the unchanged ones included.
    pub steps: Vec<Step>,
    /// What a person should know: the reply mode and why, what could not be read, what degrades.
    pub notes: Vec<String>,
    /// What looking at the account takes, which every run does first.
    pub reads: Vec<ApiCall>,
    /// The account that a teardown's plan was made from, so that it is the one that is applied.
    pub(crate) observed: Option<Box<Observed>>,
}

/// What happens to one resource.
#[derive(Clone, Debug)]
pub struct Step {
    /// `table`, `function`, `route` ...
    pub kind: &'static str,
    /// The name that a person knows it by: `WebSocketConnections`, `$connect`.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// The AWS calls that this takes, with the IAM action each needs.
    pub calls: Vec<ApiCall>,
}

/// What happens to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is as it should be (or is referenced, not owned).
    Keep,
    /// It is not there.
    Create,
    /// It differs in these fields.
    Update(Vec<FieldChange>),
    /// It is there and nobody's: it is marked as this stack's, and changed in these fields.
    Adopt(Vec<FieldChange>),
    /// It is ours and should not be there; the text says why it is ours.
    Delete(String),
    /// It stands in the way, and only a person can decide; says what and how to go on.
    Refuse(String),
}

/// A field that differs. Secrets show as `(sensitive)`, and where one is replaced as `(sensitive, changed)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Name of the field.
    pub field: String,
    /// As found; empty where there was nothing.
    pub from: String,
    /// As wanted.
    pub to: String,
}

/// A call to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// As AWS names it: `CreateApi`.
    pub name: &'static str,
    /// What it needs: `apigateway:POST`.
    pub iam: &'static str,
}

impl Plan {
    /// The steps that change something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !matches!(step.action, Action::Keep))
    }

    /// The steps that delete something.
    pub fn deletions(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.action, Action::Delete(_)))
    }

    /// The steps of a teardown after which the resource is there still.
    pub fn kept(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.action, Action::Keep | Action::Update(_)))
    }

    /// What `provision` would do.
    pub(crate) fn provision(want: &Desired, seen: &Observed) -> Self {
        let mut plan = Self::default();
        for verdict in RESOURCES.iter().map(|resource| resource.diff(want, seen)) {
            plan.steps.extend(verdict.steps);
            plan.notes.extend(verdict.notes);
        }
        plan.reads = reads(want, seen);
        plan
    }

    /// What `teardown` would do.
    pub(crate) fn teardown(want: &Desired, seen: &Observed) -> Self {
        let mut plan = Self::default();
        for verdict in RESOURCES.iter().filter_map(|resource| resource.teardown(want, seen)) {
            plan.steps.extend(verdict.steps);
            plan.notes.extend(verdict.notes);
        }
        plan
    }

    /// All that stands in the way.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusal = |step: &Step| match &step.action {
            Action::Refuse(why) => {
                let (reason, remedy) = halves(why);
                Some(Refusal { resource: label(step.kind, &step.name), reason: reason.to_owned(), remedy: remedy.to_owned() })
            }
            Action::Keep | Action::Create | Action::Update(_) | Action::Adopt(_) | Action::Delete(_) => None,
        };
        self.steps.iter().filter_map(refusal).collect()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }
}

/// The calls that only read, with what each needs.
fn reads(want: &Desired, seen: &Observed) -> Vec<ApiCall> {
    let role = roles::arn(want, seen);
    let looks = permissions::caller(Scope::of(want, seen, role.as_deref()))
        .into_iter()
        .filter(|need| matches!(need.phase, Phase::Look | Phase::Preflight));
    looks.flat_map(|need| need.calls.iter().map(move |name| ApiCall { name, iam: need.action })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;
    use crate::provision::environment;
    use crate::provision::observed::{Found, Place};
    use crate::provision::request::Request;
    use crate::provision::resources::table::wanted_policy;
    use crate::provision::roles::weak;

    /// An account with nothing of ours in it.
    fn empty() -> Observed {
        let place = Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() };
        // The role cannot be read, and is used as it is named.
        let role = Found::Unknown("GetRole".to_owned());
        Observed { place, role, judged: vec![weak("arn:aws:iam::111122223333:role/r")], ..Observed::default() }
    }

    #[test]
    fn a_fresh_account_gets_everything_in_the_order_in_which_it_is_read() {
        let flags = Settings { existing_role: Some("r".to_owned()), routes: Some(vec!["sendMessage".to_owned()]), ..Settings::default() };
        let plan = Plan::provision(&desired(flags), &empty());
        let steps: Vec<String> = plan.steps.iter().map(|step| label(step.kind, &step.name)).collect();
        assert_eq!(
            steps,
            [
                "role arn:aws:iam::111122223333:role/r",
                "table WebSocketConnections",
                "log group /aws/lambda/websocket-handler",
                "api TerminalWebSocketAPI",
                "function websocket-handler",
                "permission websocket-handler",
                "integration shared",
                "route $connect",
                "route $disconnect",
                "route $default",
                "route sendMessage",
                "route response $default",
                "route response sendMessage",
                "stage prod",
            ]
        );
        assert!(plan.changes().all(|step| step.action == Action::Create && !step.calls.is_empty()));
        assert!(plan.refusals().is_empty());
        assert!(plan.notes.iter().any(|note| note.contains("route-response")), "{:#?}", plan.notes);
        assert!(Plan::teardown(&desired(Settings::default()), &empty()).is_empty());
    }

    #[test]
    fn in_another_partition_nothing_names_the_common_one() {
        for (partition, region, suffix) in [("aws-cn", "cn-north-1", "amazonaws.com.cn"), ("aws-us-gov", "us-gov-west-1", "amazonaws.com")]
        {
            let role = format!("arn:{partition}:iam::111122223333:role/r");
            let place = Place { account: "111122223333".to_owned(), partition: partition.to_owned(), region: region.to_owned() };
            let seen = Observed { place, judged: vec![weak(&role)], ..empty() };
            let want = desired(Settings { existing_role: Some(role.clone()), ..Settings::default() });
            let scope = Scope::of(&want, &seen, Some(&role));
            let variables = environment::variables(&want, &seen);
            assert!(variables["DOMAIN_NAME"].expose().ends_with(&format!(".execute-api.{region}.{suffix}")));
            let request = Request::new(&want, &seen, &[]);
            let texts = [
                format!("{:?}", Plan::provision(&want, &seen)),
                format!("{:?} {:?}", permissions::caller(scope), permissions::execution_role(scope)),
                wanted_policy(&want, &seen).expect("a policy").to_string(),
                seen.place.integration_uri("f"),
                format!("{} {:#} {:#} {}", request.markdown(), request.json(), request.cloudformation(), request.terraform()),
            ];
            for text in texts {
                assert!(!text.contains("arn:aws:") && text.contains(&format!("arn:{partition}:")), "{partition}: {text}");
            }
        }
    }

    #[test]
    fn an_environment_that_lambda_would_refuse_is_refused_here() {
        let mut want = desired(Settings { existing_role: Some("r".to_owned()), ..Settings::default() });
        let long = crate::secret::Secret::new("x".repeat(4000));
        want.environment.insert("LONG".to_owned(), long);
        let refusals = Plan::provision(&want, &empty()).refusals();
        assert!(refusals.len() == 1 && refusals[0].reason.contains("4096"), "{refusals:#?}");
    }

    #[test]
    fn what_cannot_be_read_is_neither_made_nor_deleted() {
        let denied = || "Get (x:Get): AccessDenied".to_owned();
        let seen =
            Observed { table: Found::Unknown(denied()), function: Found::Unknown(denied()), api: Found::Unknown(denied()), ..empty() };
        let want = desired(Settings { existing_role: Some("r".to_owned()), ..Settings::default() });
        assert_eq!(Plan::provision(&want, &seen).refusals().len(), 3);
        let teardown = Plan::teardown(&want, &seen);
        assert_eq!(teardown.refusals().len(), 3);
        assert!(!teardown.steps.iter().any(|step| matches!(step.action, Action::Delete(_))));
    }
}
