//! What stands in an account, without what AWS chooses (ids, times): equal pictures are equal stacks.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::support::aws::Aws;
use crate::support::{Sandbox, block_on};

/// Everything that is there, in lines.
pub(super) fn of(sandbox: &Sandbox) -> Vec<String> {
    let aws = sandbox.aws();
    block_on(async {
        let mut lines = Vec::new();
        // The port is another one in each account.
        let mut ids = vec![(sandbox.cloud.endpoint().to_owned(), "ENDPOINT".to_owned())];
        apis(&aws, &mut lines, &mut ids).await;
        tables(&aws, &mut lines).await;
        functions(&aws, &mut lines).await;
        groups(&aws, &mut lines).await;
        let plain = |line: String| ids.iter().fold(line, |line, (id, name)| line.replace(id, name));
        let mut lines: Vec<String> = lines.into_iter().map(plain).collect();
        lines.sort();
        lines
    })
}

/// What differs between two pictures: `-` is missing, `+` is there besides.
pub(super) fn difference(wanted: &[String], found: &[String]) -> Vec<String> {
    let less = |all: &[String], other: &[String], sign: &str| {
        let mut left = other.to_vec();
        let mut lines = Vec::new();
        for line in all {
            match left.iter().position(|there| there == line) {
                Some(at) => drop(left.swap_remove(at)),
                None => lines.push(format!("{sign} {line}")),
            }
        }
        lines
    };
    [less(wanted, found, "-"), less(found, wanted, "+")].concat()
}

fn sorted<K: Ord + Clone, V: Clone, S>(map: Option<&std::collections::HashMap<K, V, S>>) -> BTreeMap<K, V> {
    map.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn line(lines: &mut Vec<String>, what: &str, value: impl Debug) {
    lines.push(format!("{what}: {value:?}"));
}

async fn apis(aws: &Aws, lines: &mut Vec<String>, ids: &mut Vec<(String, String)>) {
    let apis = aws.api.get_apis().send().await.expect("apis");
    for api in apis.items() {
        let id = api.api_id().expect("an id");
        ids.push((id.to_owned(), "API".to_owned()));
        let said = (api.name(), api.description(), api.route_selection_expression(), sorted(api.tags()));
        line(lines, "api", said);
        let integrations = aws.api.get_integrations().api_id(id).send().await.expect("integrations");
        for one in integrations.items() {
            ids.push((one.integration_id().expect("an id").to_owned(), "INTEGRATION".to_owned()));
            line(lines, "integration", (one.integration_uri(), one.timeout_in_millis(), one.description()));
        }
        let routes = aws.api.get_routes().api_id(id).send().await.expect("routes");
        for route in routes.items() {
            let said = (route.route_key(), route.target(), route.authorization_type(), route.route_response_selection_expression());
            line(lines, "route", said);
            let route_id = route.route_id().expect("an id");
            let responses = aws.api.get_route_responses().api_id(id).route_id(route_id).send().await.expect("route responses");
            for response in responses.items() {
                line(lines, "route response", (route.route_key(), response.route_response_key()));
            }
        }
        let stages = aws.api.get_stages().api_id(id).send().await.expect("stages");
        for stage in stages.items() {
            let logs = stage.access_log_settings().map(|log| log.destination_arn());
            let settings = (stage.default_route_settings(), sorted(stage.route_settings()));
            line(lines, "stage", (stage.stage_name(), stage.auto_deploy(), stage.description(), logs, settings));
        }
    }
}

async fn tables(aws: &Aws, lines: &mut Vec<String>) {
    for name in aws.dynamodb.list_tables().send().await.expect("tables").table_names() {
        let found = aws.dynamodb.describe_table().table_name(name).send().await.expect("a table");
        let table = found.table().expect("a table");
        let indexes: Vec<_> = table.global_secondary_indexes().iter().map(|index| (index.index_name(), index.key_schema())).collect();
        let billing = table.billing_mode_summary().and_then(|mode| mode.billing_mode());
        line(lines, "table", (name, table.table_status(), billing, table.key_schema(), indexes));
        let arn = table.table_arn().expect("an ARN");
        let ttl = aws.dynamodb.describe_time_to_live().table_name(name).send().await.expect("an expiry");
        line(lines, "table expiry", ttl.time_to_live_description());
        let tags = aws.dynamodb.list_tags_of_resource().resource_arn(arn).send().await.expect("tags");
        let tags: BTreeMap<_, _> = tags.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
        line(lines, "table tags", tags);
        let policy = aws.dynamodb.get_resource_policy().resource_arn(arn).send().await;
        line(lines, "table policy", policy.ok().and_then(|policy| policy.policy().map(str::to_owned)));
    }
}

async fn functions(aws: &Aws, lines: &mut Vec<String>) {
    for listed in aws.lambda.list_functions().send().await.expect("functions").functions() {
        let name = listed.function_name().expect("a name");
        let found = aws.lambda.get_function().function_name(name).send().await.expect("a function");
        let one = found.configuration().expect("a configuration");
        let code = (one.runtime(), one.handler(), one.code_sha256(), one.architectures());
        let settings = (one.role(), one.timeout(), one.memory_size(), one.description(), one.state());
        line(lines, "function", (name, code, settings));
        line(lines, "function environment", sorted(one.environment().and_then(|environment| environment.variables())));
        line(lines, "function tags", sorted(found.tags()));
        let policy = aws.lambda.get_policy().function_name(name).send().await.ok();
        let policy: serde_json::Value = policy.and_then(|policy| serde_json::from_str(policy.policy()?).ok()).unwrap_or_default();
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            line(lines, "statement", statement.to_string());
        }
    }
}

async fn groups(aws: &Aws, lines: &mut Vec<String>) {
    for group in aws.logs.describe_log_groups().send().await.expect("log groups").log_groups() {
        let arn = group.arn().unwrap_or_default().trim_end_matches(":*");
        let tags = aws.logs.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
        line(lines, "log group", (group.log_group_name(), group.retention_in_days(), sorted(tags.tags())));
    }
}
