//! A role and what is known about it -> whether it is fit. Pure.

use super::trust::Trust;
use crate::contract::reply;
use crate::provision::evidence::{Answer, Denied, Layer};
use crate::provision::permissions::{Group, Need};

/// How well a role serves the handler. The better ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fitness {
    /// It may do everything by itself.
    Fit,
    /// It does with the table's resource policy, with replies by route response, or with both.
    WithHelp,
    /// Something decides that cannot be read or evaluated.
    Unknown,
    /// Lambda may not assume it, or it lacks what nothing makes up for.
    NotFit,
}

impl Fitness {
    /// As a person reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::WithHelp => "fit with help",
            Self::Unknown => "unknown",
            Self::NotFit => "not fit",
        }
    }
}

/// What makes up for a permission that a role lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// The table's resource policy lets the role in.
    TablePolicy,
    /// Replies are returned by the function in place of posted.
    RouteResponse,
    /// It is done without.
    GoWithout,
}

/// One permission that the handler uses, and whether the role has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// `dynamodb:PutItem`
    pub action: &'static str,
    /// ARN.
    pub resource: String,
    /// What it is for.
    pub why: &'static str,
    /// What does not work without it.
    pub without: &'static str,
    /// Whether the role has it by itself.
    pub answer: Answer,
    /// Whether the rest works without it.
    pub optional: bool,
    /// What makes up for it where the role does not have it, or may not have it.
    pub help: Option<Help>,
}

impl Permission {
    /// `need`, on `resource`, with the answer for the role alone and the one for the role when a resource policy names it.
    pub(crate) fn judge(need: &Need, resource: &str, alone: Answer, granted: &Answer) -> Self {
        let answer = match (need.group, alone) {
            // A secret has a resource policy, which may let the role in (Secrets Manager, PutResourcePolicy).
            (Group::TokenKey, Answer::Denied(Denied { explicit: false, layer: Layer::Identity, .. }))
                if need.action.starts_with("secretsmanager:") =>
            {
                Answer::Unknown("none of its policies allows it; the secret's own policy may".to_owned())
            }
            (_, alone) => alone,
        };
        let has = matches!(answer, Answer::Allowed(_));
        let help = if has {
            None
        } else if need.group == Group::Items && matches!(granted, Answer::Allowed(_)) {
            Some(Help::TablePolicy)
        } else if need.group == Group::Replies {
            (need.optional && matches!(answer, Answer::Denied(_))).then_some(Help::RouteResponse)
        } else {
            need.optional.then_some(Help::GoWithout)
        };
        let Need { action, why, without, optional, .. } = *need;
        Self { action, resource: resource.to_owned(), why, without, answer, optional, help }
    }
}

/// A role, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// ARN of the role.
    pub arn: String,
    /// Whether it is as well as possible.
    pub fitness: Fitness,
    /// Whether Lambda may assume it.
    pub trust: Trust,
    /// Everything that the handler uses; empty where nobody was asked because Lambda may not assume it.
    pub permissions: Vec<Permission>,
}

impl Judged {
    pub(crate) fn new(arn: &str, trust: Trust, permissions: Vec<Permission>) -> Self {
        let lacking = || permissions.iter().filter(|permission| permission.help.is_none());
        let denied = lacking().any(|permission| matches!(permission.answer, Answer::Denied(_)));
        let unknown = lacking().any(|permission| matches!(permission.answer, Answer::Unknown(_)));
        let helped = permissions.iter().any(|permission| matches!(permission.help, Some(Help::TablePolicy | Help::RouteResponse)));
        let fitness = match (&trust, denied, unknown, helped) {
            (Trust::No(_), ..) | (_, true, ..) => Fitness::NotFit,
            (Trust::Unknown(_), ..) | (_, _, true, _) => Fitness::Unknown,
            (Trust::Yes, false, false, true) => Fitness::WithHelp,
            (Trust::Yes, false, false, false) => Fitness::Fit,
        };
        Self { arn: arn.to_owned(), fitness, trust, permissions }
    }

    /// The name at the end of its ARN.
    #[must_use]
    pub fn name(&self) -> &str {
        super::read::name(&self.arn)
    }

    /// Whether the table's resource policy is what lets it work.
    #[must_use]
    pub fn needs_table_policy(&self) -> bool {
        self.permissions.iter().any(|permission| permission.help == Some(Help::TablePolicy) && !permission.optional)
    }

    /// Whether it may post to `@connections`; `None` where that does not matter.
    pub(crate) fn may_reply(&self) -> Option<&Answer> {
        self.permissions.iter().find(|permission| permission.action == MANAGE_CONNECTIONS).map(|permission| &permission.answer)
    }

