//! Whether a connection stays open past the time at which the old host broke it.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::messages;
use super::subject::{Subject, seconds, short};
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed, Verdict};
use crate::verify::client::{Failure, Heard, Received, Socket};

const HELD: &str = "a connection stays open";

/// How often is told how long it has been.
const BEAT: Duration = Duration::from_secs(1);

/// How a connection is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How long.
    pub time: Duration,
    /// Between two messages; `None`: nothing is sent.
    pub ping: Option<Duration>,
}

/// Holds a connection of its own.
pub(super) async fn check(subject: &Subject<'_>, hold: &Hold) -> Check {
    let verdict = async {
        let target = subject.good_target().await?;
        let mut socket = subject.connect(&target).await.map_err(|failure| super::handshake::missed(&failure))?;
        let verdict = held(subject, hold, &mut socket).await;
        let _ = socket.close(subject.limit).await;
        verdict
    };
    subject.check(Layer::Hold, HELD, verdict).await
}

pub(super) fn skipped(subject: &Subject<'_>, why: &str) -> Check {
    subject.skip(Layer::Hold, HELD, why)
}

async fn held(subject: &Subject<'_>, hold: &Hold, socket: &mut Socket) -> Verdict {
    let start = Instant::now();
    let every = |time: Duration| {
        let mut ticks = interval_at(start + time, time);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let (mut beat, mut ping) = (every(BEAT), every(hold.ping.unwrap_or(hold.time).max(Duration::from_millis(1))));
    let over = sleep_until(start + hold.time);
    tokio::pin!(over);
    let (mut sent, mut answered) = (0_u32, 0_u32);
    let traffic = |sent: u32, answered: u32| match hold.ping {
        Some(_) => format!("{sent} messages, {answered} answers"),
        None => "nothing sent".to_owned(),
    };
    let lost = |how: String, sent, answered| {
        Missed::failed(&causes::NOT_HELD, format!("{how} after {}, {}", seconds(start.elapsed()), traffic(sent, answered)))
    };
    loop {
        let heard = tokio::select! {
            biased;
            heard = socket.hear() => heard,
            () = &mut over => return Ok(format!("open for {}, {}", seconds(hold.time), traffic(sent, answered))),
            _ = beat.tick() => {
                (subject.held)(start.elapsed());
                continue;
            }
            _ = ping.tick(), if hold.ping.is_some() => match socket.send(messages::ping(subject).to_string()).await {
                Ok(()) => {
                    sent += 1;
                    continue;
                }
                // What the server said before it went is still to be read.
                Err(_) => socket.hear().await,
            },
        };
        match heard {
            Ok(Heard::Pong | Heard::Message(Received::Binary(_))) => {}
            Ok(Heard::Message(Received::Text(_))) => answered += 1,
            Ok(Heard::Message(Received::Closed { code, reason })) => {
                return Err(lost(format!("close code {code} {}", short(&reason)).trim_end().to_owned(), sent, answered));
            }
            Err(Failure::Broken(why)) => return Err(lost(format!("broken without a close frame ({why})"), sent, answered)),
            Err(other) => return Err(lost(other.to_string(), sent, answered)),
        }
    }
}
