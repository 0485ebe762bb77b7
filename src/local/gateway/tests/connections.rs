use futures_util::SinkExt;
use http::Method;
use serde_json::Value;

use super::{Events, closed, next, served};
use crate::local::Options;
use crate::local::support::{Lab, Socket};

fn lab() -> Lab {
    Lab::start(Options::default())
}

/// An open socket and its id, percent-encoded.
async fn open(lab: &Lab, events: &Events, api: &str) -> (Socket, String) {
    let before = events.all().len();
    let mut socket = lab.connect(lab.url(api, "prod")).await.unwrap();
    socket.send("{}".into()).await.unwrap();
    let event = events.wait(before + 1).await.remove(before);
    let id = event["requestContext"]["connectionId"].as_str().unwrap().to_owned();
    (socket, id.replace('=', "%3D"))
}

#[tokio::test]
async fn posts_reach_the_client_until_it_is_gone() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$default", "$disconnect"]).await;
    let (mut socket, id) = open(&lab, &events, &api).await;
    let path = format!("{api}/prod/@connections/{id}");
    for payload in ["one", r#"{"two":2}"#] {
        let answer = lab.connections(Method::POST, &path, payload.as_bytes()).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
    assert_eq!(next(&mut socket).await, "one");
    assert_eq!(next(&mut socket).await["two"], 2);
    let got = lab.connections(Method::GET, &path, b"").await.unwrap();
    let got: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(got["identity"]["sourceIp"], "127.0.0.1");
    assert!(got["lastActiveAt"].as_str() >= got["connectedAt"].as_str());

    let largest = vec![b'x'; 131_072];
    assert_eq!(lab.connections(Method::POST, &path, &largest).await.unwrap().status, 200);
    assert_eq!(next(&mut socket).await.as_str().unwrap().len(), 131_072);
    let error = lab.connections(Method::POST, &path, &[largest, vec![b'x']].concat()).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (413, "PayloadTooLargeException"));

    assert_eq!(lab.connections(Method::DELETE, &path, b"").await.unwrap().status, 204);
    assert_eq!(closed(&mut socket).await, (1000, "Connection Closed Normally".to_owned()));
    let context = events.wait(2).await.remove(1)["requestContext"].clone();
    assert_eq!((&context["disconnectStatusCode"], &context["disconnectReason"]), (&1000.into(), &"Connection Closed Normally".into()));
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let error = lab.connections(method, &path, b"").await.unwrap_err();
        assert_eq!((error.status, error.code.as_str(), error.message.as_str()), (410, "GoneException", ""));
    }
}

#[tokio::test]
async fn the_wrong_stage_is_forbidden_and_the_wrong_api_does_not_know_the_connection() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$default"]).await;
    let other = lab.bare_api("other").await;
    lab.routes(&other, "f", &["$default"]).await;
    lab.api.create_stage().api_id(&other).stage_name("prod").auto_deploy(true).send().await.unwrap();
    let (_socket, id) = open(&lab, &events, &api).await;
    for (path, status) in [
        (format!("{api}/test/@connections/{id}"), 403),
        (format!("{api}/@connections/{id}"), 403),
        (format!("{other}/prod/@connections/{id}"), 410),
        (format!("{api}/prod/@connections/R1kmxc2VNjMCFIA%3D"), 410),
        (format!("{api}/prod/@connections/no id"), 400),
        (format!("{api}/prod/@connections/{id}"), 200),
    ] {
        let got = lab.connections(Method::POST, &path, b"x").await.map_or_else(|error| error.status, |answer| answer.status);
        assert_eq!(got, status, "{path}");
    }
}

#[tokio::test]
async fn nobody_can_be_posted_to_before_the_handshake_is_done() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &(events.note() + "time.sleep(0.5)"), &["$connect"]).await;
    let url = lab.url(&api, "prod");
    let (socket, ()) = tokio::join!(lab.connect(&url), async {
        let event = events.wait(1).await.remove(0);
        let id = event["requestContext"]["connectionId"].as_str().unwrap().to_owned();
        let error = lab.connections(Method::POST, &format!("{api}/prod/@connections/{id}"), b"early").await.unwrap_err();
        assert_eq!(error.status, 410);
    });
    socket.unwrap();
}

#[tokio::test]
async fn a_deleted_api_closes_its_sockets() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$default", "$disconnect"]).await;
    let (mut socket, _) = open(&lab, &events, &api).await;
    lab.api.delete_api().api_id(&api).send().await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1001);
    assert_eq!(lab.connect(lab.url(&api, "prod")).await.unwrap_err().0, 403);
}

#[tokio::test]
async fn a_role_without_the_permission_is_denied_with_a_masked_account() {
    let lab = lab();
    let events = Events::new();
    let api = served(&lab, &events.note(), &["$default"]).await;
    let (_socket, id) = open(&lab, &events, &api).await;
    let role = "arn:aws:iam::111122223333:role/lambda_basic_execution";
    let mut call = crate::local::wire::tests::call(crate::local::wire::Service::ExecuteApi, "PostToConnection", "x");
    call.caller = lab.cloud.world.session_caller(role, "f");
    call.path = format!("/_aws/execute-api/{api}/prod/@connections/{id}");
    let error = crate::local::connections::answer(&lab.cloud.world, &call).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (403, "AccessDeniedException"));
    assert_eq!(
        error.message,
        format!(
            "User: arn:aws:sts::111122223333:assumed-role/lambda_basic_execution/f is not authorized to perform: execute-api:ManageConnections \
             on resource: arn:aws:execute-api:us-east-1:********3333:{api}/prod/POST/@connections/{{connectionId}}"
        )
    );
}
