//! Any error -> a message, hints and an exit code. The only place where words for errors are made.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::config::{Errors, Place, Problem};
use crate::provision;
use crate::provision::denial::Denial;
use crate::provision::error::{AwsError, Cause, Refusal};

use super::exit::Exit;
use super::hints;
use super::style::{Paint, printable, short};

/// Why a command did not end well.
#[derive(Debug)]
pub enum Error {
    /// The command line asks for something that cannot be; nothing was called.
    Usage { message: String, hint: Option<String> },
    /// The config is not valid: everything that is wrong with it.
    Config(Errors),
    /// The account, or the way there.
    Provision(Box<provision::Error>),
    /// Something on this machine.
    Here { message: String, hint: Option<String> },
    /// A person was asked and chose nothing.
    Unchosen,
    /// A second Ctrl-C.
    Aborted,
    /// Standard output cannot be written.
    Write(std::io::Error),
}

impl Error {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn here(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Here { message: message.into(), hint: Some(hint.into()) }
    }

    /// Everything that is said of it. `command` is the one that ran.
    pub(crate) fn report(&self, command: &str) -> Report {
        match self {
            Self::Usage { message, hint } => Report::one(Exit::Usage, Failure::new(message).hint(hint.clone())),
            Self::Config(problems) => Report { failures: problems.problems().iter().map(config).collect(), ..Report::new(Exit::Usage) },
            Self::Provision(error) => of_run(error, command),
            Self::Here { message, hint } => Report::one(Exit::Failed, Failure::new(message).hint(hint.clone())),
            Self::Unchosen => Report { stopped: Some("stopped: nothing was changed".to_owned()), ..Report::new(Exit::Interrupted) },
            Self::Aborted => Report {
                stopped: Some("stopped at once: the calls that were under way may have taken effect or not".to_owned()),
                next: way_on(command),
                ..Report::new(Exit::Interrupted)
            },
            Self::Write(error) => Report::one(Exit::Failed, Failure::new(format!("cannot write to standard output: {error}"))),
        }
    }
}

impl From<provision::Error> for Error {
    fn from(error: provision::Error) -> Self {
        Self::Provision(Box::new(error))
    }
}

impl From<Errors> for Error {
    fn from(problems: Errors) -> Self {
        Self::Config(problems)
    }
}

/// Everything that is said of a run that did not end well.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) exit: Exit,
    /// Instead of an error: somebody stopped it.
    stopped: Option<String>,
    failures: Vec<Failure>,
    done: Vec<String>,
    left: Vec<String>,
    /// How to go on.
    next: Option<String>,
}

/// One thing that is wrong.
#[derive(Debug, Default)]
struct Failure {
    message: String,
    facts: Vec<(&'static str, String)>,
    hint: Option<String>,
    /// Where in the config it is, for programs.
    place: Value,
    /// The line of the config file, and what is meant in it.
    excerpt: Option<[String; 2]>,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    fn hint(self, hint: Option<String>) -> Self {
        Self { hint: hint.filter(|text| !text.is_empty()), ..self }
    }

    fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((name, value.into()));
        self
    }
}

impl Report {
    fn new(exit: Exit) -> Self {
        Self { exit, stopped: None, failures: Vec::new(), done: Vec::new(), left: Vec::new(), next: None }
    }

    fn one(exit: Exit, failure: Failure) -> Self {
        Self { failures: vec![failure], ..Self::new(exit) }
    }

    /// The first line, for an event.
    pub(crate) fn headline(&self) -> &str {
        self.stopped.as_deref().or_else(|| self.failures.first().map(|failure| failure.message.as_str())).unwrap_or_default()
    }

