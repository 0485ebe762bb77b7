//! Execution roles: which there are, what they let Lambda and the handler do, and which one is taken.
//!
//! `read` and `survey` ask IAM; `trust`, `judge` and `choose` work on what they found. Nothing here changes a role.

mod choose;
mod judge;
mod read;
mod survey;
mod trust;

use serde_json::Value;

use super::desired::Desired;
use super::evidence::Answer;
use super::observed::{Found, Observed, Place};
use crate::config::Reply;
use crate::contract::{env, reply};
pub(crate) use choose::{Choice, choose, ordered, similar};
#[cfg(test)]
pub(crate) use judge::tests::weak;
pub use judge::{Ask, Change, Fitness, Help, Judged, Permission, together};
pub(crate) use read::{Boundary, Named, Policies, Role, all, document, get, known, list, managed, name, policies};
pub(crate) use survey::judge;
pub use trust::Trust;

/// ARN of the role, as far as it is known: as read, as the function has it, as the config says it, or put together from its name.
pub(crate) fn arn(want: &Desired, seen: &Observed) -> Option<String> {
    let has = seen.function_role(want);
    let Some(named) = &want.role else {
        return match (&seen.role, choose(&seen.judged, has)) {
            (_, Choice::One(one)) => Some(one.arn.clone()),
            (Found::Unknown(_), _) => has.map(str::to_owned),
            (Found::Absent | Found::Present(_), Choice::Several(_) | Choice::Nothing) => None,
        };
    };
    let read = seen.role.present().and_then(|live| live.roles.first()).map(|role| role.arn.clone());
    let same = has.filter(|has| !named.starts_with("arn:") && name(has) == name(named)).map(str::to_owned);
    Some(read.or(same).unwrap_or_else(|| guess(named, &seen.place)))
}

/// The ARN that a role of this name has if it has no path.
pub(crate) fn guess(named: &str, place: &Place) -> String {
    if named.starts_with("arn:") {
        named.to_owned()
    } else {
        format!("arn:{}:iam::{}:role/{}", place.partition, place.account, named.trim_start_matches('/'))
    }
}

/// The role that is taken, where it was judged.
pub(crate) fn judged<'a>(want: &Desired, seen: &'a Observed) -> Option<&'a Judged> {
    let arn = arn(want, seen)?;
    seen.judged.iter().find(|judged| judged.arn == arn)
}

/// The roles among which a person has to choose; empty where there is nothing to choose.
pub(crate) fn choices(want: &Desired, seen: &Observed) -> Vec<Judged> {
    match choose(&seen.judged, seen.function_role(want)) {
        Choice::Several(several) if want.role.is_none() => several.into_iter().cloned().collect(),
        Choice::One(_) | Choice::Several(_) | Choice::Nothing => Vec::new(),
    }
}

/// How replies travel, and why so.
pub(crate) struct ReplyMode {
    /// One of [`mod@reply`].
    pub(crate) mode: &'static str,
    pub(crate) why: String,
}

/// Settles `auto`: `management-api` where the role is known to allow it. Where nobody knows, what the function does already, else
/// `route-response`, which works with every role.
pub(crate) fn reply(want: &Desired, seen: &Observed) -> ReplyMode {
    let function = seen.function.present().filter(|function| function.owner(&want.stack).is_ours());
    reply_of(want.reply, judged(want, seen), function.and_then(|function| function.variable(env::REPLY)))
}

/// The mode for one role, whether or not it is the one that is taken; `now`: what the stack's function does.
fn reply_of(wanted: Reply, role: Option<&Judged>, now: Option<&str>) -> ReplyMode {
    let unknown = |why: &str| match now {
        Some(reply::MANAGEMENT_API) => (reply::MANAGEMENT_API, format!("{UNKNOWN}{why}, and the function replies so already")),
        _ => (
            reply::ROUTE_RESPONSE,
            format!("{UNKNOWN}{why}, and this mode needs no permission; `reply: management-api` also sends what nobody asked for"),
        ),
    };
    let (mode, why) = match (wanted, role.and_then(Judged::may_reply)) {
        (Reply::ManagementApi, _) => (reply::MANAGEMENT_API, "the config says so".to_owned()),
        (Reply::RouteResponse, _) => (reply::ROUTE_RESPONSE, "the config says so".to_owned()),
        (Reply::Auto, Some(Answer::Allowed(_))) => (reply::MANAGEMENT_API, "the role allows execute-api:ManageConnections".to_owned()),
        (Reply::Auto, Some(denied @ Answer::Denied(_))) => (
            reply::ROUTE_RESPONSE,
            format!("the role may not do execute-api:ManageConnections ({}), which this mode does not need", denied.because()),
        ),
        (Reply::Auto, Some(Answer::Unknown(why))) => unknown(&format!(" ({why})")),
        (Reply::Auto, None) => unknown(""),
    };
    ReplyMode { mode, why }
}

/// What a look at the account's roles found.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The better ones first.
    pub roles: Vec<Surveyed>,
    /// ARN of the role that the stack's function has.
    pub in_use: Option<String>,
}

/// A role, judged, and what a stack would make of it.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The role.
    pub judged: Judged,
    /// How replies would travel: `management-api` or `route-response`.
    pub reply: &'static str,
    /// Why so.
    pub reply_why: String,
}

/// Puts judged roles in order.
pub(crate) fn survey(want: &Desired, seen: &Observed, judged: &[Judged]) -> Survey {
    let one = |judged: &Judged| {
        let ReplyMode { mode, why } = reply_of(want.reply, Some(judged), None);
        Surveyed { judged: judged.clone(), reply: mode, reply_why: why }
    };
    Survey { roles: ordered(judged.iter()).into_iter().map(one).collect(), in_use: seen.function_role(want).map(str::to_owned) }
}

const UNKNOWN: &str = "whether the role allows execute-api:ManageConnections is not known";

/// The one response that a WebSocket route can have, and the expression that picks it.
pub(crate) const TWO_WAY: &str = "$default";

/// Whether what the function returns on this route goes to the client.
pub(crate) fn is_two_way(want: &Desired, seen: &Observed, key: &str) -> bool {
    reply(want, seen).mode == reply::ROUTE_RESPONSE && !["$connect", "$disconnect"].contains(&key)
}

/// In a policy everything may be one thing or a list of them.
pub(crate) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Value::Array(list) => (list.as_slice(), None),
        Value::Null => (&[] as &[Value], None),
        one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => (&[] as &[Value], Some(one)),
    };
    list.iter().chain(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_path_in_the_arn() {
        let place = Place { account: "111122223333".to_owned(), partition: "aws-cn".to_owned(), region: "cn-north-1".to_owned() };
        assert_eq!(guess("service-role/x", &place), "arn:aws-cn:iam::111122223333:role/service-role/x");
        assert_eq!(guess("x", &place), "arn:aws-cn:iam::111122223333:role/x");
        assert_eq!(guess("arn:aws:iam::1:role/p/x", &place), "arn:aws:iam::1:role/p/x");
    }
}
