//! The only writer to standard output and standard error.
//!
//! Results go to standard output; progress, notes, questions and errors go to standard error.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::config::process_environment;
use crate::provision::progress::{Event, Reporter};

use super::error::Error;
use super::exit::Exit;
use super::flags::{Global, Output};
use super::plan;
use super::style::{self, Paint};

/// A wait that is worth a line.
const LONG: Duration = Duration::from_secs(10);

/// The version of the documents and events.
pub(super) const VERSION: u32 = 1;

/// What a person or a program sees.
pub struct Ui {
    /// [`Output::Text`] or [`Output::Json`].
    output: Output,
    markdown: bool,
    out: Paint,
    err: Paint,
    /// Standard output is a terminal.
    screen: bool,
    /// Bars on standard error.
    animated: bool,
    /// A person can be asked.
    interactive: bool,
    verbose: bool,
    command: Cell<&'static str>,
    started: Instant,
    bars: MultiProgress,
    running: RefCell<BTreeMap<String, Running>>,
    /// How much of the plan is done.
    whole: RefCell<Option<ProgressBar>>,
}

/// A step that goes on.
struct Running {
    since: Instant,
    bar: Option<ProgressBar>,
    state: String,
    /// A line has said that it takes long.
    told: bool,
}

/// A connection that is being held.
pub(crate) struct Holding(Option<ProgressBar>);

