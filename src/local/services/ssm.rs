//! Systems Manager: reads of the Parameter Store. What it holds comes from the account file.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::json::{need, read};
use crate::local::protocol;
use crate::local::wire::{Answer, Call, Outcome, Service, ServiceError};
use crate::local::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    name: Option<String>,
    names: Option<Vec<String>>,
    #[serde(default)]
    with_decryption: bool,
}

/// Answers an operation of Systems Manager.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    let input: Input = read(call)?;
    let body = match call.operation.as_str() {
        "GetParameter" => {
            let name = need("ValidationException", "name", input.name)?;
            json!({"Parameter": parameter(world, call, &name, input.with_decryption)?})
        }
        "GetParameters" => {
            let (mut found, mut missing) = (Vec::new(), Vec::new());
            for name in need("ValidationException", "names", input.names)? {
                match parameter(world, call, &name, input.with_decryption) {
                    Ok(parameter) => found.push(parameter),
                    Err(error) if error.code == "ParameterNotFound" || error.code == "ParameterVersionNotFound" => missing.push(name),
                    Err(error) => return Err(error),
                }
            }
            json!({"Parameters": found, "InvalidParameters": missing})
        }
        other => return Err(protocol::unknown_operation(Service::Ssm, other)),
    };
    Ok(Answer::json(200, &body))
}

/// `NAME`, `NAME:VERSION`, or the parameter's ARN.
fn parameter(world: &World, call: &Call, given: &str, decrypt: bool) -> Result<Value, ServiceError> {
    let arn_prefix = world.arn("ssm", "parameter");
    let named = given.strip_prefix(&arn_prefix).unwrap_or(given);
    let (name, version) = named.split_once(':').map_or((named, None), |(name, version)| (name, Some(version)));
    // In the ARN there is one slash before the name, whether the name begins with one or not.
    let arn = format!("{arn_prefix}/{}", name.trim_start_matches('/'));
    world.authorize(&call.caller, &format!("ssm:{}", call.operation), &arn, None)?;
    let parameters = &world.account.parameters;
    let bare = name.trim_start_matches('/');
    // An ARN does not tell whether the name begins with a slash.
    let found = parameters.get_key_value(name).or_else(|| parameters.get_key_value(bare).filter(|_| given.starts_with("arn:")));
    let (name, parameter) = found.ok_or_else(|| ServiceError::new(400, "ParameterNotFound", ""))?;
    if version.is_some_and(|version| version != "1") {
        let text =
            format!("Systems Manager could not find version {} of {name}. Verify the version and try again.", version.unwrap_or_default());
        return Err(ServiceError::new(400, "ParameterVersionNotFound", text));
    }
    let value = if parameter.secure && !decrypt { encrypted(&parameter.value) } else { parameter.value.clone() };
    Ok(json!({
        "Name": name,
        "Type": if parameter.secure { "SecureString" } else { "String" },
        "Value": value,
        "Version": 1,
        "LastModifiedDate": 1_767_225_600.0,
        "ARN": arn,
        "DataType": "text",
    }))
}

/// What a reader gets who does not ask for the plain text: nothing that it could be had from.
fn encrypted(value: &str) -> String {
    format!("AQICAH{}", STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::answer;
    use crate::local::Options;
    use crate::local::wire::{Service, tests::call};
    use crate::local::world::World;

    async fn ask(role: Option<&str>, operation: &str, body: Value) -> Result<Value, String> {
        let world = Arc::new(World::new(&Options::default(), 4566));
        let mut request = call(Service::Ssm, operation, body.to_string());
        if let Some(role) = role {
            request.caller = world.session_caller(&format!("arn:aws:iam::111122223333:role/{role}"), "f");
        }
        let outcome = answer(&world, &request).await;
        outcome.map(|answer| serde_json::from_slice(&answer.body).unwrap()).map_err(|error| format!("{}: {}", error.code, error.message))
    }

    #[tokio::test]
    async fn a_secure_parameter_is_read_in_plain_text_only_where_asked() {
        let name = "/wsfix/jwt-secret";
        let plain = ask(None, "GetParameter", json!({"Name": name, "WithDecryption": true})).await.unwrap();
        assert_eq!(plain["Parameter"]["Value"], "local-jwt-secret-of-the-parameter-store");
        assert_eq!(plain["Parameter"]["ARN"], "arn:aws:ssm:us-east-1:111122223333:parameter/wsfix/jwt-secret");
        let hidden = ask(None, "GetParameter", json!({"Name": name})).await.unwrap();
        assert!(hidden["Parameter"]["Value"].as_str().unwrap().starts_with("AQICAH"));
    }

    #[tokio::test]
    async fn errors_are_those_of_the_service() {
        assert!(ask(None, "GetParameter", json!({"Name": "/gone"})).await.unwrap_err().starts_with("ParameterNotFound"));
        let version = ask(None, "GetParameter", json!({"Name": "/wsfix/jwt-secret:9"})).await.unwrap_err();
        assert!(version.starts_with("ParameterVersionNotFound"), "{version}");
        let denied = ask(Some("lambda_basic_execution"), "GetParameter", json!({"Name": "/wsfix/jwt-secret"})).await.unwrap_err();
        assert!(denied.contains("ssm:GetParameter on resource: arn:aws:ssm:us-east-1:111122223333:parameter/wsfix/jwt-secret"), "{denied}");
        ask(Some("websocket-handler-role"), "GetParameter", json!({"Name": "/wsfix/jwt-secret"})).await.unwrap();
    }
}
