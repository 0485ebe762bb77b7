//! How many control-plane calls an account may make: API Gateway, Lambda and CloudWatch Logs count them, and refuse what is too much.
//!
//! "API Gateway quotas and important notes"; "Lambda quotas"; "CloudWatch Logs quotas". The quotas are those of an account that asked
//! for no more; API Gateway's cannot be raised.

use serde_json::Value;

use super::bucket::{Buckets, Limit};
use super::wire::{Service, ServiceError};

/// What has been drawn of each quota.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Buckets);

/// The quota that an operation counts for: its name, and how many calls it allows.
fn quota(service: Service, operation: &str) -> Option<(String, Limit)> {
    let all = |name: &str, limit| Some((name.to_owned(), limit));
    match (service, operation) {
        (Service::ApiGatewayV2 | Service::ApiGateway, _) => all("apigateway", (10.0, 40)),
        (Service::Lambda, "Invoke") => None,
        (Service::Lambda, "GetFunction") => all("lambda GetFunction", (100.0, 100)),
        (Service::Lambda, "GetPolicy") => all("lambda GetPolicy", (15.0, 15)),
        (Service::Lambda, _) => all("lambda", (15.0, 15)),
        (Service::Logs, "CreateLogGroup" | "DeleteLogGroup" | "DescribeLogGroups" | "DescribeLogStreams" | "FilterLogEvents") => {
            Some((format!("logs {operation}"), (5.0, 5)))
        }
        (
            Service::Logs
            | Service::Sts
            | Service::Iam
            | Service::DynamoDb
            | Service::Ssm
            | Service::SecretsManager
            | Service::AppRunner
            | Service::ExecuteApi,
            _,
        ) => None,
    }
}

impl Quotas {
    /// Counts a call; refuses it where the account has made too many.
    pub(crate) fn take(&self, service: Service, operation: &str, now_ms: i64) -> Result<(), ServiceError> {
        match quota(service, operation) {
            Some((name, limit)) => self.0.take(name, limit, now_ms).then_some(()).ok_or_else(|| refusal(service)),
            None => Ok(()),
        }
    }
}

fn refusal(service: Service) -> ServiceError {
    if service.prefix() == "logs" {
        return ServiceError::new(400, "ThrottlingException", "Rate exceeded");
    }
    let lambda = service == Service::Lambda;
    let mut error = ServiceError::new(429, "TooManyRequestsException", if lambda { "Rate exceeded" } else { "Too Many Requests" });
    if lambda {
        error.members.push(("Reason", Value::from("CallerRateLimitExceeded")));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::{Quotas, Service};

    fn taken(quotas: &Quotas, service: Service, operation: &str, now_ms: i64) -> usize {
        (0..200).filter(|_| quotas.take(service, operation, now_ms).is_ok()).count()
    }

    #[test]
    fn each_service_has_its_own_quota() {
        let quotas = Quotas::default();
        assert_eq!(taken(&quotas, Service::ApiGatewayV2, "CreateRoute", 0), 40);
        // The first API counts for the same quota.
        assert_eq!(taken(&quotas, Service::ApiGateway, "GetAccount", 1000), 10);
        assert_eq!(taken(&quotas, Service::Lambda, "GetFunction", 0), 100);
        assert_eq!(taken(&quotas, Service::Lambda, "UpdateFunctionCode", 0), 15);
        assert_eq!(taken(&quotas, Service::Lambda, "Invoke", 0), 200);
        assert_eq!(taken(&quotas, Service::Logs, "FilterLogEvents", 0), 5);
        assert_eq!(taken(&quotas, Service::Logs, "PutLogEvents", 0), 200);
        assert_eq!(taken(&quotas, Service::DynamoDb, "DescribeTable", 0), 200);
    }

    #[test]
    fn each_service_refuses_in_its_own_words() {
        let quotas = Quotas::default();
        let refused = |service, operation| {
            taken(&quotas, service, operation, 0);
            let error = quotas.take(service, operation, 0).unwrap_err();
            (error.status, error.code)
        };
        assert_eq!(refused(Service::ApiGatewayV2, "GetApis"), (429, "TooManyRequestsException".to_owned()));
        assert_eq!(refused(Service::Lambda, "AddPermission"), (429, "TooManyRequestsException".to_owned()));
        assert_eq!(refused(Service::Logs, "DescribeLogGroups"), (400, "ThrottlingException".to_owned()));
    }
}
