//! Makes one AWS account match a `Config`: the pipelines `plan`, `provision`, `status` and `teardown`, in reading order.
//!
//! Data flows one way: config -> desired -> observed -> plan -> apply -> outputs. The account is the state; there is no state file.

mod answer;
pub mod app_runner;
mod apply;
mod aws;
pub mod blueprint;
pub mod bundle;
pub mod connections;
pub mod denial;
mod desired;
mod drain;
mod environment;
pub mod error;
pub mod evidence;
mod execution_logs;
mod export;
pub(crate) mod fill;
mod former;
mod gateway_account;
pub mod health;
mod issuer;
pub mod log_lines;
mod logging;
mod look;
mod management;
mod observed;
mod others;
pub mod outputs;
mod ownership;
mod permissions;
pub mod plan;
pub mod preflight;
pub mod progress;
pub mod request;
mod resource;
mod resources;
mod rivals;
pub mod roles;
mod sensitive;
mod signed;
mod simulate;
pub mod stacks;
mod standing;
mod teardown;
mod turns;
mod wait;
pub mod witness;

use std::cell::{Cell, RefCell};
use std::pin::pin;

use futures_util::future::{Either, select};

use crate::config::Config;
use aws::Clients;
use desired::Desired;
pub use drain::{Drained, drain};
pub use error::Error;
pub use export::export;
use health::Condition;
use log_lines::Silence;
use look::look;
pub use observed::Place;
use observed::{Found, Observed};
pub use outputs::{Outputs, Status};
use permissions::Scope;
use plan::Action;
pub use plan::Plan;
pub use preflight::Preflight;
use preflight::{Asked, guard};
use progress::{Event, Reporter};
use request::Request;
use resource::{Context, Kind, RESOURCES, Verdict, label};
use resources::role;
use rivals::{Rivals, settle};
pub use roles::Survey;
pub use teardown::{TornDown, plan_teardown, teardown};
pub use witness::Witness;

/// What every pipeline works with.
pub struct Run<'a> {
    /// What is wanted.
    pub config: &'a Config,
    /// Told what happens.
    pub reporter: &'a dyn Reporter,
    /// Asked before every new step.
    pub stop: &'a Stop,
    /// What the person allows besides the usual.
    pub consent: Consent,
}

/// What a person allows, or keeps back, besides the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// `plan`, `provision`: what is nobody's and has a wanted name is marked as this stack's, and made as the config wants it.
    pub adopt: bool,
    /// `teardown`: what was adopted is deleted too.
    pub delete_adopted: bool,
    /// `teardown`: the table stays, and is marked as kept.
    pub keep_data: bool,
    /// `teardown`: the log groups stay.
    pub keep_logs: bool,
}

/// A request to stop: no new step starts, those running finish.
#[derive(Debug, Default)]
pub struct Stop(Cell<bool>);

impl Stop {
    /// Asks the run to stop.
    pub fn request(&self) {
        self.0.set(true);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.get()
    }
}

/// What `provision` did.
#[derive(Debug)]
pub struct Provisioned {
    /// What was planned, and then done.
    pub plan: Plan,
    /// What a person needs from the stack.
    pub outputs: Outputs,
}

/// Looks at the account and says what `provision` would do. Changes nothing.
///
/// # Errors
/// When the account cannot be read, the handler cannot be had, or something stands in the way.
pub async fn plan(run: &Run<'_>) -> Result<Plan, Error> {
    let (cx, seen) = prepare(run, None).await?;
    Ok(Plan::provision(&cx.want, &seen))
}

/// As [`plan()`], and whether the caller and the execution role may do what it takes.
///
/// # Errors
/// As [`plan()`]. A known denial is no error here: the report has it.
pub async fn plan_with_preflight(run: &Run<'_>) -> Result<(Plan, Preflight), Error> {
    let (cx, seen) = prepare(run, None).await?;
    let plan = Plan::provision(&cx.want, &seen);
    let preflight = preflight::survey(&cx, &seen, &plan).await?;
    Ok((plan, preflight))
}

/// Makes the account match the config. Safe to repeat: a second run makes no mutating call.
///
/// # Errors
/// As [`plan()`], and when a call that the plan takes is known to be denied, before anything is made; and when a step fails or the run is
/// stopped: the error says what is done and what is left.
pub async fn provision(run: &Run<'_>) -> Result<Provisioned, Error> {
    let mut asked = Asked::default();
    let (cx, seen) = prepare(run, Some(&mut asked)).await?;
    let plan = Plan::provision(&cx.want, &seen);
    // The handler's code may be one more change.
    guard(&cx, &seen, &plan, &mut asked).await?;
    run.reporter.event(planned(&plan));
    tell_adoption(run.reporter, &plan);
    let seen = settle(&cx, run.stop, &plan, seen).await?;
    let outputs = outputs::outputs(&cx.want, &seen).unwrap_or_default();
    Ok(Provisioned { plan, outputs })
}

