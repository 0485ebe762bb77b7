//! Reads the account: every list and describe call at once, each after the few that it needs.

use std::rc::Rc;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::error::AwsError;
use super::observed::Observed;
use super::progress::Event;
use super::resource::{Context, Kind, RESOURCES, Resource};

/// Reads these kinds.
pub(crate) async fn look(cx: &Context<'_>, kinds: impl Fn(Kind) -> bool) -> Result<Observed, AwsError> {
    let resource = format!("account in {}", cx.clients.region);
    cx.reporter.event(Event::Started { resource: resource.clone(), action: "look" });
    let found = read(cx, kinds).await;
    cx.reporter.event(match &found {
        Ok(seen) => Event::Finished { resource, action: "look", detail: seen.place.account.clone() },
        Err(_) => Event::Failed { resource, action: "look" },
    });
    found
}

async fn read(cx: &Context<'_>, kinds: impl Fn(Kind) -> bool) -> Result<Observed, AwsError> {
    let mut seen = Rc::new(Observed::default());
    let mut waiting: Vec<&dyn Resource> = RESOURCES.iter().copied().filter(|resource| kinds(resource.kind())).collect();
    let mut unread: Vec<Kind> = waiting.iter().map(|resource| resource.kind()).collect();
    let mut running = FuturesUnordered::new();
    loop {
        let ready = |resource: &&dyn Resource| !resource.read_after().iter().any(|kind| unread.contains(kind));
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
        waiting = later;
        for resource in now {
            let read = resource.read(cx, Rc::clone(&seen));
            running.push(async move { (resource.kind(), read.await) });
        }
        let Some((kind, slot)) = running.next().await else { break };
        Rc::make_mut(&mut seen).put(slot?);
        unread.retain(|other| *other != kind);
    }
    drop(running);
    Ok(Rc::unwrap_or_clone(seen))
}
