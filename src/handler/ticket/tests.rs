use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::handler::testing::{Bench, Cloud, ID, NOW, Stub, handshake, reply, token, with_header};

const KEY: &str = "a ticket key of at least thirty-two bytes";
const OTHER_KEY: &str = "another key of at least thirty-two bytes, too";

fn keys() -> Vec<hmac::Key> {
    [KEY, OTHER_KEY].map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).into()
}

/// Signs any payload, however wrong.
fn signed(payload: &str, key: &str) -> String {
    let signed = format!("wst1.{}", URL_SAFE_NO_PAD.encode(payload));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

fn payload() -> Value {
    json!({ "id": "0123456789abcdef", "sessionId": "s1", "userId": "user-1", "exp": NOW + 30 })
}

fn ticket(changes: &Value) -> String {
    let mut payload = payload();
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    signed(&payload.to_string(), KEY)
}

fn good() -> String {
    ticket(&json!({}))
}

#[test]
fn a_good_ticket_says_who_it_is() {
    let read = verify(&good(), &keys(), NOW).unwrap();
    assert_eq!((read.id.as_str(), read.session_id.as_str(), read.user_id.as_deref()), ("0123456789abcdef", "s1", Some("user-1")));
    assert_eq!((read.expires, read.auth_until), (NOW + 30, None));
    let rotated =
        signed(&json!({ "id": "0123456789abcdef", "sessionId": "s1", "exp": NOW + 1, "authUntil": NOW + 60 }).to_string(), OTHER_KEY);
    let read = verify(&rotated, &keys(), NOW).unwrap();
    assert_eq!((read.user_id, read.auth_until), (None, Some(NOW + 60)));
    assert_eq!(verify(&ticket(&json!({ "userId": null, "authUntil": null })), &keys(), NOW).unwrap().user_id, None);
}

#[test]
fn bad_tickets_are_refused_for_their_reason() {
    let good = good();
    let (head, mac) = good.rsplit_once('.').unwrap();
    let of_jwt = token(&payload());
    for (name, bad, reason) in [
        ("nothing", String::new(), TicketError::Form),
        ("no MAC", head.to_owned(), TicketError::Form),
        ("an empty MAC", format!("{head}."), TicketError::Mac),
        ("half a MAC", format!("{head}.{}", &mac[..20]), TicketError::Mac),
        ("padding", format!("{good}="), TicketError::Form),
        ("white space", format!("{good} "), TicketError::Form),
        ("another version", good.replace("wst1.", "wst2."), TicketError::Form),
        ("a version in capitals", good.replace("wst1.", "WST1."), TicketError::Form),
        ("two payloads", format!("wst1.{}", good.strip_prefix("wst1.").unwrap().replacen('.', ".e30.", 1)), TicketError::Form),
        ("a JWT", of_jwt.clone(), TicketError::Form),
        ("a JWT dressed up", format!("wst1.{of_jwt}"), TicketError::Form),
        ("too much of it", format!("{good}{}", "x".repeat(LONGEST_TICKET)), TicketError::Form),
        ("another key", signed(&payload().to_string(), "yet another key of thirty-two bytes"), TicketError::Mac),
        ("another payload", format!("wst1.{}.{mac}", URL_SAFE_NO_PAD.encode(payload().to_string().replace("s1", "s2"))), TicketError::Mac),
        ("no JSON", signed("x", KEY), TicketError::Payload),
        ("a list", signed("[]", KEY), TicketError::Payload),
        ("a name twice", signed(&payload().to_string().replace("{\"exp\"", "{\"exp\":1,\"exp\""), KEY), TicketError::Payload),
        ("a short id", ticket(&json!({ "id": "0123456789abcde" })), TicketError::Member("id")),
        ("a long id", ticket(&json!({ "id": "x".repeat(129) })), TicketError::Member("id")),
        ("an id that is a number", ticket(&json!({ "id": 1_234_567_890_123_456_i64 })), TicketError::Member("id")),
        ("no id", ticket(&json!({ "id": null })), TicketError::Member("id")),
        ("no session", ticket(&json!({ "sessionId": null })), TicketError::Member("sessionId")),
        ("a list of sessions", ticket(&json!({ "sessionId": ["s1"] })), TicketError::Member("sessionId")),
        ("a user that is a number", ticket(&json!({ "userId": 1 })), TicketError::Member("userId")),
        ("no exp", ticket(&json!({ "exp": null })), TicketError::Member("exp")),
        ("an exp in text", ticket(&json!({ "exp": "1700000030" })), TicketError::Member("exp")),
        ("an exp with a fraction", ticket(&json!({ "exp": 1_700_000_030.5 })), TicketError::Member("exp")),
        ("an enormous exp", ticket(&json!({ "exp": u64::MAX })), TicketError::Member("exp")),
        ("an authUntil in text", ticket(&json!({ "authUntil": "1" })), TicketError::Member("authUntil")),
        ("expired this second", ticket(&json!({ "exp": NOW })), TicketError::Expired),
        ("expired long ago", ticket(&json!({ "exp": i64::MIN })), TicketError::Expired),
        ("for too long", ticket(&json!({ "exp": NOW + 36 })), TicketError::Long),
        ("for ever", ticket(&json!({ "exp": i64::MAX })), TicketError::Long),
    ] {
        assert_eq!(verify(&bad, &keys(), NOW).unwrap_err(), reason, "{name}");
    }
    assert!(verify(&ticket(&json!({ "exp": NOW + 35 })), &keys(), NOW).is_ok(), "a clock that is ahead by 5 s");
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in "(wst1\\.)?.{0,60}") {
        prop_assert!(verify(&text, &keys(), NOW).is_err());
    }

    #[test]
    fn no_change_of_a_ticket_goes_unnoticed(at in 0_usize..200, to in "[A-Za-z0-9_.=-]") {
        let good = good();
        let at = at % good.len();
        let mut bad = good.clone();
        bad.replace_range(at..=at, &to);
        prop_assume!(bad != good);
        prop_assert!(verify(&bad, &keys(), NOW).is_err());
    }
}

