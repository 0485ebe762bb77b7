//! `wsfix dev --once`: from nothing to a live socket and back, each step with its evidence.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::cli::checklist::Checklist;
use crate::cli::error::Error;
use crate::cli::plan::Counts;
use crate::cli::style::{count, duration};
use crate::cli::token::{Issuer, Source};
use crate::cli::ui::Ui;
use crate::cli::verify::Account;
use crate::contract::backend;
use crate::local::backend::Backend;
use crate::provision::{self, Consent, Run, Stop, Witness};
use crate::verify::checks::{self, Extent, Subject};

use super::setup::{Session, Setup, USER};

/// Longest time for one answer.
const LIMIT: Duration = Duration::from_secs(15);
/// How often something is looked at that comes about by itself.
const PAUSE: Duration = Duration::from_millis(10);
/// The session of the tour's connection.
const TOUR: &str = "tour";

/// Goes through everything. An error is only what keeps the tour from going on.
pub(super) async fn run(setup: Setup, ui: &Ui, list: &Checklist<'_>) -> Result<(), Error> {
    let mut session = Session::start(setup, ui, Some(list)).await?;
    list.judge("a second provision changes nothing", again(&session, ui).await?);
    connections(&session, ui, list).await?;
    if !list.all_passed() || ui.verbose() {
        ui.say("what the handler logged:");
        while let Ok(line) = session.lines.try_recv() {
            super::log(&line, ui);
        }
    }
    list.judge("teardown leaves nothing", teardown(&session, ui).await?);
    session.stop();
    Ok(())
}

/// Provisions once more and counts the calls that may change something.
async fn again(session: &Session, ui: &Ui) -> Result<Result<String, String>, Error> {
    let calls = session.cloud.calls();
    calls.clear();
    let stop = Stop::default();
    let plan = provision::provision(&Run { config: &session.config, reporter: ui, stop: &stop, consent: Consent::default() }).await?.plan;
    let all = calls.all();
    let mutating: Vec<&str> = all.iter().filter(|call| call.is_mutating()).map(|call| call.operation.as_str()).collect();
    if mutating.is_empty() && plan.is_empty() {
        return Ok(Ok(format!("{}, none of them mutating", count(all.len(), "AWS call"))));
    }
    let Counts { create, update, delete, .. } = Counts::of(&plan);
    Ok(Err(format!("{create} created, {update} updated, {delete} deleted by {}", mutating.join(", "))))
}

/// Everything that needs a client.
async fn connections(session: &Session, ui: &Ui, list: &Checklist<'_>) -> Result<(), Error> {
    let issuer = match Issuer::new(&session.config, Source::Signed(USER), TOUR.to_owned()).await {
        Ok(issuer) => issuer,
        Err(_) => {
            list.skipped("a client connects", "no token can be signed here: the key is public or in a store, or tickets are wanted");
            return Ok(());
        }
    };
    let account = Account(Ok(Witness::connect(&session.config).await?));
    let subject = Subject {
        url: session.outputs.websocket_url.clone(),
        own_url: None,
        session: TOUR.to_owned(),
        tokens: &issuer,
        action: session.config.api.routes.first().cloned().unwrap_or_default(),
        origin: session.config.allowed_origins.first().cloned(),
        origins_matter: false,
        roots: None,
        limit: LIMIT,
        patience: LIMIT,
        hopeless: true,
        stack: &account,
        tell: &|check| list.tell(check),
        held: &|_| {},
        shown: RefCell::default(),
    };
    let found = checks::run(&subject, &Extent::default()).await;
    list.keep(&found.checks);
    if session.demo.is_none() && !list.all_passed() {
        ui.note(&format!("the backend is {}: is it running, and does it answer POST {}?", session.backend_url(), backend::MESSAGE_PATH));
    }
    const HEARD: &str = "the backend hears of the end";
    match (&session.demo, &found.connection) {
        (Some(demo), Some(connection)) => list.judge(HEARD, heard(demo, connection).await),
        (Some(_), None) => list.skipped(HEARD, "the connection is not known"),
        (None, _) => list.skipped(HEARD, "a backend of one's own knows by itself"),
    }
    Ok(())
}

async fn teardown(session: &Session, ui: &Ui) -> Result<Result<String, String>, Error> {
    let stop = Stop::default();
    let run = Run { config: &session.config, reporter: ui, stop: &stop, consent: Consent::default() };
    let started = Instant::now();
    let plan = provision::plan_teardown(&run).await?;
    provision::teardown(&run, &plan).await?;
    let left = session.cloud.inventory();
    Ok(if left.is_empty() {
        Ok(format!("{} deleted in {}", count(plan.changes().count(), "resource"), duration(started.elapsed())))
    } else {
        Err(format!("left: {}", left.join(", ")))
    })
}

/// Waits until the backend has heard that the connection ended.
async fn heard(demo: &Backend, connection: &str) -> Result<String, String> {
    let since = Instant::now();
    while !demo.disconnects().iter().any(|heard| heard.connection_id == connection) {
        if since.elapsed() > LIMIT {
            return Err(format!("nothing within {}", duration(LIMIT)));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(format!("POST {} after {}", backend::DISCONNECT_PATH, duration(since.elapsed())))
}
