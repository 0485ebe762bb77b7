//! The stage with its automatic deployment. It comes last: a stage that is made before the routes records a failed deployment.

mod deployment;
mod logs;
mod settings;

use std::collections::HashMap;
use std::rc::Rc;

use aws_sdk_apigatewayv2::types::{RouteSettings, Stage as Answered};

use deployment::{DEPLOYED, deployment, wait_deployed};
use logs::{AccessLog, Logs};
use settings::Settings;

use crate::provision::answer::{Answer, gone};
use crate::provision::aws::PAGE;
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::marked;
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{self, Asked, Context, Field, Kind, Resource, Seen, Verdict, differences};
use crate::provision::wait::retry;

const GET_STAGES: ApiCall = ApiCall { name: "GetStages", iam: "apigateway:GET" };
const CREATE_STAGE: ApiCall = ApiCall { name: "CreateStage", iam: "apigateway:POST" };
const UPDATE_STAGE: ApiCall = ApiCall { name: "UpdateStage", iam: "apigateway:PATCH" };
const DELETE_ACCESS_LOG_SETTINGS: ApiCall = ApiCall { name: "DeleteAccessLogSettings", iam: "apigateway:DELETE" };
const DELETE_ROUTE_SETTINGS: ApiCall = ApiCall { name: "DeleteRouteSettings", iam: "apigateway:DELETE" };
const CREATE_DEPLOYMENT: ApiCall = ApiCall { name: "CreateDeployment", iam: "apigateway:POST" };

/// The route whose throttle is set apart from the others': it counts handshakes.
const CONNECT: &str = "$connect";

/// What wsfix manages about the stage; anything else is left as found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    auto_deploy: bool,
    messages: Option<Settings>,
    /// By route key.
    routes: Vec<(String, Settings)>,
    /// `None`: the stage says nothing of it.
    deployment: Option<String>,
    /// `None`: as they are found.
    access_log: Option<AccessLog>,
}

impl Spec {
    fn wanted(want: &Desired, logs: &Logs) -> Self {
        Self {
            auto_deploy: true,
            messages: Some(Settings::wanted(want.api.message_throttle, logs.level())),
            routes: vec![(CONNECT.to_owned(), Settings::wanted(want.api.connect_throttle, logs.level()))],
            deployment: Some(DEPLOYED.to_owned()),
            access_log: logs.spec(),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { auto_deploy, messages, routes, deployment, access_log } = self;
        let mut fields = vec![Field::new("auto_deploy", auto_deploy.to_string()), Field::maybe("deployment", deployment.clone())];
        fields.extend(messages.iter().flat_map(|settings| settings.fields("messages")));
        fields.extend(routes.iter().flat_map(|(key, settings)| settings.fields(key)));
        fields.extend(AccessLog::fields(access_log.as_ref()));
        fields
    }
}

/// The stage as found.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// `None`: there are only others.
    stage: Option<One>,
    /// The API's other stages.
    others: Vec<Other>,
}

/// A stage that the config does not name.
#[derive(Clone, Debug)]
pub(crate) struct Other {
    pub(crate) name: String,
    /// This stack made it, as its description says.
    pub(crate) ours: bool,
}

impl Live {
    /// The stage that the config names.
    pub(crate) fn named(&self) -> Option<&One> {
        self.stage.as_ref()
    }

    /// Those that the config does not name.
    pub(crate) fn others(&self) -> &[Other] {
        &self.others
    }
}

/// One stage.
#[derive(Clone, Debug)]
pub(crate) struct One {
    spec: Spec,
    deployment_id: Option<String>,
    message: String,
    default_settings: Option<RouteSettings>,
    route_settings: HashMap<String, RouteSettings>,
}

impl One {
    /// Whether its access logs go to the log group of this name.
    pub(crate) fn logs_to(&self, group: &str) -> bool {
        self.access_log().is_some_and(|log| log.group() == group)
    }

    /// Whether its logs were denied when it was made.
    pub(crate) fn logs_denied(&self) -> bool {
        self.access_log().is_some_and(AccessLog::was_denied)
    }

    /// The deployment that it serves.
    pub(crate) fn deployment_id(&self) -> Option<&str> {
        self.deployment_id.as_deref()
    }

    /// Whether changes of the API are deployed without anybody asking.
    pub(crate) fn deploys_by_itself(&self) -> bool {
        self.spec.auto_deploy
    }

    /// What every request is refused of: its throttle is zero.
    pub(crate) fn blocked(&self) -> Vec<&str> {
        self.settings().filter(|(_, settings)| settings.refuses()).map(|(of, _)| of).collect()
    }

