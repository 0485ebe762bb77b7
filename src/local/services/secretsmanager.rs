//! Secrets Manager: reads of secrets. What it holds comes from the account file.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::local::json::{need, read};
use crate::local::wire::{Answer, Call, Outcome, Service, ServiceError};
use crate::local::world::World;
use crate::local::{ids, protocol};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

/// Answers an operation of Secrets Manager.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    if call.operation != "GetSecretValue" {
        return Err(protocol::unknown_operation(Service::SecretsManager, &call.operation));
    }
    let input: Input = read(call)?;
    let id = need("InvalidParameterException", "secretId", input.secret_id)?;
    let named = id.strip_prefix(&world.arn("secretsmanager", "secret:")).unwrap_or(&id);
    // An ARN has the suffix or not; a name never has it.
    let found = world
        .account
        .secrets
        .iter()
        .find(|(name, _)| *name == named || (id.starts_with("arn:") && named == format!("{name}-{}", suffix(name))));
    let arn = found.map_or_else(|| named.to_owned(), |(name, _)| format!("{name}-{}", suffix(name)));
    let arn = world.arn("secretsmanager", &format!("secret:{arn}"));
    world.authorize(&call.caller, "secretsmanager:GetSecretValue", &arn, None)?;
    let missing = || ServiceError::new(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    let (name, value) = found.ok_or_else(missing)?;
    let version = version(name);
    let stage = input.version_stage.unwrap_or_else(|| "AWSCURRENT".to_owned());
    if stage != "AWSCURRENT" || input.version_id.is_some_and(|asked| asked != version) {
        let text = format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
        return Err(ServiceError::new(400, "ResourceNotFoundException", text));
    }
    Ok(Answer::json(
        200,
        &json!({
            "ARN": arn,
            "Name": name,
            "VersionId": version,
            "SecretString": value,
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": 1_767_225_600.0,
        }),
    ))
}

fn digest(name: &str) -> String {
    ids::hex(ring::digest::digest(&ring::digest::SHA256, name.as_bytes()).as_ref())
}

/// The six characters that AWS puts behind a secret's name in its ARN; the same at every start.
fn suffix(name: &str) -> String {
    digest(name)[..6].to_owned()
}

fn version(name: &str) -> String {
    let hex = digest(name);
    format!("{}-{}-4{}-8{}-{}", &hex[6..14], &hex[14..18], &hex[18..21], &hex[21..24], &hex[24..36])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::{answer, suffix};
    use crate::local::Options;
    use crate::local::wire::{Service, tests::call};
    use crate::local::world::World;

    async fn ask(role: Option<&str>, id: &str) -> Result<Value, String> {
        let world = Arc::new(World::new(&Options::default(), 4566));
        let mut request = call(Service::SecretsManager, "GetSecretValue", json!({"SecretId": id}).to_string());
        if let Some(role) = role {
            request.caller = world.session_caller(&format!("arn:aws:iam::111122223333:role/{role}"), "f");
        }
        let outcome = answer(&world, &request).await;
        outcome.map(|answer| serde_json::from_slice(&answer.body).unwrap()).map_err(|error| format!("{}: {}", error.code, error.message))
    }

    #[tokio::test]
    async fn a_secret_is_found_by_name_and_by_arn() {
        let by_name = ask(None, "wsfix/jwt-secret").await.unwrap();
        assert_eq!(by_name["SecretString"], "local-jwt-secret-of-secrets-manager");
        let arn = by_name["ARN"].as_str().unwrap().to_owned();
        assert!(arn.ends_with(&format!(":secret:wsfix/jwt-secret-{}", suffix("wsfix/jwt-secret"))), "{arn}");
        assert_eq!(ask(None, &arn).await.unwrap(), by_name);
        ask(Some("websocket-handler-role"), &arn).await.unwrap();
    }

    #[tokio::test]
    async fn strangers_and_missing_secrets_are_told_apart() {
        let missing = ask(None, "gone").await.unwrap_err();
        assert_eq!(missing, "ResourceNotFoundException: Secrets Manager can't find the specified secret.");
        let denied = ask(Some("lambda_basic_execution"), "wsfix/jwt-secret").await.unwrap_err();
        assert!(denied.starts_with("AccessDeniedException: "), "{denied}");
    }
}
