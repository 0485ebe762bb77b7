//! The items of the stack's table, for a file.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::connections::{Row, pages};
use super::error::Error;
use super::observed::Observed;
use super::resource::{Context, Kind};
use super::resources::table;
use super::{Desired, Run, context, look};

/// Hands over each item of the stack's table as one line of DynamoDB JSON, as `aws dynamodb put-item --item` takes it. Answers with how
/// many there were; `None`: the stack has no table.
///
/// # Errors
/// When the table cannot be read.
pub async fn export(run: &Run<'_>, mut line: impl FnMut(&str)) -> Result<Option<usize>, Error> {
    let cx = context(run, Desired::partly(run.config)).await?;
    let seen = look(&cx, |kind| [Kind::Account, Kind::Table, Kind::Function].contains(&kind)).await?;
    if !is_ours(&cx, &seen) {
        return Ok(None);
    }
    let mut items = 0;
    let call = cx.clients.dynamodb.scan().consistent_read(true);
    pages(&cx.want, call, |row| {
        items += 1;
        line(&item(&row).to_string());
    })
    .await?;
    Ok(Some(items))
}

fn is_ours(cx: &Context<'_>, seen: &Observed) -> bool {
    seen.table.present().is_some_and(|live| table::is_ours(&cx.want, seen, live))
}

fn item(row: &Row) -> Value {
    Value::Object(row.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "DynamoDB's types may grow")]
fn attribute(value: &AttributeValue) -> Value {
    let bytes = |blob: &aws_sdk_dynamodb::primitives::Blob| STANDARD.encode(blob.as_ref());
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::B(blob) => json!({ "B": bytes(blob) }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(blobs) => json!({ "BS": blobs.iter().map(bytes).collect::<Vec<_>>() }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(attribute).collect::<Vec<_>>() }),
        AttributeValue::M(map) => json!({ "M": item(map) }),
        _ => json!({ "NULL": true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_written_as_the_aws_tools_take_it() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let map = Row::from([("at".to_owned(), AttributeValue::N("1.5".to_owned())), ("on".to_owned(), AttributeValue::Bool(true))]);
        let row = Row::from([
            ("connectionId".to_owned(), text("a=\n\"")),
            ("list".to_owned(), AttributeValue::L(vec![text("x"), AttributeValue::Null(true)])),
            ("map".to_owned(), AttributeValue::M(map)),
            ("set".to_owned(), AttributeValue::Ss(vec!["a".to_owned(), "b".to_owned()])),
            ("bytes".to_owned(), AttributeValue::B(vec![0, 255].into())),
        ]);
        let line = item(&row).to_string();
        assert_eq!(
            line,
            r#"{"bytes":{"B":"AP8="},"connectionId":{"S":"a=\n\""},"list":{"L":[{"S":"x"},{"NULL":true}]},"map":{"M":{"at":{"N":"1.5"},"on":{"BOOL":true}}},"set":{"SS":["a","b"]}}"#
        );
    }
}