    /// Why it is what it is, the weightiest first; empty where it is simply fit.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let trust = (self.trust != Trust::Yes).then(|| self.trust.words());
        let mut reasons: Vec<String> = trust.into_iter().chain(self.lacks()).collect();
        for (actions, because) in grouped(self.of(None, "unknown")) {
            reasons.push(format!("whether it may do {actions} is not known: {because}"));
        }
        if self.permissions.iter().any(|permission| permission.help == Some(Help::TablePolicy)) {
            reasons.push("the table's resource policy lets it in".to_owned());
        }
        if self.permissions.iter().any(|permission| permission.help == Some(Help::RouteResponse)) {
            reasons.push(format!("replies travel by {}", reply::ROUTE_RESPONSE));
        }
        if self.fitness == Fitness::NotFit {
            return reasons;
        }
        for permission in self.missed() {
            if !reasons.iter().any(|reason| reason == permission.without) {
                reasons.push(permission.without.to_owned());
            }
        }
        reasons
    }

    /// What it is known to lack and nothing makes up for.
    pub(crate) fn lacks(&self) -> Vec<String> {
        grouped(self.of(None, "denied")).into_iter().map(|(actions, because)| format!("{actions} is denied: {because}")).collect()
    }

    /// What a person should know before the stack is made with this role.
    pub(crate) fn notes(&self) -> Vec<String> {
        let helped = self.permissions.iter().filter(|permission| permission.help == Some(Help::TablePolicy));
        let helped = grouped(helped).into_iter().map(|(actions, because)| {
            format!("the role gets {actions} from the table's resource policy, not from its own policies ({because})")
        });
        let missed = self
            .missed()
            .map(|permission| format!("{}: {} is denied ({})", permission.without, permission.action, permission.answer.because()));
        helped.chain(missed).collect()
    }

    /// What is done without. A key of one's own in KMS is rare, and nobody knows it here.
    fn missed(&self) -> impl Iterator<Item = &Permission> {
        self.of(Some(Help::GoWithout), "denied").filter(|permission| permission.action != "kms:Decrypt")
    }

    fn of<'a>(&'a self, help: Option<Help>, word: &'a str) -> impl Iterator<Item = &'a Permission> {
        self.permissions.iter().filter(move |permission| permission.help == help && permission.answer.word() == word)
    }

    /// What an administrator would have to change so that nothing has to make up for anything; with `needed`, only what nothing makes up for.
    #[must_use]
    pub fn asks(&self, needed: bool) -> Vec<Ask> {
        let mut asks: Vec<Ask> = Vec::new();
        let lacks = |permission: &&Permission| match permission.answer {
            Answer::Allowed(_) => false,
            Answer::Denied(_) | Answer::Unknown(_) => permission.help.is_none() || !needed,
        };
        for permission in self.permissions.iter().filter(lacks) {
            let change = Change::of(&permission.answer);
            match asks.iter_mut().find(|ask| ask.resource == permission.resource && ask.change == change) {
                Some(ask) => ask.actions.push(permission.action),
                None => asks.push(Ask { actions: vec![permission.action], resource: permission.resource.clone(), change }),
            }
        }
        asks
    }
}

/// What the handler posts replies with.
pub(crate) const MANAGE_CONNECTIONS: &str = "execute-api:ManageConnections";

/// Something to ask an administrator for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What the role has to be allowed.
    pub actions: Vec<&'static str>,
    /// On which resource.
    pub resource: String,
    /// What has to be changed for it.
    pub change: Change,
}

impl Ask {
    /// In one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { actions, resource, change } = self;
        let what = format!("{} on {resource}", together(actions));
        match change {
            Change::Allow => format!("allow the role {what}"),
            Change::Limit(layer) => format!("let the {} allow {what}; an allow in the role's own policies is not enough", layer.name()),
            Change::Deny(Denied { layer, policy, .. }) => {
                let policy = policy.as_ref().map_or_else(
                    || format!("the {} that denies", layer.name()),
                    |policy| format!("the {} {policy}, which denies", layer.name()),
                );
                format!("change {policy} {what}; an allow does not help")
            }
            Change::Perhaps => format!("allow the role {what}, if nothing does already"),
        }
    }
}

/// What kind of change it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One of the role's own policies has to allow it.
    Allow,
    /// The permissions boundary, or the organisation's policy, has to allow it, and one of the role's own policies too.
    Limit(Layer),
    /// This policy denies it: no allow helps, it has to be changed itself.
    Deny(Denied),
    /// Perhaps nothing: whether it is allowed is not known.
    Perhaps,
}

