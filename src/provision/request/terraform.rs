//! The request as a Terraform configuration, for an administrator who applies such.

use serde_json::Value;

use super::{Policy, PrincipalKind, Request, Standing};

pub(super) fn write(request: &Request) -> String {
    let role = &request.role;
    let mut blocks = vec![format!(
        "# What {} needs for the wsfix stack {} in account {}, Region {}.",
        one_line(&request.caller),
        one_line(&request.stack),
        request.account,
        request.region
    )];
    let missing = role.standing == Standing::Missing;
    if let Some(trust) = role.trust_policy.as_ref().filter(|_| missing) {
        let fields = [("name", text(&role.name)), ("path", text(&role.path)), ("assume_role_policy", document(trust))];
        blocks.push(block("aws_iam_role", "handler", &fields));
    }
    if let Some(policy) = &role.policy {
        let name = if missing { "aws_iam_role.handler.name".to_owned() } else { text(&role.name) };
        let fields = [("name", text(&policy.name)), ("role", name), ("policy", document(&policy.document))];
        blocks.push(block("aws_iam_role_policy", "handler", &fields));
    }
    for (at, policy) in request.deployer.iter().enumerate() {
        blocks.extend(deployer(request, policy, at + 1));
    }
    blocks.join("\n\n") + "\n"
}

fn deployer(request: &Request, policy: &Policy, number: usize) -> Vec<String> {
    let label = format!("deployer_{number}");
    let made = block("aws_iam_policy", &label, &[("name", text(&policy.name)), ("policy", document(&policy.document))]);
    let attach = |kind: &str, of: &str| {
        let arn = format!("aws_iam_policy.{label}.arn");
        block(kind, &label, &[(of, text(&request.principal.name)), ("policy_arn", arn)])
    };
    let attached = match request.principal.kind {
        PrincipalKind::User => Some(attach("aws_iam_user_policy_attachment", "user")),
        PrincipalKind::Role => Some(attach("aws_iam_role_policy_attachment", "role")),
        // It is attached by hand: a permission set names it, or nobody can.
        PrincipalKind::PermissionSet | PrincipalKind::Other => None,
    };
    [made].into_iter().chain(attached).collect()
}

fn block(kind: &str, label: &str, fields: &[(&str, String)]) -> String {
    let lines: String = fields.iter().map(|(name, value)| format!("  {name} = {value}\n")).collect();
    format!("resource \"{kind}\" \"{label}\" {{\n{lines}}}")
}

fn text(value: &str) -> String {
    hcl(&Value::from(value))
}

/// A value as an expression on one line: `${` and `%{` would begin something in a text.
pub(crate) fn hcl(value: &Value) -> String {
    escaped(&value.to_string())
}

/// JSON is an expression of Terraform's too, once its texts are escaped.
fn document(policy: &Value) -> String {
    let json = serde_json::to_string_pretty(policy).unwrap_or_default();
    format!("jsonencode({})", escaped(&json).replace('\n', "\n  "))
}

fn escaped(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// What stands in a comment must not end it.
fn one_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
