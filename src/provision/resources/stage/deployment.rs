//! Whether a stage serves what is there: what it says of its deployments, and the wait for the one that is due.

use super::{GET_STAGES, Live, One, read};
use crate::provision::error::{AwsError, Cause};
use crate::provision::observed::{Found, Slot};
use crate::provision::resource::{Context, Kind};
use crate::provision::wait::{Probe, until};

/// The state of a stage whose last deployment worked.
pub(super) const DEPLOYED: &str = "deployed";
/// A change of routes is deployed in seconds.
const DEPLOYED_SECONDS: u64 = 60;
/// How often a stage is looked at that says nothing at all of deployments.
const SILENT_LOOKS: u32 = 5;

/// The last attempt decides; a stage that was deployed by hand has no message.
pub(super) fn deployment(message: &str, deployed: bool) -> Option<String> {
    if message.to_lowercase().contains("failed") {
        Some(message.to_owned())
    } else {
        (deployed || !message.is_empty()).then(|| DEPLOYED.to_owned())
    }
}

/// Waits until the stage serves what is there now; `not`: the deployment that it must leave behind.
pub(super) async fn wait_deployed(cx: &Context<'_>, api: &str, first: One, not: Option<&str>) -> Result<Slot, AwsError> {
    let name = &cx.want.api.stage;
    let (mut found, mut looks) = (Some(first), 0);
    let mut last = None;
    let waited = until(cx.watch(Kind::Stage, name, GET_STAGES, DEPLOYED_SECONDS), async || {
        looks += 1;
        let one = match found.take() {
            Some(one) => one,
            None => match read(cx, api).await?.stage {
                Some(one) => one,
                None => return Ok(Probe::Pending("not known yet".to_owned())),
            },
        };
        let old = not.is_some() && one.deployment_id.as_deref() == not;
        let (spec, message) = (one.spec.clone(), one.message.clone());
        last = Some(one);
        Ok(match spec.deployment.as_deref() {
            Some(DEPLOYED) if !old => Probe::Ready(()),
            None if looks > SILENT_LOOKS => Probe::Ready(()),
            Some(_) if !old => Probe::Failed(message),
            _ => Probe::Pending("deploying".to_owned()),
        })
    })
    .await;
    match waited {
        Err(error) if matches!(error.cause, Cause::TimedOut { .. }) => {
            cx.note(format!("the stage {name} does not say yet that it serves the changes; `wsfix status` shows when it does"));
        }
        other => other?,
    }
    Ok(Slot::Stage(Found::Present(Live { stage: last, others: Vec::new() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_attempt_outweighs_an_earlier_deployment() {
        let failed = "Deployment attempt failed: Unable to deploy API because no routes exist in this API";
        assert_eq!(deployment(failed, true).as_deref(), Some(failed));
        assert_eq!(deployment("Successfully deployed stage with deployment ID 'abc'", false).as_deref(), Some(DEPLOYED));
        assert_eq!(deployment("", true).as_deref(), Some(DEPLOYED));
        assert_eq!(deployment("", false), None);
    }
}
