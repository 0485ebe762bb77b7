//! What the table's steps ask DynamoDB.

use std::rc::Rc;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType, TableDescription, TableStatus, Tag,
};
use serde_json::Value;

use super::expiry::{self, UPDATE_TIME_TO_LIVE};
use super::{Live, POLICY_FIELD, Spec, changes, kept_field, left_to_ask, policy, wanted_policy};
use crate::contract::ownership::{KEPT_TAG, TRUE};
use crate::contract::{SESSION_INDEX, item};
use crate::provision::answer::{Answer, TAGGING, made_anew, unanswered};
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::ownership::{Owner, Part, TAG_FIELD, Tags};
use crate::provision::plan::ApiCall;
use crate::provision::resource::{Context, Kind};
use crate::provision::roles;
use crate::provision::wait::{LAGGING_LOOKS, Probe, retry, until, until_gone};

pub(crate) const DESCRIBE_TABLE: ApiCall = ApiCall { name: "DescribeTable", iam: "dynamodb:DescribeTable" };
const LIST_TAGS: ApiCall = ApiCall { name: "ListTagsOfResource", iam: "dynamodb:ListTagsOfResource" };
const GET_RESOURCE_POLICY: ApiCall = ApiCall { name: "GetResourcePolicy", iam: "dynamodb:GetResourcePolicy" };
const CREATE_TABLE: ApiCall = ApiCall { name: "CreateTable", iam: "dynamodb:CreateTable" };
pub(crate) const UPDATE_TABLE: ApiCall = ApiCall { name: "UpdateTable", iam: "dynamodb:UpdateTable" };
pub(crate) const PUT_RESOURCE_POLICY: ApiCall = ApiCall { name: "PutResourcePolicy", iam: "dynamodb:PutResourcePolicy" };
pub(crate) const TAG_RESOURCE: ApiCall = ApiCall { name: "TagResource", iam: "dynamodb:TagResource" };
pub(crate) const UNTAG_RESOURCE: ApiCall = ApiCall { name: "UntagResource", iam: "dynamodb:UntagResource" };
pub(crate) const DELETE_TABLE: ApiCall = ApiCall { name: "DeleteTable", iam: "dynamodb:DeleteTable" };
/// What making a table takes. Tags and the resource policy travel with CreateTable and need their own permissions.
pub(crate) const CREATE: &[ApiCall] = &[
    CREATE_TABLE,
    ApiCall { name: "CreateTable", iam: "dynamodb:TagResource" },
    ApiCall { name: "CreateTable", iam: "dynamodb:PutResourcePolicy" },
    DESCRIBE_TABLE,
    UPDATE_TIME_TO_LIVE,
];

/// A new table takes 14 to 22 s with its index.
const ACTIVE_SECONDS: u64 = 300;
/// A deletion takes 4 to 6 s.
const GONE_SECONDS: u64 = 120;

/// Reads a table, and beside it its expiry, its tags and its policy.
pub(crate) async fn read(cx: &Context<'_>, name: &str) -> Result<Live, AwsError> {
    let (table, ttl) = futures_util::join!(describe(cx, name), expiry::describe(cx, name));
    let mut table = table?;
    let arn = table.table_arn().unwrap_or_default().to_owned();
    let (tags, document) = futures_util::join!(list_tags(cx, &arn), get_policy(cx, &arn));
    let tags = Found::optional(tags)?;
    // A table that is being made has none yet, and one that went meanwhile has none any more.
    let young = matches!(tags, Found::Absent);
    if young && table.table_status() != Some(&TableStatus::Creating) {
        table = describe(cx, name).await?;
    }
    let status = table.table_status().map_or("", |status| status.as_str()).to_owned();
    let mut unread = Vec::new();
    let mut known = |why: String| unread.push(why);
    let tags = match tags {
        Found::Present(tags) => Some(tags),
        Found::Absent => None,
        Found::Unknown(why) => {
            known(why);
            None
        }
    };
    let document = match Found::optional(document)? {
        Found::Present(document) => Some(document),
        Found::Absent => Some(Value::Null),
        Found::Unknown(why) => {
            known(why);
            None
        }
    };
    let ttl_attribute = match Found::optional(ttl)? {
        Found::Present(attribute) => Some(attribute),
        Found::Absent => Some(String::new()),
        // DescribeTimeToLive refuses while a table is being made: nothing can be set yet.
        Found::Unknown(_) if status == "CREATING" => Some(String::new()),
        Found::Unknown(why) => {
            known(why);
            None
        }
    };
    let index = table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(SESSION_INDEX));
    let spec = Spec {
        billing_mode: table
            .billing_mode_summary()
            .and_then(|mode| mode.billing_mode())
            .map_or("PROVISIONED", BillingMode::as_str)
            .to_owned(),
        session_index: index.is_some(),
        ttl_attribute,
        resource_policy: document.as_ref().map(policy::words),
        status,
    };
    Ok(Live {
        arn,
        spec,
        other_keys: other_keys(&table),
        index_status: index.map(|index| index.index_status().map_or("", |status| status.as_str()).to_owned()),
        deletion_protection: table.deletion_protection_enabled().unwrap_or_default(),
        young,
        tags,
        policy: document,
        items: table.item_count().unwrap_or_default(),
        unread,
    })
}

