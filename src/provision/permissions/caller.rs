//! What the one who runs wsfix needs.

use super::{Group, Need, Phase, Row, Scope};
use crate::config::AccessLogs;
use crate::contract::SESSION_INDEX;

/// The service that the role is passed to.
const LAMBDA: &str = "lambda.amazonaws.com";

/// Everything that the commands ask for. `sts:GetCallerIdentity` needs no permission.
pub(crate) fn caller(scope: Scope<'_>) -> Vec<Need> {
    let mut needs = table(scope);
    needs.extend(function(scope));
    needs.extend(api(scope));
    needs.extend(api_parts(scope));
    needs.extend(logs(scope));
    needs.extend(stage_logs(scope));
    needs.extend(roles(scope));
    needs.extend(preflight(scope));
    needs.extend(operate(scope));
    needs
}

/// What `init` asks for where it is allowed. No other command does, so it is in no policy that wsfix writes.
pub(crate) fn before_a_stack() -> Need {
    Row::new(Group::Backends, Phase::Init, "apprunner:ListServices", &["ListServices"])
        .on("*")
        .optional("finds the backend among the account's App Runner services", "no App Runner service is proposed as the backend")
}

/// A stack at work.
fn operate(scope: Scope<'_>) -> Vec<Need> {
    let table = scope.place.table(&scope.want.table);
    let index = format!("{table}/index/{SESSION_INDEX}");
    let row = |group, action, calls| Row::new(group, Phase::Operate, action, calls);
    let logs = |action, calls| row(Group::ReadLogs, action, calls).on_all(scope.log_group(&scope.want.log_group()));
    vec![
        row(Group::Connections, "dynamodb:Scan", &["Scan"])
            .on(table)
            .optional("counts the open connections; reads the items for `teardown --export`", "how many connections are open is not known"),
        Row::new(Group::Connections, Phase::Teardown, "execute-api:ManageConnections", &["PostToConnection"])
            .on(scope.place.arn("execute-api", &format!("{}/{}/POST/@connections/*", scope.api_id(), scope.want.api.stage)))
            .optional("tells clients that the stack ends, for `teardown --drain`", "`teardown --drain` stops before anything is deleted"),
        row(Group::Connections, "dynamodb:Query", &["Query"])
            .on(index)
            .optional("finds the connection that `verify` opens", "whether a connection is stored and forgotten is not known"),
        logs("logs:FilterLogEvents", &["FilterLogEvents"])
            .optional("reads what the function logged", "what the function logged is not known"),
        logs("logs:DescribeLogStreams", &["DescribeLogStreams"])
            .optional("tells a function that was never invoked from one that is quiet", "why there are no lines is not told apart"),
    ]
}

fn table(scope: Scope<'_>) -> Vec<Need> {
    use Phase::{Look, Provision, Teardown};
    let arn = scope.place.table(&scope.want.table);
    let row = |group, phase, action, calls| Row::new(group, phase, action, calls).on(arn.clone());
    vec![
        row(Group::Table, Look, "dynamodb:DescribeTable", &["DescribeTable"])
            .needed("sees whether the table is there, and waits for it", "nothing can be made or deleted"),
        row(Group::Table, Look, "dynamodb:DescribeTimeToLive", &["DescribeTimeToLive"])
            .optional("sees whether old items expire", "the table's expiry is not compared"),
        row(Group::TableTags, Look, "dynamodb:ListTagsOfResource", &["ListTagsOfResource"])
            .optional("sees whose the table is", "tags are not compared; the table's resource policy proves whose it is"),
        row(Group::TablePolicy, Look, "dynamodb:GetResourcePolicy", &["GetResourcePolicy"])
            .optional("sees whom the table lets in", "the table's resource policy is not compared"),
        row(Group::Table, Provision, "dynamodb:CreateTable", &["CreateTable"])
            .needed("makes the table of connections", "the table cannot be made"),
        row(Group::Table, Provision, "dynamodb:UpdateTable", &["UpdateTable"])
            .needed("puts the table's index and billing right", "a table that differs cannot be put right"),
        row(Group::Table, Provision, "dynamodb:UpdateTimeToLive", &["UpdateTimeToLive"])
            .optional("lets items of closed connections expire", "items of connections that were cut off stay for ever"),
        {
            let row = row(Group::TablePolicy, Provision, "dynamodb:PutResourcePolicy", &["CreateTable", "PutResourcePolicy"]);
            let why = "lets the execution role, and nobody else, work with the table's items";
            match scope.table_policy {
                true => row.needed(why, "every handshake gets 500: the execution role may not do dynamodb:PutItem, GetItem and DeleteItem on the table by itself"),
                false => row.optional(why, "the execution role needs its own permissions on the table"),
            }
        },
        row(Group::TableTags, Provision, "dynamodb:TagResource", &["CreateTable", "TagResource"])
            .optional("marks the table as this stack's", "the table has no tags; its resource policy marks it"),
        row(Group::TableTags, Provision, "dynamodb:UntagResource", &["UntagResource"])
            .optional("takes up a table that a teardown kept", "the table's tags go on to say that it is kept"),
        row(Group::Table, Teardown, "dynamodb:DeleteTable", &["DeleteTable"]).needed("deletes the table", "the table cannot be deleted"),
    ]
}

