//! The statement in the function's policy that lets this API, and no other, call the function.

use std::rc::Rc;

use serde_json::Value;

use crate::provision::answer::{Answer, gone};
use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::outputs::ResourceStatus;
use crate::provision::plan::{Action, ApiCall, FieldChange};
use crate::provision::resource::{Context, Field, Kind, Resource, Seen, Verdict, differences};
use crate::provision::roles::items;
use crate::provision::wait::{LAGGING_LOOKS, Probe, retry, until};

const GET_POLICY: ApiCall = ApiCall { name: "GetPolicy", iam: "lambda:GetPolicy" };
const ADD_PERMISSION: ApiCall = ApiCall { name: "AddPermission", iam: "lambda:AddPermission" };
const REMOVE_PERMISSION: ApiCall = ApiCall { name: "RemovePermission", iam: "lambda:RemovePermission" };

const PRINCIPAL: &str = "apigateway.amazonaws.com";
const ACTION: &str = "lambda:InvokeFunction";
/// How the ids of our statements begin; the API's id follows.
const SID: &str = "wsfix-";

/// What wsfix manages about the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    effect: String,
    principal: String,
    action: String,
    source_arn: String,
    source_account: String,
}

impl Spec {
    fn wanted(want: &Desired, seen: &Observed) -> Self {
        Self {
            effect: "Allow".to_owned(),
            principal: PRINCIPAL.to_owned(),
            action: ACTION.to_owned(),
            source_arn: seen.place.arn("execute-api", &format!("{}/{}/*", seen.api_id(), want.api.stage)),
            source_account: seen.place.account.clone(),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let Self { effect, principal, action, source_arn, source_account } = self;
        vec![
            Field::new("effect", effect),
            Field::new("principal", principal),
            Field::new("action", action),
            Field::new("source_arn", source_arn),
            Field::new("source_account", source_account),
        ]
    }
}

/// The function's policy as found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// The statements that are ours, by their ids.
    ours: Vec<(String, Spec)>,
    /// The statements of others.
    others: Vec<Other>,
}

/// A statement that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    pub(crate) sid: String,
    /// Whom it lets call the function: `events.amazonaws.com (by-hand, for arn:...)`.
    pub(crate) words: String,
    /// What they call it for; empty: anything.
    source_arn: String,
}

impl Live {
    /// The statements that let somebody else than this API call the function.
    pub(crate) fn of_others(&self, api: Option<&str>) -> impl Iterator<Item = &Other> {
        let of_api = move |other: &&Other| {
            let path = other.source_arn.splitn(6, ':').nth(5).unwrap_or_default();
            api.is_some() && path.split('/').next() == api
        };
        self.others.iter().filter(move |other| !of_api(other))
    }
}

/// How often a statement is added that another call at the same time undid (Lambda, AddPermission).
const LOSSES: usize = 3;
/// How long a policy may lag behind.
const LAG_SECONDS: u64 = 3;

fn sid(seen: &Observed) -> String {
    format!("{SID}{}", seen.api_id())
}

pub(crate) struct Permission;

impl Resource for Permission {
    fn kind(&self) -> Kind {
        Kind::Permission
    }

