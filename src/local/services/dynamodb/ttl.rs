//! Time to live: its settings, with AWS's texts and cool-down. Nothing is ever removed: DynamoDB takes days, and until then returns what expired.

use serde::Deserialize;
use serde_json::json;

use super::table::Status;
use super::{Body, allow, busy, table_name, table_not_found, validation};
use crate::local::json::{need, read};
use crate::local::wire::{Call, ServiceError};
use crate::local::world::World;

/// How long after a change there may be no other: up to an hour as documented, some 31 minutes as measured. Milliseconds.
const COOL_DOWN_MS: i64 = 31 * 60 * 1000;

/// A table's setting.
#[derive(Clone, Debug, Default)]
pub(super) struct Ttl {
    /// `None`: disabled.
    attribute: Option<String>,
    changed_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    table_name: Option<String>,
    time_to_live_specification: Option<Specification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Specification {
    enabled: Option<bool>,
    attribute_name: Option<String>,
}

impl Ttl {
    /// Whether a change would change anything, and may be made now. What is said already comes before the cool-down.
    fn check(&self, enabled: bool, attribute: &str, now_ms: i64) -> Result<(), ServiceError> {
        match &self.attribute {
            Some(current) if current != attribute => {
                return Err(validation(format!("TimeToLive is active on a different AttributeName: current AttributeName is {current}")));
            }
            Some(_) if enabled => return Err(validation("TimeToLive is already enabled")),
            None if !enabled => return Err(validation("TimeToLive is already disabled")),
            Some(_) | None => {}
        }
        if self.changed_ms.is_some_and(|changed| now_ms - changed < COOL_DOWN_MS) {
            return Err(validation("Time to live has been modified multiple times within a fixed interval"));
        }
        Ok(())
    }
}

pub(super) fn update(world: &World, call: &Call) -> Body {
    let input: Input = read(call)?;
    let name = table_name(input.table_name)?;
    let specification = need("ValidationException", "timeToLiveSpecification", input.time_to_live_specification)?;
    let enabled = need("ValidationException", "timeToLiveSpecification.enabled", specification.enabled)?;
    let attribute = need("ValidationException", "timeToLiveSpecification.attributeName", specification.attribute_name)?;
    allow(world, call, &name, None)?;
    if attribute.is_empty() || attribute.len() > 255 {
        return Err(validation("TimeToLive attributeName must be 1 to 255 characters long"));
    }
    let mut tables = world.dynamodb.now();
    let table = tables.get_mut(&name).ok_or_else(|| table_not_found(&name))?;
    match table.status() {
        Status::Active | Status::Updating => {}
        status @ (Status::Creating | Status::Deleting) => return Err(busy(table, status)),
    }
    let now = world.clock.now_ms();
    table.ttl.check(enabled, &attribute, now)?;
    table.ttl = Ttl { attribute: enabled.then(|| attribute.clone()), changed_ms: Some(now) };
    Ok(json!({"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute}}))
}

pub(super) fn describe(world: &World, call: &Call) -> Body {
    let name = table_name(read::<Input>(call)?.table_name)?;
    allow(world, call, &name, None)?;
    let found = world.dynamodb.now().get(&name).map(|table| (table.status(), table.ttl.clone()));
    let (status, ttl) = found.ok_or_else(|| table_not_found(&name))?;
    let refused = |state: &str| Err(validation(format!("Cannot describe time to live while table is in {state} state")));
    match status {
        Status::Creating => return refused("CREATING"),
        Status::Deleting => return refused("DELETING"),
        Status::Active | Status::Updating => {}
    }
    Ok(match &ttl.attribute {
        Some(attribute) => json!({"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}),
        None => json!({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}),
    })
}

#[cfg(test)]
mod tests {
    use super::{COOL_DOWN_MS, Ttl};

    #[test]
    fn what_is_so_already_is_said_before_the_cool_down() {
        let enabled = Ttl { attribute: Some("expiresAt".to_owned()), changed_ms: Some(0) };
        let text = |ttl: &Ttl, enabled, attribute: &str, now| ttl.check(enabled, attribute, now).map_err(|error| error.message);
        assert_eq!(text(&enabled, true, "expiresAt", 1), Err("TimeToLive is already enabled".to_owned()));
        let other = "TimeToLive is active on a different AttributeName: current AttributeName is expiresAt".to_owned();
        assert_eq!(text(&enabled, true, "ttl", COOL_DOWN_MS), Err(other));
        let again = Err("Time to live has been modified multiple times within a fixed interval".to_owned());
        assert_eq!(text(&enabled, false, "expiresAt", COOL_DOWN_MS - 1), again);
        assert_eq!(text(&enabled, false, "expiresAt", COOL_DOWN_MS), Ok(()));
        assert_eq!(text(&Ttl::default(), false, "x", 0), Err("TimeToLive is already disabled".to_owned()));
        assert_eq!(text(&Ttl::default(), true, "x", 0), Ok(()));
    }
}
