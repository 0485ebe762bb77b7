//! The WebSocket API. Its name is not unique: it is found by its tag or its marker, never by its name alone.

use std::collections::HashMap;
use std::rc::Rc;

use aws_sdk_apigatewayv2::types::ProtocolType;

use crate::provision::answer::{Answer, TAGGING};
use crate::provision::aws::{PAGE, without_retries};
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{Owner, TAG_FIELD, Tags, description, is_untagged, marked, owner, tag_changes, untagged_marker};
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Context, Field, Kind, Resource, Seen, Verdict, differences};
use crate::provision::wait::retry;

const GET_APIS: ApiCall = ApiCall { name: "GetApis", iam: "apigateway:GET" };
const CREATE_API: ApiCall = ApiCall { name: "CreateApi", iam: "apigateway:POST" };
/// What making the API takes. Tags travel with CreateApi and need their own permission; AWS asks for either of two.
const CREATE: &[ApiCall] = &[CREATE_API, ApiCall { name: "CreateApi", iam: "apigateway:TagResource" }];
const UPDATE_API: ApiCall = ApiCall { name: "UpdateApi", iam: "apigateway:PATCH" };
const DELETE_API: ApiCall = ApiCall { name: "DeleteApi", iam: "apigateway:DELETE" };
const TAG_RESOURCE: ApiCall = ApiCall { name: "TagResource", iam: "apigateway:POST" };

/// What wsfix manages about the API; anything else is left as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    name: String,
    route_selection_expression: String,
    description: String,
    disable_execute_api_endpoint: bool,
}

impl Spec {
    fn wanted(want: &Desired, found: Option<&One>) -> Self {
        Self {
            name: want.api.name.clone(),
            route_selection_expression: want.api.route_selection_expression.clone(),
            description: description(&want.stack, found.map(One::description)),
            disable_execute_api_endpoint: false,
        }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { name, route_selection_expression, description, disable_execute_api_endpoint } = self;
        vec![
            Field::new("name", name),
            Field::new("route_selection_expression", route_selection_expression),
            Field::new("description", description),
            Field::new("disable_execute_api_endpoint", disable_execute_api_endpoint.to_string()),
        ]
    }
}

/// The WebSocket APIs that concern this stack.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// Those with this stack's mark.
    pub(crate) ours: Vec<One>,
    /// Those with the wanted name and without our mark.
    foreign: Vec<One>,
}

/// One API.
#[derive(Clone, Debug)]
pub(crate) struct One {
    pub(crate) id: String,
    spec: Spec,
    tags: Tags,
    owner: Owner,
}

impl One {
    /// Its description, which may mark it.
    pub(crate) fn description(&self) -> &str {
        &self.spec.description
    }
}

pub(crate) struct Api;

