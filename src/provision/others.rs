//! What somebody else put into the stack's API, or hung onto its function. A teardown tells of it, and deletes nothing while it is there.

use std::rc::Rc;

use super::answer::Answer;
use super::desired::Desired;
use super::error::AwsError;
use super::observed::{Found, Observed, Slot};
use super::plan::ApiCall;
use super::resource::{Context, Kind, Resource, Seen, Verdict};
use super::resources::function::{self, EventSource};
use super::resources::integration::{self, is_marked};

const LIST_ALIASES: ApiCall = ApiCall { name: "ListAliases", iam: "lambda:ListAliases" };
const LIST_FUNCTION_URL_CONFIGS: ApiCall = ApiCall { name: "ListFunctionUrlConfigs", iam: "lambda:ListFunctionUrlConfigs" };

/// Who calls the function besides the API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Callers {
    event_sources: Found<Vec<EventSource>>,
    aliases: Found<Vec<String>>,
    /// URLs of the function itself, each with the alias that it is of.
    urls: Found<Vec<(String, Option<String>)>>,
}

/// What is in the way, and the command that takes it out.
struct InTheWay {
    what: String,
    command: String,
}

pub(crate) struct Others;

impl Resource for Others {
    fn kind(&self) -> Kind {
        Kind::Others
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Function]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            if !seen.function.present().is_some_and(|function| function.goes(&cx.want)) {
                return Ok(Slot::Callers(Callers::default()));
            }
            let name = &cx.want.function.name;
            let (sources, aliases, urls) = futures_util::join!(function::event_sources(cx, name), aliases(cx, name), urls(cx, name));
            Ok(Slot::Callers(Callers {
                event_sources: Found::optional(sources)?,
                aliases: Found::optional(aliases)?,
                urls: Found::optional(urls)?,
            }))
        })
    }

    fn diff(&self, _want: &Desired, _seen: &Observed) -> Verdict {
        Verdict::default()
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let (parts, callers) = (parts(want, seen), callers(want, seen));
        let mut verdict = Verdict { notes: unread(want, seen), ..Verdict::default() };
        let found = [
            (Kind::Api, want.api.name.as_str(), "it has parts that this stack did not make", parts),
            (Kind::Function, want.function.name.as_str(), "others use it", callers),
        ];
        for (kind, name, reason, found) in found {
            let (what, commands): (Vec<_>, Vec<_>) =
                found.into_iter().map(|InTheWay { what, command }| (what, format!("`{command}`"))).unzip();
            if !what.is_empty() {
                let reason = format!("{reason}: {}", what.join(", "));
                let remedy = format!("delete what nobody needs, then run teardown again: {}", commands.join(", "));
                verdict.steps.extend(Verdict::refuse(kind, name, &reason, &remedy).steps);
            }
        }
        (!verdict.steps.is_empty() || !verdict.notes.is_empty()).then_some(verdict)
    }
}

/// The parts of the API that go with it and are not the stack's. In an adopted API nobody knows whose a part is.
fn parts(want: &Desired, seen: &Observed) -> Vec<InTheWay> {
    let Some(api) = seen.api().filter(|api| !api.adopted()) else { return Vec::new() };
    let with = |command: &str, of: &str| format!("aws apigatewayv2 {command} --api-id {} {of}", api.id);
    let calls_us = |one: &integration::One| one.function() == Some(&want.function.name);
    let all = seen.integrations.present().map(|live| live.all.as_slice()).unwrap_or_default();
    let mut found = Vec::new();
    for one in all.iter().filter(|one| !is_marked(want, one) && !calls_us(one)) {
        let target = format!("integrations/{}", one.id);
        let routes = seen.routes.present().into_iter().flatten().filter(|(_, route)| route.target() == target);
        found.extend(routes.map(|(key, route)| InTheWay {
            what: format!("the route `{key}`"),
            command: with("delete-route", &format!("--route-id {}", route.id)),
        }));
        found.push(InTheWay {
            what: format!("the integration {} with {}", one.id, one.target()),
            command: with("delete-integration", &format!("--integration-id {}", one.id)),
        });
    }
    let stages = seen.stage.present().map(|live| live.others()).unwrap_or_default();
    found.extend(stages.iter().filter(|stage| !stage.ours).map(|stage| InTheWay {
        what: format!("the stage `{}`", stage.name),
        command: with("delete-stage", &format!("--stage-name {}", stage.name)),
    }));
    found
}

