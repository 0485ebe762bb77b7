//! The account and the Region that everything is made in. Referenced, never changed.

use std::rc::Rc;

use crate::provision::answer::{Answer, unanswered};
use crate::provision::desired::Desired;
use crate::provision::observed::{Observed, Place, Slot};
use crate::provision::plan::ApiCall;
use crate::provision::resource::{Context, Kind, Resource, Seen, Verdict};

pub(crate) const GET_CALLER_IDENTITY: ApiCall = ApiCall { name: "GetCallerIdentity", iam: "sts:GetCallerIdentity" };

/// What the call is about, in errors.
const THE_CALLER: &str = "of the credentials";

pub(crate) struct Account;

impl Resource for Account {
    fn kind(&self) -> Kind {
        Kind::Account
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async {
            let answer = cx.clients.sts.get_caller_identity().send().await.explain(GET_CALLER_IDENTITY, THE_CALLER)?;
            let arn = answer.arn().unwrap_or_default();
            let partition = arn.split(':').nth(1).unwrap_or_default();
            match answer.account() {
                Some(account) if !partition.is_empty() => Ok(Slot::Account {
                    place: Place { account: account.to_owned(), partition: partition.to_owned(), region: cx.clients.region.clone() },
                    caller: arn.to_owned(),
                }),
                _ => Err(unanswered(GET_CALLER_IDENTITY, THE_CALLER, &format!("an answer without an account: `{arn}`"))),
            }
        })
    }

    fn diff(&self, _want: &Desired, _seen: &Observed) -> Verdict {
        Verdict::default()
    }
}
