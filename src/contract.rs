//! Names that both sides share: the tool writes them into the account, the handler reads them there.

/// Environment variables of the function.
pub mod env {
    /// The table of connections.
    pub const TABLE_NAME: &str = "TABLE_NAME";
    /// The backend's base URL. The name is kept for hosts other than App Runner too.
    pub const APP_RUNNER_URL: &str = "APP_RUNNER_URL";
    /// The algorithm that tokens are signed with; a token never chooses.
    pub const JWT_ALGORITHM: &str = "WSFIX_JWT_ALGORITHM";
    /// The shared secret that signs tokens (HS256 and its kin); two as a JSON list while it is changed.
    pub const JWT_SECRET: &str = "JWT_SECRET";
    /// Where the secret is kept instead: `ssm:NAME`, `secretsmanager:ID` or `secretsmanager:ID#MEMBER`.
    pub const JWT_SECRET_REF: &str = "JWT_SECRET_REF";
    /// The public keys that tokens are checked with, as JSON: one key, or a set.
    pub const JWKS: &str = "WSFIX_JWKS";
    /// Where the issuer publishes them.
    pub const JWKS_URL: &str = "WSFIX_JWKS_URL";
    /// The key of tickets; one or two, separated by a comma (rotation).
    pub const TICKET_KEY: &str = "WSFIX_TICKET_KEY";
    /// Where the key of tickets is kept instead, as [`JWT_SECRET_REF`].
    pub const TICKET_KEY_REF: &str = "WSFIX_TICKET_KEY_REF";
    /// The API's host: `{apiId}.execute-api.{region}.{suffix}`.
    pub const DOMAIN_NAME: &str = "DOMAIN_NAME";
    /// The stage's name.
    pub const STAGE: &str = "STAGE";
    /// How replies travel: `management-api` or `route-response`.
    pub const REPLY: &str = "WSFIX_REPLY";
    /// Base URL of `@connections`, stage included, where it is not `https://{DOMAIN_NAME}/{STAGE}`.
    pub const MANAGEMENT_URL: &str = "WSFIX_MANAGEMENT_URL";
    /// Key of the signature on requests to the backend; one or two, separated by a comma (rotation).
    pub const SIGNING_KEY: &str = "WSFIX_SIGNING_KEY";
    /// The claim that must equal `sessionId`.
    pub const SESSION_CLAIM: &str = "WSFIX_SESSION_CLAIM";
    /// The `iss` that a token must have.
    pub const ISSUER: &str = "WSFIX_ISSUER";
    /// The `aud` that a token must have (one of its values).
    pub const AUDIENCE: &str = "WSFIX_AUDIENCE";
    /// Claims that a token must have, as a JSON object of texts.
    pub const CLAIMS: &str = "WSFIX_CLAIMS";
    /// Seconds that a token counts after it was issued (`iat`); unset: until it expires.
    pub const MAX_TOKEN_AGE_SECONDS: &str = "WSFIX_MAX_TOKEN_AGE_SECONDS";
    /// `true`: a token counts once, by its `jti`.
    pub const SINGLE_USE: &str = "WSFIX_SINGLE_USE";
    /// Seconds that clocks may differ, 0 to 300.
    pub const LEEWAY_SECONDS: &str = "WSFIX_LEEWAY_SECONDS";
    /// Where a token may come from: `query`, `subprotocol`, `ticket`, separated by a comma.
    pub const TOKEN_FROM: &str = "WSFIX_TOKEN_FROM";
    /// `Origin`s that may connect, separated by a comma; unset: any.
    pub const ALLOWED_ORIGINS: &str = "WSFIX_ALLOWED_ORIGINS";
    /// `true`: a handshake without an `Origin` is refused.
    pub const REQUIRE_ORIGIN: &str = "WSFIX_REQUIRE_ORIGIN";
    /// Seconds that a stored session may be kept in memory; unset or 0: read for every message.
    pub const SESSION_CACHE_SECONDS: &str = "WSFIX_SESSION_CACHE_SECONDS";
    /// Longest time in seconds that the backend may take for one message.
    pub const BACKEND_TIMEOUT_SECONDS: &str = "WSFIX_BACKEND_TIMEOUT_SECONDS";
    /// `on`: a client's `seq` comes back in what answers it.
    pub const SEQUENCE: &str = "WSFIX_SEQUENCE";
    /// `off`: clients are not told that their connection nears its end.
    pub const RECONNECT_NOTICE: &str = "WSFIX_RECONNECT_NOTICE";
    /// Largest message that travels in parts, in KB.
    pub const MAX_MESSAGE_KB: &str = "WSFIX_MAX_MESSAGE_KB";
    /// `false`: a connection may outlive its token.
    pub const ENFORCE_EXPIRY: &str = "WSFIX_ENFORCE_EXP";
}

/// What the handler takes for a variable that is not there.
pub mod default {
    /// [`super::env::JWT_ALGORITHM`]
    pub const JWT_ALGORITHM: &str = "HS256";
    /// [`super::env::LEEWAY_SECONDS`]
    pub const LEEWAY_SECONDS: u32 = 30;
    /// [`super::env::BACKEND_TIMEOUT_SECONDS`]
    pub const BACKEND_TIMEOUT_SECONDS: u32 = 20;
    /// [`super::env::MAX_MESSAGE_KB`]
    pub const MAX_MESSAGE_KB: u32 = 1024;
    /// [`super::env::TOKEN_FROM`]
    pub const TOKEN_FROM: &str = "query,subprotocol";
}

