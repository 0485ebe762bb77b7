//! The WebSocket API. Its name is not unique: it is found by its tag or its marker, and by its name alone only to be adopted.

mod calls;
mod live;
mod spare;

use std::rc::Rc;

pub(crate) use calls::each;
pub(crate) use live::{Live, One};
pub(crate) use spare::{SpareApis, discard};

use crate::contract::ownership::{ADOPTED_TAG, STACK_TAG, TRUE};
use crate::provision::answer::{Answer, gone};
use crate::provision::desired::Desired;
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::ownership::{Owner, TAG_FIELD, description, is_untagged, tag_changes};
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Context, Field, Kind, Resource, Seen, Verdict, differences, told_adopted};
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
            description: description(&want.stack, found.map(One::description), found.is_some_and(One::adopted)),
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

pub(crate) struct Api;

impl Resource for Api {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async {
            let live = calls::read(cx).await.map(|mut live| {
                if cx.want.consent.adopt {
                    live.adopt();
                }
                live
            });
            Ok(Slot::Api(Found::of(live)?))
        })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let name = &want.api.name;
        let live = match &seen.api {
            Found::Present(live) => live,
            Found::Unknown(why) => return Verdict::unread(Kind::Api, name, why),
            Found::Absent => return Verdict::step(Kind::Api, name, Action::Create, CREATE),
        };
        match (seen.api(), live.ours.as_slice(), live.foreign.as_slice()) {
            (Some(one), ..) => {
                let mut changes = differences(&Spec::wanted(want, Some(one)).fields(), &one.spec.fields());
                changes.extend(tag_changes(&want.tags_of(one.adopted()), Some(&one.tags), is_untagged(one.description())));
                let calls = calls(&changes);
                if one.owner == Owner::Nobody {
                    let mut verdict = Verdict::adopts(Kind::Api, name, changes, &calls);
                    verdict.notes = live.notes(name);
                    verdict
                } else {
                    Verdict::changes(Kind::Api, name, changes, &calls)
                }
            }
            (None, [], []) => {
                let mut verdict = Verdict::step(Kind::Api, name, Action::Create, CREATE);
                verdict.notes = live.notes(name);
                verdict
            }
            (None, [], [foreign]) => Verdict::refuse(
                Kind::Api,
                name,
                &format!("an API of this name, {}: {}", foreign.id, foreign.owner.reason()),
                &foreign.owner.remedy("set another `api.name`", GET_APIS.iam),
            ),
            (None, [], several) => refuse_several(want, seen, several),
            (None, ..) => Verdict::refuse(
                Kind::Api,
                name,
                &several_reason(live),
                "delete those that are not in use, or take this stack's mark off them",
            ),
        }
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::create(cx, name, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(calls::update(cx, name, seen))
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let Some(one) = seen.api() else { return Ok(Slot::Api(Found::Absent)) };
            let answer = retry(cx.watch(Kind::Api, name, DELETE_API, 60), async || {
                cx.clients.api.delete_api().api_id(&one.id).send().await.explain(DELETE_API, &seen.place.api(&one.id))
            });
            // What goes after it may ask for its id still.
            gone(answer.await).map(|()| Slot::Same)
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
        match (seen.api(), live.ours.as_slice(), live.foreign.first()) {
            (Some(one), ..) if one.spec.name != *name => refuse(
                &format!("{} has this stack's mark and the name `{}`", one.id, one.spec.name),
                "set `api.name` to that name, or run `wsfix provision` first",
            ),
            (Some(one), ..) if one.owner == Owner::Ours && one.is_left(want) => {
                let with = if function_goes(want, seen) {
                    ", with its routes; the function that they call goes, and every handshake then gets 500"
                } else {
                    ", with its routes, integrations and stages"
                };
                let command = format!("aws apigatewayv2 delete-api --api-id {}", one.id);
                Some(Verdict::left(Kind::Api, name, with, &command))
            }
            (Some(one), ..) => match &one.owner {
                Owner::Disputed(_) => {
                    refuse(&format!("{}: {}", one.id, one.owner.reason()), "run `wsfix provision` first, or delete it by hand")
                }
                Owner::Ours | Owner::Other(_) | Owner::Nobody | Owner::Unknown => {
                    let adopted = if one.adopted() { ", and was adopted" } else { "" };
                    let why = format!("{} has this stack's mark{adopted}; its routes, integrations and stages go with it", one.id);
                    Some(Verdict::step(Kind::Api, name, Action::Delete(why), &[DELETE_API]))
                }
            },
            (None, [], Some(foreign)) => Some(Verdict::default().with_note(format!(
                "the API {name} ({}) is not this stack's and is left: {}",
                foreign.id,
                foreign.owner.reason()
            ))),
            (None, [], None) => None,
            (None, ..) => refuse(&several_reason(live), "delete by hand those that are not in use"),
        }
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let (state, healthy, detail) = match (&seen.api, seen.api()) {
            (Found::Unknown(why), _) => ("unknown".to_owned(), None, why.clone()),
            (_, Some(one)) if one.spec.disable_execute_api_endpoint => {
                ("available".to_owned(), Some(false), format!("{}: its endpoint is switched off, every handshake gets 403", one.id))
            }
            (_, Some(one)) => ("available".to_owned(), Some(true), told_adopted(one.adopted(), one.id.clone())),
            (Found::Present(live), None) if live.ours.len() > 1 => ("ambiguous".to_owned(), Some(false), several_reason(live)),
            (Found::Present(_) | Found::Absent, None) => ("absent".to_owned(), Some(false), String::new()),
        };
        vec![ResourceStatus { kind: Kind::Api.name(), name: want.api.name.clone(), state, healthy, detail }]
    }
}

