//! From a service's answer to bytes: each service has its protocol, its content type and its shape of errors.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::identity::Unidentified;
use super::wire::{Answer, Outcome, Service, ServiceError};
use super::{ids, xml};

/// How a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON with `X-Amz-Target`; the two versions differ in the content type.
    Json(&'static str),
    /// JSON, with the operation in method and path.
    Rest,
    /// A form with `Action`, answered in XML.
    Query,
}

impl Service {
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Sts | Self::Iam => Protocol::Query,
            Self::DynamoDb | Self::AppRunner => Protocol::Json("application/x-amz-json-1.0"),
            Self::Logs | Self::Ssm | Self::SecretsManager => Protocol::Json("application/x-amz-json-1.1"),
            Self::Lambda | Self::ApiGatewayV2 | Self::ApiGateway | Self::ExecuteApi => Protocol::Rest,
        }
    }

    /// The prefix of the service's actions in policies.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::DynamoDb => "dynamodb",
            Self::Lambda => "lambda",
            Self::ApiGatewayV2 | Self::ApiGateway => "apigateway",
            Self::Logs => "logs",
            Self::Ssm => "ssm",
            Self::SecretsManager => "secretsmanager",
            Self::AppRunner => "apprunner",
            Self::ExecuteApi => "execute-api",
        }
    }
}

/// Writes an answer or an error in the service's protocol.
pub(crate) fn response(service: Service, outcome: Outcome) -> Response {
    let request_id = ids::uuid();
    let answer = outcome.unwrap_or_else(|error| failure(service, error, &request_id));
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let content_type = match service.protocol() {
        Protocol::Json(content_type) => content_type,
        Protocol::Rest => "application/json",
        Protocol::Query => "text/xml",
    };
    headers.insert("content-type", HeaderValue::from_static(content_type));
    for (name, text) in answer.headers.into_iter().chain([("x-amzn-requestid", request_id)]) {
        if let (Ok(name), Ok(text)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&text)) {
            headers.insert(name, text);
        }
    }
    response
}

/// The error as this service reports it, whichever part of the cloud it came from.
///
/// A denial of another service's action (`iam:PassRole` in CreateFunction) takes the shape of the service that was called.
pub(crate) fn as_reported(service: Service, mut error: ServiceError) -> ServiceError {
    if matches!(error.code.as_str(), "AccessDenied" | "AccessDeniedException") {
        (error.status, error.code) = match service.protocol() {
            Protocol::Json(_) => (400, "AccessDeniedException".to_owned()),
            Protocol::Rest => (403, "AccessDeniedException".to_owned()),
            Protocol::Query => (403, "AccessDenied".to_owned()),
        };
    }
    error
}

fn failure(service: Service, error: ServiceError, request_id: &str) -> Answer {
    let error = as_reported(service, error);
    match service.protocol() {
        Protocol::Query => Answer { status: error.status, headers: Vec::new(), body: xml::error(service, &error, request_id).into() },
        Protocol::Json(_) => {
            let kind = match service {
                Service::DynamoDb => format!("{}{}", dynamodb_namespace(&error.code), error.code),
                Service::Sts
                | Service::Iam
                | Service::Lambda
                | Service::ApiGatewayV2
                | Service::ApiGateway
                | Service::Logs
                | Service::Ssm
                | Service::SecretsManager
                | Service::AppRunner
                | Service::ExecuteApi => error.code.clone(),
            };
            let mut body = Map::from_iter([("__type".to_owned(), Value::from(kind))]);
            let name = if error.code == "AccessDeniedException" { "Message" } else { "message" };
            body.insert(name.to_owned(), error.message.into());
            body.extend(error.members.into_iter().map(|(name, value)| (name.to_owned(), value)));
            Answer::json(error.status, &Value::from(body))
        }
        Protocol::Rest => rest_failure(service, error),
    }
}

fn rest_failure(service: Service, error: ServiceError) -> Answer {
    let mut body = Map::new();
    if service == Service::Lambda && error.code != "AccessDeniedException" {
        body.insert("Type".to_owned(), Value::from(if error.status < 500 { "User" } else { "Service" }));
    }
    if !error.message.is_empty() {
        body.insert(message_member(service, &error.code).to_owned(), error.message.into());
    }
    body.extend(error.members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    // GoneException has no members at all.
    let mut answer = if body.is_empty() { Answer::empty(error.status) } else { Answer::json(error.status, &Value::from(body)) };
    answer.headers.push(("x-amzn-errortype", error.code));
    answer
}

/// Lambda spells the member differently from error to error.
fn message_member(service: Service, code: &str) -> &'static str {
    match (service, code) {
        (Service::Lambda, "AccessDeniedException" | "ResourceNotFoundException" | "ServiceException" | "UnrecognizedClientException") => {
            "Message"
        }
        _ => "message",
    }
}

