//! The Lambda function: its code and its configuration.

mod calls;

pub(crate) use calls::event_sources;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::config::variables::may_be_shown;
use crate::contract::env;
use crate::provision::desired::Desired;
use crate::provision::environment;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{
    Owner, Part, TAG_FIELD, Tags, description, is_adopted, is_untagged, is_without, marked, owner, tag_changes, without_parts,
};
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Asked, Context, Field, Kind, Resource, Seen, Verdict, differences, told_adopted};
use crate::provision::roles;
use crate::provision::sensitive::Value;

/// What runs a binary of one's own.
pub(crate) const RUNTIME: &str = "provided.al2023";
/// Lambda wants one; `provided` runtimes do not read it.
pub(crate) const HANDLER: &str = "bootstrap";
/// The fields that go with the code's upload; every other one is configuration.
const CODE_FIELDS: [&str; 2] = ["code", "architecture"];

/// What wsfix manages about the function; anything else is left as found. `None`: not known, or not compared.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Base64 of the zip's SHA-256.
    pub(crate) code: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) runtime: String,
    pub(crate) handler: String,
    pub(crate) timeout_seconds: i32,
    pub(crate) memory_mb: i32,
    pub(crate) architecture: String,
    pub(crate) description: String,
    /// To compare with: it holds no secret.
    pub(crate) environment: BTreeMap<String, Value>,
    /// `Active`, and its last update successful.
    pub(crate) state: String,
}

/// The state of a function that can be used.
const READY: &str = "Active";
/// The state of one that was deleted a moment ago.
const GOING: &str = "Deleting";

impl Spec {
    pub(crate) fn wanted(want: &Desired, seen: &Observed) -> Self {
        let found = seen.function.present();
        Self {
            code: want.code.as_ref().map(|code| code.sha256.clone()),
            role: roles::arn(want, seen),
            runtime: RUNTIME.to_owned(),
            handler: HANDLER.to_owned(),
            timeout_seconds: want.function.timeout_seconds,
            memory_mb: want.function.memory_mb,
            architecture: want.function.architecture.as_str().to_owned(),
            description: description(
                &want.stack,
                found.map(|live| live.spec.description.as_str()),
                found.is_some_and(|live| live.adopted(&want.stack)),
            ),
            environment: environment::variables(want, seen).into_iter().map(|(name, value)| compared(name, value.expose())).collect(),
            state: READY.to_owned(),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { code, role, runtime, handler, timeout_seconds, memory_mb, architecture, description, environment, state } = self;
        let mut fields = vec![
            Field::maybe("code", code.clone()),
            Field::maybe("role", role.clone()),
            Field::new("runtime", runtime),
            Field::new("handler", handler),
            Field::new("timeout_seconds", timeout_seconds.to_string()),
            Field::new("memory_mb", memory_mb.to_string()),
            Field::new("architecture", architecture),
            Field::new("description", description),
            Field::new("state", state),
        ];
        fields.extend(environment.iter().map(|(name, value)| Field::of(format!("environment.{name}"), value.clone())));
        fields
    }
}

/// A variable as it is compared.
fn compared(name: String, value: &str) -> (String, Value) {
    let value = if may_be_shown(&name) { Value::shown(value) } else { Value::hidden(value) };
    (name, value)
}

/// The function as found.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) arn: String,
    /// Changes with the function (Lambda, `RevisionId`).
    pub(crate) revision: Option<String>,
    pub(crate) spec: Spec,
    /// `None`: could not be read.
    pub(crate) tags: Option<Tags>,
    /// Lambda's own words for a state that is not good.
    pub(crate) reason: String,
    pub(crate) in_vpc: bool,
    /// Why the tags could not be read.
    pub(crate) unread: Option<String>,
    /// Why the environment could not be read: its key may not be used, for one.
    pub(crate) environment_unread: Option<String>,
    /// What it is that the handler's code would destroy, or could not run in.
    pub(crate) other_kind: Vec<String>,
    /// The event source mappings that call it; only asked where it may be adopted.
    pub(crate) event_sources: Found<Vec<EventSource>>,
}

/// Something that feeds a function: an event source mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventSource {
    pub(crate) uuid: String,
    /// Its ARN; a self-managed Kafka has none.
    pub(crate) source: String,
}

