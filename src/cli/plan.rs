//! `wsfix plan`: what provision would do, and what it would call.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::config::Purpose;
use crate::provision::plan::{Action, ApiCall, FieldChange, Plan, Step};
use crate::provision::{self, Consent, Run, Stop};

use super::error::Error;
use super::exit::Exit;
use super::flags::{Access, Global, Names, Upload, Wanted};
use super::markdown;
use super::preflight;
use super::roles::with_a_choice;
use super::runtime::{block_on, unless_interrupted};
use super::settings;
use super::style::{Paint, count, printable};
use super::ui::Ui;

/// Says what `provision` would do, and changes nothing.
#[derive(clap::Args)]
#[command(after_help = "Exit codes: 0 nothing to do, 1 failed or something stands in the way (with --preflight:
a permission that is needed and known to be denied), 2 wrong usage or config, 3 changes wait.

Examples:
  wsfix plan
  wsfix plan --preflight --existing-role lambda_basic_execution
  wsfix plan --calls --output json --existing-role lambda_basic_execution
  wsfix plan --output markdown > comment.md")]
pub(crate) struct PlanArgs {
    /// Lists every AWS call that provision would make, the reading ones first, with the IAM action it needs
    #[arg(long)]
    calls: bool,
    /// Asks IAM whether the caller and the execution role may do what it takes: allowed, denied (by what), or unknown
    #[arg(long)]
    preflight: bool,
    #[command(flatten)]
    adoption: AdoptionArgs,
    #[command(flatten)]
    stack: StackArgs,
}

/// What `provision` and `plan` may take over.
#[derive(clap::Args)]
pub(crate) struct AdoptionArgs {
    /// Takes a table, function, log group or API of a wanted name that is nobody's into the stack
    #[arg(long)]
    pub(crate) adopt: bool,
}

/// Everything that `provision` and `plan` can be told.
#[derive(clap::Args, Default)]
pub(crate) struct StackArgs {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    upload: Upload,
    #[command(flatten)]
    names: Names,
}

impl StackArgs {
    /// As the config wants them.
    pub(crate) fn settings(&self) -> crate::config::Settings {
        let mut settings = crate::config::Settings::default();
        self.wanted.write(&mut settings);
        self.access.write(&mut settings);
        self.upload.write(&mut settings);
        self.names.write(&mut settings);
        settings
    }
}

pub(crate) fn run(args: &PlanArgs, global: &Global, ui: &Ui) -> Result<Exit, Error> {
    let mut config = settings::load(ui, global, Purpose::Provision, args.stack.settings())?;
    let stop = Stop::default();
    let (plan, preflight) = with_a_choice(ui, &mut config, |config| {
        let consent = Consent { adopt: args.adoption.adopt, ..Consent::default() };
        let run = Run { config, reporter: ui, stop: &stop, consent };
        let look = async {
            if args.preflight {
                let (plan, preflight) = provision::plan_with_preflight(&run).await?;
                return Ok((plan, Some(preflight)));
            }
            Ok((provision::plan(&run).await?, None))
        };
        block_on(unless_interrupted(look))
    })?;
    let counts = Counts::of(&plan);
    let denied = preflight.as_ref().is_some_and(|preflight| preflight.denied().next().is_some());
    let exit = match (counts.refuse, plan.is_empty()) {
        _ if denied => Exit::Failed,
        (0, true) => Exit::Done,
        (0, false) => Exit::Changes,
        _ => Exit::Failed,
    };
    let sentence = if denied { counts.summary() } else { counts.sentence(exit) };
    if ui.markdown() {
        let plain = Paint::new(false);
        let calls = if args.calls { show_calls(&plan, plain) } else { String::new() };
        let asked = preflight.as_ref().map(|preflight| preflight::show(preflight, plain)).unwrap_or_default();
        ui.print(markdown::show(&config.stack, &plan, &sentence, &(calls + &asked)).trim_end())?;
        return Ok(exit);
    }
    let paint = ui.paint();
    let mut text = format!("stack `{}`\n", config.stack);
    text.push_str(&show(&plan, paint, ui.verbose()));
    if args.calls {
        text.push_str(&show_calls(&plan, paint));
    }
    let mut document = document(&plan);
    if let Some(preflight) = &preflight {
        text.push_str(&preflight::show(preflight, paint));
        document["preflight"] = preflight::document(preflight);
    }
    let _ = writeln!(text, "\n{sentence}");
    ui.result(exit, &text, &document)?;
    Ok(exit)
}

/// How many steps of each kind a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) create: usize,
    pub(crate) update: usize,
    pub(crate) adopt: usize,
    pub(crate) delete: usize,
    pub(crate) keep: usize,
    pub(crate) refuse: usize,
}

