//! What is demanded of a backend. Each rule is a few requests, and what the answers must be.

use serde_json::json;

use super::request::{Pen, Sent};

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// 2xx, with JSON or nothing.
    Answer,
    /// 2xx.
    Done,
    /// 401.
    Refused,
}

/// One request of a rule.
pub(super) struct Step {
    /// Which one it is, where there are several.
    pub(super) what: &'static str,
    pub(super) request: Sent,
    pub(super) want: Want,
}

/// One demand.
#[derive(Debug)]
pub struct Rule {
    /// A word for it, for programs.
    pub name: &'static str,
    /// What a backend must do.
    pub demands: &'static str,
    /// What to do where it does not.
    pub fix: &'static str,
    /// Whether it is about signatures.
    pub signed: bool,
    /// Whether its requests are sent at the same time.
    pub(super) together: bool,
    pub(super) steps: fn(&Pen) -> Vec<Step>,
}

impl Rule {
    const fn new(name: &'static str, demands: &'static str, fix: &'static str, steps: fn(&Pen) -> Vec<Step>) -> Self {
        Self { name, demands, fix, signed: false, together: false, steps }
    }

    const fn of_signatures(self) -> Self {
        Self { signed: true, ..self }
    }

    const fn together(self) -> Self {
        Self { together: true, ..self }
    }

    /// Whether it looks at the times of the others and sends nothing itself.
    pub(super) fn is_about_time(&self) -> bool {
        self.name == TIME
    }
}

const TIME: &str = "time";

fn one(request: Sent, want: Want) -> Vec<Step> {
    vec![Step { what: "", request, want }]
}

fn step(what: &'static str, request: Sent, want: Want) -> Step {
    Step { what, request, want }
}

fn ping(pen: &Pen) -> Sent {
    pen.message(json!({ "action": "sendMessage", "type": "ping" }))
}

fn command(pen: &Pen) -> Sent {
    pen.message(json!({ "action": "sendMessage", "type": "command", "command": "echo wsfix" }))
}

