//! What the control plane says of a stack, as checks.

use std::time::Duration;

use crate::provision::health::{Condition, Holds, Matter};
use crate::verify::causes::{self, Cause};
use crate::verify::check::{Check, Layer, Missed};

/// Each condition as a check. They were read together: none has a time of its own.
pub(super) fn checks(conditions: &[Condition], time: Duration) -> Vec<Check> {
    let check = |condition: &Condition| {
        let (layer, name, cause) = about(condition.matter);
        let verdict = match &condition.holds {
            Holds::Yes(seen) => Ok(seen.clone()),
            Holds::No(seen) => Err(Missed::failed(cause, seen)),
            Holds::Unknown(why) => Err(Missed::unknown(why)),
        };
        Check::of(layer, name, verdict, time)
    };
    conditions.iter().map(check).collect()
}

/// The layer, the name and the cause of what is not so.
fn about(matter: Matter) -> (Layer, &'static str, &'static Cause) {
    match matter {
        Matter::Api => (Layer::Api, "the API is there", &causes::NO_API),
        Matter::Integration => (Layer::Routes, "the integration calls the function", &causes::WRONG_INTEGRATION),
        Matter::Routes => (Layer::Routes, "every route goes to the function", &causes::NO_ROUTE),
        Matter::Stage => (Layer::Stage, "the stage serves the last deployment", &causes::NO_STAGE),
        Matter::Throttles => (Layer::Stage, "the stage's throttles let traffic in", &causes::THROTTLED),
        Matter::Function => (Layer::Function, "the function is active", &causes::NO_FUNCTION),
        Matter::TimeLimits => (Layer::Function, "the function ends before the gateway does", &causes::TIME_LIMITS),
        Matter::Permission => (Layer::Permission, "the API may call the function", &causes::NOT_PERMITTED),
        Matter::Role => (Layer::Role, "the role is fit", &causes::ROLE_NOT_FIT),
        Matter::Replies => (Layer::Reply, "replies have a way to the client", &causes::REPLY_DENIED),
        Matter::Table => (Layer::Table, "the table is active", &causes::NO_TABLE),
        Matter::TablePolicy => (Layer::Role, "the table lets the role in", &causes::NO_TABLE_POLICY),
        Matter::Expiry => (Layer::Table, "items of the table expire", &causes::NO_EXPIRY),
    }
}
