//! The request as a CloudFormation template (in JSON), for an administrator who deploys such.

use serde_json::{Map, Value, json};

use super::{PrincipalKind, Request, Standing};

pub(super) fn write(request: &Request) -> Value {
    let mut resources = Map::new();
    let role = &request.role;
    let inline = role.policy.as_ref().map(|policy| json!({ "PolicyName": policy.name, "PolicyDocument": policy.document }));
    if role.standing == Standing::Missing {
        let mut properties = json!({
            "RoleName": role.name,
            "Path": role.path,
            "Description": format!("Runs the WebSocket handler of the stack {}", request.stack),
            "AssumeRolePolicyDocument": role.trust_policy,
        });
        if let Some(policy) = inline {
            properties["Policies"] = json!([policy]);
        }
        resources.insert("HandlerRole".to_owned(), json!({ "Type": "AWS::IAM::Role", "Properties": properties }));
    } else if let Some(policy) = &role.policy {
        let properties = json!({ "PolicyName": policy.name, "RoleName": role.name, "PolicyDocument": policy.document });
        resources.insert("HandlerPolicy".to_owned(), json!({ "Type": "AWS::IAM::RolePolicy", "Properties": properties }));
    }
    for (at, policy) in request.deployer.iter().enumerate() {
        let mut properties = json!({
            "ManagedPolicyName": policy.name,
            "Description": format!("Lets wsfix make, look at and delete the stack {}", request.stack),
            "PolicyDocument": policy.document,
        });
        match request.principal.kind {
            PrincipalKind::User => properties["Users"] = json!([request.principal.name]),
            PrincipalKind::Role => properties["Roles"] = json!([request.principal.name]),
            // It is attached by hand: a permission set names it, or nobody can.
            PrincipalKind::PermissionSet | PrincipalKind::Other => {}
        }
        let resource = json!({ "Type": "AWS::IAM::ManagedPolicy", "Properties": properties });
        resources.insert(format!("DeployerPolicy{}", at + 1), resource);
    }
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("What {} needs for the wsfix stack {} in account {}", request.caller, request.stack, request.account),
        // The newest of API Gateway's actions is not in every list of them yet.
        "Metadata": { "cfn-lint": { "config": { "ignore_checks": ["W3037"] } } },
        "Resources": Value::Object(resources),
    })
}