/// Every rule, in the order in which they are tried. Where the first one fails the others are not tried.
pub static ALL: [Rule; 22] = [
    Rule::new(
        "ping",
        "`POST /api/ws/message` with a message of type `ping` is answered with 2xx, and with JSON or nothing",
        "serve the path below the base URL, without redirects; 401: it has another `WSFIX_SIGNING_KEY`, or wants one and none was given",
        |pen| one(ping(pen), Want::Answer),
    ),
    Rule::new(
        "command",
        "a message of type `command` with text beyond ASCII is answered the same way",
        "check the signature over the raw bytes of the body, before anything parses it",
        |pen| one(pen.message(json!({ "type": "command", "command": "echo 'grüß — 你好 🙂'" })), Want::Answer),
    ),
    Rule::new("resize", "a message of type `resize` is answered the same way", "answer 200 with JSON, or 204", |pen| {
        one(pen.message(json!({ "type": "resize", "cols": 120, "rows": 40 })), Want::Answer)
    }),
    Rule::new(
        "sequence",
        "a ping, a command and a resize of one connection, one after the other, are all answered",
        "keep no state that a second message of a connection breaks",
        |pen| {
            vec![
                step("ping", ping(pen), Want::Answer),
                step("command", command(pen), Want::Answer),
                step("resize", pen.message(json!({ "type": "resize", "cols": 80, "rows": 24 })), Want::Answer),
            ]
        },
    ),
    Rule::new(
        "equal-messages",
        "two equal messages of one second are both answered: their request ids differ",
        "tell replays by what the signature covers, `X-Request-Id` among it, not by the body",
        |pen| vec![step("first", command(pen), Want::Answer), step("second", command(pen), Want::Answer)],
    ),
    Rule::new(
        "concurrent",
        "four messages of one connection at the same time are all answered",
        "let requests of one connection overlap, or put them in a queue",
        |pen| (0..4).map(|_| step("", command(pen), Want::Answer)).collect(),
    )
    .together(),
    Rule::new(
        "unknown-type",
        "a message of an unknown type, and one without a type, get 2xx; what is wrong is said in the answer",
        "answer 200 with JSON such as {\"type\":\"error\"}: another status reaches the client as `backend_error`, without a word of yours",
        |pen| {
            vec![
                step("unknown", pen.message(json!({ "type": "no-such-type" })), Want::Answer),
                step("none", pen.message(json!({ "text": "hello" })), Want::Answer),
            ]
        },
    ),
    Rule::new(
        "no-user",
        "a message whose `userId` is null is answered: a token need not have a `sub`",
        "take null for a user that is not named",
        |pen| one(pen.message(json!({ "type": "ping", "userId": null })), Want::Answer),
    ),
    Rule::new(
        "large-body",
        "a message of 120 KB is answered: a client may send up to 128 KB",
        "raise the limit of the body's parser (Express: `limit: '256kb'`), and of a proxy before it",
        |pen| one(pen.message(json!({ "type": "input", "data": "x".repeat(120 * 1024) })), Want::Answer),
    ),
    Rule::new(
        TIME,
        "every answer comes within the time limit",
        "answer at once and send what takes long later; or raise `backend_timeout`, to 26 s at most",
        |_| Vec::new(),
    ),
    Rule::new("disconnect", "`POST /api/ws/disconnect` is answered with 2xx", "serve the path, and answer 204", |pen| {
        one(pen.disconnect(true), Want::Done)
    }),
    Rule::new(
        "disconnect-unknown",
        "a disconnect of which nothing but the connection is known (all else null) is answered with 2xx",
        "take null for `sessionId`, `userId`, `code` and `reason`",
        |pen| one(pen.disconnect(false), Want::Done),
    ),
    Rule::new(
        "disconnect-twice",
        "the same disconnect a second time is answered with 2xx: API Gateway may tell it twice",
        "take a connection that is not known for one that has ended",
        |pen| vec![step("first", pen.disconnect(true), Want::Done), step("second", pen.disconnect(true), Want::Done)],
    ),
    Rule::new(
        "unsigned",
        "a request without a signature, or with an empty one, is refused with 401",
        "refuse what has no good `X-Wsfix-Signature`: anybody can send requests to the backend's URL",
        |pen| {
            vec![
                step("none", Sent { signature: None, ..ping(pen) }, Want::Refused),
                step("empty", Sent { signature: Some(String::new()), ..ping(pen) }, Want::Refused),
                step("disconnect", Sent { signature: None, ..pen.disconnect(true) }, Want::Refused),
            ]
        },
    )
    .of_signatures(),
    Rule::new(
        "wrong-key",
        "a request that is signed with another key is refused with 401",
        "compare the whole tag with the one of your own key",
        |pen| one(pen.by_a_stranger(ping(pen)), Want::Refused),
    )
    .of_signatures(),
    Rule::new(
        "old",
        "a signature of 310 s ago, or of 310 s ahead, is refused with 401; one of 290 s ago is not",
        "refuse when `t` is more than 300 s off, in both directions",
        |pen| {
            vec![
                step("310 s ago", pen.at(ping(pen), -310), Want::Refused),
                step("310 s ahead", pen.at(ping(pen), 310), Want::Refused),
                step("290 s ago", pen.at(ping(pen), -290), Want::Answer),
            ]
        },
    )
    .of_signatures(),
    Rule::new(
        "replay",
        "the same request a second time is refused with 401",
        "remember what was signed for 300 s after its `t`, in a store that all instances share",
        |pen| {
            let sent = command(pen);
            vec![step("first", sent.clone(), Want::Answer), step("again", sent, Want::Refused)]
        },
    )
    .of_signatures(),
    Rule::new("changed-body", "a request whose body was changed is refused with 401", "sign and compare the raw body", |pen| {
        let sent = command(pen);
        one(Sent { body: sent.body.replace("echo", "exec"), ..sent }, Want::Refused)
    })
    .of_signatures(),
    Rule::new(
        "changed-path",
        "a message's signature counts neither for a disconnect nor with another query: 401",
        "sign and compare the path as it was sent, with its query",
        |pen| {
            let (elsewhere, query) = (ping(pen), ping(pen));
            let longer = format!("{}?a=1", query.path);
            vec![
                step("the other path", Sent { path: pen.disconnect_path(), ..elsewhere }, Want::Refused),
                step("a query", Sent { path: longer, ..query }, Want::Refused),
            ]
        },
    )
    .of_signatures(),
    Rule::new(
        "changed-request",
        "a request whose `X-Request-Id` was changed is refused with 401",
        "sign and compare the request id: without it one request can be sent again under another",
        |pen| {
            let sent = ping(pen);
            one(Sent { request_id: format!("{}x", sent.request_id), ..sent }, Want::Refused)
        },
    )
    .of_signatures(),
    Rule::new(
        "malformed",
        "a signature without a time, without a tag, or with half a tag is refused with 401",
        "take a header that cannot be read for one that is wrong",
        |pen| {
            let cut = |keep: fn(&str) -> String| {
                let sent = ping(pen);
                Sent { signature: sent.signature.as_deref().map(keep), ..sent }
            };
            vec![
                step("no time", cut(|text| text.split_once(',').map_or("", |(_, tags)| tags).to_owned()), Want::Refused),
                step("no tag", cut(|text| text.split(',').next().unwrap_or_default().to_owned()), Want::Refused),
                step("half a tag", cut(|text| text.chars().take(text.len() - 32).collect()), Want::Refused),
            ]
        },
    )
    .of_signatures(),
    Rule::new(
        "two-tags",
        "of two tags one that fits is enough: keys are changed one side after the other",
        "compare each `v1` with each of your keys",
        |pen| {
            let sent = ping(pen);
            let tag = sent
                .signature
                .as_deref()
                .and_then(|header| header.split_once(',').map(|(time, tags)| format!("{time},v1={},{tags}", "0".repeat(64))));
            one(Sent { signature: tag, ..sent }, Want::Answer)
        },
    )
    .of_signatures(),
];