/// Reads the account, and finds or builds the handler meanwhile. What stands in the way is said before a build is waited for; with
/// `asked`, what the caller is known not to be allowed too.
async fn prepare<'a>(run: &Run<'a>, asked: Option<&mut Asked>) -> Result<(Context<'a>, Observed), Error> {
    let mut want = Desired::new(run.config).map_err(Error::Refused)?;
    want.environment.extend(issuer::pinned(run.config).await.map_err(|refusal| Error::Refused(vec![refusal]))?);
    let mut cx = context(run, want).await?;
    let observe = async {
        let seen = look(&cx, KEPT).await?;
        let plan = Plan::provision(&cx.want, &seen);
        let refusals = plan.refusals();
        match refusals.as_slice() {
            [] => {
                if let Some(asked) = asked {
                    guard(&cx, &seen, &plan, asked).await?;
                }
                Ok(seen)
            }
            // Where nothing but the role is open, a person can choose.
            [_] if !roles::choices(&cx.want, &seen).is_empty() => Err(Error::Choice(roles::choices(&cx.want, &seen))),
            _ => Err(Error::Refused(refusals)),
        }
    };
    let function = &run.config.function;
    let build = bundle::build(function.handler.as_ref(), function.architecture, run.reporter);
    // What is wrong with the account is said first, whichever is ready first.
    let (seen, code) = match select(pin!(observe), pin!(build)).await {
        Either::Left((seen, build)) => (seen?, build.await?),
        Either::Right((code, observe)) => (observe.await?, code?),
    };
    cx.want.code = Some(code);
    Ok((cx, seen))
}

fn planned(plan: &Plan) -> Event {
    let count = |test: fn(&Action) -> bool| plan.steps.iter().filter(|step| test(&step.action)).count();
    Event::Planned {
        create: count(|action| matches!(action, Action::Create)),
        update: count(|action| matches!(action, Action::Update(_))),
        adopt: count(|action| matches!(action, Action::Adopt(_))),
        delete: count(|action| matches!(action, Action::Delete(_))),
    }
}

/// Says what is adopted while it can still be stopped, and with it all that the plan has to say.
fn tell_adoption(reporter: &dyn Reporter, plan: &Plan) {
    let mut adopts = false;
    for step in &plan.steps {
        if let Action::Adopt(fields) = &step.action {
            adopts = true;
            reporter.event(Event::Adopting { resource: label(step.kind, &step.name), fields: fields.clone() });
        }
    }
    if adopts {
        plan.notes.iter().for_each(|text| reporter.event(Event::Note { text: text.clone() }));
    }
}

async fn context<'a>(run: &Run<'a>, mut want: Desired) -> Result<Context<'a>, Error> {
    let clients = Clients::connect(&run.config.connection).await.map_err(|refusal| Error::Refused(vec![refusal]))?;
    want.consent = run.consent;
    Ok(Context { clients, want, reporter: run.reporter, denied: RefCell::default(), rivals: Rivals::default() })
}

/// What is there, whether it works, and whether it is as the config says. Changes nothing.
///
/// The handler is compared only where the config names a file: building one just to look would take minutes.
///
/// # Errors
/// When the account cannot be read at all.
pub async fn status(run: &Run<'_>) -> Result<Status, Error> {
    let (mut want, mut missing) = match Desired::new(run.config) {
        Ok(want) => (want, Vec::new()),
        Err(missing) => (Desired::partly(run.config), missing),
    };
    match issuer::pinned(run.config).await {
        Ok(keys) => want.environment.extend(keys),
        Err(refusal) => missing.push(refusal),
    }
    let mut cx = context(run, want).await?;
    let seen = look(&cx, KEPT).await?;
    let function = &run.config.function;
    if function.handler.is_some() {
        cx.want.code = Some(bundle::build(function.handler.as_ref(), function.architecture, run.reporter).await?);
    }
    let connections = connections::of_stack(&cx, &seen).await?;
    Ok(Status {
        connections,
        resources: RESOURCES.iter().flat_map(|resource| resource.status(&cx.want, &seen)).collect(),
        outputs: outputs::outputs(&cx.want, &seen),
        drift: missing.is_empty().then(|| Plan::provision(&cx.want, &seen)),
        not_compared: missing.iter().map(|refusal| format!("{}: {}", refusal.resource, refusal.reason)).collect(),
    })
}

