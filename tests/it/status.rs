//! `wsfix status`: what is there, how many are connected, and what it says of it.

use std::io::{BufRead, BufReader};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use wsfix::local::{Cloud, Options};
use wsfix::provision::connections::Connections;
use wsfix::provision::outputs::Health;

use crate::support::{Sandbox, block_on};
use crate::tool::{Tool, signal};

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

#[test]
fn what_is_edited_outside_is_told() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.status().health(), Health::Absent);
    let made = sandbox.provision();
    let fresh = sandbox.status();
    assert_eq!(fresh.health(), Health::Healthy, "{fresh:#?}");
    assert!(fresh.drift.is_some_and(|drift| drift.is_empty()));

    let aws = sandbox.aws();
    let api = &made.outputs.api_id;
    block_on(async {
        let routes = aws.api.get_routes().api_id(api).send().await.expect("routes");
        let route = routes.items().iter().find(|route| route.route_key() == Some("$disconnect")).and_then(|route| route.route_id());
        aws.api.update_stage().api_id(api).stage_name("prod").auto_deploy(false).send().await.expect("no deployments");
        aws.api.delete_route().api_id(api).route_id(route.expect("an id")).send().await.expect("a route less");
    });
    let edited = sandbox.status();
    assert_eq!(edited.health(), Health::NotHealthy);
    let of = |kind: &str, name: &str| edited.resources.iter().find(|one| one.kind == kind && one.name == name).expect("a resource");
    assert_eq!((of("route", "$disconnect").state.as_str(), of("route", "$disconnect").healthy), ("absent", Some(false)));
    assert!(of("stage", "prod").detail.contains("may never have been deployed"), "{edited:#?}");
    assert!(edited.drift.is_some_and(|drift| drift.changes().count() >= 2));
}

#[test]
fn no_role_is_chosen_before_there_is_a_function() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    tool.file("wsfix.yaml", "stack: terminal\n");
    let status = tool.run(&["status"]);
    assert_eq!((status.code, status.out.lines().next()), (Some(0), Some("stack `terminal`: not there")), "{}\n{}", status.out, status.err);
    let document = tool.run(&["status", "--output", "json"]).document();
    let role = &document["result"]["resources"][0];
    assert_eq!((&role["kind"], &role["state"]), (&Value::from("role"), &Value::from("absent")), "{document:#}");
    assert_eq!(document["result"]["health"], "absent");
    assert!(document["result"]["not_compared"].as_array().is_some_and(|all| !all.is_empty()), "{document:#}");
}

#[test]
fn a_watch_looks_again_until_it_is_interrupted() {
    let cloud = Cloud::start(Options::default()).expect("a cloud");
    let tool = Tool::of(&cloud);
    let mut child = tool.start(&["status", "--watch", "1", "--output", "json"]);
    let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
    for _ in 0..2 {
        let line = lines.next().expect("a look").expect("text");
        let document: Value = serde_json::from_str(&line).expect("a document a line");
        assert_eq!((&document["command"], &document["result"]["health"]), (&Value::from("status"), &Value::from("absent")));
    }
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    tool.run(&["status", "--watch", "0"]).says(2, &["--watch"]);
}
