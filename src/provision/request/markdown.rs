//! The request as a document for people, with commands that can be pasted.

use minijinja::context;
use minijinja::value::Serde;
use serde_json::Value;

use super::shell::{file, quoted};
use crate::provision::fill;

use super::{PrincipalKind, Request, Standing};

const TEMPLATE: &str = include_str!("../../../templates/request/request.md");

pub(super) fn write(request: &Request) -> String {
    fill::rendered(
        TEMPLATE,
        context! { request => Serde(request), role_commands => role_commands(request), deployer_commands => deployer_commands(request) },
    )
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn role_commands(request: &Request) -> String {
    let role = &request.role;
    let name = quoted(&role.name);
    let path = if role.path == "/" { String::new() } else { format!(" --path {}", quoted(&role.path)) };
    let mut commands = Vec::new();
    if let Some(trust) = &role.trust_policy {
        match role.standing {
            Standing::Missing => {
                commands.push(file("wsfix-trust.json", &pretty(trust)));
                commands
                    .push(format!("aws iam create-role --role-name {name}{path} --assume-role-policy-document file://wsfix-trust.json"));
            }
            // A trust policy is replaced whole: it is looked at first.
            Standing::There | Standing::Unread => commands.push(format!(
                "aws iam get-role --role-name {name} --query Role.AssumeRolePolicyDocument   # the trust policy above must be part of it"
            )),
        }
    }
    if let Some(policy) = &role.policy {
        let file_name = format!("{}.json", policy.name);
        commands.push(file(&file_name, &pretty(&policy.document)));
        commands.push(format!(
            "aws iam put-role-policy --role-name {name} --policy-name {} --policy-document file://{}",
            quoted(&policy.name),
            quoted(&file_name)
        ));
    }
    commands.join("\n")
}

fn deployer_commands(request: &Request) -> String {
    let mut commands = Vec::new();
    for policy in &request.deployer {
        let (name, file_name) = (quoted(&policy.name), format!("{}.json", policy.name));
        commands.push(file(&file_name, &pretty(&policy.document)));
        commands.push(format!("aws iam create-policy --policy-name {name} --policy-document file://{}", quoted(&file_name)));
        let arn = quoted(&format!("arn:{}:iam::{}:policy/{}", request.partition, request.account, policy.name));
        let principal = quoted(&request.principal.name);
        commands.push(match request.principal.kind {
            PrincipalKind::User => format!("aws iam attach-user-policy --user-name {principal} --policy-arn {arn}"),
            PrincipalKind::Role => format!("aws iam attach-role-policy --role-name {principal} --policy-arn {arn}"),
            PrincipalKind::PermissionSet => {
                format!("# {principal} is kept by IAM Identity Center: add the customer managed policy {name} to its permission set")
            }
            PrincipalKind::Other => format!("# attach {arn} to the user or the role that runs wsfix"),
        });
    }
    commands.join("\n")
}
