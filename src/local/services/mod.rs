//! The services: fakes that keep state. Each has `pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome`.

pub(crate) mod iam;
pub(crate) mod sts;
