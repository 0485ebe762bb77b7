//! One sandbox: starts the bootstrap, gives it one event at a time, freezes it between events, ends it when it is slow or idle.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::invoke::Finished;
use super::logs::{Logs, Report};
use super::model::Settings;
use super::pool::{Pool, Seat};
use super::process::{Happened, NotStarted, Process};
use super::runtime_api::{Event, LARGEST_ANSWER, Signal};
use super::state::arn_of;
use crate::local::ids;
use crate::local::patience::patience;
use crate::local::world::World;

/// A start may take so long before it counts as failed.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// A sandbox without an event ends after this real time.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// One event, and who waits for its answer.
pub(super) struct Job {
    pub payload: Bytes,
    /// Whether the answer has the last log lines with it.
    pub wants_logs: bool,
    /// The sandbox's own place, to be given back to the pool.
    pub seat: Seat,
    pub reply: oneshot::Sender<Finished>,
}

/// A place where a bootstrap runs.
pub(super) struct Sandbox {
    world: Weak<World>,
    pool: Weak<Pool>,
    name: String,
    settings: Arc<Settings>,
    logs: Arc<Logs>,
    process: Option<Process>,
    /// Where the runtime waits for its next event.
    waiting: Option<oneshot::Sender<Event>>,
}

/// Why an event or a start failed.
enum Failure {
    NotStarted(NotStarted),
    Exited(String),
    /// As the runtime itself says it.
    Reported(Bytes),
    TimedOut,
    TooLarge,
}

/// How an event ended.
struct Outcome {
    answer: Result<Bytes, Failure>,
    /// Whether the process can take another event.
    alive: bool,
}

impl Failure {
    fn status(&self) -> &'static str {
        match self {
            Self::TimedOut => "timeout",
            Self::NotStarted(_) | Self::Exited(_) | Self::Reported(_) | Self::TooLarge => "error",
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NotStarted(reason) => reason.kind,
            Self::Exited(_) => "Runtime.ExitError",
            Self::Reported(_) => "Runtime.Unknown",
            Self::TimedOut => "Sandbox.Timedout",
            Self::TooLarge => "Function.ResponseSizeTooLarge",
        }
    }

    fn text(&self, seconds: u64) -> String {
        match self {
            Self::NotStarted(reason) => reason.message.clone(),
            Self::Exited(how) if how == "exit status 0" => "Runtime exited without providing a reason".to_owned(),
            Self::Exited(how) => format!("Runtime exited with error: {how}"),
            Self::Reported(_) => String::new(),
            Self::TimedOut => format!("Task timed out after {seconds}.00 seconds"),
            Self::TooLarge => format!("Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes)."),
        }
    }

    /// The document that the caller gets.
    fn body(&self, id: &str, seconds: u64) -> Bytes {
        let message = match self {
            Self::Reported(body) => return body.clone(),
            Self::TooLarge => self.text(seconds),
            Self::NotStarted(_) | Self::Exited(_) | Self::TimedOut => format!("RequestId: {id} Error: {}", self.text(seconds)),
        };
        Bytes::from(json!({ "errorType": self.kind(), "errorMessage": message }).to_string())
    }
}

impl Sandbox {
    pub(super) fn new(world: &Arc<World>, pool: &Arc<Pool>, name: &str, settings: Arc<Settings>) -> Self {
        Self {
            world: Arc::downgrade(world),
            pool: Arc::downgrade(pool),
            name: name.to_owned(),
            logs: Arc::new(Logs::new(world, name, &settings)),
            settings,
            process: None,
            waiting: None,
        }
    }

    /// Serves until nobody can send events any more, or none came for long. `permit` limits how many start at once.
    pub(super) async fn live(mut self, mut jobs: mpsc::Receiver<Job>, permit: OwnedSemaphorePermit) {
        let mut permit = Some(permit);
        while let Ok(Some(job)) = timeout(IDLE, jobs.recv()).await {
            let Some(world) = self.world.upgrade() else { return };
            self.serve(&world, job, permit.take()).await;
        }
    }

    async fn serve(&mut self, world: &Arc<World>, job: Job, permit: Option<OwnedSemaphorePermit>) {
        let Job { payload, wants_logs, seat, reply } = job;
        let mut reply = Some(reply);
        let id = ids::uuid();
        let limit = patience(&world.clock, Duration::from_secs(self.settings.timeout));
        let first = self.first_init(world).await;
        self.logs.start(&id);
        let started = Instant::now();
        let (ready, init) = match first {
            Ok(took) => (Ok(()), took),
            // There is nothing that a second try could change.
            Err(failure @ Failure::NotStarted(_)) => (Err(failure), None),
            // It is tried once more, on the function's own time.
            Err(_) => (self.init(world, limit).await, None),
        };
        drop(permit);
        let outcome = match ready {
            Err(failure) => Outcome { answer: Err(failure), alive: false },
            Ok(()) => {
                let deadline = SystemTime::now() + limit.saturating_sub(started.elapsed());
                let event = Event {
                    id: id.clone(),
                    payload,
                    deadline_ms: deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(),
                    arn: arn_of(world, &self.name),
                    trace_id: trace_id(),
                };
                // Who wants the log lines has to wait for the last of them.
                let early = if wants_logs { &mut None } else { &mut reply };
                self.run(event, started + limit, early).await
            }
        };
        self.report(&id, started.elapsed(), init, &outcome).await;
        if let Some(reply) = reply {
            let logs = if wants_logs { self.logs.tail() } else { String::new() };
            let _ = reply.send(self.finished(&id, &outcome.answer, logs));
        }
        if outcome.alive {
            self.process.iter().for_each(Process::freeze);
        } else {
            self.end();
        }
        if let Some(pool) = self.pool.upgrade() {
            pool.give_back(seat);
        }
    }

