//! Whether what a run made is there still at its end: somebody may tear the stack down at the same time.

use std::rc::Rc;

use futures_util::future::join_all;

use super::observed::Observed;
use super::resource::{Context, Kind, RESOURCES};
use super::resources::account;
use super::rivals::LAG;
use super::wait::{Probe, Watch, until};

/// Looks for all that can be deleted by itself, with one call each, and tells of what is gone. `proven`: what is made just now, which shows that it stands.
pub(super) async fn look(cx: &Context<'_>, seen: &Rc<Observed>, proven: &[Kind]) {
    let watch = Watch { reporter: cx.reporter, resource: "stack".to_owned(), call: account::GET_CALLER_IDENTITY, limit: LAG };
    let mut open: Vec<_> = RESOURCES.iter().filter(|resource| !proven.contains(&resource.kind())).collect();
    let looked = until(watch, async || {
        let gone = join_all(open.iter().map(|resource| resource.is_gone(cx, Rc::clone(seen)))).await;
        let mut each = gone.iter();
        open.retain(|_| each.next().is_some_and(|gone| *gone));
        Ok(match open.first() {
            Some(resource) => Probe::Pending(format!("the {} that was made is not there", resource.kind().name())),
            None => Probe::Ready(()),
        })
    });
    if looked.await.is_err() {
        cx.rivals.notice();
    }
}