/// Several APIs of the wanted name, none of them this stack's: which one is meant, a person says.
fn refuse_several(want: &Desired, seen: &Observed, several: &[One]) -> Verdict {
    let said: Vec<String> = several.iter().map(|one| format!("{} ({})", one.id, one.owner.words())).collect();
    let mark = format!(
        "aws apigatewayv2 tag-resource --resource-arn {} --tags {STACK_TAG}={},{ADOPTED_TAG}={TRUE}",
        seen.place.api("ID"),
        want.stack
    );
    Verdict::refuse(
        Kind::Api,
        &want.api.name,
        &format!("{} APIs have this name, and none is this stack's: {}", several.len(), said.join(", ")),
        &format!("set another `api.name`, delete or rename all but one, or mark the one that is meant: `{mark}`"),
    )
}

/// Whether teardown deletes the function that the routes call.
fn function_goes(want: &Desired, seen: &Observed) -> bool {
    seen.function.present().is_some_and(|function| function.goes(want))
}

fn several_reason(live: &Live) -> String {
    format!("{} APIs have this stack's mark: {}", live.ours.len(), live.ids())
}

fn calls(changes: &[FieldChange]) -> Vec<ApiCall> {
    let tags = changes.iter().any(|change| change.field.starts_with(TAG_FIELD));
    let rest = changes.iter().any(|change| !change.field.starts_with(TAG_FIELD));
    [rest.then_some(UPDATE_API), tags.then_some(TAG_RESOURCE)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_apigatewayv2::types::{Api as Answered, ProtocolType};

    use super::*;
    use crate::config::Settings;
    use crate::provision::desired::tests::desired;
    use crate::provision::resource::halves;

    /// What the comparison says of these APIs (id, protocol, stack of its tag), all of the wanted name.
    fn verdict(adopt: bool, apis: &[(&str, ProtocolType, Option<&str>)]) -> String {
        let mut want = desired(Settings::default());
        want.consent.adopt = adopt;
        let mut live = Live::default();
        for (id, protocol, stack) in apis {
            let api = Answered::builder().api_id(*id).name(&want.api.name).protocol_type(protocol.clone());
            let tags = stack.map(|stack| HashMap::from([(STACK_TAG.to_owned(), stack.to_owned())]));
            live.put(&want, &api.route_selection_expression("$request.body.action").set_tags(tags).build());
        }
        if adopt {
            live.adopt();
        }
        let seen = Observed { api: Found::Present(live), ..Observed::default() };
        let verdict = Api.diff(&want, &seen);
        let action = match &verdict.steps[0].action {
            Action::Refuse(why) => format!("refused: {}\n  {}", halves(why).0, halves(why).1),
            Action::Adopt(_) => format!("adopts {}", seen.api_id()),
            Action::Create => "creates".to_owned(),
            other @ (Action::Keep | Action::Update(_) | Action::Delete(_)) => format!("{other:?}"),
        };
        verdict.notes.iter().fold(action, |text, note| format!("{text}\n  note: {note}")) + "\n"
    }

    #[test]
    fn of_the_apis_of_one_name_the_one_that_is_nobodys_is_adopted() {
        use ProtocolType::{Http, Websocket};
        let other = ("theirs", Websocket, Some("other"));
        let mut shown = verdict(true, &[("plain", Websocket, None), other.clone(), ("rest", Http, None)]);
        shown += &verdict(true, &[("rest", Http, None)]);
        shown += &verdict(true, &[("one", Websocket, None), ("two", Websocket, None), other.clone()]);
        shown += &verdict(false, &[("one", Websocket, None)]);
        shown += &verdict(true, &[other]);
        insta::assert_snapshot!(shown, @r#"
        adopts plain
          note: rest, an HTTP API, has the name TerminalWebSocketAPI too: it has no WebSockets, and is left
          note: theirs, an API of the name TerminalWebSocketAPI too, is left: it is there already and belongs to the stack `other`
        creates
          note: rest, an HTTP API, has the name TerminalWebSocketAPI too: it has no WebSockets, and is left
        refused: 3 APIs have this name, and none is this stack's: one (without a mark), two (without a mark), theirs (of the stack `other`)
          set another `api.name`, delete or rename all but one, or mark the one that is meant: `aws apigatewayv2 tag-resource --resource-arn arn::apigateway:::/apis/ID --tags wsfix:stack=terminal,wsfix:adopted=true`
        refused: an API of this name, one: it is there already, and neither a tag `wsfix:stack` nor a description says that it is this stack's
          `--adopt` takes it into this stack, and `wsfix plan --adopt` shows what that changes; or set another `api.name`
        refused: an API of this name, theirs: it is there already and belongs to the stack `other`
          set another `api.name`; what has another stack's mark is never adopted
        "#);
    }
}
