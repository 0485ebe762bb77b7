//! The text of a `wsfix.yaml` for a person's answers. Pure.

use std::fmt::Write as _;

/// What a person answered; an empty text stands for what is left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) stack: String,
    pub(super) region: String,
    pub(super) backend_url: String,
    pub(super) role: String,
    pub(super) jwt_secret: String,
    pub(super) session_claim: String,
    pub(super) signing_key: String,
    pub(super) origins: Vec<String>,
    pub(super) routes: Vec<String>,
}

/// The file, with a comment on every setting.
pub(super) fn yaml(answers: &Answers) -> String {
    let Answers { stack, region, backend_url, role, jwt_secret, session_claim, signing_key, origins, routes } = answers;
    let mut text =
        "# What wsfix makes of this app. `wsfix plan` says what it would do; docs/configuration.md names every setting.\n".to_owned();
    let mut add = |comment: &str, line: &str| {
        let _ = writeln!(text, "\n# {comment}\n{line}");
    };
    add("The stack's name: who owns what is made.", &setting("", "stack", stack, "terminal"));
    add("The AWS Region; without this line it is found as other AWS tools find it.", &setting("", "region", region, "us-east-1"));
    add(
        "The HTTP service behind the socket, such as a service of App Runner.",
        &setting("", "backend_url", backend_url, "https://abc123.us-east-1.awsapprunner.com"),
    );
    add(
        "The execution role of the function, a name or an ARN; it is used as it is. Without this line the best fitting one is found.",
        &setting("", "existing_role", role, "lambda_basic_execution"),
    );
    add(
        "Routes besides $connect, $disconnect and $default: the values of `action` in messages.",
        &format!("api:\n  routes: {}", list(routes)),
    );
    let key = "  # Where the key of tokens (HS256) is, never the key itself: env:NAME, file:PATH, ssm:NAME or secretsmanager:ID.";
    let claim = "  # The claim of a token that must equal the `sessionId` of the handshake.";
    add(
        "Who may connect: docs/tokens.md has examples for Cognito, Auth0, Supabase and others.",
        &format!(
            "jwt:\n{key}\n{}\n{claim}\n{}",
            setting("  ", "secret", jwt_secret, "env:JWT_SECRET"),
            setting("  ", "session_claim", session_claim, "sessionId")
        ),
    );
    add(
        "Where the key is that signs requests to the backend: env:NAME or file:PATH. With it the backend can refuse strangers.",
        &setting("", "signing_key", signing_key, "env:WSFIX_SIGNING_KEY"),
    );
    add("Origins that may connect, as a browser sends them; empty: any.", &format!("allowed_origins: {}", list(origins)));
    text
}

/// A setting; where it is left open, an example of it as a comment.
fn setting(indent: &str, name: &str, value: &str, example: &str) -> String {
    if value.is_empty() { format!("{indent}# {name}: {example}") } else { format!("{indent}{name}: {}", scalar(value)) }
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}

/// A value as YAML takes it for text.
fn scalar(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:+=@".contains(&byte));
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains(": ") && !text.ends_with(':');
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if text.is_empty() || (plain && word && !special) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Purpose, Settings, Sources};

    /// What the config makes of it.
    fn load(text: &str) -> config::Config {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("wsfix.yaml"), text).unwrap();
        let sources = Sources {
            purpose: Purpose::Stack,
            file: None,
            directory: folder.path().to_owned(),
            flags: Settings::default(),
            environment: &|_| None,
            stdin: &mut std::io::empty(),
        };
        config::load(sources).unwrap_or_else(|error| panic!("{error:?}\n{text}")).config
    }

    #[test]
    fn every_answer_arrives_in_the_config() {
        let answers = Answers {
            stack: "on".to_owned(),
            region: "eu-west-1".to_owned(),
            backend_url: "https://abc.example/base".to_owned(),
            role: "arn:aws:iam::111122223333:role/service-role/r+x@y".to_owned(),
            jwt_secret: "secretsmanager:prod/jwt#key".to_owned(),
            session_claim: "https://claims.example/session".to_owned(),
            signing_key: "env:KEY_OF_MINE".to_owned(),
            origins: vec!["https://app.example".to_owned(), "http://localhost:3000".to_owned()],
            routes: vec!["sendMessage".to_owned(), "a b: #c".to_owned(), "no".to_owned()],
        };
        let config = load(&yaml(&answers));
        assert_eq!((config.stack.as_str(), config.connection.region.as_deref()), ("on", Some("eu-west-1")));
        assert_eq!(config.backend_url.as_deref(), Some("https://abc.example/base"));
        assert_eq!(config.existing_role.as_deref(), Some(answers.role.as_str()));
        assert_eq!(config.jwt.session_claim.as_deref(), Some(answers.session_claim.as_str()));
        assert!(format!("{:?}", config.jwt.secret).contains("prod/jwt"), "{:?}", config.jwt.secret);
        assert_eq!((config.allowed_origins, config.api.routes.len()), (answers.origins, 3));
    }

    #[test]
    fn what_is_left_open_is_a_comment() {
        let open = Answers { stack: "terminal".to_owned(), jwt_secret: "env:JWT_SECRET".to_owned(), ..Answers::default() };
        let config = load(&yaml(&open));
        assert_eq!((config.backend_url, config.existing_role, config.jwt.session_claim), (None, None, None));
        insta::assert_snapshot!(yaml(&Answers { routes: vec!["sendMessage".to_owned()], ..open }), @r#"
        # What wsfix makes of this app. `wsfix plan` says what it would do; docs/configuration.md names every setting.

        # The stack's name: who owns what is made.
        stack: terminal

        # The AWS Region; without this line it is found as other AWS tools find it.
        # region: us-east-1

        # The HTTP service behind the socket, such as a service of App Runner.
        # backend_url: https://abc123.us-east-1.awsapprunner.com

        # The execution role of the function, a name or an ARN; it is used as it is. Without this line the best fitting one is found.
        # existing_role: lambda_basic_execution

        # Routes besides $connect, $disconnect and $default: the values of `action` in messages.
        api:
          routes: ["sendMessage"]

        # Who may connect: docs/tokens.md has examples for Cognito, Auth0, Supabase and others.
        jwt:
          # Where the key of tokens (HS256) is, never the key itself: env:NAME, file:PATH, ssm:NAME or secretsmanager:ID.
          secret: env:JWT_SECRET
          # The claim of a token that must equal the `sessionId` of the handshake.
          # session_claim: sessionId

        # Where the key is that signs requests to the backend: env:NAME or file:PATH. With it the backend can refuse strangers.
        # signing_key: env:WSFIX_SIGNING_KEY

        # Origins that may connect, as a browser sends them; empty: any.
        allowed_origins: []
        "#);
    }
}