impl Holding {
    /// It has been open for so long.
    pub(crate) fn reached(&self, time: Duration) {
        if let Some(bar) = &self.0 {
            bar.set_position(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Ui {
    /// Looks at the flags and at what standard output and standard error are.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        // What is Markdown is the result alone.
        let markdown = global.output == Output::Markdown;
        let output = if markdown { Output::Text } else { global.output };
        let text = output == Output::Text;
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let plain = global.no_color || is_dumb();
        let animated = text && err && !is_dumb();
        let target = if animated { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            output,
            markdown,
            out: Paint::new(text && out && !plain),
            err: Paint::new(text && err && !plain),
            screen: out,
            animated: animated && !target.is_hidden(),
            interactive: err && io::stdin().is_terminal(),
            verbose: global.verbose > 0,
            command: Cell::new("wsfix"),
            started: Instant::now(),
            bars: MultiProgress::with_draw_target(target),
            running: RefCell::default(),
            whole: RefCell::default(),
        }
    }

    /// Names the command for the documents.
    pub(crate) fn for_command(&self, name: &'static str) {
        self.command.set(name);
    }

    /// Whether the result is to be Markdown.
    pub(crate) fn markdown(&self) -> bool {
        self.markdown
    }

    /// Colours for what goes to standard output.
    pub(crate) fn paint(&self) -> Paint {
        self.out
    }

    /// Colours for what goes to standard error.
    pub(crate) fn paint_err(&self) -> Paint {
        self.err
    }

    /// Whether a person can be asked.
    pub(crate) fn interactive(&self) -> bool {
        self.interactive
    }

    /// Whether standard output is for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Whether a person reads standard output in a terminal.
    pub(crate) fn on_screen(&self) -> bool {
        self.screen
    }

    /// Whether more is wanted than the usual.
    pub(crate) fn verbose(&self) -> bool {
        self.verbose
    }

    /// The one result of a command: text, or the document that says the same.
    pub(crate) fn result(&self, exit: Exit, text: &str, document: &Value) -> Result<(), Error> {
        match self.output {
            Output::Text | Output::Markdown => self.print(text),
            Output::Json => {
                let whole = json!({ "v": VERSION, "command": self.command.get(), "exit": exit.code(), "result": document });
                self.print(&format!("{whole:#}"))
            }
        }
    }

    /// A result that takes the place of the last one: on a terminal the screen begins anew, programs get one document a line.
    pub(crate) fn refresh(&self, text: &str, document: &Value) -> Result<(), Error> {
        match self.output {
            Output::Text if self.screen => self.print(&format!("\x1b[H\x1b[2J{text}")),
            Output::Text | Output::Markdown => self.print(&format!("{text}\n")),
            Output::Json => self
                .print(&json!({ "v": VERSION, "command": self.command.get(), "exit": Exit::Done.code(), "result": document }).to_string()),
        }
    }

    /// Text on standard output as it is, whatever `--output` says: a completion script.
    pub(crate) fn print(&self, text: &str) -> Result<(), Error> {
        self.bars.suspend(|| write(&mut io::stdout().lock(), text)).map_err(Error::Write)
    }

    /// A line for people on standard error; nothing in JSON mode.
    pub(crate) fn say(&self, text: &str) {
        if self.output == Output::Text {
            self.line(text);
        }
    }

    /// Something that a person should know and that stops nothing.
    pub(crate) fn note(&self, text: &str) {
        match self.output {
            Output::Text | Output::Markdown => self.line(&format!("{} {text}", self.err.yellow("note:"))),
            Output::Json => self.emit("note", json!({ "text": text })),
        }
    }

    /// An event on standard error; nothing in text mode.
    pub(crate) fn emit(&self, event: &str, mut members: Value) {
        if self.output == Output::Json {
            let mut whole = json!({ "v": VERSION, "event": event, "t": style::seconds(self.started.elapsed()) });
            if let (Value::Object(whole), Value::Object(members)) = (&mut whole, &mut members) {
                whole.append(members);
            }
            self.line(&whole.to_string());
        }
    }

    /// Asks on standard error and reads one line; `None` where nobody can answer.
    pub(crate) async fn ask(&self, question: &str) -> Option<String> {
        if !self.interactive {
            return None;
        }
        let mut stderr = io::stderr().lock();
        stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush()).ok()?;
        drop(stderr);
        let read = || {
            let mut answer = String::new();
            io::stdin().read_line(&mut answer).ok().filter(|read| *read > 0).map(|_| answer.trim().to_owned())
        };
        let answer = tokio::task::spawn_blocking(read).await.ok().flatten();
        if answer.is_none() {
            self.line(" "); // the question's line has no end yet
        }
        answer
    }

    /// Lets a person choose one of these, on standard error; `None` where nobody can be asked.
    pub(crate) fn choose(&self, question: &str, items: &[String]) -> Result<Option<usize>, Error> {
        if !self.interactive || self.output != Output::Text {
            return Ok(None);
        }
        let chosen =
            dialoguer::Select::new().with_prompt(question).items(items).default(0).interact_on_opt(&dialoguer::console::Term::stderr());
        // Esc, `q` and Ctrl-C: nothing is chosen.
        chosen.ok().flatten().map(Some).ok_or(Error::Unchosen)
    }

    /// Lets a person type an answer, or take the proposal by Enter; an empty answer is one.
    pub(crate) fn input(&self, question: &str, proposal: &str) -> Result<String, Error> {
        let mut prompt = dialoguer::Input::<String>::new().with_prompt(question).allow_empty(true);
        if !proposal.is_empty() {
            prompt = prompt.default(proposal.to_owned());
        }
        let answer = prompt.interact_text_on(&dialoguer::console::Term::stderr());
        answer.map(|text| text.trim().to_owned()).map_err(|_| Error::Unchosen)
    }

    /// Says why the command did not end well.
    pub fn fail(&self, error: &Error) -> Exit {
        let report = error.report(self.command.get());
        self.running.borrow_mut().clear();
        self.whole.replace(None);
        let _ = self.bars.clear();
        match self.output {
            Output::Text | Output::Markdown => self.line(&report.text(self.err)),
            Output::Json => {
                self.emit("error", json!({ "message": report.headline() }));
                let whole = json!({ "v": VERSION, "command": self.command.get(), "exit": report.exit.code(), "error": report.document() });
                let _ = self.print(&format!("{whole:#}"));
            }
        }
        report.exit
    }

    /// A line on standard error. Where standard error is gone there is nobody to tell.
    fn line(&self, text: &str) {
        let _ = self.bars.suspend(|| write(&mut io::stderr().lock(), text));
    }

    /// A connection is held for so long: a bar, or a line.
    pub(crate) fn holding(&self, time: Duration) -> Holding {
        self.emit("holding", json!({ "seconds": style::seconds(time) }));
        if !self.animated {
            self.say(&format!("holding   a connection for {}", style::duration(time)));
            return Holding(None);
        }
        let style = ProgressStyle::with_template("holding   {bar:30} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let length = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let bar = self.bars.add(ProgressBar::new(length).with_style(style));
        bar.set_message(style::duration(time));
        bar.tick();
        Holding(Some(bar))
    }

    fn plan(&self, steps: usize) {
        if !self.animated || steps == 0 {
            return;
        }
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new(steps as u64).with_style(style));
        bar.tick();
        self.whole.replace(Some(bar));
    }

    /// One step of the plan is over.
    fn advance(&self) {
        let mut whole = self.whole.borrow_mut();
        let Some(bar) = whole.as_ref() else { return };
        bar.inc(1);
        if bar.length() == Some(bar.position()) {
            bar.finish_and_clear();
            self.bars.remove(bar);
            whole.take();
        }
    }

    fn start(&self, resource: String, action: &'static str) {
        let bar = self.animated.then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            let bar = match self.whole.borrow().as_ref() {
                Some(whole) => self.bars.insert_before(whole, bar),
                None => self.bars.add(bar),
            };
            bar.set_message(format!("{} {resource}", style::printable(action)));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        self.running.borrow_mut().insert(resource, Running { since: Instant::now(), bar, state: String::new(), told: false });
    }

    fn wait(&self, resource: &str, state: String) {
        let mut running = self.running.borrow_mut();
        let Some(step) = running.get_mut(resource) else { return };
        let line = format!("waiting   {resource}: {}", style::printable(&state));
        let (new, long) = (step.state != state, step.since.elapsed() >= LONG && !step.told);
        if let Some(bar) = step.bar.as_ref().filter(|_| new) {
            bar.set_message(format!("{resource}: {}", style::printable(&state)));
        }
        step.state = state;
        step.told |= long;
        drop(running);
        // Who reads lines sees no clock running.
        if !self.animated && (long || (new && self.verbose)) {
            self.say(&line);
        }
    }

    /// Takes a step off the list of those that go on; answers how long it took.
    fn stop(&self, resource: &str) -> Duration {
        let Some(step) = self.running.borrow_mut().remove(resource) else { return Duration::ZERO };
        if let Some(bar) = &step.bar {
            bar.finish_and_clear();
            self.bars.remove(bar);
        }
        step.since.elapsed()
    }
}

/// A terminal that knows no more than lines: it says so, or nothing at all.
pub(crate) fn is_dumb() -> bool {
    process_environment("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

impl Reporter for Ui {
    fn event(&self, event: Event) {
        match event {
            Event::Planned { create, update, adopt, delete } => {
                self.emit("planned", json!({ "create": create, "update": update, "adopt": adopt, "delete": delete }));
                self.plan(create + update + adopt + delete);
            }
            Event::Adopting { resource, fields } => {
                self.emit("adopting", json!({ "resource": resource, "fields": plan::fields(&fields) }));
                self.say(&format!("adopting  {resource}\n{}", plan::show_fields(&fields)));
            }
            Event::Started { resource, action } => {
                self.emit("started", json!({ "resource": resource, "action": action }));
                self.start(resource, action);
            }
            Event::Waiting { resource, state } => {
                self.emit("waiting", json!({ "resource": resource, "state": state }));
                self.wait(&resource, state);
            }
            Event::Finished { resource, action, detail } => {
                let time = self.stop(&resource);
                let members = json!({ "resource": resource, "action": action, "detail": detail, "seconds": style::seconds(time) });
                self.emit("finished", members);
                if matches!(action, "create" | "update" | "adopt" | "delete") {
                    self.advance();
                }
                if action != "look" || self.verbose {
                    let detail = if detail.is_empty() { String::new() } else { format!("  {}", self.err.dim(&style::printable(&detail))) };
                    let time = self.err.dim(&format!("({})", style::duration(time)));
                    self.say(&format!("{:<9} {resource}{detail}  {time}", past(action)));
                }
            }
            Event::Failed { resource, action } => {
                let time = self.stop(&resource);
                self.emit("failed", json!({ "resource": resource, "action": action, "seconds": style::seconds(time) }));
                self.say(&format!("{} {resource}  ({action}, {})", self.err.red("failed   "), style::duration(time)));
            }
            Event::Note { text } => self.note(&style::printable(&text)),
        }
    }
}

/// What is said of an action when it is done.
fn past(action: &str) -> &str {
    match action {
        "look" => "read",
        "create" => "created",
        "update" => "updated",
        "adopt" => "adopted",
        "delete" => "deleted",
        "drain" => "drained",
        "build" => "built",
        "wait" => "waited",
        other => other,
    }
}

/// Writes a text and its line's end in one go. A reader that has gone away (`| head`) is no error.
pub(super) fn write(to: &mut impl Write, text: &str) -> io::Result<()> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let written = to.write_all(format!("{text}{end}").as_bytes()).and_then(|()| to.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
