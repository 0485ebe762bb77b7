//! From an SDK error to an [`AwsError`]: the one place that classifies, by the code and then just enough of the text.

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use http::StatusCode;

use super::error::{AwsError, Cause};
use super::plan::ApiCall;

/// Turns an answer of the SDK into one that says which call it was, and on what.
pub(crate) trait Answer<T> {
    fn explain(self, call: ApiCall, resource: &str) -> Result<T, AwsError>;
}

impl<T, E, R> Answer<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
    SdkError<E, R>: RequestId,
{
    fn explain(self, call: ApiCall, resource: &str) -> Result<T, AwsError> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's errors may grow")]
        self.map_err(|error| {
            let request_id = error.request_id().map(str::to_owned);
            let (cause, said) = match &error {
                SdkError::ServiceError(context) => {
                    let meta = context.err().meta();
                    let code = plain_code(meta.code().unwrap_or_default());
                    let text = redact(meta.message().unwrap_or_default());
                    (classify(call.name, code, &text), Some(join(code, &text)))
                }
                SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => no_answer(&chain(&error)),
                other => (Cause::Other, Some(chain(other))),
            };
            AwsError { operation: call.name, iam: call.iam, resource: resource.to_owned(), cause, said, request_id }
        })
    }
}

impl AwsError {
    /// A failure that wsfix itself finds, or puts into words.
    pub(crate) fn of(call: ApiCall, resource: &str, cause: Cause, said: Option<String>) -> Self {
        Self { operation: call.name, iam: call.iam, resource: resource.to_owned(), cause, said, request_id: None }
    }

    /// Whether it is a denial that names `word`: a part of the call that can be left out.
    pub(crate) fn denies(&self, words: &[&str]) -> bool {
        let said = self.said.as_deref().unwrap_or_default();
        matches!(self.cause, Cause::Denied { .. }) && words.iter().any(|word| said.contains(word))
    }

    /// AWS's own words, or what kind of failure it is.
    pub(crate) fn words(&self) -> String {
        self.said.clone().unwrap_or_else(|| format!("{:?}", self.cause))
    }
}

/// Whether a message is about the right to tag, and not about the resource itself.
pub(crate) const TAGGING: &[&str] = &["TagResource", "TagLogGroup", "/tags/"];

/// An answer that lacks what it is there for.
pub(crate) fn unanswered(call: ApiCall, resource: &str, said: &str) -> AwsError {
    AwsError::of(call, resource, Cause::Other, Some(said.to_owned()))
}

/// An answer that is no success, to a call that no SDK client made. The 410 of `@connections` has no message.
pub(crate) fn refused(call: ApiCall, resource: &str, status: StatusCode, code: &str, text: &str) -> AwsError {
    let code = plain_code(code);
    let cause = match status {
        StatusCode::GONE => Cause::NotFound,
        StatusCode::TOO_MANY_REQUESTS => Cause::Throttled,
        StatusCode::FORBIDDEN if code.is_empty() => Cause::Denied { explicit: false },
        status if status.is_server_error() => Cause::Unreachable,
        _ => classify(call.name, code, text),
    };
    AwsError::of(call, resource, cause, Some(join(code, &redact(text))))
}

/// A deletion, of which one that finds nothing is done already.
pub(crate) fn gone<T>(deleted: Result<T, AwsError>) -> Result<(), AwsError> {
    match deleted {
        Err(error) if error.cause != Cause::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What was deleted is there again.
pub(crate) fn made_anew(call: ApiCall, resource: &str) -> AwsError {
    AwsError::of(call, resource, Cause::Overtaken, Some("it was deleted, and another run made it anew".to_owned()))
}

/// A call that made something without a name of its own, of which no answer came: it is not repeated.
pub(crate) fn lost(error: AwsError) -> AwsError {
    let cause = if error.cause == Cause::Unreachable { Cause::Lost } else { error.cause };
    AwsError { cause, ..error }
}

/// A code without what some protocols put around it: `ns#Code`, `Code:http://...`.
fn plain_code(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code)
}

/// Lambda repeats the whole environment when it is too large: cut there.
fn redact(text: &str) -> String {
    match text.find("String measured") {
        Some(at) => format!("{}(values left out)", &text[..at]),
        None => text.to_owned(),
    }
}

fn join(code: &str, text: &str) -> String {
    match (code.is_empty(), text.is_empty()) {
        (true, true) => "no code and no message".to_owned(),
        (true, false) => text.to_owned(),
        (false, true) => code.to_owned(),
        (false, false) => format!("{code}: {text}"),
    }
}

/// The error and all its sources in one line: where there is no answer, only they say why.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !words.last().is_some_and(|last| last.contains(&text)) {
            words.push(text);
        }
        source = error.source();
    }
    redact(&words.join(": "))
}

