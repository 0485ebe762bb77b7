use proptest::prelude::*;

use super::{Denial, Effect, PolicyKind, unwrap};

const DEV: &str = "arn:aws:iam::111122223333:user/dev@example";

/// Text -> principal, action, resource, effect, kind, policy; `-`: not there.
fn parts(said: &str) -> String {
    let Denial { principal, action, resource, effect, policy_kind, policy, .. } = Denial::parse(said);
    let effect = match effect {
        Effect::Explicit => "explicit",
        Effect::Implicit => "implicit",
        Effect::Unknown => "unknown",
    };
    let kind = policy_kind.map(|kind| kind.name().to_owned());
    let show = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
    [show(principal), show(action), show(resource), effect.to_owned(), show(kind), show(policy)].join(" | ")
}

/// Each form of the text that AWS, its SDKs and its tools are known to give.
const FORMS: &[(&str, &str)] = &[
    // The sentence and its parts.
    (
        "User: arn:aws:iam::111122223333:user/dev is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/r because no identity-based policy allows the iam:PassRole action",
        "arn:aws:iam::111122223333:user/dev | iam:PassRole | arn:aws:iam::111122223333:role/r | implicit | identity-based policy | -",
    ),
    (
        "User: arn:aws:iam::111122223333:user/dev is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:eu-west-1:111122223333:table/t because no resource-based policy allows the dynamodb:GetItem action",
        "arn:aws:iam::111122223333:user/dev | dynamodb:GetItem | arn:aws:dynamodb:eu-west-1:111122223333:table/t | implicit | resource-based policy | -",
    ),
    (
        "User: arn:aws:sts::111122223333:assumed-role/ci/build-7 is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:eu-west-1:111122223333:function:f because no permissions boundary allows the lambda:CreateFunction action",
        "arn:aws:sts::111122223333:assumed-role/ci/build-7 | lambda:CreateFunction | arn:aws:lambda:eu-west-1:111122223333:function:f | implicit | permissions boundary | -",
    ),
    (
        "User: u is not authorized to perform: logs:CreateLogGroup on resource: arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f:log-stream: because no session policy allows the logs:CreateLogGroup action",
        "u | logs:CreateLogGroup | arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f:log-stream: | implicit | session policy | -",
    ),
    (
        "User: u is not authorized to perform: apigateway:POST on resource: arn:aws:apigateway:eu-west-1::/apis because no service control policy allows the apigateway:POST action",
        "u | apigateway:POST | arn:aws:apigateway:eu-west-1::/apis | implicit | service control policy | -",
    ),
    (
        "User: u is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k because no resource control policy allows the s3:GetObject action",
        "u | s3:GetObject | arn:aws:s3:::b/k | implicit | resource control policy | -",
    ),
    (
        "User: u is not authorized to perform: dynamodb:PutItem on resource: t because no VPC endpoint policy allows the dynamodb:PutItem action",
        "u | dynamodb:PutItem | t | implicit | VPC endpoint policy | -",
    ),
    (
        "User: u is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/r because no role trust policy allows the sts:AssumeRole action",
        "u | sts:AssumeRole | arn:aws:iam::111122223333:role/r | implicit | role trust policy | -",
    ),
    (
        "User: u is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::111122223333:role/r with an explicit deny in an identity-based policy",
        "u | iam:CreateRole | arn:aws:iam::111122223333:role/r | explicit | identity-based policy | -",
    ),
    (
        "User: u is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::111122223333:role/r with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/team/No-Roles",
        "u | iam:CreateRole | arn:aws:iam::111122223333:role/r | explicit | identity-based policy | arn:aws:iam::111122223333:policy/team/No-Roles",
    ),
    (
        "User: u is not authorized to perform: iam:CreateRole on resource: r with an explicit deny in a permissions boundary: arn:aws:iam::aws:policy/PowerUserAccess",
        "u | iam:CreateRole | r | explicit | permissions boundary | arn:aws:iam::aws:policy/PowerUserAccess",
    ),
    (
        "User: u is not authorized to perform: iam:CreateRole on resource: r with an explicit deny in a session policy",
        "u | iam:CreateRole | r | explicit | session policy | -",
    ),
    (
        "User: u is not authorized to perform: lambda:CreateFunction on resource: arn:f with an explicit deny in a service control policy: arn:aws:organizations::444455556666:policy/o-ab12/service_control_policy/p-cd34",
        "u | lambda:CreateFunction | arn:f | explicit | service control policy | arn:aws:organizations::444455556666:policy/o-ab12/service_control_policy/p-cd34",
    ),
    (
        "User: u is not authorized to perform: s3:PutObject on resource: arn:b with an explicit deny in a resource control policy",
        "u | s3:PutObject | arn:b | explicit | resource control policy | -",
    ),
    (
        "User: u is not authorized to perform: dynamodb:PutItem on resource: arn:t with an explicit deny in a resource-based policy",
        "u | dynamodb:PutItem | arn:t | explicit | resource-based policy | -",
    ),
    (
        "User: u is not authorized to perform: dynamodb:PutItem on resource: arn:t with an explicit deny in a VPC endpoint policy",
        "u | dynamodb:PutItem | arn:t | explicit | VPC endpoint policy | -",
    ),
    (
        "User: u is not authorized to perform: sts:AssumeRole on resource: arn:r with an explicit deny in the role trust policy",
        "u | sts:AssumeRole | arn:r | explicit | role trust policy | -",
    ),
    (
        "User: u is not authorized to perform: lambda:InvokeFunction on resource: arn:f with an explicit deny transitively through a service control policy",
        "u | lambda:InvokeFunction | arn:f | explicit | service control policy | -",
    ),
    (
        "User: u is not authorized to perform: iam:ListRoles on resource: arn:aws:iam::111122223333:role/ with an explicit deny",
        "u | iam:ListRoles | arn:aws:iam::111122223333:role/ | explicit | - | -",
    ),
    (
        "User: u is not authorized to perform: iam:GetRole on resource: r with an explicit deny in a guardrail of 2031",
        "u | iam:GetRole | r | explicit | guardrail of 2031 | -",
    ),
    // Parts that are not there.
    ("User: u is not authorized to perform: apigateway:POST", "u | apigateway:POST | - | unknown | - | -"),
    ("User: u is not authorized to perform: apigateway:GET on resource: *", "u | apigateway:GET | * | unknown | - | -"),
    (
        "User: u is not authorized to perform: lambda:TagResource with an explicit deny in a service control policy",
        "u | lambda:TagResource | - | explicit | service control policy | -",
    ),
    ("not authorized to perform: iam:PassRole", "- | iam:PassRole | - | unknown | - | -"),
    ("Access Denied", "- | - | - | unknown | - | -"),
    ("Forbidden", "- | - | - | unknown | - | -"),
    ("AccessDeniedException", "- | - | - | unknown | - | -"),
    ("You are not authorized to perform this operation.", "- | - | - | unknown | - | -"),
    ("", "- | - | - | unknown | - | -"),
    // Names that are hard to read.
    (
        "User: arn:aws:iam::111122223333:user/aadhithya@iitm is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::111122223333:role/x",
        "arn:aws:iam::111122223333:user/aadhithya@iitm | iam:CreateRole | arn:aws:iam::111122223333:role/x | unknown | - | -",
    ),
    (
        "User: arn:aws:iam::111122223333:user/a/b=c,d.e+f-g_h is not authorized to perform: iam:GetUser on resource: user b=c,d",
        "arn:aws:iam::111122223333:user/a/b=c,d.e+f-g_h | iam:GetUser | user b=c,d | unknown | - | -",
    ),
    (
        "User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********3333:a1/prod/GET/",
        "anonymous | execute-api:Invoke | arn:aws:execute-api:us-east-1:********3333:a1/prod/GET/ | unknown | - | -",
    ),
    (
        "User: arn:aws:sts::111122223333:assumed-role/voclabs/user123=Jo_Doe is not authorized to perform: iam:PassRole on resource: role voclabs because no identity-based policy allows the iam:PassRole action",
        "arn:aws:sts::111122223333:assumed-role/voclabs/user123=Jo_Doe | iam:PassRole | role voclabs | implicit | identity-based policy | -",
    ),
    (
        "User: u is not authorized to perform: iam:GetPolicy on resource: policy No-Roles with an explicit deny in an identity-based policy",
        "u | iam:GetPolicy | policy No-Roles | explicit | identity-based policy | -",
    ),
    (
        "User: u is not authorized to perform: iam:GetRole on resource: \"arn:aws:iam::111122223333:role/r\" because no identity-based policy allows the iam:GetRole action",
        "u | iam:GetRole | arn:aws:iam::111122223333:role/r | implicit | identity-based policy | -",
    ),
    ("User: `u` is not authorized to perform: `iam:GetRole` on resource: `role r`.", "u | iam:GetRole | role r | unknown | - | -"),
    (
        "User: u is not authorized to perform: logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:111122223333:log-group::log-stream:",
        "u | logs:DescribeLogGroups | arn:aws:logs:us-east-1:111122223333:log-group::log-stream: | unknown | - | -",
    ),
    (
        "User: arn:aws-cn:iam::111122223333:user/u is not authorized to perform: iam:GetRole on resource: arn:aws-cn:iam::111122223333:role/r with an explicit deny in an identity-based policy: arn:aws-cn:iam::111122223333:policy/p",
        "arn:aws-cn:iam::111122223333:user/u | iam:GetRole | arn:aws-cn:iam::111122223333:role/r | explicit | identity-based policy | arn:aws-cn:iam::111122223333:policy/p",
    ),
    // Wrapped, and with stops.
    (
        "User: arn:aws:iam::111122223333:user/dev@example is not\n  authorized to perform: iam:CreateRole on\r\n  resource: arn:aws:iam::111122223333:role/x with an explicit\tdeny in\n an identity-based policy:\n arn:aws:iam::111122223333:policy/No-Roles.",
        "arn:aws:iam::111122223333:user/dev@example | iam:CreateRole | arn:aws:iam::111122223333:role/x | explicit | identity-based policy | arn:aws:iam::111122223333:policy/No-Roles",
    ),
    (
        "User: u is not authorized to perform: iam:GetRole on resource: arn:aws:iam::111122223333:role/r.",
        "u | iam:GetRole | arn:aws:iam::111122223333:role/r | unknown | - | -",
    ),
    // What SDKs and tools put around it.
    (
        "User: u is not authorized to perform: lambda:GetFunction on resource: arn:f because no identity-based policy allows the lambda:GetFunction action (Service: Lambda, Status Code: 403, Request ID: 1-2-3) (SDK Attempt Count: 1)",
        "u | lambda:GetFunction | arn:f | implicit | identity-based policy | -",
    ),
    (
        "User: u is not authorized to perform: lambda:GetFunction on resource: arn:f (Service: AWSLambdaInternal; Status Code: 403; Error Code: AccessDeniedException; Request ID: 1-2-3; Proxy: null)",
        "u | lambda:GetFunction | arn:f | unknown | - | -",
    ),
    (
        "An error occurred (AccessDeniedException) when calling the CreateTable operation: User: u is not authorized to perform: dynamodb:CreateTable on resource: arn:t because no identity-based policy allows the dynamodb:CreateTable action",
        "u | dynamodb:CreateTable | arn:t | implicit | identity-based policy | -",
    ),
    (
        "operation error IAM: CreateRole, https response error StatusCode: 403, RequestID: 9-9, api error AccessDenied: User: u is not authorized to perform: iam:CreateRole on resource: arn:r with an explicit deny in an identity-based policy",
        "u | iam:CreateRole | arn:r | explicit | identity-based policy | -",
    ),
    (
        "UnauthorizedOperation: You are not authorized to perform this operation. User: u is not authorized to perform: ec2:RunInstances on resource: arn:i because no identity-based policy allows the ec2:RunInstances action. Encoded authorization failure message: aBcD_-explicit",
        "u | ec2:RunInstances | arn:i | implicit | identity-based policy | -",
    ),
    (
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: u is not authorized to perform: iam:GetRole on resource: &quot;role r&quot; with an explicit deny in an identity-based policy</Message></Error></ErrorResponse>",
        "u | iam:GetRole | role r | explicit | identity-based policy | -",
    ),
    (
        "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"Message\":\"User: u is not authorized to perform: dynamodb:PutItem on resource: arn:t because no identity-based policy allows the dynamodb:PutItem action\"}",
        "u | dynamodb:PutItem | arn:t | implicit | identity-based policy | -",
    ),
    ("{\"message\":\"Forbidden\"}", "- | - | - | unknown | - | -"),
    ("{\"message\": 7}", "- | - | - | unknown | - | -"),
    // A key's own policy, which may deny or merely not allow.
    (
        "User: u is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/1 because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
        "u | kms:Decrypt | arn:aws:kms:eu-west-1:111122223333:key/1 | unknown | - | -",
    ),
    (
        "User: u is not authorized to perform: kms:Decrypt on this resource because it does not exist",
        "u | kms:Decrypt | - | unknown | - | -",
    ),
];

