//! `wsfix status`: what is there, how many are connected, and what it says of it.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use wsfix::provision::connections::Connections;

use crate::support::{Sandbox, block_on};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// Puts a row into the table of connections; `session` is empty for rows that are no connections.
async fn row(aws: &crate::support::aws::Aws, id: &str, session: &str, expires_at: u64, more: &str) {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let mut call = aws.dynamodb.put_item().table_name("WebSocketConnections").item("connectionId", text(id));
    call = call.item("expiresAt", AttributeValue::N(expires_at.to_string())).item("partData", text(more));
    if !session.is_empty() {
        call = call.item("sessionId", text(session));
    }
    call.send().await.expect("a row");
}

fn open(sandbox: &Sandbox) -> Vec<String> {
    match sandbox.status().connections {
        Connections::Open(open) => {
            let mut ids: Vec<String> = open.into_iter().map(|connection| connection.id).collect();
            ids.sort();
            ids
        }
        other @ (Connections::NoTable | Connections::Unknown(_)) => panic!("{other:?}"),
    }
}

#[test]
fn connections_are_counted_and_nothing_else() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.status().connections, Connections::NoTable);
    sandbox.provision();
    assert_eq!(open(&sandbox), Vec::<String>::new());
    let aws = sandbox.aws();
    block_on(async {
        let later = now() + 3600;
        for id in ["a=", "b=", "c="] {
            row(&aws, id, "one", later, "").await;
        }
        row(&aws, "old=", "one", now() - 1, "").await;
        row(&aws, "ticket#x", "", later, "").await;
        row(&aws, "part#a=#0#m", "", later, "").await;
        // More than one page, with nothing of ours on the way.
        for part in 0..4 {
            row(&aws, &format!("part#b=#{part}#m"), "", later, &"x".repeat(390_000)).await;
        }
    });
    sandbox.cloud.calls().clear();
    assert_eq!(open(&sandbox), ["a=", "b=", "c="]);
    let scans = sandbox.cloud.calls().all().iter().filter(|call| call.operation == "Scan").count();
    assert!(scans > 1, "{scans} page");
}
