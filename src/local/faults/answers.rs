//! How each service says that something went wrong, where a fault asks for its own words.

use super::Kind;
use crate::local::wire::{Call, Service, ServiceError};
use crate::local::world::World;
use crate::policy::{self, Reason};

/// The policy that a planned denial names.
const POLICY: &str = "policy/PlannedDenial";

/// The error that the caller is given; `None`: the fault is none that is answered.
pub(crate) fn answer(world: &World, call: &Call, kind: &Kind) -> Option<ServiceError> {
    match kind {
        Kind::Error { status, code, message } => Some(ServiceError::new(*status, code, message)),
        Kind::Throttled => Some(throttled(call.service)),
        Kind::Broken => Some(broken(call.service)),
        Kind::Denied => Some(denied(world, call)),
        Kind::Reset | Kind::Slow(_) | Kind::Silent => None,
    }
}

/// Each service's error for too many calls (its API reference, common errors).
fn throttled(service: Service) -> ServiceError {
    match service {
        Service::Lambda => ServiceError::new(429, "TooManyRequestsException", "Rate exceeded"),
        Service::ApiGatewayV2 | Service::ApiGateway => ServiceError::new(429, "TooManyRequestsException", "Too Many Requests"),
        Service::ExecuteApi => ServiceError::new(429, "LimitExceededException", ""),
        Service::Sts | Service::Iam => ServiceError::new(400, "Throttling", "Rate exceeded"),
        Service::DynamoDb | Service::Logs | Service::Ssm | Service::SecretsManager | Service::AppRunner => {
            ServiceError::new(400, "ThrottlingException", "Rate exceeded")
        }
    }
}

/// Each service's error for a failure of its own (its API reference, common errors).
fn broken(service: Service) -> ServiceError {
    match service {
        Service::Lambda => ServiceError::new(500, "ServiceException", "An error occurred and the request cannot be processed."),
        Service::DynamoDb => ServiceError::new(500, "InternalServerError", "Internal server error"),
        Service::Logs => ServiceError::new(500, "ServiceUnavailableException", "The service cannot complete the request."),
        Service::Iam => ServiceError::new(500, "ServiceFailure", "The request processing has failed because of an unknown error."),
        Service::Sts => ServiceError::new(500, "InternalFailure", "The request processing has failed because of an unknown error."),
        Service::Ssm => ServiceError::new(500, "InternalServerError", "An error occurred on the server side."),
        Service::SecretsManager => ServiceError::new(500, "InternalServiceError", "An error occurred on the server side."),
        Service::AppRunner => ServiceError::new(500, "InternalServiceErrorException", "An unexpected service exception occurred."),
        Service::ApiGatewayV2 | Service::ApiGateway | Service::ExecuteApi => {
            ServiceError::new(500, "InternalServerErrorException", "Internal server error")
        }
    }
}

fn denied(world: &World, call: &Call) -> ServiceError {
    let (service, gateway) = (call.service.prefix(), matches!(call.service, Service::ApiGateway | Service::ApiGatewayV2));
    // API Gateway's actions are the methods.
    let action = if gateway { call.method.as_str() } else { &call.operation };
    let resource = if gateway { format!("arn:aws:apigateway:{}::{}", world.region, call.path) } else { world.arn(service, "*") };
    let policy = Some(format!("arn:aws:iam::{}:{POLICY}", world.account.id));
    let reason = Reason { explicit: true, kind: policy::Kind::Identity, policy };
    world.denial(&call.caller, &format!("{service}:{action}"), &resource, &reason)
}
