//! The SDK clients, their endpoint, time limits and retries.
//!
//! No client here can write to IAM, and no code in this crate asks one to.

use std::time::Duration;

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, proxy::ProxyConfig};

use super::error::Refusal;
use super::turns;
use crate::config::{Connection, GATEWAY_RATE, Pace};

/// A client for each service, one Region and one endpoint for all.
pub(crate) struct Clients {
    /// The Region that every call goes to.
    pub(crate) region: String,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) api: aws_sdk_apigatewayv2::Client,
    /// Another endpoint for every service; `None`: each has its own.
    pub(crate) endpoint: Option<String>,
    /// For what no SDK client here signs.
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    pace: Pace,
}

impl Clients {
    /// Reads the SDK's own settings (profile, Region, credentials); calls nobody but what the credentials need.
    pub(crate) async fn connect(connection: &Connection) -> Result<Self, Refusal> {
        let config = sdk_config(connection).await;
        let region = config.region().map(ToString::to_string).filter(|region| !region.is_empty()).ok_or_else(|| Refusal {
            resource: "Region".to_owned(),
            reason: "no AWS Region is set".to_owned(),
            remedy: "set `--region`, AWS_REGION, or `region` in the profile".to_owned(),
        })?;
        Ok(Self {
            region,
            sts: aws_sdk_sts::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            api: gateway(&config, connection),
            endpoint: config.endpoint_url().map(str::to_owned),
            credentials: config.credentials_provider(),
            pace: connection.pace,
        })
    }
}

/// API Gateway's client, which keeps to the quota of AWS; a server behind plain HTTP is no AWS, and has none.
fn gateway(config: &SdkConfig, connection: &Connection) -> aws_sdk_apigatewayv2::Client {
    let builder = aws_sdk_apigatewayv2::config::Builder::from(config);
    let throttle = connection.gateway_rate.or((!is_plain(connection)).then_some(GATEWAY_RATE));
    let builder = match (throttle, config.http_client()) {
        (Some(throttle), Some(client)) => builder.http_client(turns::in_turn(client, throttle)),
        _ => builder,
    };
    aws_sdk_apigatewayv2::Client::from_conf(builder.build())
}

/// Whether calls travel as plain text, to a server of somebody's own.
fn is_plain(connection: &Connection) -> bool {
    connection.endpoint_url.as_ref().is_some_and(|url| url.starts_with("http://"))
}

async fn sdk_config(connection: &Connection) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(connection))
        .timeout_config(timeouts(connection.pace.answer))
        .retry_config(RetryConfig::standard().with_max_attempts(5).with_initial_backoff(connection.pace.pause));
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &connection.profile {
        // Named on purpose: keys in the environment, maybe of another account, must not win as they do in the SDK's own order.
        loader = loader.profile_name(profile).credentials_provider(of_profile(profile, connection).await);
    }
    if let Some(endpoint) = &connection.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(keys) = &connection.keys {
        let secret = keys.secret_access_key.expose();
        let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
        let credentials = Credentials::new(&keys.access_key_id, secret, token, None, "given by the caller");
        loader = loader.credentials_provider(SharedCredentialsProvider::new(credentials));
    }
    loader.load().await
}

/// The Region that is set, in the config or in the profile. Calls nobody.
pub(crate) async fn region(connection: &Connection) -> Option<Region> {
    if let Some(region) = &connection.region {
        return Some(Region::new(region.clone()));
    }
    let profile = ProfileFileRegionProvider::builder();
    let profile = connection.profile.iter().fold(profile, |builder, name| builder.profile_name(name));
    profile.build().region().await
}

/// The credentials of one profile, whatever the environment has.
async fn of_profile(profile: &str, connection: &Connection) -> ProfileFileCredentialsProvider {
    let provider = ProviderConfig::default().with_region(region(connection).await).with_http_client(http_client(connection));
    ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile).build()
}

fn timeouts(answer: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(answer).build()
}

impl Clients {
    /// For calls that carry the handler.
    pub(crate) fn for_uploads(&self) -> aws_sdk_lambda::config::Builder {
        aws_sdk_lambda::config::Builder::new().timeout_config(timeouts(self.pace.upload))
    }
}

/// HTTPS through the proxy of the environment; an endpoint of one's own is called directly.
fn http_client(connection: &Connection) -> SharedHttpClient {
    let own_endpoint = connection.endpoint_url.is_some();
    // Nothing is encrypted then, credentials included: the system's certificates need not be read.
    if is_plain(connection) && connection.keys.is_some() {
        return aws_smithy_http_client::Builder::new().build_http();
    }
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
        connector.set_connector_settings(settings.cloned());
        if let Some(sleep) = components.and_then(|components| components.sleep_impl()) {
            connector.set_sleep_impl(Some(sleep));
        }
        connector.set_proxy_config(Some(if own_endpoint { ProxyConfig::disabled() } else { ProxyConfig::from_env() }));
        connector.build()
    })
}

/// Items that API Gateway lists in one answer.
pub(crate) const PAGE: &str = "100";

/// For calls whose repeat makes a second resource, because the name is not unique.
pub(crate) fn without_retries() -> aws_sdk_apigatewayv2::config::Builder {
    aws_sdk_apigatewayv2::config::Builder::new().retry_config(RetryConfig::disabled())
}