impl Resource for Api {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Api(Found::of(read(cx).await)?)) })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let name = &want.api.name;
        let live = match &seen.api {
            Found::Present(live) => live,
            Found::Unknown(why) => return Verdict::unread(Kind::Api, name, why),
            Found::Absent => return Verdict::step(Kind::Api, name, Action::Create, CREATE),
        };
        match (live.ours.as_slice(), live.foreign.first()) {
            ([one], _) => {
                let mut changes = differences(&Spec::wanted(want, Some(one)).fields(), &one.spec.fields());
                changes.extend(tag_changes(&want.tags, Some(&one.tags), is_untagged(one.description())));
                let calls = calls(&changes);
                Verdict::changes(Kind::Api, name, changes, &calls)
            }
            ([], Some(foreign)) => Verdict::refuse(
                Kind::Api,
                name,
                &format!("an API of this name, {}: {}", foreign.id, foreign.owner.reason()),
                "set another `api.name` or `stack`, or, if it is this stack's, tag it `wsfix:stack` with the stack's name",
            ),
            ([], None) => Verdict::step(Kind::Api, name, Action::Create, CREATE),
            (several, _) => Verdict::refuse(
                Kind::Api,
                name,
                &several_reason(several),
                "delete those that are not in use, or take this stack's mark off them",
            ),
        }
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(create(cx, name, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(update(cx, name, seen))
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(one) = seen.api() else { return Ok(Slot::Api(Found::Absent)) };
            let answer = retry(cx.watch(Kind::Api, name, DELETE_API, 60), async || {
                cx.clients.api.delete_api().api_id(&one.id).send().await.explain(DELETE_API, &seen.place.api(&one.id))
            });
            match answer.await {
                Err(error) if error.cause != Cause::NotFound => Err(error),
                _ => Ok(Slot::Api(Found::Absent)),
            }
        })
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let name = &want.api.name;
        let live = match &seen.api {
            Found::Present(live) => live,
            Found::Unknown(why) => return Some(Verdict::unread(Kind::Api, name, why)),
            Found::Absent => return None,
        };
        let refuse = |reason: &str, remedy: &str| Some(Verdict::refuse(Kind::Api, name, reason, remedy));
        match (live.ours.as_slice(), live.foreign.first()) {
            ([one], _) if one.spec.name != *name => refuse(
                &format!("{} has this stack's mark and the name `{}`", one.id, one.spec.name),
                "set `api.name` to that name, or run `wsfix provision` first",
            ),
            ([one], _) => match &one.owner {
                Owner::Disputed(_) => {
                    refuse(&format!("{}: {}", one.id, one.owner.reason()), "run `wsfix provision` first, or delete it by hand")
                }
                Owner::Ours | Owner::Other(_) | Owner::Nobody | Owner::Unknown => {
                    let why = format!("{} has this stack's mark; its routes, integrations and stages go with it", one.id);
                    Some(Verdict::step(Kind::Api, name, Action::Delete(why), &[DELETE_API]))
                }
            },
            ([], Some(foreign)) => Some(Verdict::default().with_note(format!(
                "the API {name} ({}) is not this stack's and is left: {}",
                foreign.id,
                foreign.owner.reason()
            ))),
            ([], None) => None,
            (several, _) => refuse(&several_reason(several), "delete by hand those that are not in use"),
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let (state, healthy, detail) = match (&seen.api, seen.api()) {
            (Found::Unknown(why), _) => ("unknown".to_owned(), None, why.clone()),
            (_, Some(one)) if one.spec.disable_execute_api_endpoint => {
                ("available".to_owned(), Some(false), format!("{}: its endpoint is switched off, every handshake gets 403", one.id))
            }
            (_, Some(one)) => ("available".to_owned(), Some(true), one.id.clone()),
            (Found::Present(live), None) if live.ours.len() > 1 => ("ambiguous".to_owned(), Some(false), several_reason(&live.ours)),
            (Found::Present(_) | Found::Absent, None) => ("absent".to_owned(), Some(false), String::new()),
        };
        vec![ResourceStatus { kind: Kind::Api.name(), name: want.api.name.clone(), state, healthy, detail }]
    }
}

fn several_reason(several: &[One]) -> String {
    let ids: Vec<&str> = several.iter().map(|one| one.id.as_str()).collect();
    format!("{} APIs have this stack's mark: {}", ids.len(), ids.join(", "))
}

fn calls(changes: &[FieldChange]) -> Vec<ApiCall> {
    let tags = changes.iter().any(|change| change.field.starts_with(TAG_FIELD));
    let rest = changes.iter().any(|change| !change.field.starts_with(TAG_FIELD));
    [rest.then_some(UPDATE_API), tags.then_some(TAG_RESOURCE)].into_iter().flatten().collect()
}