    /// For people.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if let Some(stopped) = &self.stopped {
            let _ = writeln!(text, "{}", paint.yellow(stopped));
        }
        for (number, failure) in self.failures.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            let _ = writeln!(text, "{} {}", paint.red("error:"), paint.bold(&lines(&failure.message)));
            if let Some([line, marks]) = &failure.excerpt {
                let _ = writeln!(text, "  {line}\n  {}", paint.red(marks));
            }
            let width = failure.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in &failure.facts {
                let _ = writeln!(text, "  {}  {}", paint.dim(&format!("{name:width$}")), lines(value));
            }
            if let Some(hint) = &failure.hint {
                let _ = writeln!(text, "{} {}", paint.cyan("hint:"), lines(hint));
            }
        }
        if self.exit == Exit::Usage && self.failures.len() > 1 {
            let _ = writeln!(text, "\n{} problems; nothing was called", self.failures.len());
        }
        if !self.done.is_empty() {
            let _ = writeln!(text, "done so far: {}", self.done.join(", "));
        }
        if !self.left.is_empty() {
            let _ = writeln!(text, "left to do:  {}", self.left.join(", "));
        }
        if let Some(next) = &self.next {
            let _ = writeln!(text, "{next}");
        }
        text
    }

    /// For programs.
    pub(crate) fn document(&self) -> Value {
        let failure = |failure: &Failure| {
            let facts: serde_json::Map<_, _> =
                failure.facts.iter().map(|(name, value)| (name.to_lowercase().replace(' ', "_"), Value::from(value.as_str()))).collect();
            let mut whole = json!({ "message": failure.message, "hint": failure.hint });
            if let Value::Object(whole) = &mut whole {
                whole.extend(facts);
                if let Value::Object(place) = &failure.place {
                    whole.insert("place".to_owned(), Value::Object(place.clone()));
                }
            }
            whole
        };
        let failures: Vec<Value> = self.failures.iter().map(failure).collect();
        json!({ "message": self.headline(), "failures": failures, "done": self.done, "left": self.left, "next": self.next })
    }
}

/// Text from elsewhere, harmless on a terminal, its further lines indented.
fn lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n    ")
}

