//! A backend behind wsfix, with axum: `cargo add axum ring serde_json && cargo add tokio --features full`, then `WSFIX_SIGNING_KEY=... cargo run`.
//!
//! [`Wsfix`] is what matters: it lets in what the gateway's function signed, once, and refuses the rest with 401.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, request::Parts};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::post;
use ring::hmac;
use serde_json::{Value, json};

/// Seconds that a signature counts, before and after its time.
const WINDOW: i64 = 300;
/// Signatures that are remembered; when there are more, nothing is let in until some are too old to count.
const MOST_REMEMBERED: usize = 200_000;
/// The longest body, in bytes.
const LARGEST: usize = 5 << 20;

/// Knows the gateway's function by its signature.
///
/// Several processes of one backend must share what they remember (in Redis, say), or a request can be repeated to each of them.
pub struct Wsfix {
    keys: Vec<hmac::Key>,
    /// Until when each is remembered, in epoch seconds.
    used: Mutex<HashMap<Vec<u8>, i64>>,
}

impl Wsfix {
    /// `keys`: WSFIX_SIGNING_KEY, one key or two separated by a comma. `None`: one is shorter than 32 bytes.
    pub fn new(keys: &str) -> Option<Self> {
        let keys: Vec<&str> = keys.split(',').map(str::trim).collect();
        let long_enough = keys.iter().all(|key| key.len() >= 32);
        let keys = keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).collect();
        long_enough.then(|| Self { keys, used: Mutex::default() })
    }

    /// Whether a request, with its raw body, is signed and comes for the first time.
    fn check(&self, head: &Parts, body: &[u8], now: i64) -> Result<(), StatusCode> {
        let header = text(&head.headers, "x-wsfix-signature");
        let values = |name: &'static str| header.split(',').filter_map(move |part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let time = values("t").next().filter(|time| time.len() <= 12 && time.bytes().all(|byte| byte.is_ascii_digit()));
        let time: i64 = time.and_then(|time| time.parse().ok()).ok_or(StatusCode::UNAUTHORIZED)?;
        if (now - time).abs() > WINDOW {
            return Err(StatusCode::UNAUTHORIZED);
        }

        let path = head.uri.path_and_query().map_or("", |path| path.as_str());
        let mut signed = format!("{time}.{}.{}.{path}.", text(&head.headers, "x-request-id"), head.method).into_bytes();
        signed.extend_from_slice(body);
        // `verify` compares in constant time.
        let fits = |tag: Vec<u8>| self.keys.iter().any(|key| hmac::verify(key, &signed, &tag).is_ok());
        if !values("v1").take(4).filter_map(unhex).any(fits) {
            return Err(StatusCode::UNAUTHORIZED);
        }

        // Ours, not the caller's: the caller may leave one of two out.
        let tag = self.keys.first().map(|key| hmac::sign(key, &signed).as_ref().to_vec()).unwrap_or_default();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST_REMEMBERED {
            used.retain(|_, until| *until >= now);
        }
        if used.get(&tag).is_some_and(|until| *until >= now) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        if used.len() >= MOST_REMEMBERED {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        used.insert(tag, time + WINDOW);
        Ok(())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes().chunks(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(*pair.get(1)?)?).ok()).collect()
}

/// Middleware: what is not signed goes no further.
async fn signed_by_wsfix(State(wsfix): State<Arc<Wsfix>>, request: Request, next: Next) -> Result<Response, StatusCode> {
    let (head, body) = request.into_parts();
    // The raw body: what a JSON library makes of it is not what was signed.
    let body = to_bytes(body, LARGEST).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    wsfix.check(&head, &body, i64::try_from(now).unwrap_or(i64::MAX))?;
    Ok(next.run(Request::from_parts(head, Body::from(body))).await)
}

/// The backend. Whatever is added to it comes before the layer, which must see requests as they were sent.
pub fn router(wsfix: Wsfix) -> Router {
    Router::new()
        .route("/api/ws/message", post(message))
        .route("/api/ws/disconnect", post(disconnect))
        .layer(from_fn_with_state(Arc::new(wsfix), signed_by_wsfix))
}

async fn message(body: Bytes) -> Result<String, StatusCode> {
    // Of the headers only X-Request-Id is signed: who it is about is in the body.
    let message: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let answer = match message["type"].as_str() {
        Some("ping") => json!({ "type": "pong" }),
        _ => json!({ "type": "echo", "sessionId": message["sessionId"], "message": message }),
    };
    Ok(answer.to_string())
}

async fn disconnect(body: Bytes) -> Result<StatusCode, StatusCode> {
    let message: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    println!("a connection of session {} ended with {}", message["sessionId"], message["code"]);
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = std::env::var("WSFIX_SIGNING_KEY").unwrap_or_default();
    let wsfix = Wsfix::new(&keys).ok_or("WSFIX_SIGNING_KEY must be one or two keys of at least 32 bytes")?;
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", 8080)).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router(wsfix)).await?;
    Ok(())
}
