//! Secrets come from everywhere but the file, and are shown nowhere.

use std::io::Read;

use super::refused::refused;
use super::{Bench, SECRET, with_file};
use crate::config::{Purpose, SecretSource, Settings, Sources, load};
use crate::secret::Secret;

#[test]
fn secrets_come_from_where_they_are() {
    for (source, stdin, value) in [
        ("env:OTHER", "", "other-other-other-other-other-other"),
        ("\"${OTHER}\"", "", "other-other-other-other-other-other"),
        ("file:key", "", "file-file-file-file-file-file-file"),
        ("\"-\"", "stdin-stdin-stdin-stdin-stdin-stdin\n", "stdin-stdin-stdin-stdin-stdin-stdin"),
    ] {
        let mut bench = with_file(&format!("jwt: {{ secret: {source} }}\n"));
        bench.set("OTHER", "other-other-other-other-other-other");
        bench.write("key", "file-file-file-file-file-file-file\r\n");
        bench.stdin = stdin.to_owned();
        assert_eq!(bench.config().jwt.secret, Some(SecretSource::Value(Secret::new(value))), "{source}");
    }
    for (source, kept) in [
        ("ssm:/wsfix/jwt", SecretSource::Ssm("/wsfix/jwt".into())),
        ("ssm:/wsfix/${NAME}/jwt", SecretSource::Ssm("/wsfix/blue/jwt".into())),
        ("secretsmanager:prod/jwt-AbC", SecretSource::SecretsManager { id: "prod/jwt-AbC".into(), member: None }),
        ("secretsmanager:prod/app#jwt", SecretSource::SecretsManager { id: "prod/app".into(), member: Some("jwt".into()) }),
    ] {
        let mut bench = with_file(&format!("jwt: {{ secret: \"{source}\" }}\n"));
        bench.set("NAME", "blue");
        // A variable that was left in the shell does not replace a source that somebody named.
        assert_eq!(bench.config().jwt.secret, Some(kept), "{source}");
    }
    // Relative to the file, for the file; to the working directory, for a flag.
    let mut bench = Bench::new();
    std::fs::create_dir(bench.path().join("sub")).unwrap();
    bench.write("sub/key", "a".repeat(32));
    bench.write("key", "b".repeat(32));
    bench.write("sub/other.yaml", "jwt: { secret: file:key }\n");
    bench.file = Some("sub/other.yaml".into());
    assert_eq!(bench.config().jwt.secret, Some(SecretSource::Value(Secret::new("a".repeat(32)))));
    bench.flags.jwt_secret = Some("file:key".into());
    assert_eq!(bench.config().jwt.secret, Some(SecretSource::Value(Secret::new("b".repeat(32)))));
}

#[test]
fn bad_secrets_are_refused_and_never_shown() {
    let clear = "hunter2hunter2hunter2hunter2hunter2";
    for (text, part) in [
        (format!("jwt: {{ secret: {clear}, leeway_seconds: 900 }}\n"), "clear text"),
        (format!("jwt:\n  secret: |\n    {clear}\n  leeway_seconds: 900\n"), "clear text"),
        (format!("jwt: {{ secret: \"{clear}${{NAME}}\" }}\n"), "clear text"),
        (format!("jwt: {{ secret: [{clear}] }}\n"), "must name the place"),
        (format!("jwt: {clear}\n"), "must be a mapping"),
        (format!("jwt: &a {clear}\nsigning_key: *a\n"), "clear text"),
        (format!("jwt_secret: {clear}\n"), "did you mean `jwt.secret`?"),
        (format!("signing_key: {clear}\n"), "clear text"),
        (format!("jwt: {{ secret: {clear}: x }}\n"), "not YAML"),
        (format!("jwt:\n  secret: {clear}\n   : {clear}: [\n"), "not YAML"),
        (format!("backend_url: https://user:{clear}@x.example\n"), "user name or a password"),
        (format!("allowed_origins: [ \"https://user:{clear}@x.example\" ]\n"), "no origin"),
        (format!("function: {{ environment: {{ DB_PASSWORD: {clear}, A: x }} }}\n"), "cannot set `A`"),
    ] {
        let mut bench = with_file(&text);
        bench.set("NAME", "blue");
        let told = bench.told();
        assert!(told.contains(part), "{text}{told}");
        assert!(!told.contains("hunter"), "{text}{told}");
        assert!(!format!("{:?}", bench.load().unwrap_err()).contains("hunter"), "{text}");
    }
    let mut bench = Bench::new();
    bench.flags.jwt_secret = Some(clear.into());
    assert!(bench.told().contains("--jwt-secret: `jwt.secret` takes the place of the secret") && !bench.told().contains("hunter"));
    for (name, value, part) in [
        ("JWT_SECRET", "hunter2", "environment variable JWT_SECRET: the JWT secret has fewer than 32 bytes"),
        ("JWT_SECRET", "", "the JWT secret is missing"),
        ("WSFIX_SIGNING_KEY", "hunter2", "the signing key has fewer than 32 bytes"),
        ("WSFIX_SIGNING_KEY", SECRET, "the signing key is the JWT secret"),
        ("WSFIX_SIGNING_KEY", "fedcba9876543210fedcba9876543210,fedcba9876543210fedcba9876543210", "two different ones"),
    ] {
        let mut bench = Bench::new();
        bench.set(name, value);
        let told = bench.told();
        assert!(told.contains(part) && !told.contains("hunter") && !told.contains(SECRET), "{told}");
    }
    for (text, part) in [
        ("jwt: { secret: env:NOT_SET }\n", "the environment variable NOT_SET is not set"),
        ("jwt: { secret: \"${NOT_SET}\" }\n", "the environment variable NOT_SET is not set"),
        ("jwt: { secret: file:missing }\n", "cannot be read from"),
        ("jwt: { secret: file:. }\n", "cannot be read from"),
        ("jwt: { secret: \"ssm:a b\" }\n", "no parameter and no secret"),
        ("jwt: { secret: \"-\" }\nsigning_key: \"-\"\n", "standard input is read for `jwt.secret` already"),
        ("signing_key: ssm:/a\n", "cannot be kept in SSM"),
    ] {
        refused(text, &[part]);
    }
}

#[test]
fn stdin_is_not_read_without_need() {
    struct Never;
    impl Read for Never {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("read")
        }
    }
    let bench = with_file("jwt: { secret: \"-\" }\n");
    let loaded = load(Sources {
        purpose: Purpose::Stack,
        file: None,
        directory: bench.path().to_owned(),
        flags: Settings::default(),
        environment: &|_| None,
        stdin: &mut Never,
    });
    assert!(loaded.unwrap().config.jwt.secret.is_none());
}

#[test]
fn the_variables_of_our_own_secrets_are_among_those_that_no_child_process_gets() {
    use crate::contract::env;
    for name in [env::JWT_SECRET, env::SIGNING_KEY, env::TICKET_KEY] {
        assert!(crate::secret::VARIABLES.contains(&name), "{name}");
    }
}
