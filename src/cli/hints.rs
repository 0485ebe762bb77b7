//! What a person can do about a call that failed: a hint that is true, or none.

use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::provision::denial::{Denial, Effect};
use crate::provision::error::{AwsError, Cause};

/// The way on from `error`, where one is known.
pub(crate) fn hint(error: &AwsError) -> Option<String> {
    let said = error.said.as_deref().unwrap_or_default();
    match &error.cause {
        Cause::NotFound => not_found(error),
        Cause::Overtaken => Some("another run works on this stack; when it has ended, run the command again".to_owned()),
        Cause::Lost => Some(
            "whether it took effect is not known; run the command again, which looks first and never makes a second one where it finds one"
                .to_owned(),
        ),
        Cause::Exists => Some("it was made in the meantime; run the command again, which looks at the account anew".to_owned()),
        Cause::NotReady => Some("something else is changing it at this moment; run the command again when that is done".to_owned()),
        Cause::Denied { .. } => Some(Denial::parse(said).advice(error.iam, &error.resource)),
        Cause::Throttled => {
            Some("the account makes too many calls at once (API Gateway takes 10 a second in a Region); run the command again".to_owned())
        }
        Cause::Credentials => Some(credentials(said)),
        Cause::Invalid => invalid(said),
        Cause::Unreachable if ["dns error", "failed to lookup", "Name or service not known"].iter().any(|words| said.contains(words)) => {
            let service = error.iam.split(':').next().unwrap_or_default();
            Some(format!(
                "the name of the host for `{service}` does not resolve: check that `--region` is one that exists and has this service, and the network"
            ))
        }
        Cause::Unreachable => Some(
            "check the network and the proxy, `--region`, and, where one is set, that something listens at `--endpoint-url`".to_owned(),
        ),
        Cause::TimedOut { .. } => {
            Some("AWS may still be at it; run the command again, which goes on from where things stand then".to_owned())
        }
        Cause::FailedState { .. } | Cause::Other => None,
    }
}

fn not_found(error: &AwsError) -> Option<String> {
    let role = error.iam == "iam:GetRole" || error.resource.contains(":role/");
    role.then(|| "`aws iam list-roles --query 'Roles[].RoleName'` lists the account's roles; name one with `--existing-role`".to_owned())
}

/// The way on from an explicit deny that a text tells of; `None` where it tells of none.
pub(crate) fn explicit_deny(text: &str) -> Option<String> {
    let denial = Denial::parse(text);
    (denial.effect == Effect::Explicit).then(|| denial.advice("", ""))
}

fn credentials(said: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if let Some(skew) = clock_skew(said) {
        skew
    } else if has(&["Expired", "expired"]) {
        "the session is over: log in again (`aws sso login`, or new keys)".to_owned()
    } else if has(&["provider was not enabled", "was not defined", "could not find source profile"]) {
        "`aws configure list-profiles` lists the profiles that there are".to_owned()
    } else if has(&["scoped to a valid region", "scoped to correct region"]) {
        "what answers there is in another Region: set `--region`".to_owned()
    } else if has(&["SignatureDoesNotMatch", "InvalidSignature", "RequestTimeTooSkewed"]) {
        "the secret key does not belong to the access key, or this machine's clock is wrong".to_owned()
    } else if has(&["InvalidClientTokenId", "UnrecognizedClient"]) {
        "this access key does not exist there; keys of another account or partition, or deleted ones, look like this".to_owned()
    } else {
        "set `--profile NAME`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows whether they work"
            .to_owned()
    }
}

/// By how much this machine's clock is off, where AWS says what it read and what its own shows: `Signature expired: OURS is now earlier than
/// ... (THEIRS - 5 min.)`, or `Signature not yet current`.
fn clock_skew(said: &str) -> Option<String> {
    const SET: &str = "set it by network time (`timedatectl set-ntp true`) and run the command again";
    let (_, times) = said.split_once("Signature expired: ").or_else(|| said.split_once("Signature not yet current: ")).unzip();
    let Some(times) = times else {
        let skewed = said.contains("RequestTimeTooSkewed") || said.contains("RequestExpired");
        return skewed.then(|| format!("this machine's clock is wrong by more than AWS takes (5 or 15 minutes): {SET}"));
    };
    let at = |text: &str| PrimitiveDateTime::parse(text, format_description!("[year][month][day]T[hour][minute][second]Z")).ok();
    let ours = at(times.split_whitespace().next()?)?;
    let theirs = at(times.split_once('(')?.1.split_whitespace().next()?)?;
    let minutes = (theirs - ours).whole_minutes();
    let way = if minutes > 0 { "behind" } else { "ahead of" };
    Some(format!("this machine's clock is {} min {way} AWS's: {SET}", minutes.abs()))
}

