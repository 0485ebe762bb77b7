//! What is there before a race, and who runs.

use wsfix::config::Config;
use wsfix::local::faults::Moment::{After, Before};

use super::{Does, Race};
use crate::reliability::scene::{Scene, empty};
use crate::support::aws::Aws;
use crate::support::{Sandbox, block_on};

pub(super) const RACES: &[Race] = &[
    Race {
        name: "2 provisions, nothing there",
        set: || provisions(empty(), 2),
        meets: &[
            ("CreateApi", Before),
            ("CreateApi", After),
            ("CreateFunction", Before),
            ("CreateFunction", After),
            ("CreateTable", Before),
            ("GetApis", After),
            ("CreateIntegration", After),
            ("CreateRoute", Before),
            ("CreateStage", Before),
        ],
        late: &[],
    },
    Race {
        name: "8 provisions, nothing there",
        set: || provisions(empty(), 8),
        meets: &[("CreateApi", After), ("CreateFunction", Before)],
        late: &[],
    },
    Race { name: "8 provisions, the stack stands", set: || provisions(Scene::Teardown.set(), 8), meets: &[("GetApis", After)], late: &[] },
    Race {
        name: "4 provisions, the stack was edited",
        set: || provisions(Scene::Edited.set(), 4),
        meets: &[("RemovePermission", Before), ("AddPermission", Before), ("UpdateFunctionConfiguration", Before), ("UpdateTable", Before)],
        late: &[],
    },
    Race {
        name: "3 provisions, the API was deleted",
        set: || provisions(without(async |aws, api| drop(aws.api.delete_api().api_id(api).send().await.expect("no api"))), 3),
        meets: &[("CreateApi", After), ("UpdateFunctionConfiguration", Before), ("AddPermission", Before)],
        late: &[],
    },
    Race {
        name: "3 provisions, the API is empty",
        set: || provisions(without(async |aws, api| emptied(aws, api).await), 3),
        meets: &[
            ("CreateIntegration", Before),
            ("CreateIntegration", After),
            ("CreateRoute", Before),
            ("CreateRoute", After),
            ("CreateStage", Before),
        ],
        late: &[],
    },
    Race {
        name: "3 provisions, the function was deleted",
        set: || {
            let lost = async |aws: &Aws, _: &str| {
                drop(aws.lambda.delete_function().function_name("websocket-handler").send().await.expect("none"))
            };
            provisions(without(lost), 3)
        },
        meets: &[("CreateFunction", Before), ("AddPermission", Before)],
        late: &[],
    },
    Race {
        name: "2 provisions of two configs, nothing there",
        set: || configs(empty()),
        meets: &[("CreateApi", After), ("CreateFunction", Before), ("CreateRoute", Before)],
        late: &[],
    },
    Race {
        name: "2 provisions of two configs, the stack stands",
        set: || configs(Scene::Teardown.set()),
        meets: &[("GetApis", After), ("UpdateFunctionConfiguration", Before)],
        late: &[],
    },
    Race {
        name: "provision and teardown, nothing there",
        set: || with_teardown(empty()),
        meets: &[("GetApis", After), ("GetFunction", After)],
        late: &["CreateTable", "CreateLogGroup", "CreateApi", "CreateFunction", "CreateRoute", "CreateStage"],
    },
    Race {
        name: "provision and teardown, the stack stands",
        set: || with_teardown(Scene::Teardown.set()),
        meets: &[("GetApis", Before), ("GetApis", After)],
        late: &[],
    },
    Race {
        name: "provision and teardown, the stack was edited",
        set: || with_teardown(Scene::Edited.set()),
        meets: &[("GetApis", Before), ("GetApis", After)],
        late: &["UpdateRoute", "UpdateTable", "UpdateStage"],
    },
    Race {
        name: "3 teardowns, the stack stands",
        set: || {
            let sandbox = Scene::Teardown.set();
            let does = vec![Does { teardown: true, config: sandbox.config.clone() }; 3];
            (sandbox, does)
        },
        meets: &[("DeleteApi", Before), ("DeleteFunction", Before), ("DeleteTable", Before), ("DeleteLogGroup", After)],
        late: &[],
    },
    Race {
        name: "2 stacks, nothing there",
        set: || {
            let sandbox = empty();
            let other = other_stack(&sandbox.config);
            let does = vec![provision(&sandbox.config), provision(&sandbox.config), provision(&other), provision(&other)];
            (sandbox, does)
        },
        meets: &[("CreateApi", After), ("CreateFunction", Before)],
        late: &[],
    },
];

fn provision(config: &Config) -> Does {
    Does { teardown: false, config: config.clone() }
}

fn provisions(sandbox: Sandbox, number: usize) -> (Sandbox, Vec<Does>) {
    let does = vec![provision(&sandbox.config); number];
    (sandbox, does)
}

fn configs(sandbox: Sandbox) -> (Sandbox, Vec<Does>) {
    let mut other = sandbox.config.clone();
    other.function.memory_mb = 512;
    other.api.routes = vec!["sendMessage".to_owned()];
    other.log_retention_days = 30;
    let does = vec![provision(&sandbox.config), provision(&other)];
    (sandbox, does)
}

fn with_teardown(sandbox: Sandbox) -> (Sandbox, Vec<Does>) {
    let does = vec![provision(&sandbox.config), Does { teardown: true, config: sandbox.config.clone() }];
    (sandbox, does)
}

/// A stack of which somebody deleted a part.
fn without(edit: impl AsyncFnOnce(&Aws, &str)) -> Sandbox {
    let sandbox = empty();
    let api = sandbox.provision().outputs.api_id;
    block_on(edit(&sandbox.aws(), &api));
    sandbox
}

/// Takes everything out of an API.
async fn emptied(aws: &Aws, api: &str) {
    aws.api.delete_stage().api_id(api).stage_name("prod").send().await.expect("no stage");
    let routes = aws.api.get_routes().api_id(api).send().await.expect("routes");
    for route in routes.items() {
        aws.api.delete_route().api_id(api).route_id(route.route_id().expect("an id")).send().await.expect("no route");
    }
    let integrations = aws.api.get_integrations().api_id(api).send().await.expect("integrations");
    for one in integrations.items() {
        aws.api.delete_integration().api_id(api).integration_id(one.integration_id().expect("an id")).send().await.expect("none");
    }
}

/// The config of another stack, of which nothing has a name of the first.
fn other_stack(config: &Config) -> Config {
    let mut other = config.clone();
    other.stack = "chat".to_owned();
    other.table = "ChatConnections".to_owned();
    other.function.name = "chat-handler".to_owned();
    other.api.name = "ChatAPI".to_owned();
    other
}
