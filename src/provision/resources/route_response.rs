//! The route responses, where replies travel by them: with one, a route sends what the function returns.

use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::try_join_all;

use crate::provision::answer::{Answer, gone};
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::plan::{Action, ApiCall};
use crate::provision::resource::{Context, Kind, Resource, Seen, Verdict};
use crate::provision::roles::{TWO_WAY, is_two_way};
use crate::provision::wait::retry;

const GET_ROUTE_RESPONSES: ApiCall = ApiCall { name: "GetRouteResponses", iam: "apigateway:GET" };
const CREATE_ROUTE_RESPONSE: ApiCall = ApiCall { name: "CreateRouteResponse", iam: "apigateway:POST" };
const UPDATE_ROUTE: ApiCall = ApiCall { name: "UpdateRoute", iam: "apigateway:PATCH" };
const DELETE_ROUTE_RESPONSE: ApiCall = ApiCall { name: "DeleteRouteResponse", iam: "apigateway:DELETE" };

/// The id of the `$default` response of each route that has one. It has no settings of its own that wsfix manages.
pub(crate) type Live = BTreeMap<String, String>;

pub(crate) struct RouteResponses;

impl Resource for RouteResponses {
    fn kind(&self) -> Kind {
        Kind::RouteResponse
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function, Kind::Route]
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Route]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let (Some(api), Some(routes)) = (seen.api(), seen.routes.present()) else { return Ok(Slot::RouteResponses(Found::Absent)) };
            let two_way =
                routes.iter().filter(|(_, route)| route.has_response_expression()).map(|(key, route)| (key.as_str(), route.id.as_str()));
            Ok(Slot::RouteResponses(Found::of(read(cx, &api.id, two_way).await)?))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let two_way = |key: &str| is_two_way(want, seen, key);
        let live = match &seen.route_responses {
            Found::Present(live) => live.clone(),
            Found::Absent => Live::new(),
            Found::Unknown(why) if want.routes().any(two_way) => return Verdict::unread(Kind::RouteResponse, "(all)", why),
            Found::Unknown(_) => return Verdict::default(),
        };
        let mut verdict = Verdict::default();
        for key in want.routes() {
            let (action, calls): (Action, &[ApiCall]) = match (two_way(key), live.contains_key(key)) {
                (true, true) => (Action::Keep, &[]),
                (true, false) => (Action::Create, &[CREATE_ROUTE_RESPONSE]),
                // Its route gives up the expression that picks it, and so it does nothing any more.
                (false, true) if seen.in_adopted_api() => continue,
                (false, true) => {
                    (Action::Delete("replies do not travel by it any more".to_owned()), &[DELETE_ROUTE_RESPONSE, UPDATE_ROUTE])
                }
                (false, false) => continue,
            };
            verdict.steps.extend(Verdict::step(Kind::RouteResponse, key, action, calls).steps);
        }
        verdict
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, key: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(route) = seen.routes.present().and_then(|routes| routes.get(key)) else { return Ok(Slot::Same) };
            let call = cx.clients.api.create_route_response().api_id(seen.api_id()).route_id(&route.id).route_response_key(TWO_WAY);
            let watch = cx.watch(Kind::RouteResponse, key, CREATE_ROUTE_RESPONSE, 60);
            match retry(watch, async || call.clone().send().await.explain(CREATE_ROUTE_RESPONSE, &resource(&seen, key))).await {
                Err(error) if error.cause == Cause::Exists => {
                    cx.rivals.notice();
                    Ok(Slot::Same)
                }
                other => other.map(|_| Slot::Same),
            }
        })
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, key: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let route = seen.routes.present().and_then(|routes| routes.get(key));
            let id = seen.route_responses.present().and_then(|responses| responses.get(key));
            let (Some(route), Some(id)) = (route, id) else { return Ok(Slot::Same) };
            let call = cx.clients.api.delete_route_response().api_id(seen.api_id()).route_id(&route.id).route_response_id(id);
            let watch = cx.watch(Kind::RouteResponse, key, DELETE_ROUTE_RESPONSE, 60);
            let deleted = retry(watch, async || call.clone().send().await.explain(DELETE_ROUTE_RESPONSE, &resource(&seen, key)));
            gone(deleted.await)?;
            // The expression that picks it goes last: only routes that have one are asked for responses.
            let call = cx.clients.api.update_route().api_id(seen.api_id()).route_id(&route.id).route_response_selection_expression("");
            let watch = cx.watch(Kind::RouteResponse, key, UPDATE_ROUTE, 60);
            retry(watch, async || call.clone().send().await.explain(UPDATE_ROUTE, &resource(&seen, key))).await?;
            Ok(Slot::Same)
        })
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let status = |key: &str| {
            let (state, healthy, detail) = match &seen.route_responses {
                Found::Unknown(why) => ("unknown", None, why.clone()),
                Found::Present(live) if live.contains_key(key) => ("present", Some(true), String::new()),
                Found::Present(_) | Found::Absent => ("absent", Some(false), "replies on this route do not reach the client".to_owned()),
            };
            ResourceStatus { kind: Kind::RouteResponse.name(), name: key.to_owned(), state: state.to_owned(), healthy, detail }
        };
        want.routes().filter(|key| is_two_way(want, seen, key)).map(status).collect()
    }
}

fn resource(seen: &Observed, key: &str) -> String {
    format!("{}/routes ({key})/routeresponses", seen.place.api(seen.api_id()))
}

/// Asks only for the routes that can have one.
async fn read<'a>(cx: &Context<'_>, api: &str, routes: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Live, AwsError> {
    let reads = routes.map(async |(key, id)| {
        let call = cx.clients.api.get_route_responses().api_id(api).route_id(id);
        let page = call.send().await.explain(GET_ROUTE_RESPONSES, key)?;
        let response = page.items().iter().find(|response| response.route_response_key() == Some(TWO_WAY));
        Ok::<_, AwsError>(response.and_then(|response| response.route_response_id()).map(|id| (key.to_owned(), id.to_owned())))
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}