    /// The throttles, for people.
    pub(crate) fn throttles(&self) -> String {
        self.settings().map(|(of, settings)| format!("{of} {}", settings.words())).collect::<Vec<_>>().join(", ")
    }

    fn settings(&self) -> impl Iterator<Item = (&str, &Settings)> {
        let messages = self.spec.messages.iter().map(|settings| ("messages", settings));
        messages.chain(self.spec.routes.iter().map(|(key, settings)| (key.as_str(), settings)))
    }

    fn access_log(&self) -> Option<&AccessLog> {
        self.spec.access_log.as_ref()
    }
}

pub(crate) struct Stage;

impl Resource for Stage {
    fn kind(&self) -> Kind {
        Kind::Stage
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function]
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::LogGroup, Kind::AccessLogGroup, Kind::Api, Kind::Function, Kind::Integration, Kind::Route, Kind::RouteResponse]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(api) = seen.api() else { return Ok(Slot::Stage(Found::Absent)) };
            Ok(Slot::Stage(Found::of(read(cx, &api.id).await)?))
        })
    }

    /// It goes with its API.
    fn is_gone<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Asked<'a> {
        Box::pin(async move {
            match read(cx, seen.api_id()).await {
                Ok(live) => live.stage.is_none(),
                Err(error) => error.cause == Cause::NotFound,
            }
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let name = &want.api.stage;
        let live = match &seen.stage {
            Found::Present(live) => live,
            Found::Unknown(why) => return Verdict::unread(Kind::Stage, name, why),
            Found::Absent => return Verdict::step(Kind::Stage, name, Action::Create, &[CREATE_STAGE, GET_STAGES]),
        };
        let mut verdict = match &live.stage {
            None => Verdict::step(Kind::Stage, name, Action::Create, &[CREATE_STAGE, GET_STAGES]),
            Some(one) => {
                let changes = changes(want, seen, one);
                let calls = update_calls(&changes);
                Verdict::changes(Kind::Stage, name, changes, &calls)
            }
        };
        for Other { name: other, .. } in &live.others {
            let until = if seen.in_adopted_api() { "the API is deleted" } else { "`wsfix teardown`" };
            verdict
                .notes
                .push(format!("the API also has the stage `{other}`, which the config does not name: it goes on serving until {until}"));
        }
        verdict
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(create(cx, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(one) = seen.stage_found() else { return Ok(Slot::Same) };
            update(cx, &seen, one, &changes(&cx.want, &seen, one)).await
        })
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let one = seen.stage_found();
        let (state, healthy, detail) = match (&seen.stage, one) {
            (Found::Unknown(why), _) => ("unknown".to_owned(), None, why.clone()),
            (_, None) => ("absent".to_owned(), Some(false), "every handshake gets 403".to_owned()),
            (_, Some(one)) => {
                let (state, healthy) = match one.spec.deployment.as_deref() {
                    Some(DEPLOYED) => ("DEPLOYED", Some(true)),
                    Some(_) => ("FAILED", Some(false)),
                    None => ("unknown", None),
                };
                let manual = if one.spec.auto_deploy { "" } else { "automatic deployment is off: changes may never have been deployed" };
                let logged = match one.access_log().map(AccessLog::group).unwrap_or_default() {
                    "" => String::new(),
                    group => format!("requests are logged to {group}"),
                };
                let detail = [one.message.as_str(), manual, logged.as_str()]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>()
                    .join("; ");
                (state.to_owned(), healthy, detail)
            }
        };
        vec![ResourceStatus { kind: Kind::Stage.name(), name: want.api.stage.clone(), state, healthy, detail }]
    }
}

/// What differs, and whether the other steps cause a new deployment.
fn changes(want: &Desired, seen: &Observed, one: &One) -> Vec<FieldChange> {
    let logs = Logs::wanted(want, seen, one.access_log());
    let mut live = one.spec.clone();
    live.routes.retain(|(key, _)| !is_left(want, seen, key));
    let mut changes = differences(&Spec::wanted(want, &logs).fields(), &live.fields());
    if redeploys(want, seen) && !changes.iter().any(|change| change.field == "deployment") {
        let from = one.deployment_id.clone().unwrap_or_default();
        changes.push(FieldChange { field: "deployment".to_owned(), from, to: "automatic, after the changes".to_owned() });
    }
    changes
}