    fn needs(&self) -> &'static [Kind] {
        &[Kind::Api, Kind::Function]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, _seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async { Ok(Slot::Permission(Found::of(read(cx).await)?)) })
    }

    fn diff(&self, want: &Desired, seen: &Observed) -> Verdict {
        let name = &want.function.name;
        let live = match &seen.permission {
            Found::Present(live) => live,
            Found::Unknown(why) if seen.function.present().is_some() => {
                return Verdict::step(Kind::Permission, name, Action::Keep, &[])
                    .with_note(format!("permission of {name}: not compared: {why}"));
            }
            Found::Absent | Found::Unknown(_) => return Verdict::step(Kind::Permission, name, Action::Create, &[ADD_PERMISSION]),
        };
        let changes = changes(want, seen, live);
        let sid = sid(seen);
        let stands = live.ours.iter().any(|(other, _)| *other == sid);
        let stale = live.ours.iter().any(|(other, _)| *other != sid);
        let mut verdict = match (stands, stale) {
            (false, false) => Verdict::step(Kind::Permission, name, Action::Create, &[ADD_PERMISSION]),
            _ => Verdict::changes(Kind::Permission, name, changes, &[REMOVE_PERMISSION, ADD_PERMISSION]),
        };
        // Who adopts a function should know who calls it.
        if seen.function.present().is_some_and(|function| !function.owner(&want.stack).is_ours()) {
            let others = live.others.iter().map(|other| other.words.as_str()).collect::<Vec<_>>().join(", ");
            verdict.notes.extend((!others.is_empty()).then(|| format!("function {name}: its policy goes on to name others: {others}")));
        }
        verdict
    }

    /// The statement goes with the function, unless that was adopted and is left: then by itself, with the API.
    fn teardown(&self, want: &Desired, seen: &Observed) -> Option<Verdict> {
        let function = seen.function.present()?;
        let stays = function.owner(&want.stack).is_ours() && !function.goes(want);
        let api = seen.api().filter(|api| stays && (want.consent.delete_adopted || !api.adopted()))?;
        let why = Action::Delete(format!("it lets the API {} call the function, which was adopted and stays", api.id));
        Some(Verdict::step(Kind::Permission, &want.function.name, why, &[REMOVE_PERMISSION]))
    }

    fn delete<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move { remove(cx, &sid(&seen)).await.map(|()| Slot::Permission(Found::Absent)) })
    }

    fn create<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(put(cx, seen))
    }

    fn update<'a>(&'a self, cx: &'a Context<'a>, _name: &'a str, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(put(cx, seen))
    }

    fn status(&self, want: &Desired, seen: &Observed) -> Vec<ResourceStatus> {
        let (state, healthy, detail) = match (&seen.permission, seen.api()) {
            (Found::Unknown(why), _) => ("unknown", None, why.clone()),
            (Found::Present(live), Some(_)) if live.ours.contains(&(sid(seen), Spec::wanted(want, seen))) => {
                ("present", Some(true), String::new())
            }
            (Found::Present(live), Some(_)) if live.ours.iter().any(|(other, _)| *other == sid(seen)) => {
                ("different", Some(false), "it does not let this API's stage in: every handshake gets 500".to_owned())
            }
            _ => ("absent", Some(false), "API Gateway may not call the function: every handshake gets 500".to_owned()),
        };
        vec![ResourceStatus { kind: Kind::Permission.name(), name: want.function.name.clone(), state: state.to_owned(), healthy, detail }]
    }
}

fn changes(want: &Desired, seen: &Observed, live: &Live) -> Vec<FieldChange> {
    let sid = sid(seen);
    let mut changes = Vec::new();
    for (other, spec) in &live.ours {
        if *other == sid {
            changes.extend(differences(&Spec::wanted(want, seen).fields(), &spec.fields()));
        } else {
            changes.push(FieldChange { field: format!("statement {other}"), from: spec.source_arn.clone(), to: String::new() });
        }
    }
    if !live.ours.iter().any(|(other, _)| *other == sid) {
        changes.push(FieldChange { field: format!("statement {sid}"), from: String::new(), to: Spec::wanted(want, seen).source_arn });
    }
    changes
}

async fn read(cx: &Context<'_>) -> Result<Live, AwsError> {
    let name = &cx.want.function.name;
    let answer = cx.clients.lambda.get_policy().function_name(name).send().await.explain(GET_POLICY, name)?;
    let policy: Value = serde_json::from_str(answer.policy().unwrap_or_default()).unwrap_or_default();
    let others = items(&policy["Statement"]).filter(|statement| ours(statement).is_none()).map(others).collect();
    Ok(Live { ours: items(&policy["Statement"]).filter_map(ours).collect(), others })
}