    fn finished(&self, id: &str, answer: &Result<Bytes, Failure>, logs: String) -> Finished {
        match answer {
            Ok(payload) => Finished { is_error: false, payload: payload.clone(), logs },
            Err(failure) => Finished { is_error: true, payload: failure.body(id, self.settings.timeout), logs },
        }
    }

    fn end(&mut self) {
        self.waiting = None;
        self.process = None;
    }

    /// Starts the bootstrap where it does not run; says how long that took.
    async fn first_init(&mut self, world: &Arc<World>) -> Result<Option<Duration>, Failure> {
        if self.waiting.is_some() && self.process.as_mut().is_some_and(|process| !process.has_exited()) {
            return Ok(None);
        }
        let started = Instant::now();
        let failed = self.init(world, patience(&world.clock, INIT_LIMIT)).await.err();
        let took = started.elapsed();
        match failed {
            None => Ok(Some(took)),
            Some(failure) => {
                self.logs.init_report(took, failure.status(), failure.kind());
                Err(failure)
            }
        }
    }

    /// One try to start: done when the runtime asks for its first event.
    async fn init(&mut self, world: &Arc<World>, limit: Duration) -> Result<(), Failure> {
        self.end();
        self.logs.init_start(&self.settings.runtime);
        let started = Process::start(world, &self.name, &self.settings, &self.logs).await;
        let process = self.process.insert(started.map_err(Failure::NotStarted)?);
        let failure = match timeout(limit, process.next(self.settings.memory_size)).await {
            Ok(Happened::Said(Signal::Next(waiting))) => {
                self.waiting = Some(waiting);
                process.flush().await;
                return Ok(());
            }
            Ok(Happened::Said(Signal::InitError { body })) => Failure::Reported(body),
            // An answer to no event: such a runtime cannot be used.
            Ok(Happened::Said(Signal::Response { .. } | Signal::Error { .. })) => Failure::Exited("exit status 1".to_owned()),
            Ok(Happened::Exited(how)) => Failure::Exited(how),
            Err(_) => Failure::TimedOut,
        };
        process.flush().await;
        self.end();
        Err(failure)
    }

    /// Gives the event to the runtime and waits for its answer, and then for its next question. The answer is sent on at once.
    async fn run(&mut self, event: Event, deadline: Instant, early: &mut Option<oneshot::Sender<Finished>>) -> Outcome {
        let id = event.id.clone();
        let Some(mut process) = self.process.take() else {
            return Outcome { answer: Err(Failure::Exited("exit status 1".to_owned())), alive: false };
        };
        process.thaw();
        // A runtime that broke its connection while it was frozen asks again.
        let mut undelivered = match self.waiting.take() {
            Some(waiting) => waiting.send(event).err(),
            None => Some(event),
        };
        let mut answer = None;
        let (failure, alive) = loop {
            let signal = match timeout_at(deadline, process.next(self.settings.memory_size)).await {
                Ok(Happened::Said(signal)) => signal,
                Ok(Happened::Exited(how)) => break (Failure::Exited(how), false),
                Err(_) => break (Failure::TimedOut, false),
            };
            let (given, known) = match signal {
                Signal::Next(waiting) => match (undelivered.take(), &answer) {
                    (Some(event), _) => {
                        undelivered = waiting.send(event).err();
                        continue;
                    }
                    (None, asked) => {
                        let alive = asked.is_some();
                        self.waiting = Some(waiting);
                        break (Failure::Exited("exit status 1".to_owned()), alive);
                    }
                },
                Signal::Response { id: of, body, known } => ((of, body.ok_or(Failure::TooLarge)), known),
                Signal::Error { id: of, body, known } => ((of, Err(Failure::Reported(body))), known),
                Signal::InitError { body } => break (Failure::Reported(body), false),
            };
            let expected = given.0 == id && answer.is_none();
            if expected {
                if let Some(reply) = early.take() {
                    let _ = reply.send(self.finished(&id, &given.1, String::new()));
                }
                answer = Some(given.1);
            }
            let _ = known.send(expected);
        };
        self.process = Some(process);
        // What happens after the answer does not change the answer.
        Outcome { answer: answer.unwrap_or(Err(failure)), alive }
    }

    /// Writes what the function printed, then the lines that end an event.
    async fn report(&self, id: &str, duration: Duration, init: Option<Duration>, outcome: &Outcome) {
        let mut memory = 0;
        if let Some(process) = &self.process {
            process.flush().await;
            memory = process.memory();
        }
        let seconds = self.settings.timeout;
        match &outcome.answer {
            Err(failure @ Failure::TimedOut) => self.logs.timed_out(id, &failure.text(seconds)),
            Err(failure @ (Failure::Exited(_) | Failure::NotStarted(_))) => {
                self.logs.write(&[format!("RequestId: {id} Error: {}", failure.text(seconds)), failure.kind().to_owned()]);
            }
            Ok(_) | Err(Failure::Reported(_) | Failure::TooLarge) => {}
        }
        let status = outcome.answer.as_ref().map_or_else(Failure::status, |_| "success");
        self.logs.end(id, &Report { duration, init, memory, status });
    }
}

/// `Root=1-65a1b2c3-...;Parent=...;Sampled=0`
fn trace_id() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (root, parent) = (ids::hex(&ids::bytes::<12>()), ids::hex(&ids::bytes::<8>()));
    format!("Root=1-{seconds:08x}-{root};Parent={parent};Sampled=0")
}