/// Who else would miss the function.
fn callers(want: &Desired, seen: &Observed) -> Vec<InTheWay> {
    if !seen.function.present().is_some_and(|function| function.goes(want)) {
        return Vec::new();
    }
    let name = &want.function.name;
    let of = |command: &str, rest: &str| format!("aws lambda {command} --function-name {name}{rest}");
    let Callers { event_sources, aliases, urls } = &seen.callers;
    let mut found = Vec::new();
    found.extend(event_sources.present().into_iter().flatten().map(|EventSource { uuid, source }| InTheWay {
        what: format!("the event source {source}"),
        command: format!("aws lambda delete-event-source-mapping --uuid {uuid}"),
    }));
    found.extend(urls.present().into_iter().flatten().map(|(url, alias)| InTheWay {
        what: format!("the function URL {url}"),
        command: of("delete-function-url-config", &alias.as_ref().map_or_else(String::new, |alias| format!(" --qualifier {alias}"))),
    }));
    found.extend(
        aliases
            .present()
            .into_iter()
            .flatten()
            .map(|alias| InTheWay { what: format!("the alias `{alias}`"), command: of("delete-alias", &format!(" --name {alias}")) }),
    );
    let api = seen.api().map(|api| api.id.as_str());
    found.extend(seen.permission.present().into_iter().flat_map(|live| live.of_others(api)).map(|other| InTheWay {
        what: format!("the permission of {}", other.words),
        command: of("remove-permission", &format!(" --statement-id {}", other.sid)),
    }));
    found
}

/// What could not be looked for.
fn unread(want: &Desired, seen: &Observed) -> Vec<String> {
    fn why<T>(found: &Found<T>) -> Option<&str> {
        match found {
            Found::Unknown(why) => Some(why),
            Found::Absent | Found::Present(_) => None,
        }
    }
    let Callers { event_sources, aliases, urls } = &seen.callers;
    let of_function = [why(event_sources), why(aliases), why(urls), why(&seen.permission)];
    let of_api = [why(&seen.integrations), why(&seen.routes), why(&seen.stage)];
    let told = |what: &str, why: &[Option<&str>]| {
        let why: Vec<&str> = why.iter().copied().flatten().collect();
        (!why.is_empty()).then(|| format!("whether {what} is not known: {}", why.join("; ")))
    };
    let function = told(&format!("others use the function {}", want.function.name), &of_function);
    let function = function.filter(|_| seen.function.present().is_some_and(|function| function.goes(want)));
    let api = told(&format!("others put something into the API {}", want.api.name), &of_api);
    function.into_iter().chain(api.filter(|_| seen.api().is_some_and(|api| !api.adopted()))).collect()
}

async fn aliases(cx: &Context<'_>, name: &str) -> Result<Vec<String>, AwsError> {
    let mut pages = cx.clients.lambda.list_aliases().function_name(name).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page.explain(LIST_ALIASES, name)?.aliases().iter().filter_map(|alias| alias.name().map(str::to_owned)));
    }
    Ok(found)
}

async fn urls(cx: &Context<'_>, name: &str) -> Result<Vec<(String, Option<String>)>, AwsError> {
    let mut pages = cx.clients.lambda.list_function_url_configs().function_name(name).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.explain(LIST_FUNCTION_URL_CONFIGS, name)?;
        found.extend(page.function_url_configs().iter().map(|config| {
            // A URL of an alias has the alias at the end of its ARN.
            let alias = config.function_arn().splitn(8, ':').nth(7).map(str::to_owned);
            (config.function_url().to_owned(), alias)
        }));
    }
    Ok(found)
}