impl Change {
    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Denied(denied) if denied.explicit => Self::Deny(denied.clone()),
            Answer::Denied(Denied { layer: layer @ (Layer::Boundary | Layer::Organisation), .. }) => Self::Limit(*layer),
            Answer::Denied(_) => Self::Allow,
            Answer::Allowed(_) | Answer::Unknown(_) => Self::Perhaps,
        }
    }
}

/// Permissions that have the same reason, their actions in one text: `dynamodb:PutItem, GetItem`.
fn grouped<'a>(permissions: impl Iterator<Item = &'a Permission>) -> Vec<(String, String)> {
    let mut groups: Vec<(Vec<&'static str>, String)> = Vec::new();
    for permission in permissions {
        let because = permission.answer.because();
        match groups.iter_mut().find(|(_, other)| *other == because) {
            Some((actions, _)) => actions.push(permission.action),
            None => groups.push((vec![permission.action], because)),
        }
    }
    groups.into_iter().map(|(actions, because)| (together(&actions), because)).collect()
}

/// `dynamodb:PutItem, GetItem`: the service once.
#[must_use]
pub fn together(actions: &[&str]) -> String {
    let mut text = String::new();
    let mut before = "";
    for action in actions {
        let (service, name) = action.split_once(':').unwrap_or(("", action));
        let shown = if service == before { name } else { action };
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(shown);
        before = service;
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;
    use crate::provision::observed::Place;
    use crate::provision::permissions::{Scope, execution_role};

    const ROLE: &str = "arn:aws:iam::111122223333:role/r";

    fn implicit(layer: Layer) -> Answer {
        Answer::Denied(Denied { explicit: false, layer, policy: None })
    }

    fn explicit() -> Answer {
        Answer::Denied(Denied { explicit: true, layer: Layer::Identity, policy: Some("Guard".to_owned()) })
    }

    fn allowed() -> Answer {
        Answer::Allowed(vec!["p".to_owned()])
    }

    /// A role of which `answers` says what it may do: for an action, alone and with a resource policy.
    pub(crate) fn judge(flags: Settings, trust: Trust, answers: impl Fn(&str) -> (Answer, Answer)) -> Judged {
        let want = desired(flags);
        let place = Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() };
        let scope = Scope { want: &want, place: &place, caller: None, role: Some(ROLE), api: None, marked: &[], table_policy: false };
        let one = |need: &Need| {
            let (alone, granted) = answers(need.action);
            Permission::judge(need, &need.resources[0], alone, &granted)
        };
        Judged::new(ROLE, trust, execution_role(scope).iter().map(one).collect())
    }

    /// A role that may do nothing but what starts with `prefix`.
    fn only(prefix: &'static str, flags: Settings) -> Judged {
        judge(flags, Trust::Yes, |action| {
            if action.starts_with(prefix) { (allowed(), allowed()) } else { (implicit(Layer::Identity), Answer::Allowed(Vec::new())) }
        })
    }

    /// A role that may write logs and nothing else.
    pub(crate) fn weak(arn: &str) -> Judged {
        Judged { arn: arn.to_owned(), ..only("logs:", Settings::default()) }
    }

    #[test]
    fn a_role_that_may_do_everything_is_fit() {
        let role = judge(Settings::default(), Trust::Yes, |_| (allowed(), allowed()));
        assert_eq!((role.fitness, role.reasons(), role.notes()), (Fitness::Fit, Vec::new(), Vec::new()));
        assert!(role.asks(false).is_empty());
    }

    #[test]
    fn the_role_that_people_find_first_is_fit_with_help() {
        let role = weak(ROLE);
        assert_eq!(role.fitness, Fitness::WithHelp);
        assert_eq!(role.reasons(), ["the table's resource policy lets it in", "replies travel by route-response"]);
        assert!(role.needs_table_policy() && role.asks(true).is_empty());
        let asks: Vec<String> = role.asks(false).iter().map(Ask::words).collect();
        assert_eq!(
            asks,
            [
                "allow the role dynamodb:PutItem, GetItem, DeleteItem, UpdateItem on arn:aws:dynamodb:eu-west-1:111122223333:table/WebSocketConnections",
                "allow the role dynamodb:Query on arn:aws:dynamodb:eu-west-1:111122223333:table/WebSocketConnections/index/SessionIdIndex",
                "allow the role execute-api:ManageConnections on arn:aws:execute-api:eu-west-1:111122223333:*/prod/POST/@connections/*",
            ]
        );
    }

    #[test]
    fn a_role_that_may_not_even_log_works_silently() {
        let role = only("nothing:", Settings::default());
        assert_eq!(role.fitness, Fitness::WithHelp);
        assert_eq!(role.reasons().last().map(String::as_str), Some("the function runs, and writes no log lines at all"));
        assert!(role.notes().iter().any(|note| note.contains("no log lines") && note.contains("logs:PutLogEvents")));
    }

    #[test]
    fn what_no_resource_policy_heals_is_not_fit() {
        for (denied, said) in [
            (explicit(), "dynamodb:PutItem, GetItem, DeleteItem is denied: explicitly, in the identity-based policy Guard"),
            (implicit(Layer::Boundary), "dynamodb:PutItem, GetItem, DeleteItem is denied: no permissions boundary allows it"),
            (implicit(Layer::Organisation), "dynamodb:PutItem, GetItem, DeleteItem is denied: no service control policy allows it"),
        ] {
            let answer = |action: &str| if action.starts_with("dynamodb:") { denied.clone() } else { allowed() };
            let role = judge(Settings::default(), Trust::Yes, |action| (answer(action), answer(action)));
            assert_eq!(role.fitness, Fitness::NotFit);
            assert_eq!(role.reasons(), [said]);
            let ask = role.asks(true).remove(0).words();
            assert!(!ask.starts_with("allow the role"), "an allow does not help: {ask}");
        }
    }

    #[test]
    fn an_explicit_deny_of_replies_or_logs_is_gone_around() {
        let of = |prefix: &'static str| {
            judge(Settings::default(), Trust::Yes, move |action| {
                if action.starts_with(prefix) { (explicit(), explicit()) } else { (allowed(), allowed()) }
            })
        };
        assert_eq!(of("execute-api:").fitness, Fitness::WithHelp);
        assert_eq!(of("logs:").fitness, Fitness::Fit);
        assert_eq!(of("logs:").reasons(), ["the function runs, and writes no log lines at all"]);
    }

    #[test]
    fn a_mode_that_is_set_by_hand_has_no_help() {
        let reply = |mode: &str| Settings { reply: Some(mode.to_owned()), ..Settings::default() };
        assert_eq!(only("logs:", reply("management-api")).fitness, Fitness::NotFit);
        let role = only("logs:", reply("route-response"));
        assert_eq!((role.fitness, role.may_reply()), (Fitness::WithHelp, None));
    }

    #[test]
    fn a_key_in_a_store_must_be_readable() {
        let stored = |place: &str| Settings { jwt_secret: Some(place.to_owned()), ..Settings::default() };
        let role = only("logs:", stored("ssm:/terminal/jwt"));
        assert_eq!(role.fitness, Fitness::NotFit);
        assert_eq!(role.reasons()[0], "ssm:GetParameter is denied: no identity-based policy allows it");
        // The secret's own policy may let the role in, which nobody asked.
        let role = only("logs:", stored("secretsmanager:terminal/jwt"));
        assert_eq!(role.fitness, Fitness::Unknown);
        assert!(role.reasons()[0].contains("the secret's own policy may"), "{:?}", role.reasons());
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        let unknown = || Answer::Unknown("iam:SimulatePrincipalPolicy is denied".to_owned());
        let role = judge(Settings::default(), Trust::Yes, |_| (unknown(), unknown()));
        assert_eq!(role.fitness, Fitness::Unknown);
        assert_eq!(
            role.reasons(),
            ["whether it may do dynamodb:PutItem, GetItem, DeleteItem, execute-api:ManageConnections is not known: \
              iam:SimulatePrincipalPolicy is denied"]
        );
        // A condition that decides does not matter where the table's policy lets the role in anyway.
        let role = judge(Settings::default(), Trust::Yes, |action| match action.starts_with("dynamodb:") {
            true => (Answer::depends(&["aws:SourceIp".to_owned()]), Answer::Allowed(Vec::new())),
            false => (allowed(), allowed()),
        });
        assert_eq!(role.fitness, Fitness::WithHelp);
    }

    #[test]
    fn trust_comes_first() {
        let of = |trust| judge(Settings::default(), trust, |_| (allowed(), allowed())).fitness;
        assert_eq!(of(Trust::No("it names ec2.amazonaws.com".to_owned())), Fitness::NotFit);
        assert_eq!(of(Trust::Unknown("a condition decides".to_owned())), Fitness::Unknown);
    }

    #[test]
    fn a_service_is_named_once() {
        assert_eq!(together(&["a:B", "a:C", "d:E", "a:F"]), "a:B, C, d:E, a:F");
    }
}