/// Whether the settings belong to a route of an adopted API that the config does not name: both are left.
fn is_left(want: &Desired, seen: &Observed, key: &str) -> bool {
    seen.in_adopted_api() && !want.routes().any(|wanted| wanted == key)
}

fn redeploys(want: &Desired, seen: &Observed) -> bool {
    let api = resource::of(Kind::Api).map(|api| api.diff(want, seen)).unwrap_or_default();
    let selection = api.steps.iter().any(|step| match &step.action {
        Action::Update(changes) | Action::Adopt(changes) => changes.iter().any(|change| change.field == "route_selection_expression"),
        Action::Keep | Action::Create | Action::Delete(_) | Action::Refuse(_) => false,
    });
    selection || resource::changes(&[Kind::Integration, Kind::Route, Kind::RouteResponse], want, seen)
}

fn update_calls(changes: &[FieldChange]) -> Vec<ApiCall> {
    let is = |name: &str| changes.iter().any(|change| change.field == name);
    let awaited = changes.iter().all(|change| change.field == "deployment" && change.to != DEPLOYED);
    let list = [
        (is("auto_deploy") || is("deployment") && !awaited).then_some(CREATE_DEPLOYMENT),
        (!awaited).then_some(UPDATE_STAGE),
        changes.iter().any(|change| change.field == "access_log.destination" && change.to.is_empty()).then_some(DELETE_ACCESS_LOG_SETTINGS),
        Some(GET_STAGES),
    ];
    list.into_iter().flatten().collect()
}

async fn read(cx: &Context<'_>, api: &str) -> Result<Live, AwsError> {
    let mut live = Live { stage: None, others: Vec::new() };
    let mut token = None;
    loop {
        let call = cx.clients.api.get_stages().api_id(api).max_results(PAGE).set_next_token(token);
        let page = call.send().await.explain(GET_STAGES, api)?;
        for stage in page.items() {
            match stage.stage_name() {
                Some(name) if name == cx.want.api.stage => live.stage = Some(one(stage)),
                Some(name) => {
                    let ours = marked(stage.description()) == Some(&cx.want.stack);
                    live.others.push(Other { name: name.to_owned(), ours });
                }
                None => {}
            }
        }
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(live);
        }
    }
}

fn one(stage: &Answered) -> One {
    let route_settings = stage.route_settings().cloned().unwrap_or_default();
    let mut routes: Vec<_> = route_settings.iter().map(|(key, settings)| (key.clone(), Settings::found(settings))).collect();
    routes.sort_by(|left, right| left.0.cmp(&right.0));
    let message = stage.last_deployment_status_message().unwrap_or_default().to_owned();
    let deployment_id = stage.deployment_id().filter(|id| !id.is_empty()).map(str::to_owned);
    One {
        spec: Spec {
            auto_deploy: stage.auto_deploy().unwrap_or_default(),
            messages: stage.default_route_settings().map(Settings::found),
            routes,
            deployment: deployment(&message, deployment_id.is_some()),
            access_log: Some(AccessLog::found(stage)),
        },
        deployment_id,
        message,
        default_settings: stage.default_route_settings().cloned(),
        route_settings,
    }
}

fn resource(cx: &Context<'_>, seen: &Observed) -> String {
    format!("{}/stages/{}", seen.place.api(seen.api_id()), cx.want.api.stage)
}

