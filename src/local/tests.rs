//! The whole cloud over its port: spoken to by AWS's SDK, and by clients that should not.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sts::config::{Credentials, Region};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::faults::{Fault, Kind, Moment, Quirk};
use super::support::{Lab, config};
use super::{Cloud, Delays, Options, StartError};

fn start() -> Cloud {
    Cloud::start(Options::default()).unwrap()
}

async fn create_table(client: &aws_sdk_dynamodb::Client) -> Result<(), String> {
    let attribute =
        |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = |name: &str| KeySchemaElement::builder().attribute_name(name).key_type(KeyType::Hash).build().unwrap();
    let index = GlobalSecondaryIndex::builder().index_name("SessionIdIndex").key_schema(key("sessionId"));
    let index = index.projection(Projection::builder().projection_type(ProjectionType::All).build()).build().unwrap();
    let create = client.create_table().table_name("Connections").billing_mode(BillingMode::PayPerRequest).key_schema(key("connectionId"));
    let create = create.attribute_definitions(attribute("connectionId")).attribute_definitions(attribute("sessionId"));
    match create.global_secondary_indexes(index).send().await {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(error)) => Err(error.err().code().unwrap_or_default().to_owned()),
        Err(SdkError::DispatchFailure(_)) => Err("connection lost".to_owned()),
        Err(error) => Err(format!("{error:?}")),
    }
}

#[tokio::test]
async fn the_sdk_of_aws_works_with_it() {
    let cloud = start();
    let config = config(&cloud);
    let who = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
    assert_eq!((who.account(), who.arn()), (Some("111122223333"), Some("arn:aws:iam::111122223333:user/dev")));

    let iam = aws_sdk_iam::Client::new(&config);
    let role = iam.get_role().role_name("websocket-handler-role").send().await.unwrap().role.unwrap();
    assert!(role.assume_role_policy_document().unwrap().starts_with("%7B"));
    let denied = iam.create_role().role_name("new").assume_role_policy_document("{}").send().await.unwrap_err().into_service_error();
    assert_eq!(denied.code(), Some("AccessDenied"));
    assert!(
        denied
            .message()
            .unwrap()
            .ends_with("explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/RestrictedUserResourceIsolation")
    );
    let simulated = iam.simulate_principal_policy().policy_source_arn(role.arn()).action_names("dynamodb:PutItem");
    let simulated = simulated.resource_arns("arn:aws:dynamodb:us-east-1:111122223333:table/Connections").send().await.unwrap();
    assert_eq!(simulated.evaluation_results()[0].eval_decision().as_str(), "allowed");

    let tables = aws_sdk_dynamodb::Client::new(&config);
    create_table(&tables).await.unwrap();
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("expiresAt").build().unwrap();
    tables.update_time_to_live().table_name("Connections").time_to_live_specification(ttl).send().await.unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    tables.put_item().table_name("Connections").item("connectionId", text("c=")).item("sessionId", text("s")).send().await.unwrap();
    let query = tables.query().table_name("Connections").index_name("SessionIdIndex").key_condition_expression("sessionId = :s");
    let found = query.expression_attribute_values(":s", text("s")).send().await.unwrap();
    assert_eq!(found.items()[0]["connectionId"], text("c="));

    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    logs.create_log_group().log_group_name("/aws/lambda/f").send().await.unwrap();
    logs.put_retention_policy().log_group_name("/aws/lambda/f").retention_in_days(14).send().await.unwrap();
    let again = logs.create_log_group().log_group_name("/aws/lambda/f").send().await.unwrap_err().into_service_error();
    assert!(again.is_resource_already_exists_exception());

    let calls = cloud.calls().all();
    assert_eq!(calls.len(), 11);
    assert_eq!((calls[4].operation.as_str(), calls[4].service, calls[4].status), ("CreateTable", "dynamodb", 200));
    assert_eq!(calls.iter().filter(|call| call.is_mutating()).count(), 7);
    assert_eq!(calls[2].caller, "arn:aws:iam::111122223333:user/dev");
}

#[tokio::test]
async fn sessions_of_roles_are_callers_with_the_policies_of_the_role() {
    let cloud = start();
    let keys = cloud.world.assume_role("arn:aws:iam::111122223333:role/lambda_basic_execution", "f");
    let sign = |token: &str| {
        let credentials = Credentials::new(&keys.access_key_id, &keys.secret_access_key, Some(token.to_owned()), None, "test");
        config(&cloud).to_builder().credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(credentials)).build()
    };
    let session = sign(&keys.session_token);
    let who = aws_sdk_sts::Client::new(&session).get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some("arn:aws:sts::111122223333:assumed-role/lambda_basic_execution/f"));
    assert_eq!(create_table(&aws_sdk_dynamodb::Client::new(&session)).await.unwrap_err(), "AccessDeniedException");
    let stranger = aws_sdk_sts::Client::new(&sign("other")).get_caller_identity().send().await.unwrap_err();
    assert_eq!(stranger.into_service_error().code(), Some("InvalidClientTokenId"));
}

#[tokio::test]
async fn wrong_secrets_and_regions_are_refused() {
    let cloud = start();
    let wrong = Credentials::new("AKIAWSFIXLOCALDEV001", "wrong", None, None, "test");
    let wrong = config(&cloud).to_builder().credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(wrong)).build();
    let refused = aws_sdk_sts::Client::new(&wrong).get_caller_identity().send().await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("SignatureDoesNotMatch"));
    let elsewhere = config(&cloud).to_builder().region(Region::new("eu-west-1")).build();
    let refused = aws_sdk_dynamodb::Client::new(&elsewhere).list_tables().send().await.unwrap_err().into_service_error();
    assert_eq!(refused.code(), Some("InvalidSignatureException"));
    assert!(refused.message().unwrap().contains("not 'eu-west-1'"));
}

