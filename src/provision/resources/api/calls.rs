//! What the API's steps ask API Gateway.

use std::collections::HashMap;
use std::rc::Rc;

use aws_sdk_apigatewayv2::types::{Api as Answered, ProtocolType};

use super::{CREATE_API, GET_APIS, Live, One, Spec, TAG_RESOURCE, UPDATE_API};
use crate::contract::ownership::STACK_TAG;
use crate::provision::answer::{Answer, TAGGING, lost};
use crate::provision::aws::{PAGE, without_retries};
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::ownership::{Owner, is_untagged, tag_changes, without_tags};
use crate::provision::plan::ApiCall;
use crate::provision::resource::{Context, Kind};
use crate::provision::wait::retry;

const GET_STAGES: ApiCall = ApiCall { name: "GetStages", iam: "apigateway:GET" };

/// Reads the APIs that concern this stack, and the stages of each where several have its mark.
pub(super) async fn read(cx: &Context<'_>) -> Result<Live, AwsError> {
    let mut live = Live::default();
    each(cx, |api| live.put(&cx.want, api)).await?;
    if live.ours.len() > 1 {
        let mut still = Vec::new();
        for mut one in std::mem::take(&mut live.ours) {
            let stages = cx.clients.api.get_stages().api_id(&one.id).max_results(PAGE).send().await.explain(GET_STAGES, &one.id);
            match Found::of(stages)? {
                Found::Present(stages) => one.stages = Some(stages.items().len()),
                Found::Unknown(_) => {}
                Found::Absent => continue,
            }
            still.push(one);
        }
        live.ours = still;
    }
    Ok(live)
}

/// Goes through every API of the account in this Region.
pub(crate) async fn each(cx: &Context<'_>, mut see: impl FnMut(&Answered)) -> Result<(), AwsError> {
    let mut token = None;
    loop {
        let page = cx.clients.api.get_apis().max_results(PAGE).set_next_token(token).send().await.explain(GET_APIS, &cx.want.api.name)?;
        page.items().iter().for_each(&mut see);
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(());
        }
    }
}

/// Makes the API. Another run may make one too at this moment: the function's step finds out.
pub(super) async fn create(cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
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
                spec.description = without_tags(&spec.description);
            }
            other => break other.map_err(lost)?,
        }
    };
    let id = made.api_id().unwrap_or_default().to_owned();
    cx.rivals.made(&id);
    let created = made.created_date().map_or(i64::MAX, aws_sdk_apigatewayv2::primitives::DateTime::secs);
    Ok(present(One { id, spec, tags, owner: Owner::Ours, created, stages: None }))
}

fn present(one: One) -> Slot {
    Slot::Api(Found::Present(Live { ours: vec![one], ..Live::default() }))
}

pub(super) async fn update(cx: &Context<'_>, name: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let Some(one) = seen.api() else { return Ok(Slot::Same) };
    let mut spec = Spec::wanted(&cx.want, Some(one));
    let resource = seen.place.api(&one.id);
    let (wanted, mut tags) = (cx.want.tags_of(one.adopted()), one.tags.clone());
    if !tag_changes(&wanted, Some(&tags), is_untagged(one.description())).is_empty() {
        let send: HashMap<_, _> = wanted.clone().into_iter().collect();
        let answer =
            cx.clients.api.tag_resource().resource_arn(&resource).set_tags(Some(send)).send().await.explain(TAG_RESOURCE, &resource);
        match answer {
            Ok(_) => tags.extend(wanted),
            Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
                cx.rivals.leave();
                cx.note(format!("the API's tags stay as they are ({})", error.words()));
                if !tags.contains_key(STACK_TAG) {
                    spec.description = without_tags(&spec.description);
                }
            }
            Err(error) => return Err(error),
        }
    }
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
    Ok(present(One { id: one.id.clone(), spec, tags, owner: Owner::Ours, created: one.created, stages: one.stages }))
}
