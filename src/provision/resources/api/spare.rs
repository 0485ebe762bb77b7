//! APIs with this stack's mark that nobody works with: a run made one while another run made the stack's, and ended before it could delete it.

use std::rc::Rc;

use super::{DELETE_API, One};
use crate::provision::answer::{Answer, gone};
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Observed, Place, Slot};
use crate::provision::plan::Action;
use crate::provision::resource::{Context, Kind, Resource, Seen, Verdict};
use crate::provision::wait::retry;

/// They go once the function says which one the stack works with.
pub(crate) struct SpareApis;

impl Resource for SpareApis {
    fn kind(&self) -> Kind {
        Kind::SpareApi
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function]
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function]
    }

    fn read<'a>(&'a self, _cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Same) })
    }

    fn diff(&self, _want: &Desired, seen: &Observed) -> Verdict {
        let mut verdict = Verdict::default();
        for one in spares(seen) {
            let why = Action::Delete("it has this stack's mark and no stage, and another API is the stack's".to_owned());
            verdict.steps.extend(Verdict::step(Kind::SpareApi, &one.id, why, &[DELETE_API]).steps);
        }
        verdict
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, id: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            match discard(cx, &seen.place, id).await {
                Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                    cx.rivals.leave();
                    cx.note(format!("the spare API {id} is left ({})", error.words()));
                }
                other => other?,
            }
            Ok(Slot::Same)
        })
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        Some(self.diff(want, seen))
    }
}

fn spares(seen: &Observed) -> impl Iterator<Item = &One> {
    let chosen = seen.api.present().zip(seen.api());
    chosen.into_iter().flat_map(|(live, chosen)| live.spares(chosen))
}

/// Deletes an API by its id; gone already is done.
pub(crate) async fn discard(cx: &Context<'_>, place: &Place, id: &str) -> Result<(), AwsError> {
    let deleted = retry(cx.watch(Kind::SpareApi, id, DELETE_API, 60), async || {
        cx.clients.api.delete_api().api_id(id).send().await.explain(DELETE_API, &place.api(id))
    });
    gone(deleted.await)
}
