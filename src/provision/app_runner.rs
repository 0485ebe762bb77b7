//! The account's App Runner services: one of them may be the backend. wsfix makes and changes none.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::answer::unanswered;
use super::aws::{Clients, region};
use super::error::{AwsError, Cause};
use super::permissions;
use super::plan::ApiCall;
use super::signed::Signed;
use crate::config::Connection;

const LIST_SERVICES: ApiCall = ApiCall { name: "ListServices", iam: "apprunner:ListServices" };

/// The longest that all of it takes, the search for credentials too.
const LIMIT: Duration = Duration::from_secs(3);
/// The most services in one answer (ListServices, `MaxResults`).
const PAGE: u8 = 20;
/// Where App Runner is (App Runner endpoints, AWS General Reference).
const REGIONS: [&str; 11] = [
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "us-east-1",
    "us-east-2",
    "us-west-2",
];

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Where it is asked: `https://...`, without a trailing slash.
    pub url: String,
    /// As App Runner writes it: `RUNNING`, `PAUSED`, `OPERATION_IN_PROGRESS` ...
    pub status: String,
}

impl Service {
    /// Whether it serves.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.status == "RUNNING"
    }
}

/// All services of the account in this Region; none where no Region is set, since then nobody is asked. Takes 3 s at most.
///
/// # Errors
/// When they cannot be listed.
pub async fn services(connection: &Connection) -> Result<Vec<Service>, AwsError> {
    within(LIMIT, connection).await
}

async fn within(limit: Duration, connection: &Connection) -> Result<Vec<Service>, AwsError> {
    let late = |_| Err(AwsError::of(LIST_SERVICES, "*", Cause::Unreachable, Some(format!("no answer within {limit:?}"))));
    tokio::time::timeout(limit, listed(connection)).await.unwrap_or_else(late)
}

/// What is not done where the services cannot be listed.
#[must_use]
pub fn without() -> &'static str {
    permissions::before_a_stack().without
}

async fn listed(connection: &Connection) -> Result<Vec<Service>, AwsError> {
    // The SDK would ask the machine's metadata service for a Region too, which takes its time where there is none.
    if region(connection).await.is_none() {
        return Ok(Vec::new());
    }
    let Ok(clients) = Clients::connect(connection).await else { return Ok(Vec::new()) };
    let url = match &clients.endpoint {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None if REGIONS.contains(&clients.region.as_str()) => format!("https://apprunner.{}.amazonaws.com", clients.region),
        None => return Err(unanswered(LIST_SERVICES, "*", &format!("App Runner is not in {}", clients.region))),
    };
    let signed = Signed::new(&clients, "apprunner", LIST_SERVICES, "*").await?;
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "AppRunner.ListServices")];
    let (mut services, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({ "MaxResults": PAGE });
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let body = signed.post(&format!("{url}/"), &headers, input.to_string()).await?;
        let page: Page = serde_json::from_value(body).map_err(|error| unanswered(LIST_SERVICES, "*", &error.to_string()))?;
        services.extend(page.service_summary_list.into_iter().filter_map(Summary::service));
        match page.next_token {
            Some(next) if !next.is_empty() => token = Value::from(next),
            _ => return Ok(services),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    service_summary_list: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    service_name: String,
    /// A host; absent while the service is made.
    service_url: Option<String>,
    status: String,
}

impl Summary {
    /// `None` where it has no URL that can be asked.
    fn service(self) -> Option<Service> {
        let given = self.service_url?;
        let host = given.strip_prefix("https://").unwrap_or(&given).trim_end_matches('/');
        let url = format!("https://{host}");
        Url::parse(&url).ok().filter(|parsed| parsed.host_str() == Some(host))?;
        Some(Service { name: self.service_name, url, status: self.status })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::Keys;
    use crate::secret::Secret;

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_not_waited_for() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = Connection {
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(format!("http://{}", silent.local_addr().unwrap())),
            keys: Some(Keys { access_key_id: "AKIA".to_owned(), secret_access_key: Secret::new("word"), session_token: None }),
            ..Connection::default()
        };
        let error = within(Duration::from_millis(50), &connection).await.unwrap_err();
        assert_eq!((error.cause, error.said.as_deref()), (Cause::Unreachable, Some("no answer within 50ms")));
    }

    #[tokio::test]
    async fn a_region_without_app_runner_is_asked_nothing() {
        let keys = Keys { access_key_id: "AKIA".to_owned(), secret_access_key: Secret::new("word"), session_token: None };
        let connection = Connection { region: Some("eu-north-1".to_owned()), keys: Some(keys), ..Connection::default() };
        assert_eq!(services(&connection).await.unwrap_err().said.as_deref(), Some("App Runner is not in eu-north-1"));
    }

    #[test]
    fn a_service_is_asked_at_its_host() {
        let url = |given: Option<&str>| {
            let summary = Summary { service_name: "s".to_owned(), service_url: given.map(str::to_owned), status: "RUNNING".to_owned() };
            summary.service().map(|service| service.url)
        };
        for (given, wanted) in [
            (Some("abc.us-east-1.awsapprunner.com"), Some("https://abc.us-east-1.awsapprunner.com")),
            (Some("https://abc.us-east-1.awsapprunner.com/"), Some("https://abc.us-east-1.awsapprunner.com")),
            (Some(""), None),
            (Some("http://abc.example"), None),
            (Some("name:word@abc.example"), None),
            (None, None),
        ] {
            assert_eq!(url(given).as_deref(), wanted, "{given:?}");
        }
    }
}