/// Attributes of an item in the table of connections.
pub mod item {
    /// Hash key of the table.
    pub const CONNECTION_ID: &str = "connectionId";
    /// Hash key of the index.
    pub const SESSION_ID: &str = "sessionId";
    /// The token's `sub`.
    pub const USER_ID: &str = "userId";
    /// When the connection was made, epoch milliseconds as the gateway says it.
    pub const CONNECTED_AT: &str = "connectedAt";
    /// TTL attribute, epoch seconds.
    pub const EXPIRES_AT: &str = "expiresAt";
    /// The client's address.
    pub const SOURCE_IP: &str = "sourceIp";
    /// Until when the token allows messages, epoch seconds.
    pub const AUTH_UNTIL: &str = "authUntil";
    /// True: the client takes large answers in parts, and may send large messages so.
    pub const PARTS: &str = "parts";
    /// The connection that this one goes on from.
    pub const RESUMED_FROM: &str = "resumedFrom";
    /// The connection that goes on from this one.
    pub const RESUMED_BY: &str = "resumedBy";
    /// When the client was told to connect anew, epoch seconds.
    pub const RECONNECT_TOLD_AT: &str = "reconnectToldAt";
    /// In an item that is one part of a client's message: its text.
    pub const PART_DATA: &str = "partData";
    /// In an item that is one part of a client's message: how many there are.
    pub const PART_COUNT: &str = "partCount";
    /// The connection that used up a ticket or a token; only in items that stand for those.
    pub const USED_BY: &str = "usedBy";
}

/// The index on [`item::SESSION_ID`].
pub const SESSION_INDEX: &str = "SessionIdIndex";

/// Headers and paths of the requests to the backend.
pub mod backend {
    /// Path of messages below the backend's base URL.
    pub const MESSAGE_PATH: &str = "/api/ws/message";
    /// Path of disconnects below the backend's base URL.
    pub const DISCONNECT_PATH: &str = "/api/ws/disconnect";
    /// The gateway's connection id.
    pub const CONNECTION_ID: &str = "X-Connection-Id";
    /// The stored session.
    pub const SESSION_ID: &str = "X-Session-Id";
    /// The gateway's request id.
    pub const REQUEST_ID: &str = "X-Request-Id";
    /// `t=<epoch seconds>,v1=<hex>[,v1=<hex>]`: HMAC-SHA256 over `t "." X-Request-Id "." METHOD "." path "." body`.
    pub const SIGNATURE: &str = "X-Wsfix-Signature";
    /// Seconds that a signature's timestamp may be off.
    pub const SIGNATURE_TOLERANCE_SECONDS: i64 = 300;
}

/// Values of `type` in messages that wsfix itself understands or makes.
pub mod frame {
    /// One part of a message that is too large for one frame.
    pub const PART: &str = "wsfix.part";
    /// The connection nears its end.
    pub const RECONNECT: &str = "wsfix.reconnect";
    /// The stack is taken down: the connection ends soon, and there is nothing to connect to anew.
    pub const CLOSING: &str = "wsfix.closing";
    /// In the backend's answer: several messages, also for other connections of the session.
    pub const PUSH: &str = "wsfix.push";
}

/// What the query string of the handshake may hold.
pub mod query {
    /// The token.
    pub const TOKEN: &str = "token";
    /// The ticket.
    pub const TICKET: &str = "ticket";
    /// The session that the client asks for.
    pub const SESSION_ID: &str = "sessionId";
    /// `1`: large messages travel in parts.
    pub const PARTS: &str = "parts";
    /// The connection that the new one goes on from.
    pub const RESUME: &str = "resume";
}

/// The sub-protocol that says: the next one in the list is the token.
pub const TOKEN_SUBPROTOCOL: &str = "wsfix.jwt";

/// The sub-protocol that says: the next one in the list is the ticket.
pub const TICKET_SUBPROTOCOL: &str = "wsfix.ticket";

/// How every ticket begins.
pub const TICKET_LEAD: &str = "wst1.";

/// Tag keys and the marker in descriptions: what proves that a resource is ours.
pub mod ownership {
    /// Tag key; its value is the stack's name.
    pub const STACK_TAG: &str = "wsfix:stack";
    /// Tag key of what was there before the stack; its value is [`TRUE`].
    pub const ADOPTED_TAG: &str = "wsfix:adopted";
    /// Tag key of what a teardown kept on purpose; its value is [`TRUE`].
    pub const KEPT_TAG: &str = "wsfix:kept";
    /// The value of [`ADOPTED_TAG`] and [`KEPT_TAG`].
    pub const TRUE: &str = "true";

    /// The text in the description of the API and of the function, for accounts where tagging is denied.
    #[must_use]
    pub fn marker(stack: &str) -> String {
        format!("managed-by=wsfix;stack={stack}")
    }
}

/// The values of [`env::REPLY`].
pub mod reply {
    /// Posted to `@connections`; needs `execute-api:ManageConnections`.
    pub const MANAGEMENT_API: &str = "management-api";
    /// Returned by the function and sent by the route response; needs no permission.
    pub const ROUTE_RESPONSE: &str = "route-response";
}

/// A connection lives at most this many seconds: API Gateway closes it then (quotas of WebSocket APIs).
pub const MAX_CONNECTION_SECONDS: i64 = 2 * 60 * 60;
/// From this age on, in seconds, a client is told to connect anew.
pub const RECONNECT_SECONDS: i64 = 110 * 60;
/// Seconds that an item outlives its connection, for clocks that differ.
pub const EXPIRY_MARGIN_SECONDS: i64 = 10 * 60;
