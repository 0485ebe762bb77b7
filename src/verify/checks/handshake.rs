//! Whether a connection opens.

use std::time::{Duration, Instant};

use super::subject::{Subject, seconds, short};
use crate::contract::TOKEN_SUBPROTOCOL;
use crate::verify::causes::{self, Cause};
use crate::verify::check::{Check, Layer, Missed, Verdict};
use crate::verify::client::{Failure, Socket, Target, subprotocol as subprotocol_of};
use crate::verify::upgrade::Answer;

const OPENS: &str = "a client connects with a good token";
const SUBPROTOCOL: &str = "a client connects with a token as sub-protocol";

/// Routes, permissions and roles take seconds until all of AWS knows them: a handshake that fails so may pass a moment later.
const MAY_PASS: [u16; 2] = [403, 500];

/// Opens the connection that everything else depends on.
pub(super) async fn open(subject: &Subject<'_>) -> (Check, Option<Socket>) {
    let mut opened = None;
    let verdict = async {
        let (socket, tries) = connect(subject).await?;
        let again = if tries > 1 { format!(", at try {tries}: a fresh stack takes a moment") } else { String::new() };
        let evidence = format!("HTTP {} after {}{again}", socket.answer.status, seconds(socket.elapsed));
        opened = Some(socket);
        Ok(evidence)
    };
    let check = subject.check(Layer::Handshake, OPENS, verdict).await;
    (check, opened)
}

/// The connection, and how many tries it took.
async fn connect(subject: &Subject<'_>) -> Result<(Socket, u32), Missed> {
    let (started, mut tries, mut last) = (Instant::now(), 0, None);
    loop {
        tries += 1;
        let target = match (subject.good_target().await, last) {
            (Ok(target), _) => target,
            (Err(_), Some(failure)) => return Err(missed(&failure)),
            (Err(none), None) => return Err(none),
        };
        let failure = match Socket::connect(&target).await {
            Ok(socket) => return Ok((socket, tries)),
            Err(failure) => failure,
        };
        let may_pass = matches!(&failure, Failure::Refused(answer) if MAY_PASS.contains(&answer.status)) && !subject.hopeless;
        let pause = Duration::from_secs(1);
        if !may_pass || started.elapsed() + pause > subject.patience {
            return Err(missed(&failure));
        }
        last = Some(failure);
        tokio::time::sleep(pause).await;
    }
}

/// A token in the list of sub-protocols, which the answer must confirm by the name that is no secret.
pub(super) async fn subprotocol(subject: &Subject<'_>) -> Check {
    if !subject.tokens.in_subprotocol() {
        return subject.skip(Layer::Handshake, SUBPROTOCOL, "the config does not take tokens there (`jwt.token_from`)");
    }
    let verdict = async {
        let target = Target { in_subprotocol: true, ..subject.good_target().await? };
        let socket = subject.connect(&target).await.map_err(|failure| missed(&failure))?;
        let verdict = confirmed(&socket, target.token.as_ref().map_or(TOKEN_SUBPROTOCOL, subprotocol_of));
        let _ = socket.close(subject.limit).await;
        verdict
    };
    subject.check(Layer::Handshake, SUBPROTOCOL, verdict).await
}

fn confirmed(socket: &Socket, expected: &str) -> Verdict {
    match socket.subprotocol.as_deref() {
        Some(name) if name == expected => {
            Ok(format!("HTTP {}, sub-protocol {name}, after {}", socket.answer.status, seconds(socket.elapsed)))
        }
        Some(other) => Err(Missed::failed(&causes::SUBPROTOCOL, format!("the server picked {}", short(other)))),
        None => Err(Missed::failed(&causes::SUBPROTOCOL, "the server picked none")),
    }
}

pub(super) fn skipped(subject: &Subject<'_>, why: &str) -> Vec<Check> {
    vec![subject.skip(Layer::Handshake, SUBPROTOCOL, why)]
}

/// What a handshake that must pass failed of.
pub(super) fn missed(failure: &Failure) -> Missed {
    let cause = match failure {
        Failure::Refused(answer) => of_status(answer.status),
        Failure::TimedOut(_) => &causes::HANDSHAKE_SLOW,
        Failure::Url(_) | Failure::NoSuchHost(_) | Failure::Unreachable(_) | Failure::Tls { .. } | Failure::NotHttp(_) => {
            &causes::UNREACHABLE
        }
        Failure::NotWebSocket { .. } => &causes::NO_GATEWAY,
        Failure::Unanswered(_) | Failure::Broken(_) => &causes::HANDSHAKE_BROKEN,
    };
    Missed::failed(cause, words(failure))
}

fn of_status(status: u16) -> &'static Cause {
    match status {
        401 => &causes::TOKEN_REFUSED,
        403 => &causes::HANDSHAKE_403,
        200 | 404 | 405 | 426 => &causes::NO_GATEWAY,
        429 => &causes::THROTTLED,
        500 => &causes::HANDSHAKE_500,
        502 => &causes::FUNCTION_CRASHED,
        503 | 504 => &causes::FUNCTION_SLOW,
        _ => &causes::HANDSHAKE_BROKEN,
    }
}

/// A failure with what browsers hide of it.
pub(super) fn words(failure: &Failure) -> String {
    let Failure::Refused(answer) = failure else { return failure.to_string() };
    let Answer { status, elapsed, body, .. } = &**answer;
    format!("HTTP {status} after {} {}", seconds(*elapsed), short(body)).trim_end().to_owned()
}
