//! What the function's steps ask Lambda.

use std::collections::HashMap;
use std::rc::Rc;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus, PackageType, Runtime, State,
};

use super::{EventSource, GOING, HANDLER, Live, Parts, RUNTIME, Spec, changes, compared};
use crate::contract::ownership::STACK_TAG;
use crate::provision::answer::{Answer, TAGGING, gone, made_anew, unanswered};
use crate::provision::desired::Desired;
use crate::provision::environment;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::ownership::{Tags, without_tags};
use crate::provision::plan::ApiCall;
use crate::provision::resource::{Context, Kind};
use crate::provision::wait::{LAGGING_LOOKS, Probe, retry, until, until_gone};

pub(crate) const GET_FUNCTION: ApiCall = ApiCall { name: "GetFunction", iam: "lambda:GetFunction" };
const LIST_EVENT_SOURCE_MAPPINGS: ApiCall = ApiCall { name: "ListEventSourceMappings", iam: "lambda:ListEventSourceMappings" };
/// The tags come with the function, if this is allowed too.
const LIST_TAGS: ApiCall = ApiCall { name: "GetFunction", iam: "lambda:ListTags" };
const CREATE_FUNCTION: ApiCall = ApiCall { name: "CreateFunction", iam: "lambda:CreateFunction" };
pub(crate) const UPDATE_FUNCTION_CONFIGURATION: ApiCall =
    ApiCall { name: "UpdateFunctionConfiguration", iam: "lambda:UpdateFunctionConfiguration" };
/// Only where the role changes: naming one asks for the right to pass it.
pub(crate) const PASS_ROLE: ApiCall = ApiCall { name: "UpdateFunctionConfiguration", iam: "iam:PassRole" };
pub(crate) const UPDATE_FUNCTION_CODE: ApiCall = ApiCall { name: "UpdateFunctionCode", iam: "lambda:UpdateFunctionCode" };
pub(crate) const TAG_RESOURCE: ApiCall = ApiCall { name: "TagResource", iam: "lambda:TagResource" };
pub(crate) const DELETE_FUNCTION: ApiCall = ApiCall { name: "DeleteFunction", iam: "lambda:DeleteFunction" };
/// What making a function takes. Lambda asks for the right to pass the role and to tag in the same call.
pub(crate) const CREATE: &[ApiCall] = &[
    CREATE_FUNCTION,
    ApiCall { name: "CreateFunction", iam: "iam:PassRole" },
    ApiCall { name: "CreateFunction", iam: "lambda:TagResource" },
    GET_FUNCTION,
];

/// A new role takes seconds until Lambda may assume it; a role that still cannot be assumed then never will.
const ASSUMABLE_SECONDS: u64 = 60;
/// How often a function that was deleted may still be shown as it was.
const STALE_LOOKS: u32 = 3;
/// How often code is looked at, over some 3 s, before it is taken for somebody else's.
const LATE_LOOKS: u32 = 6;
/// Without a VPC a function is ready in seconds.
const READY_SECONDS: u64 = 120;

/// How often a changed function is read again before it is given up.
const REVISIONS: usize = 5;

/// Reads a function, its configuration and its tags.
pub(crate) async fn read(cx: &Context<'_>, name: &str) -> Result<Live, AwsError> {
    let answer = cx.clients.lambda.get_function().function_name(name).send().await.explain(GET_FUNCTION, name)?;
    Ok(live(&answer))
}

/// The event source mappings that call a function.
pub(crate) async fn event_sources(cx: &Context<'_>, name: &str) -> Result<Vec<EventSource>, AwsError> {
    let mut pages = cx.clients.lambda.list_event_source_mappings().function_name(name).into_paginator().send();
    let mut sources = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.explain(LIST_EVENT_SOURCE_MAPPINGS, name)?;
        sources.extend(page.event_source_mappings().iter().map(|mapping| {
            let uuid = mapping.uuid().unwrap_or_default().to_owned();
            EventSource { source: mapping.event_source_arn().unwrap_or(&uuid).to_owned(), uuid }
        }));
    }
    Ok(sources)
}

