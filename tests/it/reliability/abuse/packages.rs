//! Packages and names that look for a way out of their folder, or that are too much.

use std::io::{Cursor, Write as _};

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::aws::Aws;

/// Zips that Lambda must not unpack, by what is wrong with them.
pub(super) fn zips() -> Vec<(&'static str, Vec<u8>)> {
    let of = |names: &[&str]| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
            zip.write_all(b"evil").unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let link = |name: &str, target: &str, then: Option<&str>| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
        if let Some(name) = then {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(b"evil").unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let bomb = || {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let megabyte = vec![0; 1 << 20];
        zip.start_file("bootstrap", SimpleFileOptions::default()).unwrap();
        (0..251).for_each(|_| zip.write_all(&megabyte).unwrap());
        zip.finish().unwrap().into_inner()
    };
    let many = || {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        (0..65_536).for_each(|number| zip.start_file(format!("{number}"), SimpleFileOptions::default()).unwrap());
        zip.finish().unwrap().into_inner()
    };
    // A name is written twice, with the same length each time: what a writer refuses can be put in afterwards.
    let renamed = |from: &str, to: &str| {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let mut bytes = of(&["a/wsfix-evil"]);
        let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
        places.iter().for_each(|at| bytes[*at..*at + to.len()].copy_from_slice(to));
        bytes
    };
    let half = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    vec![
        ("a name with `..`", renamed("a/wsfix-evil", "../wsfixevil")),
        ("a name with `..` in the middle", renamed("a/wsfix-evil", "a/../../evil")),
        ("a name with NUL", renamed("a/wsfix-evil", "a/wsfix\0evil")),
        ("a symbolic link to `/`", link("bootstrap", "/", None)),
        ("a file behind a symbolic link", link("a", "..", Some("a/wsfix-evil"))),
        ("251 MB of zeros", bomb()),
        ("65,536 files", many()),
        ("one name for a file and a folder", of(&["a", "a/wsfix-evil"])),
        ("the first half of a zip", half(of(&["bootstrap"]))),
    ]
}

/// What Lambda says to a function of this name and package.
pub(super) async fn create(aws: &Aws, name: &str, zip: Vec<u8>) -> String {
    let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
    let role = "arn:aws:iam::111122223333:role/lambda_basic_execution";
    let create = aws.lambda.create_function().function_name(name).role(role).runtime(Runtime::Providedal2023).handler("x").code(code);
    match create.send().await {
        Ok(_) => "taken".to_owned(),
        Err(error) => {
            let error = error.into_service_error();
            format!("{}: {}", error.code().unwrap_or("not sent"), error.message().unwrap_or_default().split('.').next().unwrap_or_default())
        }
    }
}

/// The code of an error, or that there was none.
fn said<T, E: ProvideErrorMetadata>(result: Result<T, aws_sdk_lambda::error::SdkError<E>>) -> String {
    match result {
        Ok(_) => "taken: a name in memory".to_owned(),
        Err(error) => error.code().unwrap_or("not sent by the SDK").to_owned(),
    }
}

/// What each service says to this name: a function, a table, a log group, a stage.
pub(super) async fn names(aws: &Aws, name: &str) -> [String; 4] {
    let table = {
        use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
        let attribute = AttributeDefinition::builder().attribute_name("k").attribute_type(ScalarAttributeType::S).build().unwrap();
        let key = KeySchemaElement::builder().attribute_name("k").key_type(KeyType::Hash).build().unwrap();
        let create = aws.dynamodb.create_table().table_name(name).attribute_definitions(attribute).key_schema(key);
        said(create.billing_mode(BillingMode::PayPerRequest).send().await)
    };
    let api = aws.api.get_apis().send().await.unwrap().items()[0].api_id().unwrap().to_owned();
    [
        create(aws, name, Vec::from(b"PK".as_slice())).await.split(':').next().unwrap().to_owned(),
        table,
        said(aws.logs.create_log_group().log_group_name(name).send().await),
        said(aws.api.create_stage().api_id(&api).stage_name(name).send().await),
    ]
}
