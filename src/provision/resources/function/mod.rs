//! The Lambda function: its code and its configuration.

mod calls;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::config::variables::Variable;
use crate::contract::env;
use crate::provision::desired::Desired;
use crate::provision::environment;
use crate::provision::error::AwsError;
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{Owner, TAG_FIELD, Tags, description, is_untagged, marked, owner, tag_changes};
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Context, Field, Kind, Resource, Seen, Verdict, differences};
use crate::provision::roles;

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
    pub(crate) environment: BTreeMap<String, Variable>,
    /// `Active`, and its last update successful.
    pub(crate) state: String,
}

/// The state of a function that can be used.
const READY: &str = "Active";

impl Spec {
    pub(crate) fn wanted(want: &Desired, seen: &Observed) -> Self {
        Self {
            code: want.code.as_ref().map(|code| code.sha256.clone()),
            role: roles::arn(want, seen),
            runtime: RUNTIME.to_owned(),
            handler: HANDLER.to_owned(),
            timeout_seconds: want.function.timeout_seconds,
            memory_mb: want.function.memory_mb,
            architecture: want.function.architecture.as_str().to_owned(),
            description: description(&want.stack, seen.function.present().map(|live| live.spec.description.as_str())),
            environment: environment::variables(want, seen),
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
        fields.extend(environment.iter().map(|(name, variable)| {
            let (name, value) = (format!("environment.{name}"), variable.value.expose());
            if variable.public { Field::new(name, value) } else { Field::secret(name, value) }
        }));
        fields
    }
}

/// The function as found.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) arn: String,
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
}

impl Live {
    pub(crate) fn owner(&self, stack: &str) -> Owner {
        owner(stack, self.tags.as_ref(), marked(Some(&self.spec.description)))
    }

    /// A variable of its environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.spec.environment.get(name).map(|variable| variable.value.expose())
    }
}

/// Reads a function of any name.
pub(crate) async fn read(cx: &Context<'_>, name: &str) -> Result<Live, AwsError> {
    calls::read(cx, name).await
}

/// What differs: fields first, then tags.
pub(crate) fn changes(want: &Desired, seen: &Observed, live: &Live) -> Vec<FieldChange> {
    let wanted = Spec::wanted(want, seen);
    let mut found = live.spec.clone();
    if live.environment_unread.is_some() {
        found.environment.clone_from(&wanted.environment);
    }
    for (name, variable) in &mut found.environment {
        // Of what is not wanted any more only our own settings are known to be no secrets.
        let setting = name.starts_with("WSFIX_") && name != env::SIGNING_KEY;
        variable.public = wanted.environment.get(name).map_or(setting, |variable| variable.public);
    }
    let mut changes = differences(&wanted.fields(), &found.fields());
    changes.extend(tag_changes(&want.tags, live.tags.as_ref(), is_untagged(&live.spec.description)));
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
        Box::pin(async { Ok(Slot::Function(Found::of(calls::read(cx, &cx.want.function.name).await)?)) })
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
        if !owner.is_ours() {
            return Verdict::refuse(
                Kind::Function,
                name,
                &owner.reason(),
                "set another `function.name`, or, if it is this stack's, tag it `wsfix:stack` with the stack's name",
            );
        }
        let changes = changes(want, seen, live);
        let calls = Parts::of(&changes).calls();
        let mut verdict = Verdict::changes(Kind::Function, name, changes, &calls);
        if let Some(why) = &live.environment_unread {
            verdict.notes.push(format!("function {name}: environment not compared: {why}"));
        }
        if let Some(why) = &live.unread {
            verdict.notes.push(format!("function {name}: tags not compared: {why}"));
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
            Owner::Ours => {
                let why = format!("{} has this stack's mark; its permissions go with it", live.arn);
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
            Found::Present(live) => (live.spec.state.clone(), Some(live.spec.state == READY), live.reason.clone()),
        };
        vec![ResourceStatus { kind: Kind::Function.name(), name: want.function.name.clone(), state, healthy, detail }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