/// What stands of a stack, as far as a socket depends on it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What must be so, and whether it is.
    pub conditions: Vec<Condition>,
    /// `None` where the stack has no API, or it could not be read.
    pub outputs: Option<Outputs>,
}

/// Whether what a socket depends on is as it must be. Changes nothing. The role that is judged is the function's own, whatever the config names.
///
/// # Errors
/// When the account cannot be read at all.
pub async fn inspect(run: &Run<'_>) -> Result<Inspection, Error> {
    let cx = with_own_role(run).await?;
    let seen = look(&cx, KEPT).await?;
    Ok(Inspection { conditions: health::conditions(&cx.want, &seen), outputs: outputs::outputs(&cx.want, &seen) })
}

/// The URL that browsers connect to; `None` where the stack has no API. Changes nothing.
///
/// # Errors
/// When the APIs cannot be read.
pub async fn websocket_url(run: &Run<'_>) -> Result<Option<String>, Error> {
    let cx = context(run, Desired::partly(run.config)).await?;
    let seen = look(&cx, |kind| [Kind::Account, Kind::Api].contains(&kind)).await?;
    if let Found::Unknown(why) = &seen.api {
        let verdict = Verdict::unread(Kind::Api, &cx.want.api.name, why);
        return Err(Error::Refused(Plan { steps: verdict.steps, ..Plan::default() }.refusals()));
    }
    Ok(seen.api().map(|api| outputs::websocket_url(&cx.want, &seen, &api.id)))
}

/// Why no line of the function can be read. The role that is judged is the function's own. Changes nothing.
///
/// # Errors
/// When the account cannot be read at all.
pub async fn log_silence(run: &Run<'_>) -> Result<Silence, Error> {
    let cx = with_own_role(run).await?;
    let kinds = [Kind::Account, Kind::Role, Kind::Judgement, Kind::Api, Kind::Function, Kind::LogGroup];
    let seen = look(&cx, |kind| kinds.contains(&kind)).await?;
    Ok(log_lines::silence(&cx, &seen).await?)
}

/// A context in which the role that the function has is the one that is wanted.
async fn with_own_role<'a>(run: &Run<'a>) -> Result<Context<'a>, Error> {
    let mut cx = context(run, Desired::partly(run.config)).await?;
    let function = look(&cx, |kind| [Kind::Account, Kind::Function].contains(&kind)).await?;
    if let Some(role) = function.function_role(&cx.want) {
        cx.want.role = Some(role.to_owned());
    }
    Ok(cx)
}

/// Every stack of the account in this Region that has an API. Changes nothing.
///
/// # Errors
/// When the APIs cannot be listed.
pub async fn stacks(run: &Run<'_>) -> Result<Vec<stacks::StackFound>, Error> {
    let cx = context(run, Desired::partly(run.config)).await?;
    Ok(stacks::all(&cx).await?)
}

/// The account's roles, or the one that is named (a name or an ARN), each with how well it serves. Changes nothing.
///
/// # Errors
/// When the account cannot be read, the roles cannot be listed, or there is no role of that name.
pub async fn survey(run: &Run<'_>, named: Option<&str>) -> Result<Survey, Error> {
    let want = Desired { role: named.map(str::to_owned), ..Desired::partly(run.config) };
    let cx = context(run, want).await?;
    let seen = look(&cx, |kind| [Kind::Account, Kind::Role, Kind::Api, Kind::Function].contains(&kind)).await?;
    let roles =
        role::found(&cx.want, &seen).map_err(|verdict| Error::Refused(Plan { steps: verdict.steps, ..Plan::default() }.refusals()))?;
    let judged = roles::judge(&cx.clients, Scope::of(&cx.want, &seen, None), &roles).await?;
    Ok(roles::survey(&cx.want, &seen, &judged))
}

/// What to ask an administrator for. Changes nothing, and needs no right: what cannot be read is asked for.
///
/// # Errors
/// When there is no answer at all, or the credentials are wrong.
pub async fn request(run: &Run<'_>) -> Result<Request, Error> {
    let cx = context(run, Desired::partly(run.config)).await?;
    let seen = look(&cx, KEPT).await?;
    let plan = Plan::provision(&cx.want, &seen);
    let preflight = preflight::survey(&cx, &seen, &plan).await?;
    Ok(Request::new(&cx.want, &seen, &preflight.culprits))
}

/// What is compared: everything that wsfix makes or works with.
const KEPT: fn(Kind) -> bool = |kind| !matches!(kind, Kind::ExecutionLogs | Kind::Others);
