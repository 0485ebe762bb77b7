//! What the execution role needs: everything that the running handler asks for.

use super::{Group, Need, Phase, Row, Scope};
use crate::config::Reply;
use crate::contract::{SESSION_INDEX, env};

/// What the handler does with the table, with `@connections`, with its log and with the store of its key, and nothing else.
///
/// What it does with the table may also come from the table's resource policy, and logs and `@connections` can be done without.
pub(crate) fn execution_role(scope: Scope<'_>) -> Vec<Need> {
    let mut needs = items(scope);
    needs.extend(replies(scope));
    needs.extend(log_lines(scope));
    needs.extend(stored_key(scope, env::JWT_SECRET_REF, "reads the key that tokens are checked with"));
    needs.extend(stored_key(scope, env::TICKET_KEY_REF, "reads the key that tickets are checked with"));
    needs
}

fn items(scope: Scope<'_>) -> Vec<Need> {
    let table = scope.place.table(&scope.want.table);
    let row = |action, calls| Row::new(Group::Items, Phase::Serve, action, calls).on(table.clone());
    vec![
        row("dynamodb:PutItem", &["PutItem"]).needed("keeps a new connection", "every handshake gets 500"),
        row("dynamodb:GetItem", &["GetItem"])
            .needed("finds the session of a connection, for every message", "every message is answered with an error"),
        row("dynamodb:DeleteItem", &["DeleteItem"])
            .needed("forgets a connection that is closed", "items of closed connections stay until they expire"),
        row("dynamodb:UpdateItem", &["UpdateItem"]).optional(
            "notes that a connection nears its end, and which one goes on from it",
            "clients are not told to connect anew in time",
        ),
        Row::new(Group::Items, Phase::Serve, "dynamodb:Query", &["Query"])
            .on(format!("{table}/index/{SESSION_INDEX}"))
            .optional("finds the connections of a session", "the backend's messages for a whole session reach the sender alone"),
    ]
}

fn replies(scope: Scope<'_>) -> Option<Need> {
    let want = scope.want;
    let connections = scope.place.arn("execute-api", &format!("{}/{}/POST/@connections/*", scope.api_id(), want.api.stage));
    let row = Row::new(Group::Replies, Phase::Serve, "execute-api:ManageConnections", &["PostToConnection"]).on(connections);
    let why = "posts replies to clients of this API's stage";
    match want.reply {
        Reply::Auto => Some(row.optional(why, "replies travel by the route response instead")),
        Reply::ManagementApi => Some(row.needed(why, "no reply reaches a client")),
        Reply::RouteResponse => None,
    }
}

fn log_lines(scope: Scope<'_>) -> Vec<Need> {
    let group = scope.place.arn("logs", &format!("log-group:{}:*", scope.want.log_group()));
    let row = |action, calls| Row::new(Group::LogLines, Phase::Serve, action, calls).on(group.clone());
    let without = "the function runs, and writes no log lines at all";
    vec![
        row("logs:CreateLogStream", &["CreateLogStream"]).optional("starts a log stream (Lambda does it with the role)", without),
        row("logs:PutLogEvents", &["PutLogEvents"]).optional("writes log lines (Lambda does it with the role)", without),
    ]
}

/// Only where the config refers to a store.
fn stored_key(scope: Scope<'_>, name: &str, why: &'static str) -> Vec<Need> {
    let Some(reference) = scope.want.environment.get(name).map(|variable| variable.expose()) else {
        return Vec::new();
    };
    let row = |action, calls, arn: String| Row::new(Group::TokenKey, Phase::Serve, action, calls).on(arn);
    let without = "every handshake gets 500";
    let (store, read) = match reference.split_once(':') {
        Some(("ssm", name)) => {
            let arn = match name.strip_prefix("arn:") {
                Some(_) => name.to_owned(),
                None => scope.place.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/'))),
            };
            ("ssm", row("ssm:GetParameter", &["GetParameter"], arn).needed(why, without))
        }
        Some(("secretsmanager", secret)) => {
            // Behind the `#` is which member of it.
            let id = secret.split('#').next().unwrap_or(secret);
            let arn = match id.strip_prefix("arn:") {
                Some(_) => id.to_owned(),
                // The ARN of a secret ends with six characters that AWS adds to its name.
                None => scope.place.arn("secretsmanager", &format!("secret:{id}-??????")),
            };
            ("secretsmanager", row("secretsmanager:GetSecretValue", &["GetSecretValue"], arn).needed(why, without))
        }
        _ => return Vec::new(),
    };
    let decrypt = row("kms:Decrypt", &[], scope.place.arn("kms", "key/*"))
        .where_equals("kms:ViaService", format!("{store}.{}.amazonaws.com", scope.place.region))
        .optional("decrypts that key, and only through its store", "a key that is encrypted with a KMS key of your own cannot be read");
    vec![read, decrypt]
}