fn dynamodb_namespace(code: &str) -> &'static str {
    match code {
        "ValidationException" => "com.amazon.coral.validate#",
        "AccessDeniedException"
        | "MissingAuthenticationTokenException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "SerializationException"
        | "UnknownOperationException" => "com.amazon.coral.service#",
        _ => "com.amazonaws.dynamodb.v20120810#",
    }
}

/// What a service answers to a request without a caller.
pub(crate) fn unidentified(service: Service, why: &Unidentified) -> ServiceError {
    let query = service.protocol() == Protocol::Query;
    let status = if matches!(service.protocol(), Protocol::Json(_)) { 400 } else { 403 };
    let pick = |json: &'static str, xml: &'static str| if query { xml } else { json };
    let invalid = pick("InvalidSignatureException", "SignatureDoesNotMatch");
    match why {
        Unidentified::Missing => {
            let code = pick("MissingAuthenticationTokenException", "MissingAuthenticationToken");
            ServiceError::new(status, code, "Request is missing Authentication Token")
        }
        Unidentified::Malformed => {
            let code = pick("IncompleteSignatureException", "IncompleteSignature");
            ServiceError::new(status, code, "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.")
        }
        Unidentified::Unknown => {
            let code = pick("UnrecognizedClientException", "InvalidClientTokenId");
            ServiceError::new(status, code, "The security token included in the request is invalid.")
        }
        Unidentified::WrongRegion { signed, here } => {
            let text = format!("Credential should be scoped to a valid region, not '{signed}'. This endpoint is '{here}'.");
            ServiceError::new(status, invalid, text)
        }
        Unidentified::WrongService { expected } => {
            ServiceError::new(status, invalid, format!("Credential should be scoped to correct service: '{expected}'. "))
        }
        Unidentified::Expired { signed, bound, now } => {
            let text = if signed < now {
                format!("Signature expired: {signed} is now earlier than {bound} ({now} - 5 min.)")
            } else {
                format!("Signature not yet current: {signed} is still later than {bound} ({now} + 5 min.)")
            };
            ServiceError::new(status, pick("InvalidSignatureException", "SignatureDoesNotMatch"), text)
        }
        Unidentified::Mismatch => ServiceError::new(
            status,
            invalid,
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ),
    }
}

/// What a service answers to an operation that it does not have.
pub(crate) fn unknown_operation(service: Service, operation: &str) -> ServiceError {
    match service.protocol() {
        Protocol::Query => {
            ServiceError::new(400, "InvalidAction", format!("Could not find operation {operation} for version {}", xml::version(service)))
        }
        Protocol::Json(_) => ServiceError::new(400, "UnknownOperationException", ""),
        Protocol::Rest => ServiceError::new(404, "UnknownOperationException", format!("Unable to find operation for {operation}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::failure;
    use crate::local::wire::{Service, ServiceError};

    fn shape(service: Service, code: &str) -> (u16, Vec<(&'static str, String)>, Value) {
        let answer = failure(service, ServiceError::new(418, code, "why"), "id");
        (answer.status, answer.headers, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    #[test]
    fn each_service_reports_a_denial_in_its_own_shape() {
        let header = vec![("x-amzn-errortype", "AccessDeniedException".to_owned())];
        assert_eq!(shape(Service::ApiGatewayV2, "AccessDenied"), (403, header.clone(), json!({"message": "why"})));
        assert_eq!(shape(Service::Lambda, "AccessDenied"), (403, header, json!({"Message": "why"})));
        let body = json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "why"});
        assert_eq!(shape(Service::DynamoDb, "AccessDeniedException"), (400, Vec::new(), body));
        assert_eq!(shape(Service::Logs, "AccessDenied"), (400, Vec::new(), json!({"__type": "AccessDeniedException", "Message": "why"})));
        let xml = failure(Service::Iam, ServiceError::new(400, "AccessDeniedException", "why"), "id");
        assert_eq!(xml.status, 403);
        assert!(String::from_utf8_lossy(&xml.body).contains("<Code>AccessDenied</Code><Message>why</Message>"));
    }

    #[test]
    fn lambda_spells_message_per_error() {
        assert_eq!(shape(Service::Lambda, "ResourceNotFoundException").2, json!({"Type": "User", "Message": "why"}));
        assert_eq!(shape(Service::Lambda, "ResourceConflictException").2, json!({"Type": "User", "message": "why"}));
    }

    #[test]
    fn an_error_without_message_has_no_body() {
        assert!(failure(Service::ExecuteApi, ServiceError::new(410, "GoneException", ""), "id").body.is_empty());
    }
}