pub(super) fn live(answer: &GetFunctionOutput) -> Live {
    let unread = answer.tags_error().map(|error| format!("{}: {}: {}", LIST_TAGS.iam, error.error_code(), error.message()));
    let tags = match (answer.tags(), &unread) {
        (_, Some(_)) => None,
        (tags, None) => Some(tags.cloned().unwrap_or_default().into_iter().collect()),
    };
    let empty = FunctionConfiguration::builder().build();
    let found = answer.configuration().unwrap_or(&empty);
    let environment = found.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    let spec = Spec {
        code: Some(found.code_sha256().unwrap_or_default().to_owned()),
        role: Some(found.role().unwrap_or_default().to_owned()),
        runtime: found.runtime().map_or("", Runtime::as_str).to_owned(),
        handler: found.handler().unwrap_or_default().to_owned(),
        timeout_seconds: found.timeout().unwrap_or_default(),
        memory_mb: found.memory_size().unwrap_or_default(),
        // Lambda's default, and that of servers that leave it out.
        architecture: found.architectures().first().map_or("x86_64", Architecture::as_str).to_owned(),
        description: found.description().unwrap_or_default().to_owned(),
        environment: environment.into_iter().map(|(name, value)| compared(name, &value)).collect(),
        state: state(found),
    };
    Live {
        arn: found.function_arn().unwrap_or_default().to_owned(),
        revision: found.revision_id().map(str::to_owned),
        spec,
        tags,
        reason: reason(found),
        in_vpc: found.vpc_config().and_then(|vpc| vpc.vpc_id()).is_some_and(|id| !id.is_empty()),
        unread,
        other_kind: other_kind(found),
        event_sources: Found::Absent,
        environment_unread: found
            .environment()
            .and_then(|environment| environment.error())
            .map(|error| format!("{}: {}", error.error_code().unwrap_or_default(), error.message().unwrap_or_default())),
    }
}

/// What a function is that the handler cannot be put in the place of: its code is of another kind, or something else is in it.
fn other_kind(found: &FunctionConfiguration) -> Vec<String> {
    let mut reasons = Vec::new();
    let runtime = found.runtime().map_or("", Runtime::as_str);
    if found.package_type() == Some(&PackageType::Image) {
        reasons.push("it is made of a container image".to_owned());
    } else if !runtime.starts_with("provided") {
        reasons.push(format!("its runtime is {runtime}, and wsfix's handler would destroy the code that it has"));
    }
    if !found.layers().is_empty() {
        let layers: Vec<&str> = found.layers().iter().filter_map(|layer| layer.arn()).collect();
        reasons.push(format!("it has layers ({})", layers.join(", ")));
    }
    if let Some(vpc) = found.vpc_config().and_then(|vpc| vpc.vpc_id()).filter(|id| !id.is_empty()) {
        reasons.push(format!("it is in the VPC {vpc}, where the handler may reach neither the backend nor @connections"));
    }
    reasons
}

/// State and last update in one word: `Active`, or what is in the way.
fn state(found: &FunctionConfiguration) -> String {
    match (found.state(), found.last_update_status()) {
        (Some(State::Active | State::Inactive) | None, Some(update @ (LastUpdateStatus::InProgress | LastUpdateStatus::Failed))) => {
            format!("update {update}")
        }
        // A function that nobody called for weeks wakes up by itself.
        (Some(State::Active | State::Inactive) | None, _) => State::Active.to_string(),
        (Some(other), _) => other.to_string(),
    }
}