fn function(scope: Scope<'_>) -> Vec<Need> {
    use Phase::{Look, Provision, Teardown};
    let arn = scope.place.function(&scope.want.function.name);
    let row = |group, phase, action, calls| Row::new(group, phase, action, calls).on(arn.clone());
    let role = scope.role.map_or_else(|| scope.iam("role/*"), str::to_owned);
    let mut needs = vec![
        row(Group::Function, Look, "lambda:GetFunction", &["GetFunction"])
            .needed("sees whether the function is there, and waits for it", "nothing can be made or deleted"),
        row(Group::FunctionTags, Look, "lambda:ListTags", &["GetFunction"])
            .optional("sees the function's tags", "tags are not compared; the function's description proves whose it is"),
        row(Group::Function, Look, "lambda:GetPolicy", &["GetPolicy"])
            .optional("sees whether the API may call the function", "the function's permission is not compared"),
        row(Group::Function, Provision, "lambda:CreateFunction", &["CreateFunction"])
            .needed("makes the function", "the function cannot be made"),
        row(Group::Function, Provision, "lambda:UpdateFunctionConfiguration", &["UpdateFunctionConfiguration"])
            .needed("changes the function's settings", "changed settings do not reach the function"),
        row(Group::Function, Provision, "lambda:UpdateFunctionCode", &["UpdateFunctionCode"])
            .needed("uploads a new handler", "a new handler does not reach the function"),
        row(Group::Function, Provision, "lambda:AddPermission", &["AddPermission"])
            .needed("lets this API, and no other, call the function", "every handshake gets 500"),
        row(Group::Function, Provision, "lambda:RemovePermission", &["RemovePermission"])
            .needed("takes back what a former API was allowed", "a changed permission cannot be put right"),
        Row::new(Group::PassRole, Provision, "iam:PassRole", &["CreateFunction", "UpdateFunctionConfiguration"])
            .on(role)
            .where_equals("iam:PassedToService", LAMBDA)
            .needed("gives the existing role to the function; no role is created or changed", "the function cannot be made"),
        row(Group::FunctionTags, Provision, "lambda:TagResource", &["CreateFunction", "TagResource"])
            .optional("marks the function as this stack's", "the function has no tags; its description marks it"),
        row(Group::Function, Teardown, "lambda:DeleteFunction", &["DeleteFunction"])
            .needed("deletes the function", "the function cannot be deleted"),
    ];
    let without = "a function that others use is deleted all the same";
    // `teardown` tries it too, and does without: nobody should be asked to allow the whole for that.
    if scope.want.consent.adopt {
        needs.push(Row::new(Group::OtherCallers, Look, "lambda:ListEventSourceMappings", &["ListEventSourceMappings"]).on("*").optional(
            "sees who else calls a function that is adopted; AWS lists all event sources or none",
            "whose events the handler would get is not told",
        ));
    }
    needs.extend([
        row(Group::OtherCallers, Teardown, "lambda:ListAliases", &["ListAliases"]).optional("sees whether others call an alias", without),
        row(Group::OtherCallers, Teardown, "lambda:ListFunctionUrlConfigs", &["ListFunctionUrlConfigs"])
            .optional("sees whether the function has a URL of its own", without),
    ]);
    needs
}

