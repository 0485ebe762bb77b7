//! The services: fakes that keep state. Each has `pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome`.

pub(crate) mod apigateway;
pub(crate) mod apigatewayv2;
pub(crate) mod apprunner;
pub(crate) mod dynamodb;
pub(crate) mod iam;
pub(crate) mod lambda;
pub(crate) mod logs;
pub(crate) mod secretsmanager;
pub(crate) mod ssm;
pub(crate) mod sts;