impl Counts {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut counts = Self::default();
        for step in &plan.steps {
            let slot = match step.action {
                Action::Keep => &mut counts.keep,
                Action::Create => &mut counts.create,
                Action::Update(_) => &mut counts.update,
                Action::Adopt(_) => &mut counts.adopt,
                Action::Delete(_) => &mut counts.delete,
                Action::Refuse(_) => &mut counts.refuse,
            };
            *slot += 1;
        }
        counts
    }

    fn summary(self) -> String {
        let Self { create, update, adopt, delete, keep, .. } = self;
        let adoption = if adopt == 0 { String::new() } else { format!("{adopt} to adopt, ") };
        format!("Plan: {adoption}{create} to create, {update} to update, {delete} to delete, {keep} as they should be.")
    }

    fn sentence(self, exit: Exit) -> String {
        let Self { adopt, keep, refuse, .. } = self;
        let (plan, flag) = (self.summary(), if adopt == 0 { "" } else { " --adopt" });
        match exit {
            Exit::Done => format!("Nothing to do: all {keep} resources are as they should be."),
            Exit::Changes => format!("{plan} `wsfix provision{flag}` makes it so."),
            Exit::Failed | Exit::Usage | Exit::Interrupted => {
                format!("{plan} {} in the way: `wsfix provision` would change nothing.", count(refuse, "thing"))
            }
        }
    }

    /// For programs.
    pub(crate) fn document(self) -> Value {
        let Self { create, update, adopt, delete, keep, refuse } = self;
        json!({ "create": create, "update": update, "adopt": adopt, "delete": delete, "keep": keep, "refuse": refuse })
    }
}

/// The changes of a plan, and its notes. With `everything`, what is kept too.
pub(crate) fn show(plan: &Plan, paint: Paint, everything: bool) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let name = format!("{} {}", step.kind, printable(&step.name));
        let _ = match &step.action {
            Action::Keep if everything => writeln!(text, "    {}", paint.dim(&name)),
            Action::Keep => Ok(()),
            Action::Create => writeln!(text, "  {} {name}", paint.green("+")),
            Action::Update(fields) => write!(text, "  {} {name}\n{}", paint.yellow("~"), show_fields(fields)),
            Action::Adopt(fields) => {
                write!(text, "  {} {name}{}\n{}", paint.yellow("@"), because("it is there already", paint), show_fields(fields))
            }
            Action::Delete(why) => writeln!(text, "  {} {name}{}", paint.red("-"), because(why, paint)),
            Action::Refuse(why) => writeln!(text, "  {} {name}\n        {}", paint.red("!"), printable(why)),
        };
    }
    for note in &plan.notes {
        let _ = writeln!(text, "  {} {}", paint.yellow("note:"), printable(note));
    }
    text
}

/// Each field with its two values, a line each.
pub(crate) fn show_fields(fields: &[FieldChange]) -> String {
    let value = |text: &str| if text.is_empty() { "(nothing)".to_owned() } else { printable(text) };
    let line = |change: &FieldChange| format!("        {}: {} -> {}\n", change.field, value(&change.from), value(&change.to));
    fields.iter().map(line).collect()
}

fn because(why: &str, paint: Paint) -> String {
    if why.is_empty() { String::new() } else { paint.dim(&format!("  ({})", printable(why))) }
}

/// Every call of a plan, and the IAM actions that they need.
fn show_calls(plan: &Plan, paint: Paint) -> String {
    let looks = plan.reads.iter().map(|call| (call, "look".to_owned()));
    let steps =
        plan.steps.iter().flat_map(|step| step.calls.iter().map(move |call| (call, format!("{} {}", step.kind, printable(&step.name)))));
    let calls: Vec<_> = looks.chain(steps).collect();
    let width = calls.iter().map(|(call, _)| call.name.len()).max().unwrap_or(0);
    let iam_width = calls.iter().map(|(call, _)| call.iam.len()).max().unwrap_or(0);
    let mut text = format!("\n{}\n", paint.bold("AWS calls"));
    for (call, what) in &calls {
        let _ = writeln!(text, "  {:width$}  {:iam_width$}  {what}", call.name, call.iam);
    }
    let actions: BTreeSet<_> = calls.iter().map(|(call, _)| call.iam).collect();
    let _ = writeln!(text, "{}\n  {}", paint.bold("IAM actions"), actions.into_iter().collect::<Vec<_>>().join(" "));
    text
}

/// For programs.
pub(crate) fn document(plan: &Plan) -> Value {
    let steps: Vec<Value> = plan.steps.iter().map(step).collect();
    let reads: Vec<Value> = plan.reads.iter().map(call).collect();
    json!({ "summary": Counts::of(plan).document(), "steps": steps, "reads": reads, "notes": plan.notes })
}