fn bench(aws: &Stub, changes: &[(&str, &str)]) -> Bench {
    let usual = [("JWT_SECRET", ""), ("WSFIX_TOKEN_FROM", "ticket"), ("WSFIX_TICKET_KEY", KEY)];
    Bench::new(&aws.url(), "https://backend.example", &[&usual, changes].concat())
}

fn on(mut event: Value, id: &str) -> Value {
    event["requestContext"]["connectionId"] = json!(id);
    event
}

#[tokio::test]
async fn a_ticket_makes_a_connection_and_is_used_up() {
    let cloud = Cloud::default();
    let aws = cloud.start().await;
    let bench = bench(&aws, &[]);
    let event = handshake(&[("ticket", &good()), ("sessionId", "s1")]);
    assert_eq!(bench.handle(&event).await, json!({ "statusCode": 200 }), "{}", bench.log());
    let item = cloud.item(ID).unwrap();
    assert_eq!((&item["sessionId"]["S"], &item["userId"]["S"], &item["authUntil"]), (&json!("s1"), &json!("user-1"), &Value::Null));
    let used = aws.requests()[0].json();
    let key = used["Item"]["connectionId"]["S"].as_str().unwrap().to_owned();
    assert_eq!(
        used["Item"],
        json!({ "connectionId": { "S": key }, "usedBy": { "S": ID }, "expiresAt": { "N": (NOW + 30 + 600).to_string() } })
    );
    assert!(key.starts_with("ticket#") && key.len() == 50, "{key}");
    for n in 0..20 {
        assert_eq!(bench.handle(&on(event.clone(), &format!("{n}="))).await, json!({ "statusCode": 401 }));
    }
    assert_eq!(cloud.ids().len(), 2);
    assert!(bench.log().contains("Status: 401, Reason: the ticket has been used already"), "{}", bench.log());
    assert!(!bench.log().contains("wst1"), "{}", bench.log());
}

#[tokio::test]
async fn of_many_at_once_one_gets_in() {
    let cloud = Cloud::default();
    let aws = cloud.start().await;
    let bench = bench(&aws, &[]);
    let ticket = good();
    let events: Vec<Value> = (0..10).map(|n| on(handshake(&[("ticket", &ticket)]), &format!("{n}="))).collect();
    let answers = join_all(events.iter().map(|event| bench.handle(event))).await;
    let mut statuses: Vec<u64> = answers.iter().filter_map(|answer| answer["statusCode"].as_u64()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401, 401, 401]);
}

#[tokio::test]
async fn the_same_handshake_may_repeat_a_write_whose_answer_was_lost() {
    let cloud = Cloud::default();
    let (kept, calls) = (cloud.clone(), std::sync::atomic::AtomicUsize::new(0));
    let aws = Stub::start(move |seen| {
        let answer = kept.answer(seen);
        if calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 { reply(0, "") } else { answer }
    })
    .await;
    let bench = bench(&aws, &[]);
    assert_eq!(bench.handle(&handshake(&[("ticket", &good())])).await["statusCode"], 200, "{}", bench.log());
    assert_eq!(cloud.ids().len(), 2);
}

