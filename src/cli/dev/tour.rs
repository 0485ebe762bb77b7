//! `wsfix dev --once`: from nothing to a live socket and back, each step with its evidence.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::error::Error;
use crate::cli::plan::Counts;
use crate::cli::style::{self, count, duration};
use crate::cli::ui::Ui;
use crate::contract::{TOKEN_SUBPROTOCOL, backend, item};
use crate::local::backend::Backend;
use crate::provision::{self, Consent, Run, Stop};
use crate::secret::Secret;
use crate::verify::{Failure, Socket, Target};

use super::checklist::Checklist;
use super::setup::{Session, Setup, now};
use super::table::{Connections, number, text};

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
    match session.token(TOUR, now() + 300) {
        Some(token) => connections(&session, token, ui, list).await,
        None => list.skipped("a client connects", "no token can be signed here: the key is public or in a store, or tickets are wanted"),
    }
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
async fn connections(session: &Session, token: Secret, ui: &Ui, list: &Checklist<'_>) {
    let url = &session.outputs.websocket_url;
    let connected = Socket::connect(&Target::new(url, Some(token.clone())).session(TOUR)).await;
    let mut socket = match connected {
        Ok(socket) => socket,
        Err(failure) => return list.failed("a client connects with a token in the URL", refused(&failure)),
    };
    list.passed("a client connects with a token in the URL", format!("HTTP {} after {}", socket.answer.status, duration(socket.elapsed)));

    let table = Connections::of(session);
    let stored = stored(&table).await;
    let connection = stored.as_ref().map(|(id, _)| id.clone()).unwrap_or_default();
    list.judge("the connection is in the table", stored.map(|(_, evidence)| evidence));
    for (name, message) in messages(session) {
        list.judge(name, answered(&mut socket, &message).await);
    }
    if session.demo.is_none() && !list.all_passed() {
        ui.note(&format!("the backend is {}: is it running, and does it answer POST {}?", session.backend_url(), backend::MESSAGE_PATH));
    }
    list.judge("a client connects with a token as sub-protocol", subprotocol(url, session.token(TOUR, now() + 300).unwrap_or(token)).await);
    refusals(session, list).await;

    list.judge(
        "the client closes",
        socket.close(LIMIT).await.map(|()| "close code 1000".to_owned()).map_err(|failure| failure.to_string()),
    );
    list.judge("the connection is gone from the table", gone(&table).await);
    match &session.demo {
        Some(demo) => list.judge("the backend hears of the end", heard(demo, &connection).await),
        None => list.skipped("the backend hears of the end", "a backend of one's own knows by itself"),
    }
}

/// What is sent, and what each message shows.
fn messages(session: &Session) -> Vec<(&'static str, Value)> {
    let action = session.config.api.routes.first().map_or("message", String::as_str);
    vec![
        ("`ping` is answered by the backend", json!({ "action": action, "type": "ping" })),
        ("`command` is answered by the backend", json!({ "action": action, "type": "command", "command": "echo hello" })),
        ("`resize` is answered by the backend", json!({ "action": action, "type": "resize", "cols": 120, "rows": 40 })),
        ("an unknown route goes to $default", json!({ "action": "nobody-knows-this", "type": "ping" })),
    ]
}

/// Sends a message and judges what comes back: JSON that is neither the gateway's nor the handler's error.
async fn answered(socket: &mut Socket, message: &Value) -> Result<String, String> {
    let (answer, time) = socket.ask(message.to_string(), LIMIT).await.map_err(|failure| failure.to_string())?;
    let parsed: Value = serde_json::from_str(&answer).map_err(|_| format!("the answer is no JSON: {}", short(&answer)))?;
    let kind = parsed.get("type").and_then(Value::as_str);
    if kind == Some("error") || (kind.is_none() && parsed.get("requestId").is_some()) {
        return Err(format!("an error came: {}", short(&answer)));
    }
    Ok(format!("{} in {}", short(&answer), duration(time)))
}

async fn subprotocol(url: &str, token: Secret) -> Result<String, String> {
    let target = Target::new(url, Some(token)).in_subprotocol();
    let socket = Socket::connect(&target).await.map_err(|failure| refused(&failure))?;
    let (status, picked, time) = (socket.answer.status, socket.subprotocol.clone(), socket.elapsed);
    socket.close(LIMIT).await.map_err(|failure| failure.to_string())?;
    match picked {
        Some(name) if name == TOKEN_SUBPROTOCOL => Ok(format!("HTTP {status}, sub-protocol {name}, after {}", duration(time))),
        other => Err(format!("the server picked the sub-protocol {other:?}")),
    }
}

/// Handshakes that must be refused, with the status that browsers hide.
async fn refusals(session: &Session, list: &Checklist<'_>) {
    let forged = || {
        let token = session.token(TOUR, now() + 300)?;
        let (signed, _) = token.expose().rsplit_once('.')?;
        Some(Secret::new(format!("{signed}.{}", "A".repeat(43))))
    };
    let url = session.outputs.websocket_url.as_str();
    let leeway = i64::from(session.config.jwt.leeway_seconds);
    let cases = [
        ("a forged token is refused with 401", 401, Target::new(url, forged()).session(TOUR)),
        ("an expired token is refused with 401", 401, Target::new(url, session.token(TOUR, now() - leeway - 60)).session(TOUR)),
        ("no token is refused with 401", 401, Target::new(url, None).session(TOUR)),
        ("another session is refused with 403", 403, Target::new(url, session.token(TOUR, now() + 300)).session("somebody-else")),
    ];
    for (name, expected, target) in cases {
        list.judge(
            name,
            match Socket::connect(&target).await {
                Err(Failure::Refused(answer)) if answer.status == expected => {
                    Ok(format!("HTTP {} after {}", answer.status, duration(answer.elapsed)))
                }
                Err(failure) => Err(refused(&failure)),
                Ok(_) => Err("the connection was let in".to_owned()),
            },
        );
    }
}

/// The connection's id, and what its item says.
async fn stored(table: &Connections) -> Result<(String, String), String> {
    let items = table.of_session(TOUR).await?;
    let [found] = items.as_slice() else { return Err(format!("{} of the session", count(items.len(), "item"))) };
    let id = text(found, item::CONNECTION_ID).ok_or("the item has no connection id")?;
    let expires = number(found, item::EXPIRES_AT).ok_or("the item has no end of life")?;
    match expires - now() {
        left @ 1..=7800 => {
            let user = text(found, item::USER_ID).unwrap_or("?");
            Ok((id.to_owned(), format!("{id} of user {user}, expires in {} min", left / 60)))
        }
        left => Err(format!("{id} expires in {left} s")),
    }
}

/// Waits until no item of the session is left.
async fn gone(table: &Connections) -> Result<String, String> {
    let since = Instant::now();
    loop {
        let items = table.of_session(TOUR).await?;
        if items.is_empty() {
            return Ok(format!("after {}", duration(since.elapsed())));
        }
        if since.elapsed() > LIMIT {
            return Err(format!("{} still there after {}", count(items.len(), "item"), duration(since.elapsed())));
        }
        tokio::time::sleep(PAUSE).await;
    }
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

fn refused(failure: &Failure) -> String {
    if let Failure::Refused(answer) = failure {
        return format!("HTTP {} {}", answer.status, short(&answer.body));
    }
    failure.to_string()
}

/// The beginning of a text.
fn short(text: &str) -> String {
    let mut short: String = style::printable(text).chars().take(80).collect();
    if text.chars().count() > 80 {
        short.push_str("...");
    }
    short
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
