use serde_json::{Value, json};

use crate::handler::testing::{ID, NOW, Scene, item, message_event, reply};

/// Three connections: the sender and `peer=` of session `s1`, and `other=` of another.
async fn scene(changes: &[(&str, &str)], backend: impl Into<String>) -> Scene {
    let backend = backend.into();
    let scene = Scene::start(changes, move |_| reply(200, &backend)).await;
    for (id, session) in [("peer=", "s1"), ("other=", "s2")] {
        let mut stored = item();
        stored["connectionId"] = json!({ "S": id });
        stored["sessionId"] = json!({ "S": session });
        scene.cloud.store(id, stored);
    }
    scene
}

const LIST: &str = r#"{"type":"wsfix.push","messages":[
    {"to":"connection","data":{"n":1.0}},
    {"data": [2] },
    {"to":"session","data":"three"},
    {"to":"connection","data":null}]}"#;

#[tokio::test]
async fn a_list_goes_to_the_sender_and_its_session_in_order() {
    let scene = scene(&[], LIST).await;
    assert_eq!(scene.bench.handle(&message_event("{}")).await, json!({ "statusCode": 200 }));
    assert_eq!(scene.sent_to(ID), ["{\"n\":1.0}", "[2]", "\"three\"", "null"]);
    assert_eq!(scene.sent_to("peer="), ["\"three\""]);
    assert_eq!(scene.sent_to("other="), [""; 0]);
    assert_eq!(scene.table_calls(), ["GetItem", "Query"]);
    assert_eq!(scene.sent_to(ID).len() + scene.sent_to("peer=").len() + 2, scene.aws.requests().len());
    let query = scene.aws.requests().into_iter().find(|seen| seen.operation() == "Query").unwrap().json();
    assert_eq!((&query["IndexName"], &query["Limit"]), (&json!("SessionIdIndex"), &json!(100)));
    assert_eq!(query["ExpressionAttributeValues"], json!({ ":session": { "S": "s1" } }));
}