fn reason(found: &FunctionConfiguration) -> String {
    let reasons = [found.state_reason(), found.last_update_status_reason()];
    reasons.into_iter().flatten().filter(|reason| !reason.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Makes the function and waits until it can be called.
pub(crate) async fn create(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let name = &cx.want.function.name;
    let mut tags = cx.want.tags.clone();
    loop {
        match create_function(cx, &seen, &tags).await {
            Ok(()) => break,
            Err(error) if !tags.is_empty() && error.denies(TAGGING) => {
                cx.note(format!("the function gets no tags; the marker in its description stands in for them ({})", error.words()));
                tags.clear();
            }
            // It was not there a moment ago: the answer to our call was lost, or another run made it.
            Err(error) if error.cause == Cause::Exists => {
                cx.rivals.notice();
                let live = read(cx, name).await?;
                if !live.owner(&cx.want.stack).is_ours() {
                    return Err(error);
                }
                if live.api().is_some_and(|api| api != seen.api_id()) {
                    return Err(overtaken(CREATE_FUNCTION, &seen, &live));
                }
                return repair(cx, &Observed { function: Found::Present(live), ..(*seen).clone() }).await;
            }
            Err(error) => return Err(error),
        }
    }
    let live = wait_code(cx, true).await?;
    Ok(Slot::Function(Found::Present(live)))
}

async fn create_function(cx: &Context<'_>, seen: &Observed, tags: &Tags) -> Result<(), AwsError> {
    let (want, mut spec) = (&cx.want, Spec::wanted(&cx.want, seen));
    if tags.is_empty() {
        spec.description = without_tags(&spec.description);
    }
    let arn = seen.place.function(&want.function.name);
    let zip = want.code.as_ref().map(|code| Blob::new(code.zip.to_vec()));
    let call = cx.clients.lambda.create_function().function_name(&want.function.name).set_role(spec.role.clone());
    let call = call.runtime(Runtime::from(RUNTIME)).handler(HANDLER).package_type(PackageType::Zip);
    let call = call.code(FunctionCode::builder().set_zip_file(zip).build()).architectures(Architecture::from(spec.architecture.as_str()));
    let call =
        call.description(&spec.description).timeout(spec.timeout_seconds).memory_size(spec.memory_mb).environment(environment(want, seen));
    let call = call.set_tags((!tags.is_empty()).then(|| tags.clone().into_iter().collect::<HashMap<_, _>>()));
    let watch = cx.watch(Kind::Function, &want.function.name, CREATE_FUNCTION, ASSUMABLE_SECONDS);
    let made = retry(watch, async || {
        call.clone().customize().config_override(cx.clients.for_uploads()).send().await.explain(CREATE_FUNCTION, &arn)
    })
    .await;
    made.map(drop).map_err(unassumable)
}

/// A role that cannot be assumed for a minute is no role for Lambda: its trust policy is wrong.
fn unassumable(error: AwsError) -> AwsError {
    let trust = error.words().contains("cannot be assumed by Lambda");
    if trust { AwsError { cause: Cause::Invalid, ..error } } else { error }
}

/// The one place that has the secrets' values: the function gets them.
fn environment(want: &Desired, seen: &Observed) -> Environment {
    let variables = environment::variables(want, seen).into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
    Environment::builder().set_variables(Some(variables)).build()
}

/// Puts right what differs.
pub(crate) async fn update(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    repair(cx, &seen).await
}

async fn repair(cx: &Context<'_>, seen: &Observed) -> Result<Slot, AwsError> {
    let Some(live) = seen.function.present() else { return Ok(Slot::Same) };
    let parts = Parts::of(&changes(&cx.want, seen, live));
    let mut live = live.clone();
    if live.spec.state.contains("Pending") || live.spec.state.contains("InProgress") {
        live = wait_ready(cx, false).await?;
    }
    // The marks come first: whatever happens after them, the function says whose it is.
    let mut spec = Spec::wanted(&cx.want, seen);
    if parts.tags && !put_tags(cx, &live).await? && !live.tags.as_ref().is_some_and(|tags| tags.contains_key(STACK_TAG)) {
        spec.description = without_tags(&spec.description);
    }
    if parts.configuration || spec.description != live.spec.description {
        update_configuration(cx, seen, &spec, &live).await?;
        live = wait_ready(cx, false).await?;
    }
    if parts.code {
        update_code(cx, &live).await?;
        live = wait_code(cx, false).await?;
    }
    Ok(Slot::Function(Found::Present(live)))
}

/// Changes the configuration; `seen` is what the API's id is taken from, `live` what is there.
async fn update_configuration(cx: &Context<'_>, seen: &Observed, spec: &Spec, live: &Live) -> Result<(), AwsError> {
    let name = &cx.want.function.name;
    let call = cx.clients.lambda.update_function_configuration().function_name(name);
    let call = call.runtime(Runtime::from(RUNTIME)).handler(HANDLER).description(&spec.description);
    let call = call.timeout(spec.timeout_seconds).memory_size(spec.memory_mb).environment(environment(&cx.want, seen));
    // Naming a role asks for the right to pass it, even where it stays the same.
    let call = call.set_role(spec.role.clone().filter(|role| live.spec.role.as_ref() != Some(role)));
    // Of two runs that give the function another API at the same time, one is told that it changed.
    let mut revision = live.revision.clone().filter(|_| live.api().is_some_and(|api| api != seen.api_id()));
    for _ in 0..REVISIONS {
        let call = call.clone().set_revision_id(revision);
        let watch = cx.watch(Kind::Function, name, UPDATE_FUNCTION_CONFIGURATION, READY_SECONDS);
        match retry(watch, async || call.clone().send().await.explain(UPDATE_FUNCTION_CONFIGURATION, &live.arn)).await {
            Err(error) if error.cause == Cause::Overtaken => {
                let now = wait_ready(cx, false).await?;
                if now.api() != live.api() {
                    return Err(overtaken(UPDATE_FUNCTION_CONFIGURATION, seen, &now));
                }
                revision = now.revision;
            }
            other => return other.map(drop).map_err(unassumable),
        }
    }
    Err(AwsError::of(UPDATE_FUNCTION_CONFIGURATION, &live.arn, Cause::NotReady, Some("it changes each time it is read".to_owned())))
}

/// Another run's API is the stack's.
fn overtaken(call: ApiCall, seen: &Observed, live: &Live) -> AwsError {
    let said = format!("another run made the function work with the API {}, not {}", live.api().unwrap_or_default(), seen.api_id());
    AwsError::of(call, &live.arn, Cause::Overtaken, Some(said))
}

/// Changes the description alone.
pub(super) async fn describe(cx: &Context<'_>, live: &Live, description: &str) -> Result<(), AwsError> {
    if live.spec.description == description {
        return Ok(());
    }
    let name = &cx.want.function.name;
    let call = cx.clients.lambda.update_function_configuration().function_name(name).description(description);
    let watch = cx.watch(Kind::Function, name, UPDATE_FUNCTION_CONFIGURATION, READY_SECONDS);
    match retry(watch, async || call.clone().send().await.explain(UPDATE_FUNCTION_CONFIGURATION, &live.arn)).await {
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
            cx.rivals.leave();
            cx.note(format!(
                "what was denied is tried again in each run, since the function's description cannot say so ({})",
                error.words()
            ));
            Ok(())
        }
        Err(error) => Err(error),
        Ok(_) => wait_ready(cx, false).await.map(drop),
    }
}

async fn update_code(cx: &Context<'_>, live: &Live) -> Result<(), AwsError> {
    let Some(code) = &cx.want.code else { return Ok(()) };
    let name = &cx.want.function.name;
    let architecture = Architecture::from(cx.want.function.architecture.as_str());
    let call =
        cx.clients.lambda.update_function_code().function_name(name).zip_file(Blob::new(code.zip.to_vec())).architectures(architecture);
    let watch = cx.watch(Kind::Function, name, UPDATE_FUNCTION_CODE, READY_SECONDS);
    retry(watch, async || {
        call.clone().customize().config_override(cx.clients.for_uploads()).send().await.explain(UPDATE_FUNCTION_CODE, &live.arn)
    })
    .await
    .map(drop)
}

/// Waits until Lambda runs what was sent. For a moment reads may show what was there before.
async fn wait_code(cx: &Context<'_>, new: bool) -> Result<Live, AwsError> {
    let mut looks = 0;
    let name = &cx.want.function.name;
    until(cx.watch(Kind::Function, name, GET_FUNCTION, READY_SECONDS), async || {
        let live = wait_ready(cx, new).await?;
        looks += 1;
        match check_code(cx, &live) {
            Ok(()) => Ok(Probe::Ready(live)),
            Err(_) if looks < LATE_LOOKS => Ok(Probe::Pending("the new code is not seen yet".to_owned())),
            Err(error) => Err(error),
        }
    })
    .await
}

/// What Lambda runs must be what was sent.
fn check_code(cx: &Context<'_>, live: &Live) -> Result<(), AwsError> {
    match (&cx.want.code, &live.spec.code) {
        (Some(sent), Some(stored)) if sent.sha256 != *stored => {
            let said = format!("Lambda stores code with the digest {stored}, not {}: somebody else uploads to this function", sent.sha256);
            Err(unanswered(UPDATE_FUNCTION_CODE, &live.arn, &said))
        }
        _ => Ok(()),
    }
}

/// Whether the tags could be set.
async fn put_tags(cx: &Context<'_>, live: &Live) -> Result<bool, AwsError> {
    let tags: HashMap<_, _> = cx.want.tags_of(live.adopted(&cx.want.stack)).into_iter().collect();
    match cx.clients.lambda.tag_resource().resource(&live.arn).set_tags(Some(tags)).send().await.explain(TAG_RESOURCE, &live.arn) {
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
            cx.rivals.leave();
            cx.note(format!("the function's tags stay as they are ({})", error.words()));
            Ok(false)
        }
        other => other.map(|_| true),
    }
}