fn api(scope: Scope<'_>) -> Vec<Need> {
    use Phase::{Look, Provision, Teardown};
    let one = scope.gateway(&format!("/apis/{}", scope.api_id()));
    let all = scope.gateway("/apis");
    let row = |phase, action, calls, arn: &str| Row::new(Group::Api, phase, action, calls).on(arn);
    let mut needs = vec![
        row(Look, "apigateway:GET", &["GetApis"], &all).needed("finds the API by its mark", "nothing can be made or deleted"),
        row(Provision, "apigateway:POST", &["CreateApi"], &all).needed("makes the API", "the API cannot be made"),
        row(Provision, "apigateway:PATCH", &["UpdateApi"], &one).needed("changes the API's settings", "a changed API cannot be put right"),
        row(Teardown, "apigateway:DELETE", &["DeleteApi"], &one).needed("deletes the API with all its parts", "the API cannot be deleted"),
        Row::new(Group::ApiTags, Provision, "apigateway:POST", &["CreateApi", "TagResource"])
            .on(scope.gateway("/tags/*"))
            .optional("marks the API as this stack's", "the API has no tags; its description marks it"),
        Row::new(Group::ApiTags, Provision, "apigateway:TagResource", &["CreateApi"])
            .on(all)
            .optional("marks the API as this stack's, where AWS asks for this action", "the API has no tags; its description marks it"),
    ];
    let spare = scope.marked.iter().filter(|one| scope.api.is_some_and(|api| one.id != api));
    let spare: Vec<String> = spare.map(|one| scope.gateway(&format!("/apis/{}", one.id))).collect();
    if !spare.is_empty() {
        needs.push(Row::new(Group::Api, Provision, "apigateway:DELETE", &["DeleteApi"]).on_all(spare).optional(
            "deletes an API that a run made beside the stack's, and that no client can have",
            "it stays, and is in nobody's way",
        ));
    }
    needs
}

/// The integration, the routes and the stage.
fn api_parts(scope: Scope<'_>) -> Vec<Need> {
    use Phase::{Look, Provision};
    let part = |path: &str| scope.gateway(&format!("/apis/{}{path}", scope.api_id()));
    let stage = format!("/stages/{}", scope.want.api.stage);
    let row = |phase, action, calls, path: &str| Row::new(Group::Api, phase, action, calls).on(part(path));
    vec![
        row(Look, "apigateway:GET", &["GetIntegrations"], "/integrations")
            .needed("sees what the routes call", "an API that is there cannot be compared"),
        row(Look, "apigateway:GET", &["GetRoutes"], "/routes").needed("sees the routes", "an API that is there cannot be compared"),
        row(Look, "apigateway:GET", &["GetRouteResponses"], "/routes/*/routeresponses")
            .needed("sees whether replies travel by the routes", "an API that is there cannot be compared"),
        row(Look, "apigateway:GET", &["GetStages"], "/stages")
            .needed("sees the stage, and waits for its deployment", "an API that is there cannot be compared"),
        row(Provision, "apigateway:POST", &["CreateIntegration"], "/integrations")
            .needed("connects the API with the function", "the API cannot be made"),
        row(Provision, "apigateway:POST", &["CreateRoute"], "/routes").needed("makes the routes", "the API cannot be made"),
        row(Provision, "apigateway:POST", &["CreateRouteResponse"], "/routes/*/routeresponses")
            .needed("sends replies by the routes", "replies do not reach clients where they travel by route responses"),
        row(Provision, "apigateway:POST", &["CreateStage"], "/stages")
            .needed("makes the stage that clients connect to", "every handshake gets 403"),
        row(Provision, "apigateway:POST", &["CreateDeployment"], "/deployments")
            .needed("deploys a stage whose automatic deployment failed or was switched off", "changes are not served"),
        row(Provision, "apigateway:PATCH", &["UpdateIntegration"], "/integrations/*")
            .needed("puts the integration right", "a changed integration cannot be put right"),
        row(Provision, "apigateway:PATCH", &["UpdateRoute"], "/routes/*")
            .needed("puts routes right", "a changed route cannot be put right"),
        row(Provision, "apigateway:PATCH", &["UpdateStage"], &stage).needed("puts the stage right", "a changed stage cannot be put right"),
        row(Provision, "apigateway:DELETE", &["DeleteIntegration"], "/integrations/*")
            .needed("removes an integration that nothing uses", "an integration without a use stays"),
        row(Provision, "apigateway:DELETE", &["DeleteRoute"], "/routes/*")
            .needed("removes routes that the config no longer names", "a route that is not wanted any more stays"),
        row(Provision, "apigateway:DELETE", &["DeleteRouteResponse"], "/routes/*/routeresponses/*")
            .needed("stops replies by the routes", "replies go on travelling by route responses"),
        row(Provision, "apigateway:DELETE", &["DeleteRouteSettings"], &format!("{stage}/routesettings/*"))
            .needed("removes a route's own throttle", "a throttle that is not wanted stays"),
    ]
}

