//! How one connection ends.

use std::time::{Duration, Instant};

use tokio::time::{interval_at, sleep_until};

use crate::verify::client::{Failure, Heard, Received, Socket};

use super::Options;

/// What goes over a connection while it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Nothing.
    None,
    /// A message now and then.
    Messages,
    /// A protocol ping now and then, as proxies and libraries send them; a browser cannot.
    Pings,
}

impl Traffic {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "without traffic",
            Self::Messages => "with messages",
            Self::Pings => "with pings",
        }
    }
}

/// One connection, from its handshake to its end. Times are the server's.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// What went over it.
    pub traffic: Traffic,
    /// From the handshake to the end.
    pub open: Duration,
    /// How it ended.
    pub end: End,
    /// Messages or pings that were sent.
    pub sent: u32,
    /// Pings that were answered.
    pub pongs: u32,
    /// Messages that came.
    pub received: u32,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was still open when the watch was over.
    Open,
    /// With a close frame; 1005 stands for one without a code.
    Closed {
        /// The close code.
        code: u16,
        /// The text with it.
        reason: String,
    },
    /// Without a close frame: what a browser reports as 1006.
    Broken(String),
    /// It never opened, although another one did.
    Refused(String),
}

/// Opens a connection and watches it.
pub(super) async fn watch(options: &Options, traffic: Traffic) -> Ending {
    let mut ending = Ending { traffic, open: Duration::ZERO, end: End::Open, sent: 0, pongs: 0, received: 0 };
    let mut socket = match Socket::connect(&options.target).await {
        Ok(socket) => socket,
        Err(failure) => {
            ending.end = End::Refused(failure.to_string());
            return ending;
        }
    };
    let opened = Instant::now();
    ending.end = talk(&mut socket, options, &mut ending).await;
    ending.open = opened.elapsed().mul_f64(options.speed);
    if ending.end == End::Open {
        ending.open = options.watch.mul_f64(options.speed);
        let _ = socket.close(Duration::from_secs(1)).await;
    }
    ending
}

async fn talk(socket: &mut Socket, options: &Options, ending: &mut Ending) -> End {
    let start = tokio::time::Instant::now();
    let over = sleep_until(start + options.watch);
    let mut beat = interval_at(start + options.every, options.every);
    tokio::pin!(over);
    loop {
        let heard = tokio::select! {
            () = &mut over => return End::Open,
            _ = beat.tick(), if ending.traffic != Traffic::None => {
                let sent = match ending.traffic {
                    Traffic::Messages => socket.send(options.message.as_str()).await,
                    Traffic::Pings | Traffic::None => socket.ping().await,
                };
                ending.sent += 1;
                match sent {
                    Ok(()) => continue,
                    // What the server said before it went is still to be read.
                    Err(_) => socket.hear().await,
                }
            }
            heard = socket.hear() => heard,
        };
        match heard {
            Ok(Heard::Pong) => ending.pongs += 1,
            Ok(Heard::Message(Received::Text(_) | Received::Binary(_))) => ending.received += 1,
            Ok(Heard::Message(Received::Closed { code, reason })) => return End::Closed { code, reason },
            Err(Failure::Broken(why)) => return End::Broken(why),
            Err(other) => return End::Broken(other.to_string()),
        }
    }
}