impl Live {
    pub(crate) fn owner(&self, stack: &str) -> Owner {
        owner(stack, self.tags.as_ref(), marked(Some(&self.spec.description)))
    }

    /// Whether it was there before the stack, as a mark says; or it is adopted now.
    pub(crate) fn adopted(&self, stack: &str) -> bool {
        is_adopted(self.tags.as_ref(), Some(&self.spec.description)) || self.owner(stack) == Owner::Nobody
    }

    /// Whether teardown deletes it.
    pub(crate) fn goes(&self, want: &Desired) -> bool {
        self.owner(&want.stack) == Owner::Ours && (want.consent.delete_adopted || !self.adopted(&want.stack))
    }

    /// Id of the API that it works with. Its name is unique and it is made after the API, so that it decides where several runs made one.
    pub(crate) fn api(&self) -> Option<&str> {
        self.variable(env::DOMAIN_NAME)?.split('.').next()
    }

    /// A variable of its environment that may be shown.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.spec.environment.get(name).and_then(Value::text)
    }
}

/// Reads a function of any name.
pub(crate) async fn read(cx: &Context<'_>, name: &str) -> Result<Live, AwsError> {
    calls::read(cx, name).await
}

/// Writes into the function's description what was denied in this run, so that it is no difference in later ones.
pub(crate) async fn remember(cx: &Context<'_>, seen: &Observed, denied: &BTreeSet<Part>) -> Result<(), AwsError> {
    match seen.function.present() {
        Some(live) => calls::describe(cx, live, &without_parts(&live.spec.description, denied)).await,
        None => Ok(()),
    }
}

/// What differs: fields first, then tags.
pub(crate) fn changes(want: &Desired, seen: &Observed, live: &Live) -> Vec<FieldChange> {
    let wanted = Spec::wanted(want, seen);
    let mut found = live.spec.clone();
    if live.environment_unread.is_some() {
        found.environment.clone_from(&wanted.environment);
    }
    let mut changes = differences(&wanted.fields(), &found.fields());
    let tags = want.tags_of(live.adopted(&want.stack));
    changes.extend(tag_changes(&tags, live.tags.as_ref(), is_untagged(&live.spec.description)));
    changes
}

/// Which calls a set of changes takes.
pub(crate) struct Parts {
    pub(crate) configuration: bool,
    pub(crate) role: bool,
    pub(crate) code: bool,
    pub(crate) tags: bool,
}

impl Parts {
    pub(crate) fn of(changes: &[FieldChange]) -> Self {
        let is = |test: &dyn Fn(&str) -> bool| changes.iter().any(|change| test(&change.field));
        let failed = changes.iter().any(|change| change.field == "state" && change.from.contains("Failed"));
        let plain = |field: &str| !CODE_FIELDS.contains(&field) && !field.starts_with(TAG_FIELD) && field != "state";
        Self {
            configuration: is(&plain),
            role: is(&|field| field == "role"),
            // An update is Lambda's own advice for a function whose making or last update failed.
            code: is(&|field| CODE_FIELDS.contains(&field)) || failed,
            tags: is(&|field| field.starts_with(TAG_FIELD)),
        }
    }

    fn calls(&self) -> Vec<ApiCall> {
        let list = [
            self.configuration.then_some(calls::UPDATE_FUNCTION_CONFIGURATION),
            self.role.then_some(calls::PASS_ROLE),
            self.code.then_some(calls::UPDATE_FUNCTION_CODE),
            self.tags.then_some(calls::TAG_RESOURCE),
        ];
        list.into_iter().flatten().chain([calls::GET_FUNCTION]).collect()
    }
}

pub(crate) struct Function;