/// Waits until the function is active and its last update is through.
async fn wait_ready(cx: &Context<'_>, new: bool) -> Result<Live, AwsError> {
    let name = &cx.want.function.name;
    let mut looks = 0;
    until(cx.watch(Kind::Function, name, GET_FUNCTION, READY_SECONDS), async || {
        looks += 1;
        let live = match read(cx, name).await {
            Err(error) if new && error.cause == Cause::NotFound && looks < LAGGING_LOOKS => {
                return Ok(Probe::Pending("not known yet".to_owned()));
            }
            other => other?,
        };
        let state = live.spec.state.clone();
        Ok(match state.as_str() {
            "Active" => Probe::Ready(live),
            "Pending" | "update InProgress" => Probe::Pending(state),
            _ => Probe::Failed(if live.reason.is_empty() { state } else { format!("{state}: {}", live.reason) }),
        })
    })
    .await
}

/// Deletes the function and waits until it is gone.
pub(crate) async fn delete(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let name = &cx.want.function.name;
    let arn = seen.place.function(name);
    let deleted = retry(cx.watch(Kind::Function, name, DELETE_FUNCTION, READY_SECONDS), async || {
        cx.clients.lambda.delete_function().function_name(name).send().await.explain(DELETE_FUNCTION, &arn)
    });
    gone(deleted.await)?;
    let revision = seen.function.present().and_then(|live| live.revision.as_ref());
    let mut looks = 0;
    until_gone(cx.watch(Kind::Function, name, GET_FUNCTION, READY_SECONDS), async || {
        let live = read(cx, name).await?;
        looks += 1;
        // A revision that stays and was never seen before is that of another function.
        if looks > STALE_LOOKS && live.revision.as_ref() != revision && live.spec.state != GOING {
            return Err(made_anew(GET_FUNCTION, &arn));
        }
        Ok(live.spec.state)
    })
    .await?;
    Ok(Slot::Function(Found::Absent))
}
