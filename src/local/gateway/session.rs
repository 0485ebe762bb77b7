//! One open socket: messages in, frames out, and the limits that end it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::messages;
use crate::local::connections::{Connection, Outbound};
use crate::local::world::World;

/// The largest frame that a client may send.
const LARGEST_FRAME: usize = 32 * 1024;
/// The largest message, in as many frames as it takes.
const LARGEST_MESSAGE: usize = 128 * 1024;
/// Without data in either direction.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// From the handshake on.
const LONGEST: Duration = Duration::from_secs(2 * 60 * 60);
/// A client that takes nothing for so long (real time) is lost.
const STUCK: Duration = Duration::from_secs(30);
/// Messages of one connection that are worked on, or whose replies wait to be sent; no more is read before.
const WORKING: usize = 512;
/// So long (real time) a client gets to answer a close.
const CLOSING: Duration = Duration::from_secs(2);
/// A client that sends nothing for so long (real time) has sent all that it had on the way.
const QUIET: Duration = Duration::from_millis(250);

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub code: u16,
    pub reason: String,
}

impl End {
    /// No close frame came.
    pub(super) const LOST: Self = Self { code: 1006, reason: String::new() };

    /// As the client said it.
    fn said(frame: Option<CloseFrame>) -> Self {
        match frame {
            Some(frame) => Self { code: frame.code.into(), reason: frame.reason.to_string() },
            None => Self { code: 1005, reason: "Client-side close frame status not set".to_owned() },
        }
    }
}

/// Why the loop ends.
enum Stop {
    /// The client closed.
    Theirs(End),
    /// The client is gone.
    Lost,
    /// We close, with this code and reason.
    Ours(u16, &'static str),
    /// The same, but what still comes from the client cannot be understood.
    Broken(u16, &'static str),
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Serves a socket until it ends, and says how.
pub(super) async fn run(
    world: &Arc<World>,
    connection: &Arc<Connection>,
    mut outbound: mpsc::Receiver<Outbound>,
    upgraded: Upgraded,
) -> End {
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_frame_size(Some(LARGEST_FRAME))
        .max_message_size(Some(LARGEST_MESSAGE));
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    match converse(world, connection, &mut outbound, &mut socket).await {
        Stop::Lost => End::LOST,
        Stop::Theirs(end) => {
            // The answer to a close goes out while more is read.
            let _ = timeout(CLOSING, drain(&mut socket)).await;
            end
        }
        Stop::Ours(code, reason) => {
            if close(&mut socket, code, reason).await {
                let _ = timeout(CLOSING, drain(&mut socket)).await;
            }
            shut(socket).await;
            End { code, reason: reason.to_owned() }
        }
        Stop::Broken(code, reason) => {
            close(&mut socket, code, reason).await;
            let _ = timeout(CLOSING, discard(&mut socket)).await;
            shut(socket).await;
            End { code, reason: reason.to_owned() }
        }
    }
}

async fn converse(world: &Arc<World>, connection: &Arc<Connection>, outbound: &mut mpsc::Receiver<Outbound>, socket: &mut Socket) -> Stop {
    let ends_at = Instant::now() + world.clock.real(LONGEST);
    let idle = world.clock.real(IDLE);
    let mut idle_at = Instant::now() + idle;
    let room = Arc::new(Semaphore::new(WORKING));
    loop {
        let next = async { (room.clone().acquire_owned().await, socket.next().await) };
        tokio::select! {
            (place, incoming) = next => match incoming {
                Some(Ok(Message::Text(body))) => {
                    connection.touch(world.clock.now_ms());
                    idle_at = Instant::now() + idle;
                    let body = body.as_str().to_owned();
                    // Messages of one connection may overtake each other.
                    let (world, connection) = (world.clone(), connection.clone());
                    tokio::spawn(async move {
                        messages::serve(world, connection, body).await;
                        drop(place);
                    });
                }
                Some(Ok(Message::Binary(_))) => return Stop::Ours(1003, "Binary data is not supported"),
                Some(Ok(Message::Close(frame))) => return Stop::Theirs(End::said(frame)),
                // They are no activity. The answer to a ping goes out with the next read.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return broken(&error),
                None => return Stop::Lost,
            },
            waiting = outbound.recv() => match waiting {
                Some(Outbound::Data(payload)) => {
                    match timeout(STUCK, socket.send(message(payload))).await {
                        Ok(Ok(())) => {}
                        _ => return Stop::Lost,
                    }
                    connection.touch(world.clock.now_ms());
                    idle_at = Instant::now() + idle;
                }
                Some(Outbound::Close(code, reason)) => return Stop::Ours(code, reason),
                None => return Stop::Ours(1001, "Going away"),
            },
            () = sleep_until(idle_at.min(ends_at)) => return Stop::Ours(1001, "Going away"),
        }
    }
}

fn message(payload: Bytes) -> Message {
    match Utf8Bytes::try_from(payload.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(payload),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is another crate's; what is not named here is a lost connection")]
fn broken(error: &Error) -> Stop {
    match error {
        Error::Capacity(_) => Stop::Broken(1009, "Message too big"),
        Error::Utf8(_) => Stop::Broken(1007, "Invalid UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Stop::Lost,
        Error::Protocol(_) => Stop::Broken(1002, "Protocol error"),
        _ => Stop::Lost,
    }
}

/// Sends a close frame; `false` where nobody takes it.
async fn close(socket: &mut Socket, code: u16, reason: &'static str) -> bool {
    let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
    matches!(timeout(CLOSING, socket.close(Some(frame))).await, Ok(Ok(())))
}

/// Reads until the client has closed too.
async fn drain(socket: &mut Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

/// Throws away what is still on its way: a connection that is closed with unread bytes is reset, and the close frame with it.
async fn discard(socket: &mut Socket) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(Ok(1..)) = timeout(QUIET, socket.get_mut().read(&mut buffer)).await {}
}

async fn shut(mut socket: Socket) {
    let _ = timeout(CLOSING, socket.get_mut().shutdown()).await;
}