fn others(statement: &Value) -> Other {
    let text = |value: &Value| items(value).filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let principal = &statement["Principal"];
    let who = [&principal["Service"], &principal["AWS"], principal].into_iter().map(text).find(|who| !who.is_empty());
    let source_arn = condition(statement, "aws:sourcearn");
    let source = if source_arn.is_empty() { String::new() } else { format!(", for {source_arn}") };
    let denied = if statement["Effect"] == "Deny" { ", denied" } else { "" };
    let sid = text(&statement["Sid"]);
    Other { words: format!("{} ({sid}{source}{denied})", who.unwrap_or_else(|| principal.to_string())), sid, source_arn }
}

/// A statement that is ours, by its id.
fn ours(statement: &Value) -> Option<(String, Spec)> {
    let sid = statement["Sid"].as_str().filter(|sid| sid.starts_with(SID))?;
    let text = |value: &Value| items(value).filter_map(Value::as_str).collect::<Vec<_>>().join(",");
    let principal = &statement["Principal"];
    let spec = Spec {
        effect: text(&statement["Effect"]),
        principal: if principal["Service"].is_null() { principal.to_string() } else { text(&principal["Service"]) },
        action: text(&statement["Action"]),
        source_arn: condition(statement, "aws:sourcearn"),
        source_account: condition(statement, "aws:sourceaccount"),
    };
    Some((sid.to_owned(), spec))
}

/// A condition's value. Lambda writes `AWS:SourceArn`, IAM says `aws:SourceArn`: the case means nothing.
fn condition(statement: &Value, key: &str) -> String {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    let pairs = operators.filter_map(|(_, pairs)| pairs.as_object()).flatten();
    let values = pairs.filter(|(name, _)| name.eq_ignore_ascii_case(key)).flat_map(|(_, value)| items(value));
    values.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}

/// Removes what is stale or different, then adds the statement: one call at a time, since parallel ones lose statements. For the same reason the
/// policy is read back.
async fn put(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let (sid, spec) = (sid(&seen), Spec::wanted(&cx.want, &seen));
    let mut live = seen.permission.present().cloned().unwrap_or_default();
    for (other, found) in &live.ours {
        if *other != sid || *found != spec {
            remove(cx, other).await?;
        }
    }
    let ours = (sid, spec);
    for _ in 0..LOSSES {
        if live.ours.contains(&ours) {
            break;
        }
        add(cx, &seen, &ours.0, &ours.1).await?;
        match read_back(cx, &ours).await? {
            Some(found) => live = found,
            None => cx.rivals.notice(),
        }
    }
    Ok(Slot::Permission(Found::Present(Live { ours: vec![ours], others: live.others })))
}

/// The policy, once it has the statement; where it may not be read, as if it had. `None`: the statement is lost.
async fn read_back(cx: &Context<'_>, ours: &(String, Spec)) -> Result<Option<Live>, AwsError> {
    let looked = until(cx.watch(Kind::Permission, &cx.want.function.name, GET_POLICY, LAG_SECONDS), async || {
        Ok(match Found::optional(read(cx).await)? {
            Found::Present(live) if live.ours.contains(ours) => Probe::Ready(live),
            Found::Unknown(_) => Probe::Ready(Live { ours: vec![ours.clone()], others: Vec::new() }),
            Found::Present(_) | Found::Absent => Probe::Pending("the statement is not there yet".to_owned()),
        })
    });
    match looked.await {
        Err(error) if matches!(error.cause, Cause::TimedOut { .. }) => Ok(None),
        looked => looked.map(Some),
    }
}

async fn remove(cx: &Context<'_>, sid: &str) -> Result<(), AwsError> {
    let name = &cx.want.function.name;
    let call = cx.clients.lambda.remove_permission().function_name(name).statement_id(sid);
    let watch = cx.watch(Kind::Permission, name, REMOVE_PERMISSION, 60);
    gone(retry(watch, async || call.clone().send().await.explain(REMOVE_PERMISSION, name)).await)
}