#[test]
fn every_form_is_taken_apart() {
    assert!(FORMS.len() >= 50);
    for (said, expected) in FORMS {
        assert_eq!(parts(said), *expected, "{said}");
    }
}

#[test]
fn an_explicit_deny_never_gets_the_advice_to_allow() {
    for (said, _) in FORMS {
        let denial = Denial::parse(said);
        let advice = denial.advice("a:B", "r");
        if denial.effect == Effect::Explicit {
            assert!(advice.starts_with("an explicit deny outranks every allow"), "{advice}");
            assert!(!advice.contains("to allow"), "{advice}");
        }
        if let Some(policy) = &denial.policy {
            assert!(advice.contains(policy.as_str()), "{advice}");
        }
    }
}

#[test]
fn each_kind_has_its_next_step() {
    let implicit = |kind: &str| {
        let said = format!(
            "User: {DEV} is not authorized to perform: lambda:GetFunction on resource: arn:f because no {kind} allows the lambda:GetFunction action"
        );
        let denial = Denial::parse(&said);
        format!("{}: {}", denial.why(), denial.advice("x:Y", "z"))
    };
    let kinds = [
        "identity-based policy",
        "resource-based policy",
        "permissions boundary",
        "session policy",
        "service control policy",
        "VPC endpoint policy",
    ];
    insta::assert_snapshot!(kinds.map(implicit).join("\n"), @r"
    no identity-based policy allows it: ask an administrator of the account to allow `lambda:GetFunction` on `arn:f`
    no resource-based policy allows it: the resource has a policy of its own, which has to allow it: ask whoever owns the resource to allow `lambda:GetFunction` on `arn:f` there
    no permissions boundary allows it: the permissions boundary does not allow `lambda:GetFunction` on `arn:f`: an allow in an identity policy is not enough; ask whoever owns the permissions boundary
    no session policy allows it: the session policy does not allow `lambda:GetFunction` on `arn:f`: an allow in an identity policy is not enough; ask whoever hands out the session
    no service control policy allows it: the service control policy does not allow `lambda:GetFunction` on `arn:f`: an allow in an identity policy is not enough; ask the administrators of the organisation
    no VPC endpoint policy allows it: the VPC endpoint policy does not allow `lambda:GetFunction` on `arn:f`: an allow in an identity policy is not enough; ask whoever owns the VPC endpoint
    ");
    let said = |text: &str| {
        let denial = Denial::parse(text);
        format!("{}: {}", denial.why(), denial.advice("apigateway:POST", "/apis"))
    };
    let others = [
        "Forbidden",
        "User: u is not authorized to perform: iam:PassRole on resource: arn:r with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/p",
        "User: u is not authorized to perform: lambda:GetFunction with an explicit deny",
        "Cross-account pass role is not allowed.",
        "You are not authorized to perform this operation. Encoded authorization failure message: abc",
    ];
    insta::assert_snapshot!(others.map(said).join("\n"), @r"
    AWS does not say why: ask an administrator of the account to allow `apigateway:POST` on `/apis`; if a policy denies it, which AWS does not say here, only a change to that policy helps
    explicitly, in an identity-based policy: an explicit deny outranks every allow: only a change to the policy arn:aws:iam::111122223333:policy/p helps; ask an administrator of the account, or name a role that you may pass with `--existing-role`
    explicitly; AWS does not say in which policy: an explicit deny outranks every allow: only a change to the policy that denies it helps; ask an administrator of the account
    AWS does not say why: a function's role is of the function's account; name one of this account with `--existing-role`
    AWS does not say why: ask an administrator of the account to allow `apigateway:POST` on `/apis`; if a policy denies it, which AWS does not say here, only a change to that policy helps; `aws sts decode-authorization-message` shows the rest of what AWS said
    ");
}

#[test]
fn kinds_are_known_by_their_names_in_any_case() {
    assert_eq!(PolicyKind::of("Service Control Policy"), PolicyKind::ServiceControl);
    assert_eq!(PolicyKind::of("guardrail"), PolicyKind::Other("guardrail".to_owned()));
}

/// Words that the parser looks for, and others, in any order.
fn words() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "User:",
        "is",
        "not",
        "authorized",
        "to",
        "perform:",
        "perform",
        "iam:PassRole",
        "on",
        "resource:",
        "resource",
        "*",
        "\"",
        "`",
        "arn:aws:iam::111122223333:policy/p.",
        "because",
        "no",
        "allows",
        "with",
        "an",
        "explicit",
        "deny",
        "in",
        "identity-based",
        "policy",
        "policy:",
        "transitively",
        "through",
        "(Service:",
        "<Message>",
        "</Message>",
        "{\"message\":\"",
        "\"}",
        "\n",
        "&quot;",
        "ä",
        "é@=",
    ]);
    prop::collection::vec(prop_oneof![known.prop_map(str::to_owned), "\\PC{0,8}"], 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_breaks_it_and_nothing_is_invented(said in prop_oneof![words(), "\\PC*"]) {
        let text = unwrap::plain(&said);
        let denial = Denial::parse(&said);
        for part in [&denial.principal, &denial.action, &denial.resource, &denial.policy].into_iter().flatten() {
            prop_assert!(!part.is_empty() && text.contains(part.as_str()), "{part} is not in {text}");
        }
        prop_assert!(denial.effect != Effect::Unknown || (denial.policy_kind.is_none() && denial.policy.is_none()));
        let _ = (denial.why(), denial.advice("a:B", "r"));
    }
}
