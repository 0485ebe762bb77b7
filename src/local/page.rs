//! The page with the terminal: one document, nothing from elsewhere, connected through the gateway.

use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::digest::{SHA256, digest};
use serde_json::json;

use super::world::World;
use crate::secret::Secret;

const TEMPLATE: &str = include_str!("../../templates/dev-page.html");
const PLACE: &str = "{{defaults}}";

/// What the page connects to by itself.
#[derive(Clone, Debug)]
pub struct Info {
    /// The URL of the stage.
    pub websocket_url: String,
    /// A token that the handler takes; `None`: the person enters one.
    pub token: Option<Secret>,
    /// The session that the token is for.
    pub session_id: String,
    /// The route that messages ask for.
    pub action: String,
}

/// The page, or, for programs that ask for JSON, what it connects to: that, the token above all, only for those who come on their own or from the
/// page itself.
pub(crate) fn answer(world: &Arc<World>, headers: &HeaderMap) -> Response {
    let info = world.page.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let trusted = matches!(headers.get("sec-fetch-site").map(HeaderValue::as_bytes), None | Some(b"none" | b"same-origin"));
    let defaults = defaults(info.filter(|_| trusted));
    let json = headers.get("accept").is_some_and(|accept| accept == "application/json");
    let (kind, text) =
        if json { ("application/json", defaults) } else { ("text/html; charset=utf-8", TEMPLATE.replacen(PLACE, &defaults, 1)) };
    let mut response = Response::new(Body::from(text));
    for (name, value) in [
        ("content-type", kind.to_owned()),
        ("content-security-policy", policy(world)),
        ("cache-control", "no-store".to_owned()),
        ("cross-origin-opener-policy", "same-origin".to_owned()),
        ("cross-origin-resource-policy", "same-origin".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("x-frame-options", "DENY".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// JSON that cannot end the element it stands in.
fn defaults(info: Option<Info>) -> String {
    let Some(Info { websocket_url, token, session_id, action }) = info else { return "{}".to_owned() };
    json!({ "url": websocket_url, "token": token.as_ref().map(Secret::expose), "sessionId": session_id, "action": action })
        .to_string()
        .replace('<', "\\u003c")
}

/// This one script, this one style sheet, and sockets to this very port.
fn policy(world: &World) -> String {
    let hash = |open: &str, close: &str| {
        let inside = TEMPLATE.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map_or("", |(inside, _)| inside);
        STANDARD.encode(digest(&SHA256, inside.as_bytes()))
    };
    let port = world.address.port();
    let mut sockets: Vec<String> = ["127.0.0.1", "localhost", "[::1]"].iter().map(|host| format!("ws://{host}:{port}")).collect();
    let own = world.endpoint.replacen("http://", "ws://", 1);
    if !sockets.contains(&own) {
        sockets.push(own);
    }
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src {}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("<script>", "</script>"),
        hash("<style>", "</style>"),
        sockets.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Info, TEMPLATE, answer, defaults, policy};
    use crate::local::Options;
    use crate::local::world::World;
    use crate::secret::Secret;

    fn info() -> Info {
        Info {
            websocket_url: "ws://127.0.0.1:1/x".to_owned(),
            token: Some(Secret::new("secret-token")),
            session_id: "</script><script>alert(1)</script>".to_owned(),
            action: "sendMessage".to_owned(),
        }
    }

    #[test]
    fn the_template_needs_nothing_from_elsewhere() {
        for outside in ["http://", "https://", "src=", "@import", "url(", " on", "style="] {
            let attribute = |line: &str| line.contains(outside) && line.trim_start().starts_with('<');
            assert!(!TEMPLATE.lines().any(attribute), "{outside}");
        }
        assert_eq!((TEMPLATE.matches("<script>").count(), TEMPLATE.matches("<style>").count()), (1, 1));
        assert_eq!(TEMPLATE.matches("{{").count(), 1);
    }

    #[test]
    fn values_cannot_break_out() {
        let text = defaults(Some(info()));
        assert!(!text.contains('<'), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["sessionId"], info().session_id);
    }

    #[test]
    fn the_policy_allows_this_page_alone() {
        let policy = policy(&World::new(&Options::default(), 4577));
        assert!(policy.contains("connect-src ws://127.0.0.1:4577 ws://localhost:4577"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("47DEQpj8HBSa"), "{policy}");
    }

    #[tokio::test]
    async fn the_token_is_not_for_other_sites() {
        let world = std::sync::Arc::new(World::new(&Options::default(), 4577));
        *world.page.lock().unwrap() = Some(info());
        for accept in ["text/html", "application/json"] {
            for (site, shown) in [(None, true), (Some("none"), true), (Some("same-origin"), true), (Some("cross-site"), false)] {
                let mut headers = HeaderMap::new();
                headers.insert("accept", HeaderValue::from_static(accept));
                if let Some(site) = site {
                    headers.insert("sec-fetch-site", HeaderValue::from_static(site));
                }
                let response = answer(&world, &headers);
                assert!(response.headers()["content-type"].to_str().unwrap().starts_with(accept));
                let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
                assert_eq!(String::from_utf8_lossy(&body).contains("secret-token"), shown, "{accept} {site:?}");
                assert!(accept == "text/html" || serde_json::from_slice::<serde_json::Value>(&body).is_ok());
            }
        }
    }
}
