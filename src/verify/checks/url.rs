//! Where clients connect to.

use ::url::Url;

use super::subject::Subject;
use crate::verify::causes;
use crate::verify::check::{Check, Layer, Missed, Verdict};
use crate::verify::doctor::{Whom, who};

/// The URL is the gateway's, and not that of the host that takes no WebSockets.
pub async fn check(subject: &Subject<'_>) -> Check {
    subject.check(Layer::Url, "the URL is the gateway's", async { judge(&subject.url, subject.own_url.as_deref()) }).await
}

fn judge(url: &str, own: Option<&str>) -> Verdict {
    if own.is_some_and(|own| own.trim_end_matches('/') == url.trim_end_matches('/')) {
        return Ok(url.to_owned());
    }
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let belongs = own.map(|own| format!(", and the stack's is {own}")).unwrap_or_default();
    match who(&host, url, None).map(|who| who.whom) {
        Some(Whom::ApiGateway) if own.is_none() => Ok(format!("{url}: the host is API Gateway's")),
        Some(Whom::ApiGateway) => Err(Missed::failed(&causes::OLD_HOST, format!("{url} is another API's or stage's{belongs}"))),
        Some(other) => Err(Missed::failed(&causes::OLD_HOST, format!("{host} is {}{belongs}", other.name()))),
        None => Err(Missed::unknown(format!("{host} may be a domain of your own before API Gateway, or anything else{belongs}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_host_another_api_and_a_domain_of_ones_own_are_told_apart() {
        const OWN: &str = "wss://a1.execute-api.eu-west-1.amazonaws.com/prod";
        let failed =
            |url: &str, own| matches!(judge(url, own), Err(missed) if missed == Missed::failed(&causes::OLD_HOST, evidence(url, own)));
        fn evidence(url: &str, own: Option<&str>) -> String {
            Check::of(Layer::Url, "", judge(url, own), std::time::Duration::ZERO).evidence
        }
        assert!(judge(OWN, Some(OWN)).is_ok() && judge(&format!("{OWN}/"), Some(OWN)).is_ok() && judge(OWN, None).is_ok());
        assert!(failed("wss://abc.us-east-1.awsapprunner.com/ws", Some(OWN)));
        assert!(failed("wss://abc.us-east-1.awsapprunner.com/ws", None));
        assert!(failed("wss://b2.execute-api.eu-west-1.amazonaws.com/prod", Some(OWN)));
        assert!(evidence("wss://b2.execute-api.eu-west-1.amazonaws.com/prod", Some(OWN)).contains("the stack's is wss://a1."));
        let own_domain = judge("wss://ws.example.com", Some(OWN));
        assert!(own_domain.is_err() && !failed("wss://ws.example.com", Some(OWN)));
    }
}