/// Each field with its two values, for programs.
pub(crate) fn fields(fields: &[FieldChange]) -> Vec<Value> {
    fields.iter().map(|change| json!({ "field": change.field, "from": change.from, "to": change.to })).collect()
}

fn step(step: &Step) -> Value {
    let (action, fields, reason) = match &step.action {
        Action::Keep => ("keep", [].as_slice(), None),
        Action::Create => ("create", [].as_slice(), None),
        Action::Update(fields) => ("update", fields.as_slice(), None),
        Action::Adopt(fields) => ("adopt", fields.as_slice(), None),
        Action::Delete(why) => ("delete", [].as_slice(), Some(why)),
        Action::Refuse(why) => ("refuse", [].as_slice(), Some(why)),
    };
    let fields = self::fields(fields);
    let calls: Vec<Value> = step.calls.iter().map(call).collect();
    json!({ "kind": step.kind, "name": step.name, "action": action, "fields": fields, "reason": reason, "calls": calls })
}

fn call(call: &ApiCall) -> Value {
    json!({ "name": call.name, "iam": call.iam })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let step = |kind, name: &str, action| Step { kind, name: name.to_owned(), action, calls: Vec::new() };
        let change = |field: &str, from: &str, to: &str| FieldChange { field: field.to_owned(), from: from.to_owned(), to: to.to_owned() };
        let mut plan = Plan {
            steps: vec![
                step("role", "lambda_basic_execution", Action::Keep),
                step("table", "WebSocketConnections", Action::Create),
                step(
                    "function",
                    "websocket-handler",
                    Action::Update(vec![change("memory_mb", "128", "256"), change("tags.team", "", "x\x1b[2J")]),
                ),
                step("log group", "/aws/lambda/websocket-handler", Action::Adopt(vec![change("retention_days", "never expires", "14")])),
                step("route", "old", Action::Delete("carries the tag wsfix:stack=terminal".to_owned())),
                step("api", "TerminalWebSocketAPI", Action::Refuse("two APIs have this name".to_owned())),
            ],
            notes: vec!["replies come back through the route response".to_owned()],
            reads: vec![ApiCall { name: "GetFunction", iam: "lambda:GetFunction" }],
            observed: None,
        };
        plan.steps[1].calls = vec![ApiCall { name: "CreateTable", iam: "dynamodb:CreateTable" }];
        plan
    }

    #[test]
    fn a_plan_reads_like_a_difference() {
        insta::assert_snapshot!(show(&plan(), Paint::new(false), true), @r"
            role lambda_basic_execution
          + table WebSocketConnections
          ~ function websocket-handler
                memory_mb: 128 -> 256
                tags.team: (nothing) -> x\u{1b}[2J
          @ log group /aws/lambda/websocket-handler  (it is there already)
                retention_days: never expires -> 14
          - route old  (carries the tag wsfix:stack=terminal)
          ! api TerminalWebSocketAPI
                two APIs have this name
          note: replies come back through the route response
        ");
        insta::assert_snapshot!(show_calls(&plan(), Paint::new(false)), @r"

        AWS calls
          GetFunction  lambda:GetFunction    look
          CreateTable  dynamodb:CreateTable  table WebSocketConnections
        IAM actions
          dynamodb:CreateTable lambda:GetFunction
        ");
    }

    #[test]
    fn the_sentence_tells_what_provision_would_do() {
        let counts = Counts::of(&plan());
        assert_eq!(counts, Counts { create: 1, update: 1, adopt: 1, delete: 1, keep: 1, refuse: 1 });
        assert!(counts.sentence(Exit::Failed).ends_with("1 thing in the way: `wsfix provision` would change nothing."));
        assert!(counts.sentence(Exit::Changes).starts_with("Plan: 1 to adopt, 1 to create"));
        assert!(counts.sentence(Exit::Changes).ends_with("`wsfix provision --adopt` makes it so."));
        let own = Counts { adopt: 0, ..counts };
        assert!(own.sentence(Exit::Changes).starts_with("Plan: 1 to create"));
        assert!(own.sentence(Exit::Changes).ends_with("`wsfix provision` makes it so."));
        assert!(Counts { keep: 12, ..Counts::default() }.sentence(Exit::Done).starts_with("Nothing to do: all 12"));
    }

    #[test]
    fn the_document_has_every_step() {
        let document = document(&plan());
        assert_eq!(document["summary"]["refuse"], 1);
        assert_eq!(document["steps"][2]["fields"][0], json!({ "field": "memory_mb", "from": "128", "to": "256" }));
        assert_eq!(document["steps"][1]["calls"][0], json!({ "name": "CreateTable", "iam": "dynamodb:CreateTable" }));
        assert_eq!(document["steps"][3]["action"], "adopt");
        assert_eq!(document["steps"][4]["reason"], "carries the tag wsfix:stack=terminal");
    }
}
