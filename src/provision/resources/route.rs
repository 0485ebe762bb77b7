//! The routes: the gateway's own three and the custom ones, all to the shared integration.

use std::collections::BTreeMap;
use std::rc::Rc;

use aws_sdk_apigatewayv2::types::AuthorizationType;

use crate::provision::answer::{Answer, gone};
use crate::provision::aws::PAGE;
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::plan::{Action, ApiCall};
use crate::provision::resource::{Context, Field, Kind, Resource, Seen, Verdict, differences};
use crate::provision::roles::{TWO_WAY, is_two_way};
use crate::provision::wait::retry;

const GET_ROUTES: ApiCall = ApiCall { name: "GetRoutes", iam: "apigateway:GET" };
const CREATE_ROUTE: ApiCall = ApiCall { name: "CreateRoute", iam: "apigateway:POST" };
const UPDATE_ROUTE: ApiCall = ApiCall { name: "UpdateRoute", iam: "apigateway:PATCH" };
const DELETE_ROUTE: ApiCall = ApiCall { name: "DeleteRoute", iam: "apigateway:DELETE" };

/// Routes that an API can have ("API Gateway quotas and important notes").
const MOST: usize = 300;

/// What wsfix manages about a route; anything else is left as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    target: String,
    authorization_type: String,
    api_key_required: bool,
    /// Empty: what the function returns is thrown away.
    response_selection_expression: String,
}

impl Spec {
    fn wanted(want: &Desired, seen: &Observed, key: &str) -> Self {
        let integration = seen.shared_integration(want).map_or("(known after the integration is made)", |one| one.id.as_str());
        Self {
            target: format!("integrations/{integration}"),
            authorization_type: AuthorizationType::None.as_str().to_owned(),
            api_key_required: false,
            response_selection_expression: if is_two_way(want, seen, key) || has_response(seen, key) {
                TWO_WAY.to_owned()
            } else {
                String::new()
            },
        }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { target, authorization_type, api_key_required, response_selection_expression } = self;
        vec![
            Field::new("target", target),
            Field::new("authorization_type", authorization_type),
            Field::new("api_key_required", api_key_required.to_string()),
            Field::new("response_selection_expression", response_selection_expression),
        ]
    }
}

/// Whether the route has a response that goes: with it goes the expression, since a route without one is not asked for its responses.
fn has_response(seen: &Observed, key: &str) -> bool {
    !seen.in_adopted_api() && seen.route_responses.present().is_some_and(|live| live.contains_key(key))
}

/// The API's routes as found, by their keys.
pub(crate) type Live = BTreeMap<String, One>;

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct One {
    pub(crate) id: String,
    spec: Spec,
}

impl One {
    /// `integrations/{id}`
    pub(crate) fn target(&self) -> &str {
        &self.spec.target
    }

    /// Whether it may have a route response.
    pub(crate) fn has_response_expression(&self) -> bool {
        !self.spec.response_selection_expression.is_empty()
    }
}

pub(crate) struct Routes;

impl Resource for Routes {
    fn kind(&self) -> Kind {
        Kind::Route
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function]
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Integration]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(api) = seen.api() else { return Ok(Slot::Routes(Found::Absent)) };
            Ok(Slot::Routes(Found::of(read(cx, &api.id).await)?))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        if let Found::Unknown(why) = &seen.routes {
            return Verdict::unread(Kind::Route, "(all)", why);
        }
        let none = Live::new();
        let live = seen.routes.present().unwrap_or(&none);
        if let Some(refused) = too_many(want, seen, live) {
            return refused;
        }
        let mut verdict = Verdict::default();
        for key in want.routes() {
            let one = match live.get(key) {
                None => Verdict::step(Kind::Route, key, Action::Create, &[CREATE_ROUTE]),
                Some(one) => {
                    let changes = differences(&Spec::wanted(want, seen, key).fields(), &one.spec.fields());
                    Verdict::changes(Kind::Route, key, changes, &[UPDATE_ROUTE])
                }
            };
            verdict.steps.extend(one.steps);
        }
        for (key, one) in live.iter().filter(|(key, _)| !want.routes().any(|wanted| wanted == key.as_str())) {
            if seen.in_adopted_api() {
                verdict.notes.push(format!(
                    "the adopted API has the route `{key}` to {}, which the config does not name: it is left; \
                     `aws apigatewayv2 delete-route --api-id {} --route-id {}` deletes it",
                    one.target(),
                    seen.api_id(),
                    one.id
                ));
                continue;
            }
            let why = Action::Delete("it is in this stack's API and not in the config".to_owned());
            verdict.steps.extend(Verdict::step(Kind::Route, key, why, &[DELETE_ROUTE]).steps);
        }
        verdict
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, key: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(create(cx, key, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, key: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(one) = seen.routes.present().and_then(|routes| routes.get(key)) else { return Ok(Slot::Same) };
            update(cx, key, &one.id, &seen).await
        })
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, key: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(one) = seen.routes.present().and_then(|routes| routes.get(key)) else { return Ok(Slot::Same) };
            let api = seen.api_id();
            let deleted = retry(cx.watch(Kind::Route, key, DELETE_ROUTE, 60), async || {
                cx.clients.api.delete_route().api_id(api).route_id(&one.id).send().await.explain(DELETE_ROUTE, &resource(&seen, key))
            });
            gone(deleted.await).map(|()| Slot::Route(key.to_owned(), None))
        })
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let integration = seen.shared_integration(want).map(|one| format!("integrations/{}", one.id));
        let status = |key: &str| {
            let (state, healthy, detail) = match (&seen.routes, seen.routes.present().and_then(|routes| routes.get(key))) {
                (Found::Unknown(why), _) => ("unknown", None, why.clone()),
                (_, None) => ("absent", Some(false), String::new()),
                (_, Some(one)) if integration.as_deref() != Some(one.target()) => {
                    ("present", Some(false), format!("it goes to `{}`", one.target()))
                }
                (_, Some(one)) => ("present", Some(true), one.id.clone()),
            };
            ResourceStatus { kind: Kind::Route.name(), name: key.to_owned(), state: state.to_owned(), healthy, detail }
        };
        want.routes().map(status).collect()
    }
}

