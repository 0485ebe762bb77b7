//! One request to a service and its answer, as the services see them: protocols stay in `http.rs`.

use bytes::Bytes;
use http::{HeaderMap, Method};

/// Which service a request is for; decides the protocol of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Sts,
    Iam,
    DynamoDb,
    Lambda,
    ApiGatewayV2,
    /// API Gateway's first API: only `GET /account`.
    ApiGateway,
    Logs,
    Ssm,
    SecretsManager,
    AppRunner,
    /// `@connections`
    ExecuteApi,
}

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// As GetCallerIdentity says it, e.g. `arn:aws:iam::111122223333:user/dev` or `arn:aws:sts::...:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// The IAM entity whose policies count: the user's or the role's ARN (a role's with its path).
    pub principal: String,
    pub user_id: String,
}

/// One request to a service.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub service: Service,
    /// As AWS names it: `CreateTable`, `GetCallerIdentity`.
    pub operation: String,
    pub caller: Caller,
    pub method: Method,
    /// Still percent-encoded.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What a service answers when it succeeds.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or XML for IAM and STS.
    pub body: Bytes,
}

impl Answer {
    /// A JSON document.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::from(body.to_string()) }
    }

    /// No body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }
}

/// What a service answers when it does not. `http.rs` writes it in the service's protocol.
#[derive(Clone, Debug)]
pub(crate) struct ServiceError {
    pub status: u16,
    /// `ResourceNotFoundException`, without a namespace.
    pub code: String,
    pub message: String,
    /// More members of the body.
    pub members: Vec<(&'static str, serde_json::Value)>,
}

impl ServiceError {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), members: Vec::new() }
    }
}

/// What every operation of every service gives.
pub(crate) type Outcome = Result<Answer, ServiceError>;

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::{Call, Caller, Service};

    /// The built-in user.
    pub(crate) fn dev() -> Caller {
        let arn = "arn:aws:iam::111122223333:user/dev".to_owned();
        Caller { principal: arn.clone(), arn, user_id: "AIDAEXAMPLE".to_owned() }
    }

    /// A call of the built-in user.
    pub(crate) fn call(service: Service, operation: &str, body: impl Into<String>) -> Call {
        Call {
            service,
            operation: operation.to_owned(),
            caller: dev(),
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.into()),
        }
    }
}