async fn create(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let (name, api) = (&cx.want.api.stage, seen.api_id());
    let send = async |logs: &Logs| {
        let call = cx.clients.api.create_stage().api_id(api).stage_name(name).auto_deploy(true);
        let call = call.default_route_settings(Settings::wanted(cx.want.api.message_throttle, logs.level()).build(None));
        let call = call.route_settings(CONNECT, Settings::wanted(cx.want.api.connect_throttle, logs.level()).build(None));
        let call = call.set_access_log_settings(logs.settings()).set_description(logs.description(&cx.want.stack, None));
        let watch = cx.watch(Kind::Stage, name, CREATE_STAGE, 60);
        retry(watch, async || call.clone().send().await.explain(CREATE_STAGE, &resource(cx, &seen))).await
    };
    match with_logs(cx, Logs::settled(&cx.want, &seen, None), send).await {
        Ok(made) => {
            let made = Answered::builder()
                .set_auto_deploy(made.auto_deploy)
                .set_default_route_settings(made.default_route_settings)
                .set_route_settings(made.route_settings)
                .set_deployment_id(made.deployment_id)
                .set_last_deployment_status_message(made.last_deployment_status_message)
                .set_access_log_settings(made.access_log_settings)
                .set_description(made.description)
                .build();
            wait_deployed(cx, api, one(&made), None).await
        }
        // It was not there a moment ago: the answer to our call was lost, or another run made it.
        Err(error) if error.cause == Cause::Exists => {
            cx.rivals.notice();
            match read(cx, api).await? {
                live @ Live { stage: Some(_), .. } => Ok(Slot::Stage(Found::Present(live))),
                Live { stage: None, .. } => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Sends a call with the settings of the logs, and without them where they may be what is refused, and may be missed.
async fn with_logs<T>(cx: &Context<'_>, logs: Logs, send: impl AsyncFn(&Logs) -> Result<T, AwsError>) -> Result<T, AwsError> {
    match send(&logs).await {
        Err(error) if logs.may_be_missed(&cx.want, &error) => {
            let made = send(&Logs::Denied).await?;
            cx.note(format!("the stage goes without access logs ({})", error.words()));
            Ok(made)
        }
        other => other,
    }
}

async fn update(cx: &Context<'_>, seen: &Observed, one: &One, changes: &[FieldChange]) -> Result<Slot, AwsError> {
    let api = seen.api_id();
    let is = |name: &str| changes.iter().any(|change| change.field == name);
    let automatic = changes.iter().any(|change| change.field == "deployment" && change.to != DEPLOYED);
    if is("auto_deploy") || is("deployment") && !automatic {
        deploy(cx, seen, one).await?;
    }
    for key in one.route_settings.keys().filter(|key| *key != CONNECT && !is_left(&cx.want, seen, key)) {
        let call = cx.clients.api.delete_route_settings().api_id(api).stage_name(&cx.want.api.stage).route_key(key);
        gone(call.send().await.explain(DELETE_ROUTE_SETTINGS, &resource(cx, seen)))?;
    }
    if changes.iter().any(|change| change.field != "deployment" || change.to == DEPLOYED) {
        patch(cx, seen, one, true).await?;
    }
    if changes.iter().any(|change| change.field == "access_log.destination" && change.to.is_empty()) {
        let call = cx.clients.api.delete_access_log_settings().api_id(api).stage_name(&cx.want.api.stage);
        gone(call.send().await.explain(DELETE_ACCESS_LOG_SETTINGS, &resource(cx, seen)))?;
    }
    let found = read(cx, api).await?.stage.unwrap_or_else(|| one.clone());
    wait_deployed(cx, api, found, one.deployment_id.as_deref().filter(|_| automatic)).await
}

/// Deploys what is there now. A stage takes a deployment by hand only while it does not deploy by itself.
async fn deploy(cx: &Context<'_>, seen: &Observed, one: &One) -> Result<(), AwsError> {
    if one.spec.auto_deploy {
        patch(cx, seen, one, false).await?;
    }
    let (name, api) = (&cx.want.api.stage, seen.api_id());
    let call = cx.clients.api.create_deployment().api_id(api).stage_name(name).description(cx.want.marker());
    let watch = cx.watch(Kind::Stage, name, CREATE_DEPLOYMENT, 60);
    match retry(watch, async || call.clone().send().await.explain(CREATE_DEPLOYMENT, &resource(cx, seen))).await {
        // Another run made the stage deploy by itself meanwhile.
        Err(error) if error.cause == Cause::Invalid && read(cx, api).await?.named().is_some_and(|now| now.spec.auto_deploy) => {
            cx.rivals.notice();
            Ok(())
        }
        deployed => deployed.map(drop),
    }
}

async fn patch(cx: &Context<'_>, seen: &Observed, one: &One, auto_deploy: bool) -> Result<(), AwsError> {
    let (name, api) = (&cx.want.api.stage, seen.api_id());
    let send = async |logs: &Logs| {
        let messages = Settings::wanted(cx.want.api.message_throttle, logs.level()).build(one.default_settings.as_ref());
        let connect = Settings::wanted(cx.want.api.connect_throttle, logs.level()).build(one.route_settings.get(CONNECT));
        let call = cx.clients.api.update_stage().api_id(api).stage_name(name).auto_deploy(auto_deploy);
        let call = call.default_route_settings(messages).route_settings(CONNECT, connect);
        let call = call.set_access_log_settings(logs.settings()).set_description(logs.description(&cx.want.stack, one.access_log()));
        let watch = cx.watch(Kind::Stage, name, UPDATE_STAGE, 60);
        retry(watch, async || call.clone().send().await.explain(UPDATE_STAGE, &resource(cx, seen))).await
    };
    with_logs(cx, Logs::settled(&cx.want, seen, one.access_log()), send).await.map(drop)
}