async fn read(cx: &Context<'_>) -> Result<Live, AwsError> {
    let mut live = Live { ours: Vec::new(), foreign: Vec::new() };
    let mut token = None;
    loop {
        let page = cx.clients.api.get_apis().max_results(PAGE).set_next_token(token).send().await.explain(GET_APIS, &cx.want.api.name)?;
        for api in page.items().iter().filter(|api| api.protocol_type() == Some(&ProtocolType::Websocket)) {
            let Some(one) = one(&cx.want.stack, api) else { continue };
            if one.owner.is_ours() {
                live.ours.push(one);
            } else if one.spec.name == cx.want.api.name {
                live.foreign.push(one);
            }
        }
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(live);
        }
    }
}

fn one(stack: &str, api: &aws_sdk_apigatewayv2::types::Api) -> Option<One> {
    let tags: Tags = api.tags().cloned().unwrap_or_default().into_iter().collect();
    let spec = Spec {
        name: api.name().unwrap_or_default().to_owned(),
        route_selection_expression: api.route_selection_expression().unwrap_or_default().to_owned(),
        description: api.description().unwrap_or_default().to_owned(),
        disable_execute_api_endpoint: api.disable_execute_api_endpoint().unwrap_or_default(),
    };
    let owner = owner(stack, Some(&tags), marked(Some(&spec.description)));
    Some(One { id: api.api_id()?.to_owned(), spec, tags, owner })
}

async fn create(cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let mut spec = Spec::wanted(&cx.want, None);
    let mut tags = cx.want.tags.clone();
    let resource = seen.place.api("");
    let made = loop {
        let send = async || {
            let call = cx.clients.api.create_api().name(&spec.name).protocol_type(ProtocolType::Websocket);
            let call = call.route_selection_expression(&spec.route_selection_expression).description(&spec.description);
            let call = call.set_tags((!tags.is_empty()).then(|| tags.clone().into_iter().collect::<HashMap<_, _>>()));
            // Names are not unique, so that the repeat of a lost call would make a second API.
            call.customize().config_override(without_retries()).send().await.explain(CREATE_API, &resource)
        };
        match retry(cx.watch(Kind::Api, name, CREATE_API, 60), send).await {
            Err(error) if !tags.is_empty() && error.denies(TAGGING) => {
                cx.note(format!("the API gets no tags; the marker in its description stands in for them ({})", error.words()));
                tags.clear();
                spec.description = untagged_marker(&cx.want.stack);
            }
            other => break other?,
        }
    };
    let id = made.api_id().unwrap_or_default().to_owned();
    Ok(Slot::Api(Found::Present(Live { ours: vec![One { id, spec, tags, owner: Owner::Ours }], foreign: Vec::new() })))
}

async fn update(cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let Some(one) = seen.api() else { return Ok(Slot::Same) };
    let spec = Spec::wanted(&cx.want, Some(one));
    let resource = seen.place.api(&one.id);
    if spec != one.spec {
        retry(cx.watch(Kind::Api, name, UPDATE_API, 60), async || {
            let Spec { name, route_selection_expression, description, disable_execute_api_endpoint } = spec.clone();
            let call = cx.clients.api.update_api().api_id(&one.id).name(name).description(description);
            let call =
                call.route_selection_expression(route_selection_expression).disable_execute_api_endpoint(disable_execute_api_endpoint);
            call.send().await.explain(UPDATE_API, &resource)
        })
        .await?;
    }
    let mut tags = one.tags.clone();
    if !tag_changes(&cx.want.tags, Some(&tags), is_untagged(one.description())).is_empty() {
        let wanted: HashMap<_, _> = cx.want.tags.clone().into_iter().collect();
        let answer =
            cx.clients.api.tag_resource().resource_arn(&resource).set_tags(Some(wanted)).send().await.explain(TAG_RESOURCE, &resource);
        match answer {
            Ok(_) => tags.extend(cx.want.tags.clone()),
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                cx.note(format!("the API's tags stay as they are ({})", error.words()))
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Slot::Api(Found::Present(Live { ours: vec![One { spec, tags, owner: Owner::Ours, ..one.clone() }], foreign: Vec::new() })))
}