impl Resource for Function {
    fn kind(&self) -> Kind {
        Kind::Function
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Role, Kind::Api]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async {
            let name = &cx.want.function.name;
            let mut found = Found::of(calls::read(cx, name).await)?;
            if let Found::Present(live) = &mut found
                && !live.owner(&cx.want.stack).is_ours()
                && cx.want.takes(&live.owner(&cx.want.stack))
            {
                live.event_sources = Found::optional(calls::event_sources(cx, name).await)?;
            }
            Ok(Slot::Function(found))
        })
    }

    fn is_gone<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Asked<'a> {
        Box::pin(async move {
            match calls::read(cx, &cx.want.function.name).await {
                // One that works with another API is not the one that was made.
                Ok(live) => live.spec.state == GOING || live.api().is_some_and(|api| api != seen.api_id()),
                Err(error) => error.cause == Cause::NotFound,
            }
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let name = &want.function.name;
        if let Some(reason) = environment::too_large(&environment::variables(want, seen)) {
            return Verdict::refuse(Kind::Function, name, &reason, "shorten `function.environment`, the allowed origins or the secrets");
        }
        let live = match &seen.function {
            Found::Present(live) => live,
            Found::Unknown(why) => return Verdict::unread(Kind::Function, name, why),
            Found::Absent => return Verdict::step(Kind::Function, name, Action::Create, calls::CREATE),
        };
        let owner = live.owner(&want.stack);
        if owner == Owner::Nobody && !live.other_kind.is_empty() {
            let remedy = format!("set another `function.name` (`--function-name`), or delete it: `{}`", by_hand(name));
            return Verdict::unadoptable(Kind::Function, name, &live.other_kind.join("; "), &remedy);
        }
        if !want.takes(&owner) {
            let remedy = owner.remedy("set another `function.name` (`--function-name`)", "lambda:ListTags");
            return Verdict::refuse(Kind::Function, name, &owner.reason(), &remedy);
        }
        let changes = changes(want, seen, live);
        let calls = Parts::of(&changes).calls();
        let mut verdict =
            if owner.is_ours() { Verdict::changes(Kind::Function, name, changes, &calls) } else { adoption(name, live, changes, &calls) };
        if let Some(why) = &live.environment_unread {
            verdict.notes.push(format!("function {name}: environment not compared: {why}"));
        }
        if let Some(why) = &live.unread {
            verdict.notes.push(format!("function {name}: tags not compared: {why}"));
        }
        for part in Part::ALL.into_iter().filter(|part| is_without(&live.spec.description, *part)) {
            verdict.notes.push(format!(
                "{} was denied and is done without; take `;{}` off the function's description to have it tried again",
                part.name(),
                part.word()
            ));
        }
        if live.in_vpc {
            verdict
                .notes
                .push(format!("function {name} is in a VPC: without a NAT gateway there it reaches neither the backend nor @connections"));
        }
        verdict
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::create(cx, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::update(cx, seen))
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::delete(cx, seen))
    }

    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let name = &want.function.name;
        let live = match &seen.function {
            Found::Present(live) => live,
            Found::Unknown(why) => return Some(Verdict::unread(Kind::Function, name, why)),
            Found::Absent => return None,
        };
        let refuse = |reason: &str, remedy: &str| Some(Verdict::refuse(Kind::Function, name, reason, remedy));
        match live.owner(&want.stack) {
            Owner::Ours if !seen.place.holds(&live.arn) => {
                refuse(&format!("{} is not of this account and Region", live.arn), "check the credentials and `--region`")
            }
            Owner::Ours if !live.goes(want) => {
                let table = seen.table.present().is_some_and(|table| table.goes(want));
                let useless = if table { "; its table goes, and it cannot work without" } else { "" };
                let with = format!(", with its code and its settings, the secrets among them{useless}");
                Some(Verdict::left(Kind::Function, name, &with, &by_hand(name)))
            }
            Owner::Ours => {
                let adopted = if live.adopted(&want.stack) { ", and was adopted" } else { "" };
                let why = format!("{} has this stack's mark{adopted}; its permissions go with it", live.arn);
                Some(Verdict::step(Kind::Function, name, Action::Delete(why), &[calls::DELETE_FUNCTION, calls::GET_FUNCTION]))
            }
            owner @ (Owner::Disputed(_) | Owner::Unknown) => refuse(&owner.reason(), "run `wsfix provision` first, or delete it by hand"),
            owner @ (Owner::Other(_) | Owner::Nobody) => {
                Some(Verdict::default().with_note(format!("the function {name} is not this stack's and is left: {}", owner.reason())))
            }
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let (state, healthy, detail) = match &seen.function {
            Found::Absent => ("absent".to_owned(), Some(false), String::new()),
            Found::Unknown(why) => ("unknown".to_owned(), None, why.clone()),
            Found::Present(live) => {
                let adopted = live.owner(&want.stack).is_ours() && live.adopted(&want.stack);
                (live.spec.state.clone(), Some(live.spec.state == READY), told_adopted(adopted, live.reason.clone()))
            }
        };
        vec![ResourceStatus { kind: Kind::Function.name(), name: want.function.name.clone(), state, healthy, detail }]
    }
}

