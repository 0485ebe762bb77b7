use std::ffi::OsString;

use super::*;
use crate::config::{Purpose, Sources, load};

const SECRETS: [&str; 3] = ["a-jwt-secret-that-nobody-may-see-0001", "a-signing-key-that-nobody-may-see-002", "hidden-in-a-variable"];

/// A config with this file, and with every secret that there is in the environment.
fn config(file: &str) -> Config {
    let environment = |name: &str| match name {
        "JWT_SECRET" => Some(OsString::from(SECRETS[0])),
        "WSFIX_SIGNING_KEY" => Some(OsString::from(SECRETS[1])),
        _ => None,
    };
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("wsfix.yaml"), file).expect("a file");
    let sources = Sources {
        purpose: Purpose::Stack,
        file: None,
        directory: directory.path().to_owned(),
        flags: crate::config::Settings::default(),
        environment: &environment,
        stdin: &mut std::io::empty(),
    };
    load(sources).expect("a valid config").config
}

fn fill(name: &str, config: &Config, account: Option<&str>) -> Filled {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let template = Template::named(name).expect("a template");
    runtime.block_on(template.fill(Given { config, account })).expect("it is filled in")
}

const FULL: &str = "region: eu-west-1\nexisting_role: arn:aws:iam::111122223333:role/team/runs\nbackend_url: https://backend.example\n\
    function: { environment: { GREETING: hidden-in-a-variable, DB2_URL: hidden-in-a-variable } }\n\
    api: { name: 'An \"API\" {{ x }}', routes: [sendMessage, svc/join] }\ntags: { team: 'a: b' }\n";

#[test]
fn every_template_is_filled_in_and_no_secret_is_in_it() {
    for template in TEMPLATES {
        let filled = fill(template.name, &config(FULL), None);
        assert!(!filled.files.is_empty(), "{}", template.name);
        for File { path, text } in &filled.files {
            assert!(text.len() > 100 && text.ends_with('\n'), "{} {path}:\n{text}", template.name);
            assert!(!text.contains("{%") && !text.contains("syntax error"), "{} {path}:\n{text}", template.name);
            let told = SECRETS.iter().find(|secret| text.contains(**secret));
            assert_eq!(told, None, "{} {path}", template.name);
        }
        assert_eq!(
            filled.placeholders.iter().filter(|text| !text.contains("the API is not made yet")).count(),
            0,
            "{:?}",
            filled.placeholders
        );
    }
}

#[test]
fn secrets_are_parameters_that_are_not_shown() {
    let text = &fill("cloudformation", &config(FULL), None).files[0].text;
    for id in ["JwtSecret", "SigningKey", "Greeting", "Db2Url"] {
        let (_, after) =
            text.split_once(&format!("  {id}:\n    Type: String\n")).unwrap_or_else(|| panic!("{id} is no parameter:\n{text}"));
        assert!(after.starts_with("    NoEcho: true\n"), "{id}");
    }
    // A key that the handler reads from a store is no parameter, and without any key there is one all the same.
    let stored = &fill("cloudformation", &config("jwt: { secret: ssm:/app/jwt }\n"), None).files[0].text;
    assert!(!stored.contains("JwtSecret:") && stored.contains("JWT_SECRET_REF: \"ssm:/app/jwt\""), "{stored}");
    assert!(fill("cloudformation", &config("jwt: { secret: 'env:NOT_SET' }\n"), None).files[0].text.contains("  JwtSecret:\n"));
}

#[test]
fn policies_say_what_stands_for_what_is_not_known() {
    let trust = fill("trust-policy", &config("stack: terminal\n"), None);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&trust.files[0].text).expect("JSON")["Statement"][0]["Principal"]["Service"],
        "lambda.amazonaws.com"
    );
    assert!(trust.placeholders.is_empty(), "nothing of it depends on the account");
    let deployer = fill("deployer-policy", &config("stack: terminal\n"), None);
    assert!(deployer.files[0].text.contains("arn:aws:dynamodb:REGION:ACCOUNT_ID:table/WebSocketConnections"));
    assert_eq!(deployer.placeholders.len(), 4, "{:?}", deployer.placeholders);
    let known = fill("deployer-policy", &config("region: cn-north-1\nexisting_role: runs\n"), Some("111122223333"));
    assert!(known.files.iter().any(|file| file.text.contains("arn:aws-cn:iam::111122223333:role/runs")));
    assert_eq!(known.placeholders.len(), 1, "{:?}", known.placeholders);
}
