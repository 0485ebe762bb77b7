use std::time::Duration;

use super::judge;
use crate::verify::client::Failure;
use crate::verify::doctor::{End, Ending, Findings, Traffic, Who, Whom};
use crate::verify::network::Address;
use crate::verify::upgrade::Answer;

fn findings() -> Findings {
    let address = Address { tls: true, host: "example.com".to_owned(), port: 443 };
    Findings {
        address: Some(address),
        answer: Some(Answer { status: 101, ..Answer::default() }),
        watched: Duration::from_secs(40),
        ..Findings::default()
    }
}

fn refused(whom: Option<Whom>, status: u16, body: &str) -> &'static str {
    let answer = Answer { status, body: body.to_owned(), ..Answer::default() };
    let who = whom.map(|whom| Who { whom, because: "the test says so".to_owned() });
    let verdict = judge(&Findings { who, failure: Some(Failure::Refused(Box::new(answer))), ..findings() });
    assert!(!verdict.healthy && !verdict.measured.is_empty() && !verdict.certain.is_empty(), "{verdict:#?}");
    assert!(verdict.certain.iter().any(|text| text.contains("1006")), "{verdict:#?}");
    verdict.case
}

#[test]
fn a_status_has_a_case_for_each_who() {
    for (whom, status, body, case) in [
        (Some(Whom::AppRunner), 404, "", "no-websocket-here"),
        (Some(Whom::AppRunner), 200, "<html>", "no-websocket-here"),
        (Some(Whom::Envoy), 403, "", "no-websocket-here"),
        (Some(Whom::Envoy), 503, "", "backend-down"),
        (Some(Whom::Nginx), 426, "", "upgrade-stripped"),
        (Some(Whom::Nginx), 400, "The plain HTTP request was sent to HTTPS port", "tls-expected"),
        (Some(Whom::Nginx), 400, "Invalid Upgrade header", "upgrade-stripped"),
        (Some(Whom::Nginx), 502, "", "backend-down"),
        (None, 200, "hello", "upgrade-ignored"),
        (None, 301, "", "redirected"),
        (None, 401, "", "unauthorized"),
        (None, 403, "", "forbidden"),
        (None, 404, "", "not-found"),
        (None, 429, "", "throttled"),
        (None, 500, "", "server-error"),
        (None, 418, "", "refused"),
        (Some(Whom::ApiGateway), 400, "", "gateway-400"),
        (Some(Whom::ApiGateway), 401, "", "gateway-401"),
        (Some(Whom::ApiGateway), 403, "", "gateway-403"),
        (Some(Whom::ApiGateway), 429, "", "gateway-429"),
        (Some(Whom::ApiGateway), 500, "", "gateway-500"),
        (Some(Whom::ApiGateway), 502, "", "gateway-502"),
        (Some(Whom::ApiGateway), 504, "", "gateway-504"),
    ] {
        assert_eq!(refused(whom, status, body), case, "{whom:?} {status}");
    }
}

/// Connections of these ages; `None`: still open.
fn ended(quiet: &[Option<f64>], messages: Option<f64>, pings: Option<f64>) -> super::Verdict {
    let ending = |traffic, age: Option<f64>| Ending {
        traffic,
        open: Duration::from_secs_f64(age.unwrap_or(40.0)),
        end: if age.is_some() { End::Broken("end of stream".to_owned()) } else { End::Open },
        sent: if traffic == Traffic::None { 0 } else { 3 },
        pongs: 0,
        received: 0,
    };
    let quiet = quiet.iter().map(|age| ending(Traffic::None, *age));
    let endings = quiet.chain([ending(Traffic::Messages, messages), ending(Traffic::Pings, pings)]).collect();
    judge(&Findings { endings, ..findings() })
}

#[test]
fn how_connections_end_tells_a_timer_from_chance() {
    assert!(ended(&[None, None, None], None, None).healthy);
    let idle = ended(&[Some(25.0), Some(25.1), Some(25.0)], None, Some(25.0));
    assert_eq!((idle.case, idle.healthy), ("idle-timeout", false));
    assert!(idle.headline.contains("25 s") && idle.certain.iter().any(|text| text.contains("only messages count")), "{idle:#?}");
    assert!(idle.certain.iter().any(|text| text.contains("1006")), "{idle:#?}");
    let kept = ended(&[Some(60.0), Some(60.2)], None, None);
    assert!(
        kept.certain.iter().any(|text| text.contains("pings keep it open")) && kept.likely.iter().any(|text| text.contains("nginx")),
        "{kept:#?}"
    );
    assert_eq!(ended(&[Some(25.0), Some(25.1)], Some(25.0), Some(25.0)).case, "lifetime");
    assert_eq!(ended(&[Some(5.0), Some(19.0), None], None, None).case, "irregular");
    assert_eq!(ended(&[None, None], Some(10.0), None).case, "breaks-on-message");
}

#[test]
fn a_close_at_once_is_the_apps_decision_and_1009_is_too_big() {
    let closed = |traffic, open, code, sent| Ending {
        traffic,
        open: Duration::from_secs(open),
        end: End::Closed { code, reason: "no token".to_owned() },
        sent,
        pongs: 0,
        received: 0,
    };
    let verdict = judge(&Findings { endings: vec![closed(Traffic::None, 0, 1008, 0)], ..findings() });
    assert_eq!(verdict.case, "closed-by-app");
    assert!(verdict.headline.contains("1008") && verdict.certain.iter().any(|text| text.contains("no token")), "{verdict:#?}");
    let quiet = Ending { end: End::Open, ..closed(Traffic::None, 40, 0, 0) };
    let verdict = judge(&Findings { endings: vec![quiet, closed(Traffic::Messages, 10, 1009, 1)], ..findings() });
    assert_eq!(verdict.case, "too-big");
}

#[test]
fn a_sub_protocol_that_is_not_confirmed_is_what_browsers_refuse() {
    let offered = vec!["chat".to_owned()];
    assert_eq!(judge(&Findings { offered: offered.clone(), ..findings() }).case, "subprotocol-not-confirmed");
    let mut answer = Answer { status: 101, ..Answer::default() };
    answer.headers.insert("sec-websocket-protocol", http::HeaderValue::from_static("chat"));
    assert!(judge(&Findings { offered, answer: Some(answer), ..findings() }).healthy);
}

#[test]
fn a_silent_server_is_told_from_a_silent_network() {
    let late = Some(Failure::TimedOut(Duration::from_secs(10)));
    let address = findings().address.map(|address| Address { tls: false, ..address });
    let none = Findings { address, failure: late, ..Findings::default() };
    assert_eq!(judge(&none).case, "no-such-host");
    let looked = Findings { lookup: Some((Vec::new(), Duration::ZERO)), ..none };
    assert_eq!(judge(&looked).case, "unreachable");
    let peer = "192.0.2.1:80".parse().unwrap();
    assert_eq!(judge(&Findings { tcp: Some((peer, Duration::ZERO)), ..looked }).case, "silent");
}
