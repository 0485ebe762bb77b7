use serde_json::{Value, json};

use crate::handler::testing::{ID, NOW, NOW_MS, Scene, connect_event, disconnect_event, item, message_event, reply, token};

/// The recorded connection at an age of some seconds; the message comes at that age by the gateway's clock.
async fn at_age(seconds: u64, changes: &[(&str, &str)], backend: &'static str) -> (Scene, Value) {
    let scene = Scene::start(changes, move |_| reply(200, backend)).await;
    let mut stored = item();
    stored["connectedAt"] = json!({ "N": (NOW_MS - 1_000_000).to_string() });
    scene.cloud.store(ID, stored);
    let mut event = message_event("{}");
    event["requestContext"]["requestTimeEpoch"] = json!(NOW_MS - 1_000_000 + seconds * 1000);
    (scene, event)
}

#[tokio::test]
async fn the_client_is_told_once_and_after_the_reply() {
    let (scene, event) = at_age(6600, &[], "{\"a\":1}").await;
    assert_eq!(scene.bench.handle(&event).await, json!({ "statusCode": 200 }));
    scene.bench.handle(&event).await;
    let sent = scene.sent_to(ID);
    assert_eq!((sent.len(), &sent[0], &sent[2]), (3, &"{\"a\":1}".to_owned(), &"{\"a\":1}".to_owned()));
    let notice: Value = serde_json::from_str(&sent[1]).unwrap();
    let after = notice["afterSeconds"].as_u64().unwrap();
    assert!(after < 300, "{after}");
    assert_eq!(notice, json!({ "type": "wsfix.reconnect", "afterSeconds": after, "withinSeconds": 600, "resume": ID }));
    assert_eq!(scene.table_calls(), ["GetItem", "UpdateItem", "GetItem"]);
    // Nothing else of the item has changed.
    let mut stored = scene.cloud.item(ID).unwrap();
    assert_eq!(stored.as_object_mut().unwrap().remove("reconnectToldAt"), Some(json!({ "N": NOW.to_string() })));
    assert_eq!(stored["expiresAt"], item()["expiresAt"]);
}

#[tokio::test]
async fn young_and_ended_connections_get_no_notice_nor_does_anybody_who_does_not_want_it() {
    for (seconds, changes) in [(6599, &[][..]), (7200, &[]), (6600, &[("WSFIX_RECONNECT_NOTICE", "off")])] {
        let (scene, event) = at_age(seconds, changes, "{}").await;
        scene.bench.handle(&event).await;
        assert_eq!((scene.sent_to(ID).len(), scene.table_calls()), (1, vec!["GetItem".to_owned()]), "{seconds}");
    }
}

#[tokio::test]
async fn clients_are_spread_over_half_of_the_time_left() {
    let after = |id: &str| serde_json::from_str::<Value>(&super::text(id, 600)).unwrap()["afterSeconds"].as_u64().unwrap();
    let all: Vec<u64> = (0..200).map(|number| after(&format!("c{number}="))).collect();
    assert!(all.iter().all(|after| *after < 300));
    assert!(all.iter().filter(|after| **after < 150).count() > 60 && all.iter().filter(|after| **after >= 150).count() > 60);
    assert_eq!(after("c1="), after("c1="));
}

#[tokio::test]
async fn two_processes_tell_it_once() {
    let (scene, event) = at_age(6700, &[("WSFIX_SESSION_CACHE_SECONDS", "60")], "{}").await;
    scene.bench.handle(&message_event("{}")).await;
    let mut told = scene.cloud.item(ID).unwrap();
    told["reconnectToldAt"] = json!({ "N": NOW.to_string() });
    scene.cloud.store(ID, told);
    // The session is remembered without the other process's note.
    scene.bench.handle(&event).await;
    scene.bench.handle(&event).await;
    assert_eq!(scene.table_calls(), ["GetItem", "UpdateItem", "GetItem"]);
    assert!(scene.sent_to(ID).iter().all(|text| text == "{}"));
}

#[tokio::test]
async fn a_route_response_is_a_notice_where_there_is_no_reply() {
    let (scene, event) = at_age(6600, &[("WSFIX_REPLY", "route-response")], "{}").await;
    assert_eq!(scene.bench.handle(&event).await["body"], "{}");
    let (scene, event) = at_age(6600, &[("WSFIX_REPLY", "route-response")], "").await;
    assert!(scene.bench.handle(&event).await["body"].as_str().unwrap().contains("wsfix.reconnect"));
    assert_eq!(scene.bench.handle(&event).await, json!({ "statusCode": 200 }));
}

#[tokio::test]
async fn a_role_without_the_permission_is_asked_once() {
    let denied = r#"{"__type":"a#AccessDeniedException","Message":"User: x is not authorized to perform: dynamodb:UpdateItem"}"#;
    let (scene, event) = at_age(6600, &[], "{}").await;
    scene.cloud.refuse("UpdateItem", reply(400, denied));
    scene.bench.handle(&event).await;
    scene.bench.handle(&event).await;
    assert_eq!((scene.sent_to(ID).len(), scene.table_calls()), (2, vec!["GetItem".into(), "UpdateItem".into(), "GetItem".into()]));
    assert_eq!(scene.bench.log().matches("where the role has dynamodb:UpdateItem").count(), 1);
}

