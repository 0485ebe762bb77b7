//! The one integration that all routes share, and spare ones that an earlier run left behind.

use std::rc::Rc;

use aws_sdk_apigatewayv2::types::IntegrationType;

use crate::provision::answer::{Answer, gone, lost};
use crate::provision::aws::{PAGE, without_retries};
use crate::provision::desired::Desired;
use crate::provision::error::AwsError;
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{description, is_adopted, marked};
use crate::provision::plan::{Action, ApiCall};
use crate::provision::resource::{Context, Field, Kind, Resource, Seen, Verdict, differences};
use crate::provision::wait::retry;

const GET_INTEGRATIONS: ApiCall = ApiCall { name: "GetIntegrations", iam: "apigateway:GET" };
const CREATE_INTEGRATION: ApiCall = ApiCall { name: "CreateIntegration", iam: "apigateway:POST" };
const UPDATE_INTEGRATION: ApiCall = ApiCall { name: "UpdateIntegration", iam: "apigateway:PATCH" };
const DELETE_INTEGRATION: ApiCall = ApiCall { name: "DeleteIntegration", iam: "apigateway:DELETE" };

/// The longest that API Gateway waits for an integration (quotas of WebSocket APIs).
pub(crate) const TIMEOUT_MILLIS: i32 = 29_000;

/// What wsfix manages about an integration; anything else is left as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    uri: String,
    kind: String,
    timeout_millis: i32,
    description: String,
}

impl Spec {
    /// `found`: the one that is there.
    fn wanted(want: &Desired, seen: &Observed, found: Option<&One>) -> Self {
        let adopted = found.is_some_and(|one| one.adopted() || (seen.in_adopted_api() && !is_marked(want, one)));
        Self {
            uri: seen.place.integration_uri(&want.function.name),
            kind: IntegrationType::AwsProxy.as_str().to_owned(),
            timeout_millis: TIMEOUT_MILLIS,
            description: description(&want.stack, None, adopted),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { uri, kind, timeout_millis, description } = self;
        vec![
            Field::new("uri", uri),
            Field::new("type", kind),
            Field::new("timeout_millis", timeout_millis.to_string()),
            Field::new("description", description),
        ]
    }
}

/// The API's integrations as found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    pub(crate) all: Vec<One>,
}

/// One integration.
#[derive(Clone, Debug)]
pub(crate) struct One {
    pub(crate) id: String,
    spec: Spec,
}

impl One {
    /// The name of the function that it calls, where it calls one of this account.
    pub(crate) fn function(&self) -> Option<&str> {
        self.spec.uri.strip_suffix("/invocations")?.rsplit_once(":function:").map(|(_, name)| name)
    }

    /// How long API Gateway waits for the function, in milliseconds.
    pub(crate) fn timeout_millis(&self) -> i32 {
        self.spec.timeout_millis
    }

    /// What it calls, in few words.
    pub(crate) fn target(&self) -> &str {
        self.function().unwrap_or(if self.spec.uri.is_empty() { &self.spec.kind } else { &self.spec.uri })
    }

    /// Whether its mark says that it was there before the stack.
    fn adopted(&self) -> bool {
        is_adopted(None, Some(&self.spec.description))
    }
}

impl Live {
    pub(crate) fn put(&mut self, one: One) {
        self.all.retain(|other| other.id != one.id);
        self.all.push(one);
    }

    /// The one that the routes share: one with our mark, else one that calls `uri` (of several the one that `target` names), else the only
    /// one. In an `adopted` API one that calls something else is a person's own.
    pub(crate) fn shared(&self, want: &Desired, target: Option<&str>, uri: &str, adopted: bool) -> Option<&One> {
        let used = |one: &&One| target.is_some_and(|target| target.strip_prefix("integrations/") == Some(&one.id));
        let marked = || self.all.iter().filter(|one| is_marked(want, one));
        let calling = || self.all.iter().filter(|one| one.spec.uri == uri);
        marked()
            .find(used)
            .or_else(|| marked().next())
            .or_else(|| calling().find(used))
            .or_else(|| calling().next())
            .or(if let ([only], false) = (self.all.as_slice(), adopted) { Some(only) } else { None })
    }
}

/// Whether its description says that it is this stack's.
pub(crate) fn is_marked(want: &Desired, one: &One) -> bool {
    marked(Some(&one.spec.description)) == Some(&want.stack)
}

pub(crate) struct Integration;

/// What a person knows the one integration by.
const NAME: &str = "shared";

