//! What is most likely behind a check that failed, and what helps: the table in `docs/verify.md`.

use super::check::Layer;

/// Why a check fails.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// What is to blame.
    pub layer: Layer,
    /// A short name, for programs.
    pub name: &'static str,
    /// What is seen of it.
    pub sign: &'static str,
    /// What is most likely behind it.
    pub likely: &'static str,
    /// What helps.
    pub fix: &'static str,
}

macro_rules! causes {
    ($($id:ident: $layer:ident $name:literal, $sign:literal, $likely:literal, $fix:literal;)*) => {
        $(
            #[doc = concat!("Seen: ", $sign, ".")]
            pub static $id: Cause = Cause { layer: Layer::$layer, name: $name, sign: $sign, likely: $likely, fix: $fix };
        )*

        /// All of them, layer by layer.
        pub static ALL: &[&Cause] = &[$(&$id),*];
    };
}

causes! {
    NO_API: Api "no-api", "there is no API of this stack, or its endpoint is off",
        "it was deleted or never made, the stack has another name, or this is another account or Region",
        "compare `--stack`, `--profile` and `--region` with those of `wsfix provision`, and run that";

    WRONG_INTEGRATION: Routes "wrong-integration", "the integration is missing, or calls something else",
        "it was changed in the console, or belongs to an earlier function",
        "`wsfix plan` shows the difference, `wsfix provision` puts it right";
    NO_ROUTE: Routes "no-route", "a route is missing, or goes elsewhere",
        "it was deleted or changed in the console, or the config names a new one",
        "`wsfix plan` shows the difference, `wsfix provision` puts it right";
    ROUTE_NOT_SERVED: Routes "route-not-served", "API Gateway answers a message with `Forbidden`",
        "the route was made after the last deployment and was never deployed, or there is no `$default` route",
        "`wsfix provision` makes what is missing and deploys it";

    NO_STAGE: Stage "no-stage", "the stage is missing, or its last deployment failed",
        "it was deleted, or the config names another one",
        "`wsfix provision` makes it and deploys it";
    THROTTLED: Stage "throttled", "429, or `Too Many Requests`",
        "the stage's throttle is 0 or too low, or the account's limit is used up",
        "`wsfix plan` shows a throttle that was changed; raise `api.throttle`, or ask AWS for a higher limit of the account";

    NO_FUNCTION: Function "no-function", "the function is missing, failed or inactive",
        "it was deleted, its last update failed, or Lambda put it to sleep after weeks without calls",
        "`wsfix status` says which; `wsfix provision` makes it or uploads it again";
    TIME_LIMITS: Function "time-limits", "the function may run as long as API Gateway waits, or longer",
        "its time limit or the integration's was changed",
        "`wsfix provision` sets 28 s and 29 s again, so that a slow backend ends in an answer and not in silence";
    FUNCTION_CRASHED: Function "function-crashed", "502, or `Internal server error` as the answer to a message",
        "the function ends without an answer: it is built for another processor or system, or is not wsfix's handler",
        "`wsfix logs` shows how it ends; `wsfix provision` uploads the handler again";
    FUNCTION_SLOW: Function "function-slow", "504, or `Endpoint request timed out`",
        "the function does not end in time: it is in a VPC without a way out, or its time limit is above 28 s",
        "take it out of the VPC or give the VPC a NAT gateway; `wsfix provision` puts the time limit right";

    NOT_PERMITTED: Permission "not-permitted", "no statement of the function's policy lets this API's stage call it",
        "the statement was removed, or names another API or stage",
        "`wsfix provision` adds it again";

    ROLE_NOT_FIT: Role "role-not-fit", "the role may not do what the handler does, or Lambda may not assume it",
        "a policy was changed or taken off the role, or the function has another role",
        "`wsfix roles ROLE` lists what is missing, `wsfix roles --request` writes down what to ask for";
    NO_TABLE_POLICY: Role "no-table-policy", "the role needs the table's resource policy, and that does not let it in",
        "the policy was removed, or names a former role",
        "`wsfix provision` sets it again";

    NO_TABLE: Table "no-table", "the table is missing or not active",
        "it was deleted, or is being made",
        "`wsfix provision` makes it again; clients that are connected have to connect anew";
    NO_EXPIRY: Table "no-expiry", "items do not expire by `expiresAt`",
        "expiry was switched off: items of connections that were cut off stay for ever",
        "`wsfix provision` switches it on; DynamoDB takes such a change once an hour";
    NOT_STORED: Table "not-stored", "the connection is open, and its item is not as it should be",
        "the function works with another table, or is not wsfix's handler",
        "`wsfix plan` shows what differs in the function's environment";
    NOT_FORGOTTEN: Table "not-forgotten", "the connection is closed, and its item stays",
        "`$disconnect` does not reach the function, or the role may not do `dynamodb:DeleteItem`",
        "look at the layers above; items expire by themselves after 2 h 10 min";
    TABLE_UNREADABLE: Table "table-unreadable", "the handler answers with `internal_error` or `unknown_connection`",
        "the role may not do `dynamodb:GetItem`, or somebody deletes items",
        "`wsfix logs` has AWS's words; `wsfix roles ROLE` says what the role lacks";

    OLD_HOST: Url "old-host", "the URL is not the gateway's",
        "the front end still has the URL of the host that takes no WebSockets",
        "`wsfix env` prints the URL that belongs there, `wsfix doctor --scan DIR` finds the old one in the sources";
    UNREACHABLE: Url "unreachable", "no TCP connection, no TLS, or no HTTP",
        "a slip in the URL, an API that was deleted (its name goes with it), or a proxy or firewall on the way",
        "`wsfix doctor URL` goes through the way step by step";
    NO_GATEWAY: Url "no-gateway", "the answer to the handshake is not one that API Gateway gives",
        "the URL leads to another server, or a proxy on the way takes `Upgrade` away",
        "`wsfix doctor URL` says who answers";

    HANDSHAKE_403: Handshake "handshake-403", "403, with a token that is good",
        "the stage is not deployed, the token is for another session, or the `Origin` is not allowed",
        "`wsfix logs` has the handler's reason; without a line there, it is the stage: `wsfix provision`";
    HANDSHAKE_500: Handshake "handshake-500", "500",
        "API Gateway may not call the function, or the handler cannot work: its configuration, its table, its key",
        "`wsfix logs` has the handler's reason; without a line there, it is the permission: `wsfix provision`";
    HANDSHAKE_SLOW: Handshake "handshake-slow", "no answer within the time limit",
        "the function cannot reach its table or the store of its key: a VPC without a way out, for one",
        "`wsfix logs` shows where it waits";
    HANDSHAKE_BROKEN: Handshake "handshake-broken", "the handshake breaks off, or has another status",
        "a proxy on the way, or the function answers with a status of its own",
        "`wsfix doctor URL` shows the whole answer";
    SUBPROTOCOL: Handshake "subprotocol", "the sub-protocol is not confirmed",
        "the function is not wsfix's handler: browsers give up such a connection",
        "`wsfix provision` uploads the handler again";

    TOKEN_REFUSED: Token "token-refused", "401, with a token that is good",
        "the function checks with another key, algorithm, issuer or audience, or the clocks differ",
        "`wsfix logs` has the reason; `wsfix plan` shows whether the key in the function is another than yours";
    LET_IN: Token "let-in", "somebody gets in who must not",
        "the function is not wsfix's handler, or its settings were changed",
        "`wsfix plan` shows what differs; until it is put right, anybody may be connected";
    OTHER_REFUSAL: Token "other-refusal", "refused, but with another status than the handler's",
        "a faulty function, or a throttle, stands before the check of the token",
        "look at the handshake first; `wsfix logs` has the handler's reason";

    BACKEND_UNREACHABLE: Backend "backend-unreachable", "the handler says `backend_unreachable`",
        "the backend is down, its URL is another, or the function has no way to it",
        "open `backend_url` in a browser; `wsfix plan` shows whether the function has another one";
    BACKEND_SLOW: Backend "backend-slow", "the handler says `backend_timeout`",
        "the backend takes longer than `backend_timeout_seconds`, or never answers",
        "let it answer at once and send later results by push";
    BACKEND_ERROR: Backend "backend-error", "the handler says `backend_error`",
        "the backend answers with another status than 2xx: 401 where it checks signatures with another `WSFIX_SIGNING_KEY`, 404 where it does not serve `POST /api/ws/message`",
        "`wsfix logs` has the status";
    BAD_REPLY: Backend "bad-reply", "the handler says `bad_reply` or `reply_too_large`, or the reply is no JSON",
        "the backend's answer is not JSON (an error page, for one), or over 128 KB",
        "answer with JSON, or with 204 for nothing";
    DISCONNECT_UNHEARD: Backend "disconnect-unheard", "the handler could not tell the backend of a disconnect",
        "the backend does not serve `POST /api/ws/disconnect`, or refuses it",
        "`wsfix logs` has the status; without it the backend never frees what belongs to a session";

    REPLY_DENIED: Reply "reply-denied", "the way that replies travel is closed",
        "the role may not do `execute-api:ManageConnections`, or a route has no response",
        "`reply: auto` lets `wsfix provision` take the way that is open";
    NO_REPLY: Reply "no-reply", "the message gets no answer",
        "the role may not do `execute-api:ManageConnections`, a route has no response, or the backend has nothing to say (204)",
        "`wsfix logs` shows whether the reply was posted";

    SIZES: Limits "sizes", "a message of 31 KB does not pass, or a frame of 33 KB does",
        "the backend refuses large bodies, or the URL is not API Gateway's",
        "raise the backend's limit for bodies to 256 KB";

    NOT_HELD: Hold "not-held", "the connection ends before its time",
        "a proxy on the client's side cuts quiet connections, or somebody closes them by `@connections`",
        "`wsfix doctor URL` measures when and how; send a message now and then (API Gateway itself closes after 10 min without)";

    NO_LINES: Logs "no-lines", "what this run did is not in the log",
        "the role may not write logs, or the function writes elsewhere",
        "`wsfix roles ROLE` says whether the role may do `logs:PutLogEvents`; sockets work without";
    TOKEN_IN_LOG: Logs "token-in-log", "a line of the log holds a token",
        "the function is not wsfix's handler, or logs requests",
        "`wsfix provision` uploads the handler again; have the tokens expire, and delete the lines";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn causes_have_names_of_their_own_and_stand_layer_by_layer() {
        assert_eq!(ALL.iter().map(|cause| cause.name).collect::<BTreeSet<_>>().len(), ALL.len());
        assert!(ALL.iter().is_sorted_by_key(|cause| cause.layer));
        for layer in Layer::ALL {
            assert!(ALL.iter().any(|cause| cause.layer == layer), "{layer:?} never fails");
        }
    }
}