const NEW: &str = "NEW1xc2VNjMCFIA=";

/// A handshake for session `s1` that goes on from a connection.
fn resuming(old: &str, claims: &Value) -> Value {
    let mut event = connect_event();
    event["requestContext"]["connectionId"] = json!(NEW);
    event["multiValueQueryStringParameters"] = json!({ "token": [token(claims)], "sessionId": ["s1"], "resume": [old] });
    event
}

fn claims(user: Option<&str>) -> Value {
    let mut claims = json!({ "exp": NOW + 300 });
    if let Some(user) = user {
        claims["sub"] = json!(user);
    }
    claims
}

#[tokio::test]
async fn a_session_goes_on_in_a_new_connection() {
    let scene = Scene::start(&[], |_| reply(204, "")).await;
    assert_eq!(scene.bench.handle(&resuming(ID, &claims(Some("user-1")))).await, json!({ "statusCode": 200 }));
    assert_eq!(scene.table_calls(), ["UpdateItem", "PutItem"]);
    let mut message = message_event(r#"{"resumedFrom":"forged","resumedfrom":1}"#);
    message["requestContext"]["connectionId"] = json!(NEW);
    scene.bench.handle(&message).await;
    scene.bench.handle(&disconnect_event()).await;
    let mut last = disconnect_event();
    last["requestContext"]["connectionId"] = json!(NEW);
    scene.bench.handle(&last).await;
    let [message, old, new] = &scene.backend.requests()[..] else { panic!("three requests") };
    assert_eq!(message.json(), json!({ "connectionId": NEW, "sessionId": "s1", "userId": "user-1", "resumedFrom": ID }));
    assert_eq!((&old.json()["connectionId"], &old.json()["resumedBy"]), (&json!(ID), &json!(NEW)));
    assert_eq!((&new.json()["connectionId"], new.json().get("resumedBy")), (&json!(NEW), None));
}

#[tokio::test]
async fn only_a_living_connection_of_the_same_session_and_user_is_gone_on_from() {
    let changed = |name: &str, value: Value| {
        let mut stored = item();
        stored[name] = value;
        stored
    };
    let anonymous = |mut stored: Value| {
        stored.as_object_mut().unwrap().remove("userId");
        stored
    };
    for (stored, user, resumed) in [
        (item(), Some("user-1"), true),
        (anonymous(item()), None, true),
        (item(), Some("user-2"), false),
        (item(), None, false),
        (anonymous(item()), Some("user-1"), false),
        (changed("sessionId", json!({ "S": "s2" })), Some("user-1"), false),
        (changed("expiresAt", json!({ "N": NOW.to_string() })), Some("user-1"), false),
    ] {
        let scene = Scene::start(&[], |_| reply(204, "")).await;
        scene.cloud.store(ID, stored.clone());
        assert_eq!(scene.bench.handle(&resuming(ID, &claims(user))).await, json!({ "statusCode": 200 }));
        assert_eq!(scene.cloud.item(NEW).unwrap().get("resumedFrom").is_some(), resumed, "{stored} {user:?}");
        assert_eq!(scene.cloud.item(ID).unwrap().get("resumedBy").is_some(), resumed, "{stored} {user:?}");
    }
    for encoded in [ID.replace('=', "%3D"), ID.to_owned()] {
        let scene = Scene::start(&[], |_| reply(204, "")).await;
        scene.bench.handle(&resuming(&encoded, &claims(Some("user-1")))).await;
        assert_eq!(scene.cloud.item(NEW).unwrap()["resumedFrom"], json!({ "S": ID }));
    }
    for old in ["", "gone=", NEW, "a\nb", "%ff", &"x".repeat(129)] {
        let scene = Scene::start(&[], |_| reply(204, "")).await;
        assert_eq!(scene.bench.handle(&resuming(old, &claims(Some("user-1")))).await, json!({ "statusCode": 200 }));
        assert!(scene.cloud.item(NEW).unwrap().get("resumedFrom").is_none(), "{old:?}");
        assert_eq!(scene.cloud.ids(), [NEW, ID]);
    }
}

#[tokio::test]
async fn a_refused_handshake_changes_no_connection() {
    let scene = Scene::start(&[], |_| reply(204, "")).await;
    let mut twice = resuming(ID, &claims(Some("user-1")));
    twice["multiValueQueryStringParameters"]["resume"] = json!([ID, "other="]);
    assert_eq!(scene.bench.handle(&twice).await, json!({ "statusCode": 400 }));
    let expired = resuming(ID, &json!({ "sub": "user-1", "exp": NOW - 300 }));
    assert_eq!(scene.bench.handle(&expired).await, json!({ "statusCode": 401 }));
    assert!(scene.aws.requests().is_empty());
}
