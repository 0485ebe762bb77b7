//! What the handler does, as one writes it with the SDK, jsonwebtoken and reqwest. The benchmark's measure for what care is worth: it lacks the
//! handler's time limits, repetitions and checks of hostile input.

use std::collections::HashMap;
use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::BehaviorVersion;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    sub: Option<String>,
    session_id: String,
    exp: i64,
}

struct State {
    dynamodb: aws_sdk_dynamodb::Client,
    connections: aws_sdk_apigatewaymanagement::Client,
    backend: reqwest::Client,
    backend_url: String,
    table: String,
    key: DecodingKey,
    validation: Validation,
    signing_key: String,
}

type Item = HashMap<String, AttributeValue>;

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

impl State {
    async fn new() -> Result<Self, Error> {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let management = aws_sdk_apigatewaymanagement::config::Builder::from(&config).endpoint_url(env::var("WSFIX_MANAGEMENT_URL")?).build();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 30;
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            connections: aws_sdk_apigatewaymanagement::Client::from_conf(management),
            backend: reqwest::Client::new(),
            backend_url: env::var("APP_RUNNER_URL")?,
            table: env::var("TABLE_NAME")?,
            key: DecodingKey::from_secret(env::var("JWT_SECRET")?.as_bytes()),
            validation,
            signing_key: env::var("WSFIX_SIGNING_KEY")?,
        })
    }

    async fn handle(&self, event: &Value) -> Result<Value, Error> {
        let context = &event["requestContext"];
        let id = context["connectionId"].as_str().unwrap_or_default();
        println!("[WebSocket] Route: {}, ConnectionId: {id}", context["routeKey"].as_str().unwrap_or_default());
        match context["eventType"].as_str() {
            Some("CONNECT") => self.connect(event, id).await,
            Some("MESSAGE") => self.message(event, id).await,
            Some("DISCONNECT") => self.disconnect(event, id).await,
            _ => Ok(json!({ "statusCode": 400 })),
        }
    }

    async fn connect(&self, event: &Value, id: &str) -> Result<Value, Error> {
        let query = &event["queryStringParameters"];
        let token = query["token"].as_str().unwrap_or_default();
        let Ok(token) = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation) else {
            return Ok(json!({ "statusCode": 401 }));
        };
        let claims = token.claims;
        if query["sessionId"].as_str().is_some_and(|wanted| wanted != claims.session_id) {
            return Ok(json!({ "statusCode": 403 }));
        }
        let context = &event["requestContext"];
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .condition_expression("attribute_not_exists(connectionId)")
            .item("connectionId", AttributeValue::S(id.to_owned()))
            .item("sessionId", AttributeValue::S(claims.session_id.clone()))
            .item("connectedAt", AttributeValue::N(context["connectedAt"].to_string()))
            .item("expiresAt", AttributeValue::N((now() + 7800).to_string()))
            .item("authUntil", AttributeValue::N((claims.exp + 30).to_string()))
            .item("sourceIp", AttributeValue::S(context["identity"]["sourceIp"].as_str().unwrap_or_default().to_owned()));
        if let Some(user) = claims.sub {
            put = put.item("userId", AttributeValue::S(user));
        }
        put.send().await?;
        println!("[WebSocket] Connected: {id}, Session: {}", claims.session_id);
        Ok(json!({ "statusCode": 200 }))
    }

    async fn message(&self, event: &Value, id: &str) -> Result<Value, Error> {
        let mut message: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
        println!("[WebSocket] Message from {id}: {{ type: '{}' }}", message["type"].as_str().unwrap_or_default());
        let key = AttributeValue::S(id.to_owned());
        let found = self.dynamodb.get_item().table_name(&self.table).key("connectionId", key).consistent_read(true).send().await?;
        let item = found.item.ok_or("an unknown connection")?;
        message["connectionId"] = json!(id);
        message["sessionId"] = json!(text(&item, "sessionId"));
        message["userId"] = json!(text(&item, "userId"));
        let answer = self.post("/api/ws/message", &message, id, text(&item, "sessionId"), event).await?;
        let _: Value = serde_json::from_slice(&answer)?;
        self.connections.post_to_connection().connection_id(id).data(Blob::new(answer)).send().await?;
        Ok(json!({ "statusCode": 200 }))
    }

    async fn disconnect(&self, event: &Value, id: &str) -> Result<Value, Error> {
        let key = AttributeValue::S(id.to_owned());
        let gone =
            self.dynamodb.delete_item().table_name(&self.table).key("connectionId", key).return_values(ReturnValue::AllOld).send().await?;
        let item = gone.attributes.unwrap_or_default();
        let context = &event["requestContext"];
        let body = json!({
            "connectionId": id,
            "sessionId": text(&item, "sessionId"),
            "userId": text(&item, "userId"),
            "code": context["disconnectStatusCode"],
            "reason": context["disconnectReason"],
        });
        self.post("/api/ws/disconnect", &body, id, text(&item, "sessionId"), event).await?;
        println!("[WebSocket] Disconnected: {id}");
        Ok(json!({ "statusCode": 200 }))
    }

    async fn post(&self, path: &str, body: &Value, id: &str, session: Option<&str>, event: &Value) -> Result<Vec<u8>, Error> {
        let body = body.to_string();
        let time = now();
        let request = event["requestContext"]["requestId"].as_str().unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.signing_key.as_bytes())?;
        mac.update(format!("{time}.{request}.POST.{path}.{body}").as_bytes());
        let signature = format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()));
        let response = self
            .backend
            .post(format!("{}{path}", self.backend_url))
            .header("Content-Type", "application/json")
            .header("X-Connection-Id", id)
            .header("X-Session-Id", session.unwrap_or_default())
            .header("X-Request-Id", request)
            .header("X-Wsfix-Signature", signature)
            .body(body)
            .send()
            .await?
            .error_for_status()?;
        Ok(response.bytes().await?.to_vec())
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let state = &State::new().await?;
    run(service_fn(move |event: LambdaEvent<Value>| async move { state.handle(&event.payload).await })).await
}
