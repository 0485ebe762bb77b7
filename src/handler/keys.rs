//! The keys that tokens are checked with: from the environment, or read from where the reference says and kept for a while.

use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::Call;
use super::aws::{self, AwsError, Service};
use super::settings::KeySource;
use super::token::Keys;

/// A key that was changed counts after this time at the latest.
const KEPT_MS: u64 = 300_000;

/// The keys as last read.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<(Keys, u64)>>);

/// Why there are no keys. Without them every token is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the stored secret is not text")]
    NotText,
    #[error("the stored secret is shorter than {} bytes, which HS256 needs", Keys::SHORTEST_SECRET)]
    Short,
}

/// The keys of now.
pub(super) async fn keys(cx: &Call<'_>) -> Result<Keys, KeysError> {
    if let KeySource::Inline(keys) = &cx.settings.key {
        return Ok(keys.clone());
    }
    let cache = &cx.deps.keys.0;
    let now_ms = cx.now_ms();
    let kept = cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((keys, read_at)) = kept
        && now_ms.saturating_sub(read_at) < KEPT_MS
    {
        return Ok(keys);
    }
    let keys = read(cx).await?;
    *cache.lock().unwrap_or_else(PoisonError::into_inner) = Some((keys.clone(), now_ms));
    Ok(keys)
}

async fn read(cx: &Call<'_>) -> Result<Keys, KeysError> {
    const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
    let secret = match &cx.settings.key {
        KeySource::Inline(keys) => return Ok(keys.clone()),
        KeySource::Ssm(name) => {
            let ssm = Service { endpoint: &cx.settings.aws.ssm, name: "ssm", target: "AmazonSSM", content_type: CONTENT_TYPE };
            let answer = aws::call(cx, &ssm, "GetParameter", &json!({ "Name": name, "WithDecryption": true })).await?;
            answer["Parameter"]["Value"].as_str().map(str::to_owned)
        }
        KeySource::SecretsManager(id) => {
            let endpoint = &cx.settings.aws.secrets_manager;
            let service = Service { endpoint, name: "secretsmanager", target: "secretsmanager", content_type: CONTENT_TYPE };
            let answer = aws::call(cx, &service, "GetSecretValue", &json!({ "SecretId": id })).await?;
            answer["SecretString"].as_str().map(str::to_owned)
        }
    };
    Keys::hs256(&secret.ok_or(KeysError::NotText)?).ok_or(KeysError::Short)
}
