//! One running `bootstrap`: its environment, its process group, its output.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal as UnixSignal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::code::Unstartable;
use super::logs::Logs;
use super::model::Settings;
use super::runtime_api::{RuntimeApi, Signal};
use crate::local::world::{SessionCredentials, World};

/// A longer line is cut: a log event of CloudWatch Logs has this many bytes at most.
const LONGEST_LINE: usize = 256 * 1024;
/// So often it is looked how much memory a process has: one that takes it all at once has it for so long.
const MEMORY_LOOKS: Duration = Duration::from_millis(50);
/// `ETXTBSY`: another thread forked while the file was being written, and its child has not yet closed it.
const TEXT_FILE_BUSY: i32 = 26;
/// `ENOEXEC`
const EXEC_FORMAT: i32 = 8;

/// A process and all that it started, by its leader's id; killed when dropped.
struct Group {
    leader: i32,
}

impl Group {
    fn signal(&self, signal: UnixSignal) {
        if let Some(leader) = Pid::from_raw(self.leader) {
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(UnixSignal::KILL);
    }
}

/// A started `bootstrap`.
pub(super) struct Process {
    api: RuntimeApi,
    /// Before the child: once the child is reaped, its id may be another's.
    group: Group,
    child: Child,
    flush: mpsc::Sender<oneshot::Sender<()>>,
    pump: JoinHandle<()>,
}

/// What a process did.
pub(super) enum Happened {
    Said(Signal),
    /// `exit status 1`, `signal: killed`
    Exited(String),
}

/// Why there is no process, as the caller of the function sees it.
#[derive(Debug)]
pub(super) struct NotStarted {
    pub kind: &'static str,
    /// Without `RequestId: X Error: `.
    pub message: String,
}

impl NotStarted {
    fn entrypoint(message: impl Into<String>) -> Self {
        Self { kind: "Runtime.InvalidEntrypoint", message: message.into() }
    }
}

impl From<Unstartable> for NotStarted {
    fn from(reason: Unstartable) -> Self {
        Self::entrypoint(match reason {
            Unstartable::Missing => "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
            Unstartable::NotExecutable => "fork/exec /var/task/bootstrap: permission denied",
            Unstartable::WrongMachine => "fork/exec /var/task/bootstrap: exec format error",
        })
    }
}

impl Process {
    /// Starts the bootstrap of `settings`, with the rights of its role.
    pub(super) async fn start(world: &World, name: &str, settings: &Settings, logs: &Arc<Logs>) -> Result<Self, NotStarted> {
        let bootstrap = settings.code.bootstrap(&settings.architecture)?;
        let broken = |error: io::Error| NotStarted { kind: "Runtime.Unknown", message: error.to_string() };
        let api = RuntimeApi::start().await.map_err(broken)?;
        let credentials = world.assume_role(&settings.role, name);
        let mut command = Command::new(&bootstrap);
        command
            .env_clear()
            .envs(environment(world, name, settings, logs, &api, &credentials))
            .current_dir(settings.code.root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = spawn(&mut command).await.map_err(|error| {
            NotStarted::entrypoint(match (error.kind(), error.raw_os_error()) {
                (io::ErrorKind::PermissionDenied, _) => "fork/exec /var/task/bootstrap: permission denied".to_owned(),
                (io::ErrorKind::NotFound, _) => "fork/exec /var/task/bootstrap: no such file or directory".to_owned(),
                (_, Some(EXEC_FORMAT)) => "fork/exec /var/task/bootstrap: exec format error".to_owned(),
                _ => format!("fork/exec /var/task/bootstrap: {error}"),
            })
        })?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
        let group = Group { leader };
        let (flush, flushes) = mpsc::channel(1);
        let pump = tokio::spawn(pump(child.stdout.take(), child.stderr.take(), flushes, logs.clone()));
        Ok(Self { api, child, group, flush, pump })
    }

    /// Stops it where it stands.
    pub(super) fn freeze(&self) {
        self.group.signal(UnixSignal::STOP);
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) {
        self.group.signal(UnixSignal::CONT);
    }

    /// Waits for what it does next. What it said comes before that it ended; it is killed where it has more memory than the function.
    pub(super) async fn next(&mut self, megabytes: u64) -> Happened {
        let mut looks = tokio::time::interval_at(Instant::now() + MEMORY_LOOKS, MEMORY_LOOKS);
        loop {
            tokio::select! {
                biased;
                Some(signal) = self.api.signals.recv() => return Happened::Said(signal),
                status = self.child.wait() => return Happened::Exited(status.map_or_else(|error| error.to_string(), describe)),
                _ = looks.tick() => if self.memory() > megabytes {
                    self.group.signal(UnixSignal::KILL);
                },
            }
        }
    }

    /// Whether it has ended.
    pub(super) fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Writes what it has printed up to now.
    pub(super) async fn flush(&self) {
        let (sender, flushed) = oneshot::channel();
        if self.flush.send(sender).await.is_ok() {
            let _ = tokio::time::timeout(Duration::from_millis(200), flushed).await;
        }
    }

    /// The most memory that it had, in megabytes; 0 where the system does not say.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(Path::new("/proc").join(self.group.leader.to_string()).join("status"));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak.map_or(0, |kilobytes| kilobytes.div_ceil(1024))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// `exit status 1`, `signal: killed`, as Lambda writes it.
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(6)) => "signal: aborted".to_owned(),
        (None, Some(9)) => "signal: killed".to_owned(),
        (None, Some(11)) => "signal: segmentation fault".to_owned(),
        (None, Some(15)) => "signal: terminated".to_owned(),
        (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
    }
}

async fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..20 {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(TEXT_FILE_BUSY) => tokio::time::sleep(Duration::from_millis(10)).await,
            other => return other,
        }
    }
    command.spawn()
}