fn invalid(said: &str) -> Option<String> {
    if said.contains("cannot be assumed by Lambda") {
        return Some(
            "the role's trust policy has to let `lambda.amazonaws.com` do `sts:AssumeRole`; name another role with `--existing-role`"
                .to_owned(),
        );
    }
    if said.contains("remove all API mappings") {
        return Some(
            "a custom domain name leads to the API: `aws apigatewayv2 get-domain-names` lists them, `get-api-mappings --domain-name NAME` what they \
             lead to, `delete-api-mapping` takes one off; then run the command again"
                .to_owned(),
        );
    }
    said.contains("CloudWatch Logs role ARN must be set")
        .then(|| "the account has no role for API Gateway's logs yet; an administrator sets it once, in API Gateway's settings".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(iam: &'static str, cause: Cause, said: &str) -> AwsError {
        let said = (!said.is_empty()).then(|| said.to_owned());
        AwsError { operation: "CreateFunction", iam, resource: "websocket-handler".to_owned(), cause, said, request_id: None }
    }

    #[test]
    fn an_explicit_deny_never_gets_the_advice_to_allow() {
        for kind in ["an identity-based policy", "a service control policy", "a permissions boundary", "a session policy", "something new"]
        {
            for arn in ["", ": arn:aws:iam::111122223333:policy/Deny"] {
                let said =
                    format!("User: u is not authorized to perform: iam:PassRole on resource: r with an explicit deny in {kind}{arn}");
                let hint = hint(&error("lambda:CreateFunction", Cause::Denied { explicit: true }, &said)).expect("a hint");
                assert!(hint.starts_with("an explicit deny outranks every allow"), "{hint}");
                assert!(!hint.contains("to allow") && hint.contains("--existing-role"), "{hint}");
            }
        }
    }

    #[test]
    fn an_implicit_denial_names_the_action_that_was_refused_and_who_can_allow_it() {
        let said = "User: u is not authorized to perform: lambda:TagResource on resource: arn:f because no identity-based policy allows the lambda:TagResource action";
        let found = hint(&error("lambda:CreateFunction", Cause::Denied { explicit: false }, said));
        assert_eq!(found.as_deref(), Some("ask an administrator of the account to allow `lambda:TagResource` on `arn:f`"));
        let said = said.replace("identity-based policy", "service control policy");
        let found = hint(&error("lambda:CreateFunction", Cause::Denied { explicit: false }, &said)).expect("a hint");
        assert!(found.ends_with("ask the administrators of the organisation"), "{found}");
        let found = hint(&error("apigateway:POST", Cause::Denied { explicit: false }, "Forbidden"));
        let found = found.expect("a hint");
        assert!(
            found.starts_with(
                "ask an administrator of the account to allow `apigateway:POST` on `websocket-handler`; if a policy denies it"
            ),
            "{found}"
        );
    }

    #[test]
    fn what_is_wrong_with_credentials_is_told_apart() {
        for (said, hint_has) in [
            ("SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'eu-west-1'.", "set `--region`"),
            ("SignatureDoesNotMatch: The request signature we calculated does not match", "secret key"),
            (
                "SignatureDoesNotMatch: Signature expired: 20261123T080000Z is now earlier than 20261123T084100Z (20261123T084600Z - 5 min.)",
                "this machine's clock is 46 min behind AWS's",
            ),
            (
                "InvalidSignatureException: Signature not yet current: 20261123T080000Z is still later than 20261123T073500Z (20261123T073000Z + 5 min.)",
                "this machine's clock is 30 min ahead of AWS's",
            ),
            ("RequestTimeTooSkewed: The difference between the request time and the current time is too large.", "clock is wrong by more"),
            ("ExpiredToken: The security token included in the request is expired", "log in again"),
            ("InvalidClientTokenId: The security token included in the request is invalid.", "does not exist there"),
            ("dispatch failure: other: no providers in chain provided credentials", "--profile NAME"),
        ] {
            let found = hint(&error("sts:GetCallerIdentity", Cause::Credentials, said)).expect("a hint");
            assert!(found.contains(hint_has), "{said}: {found}");
        }
    }

    #[test]
    fn causes_without_a_known_way_on_get_no_hint() {
        for cause in [Cause::Other, Cause::Invalid, Cause::NotFound, Cause::FailedState { state: "Failed".to_owned() }] {
            assert_eq!(hint(&error("lambda:CreateFunction", cause, "ValidationException: no")), None);
        }
    }
}