impl Resource for Integration {
    fn kind(&self) -> Kind {
        Kind::Integration
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function]
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Api]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(api) = seen.api() else { return Ok(Slot::Integrations(Found::Absent)) };
            Ok(Slot::Integrations(Found::of(read(cx, &api.id).await)?))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        if let Found::Unknown(why) = &seen.integrations {
            return Verdict::unread(Kind::Integration, NAME, why);
        }
        match seen.shared_integration(want) {
            None => Verdict::step(Kind::Integration, NAME, Action::Create, &[CREATE_INTEGRATION]),
            Some(one) => {
                let changes = differences(&Spec::wanted(want, seen, Some(one)).fields(), &one.spec.fields());
                Verdict::changes(Kind::Integration, NAME, changes, &[UPDATE_INTEGRATION])
            }
        }
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(create(cx, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(update(cx, seen))
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let (state, healthy, detail) = match (&seen.integrations, seen.shared_integration(want)) {
            (Found::Unknown(why), _) => ("unknown", None, why.clone()),
            (_, Some(one)) if one.spec.uri == seen.place.integration_uri(&want.function.name) => ("present", Some(true), one.id.clone()),
            (_, Some(one)) => ("present", Some(false), format!("it calls {}", one.spec.uri)),
            (_, None) => ("absent", Some(false), String::new()),
        };
        vec![ResourceStatus { kind: Kind::Integration.name(), name: NAME.to_owned(), state: state.to_owned(), healthy, detail }]
    }
}

async fn read(cx: &Context<'_>, api: &str) -> Result<Live, AwsError> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let call = cx.clients.api.get_integrations().api_id(api).max_results(PAGE).set_next_token(token);
        let page = call.send().await.explain(GET_INTEGRATIONS, api)?;
        all.extend(page.items().iter().filter_map(|found| {
            let spec = Spec {
                uri: found.integration_uri().unwrap_or_default().to_owned(),
                kind: found.integration_type().map_or("", IntegrationType::as_str).to_owned(),
                timeout_millis: found.timeout_in_millis().unwrap_or(TIMEOUT_MILLIS),
                description: found.description().unwrap_or_default().to_owned(),
            };
            Some(One { id: found.integration_id()?.to_owned(), spec })
        }));
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            all.sort_by(|left, right| left.id.cmp(&right.id));
            return Ok(Live { all });
        }
    }
}

async fn create(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let spec = Spec::wanted(&cx.want, &seen, None);
    let api = seen.api_id();
    let resource = format!("{}/integrations", seen.place.api(api));
    let made = retry(cx.watch(Kind::Integration, NAME, CREATE_INTEGRATION, 60), async || {
        let call = cx.clients.api.create_integration().api_id(api).integration_type(IntegrationType::AwsProxy).integration_method("POST");
        let call = call.integration_uri(&spec.uri).timeout_in_millis(spec.timeout_millis).description(&spec.description);
        // The repeat of a lost call would make a second one.
        call.customize().config_override(without_retries()).send().await.explain(CREATE_INTEGRATION, &resource)
    })
    .await
    .map_err(lost)?;
    Ok(Slot::Integration(One { id: made.integration_id().unwrap_or_default().to_owned(), spec }))
}

async fn update(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let Some(one) = seen.shared_integration(&cx.want) else { return Ok(Slot::Same) };
    let spec = Spec::wanted(&cx.want, &seen, Some(one));
    let api = seen.api_id();
    let resource = format!("{}/integrations/{}", seen.place.api(api), one.id);
    retry(cx.watch(Kind::Integration, NAME, UPDATE_INTEGRATION, 60), async || {
        let call = cx.clients.api.update_integration().api_id(api).integration_id(&one.id).integration_type(IntegrationType::AwsProxy);
        let call = call.integration_method("POST").integration_uri(&spec.uri).timeout_in_millis(spec.timeout_millis);
        call.description(&spec.description).send().await.explain(UPDATE_INTEGRATION, &resource)
    })
    .await?;
    Ok(Slot::Integration(One { id: one.id.clone(), spec }))
}

/// Integrations with our mark that no run works with: an answer to CreateIntegration was lost, or two runs made one each, and the route
/// `$connect` went to the other one. They go once no route uses them.
pub(crate) struct SpareIntegrations;

impl Resource for SpareIntegrations {
    fn kind(&self) -> Kind {
        Kind::SpareIntegration
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Integration]
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Integration, Kind::Route]
    }

    fn read<'a>(&'a self, _cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Same) })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let (Some(live), Some(shared)) = (seen.integrations.present(), seen.shared_integration(want)) else { return Verdict::default() };
        let mut verdict = Verdict::default();
        let mut left = Vec::new();
        for one in live.all.iter().filter(|one| one.id != shared.id) {
            if is_marked(want, one) && !one.adopted() {
                let why = Action::Delete("it has this stack's mark and no use".to_owned());
                verdict.steps.extend(Verdict::step(Kind::SpareIntegration, &one.id, why, &[DELETE_INTEGRATION]).steps);
            } else {
                left.push(format!("{} ({})", one.target(), one.id));
            }
        }
        left.sort();
        if !left.is_empty() {
            verdict.notes.push(format!("the API has integrations that wsfix did not make; they are left: {}", left.join(", ")));
        }
        verdict
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, id: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let api = seen.api_id();
            let resource = format!("{}/integrations/{id}", seen.place.api(api));
            let deleted = retry(cx.watch(Kind::SpareIntegration, id, DELETE_INTEGRATION, 30), async || {
                cx.clients.api.delete_integration().api_id(api).integration_id(id).send().await.explain(DELETE_INTEGRATION, &resource)
            });
            gone(deleted.await).map(|()| Slot::Same)
        })
    }
}