fn logs(scope: Scope<'_>) -> Vec<Need> {
    use Phase::{Look, Provision, Teardown};
    let group = || scope.log_group(&scope.want.log_group());
    let row = |phase, action, calls| Row::new(Group::Logs, phase, action, calls);
    vec![
        row(Look, "logs:DescribeLogGroups", &["DescribeLogGroups"]).on(scope.place.arn("logs", "log-group:*")).optional(
            "sees whether the log group is there; AWS lists groups of any name or none",
            "the log group is not compared, and not deleted",
        ),
        row(Look, "logs:ListTagsForResource", &["ListTagsForResource"])
            .on_all(group())
            .optional("sees whose the log group is", "the log group's tags are not compared, and it is not deleted"),
        row(Provision, "logs:CreateLogGroup", &["CreateLogGroup"])
            .on_all(group())
            .optional("makes the function's log group", "Lambda makes it, if the execution role may, and its lines never expire"),
        row(Provision, "logs:PutRetentionPolicy", &["PutRetentionPolicy"])
            .on_all(group())
            .optional("lets old log lines expire", "log lines never expire"),
        row(Provision, "logs:TagResource", &["CreateLogGroup", "TagResource"])
            .on_all(group())
            .optional("marks the log group as this stack's", "the log group has no tags, and teardown leaves it"),
        row(Teardown, "logs:DeleteLogGroup", &["DeleteLogGroup"]).on_all(group()).optional("deletes the log group", "the log group stays"),
    ]
}

/// The log group of the stage, its settings, and the groups that API Gateway makes for it.
fn stage_logs(scope: Scope<'_>) -> Vec<Need> {
    use Phase::{Look, Provision, Teardown};
    let group = scope.log_group(&scope.want.access_log_group());
    let row = |phase, action, calls| Row::new(Group::StageLogs, phase, action, calls);
    let settings = scope.gateway(&format!("/apis/{}/stages/{}/accesslogsettings", scope.api_id(), scope.want.api.stage));
    // Without the API's id they would be everybody's.
    let of_api = |api| [format!("/aws/apigateway/{api}/*"), format!("API-Gateway-Execution-Logs_{api}/*")];
    let executions = scope.api.map(of_api).into_iter().flatten().flat_map(|name| scope.log_group(&name));
    let deleted = group.iter().cloned().chain(executions).collect();
    let mut needs = vec![
        row(Look, "logs:ListTagsForResource", &["ListTagsForResource"])
            .on_all(group.clone())
            .optional("sees whose the stage's log group is", "its tags are not compared, and it is not deleted"),
        row(Provision, "apigateway:DELETE", &["DeleteAccessLogSettings"])
            .on(settings)
            .optional("stops the stage's access logs when they are switched off", "access logs that were switched off are still written"),
        row(Teardown, "logs:DeleteLogGroup", &["DeleteLogGroup"])
            .on_all(deleted)
            .optional("deletes the stage's log group, and those that API Gateway made for its API", "they stay"),
    ];
    if scope.want.access_logs != AccessLogs::Off {
        let without = "the stage goes without access logs, unless the config insists on them";
        needs.extend([
            row(Look, "apigateway:GET", &["GetAccount"])
                .on(scope.gateway("/account"))
                .optional("sees whether API Gateway has a role to write logs with", without),
            row(Provision, "logs:CreateLogGroup", &["CreateLogGroup"])
                .on_all(group.clone())
                .optional("makes the log group of the stage's requests", without),
            row(Provision, "logs:PutRetentionPolicy", &["PutRetentionPolicy"])
                .on_all(group.clone())
                .optional("lets its old lines expire", "its lines never expire"),
            row(Provision, "logs:TagResource", &["CreateLogGroup", "TagResource"])
                .on_all(group)
                .optional("marks it as this stack's", "it has no tags, and teardown leaves it"),
        ]);
    }
    needs
}

