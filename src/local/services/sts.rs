//! STS: who am I, and sessions of roles.

use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::local::account::Entity;
use crate::local::params::Params;
use crate::local::protocol;
use crate::local::wire::{Call, Outcome, Service, ServiceError};
use crate::local::world::World;
use crate::local::xml::{self, element, wrap};
use crate::policy::{Context, Decision, Reason};

/// Answers an operation of STS. GetCallerIdentity is never denied: it tells callers nothing but what they are.
pub(crate) async fn answer(world: &Arc<World>, call: &Call) -> Outcome {
    let result = match call.operation.as_str() {
        "GetCallerIdentity" => {
            element("Arn", &call.caller.arn) + &element("UserId", &call.caller.user_id) + &element("Account", &world.account.id)
        }
        "AssumeRole" => assume_role(world, call)?,
        other => return Err(protocol::unknown_operation(Service::Sts, other)),
    };
    Ok(xml::answer(Service::Sts, &call.operation, &result))
}

fn assume_role(world: &World, call: &Call) -> Result<String, ServiceError> {
    let params = Params::of(call);
    let (arn, session) = (params.need("RoleArn")?, params.need("RoleSessionName")?);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=64).contains(&session.len()) || !session.bytes().all(allowed) {
        let text = format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        );
        return Err(ServiceError::new(400, "ValidationError", text));
    }
    let seconds: i64 = params.get("DurationSeconds").and_then(|text| text.parse().ok()).unwrap_or(3600);
    // STS tells the same of a role that does not trust the caller and of one that is not there, and never why.
    let denied = |reason: &Reason| {
        let mut error = world.denial(&call.caller, "sts:AssumeRole", arn, reason);
        error.message = format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", call.caller.arn);
        error
    };
    let trust = world.account.entity(arn).and_then(Entity::trust).map(|trust| &trust.json);
    match world.decide(&call.caller, "sts:AssumeRole", arn, trust, &Context::default()) {
        Decision::Allowed if trust.is_some() => {}
        Decision::Allowed => return Err(denied(&Reason::none_allows())),
        Decision::Denied(reason) => return Err(denied(&reason)),
    }
    let credentials = world.assume_role(arn, session);
    let assumed = world.session_caller(arn, session);
    let expiry = OffsetDateTime::from_unix_timestamp(world.clock.now_ms() / 1000 + seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let keys = [
        element("AccessKeyId", &credentials.access_key_id),
        element("SecretAccessKey", &credentials.secret_access_key),
        element("SessionToken", &credentials.session_token),
        element("Expiration", &expiry.format(&Rfc3339).unwrap_or_default()),
    ];
    let user = element("AssumedRoleId", &assumed.user_id) + &element("Arn", &assumed.arn);
    Ok(wrap("Credentials", &keys.concat()) + &wrap("AssumedRoleUser", &user))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::answer;
    use crate::local::wire::{Service, tests::call};
    use crate::local::world::World;
    use crate::local::{Account, Options};

    const ACCOUNT: &str = "
account: '111122223333'
users: [{name: dev}]
roles:
  - name: open
    path: /team/
    trust: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: 'arn:aws:iam::111122223333:user/dev'}, Action: 'sts:AssumeRole'}]}
  - name: closed
    trust: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}
";

    async fn assume(role: &str) -> Result<String, String> {
        let account = Account::parse(ACCOUNT, "f").unwrap();
        let world = Arc::new(World::new(&Options { account, ..Options::default() }, 4566));
        let body = format!("RoleArn=arn:aws:iam::111122223333:role/{role}&RoleSessionName=a@b");
        let outcome = answer(&world, &call(Service::Sts, "AssumeRole", body)).await;
        outcome
            .map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
            .map_err(|error| format!("{}: {}", error.code, error.message))
    }

    #[tokio::test]
    async fn a_role_is_assumed_by_whom_it_trusts() {
        let assumed = assume("team/open").await.unwrap();
        assert!(assumed.contains("<Arn>arn:aws:sts::111122223333:assumed-role/open/a@b</Arn>"), "{assumed}");
        assert!(assumed.contains("<AccessKeyId>ASIA"), "{assumed}");
        for role in ["closed", "open", "gone"] {
            let denied = assume(role).await.unwrap_err();
            assert!(denied.ends_with(&format!("sts:AssumeRole on resource: arn:aws:iam::111122223333:role/{role}")), "{denied}");
        }
    }
}