async fn describe(cx: &Context<'_>, name: &str) -> Result<TableDescription, AwsError> {
    let answer = cx.clients.dynamodb.describe_table().table_name(name).send().await.explain(DESCRIBE_TABLE, name)?;
    answer.table.ok_or_else(|| unanswered(DESCRIBE_TABLE, name, "an answer without a table"))
}

/// Whether the table is gone, or on its way out.
pub(super) async fn is_gone(cx: &Context<'_>) -> bool {
    match describe(cx, &cx.want.table).await {
        Ok(table) => table.table_status() == Some(&TableStatus::Deleting),
        Err(error) => error.cause == Cause::NotFound,
    }
}

async fn list_tags(cx: &Context<'_>, arn: &str) -> Result<Tags, AwsError> {
    let mut tags = Tags::new();
    let mut token = None;
    loop {
        let page =
            cx.clients.dynamodb.list_tags_of_resource().resource_arn(arn).set_next_token(token).send().await.explain(LIST_TAGS, arn)?;
        tags.extend(page.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())));
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(tags);
        }
    }
}

async fn get_policy(cx: &Context<'_>, arn: &str) -> Result<Value, AwsError> {
    let answer = cx.clients.dynamodb.get_resource_policy().resource_arn(arn).send().await.explain(GET_RESOURCE_POLICY, arn)?;
    Ok(answer.policy().and_then(|policy| serde_json::from_str(policy).ok()).unwrap_or_default())
}

/// Why the keys are not those of a table of connections.
fn other_keys(table: &TableDescription) -> Option<String> {
    let keys = |schema: &[KeySchemaElement]| {
        schema.iter().map(|key| format!("{} {}", key.attribute_name(), key.key_type())).collect::<Vec<_>>().join(", ")
    };
    let want = format!("{} HASH", item::CONNECTION_ID);
    let found = keys(table.key_schema());
    if found != want {
        return Some(format!("its key is `{found}`, not `{want}`"));
    }
    let attributes = table.attribute_definitions().iter();
    let mut ours = attributes.filter(|attribute| [item::CONNECTION_ID, item::SESSION_ID].contains(&attribute.attribute_name()));
    if let Some(other) = ours.find(|attribute| *attribute.attribute_type() != ScalarAttributeType::S) {
        return Some(format!("its attribute `{}` is of type {}, not S", other.attribute_name(), other.attribute_type()));
    }
    let index = table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(SESSION_INDEX))?;
    let want = format!("{} HASH", item::SESSION_ID);
    let found = keys(index.key_schema());
    if found != want {
        return Some(format!("the key of {SESSION_INDEX} is `{found}`, not `{want}`"));
    }
    let projection = index.projection().and_then(|projection| projection.projection_type()).map_or("ALL", ProjectionType::as_str);
    (projection != "ALL").then(|| format!("{SESSION_INDEX} holds `{projection}` of an item, not `ALL`"))
}