fn config(problem: &Problem) -> Failure {
    let message = match &problem.place {
        Place::Nowhere => problem.what.clone(),
        place @ (Place::Line { .. } | Place::File(_) | Place::Flag(_) | Place::Variable(_)) => format!("{place}: {}", problem.what),
    };
    let mut failure = Failure::new(message).hint(Some(problem.remedy.clone()));
    if let (Place::Line { line, .. }, Some(excerpt)) = (&problem.place, &problem.excerpt) {
        let number = line.to_string();
        let before: String = excerpt.text.chars().take(excerpt.marked.start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let marks = "^".repeat(excerpt.marked.len().max(1));
        failure.excerpt = Some([format!("{number} | {}", excerpt.text), format!("{:1$} | {before}{marks}", "", number.len())]);
    }
    failure.place = match &problem.place {
        Place::Line { file, line, column } => json!({ "file": file.display().to_string(), "line": line, "column": column }),
        Place::File(file) => json!({ "file": file.display().to_string() }),
        Place::Flag(flag) => json!({ "flag": flag }),
        Place::Variable(name) => json!({ "variable": name }),
        Place::Nowhere => Value::Null,
    };
    failure
}

fn of_run(error: &provision::Error, command: &str) -> Report {
    match error {
        provision::Error::Aws(error) => Report::one(Exit::Failed, aws(error)),
        provision::Error::Refused(refusals) => Report { failures: refusals.iter().map(refusal).collect(), ..Report::new(Exit::Failed) },
        provision::Error::Choice(roles) => {
            let message = format!("{} roles of the account can serve, and none is the best:{}", roles.len(), super::roles::choices(roles));
            let hint = "name one with `--existing-role` (`existing_role` in the config); `wsfix roles` says more about them";
            Report::one(Exit::Usage, Failure::new(message).hint(Some(hint.to_owned())))
        }
        provision::Error::Bundle(error) => {
            let remedy = Some(error.remedy.clone());
            Report::one(Exit::Failed, Failure::new(&error.what).hint(remedy))
        }
        provision::Error::Incomplete { done, left, errors } => Report {
            failures: errors.iter().map(aws).collect(),
            done: done.clone(),
            left: left.clone(),
            next: way_on(command),
            ..Report::new(Exit::Failed)
        },
        provision::Error::Contended { done, left } => {
            let message = "the stack differs from the config again each time that it is put right: another run changes it at the same time, \
                           or AWS does not keep what it is given";
            let hint = "when no other run is under way, `wsfix plan` shows what differs, and the same command puts it right";
            let failure = Failure::new(message).hint(Some(hint.to_owned()));
            Report { done: done.clone(), left: left.clone(), ..Report::one(Exit::Failed, failure) }
        }
        provision::Error::Stopped { done, left } if done.is_empty() => {
            Report { stopped: Some("stopped: nothing was changed".to_owned()), left: left.clone(), ..Report::new(Exit::Interrupted) }
        }
        provision::Error::Stopped { done, left } => Report {
            stopped: Some("stopped: the calls that were under way have finished".to_owned()),
            done: done.clone(),
            left: left.clone(),
            next: way_on(command),
            ..Report::new(Exit::Interrupted)
        },
    }
}

/// How to go on after a command that stopped in the middle.
fn way_on(command: &str) -> Option<String> {
    match command {
        "provision" => Some("the same command goes on from here, `wsfix teardown` deletes what was made".to_owned()),
        "teardown" => Some("`wsfix teardown` goes on from here".to_owned()),
        _ => None,
    }
}

fn refusal(refusal: &Refusal) -> Failure {
    let resource = refusal.resource.trim_end_matches(" (none)");
    Failure::new(format!("{resource}: {}", refusal.reason))
        .hint(Some(hints::explicit_deny(&refusal.reason).unwrap_or_else(|| refusal.remedy.clone())))
}

fn aws(error: &AwsError) -> Failure {
    let denial = matches!(error.cause, Cause::Denied { .. }).then(|| Denial::parse(error.said.as_deref().unwrap_or_default()));
    let iam = denial.as_ref().and_then(|denial| denial.action.as_deref()).unwrap_or(error.iam);
    let name = iam.rsplit_once(':').map_or("", |(_, name)| name);
    let action = if name == error.operation { iam.to_owned() } else { format!("{iam} ({})", error.operation) };
    let message = match error.operation {
        "GetCallerIdentity" => "cannot find out who is calling".to_owned(),
        operation => format!("cannot {} `{}`", words(operation), short(&error.resource)),
    };
    let failure = Failure::new(message).fact("action", action);
    let refused = denial.as_ref().and_then(|denial| denial.resource.as_deref());
    let resource = refused.or_else(|| Some(error.resource.as_str()).filter(|name| name.starts_with("arn:")));
    let failure = resource.into_iter().fold(failure, |failure, resource| failure.fact("resource", resource));
    let failure = denial.iter().fold(failure, of_denial);
    let failure = match &error.cause {
        Cause::TimedOut { state } => failure.fact("waited", format!("too long; the state last seen is {state}")),
        Cause::FailedState { state } => failure.fact("state", state),
        Cause::NotFound
        | Cause::Exists
        | Cause::Overtaken
        | Cause::NotReady
        | Cause::Denied { .. }
        | Cause::Throttled
        | Cause::Credentials
        | Cause::Invalid
        | Cause::Unreachable
        | Cause::Lost
        | Cause::Other => failure,
    };
    let request = error.request_id.as_ref().map(|id| format!("request {id}"));
    let failure = match (&error.said, request) {
        (Some(said), Some(request)) => failure.fact("AWS said", format!("{said} ({request})")),
        (Some(said), None) if said.starts_with(NO_ANSWER) => failure.fact("because", innermost(said)),
        (Some(said), None) => failure.fact("AWS said", said),
        (None, Some(request)) => failure.fact("AWS said", format!("nothing more ({request})")),
        (None, None) => failure,
    };
    failure.hint(hints::hint(error))
}

/// Who was refused, why, and by which policy.
fn of_denial(failure: Failure, denial: &Denial) -> Failure {
    let named = |failure: Failure, name, value: &Option<String>| match value {
        Some(value) => failure.fact(name, value),
        None => failure,
    };
    let failure = named(failure, "principal", &denial.principal).fact("denied", denial.why());
    named(failure, "policy", &denial.policy)
}

/// How the SDK begins when it has no answer to tell of.
const NO_ANSWER: &str = "dispatch failure: ";

/// What the SDK's layers wrap, without their names.
fn innermost(said: &str) -> &str {
    let layers = [NO_ANSWER, "other: ", "io error: ", "timeout: ", "an error occurred while loading credentials: "];
    let mut inner = said;
    while let Some(rest) = layers.iter().find_map(|layer| inner.strip_prefix(layer)) {
        inner = rest;
    }
    inner.strip_prefix("client error (Connect): ").unwrap_or(inner)
}

/// `CreateFunction` -> `create function`.
fn words(operation: &str) -> String {
    let mut words = String::new();
    for c in operation.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied() -> AwsError {
        AwsError {
            operation: "CreateFunction",
            iam: "lambda:CreateFunction",
            resource: "arn:aws:lambda:ap-south-1:111122223333:function:websocket-handler".to_owned(),
            cause: Cause::Denied { explicit: true },
            said: Some(
                "AccessDeniedException: User: arn:aws:iam::111122223333:user/dev is not authorized to perform: iam:PassRole on resource: \
                 arn:aws:iam::111122223333:role/r with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/No-Roles"
                    .to_owned(),
            ),
            request_id: Some("7f1e".to_owned()),
        }
    }

    #[test]
    fn a_denial_in_the_middle_says_what_where_and_how_to_go_on() {
        let error = provision::Error::Incomplete {
            done: vec!["table WebSocketConnections".to_owned()],
            left: vec!["function websocket-handler".to_owned(), "stage prod".to_owned()],
            errors: vec![denied()],
        };
        let report = Error::from(error).report("provision");
        assert_eq!(report.exit, Exit::Failed);
        insta::assert_snapshot!(report.text(Paint::new(false)), @r"
        error: cannot create function `websocket-handler`
          action     iam:PassRole (CreateFunction)
          resource   arn:aws:iam::111122223333:role/r
          principal  arn:aws:iam::111122223333:user/dev
          denied     explicitly, in an identity-based policy
          policy     arn:aws:iam::111122223333:policy/No-Roles
          AWS said   AccessDeniedException: User: arn:aws:iam::111122223333:user/dev is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/r with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/No-Roles (request 7f1e)
        hint: an explicit deny outranks every allow: only a change to the policy arn:aws:iam::111122223333:policy/No-Roles helps; ask an administrator of the account, or name a role that you may pass with `--existing-role`
        done so far: table WebSocketConnections
        left to do:  function websocket-handler, stage prod
        the same command goes on from here, `wsfix teardown` deletes what was made
        ");
    }

    #[test]
    fn a_refusal_keeps_its_remedy_unless_a_policy_denies() {
        let refusal =
            |reason: &str| Refusal { resource: "role (none)".to_owned(), reason: reason.to_owned(), remedy: "ask for an allow".to_owned() };
        let text = |reason| Error::from(provision::Error::Refused(vec![refusal(reason)])).report("plan").text(Paint::new(false));
        assert_eq!(text("there are three"), "error: role: there are three\nhint: ask for an allow\n");
        let denied = "GetApis: User: u is not authorized to perform: apigateway:GET with an explicit deny in a service control policy";
        let told = text(denied);
        assert!(told.contains("hint: an explicit deny outranks every allow") && !told.contains("ask for an allow"), "{told}");
    }

    #[test]
    fn an_interrupt_says_what_stands() {
        let error = provision::Error::Stopped { done: vec!["api abc".to_owned()], left: Vec::new() };
        let report = Error::from(error).report("teardown");
        assert_eq!(report.exit, Exit::Interrupted);
        insta::assert_snapshot!(report.text(Paint::new(false)), @r"
        stopped: the calls that were under way have finished
        done so far: api abc
        `wsfix teardown` goes on from here
        ");
    }

    #[test]
    fn the_document_says_the_same() {
        let document = Error::from(provision::Error::Aws(denied())).report("plan").document();
        let failure = &document["failures"][0];
        assert_eq!(failure["message"], "cannot create function `websocket-handler`");
        assert_eq!(failure["action"], "iam:PassRole (CreateFunction)");
        assert_eq!(failure["principal"], "arn:aws:iam::111122223333:user/dev");
        assert_eq!(failure["policy"], "arn:aws:iam::111122223333:policy/No-Roles");
        assert!(failure["aws_said"].as_str().is_some_and(|said| said.ends_with("(request 7f1e)")));
        assert!(failure["hint"].as_str().is_some_and(|hint| hint.starts_with("an explicit deny outranks")));
    }

    #[test]
    fn operations_are_words() {
        let said = "dispatch failure: io error: client error (Connect): tcp connect error: Connection refused (os error 111)";
        assert_eq!(innermost(said), "tcp connect error: Connection refused (os error 111)");
        assert_eq!(innermost("dispatch failure: other: an error occurred while loading credentials: no profile x"), "no profile x");
        assert_eq!(words("UpdateTimeToLive"), "update time to live");
    }

    #[test]
    fn a_terminal_is_safe_from_what_others_said() {
        let mut error = denied();
        error.said = Some("\x1b[2Jgone".to_owned());
        assert!(!Error::from(provision::Error::Aws(error)).report("plan").text(Paint::new(false)).contains('\x1b'));
    }
}
