//! The SDK's clients as a person would use them, beside wsfix.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use wsfix::config::Keys;

pub(crate) struct Aws {
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) api: aws_sdk_apigatewayv2::Client,
}

impl Aws {
    pub(crate) async fn connect(endpoint: &str, region: &str, keys: &Keys) -> Self {
        let credentials = Credentials::new(&keys.access_key_id, keys.secret_access_key.expose(), None, None, "test");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .load()
            .await;
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            api: aws_sdk_apigatewayv2::Client::new(&config),
        }
    }
}
