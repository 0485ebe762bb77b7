use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::handler::testing::{ID, NOW, Scene, Seen, connect_event, item, message_event, reply, token};

/// A client that takes parts.
async fn scene(changes: &[(&str, &str)], backend: impl Fn(&Seen) -> crate::handler::testing::Reply + Send + Sync + 'static) -> Scene {
    let scene = Scene::start(changes, backend).await;
    let mut stored = item();
    stored["parts"] = json!({ "BOOL": true });
    scene.cloud.store(ID, stored);
    scene
}

/// The messages that carry a text in `count` parts.
fn parts_of(text: &str, count: usize) -> Vec<Value> {
    let size = text.len().div_ceil(count);
    let slice = |index: usize| &text[index * size..text.len().min((index + 1) * size)];
    let part = |index: usize| json!({ "type": "wsfix.part", "id": "m1", "index": index, "count": count, "data": slice(index) });
    (0..count).map(|index| message_event(&part(index).to_string())).collect()
}

fn joined(sent: &[String]) -> String {
    sent.iter().map(|part| serde_json::from_str::<Value>(part).unwrap()["data"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn only_who_asks_for_parts_gets_them() {
    for (asked, parts) in [(json!(["1"]), true), (json!(["0"]), false), (json!([]), false)] {
        let scene = Scene::start(&[], |_| reply(200, &format!("\"{}\"", "x".repeat(40_000)))).await;
        scene.cloud.forget(ID);
        let mut event = connect_event();
        event["multiValueQueryStringParameters"] =
            json!({ "token": [token(&json!({ "exp": NOW + 300 }))], "sessionId": ["s1"], "parts": asked });
        assert_eq!(scene.bench.handle(&event).await, json!({ "statusCode": 200 }));
        assert_eq!(scene.cloud.item(ID).unwrap().get("parts").is_some(), parts);
        scene.bench.handle(&message_event("{}")).await;
        assert_eq!(scene.sent_to(ID).len(), 1 + usize::from(parts), "{asked}");
    }
}

#[tokio::test]
async fn a_large_answer_comes_in_parts_and_in_order() {
    let answer = format!("{{\"data\":\"{}\"}}", "é\\\"\\n".repeat(60_000));
    let text = answer.clone();
    let scene = scene(&[], move |_| reply(200, &answer)).await;
    scene.bench.handle(&message_event("{}")).await;
    let sent = scene.sent_to(ID);
    assert!(sent.len() > 10 && sent.iter().all(|part| part.len() <= 32 * 1024));
    assert_eq!(joined(&sent), text);
    let first: Value = serde_json::from_str(&sent[0]).unwrap();
    assert_eq!((&first["id"], &first["index"], &first["count"]), (&json!("R1knNHGmtjMFqVg="), &json!(0), &json!(sent.len())));
}

#[tokio::test]
async fn what_is_larger_still_is_refused() {
    for (changes, bytes, code) in [
        (&[][..], 1024 * 1024 + 1, "reply_too_large"),
        (&[("WSFIX_MAX_MESSAGE_KB", "256")], 256 * 1024 + 1, "reply_too_large"),
        (&[("WSFIX_REPLY", "route-response")], 128 * 1024 + 1, "parts_unavailable"),
    ] {
        let scene = scene(changes, move |_| reply(200, &format!("\"{}\"", "x".repeat(bytes - 2)))).await;
        let answer = scene.bench.handle(&message_event("{}")).await;
        let said = answer["body"].as_str().map(str::to_owned).or_else(|| scene.sent_to(ID).pop()).unwrap();
        assert!(said.contains(code), "{said}");
    }
    let scene = scene(&[("WSFIX_MAX_MESSAGE_KB", "256")], |_| reply(200, &format!("\"{}\"", "x".repeat(256 * 1024 - 2)))).await;
    scene.bench.handle(&message_event("{}")).await;
    assert_eq!(joined(&scene.sent_to(ID)).len(), 256 * 1024);
}

#[tokio::test]
async fn several_large_messages_are_told_apart_and_peers_get_what_they_asked_for() {
    let large = "y".repeat(40_000);
    let list = json!({ "type": "wsfix.push", "messages": [{ "to": "session", "data": large }, { "to": "session", "data": large }] });
    let scene = scene(&[], move |_| reply(200, &list.to_string())).await;
    let mut peer = item();
    peer["connectionId"] = json!({ "S": "peer=" });
    scene.cloud.store("peer=", peer);
    scene.bench.handle(&message_event("{}")).await;
    let ids: Vec<Value> = scene.sent_to(ID).iter().map(|part| serde_json::from_str::<Value>(part).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["R1knNHGmtjMFqVg=", "R1knNHGmtjMFqVg=", "R1knNHGmtjMFqVg=.1", "R1knNHGmtjMFqVg=.1"]);
    assert_eq!(scene.sent_to("peer="), [format!("\"{large}\""), format!("\"{large}\"")]);
}

#[tokio::test]
async fn a_part_that_cannot_be_sent_ends_its_message() {
    let scene = scene(&[], |_| reply(200, &format!("\"{}\"", "x".repeat(100_000)))).await;
    scene.cloud.refuse("@connections", reply(410, ""));
    scene.bench.handle(&message_event("{}")).await;
    assert_eq!((scene.sent_to(ID).len(), scene.cloud.item(ID)), (1, None));
}

#[tokio::test]
async fn a_large_message_is_put_together() {
    let text = format!(r#"{{"type":"paste","seq":5,"text":"{}","sessionId":"forged"}}"#, "z".repeat(300_000));
    let scene = scene(&[("WSFIX_SEQUENCE", "on")], |_| reply(200, "{}")).await;
    for part in parts_of(&text, 11) {
        assert_eq!(scene.bench.handle(&part).await, json!({ "statusCode": 200 }));
    }
    let [seen] = &scene.backend.requests()[..] else { panic!("one request") };
    assert_eq!((&seen.json()["text"], &seen.json()["sessionId"]), (&json!("z".repeat(300_000)), &json!("s1")));
    assert_eq!(scene.sent_to(ID), [r#"{"seq":5}"#]);
    // Nothing of it stays behind, and each part cost one call beside the look at the connection.
    assert_eq!(scene.cloud.ids(), [ID]);
    let calls = scene.table_calls();
    let count = |operation: &str| calls.iter().filter(|call| *call == operation).count();
    assert_eq!((count("GetItem"), count("PutItem"), count("DeleteItem")), (11, 10, 10));
    assert!(scene.bench.log().ends_with("{ type: 'paste' }"), "{}", scene.bench.log());
}

#[tokio::test]
async fn parts_may_arrive_at_the_same_time_in_any_order() {
    let text = r#"{"type":"paste","text":"abcdefghijklmnopqrstuvwxyz"}"#;
    let scene = scene(&[], |_| reply(200, "{}")).await;
    let parts = parts_of(text, 3);
    let late = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        scene.bench.handle(&parts[0]).await;
    };
    tokio::join!(scene.bench.handle(&parts[2]), scene.bench.handle(&parts[1]), late);
    assert_eq!(scene.backend.requests().len(), 1);
    assert_eq!(scene.sent_to(ID), ["{}"]);
}

#[tokio::test]
async fn a_message_with_a_part_missing_is_refused_in_time() {
    let parts = parts_of(r#"{"text":"abcdefghijklmnopqrstuvwxyz"}"#, 3);
    let late = |stored: &mut Value| stored["expiresAt"] = json!({ "N": NOW.to_string() });
    let other = |stored: &mut Value| stored["partCount"] = json!({ "N": "4" });
    let foreign = |stored: &mut Value| stored["connectionId"] = json!({ "S": "part#x#1#m1" });
    for damage in [&late as &dyn Fn(&mut Value), &other, &foreign] {
        let scene = scene(&[], |_| reply(200, "{}")).await;
        scene.bench.handle(&parts[0]).await;
        scene.bench.handle(&parts[1]).await;
        let place = format!("part#{ID}#1#m1");
        let mut stored = scene.cloud.item(&place).unwrap();
        damage(&mut stored);
        scene.cloud.forget(&place);
        scene.cloud.store(stored["connectionId"]["S"].as_str().unwrap(), stored.clone());
        let started = Instant::now();
        scene.bench.handle_within(&parts[2], 1000).await;
        // Without the event's deadline it would wait for five seconds.
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert!(scene.sent_to(ID)[0].contains("incomplete_message"), "{:?}", scene.sent_to(ID));
        assert!(scene.backend.requests().is_empty());
    }
}

#[tokio::test]
async fn wrong_parts_are_refused_and_kept_nowhere() {
    let good = json!({ "type": "wsfix.part", "id": "m1", "index": 0, "count": 2, "data": "x" });
    let change = |name: &str, value: Value| {
        let mut part = good.clone();
        part[name] = value;
        part
    };
    for (part, code) in [
        (change("id", json!("")), "bad_part"),
        (change("id", json!("x".repeat(65))), "bad_part"),
        (change("id", json!(1)), "bad_part"),
        (change("index", json!(2)), "bad_part"),
        (change("index", json!(-1)), "bad_part"),
        (change("count", json!(0)), "bad_part"),
        (change("count", json!(257)), "bad_part"),
        (change("data", Value::Null), "bad_part"),
        (change("data", json!("x".repeat(128 * 1024 + 1))), "message_too_large"),
    ] {
        let scene = scene(&[("WSFIX_MAX_MESSAGE_KB", "128")], |_| reply(200, "{}")).await;
        scene.bench.handle(&message_event(&part.to_string())).await;
        assert!(scene.sent_to(ID)[0].contains(code), "{:?}", scene.sent_to(ID));
        assert_eq!(scene.cloud.ids(), [ID]);
    }
}

#[tokio::test]
async fn the_limit_is_on_the_whole_message() {
    let text = format!(r#"{{"text":"{}"}}"#, "x".repeat(128 * 1024));
    let scene = scene(&[("WSFIX_MAX_MESSAGE_KB", "128")], |_| reply(200, "{}")).await;
    for part in parts_of(&text, 5) {
        scene.bench.handle(&part).await;
    }
    assert!(scene.sent_to(ID)[0].contains("message_too_large"));
    assert!(scene.backend.requests().is_empty());
}

#[tokio::test]
async fn parts_of_who_did_not_ask_are_messages_like_any_other() {
    let scene = Scene::start(&[], |_| reply(200, "{}")).await;
    scene.bench.handle(&parts_of("{}", 1)[0]).await;
    assert_eq!(scene.backend.requests()[0].json()["type"], "wsfix.part");
}

#[tokio::test]
async fn a_single_part_and_a_part_within_are_whole_messages() {
    let scene = scene(&[], |_| reply(200, "{}")).await;
    let inner = r#"{"type":"wsfix.part","id":"m2","index":0,"count":1,"data":"{}"}"#;
    scene.bench.handle(&parts_of(inner, 1)[0]).await;
    assert_eq!((&scene.backend.requests()[0].json()["type"], scene.table_calls()), (&json!("wsfix.part"), vec!["GetItem".to_owned()]));
    scene.bench.handle(&parts_of("not JSON", 1)[0]).await;
    assert!(scene.sent_to(ID)[1].contains("bad_message"));
}

#[tokio::test]
async fn a_table_that_fails_is_told() {
    let scene = scene(&[], |_| reply(200, "{}")).await;
    scene.cloud.refuse("PutItem", reply(400, r#"{"__type":"a#AccessDeniedException","Message":"no"}"#));
    scene.bench.handle(&parts_of("{}{}", 2)[0]).await;
    assert!(scene.sent_to(ID)[0].contains("internal_error"));
}
