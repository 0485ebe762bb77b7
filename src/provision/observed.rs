//! The account as last read: one slot a resource.

use crate::provision::desired::Desired;
use crate::provision::error::{AwsError, Cause};
use crate::provision::execution_logs;
use crate::provision::former;
use crate::provision::others;
use crate::provision::ownership::{Part, is_untagged, is_without};
use crate::provision::resources::{api, function, integration, log_group, permission, role, route, route_response, stage, table};
use crate::provision::roles::Judged;

/// What a look found.
#[derive(Clone, Debug, Default)]
pub(crate) enum Found<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It could not be read; says which call failed, and how.
    Unknown(String),
    /// It is there.
    Present(T),
}

impl<T> Found<T> {
    /// What is there.
    pub(crate) fn present(&self) -> Option<&T> {
        match self {
            Self::Present(found) => Some(found),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// A read that the rest depends on: missing is absent, a denial is unknown, all else is an error.
    pub(crate) fn of(answer: Result<T, AwsError>) -> Result<Self, AwsError> {
        match answer {
            Ok(found) => Ok(Self::Present(found)),
            Err(error) => match error.cause {
                Cause::NotFound => Ok(Self::Absent),
                Cause::Denied { .. } => Ok(Self::Unknown(unread(&error))),
                Cause::Exists
                | Cause::Overtaken
                | Cause::NotReady
                | Cause::Throttled
                | Cause::Credentials
                | Cause::Invalid
                | Cause::Unreachable
                | Cause::Lost
                | Cause::TimedOut { .. }
                | Cause::FailedState { .. }
                | Cause::Other => Err(error),
            },
        }
    }

    /// A read that the rest can do without: where there is an answer at all, a refusal is unknown.
    pub(crate) fn optional(answer: Result<T, AwsError>) -> Result<Self, AwsError> {
        match answer {
            Ok(found) => Ok(Self::Present(found)),
            Err(error) => match error.cause {
                Cause::NotFound => Ok(Self::Absent),
                Cause::Credentials | Cause::Unreachable | Cause::Lost => Err(error),
                Cause::Denied { .. }
                | Cause::Exists
                | Cause::Overtaken
                | Cause::NotReady
                | Cause::Throttled
                | Cause::Invalid
                | Cause::TimedOut { .. }
                | Cause::FailedState { .. }
                | Cause::Other => Ok(Self::Unknown(unread(&error))),
            },
        }
    }
}

fn unread(error: &AwsError) -> String {
    format!("{} ({}): {}", error.operation, error.iam, error.words())
}

/// Where everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Twelve digits.
    pub account: String,
    /// `aws`, `aws-cn`, `aws-us-gov` ...
    pub partition: String,
    /// The Region.
    pub region: String,
}

impl Place {
    /// ARN of a resource of this account in this Region.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        let Self { account, partition, region } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// ARN of a function.
    pub(crate) fn function(&self, name: &str) -> String {
        self.arn("lambda", &format!("function:{name}"))
    }

    /// ARN of a table.
    pub(crate) fn table(&self, name: &str) -> String {
        self.arn("dynamodb", &format!("table/{name}"))
    }

    /// ARN of an API. Its account field is always empty (API Gateway guide, ARN reference).
    pub(crate) fn api(&self, id: &str) -> String {
        let Self { partition, region, .. } = self;
        format!("arn:{partition}:apigateway:{region}::/apis/{id}")
    }

    /// What an integration calls: the function, by Lambda's own API.
    pub(crate) fn integration_uri(&self, function: &str) -> String {
        let Self { partition, region, .. } = self;
        let function = self.function(function);
        format!("arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations")
    }

    /// Host of an API.
    pub(crate) fn host(&self, api: &str) -> String {
        format!("{api}.execute-api.{}.{}", self.region, self.suffix())
    }

    /// What the host names of the partition end with.
    fn suffix(&self) -> &'static str {
        match self.partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            "aws-iso" => "c2s.ic.gov",
            "aws-iso-b" => "sc2s.sgov.gov",
            "aws-iso-e" => "cloud.adc-e.uk",
            "aws-iso-f" => "csp.hci.ic.gov",
            "aws-eusc" => "amazonaws.eu",
            _ => "amazonaws.com",
        }
    }

    /// Whether an ARN is of this account and Region.
    pub(crate) fn holds(&self, arn: &str) -> bool {
        let mut fields = arn.splitn(6, ':').skip(3);
        fields.next() == Some(self.region.as_str()) && fields.next() == Some(self.account.as_str())
    }
}

/// The whole account, as far as it concerns one stack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) place: Place,
    /// ARN of the one who calls.
    pub(crate) caller: String,
    pub(crate) role: Found<role::Live>,
    /// What the role may do, or each of those that may be meant.
    pub(crate) judged: Vec<Judged>,
    pub(crate) table: Found<table::Live>,
    pub(crate) log_group: Found<log_group::Live>,
    /// The role of the account that API Gateway writes logs with.
    pub(crate) log_role: Found<String>,
    pub(crate) access_log_group: Found<log_group::Live>,
    /// Only looked for where they are to be deleted.
    pub(crate) execution_logs: Found<execution_logs::Live>,
    pub(crate) api: Found<api::Live>,
    pub(crate) function: Found<function::Live>,
    pub(crate) integrations: Found<integration::Live>,
    pub(crate) routes: Found<route::Live>,
    pub(crate) route_responses: Found<route_response::Live>,
    pub(crate) permission: Found<permission::Live>,
    pub(crate) stage: Found<stage::Live>,
    pub(crate) former: Vec<former::Former>,
    /// Who else calls the function; only looked for where it is to be deleted.
    pub(crate) callers: others::Callers,
}