/// Makes the table and waits until it can be used, then switches expiry on.
pub(crate) async fn create(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let name = &cx.want.table;
    let arn = seen.place.table(name);
    let document = wanted_policy(&cx.want, &seen);
    let (mut tags, mut with_policy) = (cx.want.tags.clone(), document.is_some());
    loop {
        let document = document.as_ref().filter(|_| with_policy).map(Value::to_string);
        let made =
            retry(cx.watch(Kind::Table, name, CREATE_TABLE, GONE_SECONDS), async || create_table(cx, &arn, &tags, document.clone()).await)
                .await;
        match made {
            Ok(()) => break,
            Err(error) if !tags.is_empty() && error.denies(TAGGING) => {
                cx.without(Part::TableTags, format!("the table gets no tags ({})", error.words()));
                tags.clear();
            }
            Err(error) if with_policy && error.denies(&["ResourcePolicy"]) => {
                let text = format!("the table gets no resource policy: {} ({})", left_to_ask(&cx.want, &seen), error.words());
                if roles::judged(&cx.want, &seen).is_some_and(roles::Judged::needs_table_policy) {
                    cx.note(text);
                    return Err(error);
                }
                cx.without(Part::TablePolicy, text);
                with_policy = false;
            }
            // It was not there a moment ago: the answer to our call was lost, or another run made it.
            Err(error) if error.cause == Cause::Exists => return go_on(cx, &seen, error).await,
            Err(error) => return Err(error),
        }
    }
    wait_active(cx, true).await?;
    let ttl_attribute = Some(expiry::enable(cx, "").await?);
    let spec = Spec {
        billing_mode: "PAY_PER_REQUEST".to_owned(),
        session_index: true,
        ttl_attribute,
        resource_policy: document.as_ref().filter(|_| with_policy).map(policy::words),
        status: "ACTIVE".to_owned(),
    };
    Ok(present(Live {
        arn,
        spec,
        other_keys: None,
        index_status: Some("ACTIVE".to_owned()),
        deletion_protection: false,
        young: false,
        tags: Some(tags),
        policy: document.filter(|_| with_policy),
        items: 0,
        unread: Vec::new(),
    }))
}

fn present(live: Live) -> Slot {
    Slot::Table(Found::Present(live))
}

async fn create_table(cx: &Context<'_>, arn: &str, tags: &Tags, policy: Option<String>) -> Result<(), AwsError> {
    let (keys, index) = schema().map_err(|error| unbuilt(CREATE_TABLE, arn, &error))?;
    let tags = tag_list(tags).map_err(|error| unbuilt(CREATE_TABLE, arn, &error))?;
    let call = cx.clients.dynamodb.create_table().table_name(&cx.want.table).billing_mode(BillingMode::PayPerRequest);
    let call = call.set_attribute_definitions(Some(attributes().map_err(|error| unbuilt(CREATE_TABLE, arn, &error))?));
    let call = call.key_schema(keys).global_secondary_indexes(index);
    let call = call.set_tags((!tags.is_empty()).then_some(tags)).set_resource_policy(policy);
    call.send().await.explain(CREATE_TABLE, arn).map(drop)
}

fn attributes() -> Result<Vec<AttributeDefinition>, BuildError> {
    let text = |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
    Ok(vec![text(item::CONNECTION_ID)?, text(item::SESSION_ID)?])
}

fn hash(name: &str) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(KeyType::Hash).build()
}

fn schema() -> Result<(KeySchemaElement, GlobalSecondaryIndex), BuildError> {
    let all = Projection::builder().projection_type(ProjectionType::All).build();
    let index = GlobalSecondaryIndex::builder().index_name(SESSION_INDEX).key_schema(hash(item::SESSION_ID)?).projection(all).build()?;
    Ok((hash(item::CONNECTION_ID)?, index))
}

fn tag_list(tags: &Tags) -> Result<Vec<Tag>, BuildError> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn unbuilt(call: ApiCall, resource: &str, error: &BuildError) -> AwsError {
    AwsError::of(call, resource, Cause::Invalid, Some(error.to_string()))
}

/// Goes on with a table that appeared during the run, if it is ours.
async fn go_on(cx: &Context<'_>, seen: &Observed, exists: AwsError) -> Result<Slot, AwsError> {
    cx.rivals.notice();
    wait_active(cx, true).await?;
    match reread(cx, seen).await? {
        Some(seen) => repair(cx, &seen).await,
        None => Err(exists),
    }
}

/// Reads the table again once its tags can be read; `None`: it is not ours.
async fn reread(cx: &Context<'_>, seen: &Observed) -> Result<Option<Observed>, AwsError> {
    let name = &cx.want.table;
    let mut live = read(cx, name).await?;
    // Tags are read with a delay of seconds (DynamoDB, ListTagsOfResource).
    let tagged = until(cx.watch(Kind::Table, name, LIST_TAGS, 5), async || {
        let read = read(cx, name).await?;
        let bare = read.young || read.owner(&cx.want.stack) == Owner::Nobody;
        live = read;
        Ok(if bare { Probe::Pending("without tags".to_owned()) } else { Probe::Ready(()) })
    });
    let ours = tagged.await.is_ok() && live.other_keys.is_none() && !matches!(live.owner(&cx.want.stack), Owner::Other(_));
    Ok(ours.then(|| Observed { table: Found::Present(live), ..seen.clone() }))
}