/// What a person would do.
fn by_hand(name: &str) -> String {
    format!("aws lambda delete-function --function-name {name}")
}

/// What adopting changes, and what a person should know before.
fn adoption(name: &str, live: &Live, changes: Vec<FieldChange>, calls: &[ApiCall]) -> Verdict {
    let replaced = changes.iter().any(|change| change.field == "code");
    let mut verdict = Verdict::adopts(Kind::Function, name, changes, calls);
    if replaced {
        verdict.notes.push(format!(
            "function {name}: its code is REPLACED by wsfix's handler, and nothing keeps the old one; \
             `aws lambda get-function --function-name {name} --query Code.Location --output text` says where it can be downloaded before"
        ));
    }
    match &live.event_sources {
        Found::Present(sources) => verdict.notes.extend(sources.iter().map(|EventSource { source, .. }| {
            format!("function {name}: an event source calls it, and would then call wsfix's handler: {source}")
        })),
        Found::Unknown(why) => verdict.notes.push(format!("function {name}: whether event sources call it is not known: {why}")),
        Found::Absent => {}
    }
    verdict
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
    use aws_sdk_lambda::types::builders::FunctionConfigurationBuilder;
    use aws_sdk_lambda::types::{EnvironmentResponse, FunctionConfiguration, Layer, PackageType, Runtime, VpcConfigResponse};

    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;
    use crate::provision::observed::Place;
    use crate::provision::resource::halves;

    fn change(field: &str, from: &str) -> FieldChange {
        FieldChange { field: field.to_owned(), from: from.to_owned(), to: "x".to_owned() }
    }

    #[test]
    fn each_field_belongs_to_one_call() {
        let parts = |field: &str, from: &str| {
            let Parts { configuration, role: _, code, tags } = Parts::of(&[change(field, from)]);
            (configuration, code, tags)
        };
        assert_eq!(parts("code", "a"), (false, true, false));
        assert_eq!(parts("architecture", "arm64"), (false, true, false));
        assert_eq!(parts("environment.TABLE_NAME", "a"), (true, false, false));
        assert_eq!(parts("description", "a"), (true, false, false));
        assert_eq!(parts("tags.wsfix:stack", ""), (false, false, true));
        assert_eq!(parts("state", "Pending"), (false, false, false));
        assert_eq!(parts("state", "Failed"), (false, true, false));
    }

    fn found(configuration: FunctionConfigurationBuilder) -> Live {
        calls::live(&GetFunctionOutput::builder().configuration(configuration.build()).build())
    }

    fn compared(live: Live) -> Verdict {
        let mut want = desired(Settings::default());
        want.consent.adopt = true;
        Function.diff(&want, &Observed { function: Found::Present(live), ..Observed::default() })
    }

    #[test]
    fn a_function_of_another_kind_is_not_adopted() {
        let new = FunctionConfiguration::builder;
        let layer = Layer::builder().arn("arn:aws:lambda:eu-west-1:111122223333:layer:l:1").build();
        let vpc = VpcConfigResponse::builder().vpc_id("vpc-1").build();
        let refused = [
            new().package_type(PackageType::Zip).runtime(Runtime::Nodejs20x),
            new().package_type(PackageType::Image),
            new().runtime(Runtime::Providedal2023).layers(layer).vpc_config(vpc),
        ];
        let mut shown = String::new();
        for configuration in refused {
            let verdict = compared(found(configuration));
            let Action::Refuse(why) = &verdict.steps[0].action else { panic!("{verdict:#?}") };
            let (reason, remedy) = halves(why);
            shown.push_str(&format!("{reason}\n  {remedy}\n"));
        }
        insta::assert_snapshot!(shown, @r#"
        it is there already, is not this stack's, and cannot be adopted: its runtime is nodejs20.x, and wsfix's handler would destroy the code that it has
          set another `function.name` (`--function-name`), or delete it: `aws lambda delete-function --function-name websocket-handler`
        it is there already, is not this stack's, and cannot be adopted: it is made of a container image
          set another `function.name` (`--function-name`), or delete it: `aws lambda delete-function --function-name websocket-handler`
        it is there already, is not this stack's, and cannot be adopted: it has layers (arn:aws:lambda:eu-west-1:111122223333:layer:l:1); it is in the VPC vpc-1, where the handler may reach neither the backend nor @connections
          set another `function.name` (`--function-name`), or delete it: `aws lambda delete-function --function-name websocket-handler`
        "#);
        for runtime in [Runtime::Providedal2023, Runtime::Providedal2] {
            let verdict = compared(found(new().runtime(runtime)));
            assert!(matches!(verdict.steps[0].action, Action::Adopt(_)), "{verdict:#?}");
        }
        // What is ours already is another matter: it is put right.
        let marked = new().runtime(Runtime::Nodejs20x).description("managed-by=wsfix;stack=terminal");
        assert!(matches!(compared(found(marked)).steps[0].action, Action::Update(_)));
    }

    #[test]
    fn no_secret_of_the_function_is_kept_or_shown() {
        let secrets = ["JWT_SECRET", "WSFIX_SIGNING_KEY", "WSFIX_TICKET_KEY", "API_KEY"];
        let environment = secrets.iter().map(|name| ((*name).to_owned(), format!("hunter2-{name}")));
        let environment = environment.chain([("WSFIX_ISSUER".to_owned(), "https://issuer.example".to_owned())]).collect();
        let environment = EnvironmentResponse::builder().set_variables(Some(environment)).build();
        let live = found(FunctionConfiguration::builder().description("managed-by=wsfix;stack=terminal").environment(environment));
        assert!(!format!("{live:?}").contains("hunter2"), "{live:?}");
        let step = compared(live).steps.remove(0);
        let Action::Update(changes) = step.action else { panic!("{step:?}") };
        let shown = |name: &str| changes.iter().find(|change| change.field == format!("environment.{name}")).map(|change| &change.from);
        for name in secrets {
            assert_eq!(shown(name).map(String::as_str), Some("(sensitive)"), "{changes:#?}");
        }
        assert_eq!(shown("WSFIX_ISSUER").map(String::as_str), Some("https://issuer.example"));
    }

    #[test]
    fn a_function_of_another_account_or_region_is_not_deleted() {
        let want = desired(Settings::default());
        let place = Place { account: "111122223333".to_owned(), partition: "aws".to_owned(), region: "eu-west-1".to_owned() };
        let of = |arn: &str| {
            let marked = FunctionConfiguration::builder().description("managed-by=wsfix;stack=terminal").function_arn(arn);
            let seen = Observed { place: place.clone(), function: Found::Present(found(marked)), ..Observed::default() };
            Function.teardown(&want, &seen).expect("a verdict").steps.remove(0).action
        };
        assert!(matches!(of("arn:aws:lambda:eu-west-1:111122223333:function:websocket-handler"), Action::Delete(_)));
        for arn in
            ["arn:aws:lambda:us-east-1:111122223333:function:websocket-handler", "arn:aws:lambda:eu-west-1:444455556666:function:x", ""]
        {
            let action = of(arn);
            assert!(matches!(&action, Action::Refuse(why) if why.contains("is not of this account and Region")), "{action:?}");
        }
    }

    #[test]
    fn whose_events_an_adopted_function_would_get_is_told() {
        let mut live = found(FunctionConfiguration::builder().runtime(Runtime::Providedal2023));
        let queue = "arn:aws:sqs:eu-west-1:111122223333:q".to_owned();
        live.event_sources = Found::Present(vec![EventSource { uuid: "u".to_owned(), source: queue }]);
        assert!(compared(live.clone()).notes.iter().any(|note| note.ends_with("handler: arn:aws:sqs:eu-west-1:111122223333:q")));
        live.event_sources = Found::Unknown("denied".to_owned());
        assert!(compared(live).notes.iter().any(|note| note.ends_with("whether event sources call it is not known: denied")));
    }
}
