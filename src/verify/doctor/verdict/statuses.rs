//! What an HTTP status means that comes in place of 101. Pure.

use crate::verify::doctor::{Findings, Who, Whom};
use crate::verify::upgrade::Answer;

use super::{HIDDEN, Verdict};

/// A status by itself, whoever it is from.
pub(super) fn judge(findings: &Findings, answer: &Answer) -> Verdict {
    let whom = findings.who.as_ref().map(|who| who.whom);
    let verdict = match (whom, answer.status) {
        (_, 300..=399) => redirected(answer),
        (Some(Whom::ApiGateway), status) => gateway(status, answer),
        (Some(Whom::AppRunner), _) => no_websocket(answer),
        (Some(Whom::Envoy), 403) => no_websocket(answer).likely("the service runs on AWS App Runner behind a name of its own: its front door is an Envoy that refuses upgrades in this way"),
        (_, 400) if wants_tls(answer) => Verdict::new("tls-expected", "the port speaks TLS, and the URL says ws://").advice("use wss://"),
        (_, 400 | 426) => stripped(answer),
        (_, 401 | 407) => Verdict::new("unauthorized", format!("the server asks for a login: HTTP {}", answer.status))
            .likely("the token or the cookie is missing, expired, or not looked for where the client puts it (browsers cannot set headers on a WebSocket)")
            .advice("give a token (`--token`), and let the server read it from the query, a cookie or the sub-protocol"),
        (_, 403) => Verdict::new("forbidden", "the server refuses the upgrade: HTTP 403")
            .likely("its list of allowed origins lacks the page's, a firewall rule forbids upgrades, or there is no WebSocket at this host at all")
            .advice("try `--origin` with the page's own origin, and look into the log of the server that answered"),
        (_, 404) => Verdict::new("not-found", "there is nothing at this path: HTTP 404")
            .likely("a wrong path (the WebSocket's is often not `/`), or a proxy that sends it to another service")
            .advice("compare the path with the one that the server's WebSocket library was given"),
        (_, 429) => Verdict::new("throttled", "too many connections or requests: HTTP 429").advice("reconnect with a growing, random delay; raise the limit"),
        (_, 200..=299) => ordinary(answer),
        (_, 502..=504) => Verdict::new("backend-down", format!("the proxy reached no healthy server behind it: HTTP {}", answer.status))
            .likely("the app is down or starting, its health check fails, or it closes connections that ask for an upgrade")
            .advice("look at the app's own log and health; connect to the app past the proxy"),
        (_, 500..=599) => Verdict::new("server-error", format!("the server failed: HTTP {}", answer.status)).advice("look into the log of the server that answered"),
        (_, status) => Verdict::new("refused", format!("the upgrade is refused with HTTP {status}")),
    };
    let mut verdict =
        verdict.certain(format!("the connection never opened: the server said HTTP {} where 101 is needed", answer.status)).certain(HIDDEN);
    verdict.measured.insert(0, said(answer, findings.who.as_ref()));
    verdict
}

/// The answer, in one line.
fn said(answer: &Answer, who: Option<&Who>) -> String {
    let body: String = answer.body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
    let body = if body.is_empty() { "an empty body".to_owned() } else { format!("the body `{body}`") };
    let who = who.map(|who| format!(", from {} ({})", who.whom.name(), who.because)).unwrap_or_default();
    format!("HTTP {} with {body}{who}", answer.status)
}

/// What to do where a host takes HTTP only.
const PROVISION: &str =
    "put a WebSocket API in front of the app: `wsfix provision --backend-url https://HOST`; the app keeps its HTTP routes";

fn no_websocket(answer: &Answer) -> Verdict {
    Verdict::new("no-websocket-here", format!("there is no WebSocket at this host: it answers the upgrade with HTTP {}", answer.status))
        .certain("nothing in the app can change that: the front door takes HTTP requests only, and the app never sees the upgrade")
        .advice(PROVISION)
}