fn no_answer(said: &str) -> (Cause, Option<String>) {
    let lower = said.to_lowercase();
    // The SDK reports missing credentials as a request that could not be sent.
    let credentials = lower.contains("credential") || lower.contains("identity") || lower.contains("sso");
    (if credentials { Cause::Credentials } else { Cause::Unreachable }, Some(said.to_owned()))
}

/// What kind of failure a code and a message are.
fn classify(operation: &str, code: &str, text: &str) -> Cause {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        "AccessDenied" | "AccessDeniedException" | "ForbiddenException" | "UnauthorizedOperation" => {
            Cause::Denied { explicit: text.to_lowercase().contains("explicit deny") }
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "NotAuthorized"
        | "AuthFailure" => Cause::Credentials,
        "TooManyRequestsException" | "Throttling" | "ThrottlingException" | "ThrottledException" | "RequestLimitExceeded" => {
            Cause::Throttled
        }
        "NotFoundException" | "ResourceNotFoundException" | "NoSuchEntity" | "NoSuchEntityException" | "PolicyNotFoundException" => {
            // The policy of a new function and the tags of a new table can be asked for before they are known everywhere.
            Cause::NotFound
        }
        "ResourceAlreadyExistsException" | "EntityAlreadyExists" => Cause::Exists,
        "ConflictException" => conflict(operation, text),
        "ResourceConflictException" if has(&["already exist"]) => Cause::Exists,
        "ResourceConflictException" | "OperationAbortedException" => Cause::NotReady,
        "ResourceInUseException" if has(&["already exists"]) && operation == "CreateTable" => Cause::Exists,
        "ResourceInUseException" | "LimitExceededException" => in_use(operation, text),
        "ServiceUnavailableException"
        | "ServiceUnavailable"
        | "InternalServerError"
        | "InternalServerErrorException"
        | "InternalServiceError"
        | "InternalFailure"
        | "ServiceException"
        | "ServiceFailure" => Cause::Unreachable,
        "PreconditionFailedException" => Cause::Overtaken,
        "BadRequestException" if has(&["referenced by the following Routes"]) => Cause::NotReady,
        "InvalidParameterValueException" => invalid_parameter(text),
        "ValidationException" => validation(text),
        "BadRequestException"
        | "InvalidInput"
        | "InvalidParameterException"
        | "InvalidRequestException"
        | "MalformedPolicyDocument"
        | "PolicyLengthExceededException"
        | "CodeStorageExceededException"
        | "RequestEntityTooLargeException"
        | "RequestTooLargeException"
        | "InvalidCodeSignatureException"
        | "CodeVerificationFailedException"
        | "SerializationException"
        | "UnknownOperationException"
        | "InvalidAction"
        | "NotImplemented" => Cause::Invalid,
        _ => Cause::Other,
    }
}

/// 409 of API Gateway: there already, or two changes at once.
fn conflict(operation: &str, text: &str) -> Cause {
    let lower = text.to_lowercase();
    let busy = ["concurrent modification", "try again later", "referenced by the following routes"];
    if busy.iter().any(|words| lower.contains(words)) {
        Cause::NotReady
    } else if lower.contains("already exist") || operation.starts_with("Create") {
        Cause::Exists
    } else {
        Cause::Other
    }
}

/// DynamoDB's "not now", and the limits that only a person can raise.
fn in_use(operation: &str, text: &str) -> Cause {
    let quota = ["Subscriber limit exceeded", "limit of"];
    if operation == "CreateLogGroup" || quota.iter().any(|words| text.contains(words)) { Cause::Invalid } else { Cause::NotReady }
}

/// Lambda says some "not yet" as a wrong parameter (`CreateFunction`, `UpdateFunctionConfiguration`).
fn invalid_parameter(text: &str) -> Cause {
    let passing = [
        "cannot be assumed by Lambda",
        "The provided execution role does not have permissions",
        "throttled by EC2",
        "KMS key is invalid for CreateGrant",
    ];
    if passing.iter().any(|words| text.contains(words)) { Cause::NotReady } else { Cause::Invalid }
}

