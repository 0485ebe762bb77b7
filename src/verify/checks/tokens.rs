//! Who must not be let in, and with which status: browsers hide it.

use super::handshake::{missed, words};
use super::subject::{Subject, seconds};
use crate::secret::Secret;
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed, Verdict};
use crate::verify::client::{Failure, Target};

const NONE: &str = "no token is refused with 401";
const FORGED: &str = "a forged token is refused with 401";
const EXPIRED: &str = "an expired token is refused with 401";
const SESSION: &str = "another session is refused with 403";
const ORIGIN: &str = "another origin is refused with 403";

/// A session that no good token is for.
const NOBODYS: &str = "wsfix-verify-of-somebody-else";
/// A host that no config allows.
const FOREIGN: &str = "https://elsewhere.invalid";

/// Each in turn.
pub(super) async fn checks(subject: &Subject<'_>) -> Vec<Check> {
    let check = async |name, verdict: Verdict| subject.check(Layer::Token, name, async { verdict }).await;
    let mut checks = vec![subject.check(Layer::Token, NONE, refused(subject, 401, subject.target(None))).await];
    checks.push(match subject.tokens.good().await {
        Ok(good) => subject.check(Layer::Token, FORGED, refused(subject, 401, subject.target(Some(forged(&good))))).await,
        Err(why) => check(FORGED, Err(Missed::unknown(why))).await,
    });
    checks.push(match subject.tokens.expired() {
        Ok(expired) => subject.check(Layer::Token, EXPIRED, refused(subject, 401, subject.target(Some(expired)))).await,
        Err(why) => subject.skip(Layer::Token, EXPIRED, &why),
    });
    checks.push(if subject.tokens.name_the_session() {
        let other = |target: Target| target.session(NOBODYS);
        subject.check(Layer::Token, SESSION, good_but(subject, other)).await
    } else {
        subject.skip(Layer::Token, SESSION, "the token names no session, so that it opens any")
    });
    if subject.origins_matter {
        let other = |target: Target| Target { origin: Some(FOREIGN.to_owned()), ..target };
        checks.push(subject.check(Layer::Token, ORIGIN, good_but(subject, other)).await);
    }
    checks
}

pub(super) fn skipped(subject: &Subject<'_>, why: &str) -> Vec<Check> {
    let origin = subject.origins_matter.then_some(ORIGIN);
    [NONE, FORGED, EXPIRED, SESSION].into_iter().chain(origin).map(|name| subject.skip(Layer::Token, name, why)).collect()
}

/// A good token, and something else that is wrong.
async fn good_but(subject: &Subject<'_>, change: impl Fn(Target) -> Target) -> Verdict {
    let target = change(subject.good_target().await?);
    refused(subject, 403, target).await
}

async fn refused(subject: &Subject<'_>, status: u16, target: Target) -> Verdict {
    match subject.connect(&target).await {
        Err(Failure::Refused(answer)) if answer.status == status => Ok(format!("HTTP {} after {}", answer.status, seconds(answer.elapsed))),
        Err(failure @ Failure::Refused(_)) => Err(Missed::failed(&causes::OTHER_REFUSAL, words(&failure))),
        Err(failure) => Err(missed(&failure)),
        Ok(socket) => {
            let _ = socket.close(subject.limit).await;
            Err(Missed::failed(&causes::LET_IN, "the connection was let in"))
        }
    }
}

/// The same with a signature that nobody's key makes.
fn forged(token: &Secret) -> Secret {
    let (signed, signature) = token.expose().rsplit_once('.').unwrap_or((token.expose(), ""));
    Secret::new(format!("{signed}.{}", "A".repeat(signature.len().max(43))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_differs_in_its_signature_alone() {
        let token = Secret::new(format!("h.p.{}", "x".repeat(86)));
        assert_eq!(forged(&token).expose(), format!("h.p.{}", "A".repeat(86)));
        assert_eq!(forged(&Secret::new("opaque")).expose(), format!("opaque.{}", "A".repeat(43)));
    }
}