fn ordinary(answer: &Answer) -> Verdict {
    Verdict::new("upgrade-ignored", format!("the server answers the upgrade like any request: HTTP {}", answer.status))
        .likely("a proxy between here and the app removes the header Upgrade, a single-page app answers every path with its page, or the app has no WebSocket at this path")
        .advice("let the proxy pass the upgrade on (nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";`)")
        .advice(format!("or, where the host takes HTTP only: {PROVISION}"))
}

fn stripped(answer: &Answer) -> Verdict {
    let verdict = if answer.status == 426 {
        Verdict::new("upgrade-stripped", "the server wants an upgrade, and did not get ours: HTTP 426")
    } else {
        Verdict::new("upgrade-stripped", "the server takes the request for a broken upgrade: HTTP 400")
    };
    verdict
        .likely("a proxy on the way removes the headers Upgrade and Connection, which it must pass on by name")
        .likely("else: the path is one of HTTP, or the app checks something in the request (its origin, its query) and refuses with this status")
        .advice("nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";`")
        .advice(format!("where the proxy is not yours: {PROVISION}"))
}

fn redirected(answer: &Answer) -> Verdict {
    let to = answer.header("location");
    let to = if to.is_empty() { "somewhere".to_owned() } else { format!("to {}", to.split(['?', '#']).next().unwrap_or(to)) };
    Verdict::new("redirected", format!("the server redirects {to}: HTTP {}", answer.status))
        .certain("browsers do not follow redirects of a WebSocket")
        .likely("http is redirected to https, a slash at the end is missing, or a login page is shown")
        .advice("use the URL that it redirects to, with wss://")
}

fn wants_tls(answer: &Answer) -> bool {
    let body = answer.body.to_ascii_lowercase();
    body.contains("https port") || body.contains("http request to an https server") || body.contains("ssl-enabled server port")
}

/// What API Gateway means (WebSocket APIs: the status of `$connect`, or its own).
fn gateway(status: u16, answer: &Answer) -> Verdict {
    let own = answer.headers.contains_key("x-amzn-errortype");
    match status {
        401 => Verdict::new("gateway-401", "$connect refused: HTTP 401, no or a bad token")
            .likely("the token is missing, has expired, or is signed with another key than the function has")
            .advice("make a new token (the client should do so before each reconnect); the reason stands in the function's log: `[WebSocket] Refused: ...`"),
        403 if own => Verdict::new("gateway-403", "API Gateway itself refuses: HTTP 403, it knows no such stage, or no deployment of it")
            .likely("the stage's name in the URL is wrong or missing, the stage was never deployed after its routes were made, or the API was deleted")
            .advice("compare with `wsfix status`; `wsfix provision` deploys what is missing"),
        403 => Verdict::new("gateway-403", "$connect or an authorizer refused: HTTP 403")
            .likely("the page's origin is not allowed, or the token is for another session; without a body of ours: wrong stage, or never deployed")
            .advice("the reason stands in the function's log: `[WebSocket] Refused: ...`; no line there means that API Gateway refused by itself"),
        429 => Verdict::new("gateway-429", "API Gateway throttles: HTTP 429")
            .likely("the stage's throttle is 0 (a stage that was made without numbers), or more than 500 new connections a second come in")
            .advice("`wsfix status` shows the stage's limits, `wsfix provision` sets them; clients reconnect with a growing, random delay"),
        500 => Verdict::new("gateway-500", "API Gateway may not call the function: HTTP 500")
            .likely("the function's policy has no statement that lets this API call it, or the integration names another function")
            .advice("`wsfix provision` puts the permission right; by hand it is `aws lambda add-permission`; nothing of this is in the function's log"),
        502 => Verdict::new("gateway-502", "the function failed on $connect: HTTP 502")
            .likely("it crashed, timed out at its start, or returned something without a statusCode")
            .advice("look into its log (`wsfix logs`)"),
        503 | 504 => Verdict::new("gateway-504", format!("$connect took longer than API Gateway waits: HTTP {status}"))
            .likely("the function waits for something that it cannot reach (a network of its own without a way out, a slow secret)")
            .advice("keep $connect short: check the token, write the item, answer"),
        400 => Verdict::new("gateway-400", "$connect refused the request as malformed: HTTP 400")
            .likely("`sessionId` is missing or is there twice")
            .advice("connect to `wss://.../STAGE?sessionId=...&token=...`"),
        426 => Verdict::new("upgrade-stripped", "API Gateway got no upgrade: HTTP 426").likely("a proxy on the way removes it"),
        _ => Verdict::new("gateway-other", format!("$connect answered HTTP {status}")).likely("the function returned this status").advice("look into its log"),
    }
}
