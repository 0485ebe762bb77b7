//! The rounds: every candidate starts, answers a first event cold, and answers many warm.

use std::path::Path;
use std::time::Duration;

use crate::candidates::{Candidate, Name};
use crate::events::{Kind, SECRET, SIGNING_KEY};
use crate::runtime::Function;
use crate::stubs::Stubs;

/// Warm events of a kind, a candidate and a round.
const BATCH: u64 = 100;
/// Events before the first round, so that V8 has compiled what it will.
const WARMING: u64 = 400;

/// One measure of one event, cold or warm.
#[derive(Default)]
pub(crate) struct Cost {
    pub(crate) processor: Vec<Duration>,
    pub(crate) wall: Vec<Duration>,
}

impl Cost {
    fn add(&mut self, processor: Duration, wall: Duration) {
        self.processor.push(processor);
        self.wall.push(wall);
    }
}

/// What events ask of the network, each on the average.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) exchanges: f64,
    pub(crate) connections: f64,
}

/// All that is known of a candidate in the end.
pub(crate) struct Measured {
    pub(crate) name: Name,
    /// Start to first poll.
    pub(crate) start: Cost,
    /// Start to first answer, by kind.
    pub(crate) cold: [Cost; 3],
    /// Later answers, by kind. Processor time: the mean of a batch. Wall: each one.
    pub(crate) warm: [Cost; 3],
    pub(crate) traffic: [Traffic; 3],
    /// Bytes.
    pub(crate) peak: u64,
    /// Bytes.
    pub(crate) zipped: usize,
}

/// The candidates, and what a message asks of the network with other settings of the handler.
pub(crate) struct Results {
    pub(crate) candidates: Vec<Measured>,
    pub(crate) settings: Vec<(&'static str, Traffic)>,
}

/// Settings of the handler that save exchanges.
const SETTINGS: &[(&str, &[(&str, &str)])] = &[
    ("management-api", &[]),
    ("management-api, session cache", &[("WSFIX_SESSION_CACHE_SECONDS", "60")]),
    ("route-response", &[("WSFIX_REPLY", "route-response")]),
    ("route-response, session cache", &[("WSFIX_REPLY", "route-response"), ("WSFIX_SESSION_CACHE_SECONDS", "60")]),
];

/// Goes through all rounds.
pub(crate) async fn measure(candidates: &[Candidate], folder: &Path, rounds: usize) -> Results {
    let bench = Bench { stubs: Stubs::start().await, home: folder.to_string_lossy().into_owned() };
    let mut results = Vec::new();
    let mut warm = Vec::new();
    for candidate in candidates {
        let mut function = Function::start(candidate, &bench.environment(candidate, &[])).await;
        function.next().await;
        for number in 0..WARMING {
            for kind in Kind::ALL {
                function.handle(kind.event(number)).await;
                function.next().await;
            }
        }
        warm.push(function);
        results.push(Measured {
            name: candidate.name,
            start: Cost::default(),
            cold: Default::default(),
            warm: Default::default(),
            traffic: Default::default(),
            peak: 0,
            zipped: candidate.zipped,
        });
    }
    for _ in 0..rounds {
        for ((candidate, function), measured) in candidates.iter().zip(&mut warm).zip(&mut results) {
            bench.start(candidate, measured).await;
            bench.cold(candidate, measured).await;
            bench.warm(function, measured).await;
        }
    }
    for (function, measured) in warm.iter().zip(&mut results) {
        measured.peak = function.peak();
    }
    let mut settings = Vec::new();
    for (name, changes) in SETTINGS {
        for candidate in candidates.iter().filter(|candidate| candidate.name == Name::Wsfix) {
            settings.push((*name, bench.messages(candidate, changes).await));
        }
    }
    Results { candidates: results, settings }
}

struct Bench {
    stubs: Stubs,
    home: String,
}

impl Bench {
    fn environment(&self, candidate: &Candidate, changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
        let fixed = [
            ("AWS_LAMBDA_FUNCTION_NAME", "websocket-handler"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", "a-session-token"),
            ("TABLE_NAME", "WebSocketConnections"),
            ("JWT_SECRET", SECRET),
            ("WSFIX_SIGNING_KEY", SIGNING_KEY),
            // Of the SDK for JavaScript: which versions of Node it will drop.
            ("NODE_NO_WARNINGS", "1"),
        ];
        let mut all: Vec<_> = fixed.iter().chain(changes).map(|(name, value)| (*name, (*value).to_owned())).collect();
        all.push(("HOME", self.home.clone()));
        all.push(("APP_RUNNER_URL", self.stubs.backend.clone()));
        all.push(("AWS_ENDPOINT_URL_DYNAMODB", self.stubs.dynamodb.clone()));
        all.push(("WSFIX_MANAGEMENT_URL", format!("{}/prod", self.stubs.gateway)));
        all.push(candidate.trust.clone());
        all
    }

    async fn start(&self, candidate: &Candidate, measured: &mut Measured) {
        let mut function = Function::start(candidate, &self.environment(candidate, &[])).await;
        function.next().await;
        measured.start.add(function.processor(), function.age());
    }

    /// A first event that waits already when the process starts.
    async fn cold(&self, candidate: &Candidate, measured: &mut Measured) {
        for (kind, cost) in Kind::ALL.into_iter().zip(&mut measured.cold) {
            let mut function = Function::start(candidate, &self.environment(candidate, &[])).await;
            function.next().await;
            function.handle(kind.event(0)).await;
            cost.add(function.processor(), function.age());
        }
    }

    async fn warm(&self, function: &mut Function, measured: &mut Measured) {
        // Meanwhile the others had their turn: connections may have been closed for being idle.
        for kind in Kind::ALL {
            function.handle(kind.event(0)).await;
            function.next().await;
        }
        for ((kind, cost), traffic) in Kind::ALL.into_iter().zip(&mut measured.warm).zip(&mut measured.traffic) {
            let before = self.stubs.counted();
            let (mean, wall) = batch(function, kind).await;
            cost.processor.push(mean);
            cost.wall.extend(wall);
            *traffic = self.since(before);
        }
    }

    /// What messages ask of the network, for the handler with other settings.
    async fn messages(&self, candidate: &Candidate, changes: &[(&'static str, &'static str)]) -> Traffic {
        let mut function = Function::start(candidate, &self.environment(candidate, changes)).await;
        function.next().await;
        function.handle(Kind::Message.event(0)).await;
        function.next().await;
        let before = self.stubs.counted();
        for _ in 0..BATCH {
            function.handle(Kind::Message.event(0)).await;
            function.next().await;
        }
        self.since(before)
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn since(&self, (connections, exchanges): (u64, u64)) -> Traffic {
        let now = self.stubs.counted();
        let mean = |count: u64| count as f64 / BATCH as f64;
        Traffic { connections: mean(now.0 - connections), exchanges: mean(now.1 - exchanges) }
    }
}

/// Processor time of one event on the average, and how long each took.
async fn batch(function: &mut Function, kind: Kind) -> (Duration, Vec<Duration>) {
    let events: Vec<String> = (0..BATCH).map(|number| kind.event(number)).collect();
    let mut wall = Vec::new();
    let before = function.processor();
    for event in events {
        wall.push(function.handle(event).await);
        function.next().await;
    }
    ((function.processor() - before) / u32::try_from(BATCH).expect("a small number"), wall)
}