/// Puts right what differs.
pub(crate) async fn update(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let young = |live: &Live| live.young || live.spec.status == "CREATING";
    if !seen.table.present().is_some_and(young) {
        return repair(cx, &seen).await;
    }
    wait_active(cx, true).await?;
    let said = "the table that was being made when the run began has no mark of this stack";
    let exists = AwsError::of(CREATE_TABLE, &seen.place.table(&cx.want.table), Cause::Exists, Some(said.to_owned()));
    match reread(cx, &seen).await? {
        Some(seen) => repair(cx, &seen).await,
        None => Err(exists),
    }
}

async fn repair(cx: &Context<'_>, seen: &Observed) -> Result<Slot, AwsError> {
    let Some(live) = seen.table.present() else { return Ok(Slot::Same) };
    let (name, mut live) = (&cx.want.table, live.clone());
    let changes = changes(&cx.want, seen, &live);
    let has = |field: &str| changes.iter().any(|change| change.field == field);
    wait_active(cx, false).await?;
    // The marks come first: whatever happens after them, the table says whose it is.
    if changes.iter().any(|change| change.field.starts_with(TAG_FIELD) && !change.to.is_empty()) {
        put_tags(cx, &live.arn, &cx.want.tags_of(live.adopted(&cx.want.stack))).await?;
    }
    if has(&kept_field()) {
        take_up(cx, &live.arn).await?;
    }
    if let Some(document) = wanted_policy(&cx.want, seen).filter(|_| has(POLICY_FIELD)) {
        put_policy(cx, seen, &live.arn, &document).await?;
    }
    if has("billing_mode") {
        let call = cx.clients.dynamodb.update_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        retry(cx.watch(Kind::Table, name, UPDATE_TABLE, 60), async || call.clone().send().await.explain(UPDATE_TABLE, &live.arn)).await?;
        wait_active(cx, false).await?;
    }
    if has(SESSION_INDEX) {
        add_index(cx, &live.arn).await?;
    }
    if has("ttl_attribute") {
        let from = live.spec.ttl_attribute.clone().unwrap_or_default();
        live.spec.ttl_attribute = Some(expiry::enable(cx, &from).await?);
    }
    Ok(present(live))
}

async fn add_index(cx: &Context<'_>, arn: &str) -> Result<(), AwsError> {
    let name = &cx.want.table;
    let build = || -> Result<_, BuildError> {
        let all = Projection::builder().projection_type(ProjectionType::All).build();
        let index = CreateGlobalSecondaryIndexAction::builder()
            .index_name(SESSION_INDEX)
            .key_schema(hash(item::SESSION_ID)?)
            .projection(all)
            .build()?;
        Ok((GlobalSecondaryIndexUpdate::builder().create(index).build(), attributes()?))
    };
    let (index, attributes) = build().map_err(|error| unbuilt(UPDATE_TABLE, arn, &error))?;
    let call = cx
        .clients
        .dynamodb
        .update_table()
        .table_name(name)
        .set_attribute_definitions(Some(attributes))
        .global_secondary_index_updates(index);
    match retry(cx.watch(Kind::Table, name, UPDATE_TABLE, 60), async || call.clone().send().await.explain(UPDATE_TABLE, arn)).await {
        // It was not there a moment ago: the answer to our call was lost, or another run made it.
        Err(error) if error.cause == Cause::Exists => cx.rivals.notice(),
        answer => drop(answer?),
    }
    wait_active(cx, false).await?;
    cx.note(format!("DynamoDB fills {SESSION_INDEX} anew, which can take 20 minutes; until then the table cannot be deleted"));
    Ok(())
}

async fn put_policy(cx: &Context<'_>, seen: &Observed, arn: &str, document: &Value) -> Result<(), AwsError> {
    let call = cx.clients.dynamodb.put_resource_policy().resource_arn(arn).policy(document.to_string());
    let watch = cx.watch(Kind::Table, &cx.want.table, PUT_RESOURCE_POLICY, 60);
    match retry(watch, async || call.clone().send().await.explain(PUT_RESOURCE_POLICY, arn)).await {
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
            let text = format!("the table's resource policy stays as it is: {} ({})", left_to_ask(&cx.want, seen), error.words());
            if roles::judged(&cx.want, seen).is_some_and(roles::Judged::needs_table_policy) {
                cx.note(text);
                return Err(error);
            }
            cx.without(Part::TablePolicy, text);
            Ok(())
        }
        other => other.map(drop),
    }
}

