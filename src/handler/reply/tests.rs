use std::sync::atomic::AtomicUsize;

use super::*;
use crate::handler::Deadline;
use crate::handler::settings::Reply;
use crate::handler::testing::{Bench, Cloud, DEADLINE_MS, ID, NOW_MS, Reply as StubReply, Stub, item, reply};

async fn send(cx: &Call<'_>, connection_id: &str, text: &str) {
    let Reply::ManagementApi(base) = &cx.settings.reply else { panic!("no management API") };
    deliver(cx, base, &Client { connection_id, parts: false }, "req=", std::iter::once(text)).await;
}

/// Sends a reply to an `@connections` that answers with what `posts` makes of the number of the post.
async fn send_to(posts: impl Fn(usize) -> StubReply + Send + Sync + 'static, deadline_ms: u64) -> (Bench, Stub, Cloud) {
    let cloud = Cloud::default();
    cloud.store(ID, item());
    let (kept, count) = (cloud.clone(), AtomicUsize::new(0));
    let aws = Stub::start(
        move |seen| {
            if seen.path.contains("@connections") { posts(count.fetch_add(1, Ordering::SeqCst)) } else { kept.answer(seen) }
        },
    )
    .await;
    let bench = Bench::new(&aws.url(), "https://backend.example", &[]);
    let Ok(settings) = &bench.deps.settings else { panic!("wrong settings") };
    let cx = Call { deps: &bench.deps, settings, deadline: Deadline::new(deadline_ms, NOW_MS) };
    send(&cx, ID, "{\"type\":\"output\"}").await;
    (bench, aws, cloud)
}

#[tokio::test]
async fn passing_refusals_are_tried_again() {
    let (bench, aws, cloud) = send_to(|count| reply([429, 500, 200][count.min(2)], ""), DEADLINE_MS).await;
    assert_eq!((aws.requests().len(), bench.log()), (3, String::new()));
    assert!(aws.requests().iter().all(|seen| seen.body == "{\"type\":\"output\"}"));
    let (bench, aws, _) = send_to(|_| reply(429, ""), DEADLINE_MS).await;
    assert_eq!(aws.requests().len(), 3);
    assert!(bench.log().contains("Failed: the reply: status 429"), "{}", bench.log());
    assert!(cloud.item(ID).is_some());
}

#[tokio::test]
async fn a_client_that_has_gone_loses_its_item() {
    let (bench, aws, cloud) = send_to(|_| reply(410, ""), DEADLINE_MS).await;
    assert_eq!(cloud.item(ID), None);
    assert_eq!(aws.requests().len(), 2);
    assert_eq!(bench.log(), "[WebSocket] Failed: the reply: the client has gone");
}

#[tokio::test]
async fn a_denial_is_explained_once() {
    let denied = || reply(403, r#"{"Message":"User: x is not authorized"}"#).with("x-amzn-ErrorType", "AccessDeniedException:http://x");
    let (bench, aws, cloud) = send_to(move |_| denied(), DEADLINE_MS).await;
    let Ok(settings) = &bench.deps.settings else { panic!("wrong settings") };
    let cx = Call { deps: &bench.deps, settings, deadline: Deadline::new(DEADLINE_MS, NOW_MS) };
    send(&cx, ID, "{}").await;
    assert_eq!(aws.requests().len(), 2);
    assert!(cloud.item(ID).is_some());
    let log = bench.log();
    assert_eq!(log.matches("status 403, AccessDeniedException: User: x is not authorized").count(), 2, "{log}");
    assert_eq!(log.matches("execute-api:ManageConnections").count(), 1, "{log}");
}

#[tokio::test]
async fn what_is_too_large_is_replaced_by_an_error() {
    let (_, aws, _) = send_to(|count| reply(if count == 0 { 413 } else { 200 }, ""), DEADLINE_MS).await;
    assert_eq!(aws.requests().len(), 2);
    assert!(aws.requests()[1].body.contains("reply_too_large"));
}

#[tokio::test]
async fn silence_is_not_repeated() {
    let (bench, aws, _) = send_to(|_| reply(200, "").after(Duration::from_secs(30)), NOW_MS + 500).await;
    assert_eq!(aws.requests().len(), 1);
    assert!(bench.log().contains("no answer in time"), "{}", bench.log());
}

#[tokio::test]
async fn ids_cannot_leave_their_place_in_the_path() {
    let cloud = Cloud::default();
    let aws = cloud.start().await;
    let bench = Bench::new(&aws.url(), "https://backend.example", &[]);
    let Ok(settings) = &bench.deps.settings else { panic!("wrong settings") };
    let cx = Call { deps: &bench.deps, settings, deadline: Deadline::new(DEADLINE_MS, NOW_MS) };
    for (id, path) in [("..", "%2E%2E"), ("a/b?c#d", "a%2Fb%3Fc%23d"), ("é\r\n", "%C3%A9%0D%0A"), ("a+/=", "a%2B%2F%3D")] {
        send(&cx, id, "{}").await;
        assert_eq!(aws.requests().last().unwrap().path, format!("/prod/@connections/{path}"));
    }
}