/// More routes than an API can have are told before the first of them is made.
fn too_many(want: &Desired, seen: &Observed, live: &Live) -> Option<Verdict> {
    let left = live.keys().filter(|key| seen.in_adopted_api() && !want.routes().any(|wanted| wanted == key.as_str())).count();
    let all = want.routes().count() + left;
    let reason = format!("{all} routes are wanted, and an API has at most {MOST} (quota of API Gateway)");
    let remedy = "name fewer in `api.routes`: what no route names goes to `$default`, and the backend sees its `action` all the same";
    (all > MOST).then(|| Verdict::refuse(Kind::Route, "(all)", &reason, remedy))
}

/// The route as a person knows it.
fn resource(seen: &Observed, key: &str) -> String {
    format!("{}/routes ({key})", seen.place.api(seen.api_id()))
}

async fn read(cx: &Context<'_>, api: &str) -> Result<Live, AwsError> {
    let mut live = Live::new();
    let mut token = None;
    loop {
        let call = cx.clients.api.get_routes().api_id(api).max_results(PAGE).set_next_token(token);
        let page = call.send().await.explain(GET_ROUTES, api)?;
        live.extend(page.items().iter().filter_map(|route| {
            let spec = Spec {
                target: route.target().unwrap_or_default().to_owned(),
                authorization_type: route.authorization_type().unwrap_or(&AuthorizationType::None).as_str().to_owned(),
                api_key_required: route.api_key_required().unwrap_or_default(),
                response_selection_expression: route.route_response_selection_expression().unwrap_or_default().to_owned(),
            };
            Some((route.route_key()?.to_owned(), One { id: route.route_id()?.to_owned(), spec }))
        }));
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(live);
        }
    }
}

async fn create(cx: &Context<'_>, key: &str, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let spec = Spec::wanted(&cx.want, &seen, key);
    let api = seen.api_id();
    let expression = Some(spec.response_selection_expression.clone()).filter(|expression| !expression.is_empty());
    let call = cx.clients.api.create_route().api_id(api).route_key(key).target(&spec.target).authorization_type(AuthorizationType::None);
    let call = call.api_key_required(false).set_route_response_selection_expression(expression);
    let watch = cx.watch(Kind::Route, key, CREATE_ROUTE, 60);
    match retry(watch, async || call.clone().send().await.explain(CREATE_ROUTE, &resource(&seen, key))).await {
        Ok(made) => Ok(Slot::Route(key.to_owned(), Some(One { id: made.route_id().unwrap_or_default().to_owned(), spec }))),
        // It was not there a moment ago: the answer to our call was lost, or another run made it, maybe to an integration of its own.
        Err(error) if error.cause == Cause::Exists => {
            cx.rivals.notice();
            match read(cx, api).await?.remove(key) {
                Some(one) => Ok(Slot::Route(key.to_owned(), Some(one))),
                None => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

async fn update(cx: &Context<'_>, key: &str, id: &str, seen: &Observed) -> Result<Slot, AwsError> {
    let spec = Spec::wanted(&cx.want, seen, key);
    let call =
        cx.clients.api.update_route().api_id(seen.api_id()).route_id(id).target(&spec.target).api_key_required(spec.api_key_required);
    // Empty takes away what is there.
    let call = call.authorization_type(AuthorizationType::None).route_response_selection_expression(&spec.response_selection_expression);
    let watch = cx.watch(Kind::Route, key, UPDATE_ROUTE, 60);
    retry(watch, async || call.clone().send().await.explain(UPDATE_ROUTE, &resource(seen, key))).await?;
    Ok(Slot::Route(key.to_owned(), Some(One { id: id.to_owned(), spec })))
}