#[tokio::test]
async fn nobody_gets_in_where_the_use_cannot_be_written_down() {
    let aws = Stub::start(|_| reply(400, r#"{"__type":"a#AccessDeniedException","Message":"no"}"#)).await;
    let bench = bench(&aws, &[]);
    assert_eq!(bench.handle(&handshake(&[("ticket", &good())])).await, json!({ "statusCode": 500 }));
}

#[tokio::test]
async fn tickets_come_in_the_list_of_subprotocols_too() {
    let aws = Cloud::default().start().await;
    let bench = bench(&aws, &[]);
    let list = |list: &str| with_header(handshake(&[]), "Sec-WebSocket-Protocol", &[list]);
    let answer = bench.handle(&list(&format!("wsfix.ticket, {}, chat", good()))).await;
    assert_eq!(answer, json!({ "statusCode": 200, "headers": { "Sec-WebSocket-Protocol": "wsfix.ticket" } }));
    // Never as the answer, wherever it stands.
    let ticket = ticket(&json!({ "id": "another-id-of-the-right-length" }));
    let mut event = list(&format!("{ticket}, chat"));
    event["queryStringParameters"]["ticket"] = json!(ticket);
    let answer = bench.handle(&on(event, "b=")).await;
    assert_eq!(answer, json!({ "statusCode": 200, "headers": { "Sec-WebSocket-Protocol": "chat" } }));
}

#[tokio::test]
async fn refused_tickets_cost_nothing() {
    let aws = Cloud::default().start().await;
    let usual = bench(&aws, &[]);
    let both = bench(&aws, &[("JWT_SECRET", "a secret of at least thirty-two bytes"), ("WSFIX_TOKEN_FROM", "query,ticket")]);
    let tokens = bench(&aws, &[("JWT_SECRET", "a secret of at least thirty-two bytes"), ("WSFIX_TOKEN_FROM", "query")]);
    let (good, jwt) = (good(), token(&json!({ "exp": NOW + 300, "sessionId": "s1" })));
    let bad_session = ticket(&json!({ "sessionId": "a\u{200b}" }));
    for (bench, query, status) in [
        (&usual, &[("ticket", good.as_str()), ("sessionId", "s2")][..], 403),
        (&usual, &[("ticket", &bad_session)], 400),
        (&usual, &[("ticket", "wst1.e30.e30")], 401),
        (&usual, &[("ticket", "")], 401),
        (&usual, &[("token", &good)], 401),
        (&usual, &[("token", &jwt)], 401),
        (&both, &[("token", &good)], 401),
        (&both, &[("ticket", &jwt)], 401),
        (&both, &[("token", &jwt), ("ticket", &good)], 400),
        (&tokens, &[("ticket", &good)], 401),
    ] {
        assert_eq!(bench.handle(&handshake(query)).await, json!({ "statusCode": status }), "{query:?}");
        let log = bench.log();
        assert!(!log.contains("wst1") && !log.contains("eyJ"), "{log}");
    }
    assert_eq!(aws.requests().len(), 0);
    assert_eq!(both.handle(&on(handshake(&[("token", &jwt)]), "a=")).await["statusCode"], 200, "{}", both.log());
    assert_eq!(both.handle(&on(handshake(&[("ticket", &good)]), "b=")).await["statusCode"], 200, "{}", both.log());
}

#[tokio::test]
async fn a_ticket_key_may_be_in_a_store() {
    let cloud = Cloud::default();
    let aws = Stub::start(move |seen| match seen.operation() {
        "GetParameter" => reply(200, &json!({ "Parameter": { "Value": KEY } }).to_string()),
        _ => cloud.answer(seen),
    })
    .await;
    let bench = bench(&aws, &[("WSFIX_TICKET_KEY", ""), ("WSFIX_TICKET_KEY_REF", "ssm:/app/ticket")]);
    assert_eq!(bench.handle(&handshake(&[("ticket", &good())])).await["statusCode"], 200, "{}", bench.log());
    assert_eq!(
        aws.requests().iter().map(crate::handler::testing::Seen::operation).collect::<Vec<_>>(),
        ["GetParameter", "PutItem", "PutItem"]
    );
}

#[tokio::test]
async fn a_token_may_count_once_too() {
    let cloud = Cloud::default();
    let aws = cloud.start().await;
    let bench = Bench::new(&aws.url(), "https://backend.example", &[("WSFIX_SINGLE_USE", "true")]);
    let named = |name: Value| token(&json!({ "exp": NOW + 300, "sessionId": "s1", "jti": name }));
    let event = |token: &str, id: &str| on(handshake(&[("token", token)]), id);
    assert_eq!(bench.handle(&event(&named(json!("a")), "1=")).await["statusCode"], 200, "{}", bench.log());
    assert_eq!(bench.handle(&event(&named(json!("a")), "2=")).await["statusCode"], 401);
    assert_eq!(bench.handle(&event(&named(json!("b")), "3=")).await["statusCode"], 200);
    let used = aws.requests()[0].json();
    assert_eq!(used["Item"]["expiresAt"]["N"], (NOW + 300 + 30 + 600).to_string());
    assert!(used["Item"]["connectionId"]["S"].as_str().unwrap().starts_with("token#"));
    let before = aws.requests().len();
    for bad in [json!(null), json!(7), json!(""), json!(["a"])] {
        assert_eq!(bench.handle(&event(&named(bad), "4=")).await["statusCode"], 401);
    }
    assert_eq!(aws.requests().len(), before);
    assert!(bench.log().contains("Reason: the token has been used already"), "{}", bench.log());
}