/// The variables that Lambda sets, under those of the function; and where AWS is, for its SDK.
fn environment(
    world: &World,
    name: &str,
    settings: &Settings,
    logs: &Logs,
    api: &RuntimeApi,
    credentials: &SessionCredentials,
) -> Vec<(String, String)> {
    let root = settings.code.root().display().to_string();
    let defaults = [
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
        ("LD_LIBRARY_PATH", format!("{root}:{root}/lib")),
        ("TZ", ":UTC".to_owned()),
        ("AWS_ENDPOINT_URL", world.endpoint.clone()),
    ];
    let own = settings.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    let reserved = [
        ("_HANDLER", settings.handler.clone()),
        ("LAMBDA_TASK_ROOT", root.clone()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("AWS_REGION", world.region.clone()),
        ("AWS_DEFAULT_REGION", world.region.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", settings.memory_size.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", logs.group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", logs.stream.clone()),
        ("AWS_LAMBDA_RUNTIME_API", api.address.to_string()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone()),
    ];
    let logging = &settings.logging;
    let format = logging.json.then(|| ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()));
    let level = logging.application_level.clone().map(|level| ("AWS_LAMBDA_LOG_LEVEL", level));
    let named = |pair: (&str, String)| (pair.0.to_owned(), pair.1);
    let extra = format.into_iter().chain(level);
    defaults.into_iter().map(named).chain(own).chain(reserved.into_iter().chain(extra).map(named)).collect()
}

/// Collects lines out of what one pipe gives.
struct Lines<R> {
    pipe: Option<R>,
    rest: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next whole lines; empty once the pipe is closed.
    async fn read(&mut self) -> Vec<String> {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        let mut chunk = [0; 8192];
        match pipe.read(&mut chunk).await {
            Ok(count) if count > 0 => self.rest.extend_from_slice(&chunk[..count]),
            _ => self.pipe = None,
        }
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n').or((self.rest.len() > LONGEST_LINE).then_some(LONGEST_LINE))
        {
            let mut line: Vec<u8> = self.rest.drain(..=end.min(self.rest.len() - 1)).collect();
            line.pop_if(|byte| *byte == b'\n');
            line.pop_if(|byte| *byte == b'\r');
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        if self.pipe.is_none() && !self.rest.is_empty() {
            lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned());
        }
        lines
    }
}

/// Writes both outputs to the log as lines come, and on request all that is there.
async fn pump<O, E>(stdout: Option<O>, stderr: Option<E>, mut flushes: mpsc::Receiver<oneshot::Sender<()>>, logs: Arc<Logs>)
where
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    let mut stdout = Lines { pipe: stdout, rest: Vec::new() };
    let mut stderr = Lines { pipe: stderr, rest: Vec::new() };
    let mut asked: Option<oneshot::Sender<()>> = None;
    loop {
        tokio::select! {
            biased;
            lines = stdout.read() => logs.write(&lines),
            lines = stderr.read() => logs.write(&lines),
            // Only reached where neither pipe has anything to give.
            () = std::future::ready(()), if asked.is_some() => {
                let _ = asked.take().map(|sender| sender.send(()));
            }
            request = flushes.recv(), if asked.is_none() => match request {
                // What was printed before the request is in the pipe; the reactor gets a chance to notice.
                Some(sender) => {
                    tokio::task::yield_now().await;
                    asked = Some(sender);
                }
                None => return,
            },
        }
    }
}