async fn put_tags(cx: &Context<'_>, arn: &str, tags: &Tags) -> Result<(), AwsError> {
    let tags = tag_list(tags).map_err(|error| unbuilt(TAG_RESOURCE, arn, &error))?;
    let call = cx.clients.dynamodb.tag_resource().resource_arn(arn).set_tags(Some(tags));
    match retry(cx.watch(Kind::Table, &cx.want.table, TAG_RESOURCE, 60), async || call.clone().send().await.explain(TAG_RESOURCE, arn))
        .await
    {
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
            cx.rivals.leave();
            cx.without(Part::TableTags, format!("the table's tags stay as they are ({})", error.words()));
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Marks the table as kept by a teardown.
pub(super) async fn keep(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let Some(live) = seen.table.present() else { return Ok(Slot::Same) };
    put_tags(cx, &live.arn, &Tags::from([(KEPT_TAG.to_owned(), TRUE.to_owned())])).await?;
    Ok(Slot::Same)
}

/// Takes that mark off.
async fn take_up(cx: &Context<'_>, arn: &str) -> Result<(), AwsError> {
    let call = cx.clients.dynamodb.untag_resource().resource_arn(arn).tag_keys(KEPT_TAG);
    let watch = cx.watch(Kind::Table, &cx.want.table, UNTAG_RESOURCE, 60);
    match retry(watch, async || call.clone().send().await.explain(UNTAG_RESOURCE, arn)).await {
        Err(error) if matches!(error.cause, Cause::Denied { .. }) => {
            cx.without(Part::TableTags, format!("the table's tags go on to say that it is kept ({})", error.words()));
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Waits until the table can be used. A table that was just made may not be known everywhere yet.
async fn wait_active(cx: &Context<'_>, new: bool) -> Result<(), AwsError> {
    let name = &cx.want.table;
    let mut looks = 0;
    until(cx.watch(Kind::Table, name, DESCRIBE_TABLE, ACTIVE_SECONDS), async || {
        looks += 1;
        let table = match describe(cx, name).await {
            Err(error) if new && error.cause == Cause::NotFound && looks < LAGGING_LOOKS => {
                return Ok(Probe::Pending("not known yet".to_owned()));
            }
            other => other?,
        };
        let status = table.table_status().map_or("", |status| status.as_str()).to_owned();
        Ok(match status.as_str() {
            "ACTIVE" => Probe::Ready(()),
            "CREATING" | "UPDATING" | "" => Probe::Pending(status),
            _ => Probe::Failed(status),
        })
    })
    .await
}

/// Deletes the table and waits until it is gone.
pub(crate) async fn delete(cx: &Context<'_>, seen: Rc<Observed>) -> Result<Slot, AwsError> {
    let name = &cx.want.table;
    let arn = seen.place.table(name);
    let mut id = None;
    if seen.table.present().is_some_and(|live| live.spec.status != "DELETING") {
        let deleted = until(cx.watch(Kind::Table, name, DELETE_TABLE, 20 * 60), async || {
            match cx.clients.dynamodb.delete_table().table_name(name).send().await.explain(DELETE_TABLE, &arn) {
                Ok(answer) => Ok(Probe::Ready(answer.table_description.and_then(|table| table.table_id))),
                Err(error) if error.cause == Cause::NotFound || error.words().contains("being deleted") => Ok(Probe::Ready(None)),
                Err(error) if matches!(error.cause, Cause::NotReady | Cause::Throttled) => Ok(Probe::Pending(error.words())),
                Err(error) => Err(error),
            }
        });
        id = deleted.await?;
    }
    until_gone(cx.watch(Kind::Table, name, DESCRIBE_TABLE, GONE_SECONDS), async || {
        let table = describe(cx, name).await?;
        match (&id, table.table_id()) {
            (Some(deleted), Some(found)) if deleted != found => Err(made_anew(DESCRIBE_TABLE, &arn)),
            _ => Ok(table.table_status().map_or("", |status| status.as_str()).to_owned()),
        }
    })
    .await?;
    Ok(Slot::Table(Found::Absent))
}