#[tokio::test]
async fn faults_strike_before_and_after_the_effect() {
    let cloud = start();
    let tables = aws_sdk_dynamodb::Client::new(&config(&cloud));
    let error = Kind::Error { status: 500, code: "InternalServerError".to_owned(), message: "planned".to_owned() };
    for (moment, kind, seen, there) in [
        (Moment::Before, error.clone(), "InternalServerError", false),
        (Moment::After, error, "InternalServerError", true),
        (Moment::Before, Kind::Reset, "connection lost", false),
        (Moment::After, Kind::Reset, "connection lost", true),
    ] {
        cloud.faults().plan(Fault { operation: "CreateTable".to_owned(), nth: 1, times: 1, moment, kind: kind.clone() });
        assert_eq!(create_table(&tables).await.unwrap_err(), seen, "{moment:?} {kind:?}");
        let names = tables.list_tables().send().await.unwrap();
        assert_eq!(!names.table_names().is_empty(), there, "{moment:?} {kind:?}");
        let _ = tables.delete_table().table_name("Connections").send().await;
        cloud.faults().clear();
    }
    let lost = cloud.calls().all().iter().filter(|call| call.operation == "CreateTable" && call.status == 0).count();
    assert_eq!(lost, 2);
}

#[tokio::test]
async fn a_permission_may_be_lost_without_a_word() {
    let lab = Lab::start(Options::default());
    lab.function("f", "", "").send().await.unwrap();
    lab.cloud.faults().quirk(Quirk::PermissionLost);
    for sid in ["one", "two"] {
        let add = lab.lambda.add_permission().function_name("f").statement_id(sid).action("lambda:InvokeFunction");
        add.principal("apigateway.amazonaws.com").send().await.unwrap();
    }
    let policy = lab.lambda.get_policy().function_name("f").send().await.unwrap().policy.unwrap();
    assert!(!policy.contains("\"one\"") && policy.contains("\"two\""), "{policy}");
}

#[tokio::test]
async fn every_call_may_take_longer() {
    let call = Duration::from_millis(120);
    let cloud = Cloud::start(Options { delays: Delays { call, ..Delays::default() }, ..Options::default() }).unwrap();
    let tables = aws_sdk_dynamodb::Client::new(&config(&cloud));
    let started = Instant::now();
    tables.list_tables().send().await.unwrap();
    assert!(started.elapsed() >= call);
    let record = &cloud.calls().all()[0];
    assert!(record.ended - record.started >= call);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_way_out() {
    let cloud = start();
    let error = Cloud::start(Options { port: cloud.port(), ..Options::default() }).err().unwrap();
    assert!(matches!(error, StartError::PortInUse { at } if at.port() == cloud.port()));
    assert!(error.to_string().starts_with(&format!("port {} on 127.0.0.1 is in use: ", cloud.port())), "{error}");
}

#[tokio::test]
async fn nothing_listens_after_the_stop() {
    let mut cloud = start();
    let address = ("127.0.0.1", cloud.port());
    let mut open = TcpStream::connect(address).await.unwrap();
    cloud.stop();
    assert!(TcpStream::connect(address).await.is_err());
    // An open connection ends too.
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(1), open.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
}

/// Sends a request as it is, and gives the answer as it is.
async fn raw(cloud: &Cloud, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", cloud.port())).await.unwrap();
    stream.write_all(request.replace("PORT", &cloud.port().to_string()).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn web_pages_and_other_names_are_kept_out() {
    let cloud = start();
    let post = "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: 2\r\nConnection: close\r\n";
    for headers in [
        "Host: evil.example:PORT\r\n",
        "Host: localhost:PORT\r\nOrigin: https://evil.example\r\n",
        "Host: localhost:PORT\r\nOrigin: http://localhost:3000\r\n",
        "Host: localhost:PORT\r\nSec-Fetch-Site: cross-site\r\n",
    ] {
        let answer = raw(&cloud, &format!("{post}{headers}\r\n{{}}")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-"), "{answer}");
    }
    let unsigned = raw(&cloud, &format!("{post}Host: localhost:PORT\r\n\r\n{{}}")).await;
    assert!(unsigned.starts_with("HTTP/1.1 400 ") && unsigned.contains("MissingAuthenticationTokenException"), "{unsigned}");
}

#[tokio::test]
async fn requests_that_are_nothing_are_told_so() {
    let cloud = start();
    let head = "Host: 127.0.0.1:PORT\r\nConnection: close\r\n";
    let nothing = raw(&cloud, &format!("GET /nothing HTTP/1.1\r\n{head}\r\n")).await;
    assert!(nothing.starts_with("HTTP/1.1 404 "), "{nothing}");
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let sts = raw(&cloud, &format!("POST / HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{form}", form.len())).await;
    assert!(sts.starts_with("HTTP/1.1 403 ") && sts.contains("<Code>MissingAuthenticationToken</Code>"), "{sts}");
    let large = "x".repeat(3 * 1024 * 1024);
    let large = raw(&cloud, &format!("POST / HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{large}", large.len())).await;
    assert!(large.starts_with("HTTP/1.1 413 "), "{}", &large[..200.min(large.len())]);
}