async fn add(cx: &Context<'_>, seen: &Observed, sid: &str, spec: &Spec) -> Result<(), AwsError> {
    let name = &cx.want.function.name;
    let arn = seen.place.function(name);
    let call = cx.clients.lambda.add_permission().function_name(name).statement_id(sid).action(ACTION).principal(PRINCIPAL);
    let call = call.source_arn(&spec.source_arn).source_account(&spec.source_account);
    let (mut replaced, mut looks) = (false, 0);
    until(cx.watch(Kind::Permission, name, ADD_PERMISSION, 60), async || {
        looks += 1;
        match call.clone().send().await.explain(ADD_PERMISSION, &arn) {
            Ok(_) => Ok(Probe::Ready(())),
            // A function that was just made is not known everywhere yet.
            Err(error) if error.cause == Cause::NotFound && looks < LAGGING_LOOKS => Ok(Probe::Pending(error.words())),
            Err(error) if matches!(error.cause, Cause::NotReady | Cause::Throttled) => Ok(Probe::Pending(error.words())),
            // A statement of this id, unseen: the answer to our call was lost, or the policy could not be read.
            Err(error) if error.cause == Cause::Exists && !replaced => {
                replaced = true;
                let stands = read(cx).await.is_ok_and(|live| live.ours.contains(&(sid.to_owned(), spec.clone())));
                if stands {
                    return Ok(Probe::Ready(()));
                }
                remove(cx, sid).await?;
                Ok(Probe::Pending("replacing the statement".to_owned()))
            }
            Err(error) => Err(error),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statement_reads_the_same_however_lambda_writes_it() {
        let statement = json!({
            "Sid": "wsfix-a1", "Effect": "Allow", "Principal": { "Service": PRINCIPAL }, "Action": [ACTION], "Resource": "arn:f",
            "Condition": { "ArnLike": { "AWS:SourceArn": "arn:a1/prod/*" }, "StringEquals": { "aws:sourceAccount": "111122223333" } },
        });
        let (sid, spec) = ours(&statement).expect("ours");
        assert_eq!(sid, "wsfix-a1");
        assert_eq!(
            (spec.source_arn.as_str(), spec.source_account.as_str(), spec.action.as_str()),
            ("arn:a1/prod/*", "111122223333", ACTION)
        );
        let mut open = statement.clone();
        open["Condition"] = json!({});
        assert_ne!(ours(&open).expect("ours").1, spec);
        let mut anyone = statement.clone();
        anyone["Principal"] = json!("*");
        assert_ne!(ours(&anyone).expect("ours").1, spec);
        let mut foreign = statement;
        foreign["Sid"] = json!("console-made");
        assert!(ours(&foreign).is_none());
        assert_eq!(others(&foreign).words, "apigateway.amazonaws.com (console-made, for arn:a1/prod/*)");
        let bucket = json!({ "Sid": "s3", "Effect": "Allow", "Principal": "*", "Action": ACTION });
        assert_eq!(others(&bucket).words, "* (s3)");
        let live = Live { ours: Vec::new(), others: vec![others(&foreign), others(&bucket)] };
        let of_others = |api| live.of_others(api).map(|other| other.sid.as_str()).collect::<Vec<_>>();
        assert_eq!(of_others(None), ["console-made", "s3"]);
        assert_eq!(of_others(Some("a1")), ["console-made", "s3"], "its source is no API's");
        foreign["Condition"] = json!({ "ArnLike": { "AWS:SourceArn": "arn:aws:execute-api:eu-west-1:111122223333:a1/*/*" } });
        let live = Live { ours: Vec::new(), others: vec![others(&foreign)] };
        assert_eq!((live.of_others(Some("a1")).count(), live.of_others(Some("a2")).count()), (0, 1));
    }
}
