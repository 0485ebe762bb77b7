use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, LastUpdateStatus, State};
use serde_json::Value;

use crate::local::services::lambda::fixture::zip;
use crate::local::support::{Lab, bootstrap};
use crate::local::{Delays, Options};

fn lab() -> Lab {
    Lab::start(Options::default())
}

/// Code and message of a refusal.
fn said<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_function_is_pending_first_and_then_active() {
    let lab = lab();
    let made = lab.function("f", "", "").tags("wsfix:stack", "terminal").send().await.unwrap();
    assert_eq!(made.state, Some(State::Pending));
    assert_eq!(made.function_arn.as_deref(), Some("arn:aws:lambda:us-east-1:111122223333:function:f"));
    let got = lab.lambda.get_function().function_name("f").send().await.unwrap();
    let configuration = got.configuration.unwrap();
    assert_eq!((configuration.state, configuration.last_update_status), (Some(State::Active), Some(LastUpdateStatus::Successful)));
    assert_eq!(configuration.code_sha256, made.code_sha256);
    let location = got.code.unwrap().location.unwrap();
    let zip = crate::local::support::download(&location).await;
    let digest = ring::digest::digest(&ring::digest::SHA256, &zip);
    assert_eq!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest), made.code_sha256.unwrap());
    assert!(crate::local::support::download(&location[..location.len() - 1]).await.starts_with(b"the address"));
    assert_eq!(got.tags.unwrap()["wsfix:stack"], "terminal");
    assert_eq!((configuration.timeout, configuration.memory_size), (Some(3), Some(128)));
}

#[tokio::test]
async fn changes_take_their_time_and_come_one_by_one() {
    let delays = Delays { function: Duration::from_millis(400), ..Delays::default() };
    let lab = Lab::start(Options { delays, ..Options::default() });
    lab.function("f", "", "result = 'old'").send().await.unwrap();
    let pending = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
    let configure = || lab.lambda.update_function_configuration().function_name("f").timeout(5).send();
    assert_eq!(said(configure().await), ("ResourceConflictException".to_owned(), pending.to_owned()));
    assert_eq!(said(lab.lambda.invoke().function_name("f").send().await).1, pending);
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(lab.invoke("f", "{}").await.0, "old");
    let code = zip(&[("bootstrap", 0o755, bootstrap("", "result = 'new'").as_bytes())]);
    let updated = lab.lambda.update_function_code().function_name("f").zip_file(Blob::new(code)).send().await.unwrap();
    assert_eq!(updated.last_update_status, Some(LastUpdateStatus::InProgress));
    let (code, text) = said(configure().await);
    assert_eq!(code, "ResourceConflictException");
    assert!(text.starts_with("The operation cannot be performed at this time. An update is in progress for resource: arn:"), "{text}");
    assert_eq!(lab.invoke("f", "{}").await.0, "old");
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(lab.invoke("f", "{}").await.0, "new");
}

