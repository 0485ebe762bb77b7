//! Line 15: `@connections`.

use std::time::Duration;

use wsfix::local::faults::{Fault, Kind, Moment};

use super::wire::{Lab, Socket, closed, hear, say};

/// A socket, and its id in a path.
async fn open(lab: &Lab, api: &str) -> (Socket, String) {
    let before = lab.events().len();
    let mut socket = lab.open(api).await;
    say(&mut socket, "{}").await;
    let events = lab.wait_events(before + 1).await;
    let id = events[before]["requestContext"]["connectionId"].as_str().expect("an id").to_owned();
    (socket, id.replace('=', "%3D"))
}

#[tokio::test]
async fn line_15_the_stage_belongs_to_the_path_and_the_id_is_decoded() {
    let lab = Lab::new();
    let api = lab.served("", &["$default"]).await;
    let (mut socket, id) = open(&lab, &api).await;
    for path in [format!("{api}/@connections/{id}"), format!("{api}/test/@connections/{id}"), format!("nosuchapi0/prod/@connections/{id}")]
    {
        let reply = lab.connections("POST", &path, b"x").await;
        reply.is(403, "ForbiddenException", "Forbidden");
    }
    for path in [format!("{api}/prod/@connections/{id}"), format!("{api}/prod/%40connections/{id}")] {
        let reply = lab.connections("POST", &path, path.as_bytes()).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{path}");
        assert_eq!(hear(&mut socket).await, path);
    }
    let got = lab.connections("GET", &format!("{api}/prod/@connections/{id}"), b"").await.ok();
    assert!(got["connectedAt"].is_string() && got["lastActiveAt"].is_string() && got["identity"]["sourceIp"] == "127.0.0.1", "{got}");
}

#[tokio::test]
async fn line_15_a_post_has_128_kb_at_most() {
    let lab = Lab::new();
    let api = lab.served("", &["$default"]).await;
    let (mut socket, id) = open(&lab, &api).await;
    let path = format!("{api}/prod/@connections/{id}");
    assert_eq!(lab.connections("POST", &path, &[b'x'; 131_072]).await.status, 200);
    assert_eq!(hear(&mut socket).await.len(), 131_072);
    lab.connections("POST", &path, &[b'x'; 131_073]).await.is(413, "PayloadTooLargeException", "131072");
}

#[tokio::test]
async fn line_15_who_is_gone_is_410_without_a_body() {
    let lab = Lab::new();
    let api = lab.served("", &["$default", "$disconnect"]).await;
    let (mut socket, id) = open(&lab, &api).await;
    let path = format!("{api}/prod/@connections/{id}");
    assert_eq!(lab.connections("DELETE", &path, b"").await.status, 204);
    assert_eq!(closed(&mut socket).await, (1000, "Connection Closed Normally".to_owned()));
    let ended = lab.wait_events(2).await.remove(1)["requestContext"].clone();
    assert_eq!(ended["disconnectStatusCode"], 1000);
    assert_eq!(ended["disconnectReason"], "Connection Closed Normally");
    for method in ["POST", "GET", "DELETE"] {
        let reply = lab.connections(method, &path, b"").await;
        assert_eq!((reply.status, reply.body.as_str(), reply.code().as_str()), (410, "", "GoneException"), "{method}");
    }
    // One that another API has is gone here too.
    let other = lab.bare_api("other").await;
    let target = lab.integration(&other, "f").await;
    lab.route(&other, "$default", &target).await.ok();
    lab.stage(&other).await;
    let (_socket, id) = open(&lab, &api).await;
    assert_eq!(lab.connections("POST", &format!("{other}/prod/@connections/{id}"), b"x").await.status, 410);
}

#[tokio::test]
async fn line_14_who_is_not_yet_there_is_410() {
    let lab = Lab::new();
    let api = lab.served("time.sleep(0.6)", &["$connect"]).await;
    let (socket, ()) = tokio::join!(lab.open(&api), async {
        let event = lab.wait_events(1).await.remove(0);
        let id = event["requestContext"]["connectionId"].as_str().expect("an id").replace('=', "%3D");
        assert_eq!(lab.connections("POST", &format!("{api}/prod/@connections/{id}"), b"early").await.status, 410);
    });
    drop(socket);
}

#[tokio::test]
async fn line_15_too_many_posts_are_429() {
    let lab = Lab::new();
    let api = lab.served("", &["$default"]).await;
    let (mut socket, id) = open(&lab, &api).await;
    let kind = Kind::Error { status: 429, code: "LimitExceededException".to_owned(), message: "Rate exceeded".to_owned() };
    lab.cloud.faults().plan(Fault { operation: "PostToConnection".to_owned(), nth: 1, times: 1, moment: Moment::Before, kind });
    let path = format!("{api}/prod/@connections/{id}");
    lab.connections("POST", &path, b"x").await.is(429, "LimitExceededException", "Rate exceeded");
    assert_eq!(lab.connections("POST", &path, b"y").await.status, 200);
    assert_eq!(hear(&mut socket).await, "y");
    assert!(tokio::time::timeout(Duration::from_millis(100), futures_util::StreamExt::next(&mut socket)).await.is_err());
}