#[tokio::test]
async fn messages_for_the_sender_alone_ask_for_nobody_else() {
    let scene = scene(&[], r#"{"messages":[{"data":1},{"data":2}],"type":"wsfix.push"}"#).await;
    scene.bench.handle(&message_event("{}")).await;
    assert_eq!((scene.sent_to(ID), scene.table_calls()), (vec!["1".to_owned(), "2".to_owned()], vec!["GetItem".to_owned()]));
    let nothing = self::scene(&[], r#"{"type":"wsfix.push","messages":[]}"#).await;
    nothing.bench.handle(&message_event("{}")).await;
    assert!(nothing.sent_to(ID).is_empty());
}

#[tokio::test]
async fn what_only_looks_like_a_list_is_an_answer_like_any_other() {
    for answer in [r#"{"type":"output","data":"wsfix.push"}"#, r#"["wsfix.push"]"#, r#"{"a":{"type":"wsfix.push","messages":[]}}"#] {
        let scene = scene(&[], answer).await;
        scene.bench.handle(&message_event("{}")).await;
        assert_eq!(scene.sent_to(ID), [answer]);
    }
}

#[tokio::test]
async fn a_wrong_list_is_an_error_and_sends_nothing() {
    let many = format!(r#"{{"type":"wsfix.push","messages":[{}]}}"#, vec!["{\"data\":1}"; 101].join(","));
    for answer in [
        r#"{"type":"wsfix.push"}"#,
        r#"{"type":"wsfix.push","messages":{}}"#,
        r#"{"type":"wsfix.push","messages":[{"to":"session"}]}"#,
        r#"{"type":"wsfix.push","messages":[{"data":1},{"to":"everybody","data":1}]}"#,
        r#"{"type":"wsfix.push","messages":[1]}"#,
        many.as_str(),
    ] {
        let scene = scene(&[], answer).await;
        scene.bench.handle(&message_event("{}")).await;
        let [error] = &scene.sent_to(ID)[..] else { panic!("one message") };
        assert!(error.contains("\"bad_push\""), "{error}");
        assert!(scene.sent_to("peer=").is_empty());
    }
    let most = format!(r#"{{"type":"wsfix.push","messages":[{}]}}"#, vec!["{\"data\":1}"; 100].join(","));
    let scene = scene(&[], most).await;
    scene.bench.handle(&message_event("{}")).await;
    assert_eq!(scene.sent_to(ID).len(), 100);
}

#[tokio::test]
async fn a_peer_that_has_gone_loses_its_item_and_stops_nobody() {
    let scene = scene(&[], r#"{"type":"wsfix.push","messages":[{"to":"session","data":1},{"to":"session","data":2}]}"#).await;
    scene.cloud.refuse("peer%3D", reply(410, ""));
    scene.bench.handle(&message_event("{}")).await;
    assert_eq!(scene.sent_to(ID), ["1", "2"]);
    assert_eq!((scene.sent_to("peer=").len(), scene.cloud.item("peer=")), (1, None));
    assert!(scene.cloud.item(ID).is_some());
}

#[tokio::test]
async fn peers_past_their_time_and_damaged_ones_get_nothing() {
    let scene = scene(&[], r#"{"type":"wsfix.push","messages":[{"to":"session","data":1}]}"#).await;
    let mut late = scene.cloud.item("peer=").unwrap();
    late["expiresAt"] = json!({ "N": NOW.to_string() });
    scene.cloud.store("peer=", late);
    scene.cloud.store("bare=", json!({ "connectionId": { "S": "bare=" }, "sessionId": { "S": "s1" } }));
    scene.bench.handle(&message_event("{}")).await;
    assert_eq!((scene.sent_to(ID).len(), scene.sent_to("peer=").len(), scene.sent_to("bare=").len()), (1, 0, 0));
}

#[tokio::test]
async fn without_the_index_the_sender_still_gets_its_messages() {
    let scene = scene(&[], LIST).await;
    scene.cloud.refuse("Query", reply(400, r#"{"__type":"a#AccessDeniedException","Message":"no dynamodb:Query"}"#));
    scene.bench.handle(&message_event("{}")).await;
    assert_eq!(scene.sent_to(ID).len(), 4);
    assert!(scene.bench.log().contains("Failed: the connections of the session: Query: status 400, AccessDeniedException"));
}

#[tokio::test]
async fn a_route_response_is_the_first_message_and_the_log_says_what_is_lost() {
    let scene = scene(&[("WSFIX_REPLY", "route-response")], LIST).await;
    assert_eq!(scene.bench.handle(&message_event("{}")).await, json!({ "statusCode": 200, "body": "{\"n\":1.0}" }));
    assert!(scene.bench.log().contains("a route response is one message, to the sender"));
    assert_eq!(scene.table_calls(), ["GetItem"]);
}

#[tokio::test]
async fn a_number_comes_back_to_the_sender_alone() {
    let answer = r#"{"type":"wsfix.push","messages":[{"data":{}},{"to":"session","data":{"a":1}},{"data":{"seq":9}}]}"#;
    let scene = scene(&[("WSFIX_SEQUENCE", "on")], answer).await;
    scene.bench.handle(&message_event(r#"{"seq":7}"#)).await;
    assert_eq!(scene.sent_to(ID), [r#"{"seq":7}"#, r#"{"a":1}"#, r#"{"seq":9}"#]);
    assert_eq!(scene.sent_to("peer="), [r#"{"a":1}"#]);
}

#[tokio::test]
async fn numbers_are_echoed_where_they_are_asked_for() {
    for (on, text, answer, echoed) in [
        ("off", r#"{"seq":7}"#, r#"{"a":1}"#, r#"{"a":1}"#),
        ("on", r#"{"seq":7}"#, r#"{"a":1}"#, r#"{"a":1,"seq":7}"#),
        ("on", r#"{"seq":"m-1"}"#, "{}", r#"{"seq":"m-1"}"#),
        ("on", r#"{"seq":1,"seq":-2.50}"#, "{}", r#"{"seq":-2.50}"#),
        ("on", r#"{"seq":[1]}"#, "{}", "{}"),
        ("on", r#"{"seq":null}"#, "{}", "{}"),
        ("on", "{}", "{}", "{}"),
    ] {
        let scene = scene(&[("WSFIX_SEQUENCE", on)], answer).await;
        scene.bench.handle(&message_event(text)).await;
        assert_eq!(scene.sent_to(ID), [echoed], "{text}");
        assert!(scene.backend.requests()[0].body.starts_with(text.trim_end_matches('}')), "{text}");
    }
    let long = format!(r#"{{"seq":"{}"}}"#, "x".repeat(63));
    let scene = scene(&[("WSFIX_SEQUENCE", "on")], "not JSON").await;
    scene.bench.handle(&message_event(&long)).await;
    scene.bench.handle(&message_event(r#"{"seq":8}"#)).await;
    let errors: Vec<Value> = scene.sent_to(ID).iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!((errors[0].get("seq"), &errors[1]["seq"], &errors[1]["code"]), (None, &json!(8), &json!("bad_reply")));
}