/// One slot, as a look or a step leaves it.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Nothing that others look at.
    Same,
    Account {
        place: Place,
        caller: String,
    },
    Role(Found<role::Live>),
    Judged(Vec<Judged>),
    Table(Found<table::Live>),
    LogGroup(Found<log_group::Live>),
    LogRole(Found<String>),
    AccessLogGroup(Found<log_group::Live>),
    ExecutionLogs(Found<execution_logs::Live>),
    Api(Found<api::Live>),
    Function(Found<function::Live>),
    Integrations(Found<integration::Live>),
    Integration(integration::One),
    Routes(Found<route::Live>),
    Route(String, Option<route::One>),
    RouteResponses(Found<route_response::Live>),
    Permission(Found<permission::Live>),
    Stage(Found<stage::Live>),
    Former(Vec<former::Former>),
    Callers(others::Callers),
}

impl Observed {
    /// Puts a slot in its place.
    pub(crate) fn put(&mut self, slot: Slot) {
        match slot {
            Slot::Same => {}
            Slot::Account { place, caller } => {
                self.place = place;
                self.caller = caller;
            }
            Slot::Role(found) => self.role = found,
            Slot::Judged(judged) => self.judged = judged,
            Slot::Table(found) => self.table = found,
            Slot::LogGroup(found) => self.log_group = found,
            Slot::LogRole(found) => self.log_role = found,
            Slot::AccessLogGroup(found) => self.access_log_group = found,
            Slot::ExecutionLogs(found) => self.execution_logs = found,
            Slot::Api(found) => self.api = found,
            Slot::Function(found) => self.function = found,
            Slot::Integrations(found) => self.integrations = found,
            Slot::Integration(one) => match &mut self.integrations {
                Found::Present(live) => live.put(one),
                empty @ (Found::Absent | Found::Unknown(_)) => *empty = Found::Present(integration::Live { all: vec![one] }),
            },
            Slot::Routes(found) => self.routes = found,
            Slot::Route(key, one) => {
                let mut routes = self.routes.present().cloned().unwrap_or_default();
                match one {
                    Some(one) => routes.insert(key, one),
                    None => routes.remove(&key),
                };
                self.routes = Found::Present(routes);
            }
            Slot::RouteResponses(found) => self.route_responses = found,
            Slot::Permission(found) => self.permission = found,
            Slot::Stage(found) => self.stage = found,
            Slot::Former(former) => self.former = former,
            Slot::Callers(callers) => self.callers = callers,
        }
    }

    /// The stack's API; of several the one that it works with, where that is clear.
    pub(crate) fn api(&self) -> Option<&api::One> {
        self.api.present()?.chosen(self.function.present().and_then(function::Live::api))
    }

    /// Whether that API was there before the stack: what is in it may be a person's own.
    pub(crate) fn in_adopted_api(&self) -> bool {
        self.api().is_some_and(api::One::adopted)
    }

    /// The role that the stack's function has.
    pub(crate) fn function_role(&self, want: &Desired) -> Option<&str> {
        let function = self.function.present().filter(|function| want.takes(&function.owner(&want.stack)))?;
        function.spec.role.as_deref()
    }

    /// The API's stage that the config names.
    pub(crate) fn stage_found(&self) -> Option<&stage::One> {
        self.stage.present()?.named()
    }

    /// The integration that all routes share.
    pub(crate) fn shared_integration(&self, want: &Desired) -> Option<&integration::One> {
        let target = self.routes.present().and_then(|routes| routes.get("$connect")).map(route::One::target);
        let uri = self.place.integration_uri(&want.function.name);
        self.integrations.present()?.shared(want, target, &uri, self.in_adopted_api())
    }

    /// Whether tagging was denied when the stack was made.
    pub(crate) fn untagged(&self) -> bool {
        let function = self.function.present().map(|function| function.spec.description.as_str());
        self.api().map(api::One::description).into_iter().chain(function).any(is_untagged)
    }

    /// Whether a part was denied, and is done without: the stack's function says so.
    pub(crate) fn is_without(&self, part: Part) -> bool {
        self.function.present().is_some_and(|function| is_without(&function.spec.description, part))
    }

    /// The id of the stack's API, or words for it where it is not made yet.
    pub(crate) fn api_id(&self) -> &str {
        self.api().map_or("(known after the API is made)", |api| api.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: &str) -> Place {
        Place { account: "111122223333".to_owned(), partition: partition.to_owned(), region: "eu-west-1".to_owned() }
    }

    #[test]
    fn arns_and_hosts_follow_the_partition() {
        let aws = place("aws");
        assert_eq!(aws.function("f"), "arn:aws:lambda:eu-west-1:111122223333:function:f");
        assert_eq!(aws.api("a1"), "arn:aws:apigateway:eu-west-1::/apis/a1");
        assert_eq!(aws.host("a1"), "a1.execute-api.eu-west-1.amazonaws.com");
        assert_eq!(place("aws-cn").host("a1"), "a1.execute-api.eu-west-1.amazonaws.com.cn");
        assert!(
            place("aws-cn")
                .integration_uri("f")
                .starts_with("arn:aws-cn:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws-cn:")
        );
    }

    #[test]
    fn an_arn_of_another_account_or_region_is_not_held() {
        let place = place("aws");
        assert!(place.holds("arn:aws:dynamodb:eu-west-1:111122223333:table/t"));
        assert!(place.holds("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f:*"));
        assert!(!place.holds("arn:aws:dynamodb:eu-west-1:444455556666:table/t"));
        assert!(!place.holds("arn:aws:dynamodb:us-east-1:111122223333:table/t"));
        assert!(!place.holds("nonsense"));
    }
}