#[tokio::test]
async fn what_aws_refuses_is_refused_in_its_words() {
    let lab = lab();
    let of = |name: &str| lab.function(name, "", "");
    let variables = |name: &str, value: &str| Environment::builder().variables(name, value).build();
    let unassumable = "The role defined for the function cannot be assumed by Lambda.";
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    let (code, text) = said(of("f").role(role("ec2-instance")).send().await);
    assert_eq!((code.as_str(), text.as_str()), ("InvalidParameterValueException", unassumable));
    let (code, text) = said(of("f").role(role("service-role/nightly-report-role-x7k2")).send().await);
    assert_eq!(code, "AccessDeniedException");
    assert!(text.contains("iam:PassRole on resource: arn:aws:iam::111122223333:role/service-role/nightly-report-role-x7k2"), "{text}");
    let (code, text) = said(of("f").role("arn:aws:iam::999999999999:role/x").send().await);
    assert_eq!((code.as_str(), text.as_str()), ("AccessDeniedException", "Cross-account pass role is not allowed."));
    for (request, code, part) in [
        (of("no spaces"), "ValidationException", "'functionName'"),
        (of("f").role("websocket-handler-role"), "ValidationException", "'role'"),
        (of("f").timeout(901), "ValidationException", "Value '901' at 'timeout'"),
        (of("f").timeout(0), "ValidationException", "'timeout'"),
        (of("f").memory_size(64), "ValidationException", "'memorySize'"),
        (of("f").environment(variables("A", "x")), "ValidationException", "[a-zA-Z]([a-zA-Z0-9_])+"),
        (of("f").environment(variables("1A", "x")), "ValidationException", "[a-zA-Z]([a-zA-Z0-9_])+"),
        (
            of("f").environment(variables("AWS_REGION", "x")),
            "InvalidParameterValueException",
            "Reserved keys used in this request: AWS_REGION",
        ),
        (of("f").environment(variables("LONG", &"secret".repeat(700))), "InvalidParameterValueException", "exceeded the 4KB limit"),
        (of("f").architectures(Architecture::Arm64).architectures(Architecture::X8664), "ValidationException", "'architectures'"),
        (lab.function_of("f", b"no zip"), "InvalidParameterValueException", "Could not unzip uploaded file"),
    ] {
        let (got, text) = said(request.send().await);
        assert!(got == code && text.contains(part), "{got}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
    of("f").environment(variables("OK", &"x".repeat(4000))).send().await.unwrap();
    assert_eq!(said(of("f").send().await), ("ResourceConflictException".to_owned(), "Function already exist: f".to_owned()));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let lab = lab();
    let expected =
        ("ResourceNotFoundException".to_owned(), "Function not found: arn:aws:lambda:us-east-1:111122223333:function:f".to_owned());
    assert_eq!(said(lab.lambda.get_function().function_name("f").send().await), expected);
    assert_eq!(said(lab.lambda.get_function_configuration().function_name("f").send().await), expected);
    assert_eq!(said(lab.lambda.delete_function().function_name("f").send().await), expected);
    assert_eq!(said(lab.lambda.invoke().function_name("f").send().await), expected);
    lab.function("f", "", "").send().await.unwrap();
    lab.lambda.delete_function().function_name("f").send().await.unwrap();
    assert_eq!(said(lab.lambda.get_function().function_name("f").send().await), expected);
}

#[tokio::test]
async fn permissions_make_a_policy() {
    let lab = lab();
    lab.function("f", "", "").send().await.unwrap();
    let none = said(lab.lambda.get_policy().function_name("f").send().await);
    assert_eq!(none.0, "ResourceNotFoundException");
    let add = |id: &str| {
        let call = lab.lambda.add_permission().function_name("f").statement_id(id).action("lambda:InvokeFunction");
        call.principal("apigateway.amazonaws.com")
            .source_arn("arn:aws:execute-api:us-east-1:111122223333:abc/*/*")
            .source_account("111122223333")
    };
    let statement = add("one").send().await.unwrap().statement.unwrap();
    let (code, text) = said(add("one").send().await);
    assert_eq!(code, "ResourceConflictException");
    assert!(text.starts_with("The statement id (one) provided already exists."), "{text}");
    let policy = lab.lambda.get_policy().function_name("f").send().await.unwrap();
    let document: Value = serde_json::from_str(&policy.policy.unwrap()).unwrap();
    assert_eq!(document["Statement"][0], serde_json::from_str::<Value>(&statement).unwrap());
    assert_eq!(document["Statement"][0]["Condition"]["ArnLike"]["AWS:SourceArn"], "arn:aws:execute-api:us-east-1:111122223333:abc/*/*");
    let (code, _) = said(add("two").revision_id("stale").send().await);
    assert_eq!(code, "PreconditionFailedException");
    lab.lambda.remove_permission().function_name("f").statement_id("one").send().await.unwrap();
    let (code, _) = said(lab.lambda.remove_permission().function_name("f").statement_id("one").send().await);
    assert_eq!(code, "ResourceNotFoundException");
    let long = format!("arn:aws:execute-api:us-east-1:111122223333:{}", "x".repeat(5000));
    for id in ["a", "b", "c"] {
        add(id).source_arn(&long).send().await.unwrap();
    }
    let longest = said(add("d").source_arn(&long).send().await);
    assert_eq!(longest.0, "PolicyLengthExceededException");
}

#[tokio::test]
async fn tags_lists_and_configuration_are_kept() {
    let lab = lab();
    for name in ["a", "b", "c"] {
        lab.function(name, "", "").send().await.unwrap();
    }
    let first = lab.lambda.list_functions().max_items(2).send().await.unwrap();
    let next = lab.lambda.list_functions().set_marker(first.next_marker).send().await.unwrap();
    assert_eq!((first.functions.unwrap().len(), next.functions.unwrap().len(), next.next_marker), (2, 1, None));
    let arn = "arn:aws:lambda:us-east-1:111122223333:function:a";
    let tags = HashMap::from([("k".to_owned(), "v".to_owned()), ("l".to_owned(), "w".to_owned())]);
    lab.lambda.tag_resource().resource(arn).set_tags(Some(tags)).send().await.unwrap();
    lab.lambda.untag_resource().resource(arn).tag_keys("l").send().await.unwrap();
    let left = lab.lambda.list_tags().resource(arn).send().await.unwrap().tags.unwrap();
    assert_eq!(left, HashMap::from([("k".to_owned(), "v".to_owned())]));
    let change = lab.lambda.update_function_configuration().function_name(arn).timeout(28).description("d").memory_size(256);
    change.environment(Environment::builder().variables("AB", "c").build()).send().await.unwrap();
    let got = lab.lambda.get_function_configuration().function_name("a").send().await.unwrap();
    assert_eq!((got.timeout, got.memory_size, got.description.as_deref()), (Some(28), Some(256), Some("d")));
    lab.lambda.update_function_configuration().function_name("a").environment(Environment::builder().build()).send().await.unwrap();
    let got = lab.lambda.get_function_configuration().function_name("a").send().await.unwrap();
    assert!(got.environment.is_none());
    let account = lab.lambda.get_account_settings().send().await.unwrap();
    assert_eq!(account.account_usage.unwrap().function_count, 3);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let lab = lab();
    let made = lab.function("f", "", "").send().await.unwrap();
    let code = zip(&[("bootstrap", 0o755, b"other")]);
    let tried = lab.lambda.update_function_code().function_name("f").zip_file(Blob::new(code)).dry_run(true).send().await.unwrap();
    assert_ne!(tried.code_sha256, made.code_sha256);
    let got = lab.lambda.get_function_configuration().function_name("f").send().await.unwrap();
    assert_eq!(got.code_sha256, made.code_sha256);
}
