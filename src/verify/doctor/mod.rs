//! Says why a `ws://` or `wss://` URL closes with 1006, for any host: each layer on the way, how the connection ends, and what that means.

mod ending;
pub mod scan;
pub mod verdict;
mod who;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::client::{Failure, Socket, Target};
use super::network::{self, Address, Stream, TlsSeen};
use super::upgrade::Answer;
pub use ending::{End, Ending, Traffic};
pub use verdict::{Verdict, judge};
pub use who::{Who, Whom, who};

/// What to try.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where, and as whom.
    pub target: Target,
    /// Connections without traffic; beside them are one with messages and one with pings.
    pub tries: u32,
    /// How long a connection is watched; zero: only the handshake is tried.
    pub watch: Duration,
    /// Between two messages or pings.
    pub every: Duration,
    /// What is sent as traffic.
    pub message: String,
    /// How many times faster than real time the server's clock runs.
    pub speed: f64,
}

/// What was seen, layer by layer; a layer is `None` where the way ended before it.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Where the URL leads.
    pub address: Option<Address>,
    /// The addresses of the name, and how long the look-up took.
    pub lookup: Option<(Vec<SocketAddr>, Duration)>,
    /// The address that took the TCP connection, and how long that took.
    pub tcp: Option<(SocketAddr, Duration)>,
    /// What the TLS handshake showed, and how long it took.
    pub tls: Option<(TlsSeen, Duration)>,
    /// What the server said to the upgrade.
    pub answer: Option<Answer>,
    /// The sub-protocols that were offered.
    pub offered: Vec<String>,
    /// Where the way ended.
    pub failure: Option<Failure>,
    /// Who seems to answer.
    pub who: Option<Who>,
    /// How the connections ended, in the server's time.
    pub endings: Vec<Ending>,
    /// How long they were watched, in the server's time.
    pub watched: Duration,
    /// What this machine's own delays may add to a time, in the server's time.
    pub jitter: Duration,
}

/// A busy machine sees an end so much later than it was.
const JITTER: Duration = Duration::from_millis(500);

/// Goes through the layers, watches how connections end, and tells each as it is known.
pub async fn examine(options: &Options, tell: &dyn Fn(&Findings)) -> Findings {
    let mut findings = Findings::default();
    if let Err(failure) = layers(options, &mut findings).await {
        findings.failure = Some(failure);
    }
    let host = findings.address.as_ref().map(|address| address.host.clone()).unwrap_or_default();
    findings.who = who::who(&host, &options.target.url, findings.answer.as_ref());
    tell(&findings);
    if findings.failure.is_none() && !options.watch.is_zero() {
        findings.watched = options.watch.mul_f64(options.speed);
        findings.jitter = JITTER.mul_f64(options.speed);
        findings.endings = endings(options).await;
        tell(&findings);
    }
    findings
}

/// The name, TCP, TLS and the upgrade; ends where one of them does.
async fn layers(options: &Options, findings: &mut Findings) -> Result<(), Failure> {
    let Options { target, .. } = options;
    let (address, ask) = target.ask()?;
    findings.address = Some(address.clone());
    findings.offered = target.offers();
    let mut since = Instant::now();
    let mut lap = || std::mem::replace(&mut since, Instant::now()).elapsed();
    let addresses = network::look_up(&address, target.limit).await?;
    findings.lookup = Some((addresses.clone(), lap()));
    let stream = network::connect(&addresses, target.limit).await?;
    let peer = stream.peer_addr().map_err(|error| Failure::Unreachable(error.to_string()))?;
    findings.tcp = Some((peer, lap()));
    let stream: Stream = if address.tls {
        let (seen, stream) = network::secure(stream, &address.host, target.roots.as_deref(), target.limit).await;
        findings.tls = Some((seen, lap()));
        stream?
    } else {
        Box::new(stream)
    };
    match Socket::open(stream, &ask, target.limit).await {
        Ok(socket) => {
            findings.answer = Some(socket.answer.clone());
            // A server that never closes is told of by the connections that are watched.
            let _ = socket.close(Duration::from_secs(1)).await;
            Ok(())
        }
        Err(failure) => {
            if let Failure::Refused(answer) | Failure::NotWebSocket { answer, .. } = &failure {
                findings.answer = Some(Answer::clone(answer));
            }
            Err(failure)
        }
    }
}

/// Each starts a little after the one before, so that what ends all of them at one moment differs from what ends each at one age.
const STAGGER: Duration = Duration::from_millis(300);

async fn endings(options: &Options) -> Vec<Ending> {
    let quiet = (0..options.tries.max(1)).map(|_| Traffic::None);
    let watched = quiet.chain([Traffic::Messages, Traffic::Pings]).zip(0..);
    let watched = watched.map(|(traffic, turn)| async move {
        tokio::time::sleep(STAGGER.div_f64(options.speed.max(1.0)) * turn).await;
        ending::watch(options, traffic).await
    });
    join_all(watched).await
}
