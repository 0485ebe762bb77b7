//! STS: who am I.

use std::sync::Arc;

use crate::local::protocol;
use crate::local::wire::{Call, Outcome, Service};
use crate::local::world::World;
use crate::local::xml::{self, element};

/// Answers an operation of STS. GetCallerIdentity is never denied: it tells callers nothing but what they are.
#[expect(clippy::unused_async, reason = "all services have one signature")]
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    if call.operation != "GetCallerIdentity" {
        return Err(protocol::unknown_operation(Service::Sts, &call.operation));
    }
    let result = element("Arn", &call.caller.arn) + &element("UserId", &call.caller.user_id) + &element("Account", &world.account.id);
    Ok(xml::answer(Service::Sts, &call.operation, &result))
}