/// DynamoDB says "already so" and "not now" as a wrong request (`UpdateTimeToLive`, `DescribeTimeToLive`).
fn validation(text: &str) -> Cause {
    let has = |words: &str| text.contains(words);
    if has("already enabled") || has("already disabled") || has("index which already exists") {
        Cause::Exists
    } else if has("modified multiple times") {
        Cause::Throttled
    } else if has("while table is in") {
        Cause::NotReady
    } else {
        Cause::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPLICIT: &str = "User: arn:aws:iam::111122223333:user/a@b is not authorized to perform: lambda:TagResource on resource: arn:f because no identity-based policy allows the lambda:TagResource action";
    const EXPLICIT: &str = "User: u is not authorized to perform: iam:PassRole on resource: r with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/Deny";

    /// Each error that the services answer with, and what it is taken for.
    #[test]
    fn every_error_is_taken_for_what_it_is() {
        let denied = |explicit| Cause::Denied { explicit };
        let table: &[(&str, &str, &str, Cause)] = &[
            // API Gateway
            ("CreateRoute", "ConflictException", "Route with key $connect already exists for this API", Cause::Exists),
            ("CreateStage", "ConflictException", "Stage already exists", Cause::Exists),
            (
                "UpdateApi",
                "ConflictException",
                "Unable to complete operation due to concurrent modification. Please try again later.",
                Cause::NotReady,
            ),
            (
                "DeleteIntegration",
                "ConflictException",
                "Cannot delete Integration because it is referenced by the following Routes with Ids: [x]",
                Cause::NotReady,
            ),
            (
                "DeleteIntegration",
                "BadRequestException",
                "Cannot delete Integration because it is referenced by the following Routes with Ids: [x]",
                Cause::NotReady,
            ),
            ("CreateRoute", "NotFoundException", "Invalid API identifier specified 111122223333:a1", Cause::NotFound),
            ("CreateRoute", "TooManyRequestsException", "Too Many Requests", Cause::Throttled),
            (
                "CreateStage",
                "BadRequestException",
                "CloudWatch Logs role ARN must be set in account settings to enable logging",
                Cause::Invalid,
            ),
            ("CreateDeployment", "BadRequestException", "At least one route is required before deploying the Api", Cause::Invalid),
            ("DeleteApi", "BadRequestException", "Deleting API X failed. Please remove all API mappings", Cause::Invalid),
            (
                "CreateApi",
                "AccessDeniedException",
                "User: u is not authorized to perform: apigateway:POST on resource: arn:aws:apigateway:r::/apis",
                denied(false),
            ),
            // Lambda
            ("CreateFunction", "ResourceConflictException", "Function already exist: f", Cause::Exists),
            (
                "CreateFunction",
                "ResourceConflictException",
                "The operation cannot be performed at this time. The function is currently in the following state: Pending",
                Cause::NotReady,
            ),
            (
                "UpdateFunctionCode",
                "ResourceConflictException",
                "The operation cannot be performed at this time. An update is in progress for resource: arn",
                Cause::NotReady,
            ),
            (
                "AddPermission",
                "ResourceConflictException",
                "The statement id (wsfix-a1) provided already exists. Please provide a new statement id",
                Cause::Exists,
            ),
            (
                "CreateFunction",
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda.",
                Cause::NotReady,
            ),
            (
                "CreateFunction",
                "InvalidParameterValueException",
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
                Cause::Invalid,
            ),
            ("CreateFunction", "AccessDeniedException", IMPLICIT, denied(false)),
            ("CreateFunction", "AccessDeniedException", EXPLICIT, denied(true)),
            ("GetFunction", "ResourceNotFoundException", "Function not found: arn", Cause::NotFound),
            ("GetFunction", "ServiceException", "", Cause::Unreachable),
            ("UpdateFunctionCode", "PreconditionFailedException", "The Revision Id provided does not match", Cause::Overtaken),
            ("AddPermission", "PolicyLengthExceededException", "The final policy size is bigger than the limit", Cause::Invalid),
            ("GetFunction", "TooManyRequestsException", "Rate exceeded", Cause::Throttled),
            // DynamoDB
            ("CreateTable", "ResourceInUseException", "Table already exists: t", Cause::Exists),
            (
                "CreateTable",
                "ResourceInUseException",
                "Attempt to change a resource which is still in use: Table is being deleted: t",
                Cause::NotReady,
            ),
            (
                "DeleteTable",
                "ResourceInUseException",
                "Cannot delete table while indexes are being created, updated, or deleted.",
                Cause::NotReady,
            ),
            (
                "UpdateTable",
                "LimitExceededException",
                "Only 1 online index can be created or deleted simultaneously per table",
                Cause::NotReady,
            ),
            (
                "CreateTable",
                "LimitExceededException",
                "Subscriber limit exceeded: There is a limit of 2500 tables per subscriber",
                Cause::Invalid,
            ),
            ("DescribeTable", "ResourceNotFoundException", "Requested resource not found: Table: t not found", Cause::NotFound),
            ("GetResourcePolicy", "PolicyNotFoundException", "", Cause::NotFound),
            ("UpdateTimeToLive", "ValidationException", "TimeToLive is already enabled", Cause::Exists),
            ("UpdateTable", "ValidationException", "Attempting to create an index which already exists", Cause::Exists),
            (
                "UpdateTimeToLive",
                "ValidationException",
                "Time to live has been modified multiple times within a fixed interval",
                Cause::Throttled,
            ),
            ("DescribeTimeToLive", "ValidationException", "Cannot describe time to live while table is in CREATING state", Cause::NotReady),
            (
                "DeleteTable",
                "ValidationException",
                "Resource cannot be deleted as it is currently protected against deletion.",
                Cause::Invalid,
            ),
            ("DescribeTable", "ThrottlingException", "Rate exceeded", Cause::Throttled),
            // CloudWatch Logs
            ("CreateLogGroup", "ResourceAlreadyExistsException", "The specified log group already exists", Cause::Exists),
            ("CreateLogGroup", "OperationAbortedException", "A conflicting operation is currently in progress", Cause::NotReady),
            ("CreateLogGroup", "LimitExceededException", "Resource limit exceeded.", Cause::Invalid),
            ("DeleteLogGroup", "ResourceNotFoundException", "The specified log group does not exist.", Cause::NotFound),
            ("PutRetentionPolicy", "ServiceUnavailableException", "", Cause::Unreachable),
            // IAM and STS
            ("GetRole", "NoSuchEntity", "The role with name x cannot be found.", Cause::NotFound),
            ("GetRole", "AccessDenied", "User: u is not authorized to perform: iam:GetRole", denied(false)),
            ("GetRole", "Throttling", "Rate exceeded", Cause::Throttled),
            ("GetCallerIdentity", "ExpiredToken", "The security token included in the request is expired", Cause::Credentials),
            ("GetCallerIdentity", "InvalidClientTokenId", "The security token included in the request is invalid.", Cause::Credentials),
            ("GetCallerIdentity", "SignatureDoesNotMatch", "", Cause::Credentials),
            ("DescribeTable", "UnrecognizedClientException", "The security token included in the request is invalid.", Cause::Credentials),
            // Servers that do not know the call
            ("GetRouteResponses", "", "", Cause::Other),
            ("GetResourcePolicy", "UnknownOperationException", "", Cause::Invalid),
        ];
        for (operation, code, text, cause) in table {
            assert_eq!(classify(operation, code, text), *cause, "{operation} {code} {text}");
        }
    }

    #[test]
    fn a_code_loses_what_protocols_put_around_it() {
        assert_eq!(plain_code("com.amazonaws.dynamodb.v20120810#ResourceInUseException"), "ResourceInUseException");
        assert_eq!(plain_code("AccessDeniedException:http://internal.amazon.com/coral/com.amazon.coral.service/"), "AccessDeniedException");
    }

    #[test]
    fn the_environment_is_not_repeated() {
        let said = redact("provided exceeded the 4KB limit. String measured: {\"JWT_SECRET\":\"hunter2\"}");
        assert_eq!(said, "provided exceeded the 4KB limit. (values left out)");
    }

    #[test]
    fn a_denial_is_asked_for_the_part_that_it_names() {
        let error = |said: &str| AwsError {
            operation: "CreateFunction",
            iam: "lambda:CreateFunction",
            resource: "f".to_owned(),
            cause: classify("CreateFunction", "AccessDeniedException", said),
            said: Some(said.to_owned()),
            request_id: None,
        };
        assert!(error(IMPLICIT).denies(TAGGING));
        assert!(!error(EXPLICIT).denies(TAGGING));
    }

    #[test]
    fn missing_credentials_are_told_from_a_missing_network() {
        assert_eq!(no_answer("dispatch failure: other: the credential provider was not enabled").0, Cause::Credentials);
        assert_eq!(
            no_answer("dispatch failure: io error: client error (Connect): tcp connect error: Connection refused").0,
            Cause::Unreachable
        );
    }
}