fn roles(scope: Scope<'_>) -> Vec<Need> {
    let role = scope.role.map_or_else(|| scope.iam("role/*"), str::to_owned);
    let row = |action, calls| Row::new(Group::Roles, Phase::Look, action, calls);
    let mut needs = vec![
        row("iam:GetRole", &["GetRole"])
            .on(role.clone())
            .optional("sees whether Lambda may assume the role", "the role is used as it is named, unchecked"),
        row("iam:SimulatePrincipalPolicy", &["SimulatePrincipalPolicy"])
            .on(role.clone())
            .optional("asks IAM what the role may do, without doing it", "the role's policies are read instead"),
    ];
    let unread = "what the role may do is not known where the simulation cannot tell";
    for (action, calls) in [
        ("iam:ListAttachedRolePolicies", &["ListAttachedRolePolicies"]),
        ("iam:ListRolePolicies", &["ListRolePolicies"]),
        ("iam:GetRolePolicy", &["GetRolePolicy"]),
    ] {
        needs.push(row(action, calls).on(role.clone()).optional("reads the role's policies, where the simulation cannot tell", unread));
    }
    for (action, calls) in [("iam:GetPolicy", &["GetPolicy"]), ("iam:GetPolicyVersion", &["GetPolicyVersion"])] {
        let (own, aws) = (scope.iam("policy/*"), format!("arn:{}:iam::aws:policy/*", scope.place.partition));
        needs.push(row(action, calls).on(own).on(aws).optional("reads policies that are attached to the role", unread));
    }
    if scope.want.role.is_none() {
        needs.push(
            row("iam:ListRoles", &["ListRoles"])
                .on("*")
                .needed("finds a role where none is named; AWS lists all roles or none", "a role has to be named with `--existing-role`"),
        );
    }
    needs
}

/// What the caller may do is asked for in one call; where that is denied, it is read from the caller's policies.
fn preflight(scope: Scope<'_>) -> Vec<Need> {
    let without = "what the caller may do is not known before it is tried";
    let why = "reads the caller's own policies, where IAM's simulator may not be asked";
    let row = |action, calls, on: &str| Row::new(Group::Caller, Phase::Preflight, action, calls).on(on);
    // Everybody's own entity (IAM guide, policy variables).
    let own = scope.caller.map_or_else(|| scope.iam("user/${aws:username}"), str::to_owned);
    let mut needs = vec![
        row("iam:SimulatePrincipalPolicy", &["SimulatePrincipalPolicy"], &own)
            .optional("asks IAM what the caller may do, without doing it", without),
    ];
    let (role, group) = (own.contains(":role/"), scope.iam("group/*"));
    let of_role: [(_, &[_]); 4] = [
        ("iam:GetRole", &["GetRole"]),
        ("iam:ListAttachedRolePolicies", &["ListAttachedRolePolicies"]),
        ("iam:ListRolePolicies", &["ListRolePolicies"]),
        ("iam:GetRolePolicy", &["GetRolePolicy"]),
    ];
    let of_user: [(_, &[_]); 5] = [
        ("iam:GetUser", &["GetUser"]),
        ("iam:ListAttachedUserPolicies", &["ListAttachedUserPolicies"]),
        ("iam:ListUserPolicies", &["ListUserPolicies"]),
        ("iam:GetUserPolicy", &["GetUserPolicy"]),
        ("iam:ListGroupsForUser", &["ListGroupsForUser"]),
    ];
    let of_group: [(_, &[_]); 3] = [
        ("iam:ListAttachedGroupPolicies", &["ListAttachedGroupPolicies"]),
        ("iam:ListGroupPolicies", &["ListGroupPolicies"]),
        ("iam:GetGroupPolicy", &["GetGroupPolicy"]),
    ];
    let lists: [(&[_], &str); 2] = if role { [(&of_role, &own), (&[], &group)] } else { [(&of_user, &own), (&of_group, &group)] };
    for (list, on) in lists {
        needs.extend(list.iter().map(|(action, calls)| row(action, calls, on).optional(why, without)));
    }
    needs
}
