//! What it means how and when connections end. Pure.

use std::time::Duration;

use crate::verify::doctor::{End, Ending, Findings, Traffic, Whom};

use super::{Verdict, seconds};

/// Times that have an owner: seconds, and what closes there.
const KNOWN: &[(u64, &str)] = &[
    (25, "a limit seen at hosts that keep requests for a while without knowing WebSockets"),
    (30, "a request limit of 30 s, common at routers and gateways"),
    (55, "Heroku's router ends idle connections after 55 s"),
    (60, "nginx (`proxy_read_timeout`), HAProxy examples and Application Load Balancers end idle connections after 60 s by default"),
    (100, "Cloudflare ends idle connections after 100 s"),
    (120, "App Runner gives a whole request 120 s"),
    (350, "Network Load Balancers forget idle flows after 350 s"),
    (600, "API Gateway ends connections that are idle for 10 minutes"),
    (3600, "a limit of one hour, common at proxies and for tokens"),
    (7200, "API Gateway ends every connection after 2 hours"),
];

pub(super) fn judge(findings: &Findings) -> Verdict {
    if findings.endings.is_empty() {
        return Verdict { healthy: true, ..Verdict::new("opens", "the connection opens; how long it lasts was not tried") };
    }
    let of = |traffic| findings.endings.iter().filter(move |ending| ending.traffic == traffic);
    let quiet: Vec<&Ending> = of(Traffic::None).collect();
    let (messages, pings) = (of(Traffic::Messages).next(), of(Traffic::Pings).next());
    let mut verdict = match classify(&quiet, messages, findings.jitter) {
        Class::Open => open(findings, messages),
        Class::Refused(why) => refused(why),
        Class::Coded { code, reason, after } => coded(findings, code, reason, after),
        Class::Messages(ending) => on_message(ending),
        Class::Idle(after) => idle(findings, after, &quiet, messages, pings),
        Class::Lifetime(after) => lifetime(findings, after, &quiet),
        Class::Irregular => irregular(&quiet),
    };
    verdict.measured.extend(findings.endings.iter().map(line));
    verdict
}

enum Class<'a> {
    /// All of those without traffic, and the one with messages, were open at the end.
    Open,
    /// Further connections were refused.
    Refused(&'a str),
    /// The server closed at once, and said why.
    Coded {
        code: u16,
        reason: &'a str,
        after: Duration,
    },
    /// Only the connection with messages ended.
    Messages(&'a Ending),
    /// Those without traffic end at one age, the one with messages lives longer.
    Idle(Duration),
    /// All end at one age.
    Lifetime(Duration),
    Irregular,
}

/// Connections that end within so much of each other end at one age.
fn near(a: Duration, b: Duration, jitter: Duration) -> bool {
    a.abs_diff(b) <= Duration::from_millis(1500).max(a.max(b).mul_f64(0.05)).max(jitter)
}

/// A server that closes so soon does so on purpose.
const AT_ONCE: Duration = Duration::from_secs(2);

fn classify<'a>(quiet: &[&'a Ending], messages: Option<&'a Ending>, jitter: Duration) -> Class<'a> {
    let ended: Vec<&&Ending> = quiet.iter().filter(|ending| ending.end != End::Open).collect();
    if let Some(why) = ended.iter().find_map(|ending| if let End::Refused(why) = &ending.end { Some(why) } else { None }) {
        return Class::Refused(why);
    }
    let Some(first) = ended.first() else {
        return match messages {
            Some(ending) if ending.end != End::Open => Class::Messages(ending),
            _ => Class::Open,
        };
    };
    if let (End::Closed { code, reason }, true) = (&first.end, first.open <= AT_ONCE.max(jitter)) {
        return Class::Coded { code: *code, reason, after: first.open };
    }
    let regular = ended.len() == quiet.len() && ended.iter().all(|ending| near(ending.open, first.open, jitter));
    if !regular {
        return Class::Irregular;
    }
    let total: Duration = ended.iter().map(|ending| ending.open).sum();
    let mean = total / u32::try_from(ended.len()).unwrap_or(1);
    match messages {
        Some(ending) if ending.end == End::Open || (ending.open > mean && !near(ending.open, mean, jitter)) => Class::Idle(mean),
        _ => Class::Lifetime(mean),
    }
}

fn line(ending: &Ending) -> String {
    let Ending { traffic, open, sent, pongs, received, .. } = ending;
    let how = match &ending.end {
        End::Open => format!("still open after {}", seconds(*open)),
        End::Closed { code: 1005, .. } => format!("closed after {} without a code (1005)", seconds(*open)),
        End::Closed { code, reason } if reason.is_empty() => format!("closed after {} with code {code}", seconds(*open)),
        End::Closed { code, reason } => format!("closed after {} with code {code} `{reason}`", seconds(*open)),
        End::Broken(_) => format!("cut after {} without a close frame (1006)", seconds(*open)),
        End::Refused(why) => format!("refused: {why}"),
    };
    match traffic {
        Traffic::None => format!("{}: {how}", traffic.as_str()),
        Traffic::Messages => format!("{}: {how}; {sent} sent, {received} came back", traffic.as_str()),
        Traffic::Pings => format!("{}: {how}; {pongs} of {sent} answered", traffic.as_str()),
    }
}

/// Whose limit a time may be.
fn owner(after: Duration, jitter: Duration) -> Option<&'static str> {
    KNOWN.iter().find(|(known, _)| near(Duration::from_secs(*known), after, jitter)).map(|(_, owner)| *owner)
}

/// What a page sees of it.
fn page_sees(quiet: &[&Ending]) -> String {
    match quiet.first().map(|ending| &ending.end) {
        Some(End::Closed { code, .. }) => format!("a page sees close code {code}: the server, or what stands in front of it, says goodbye properly"),
        _ => "no close frame comes, so a page sees close code 1006: what cuts here does not speak WebSocket, such as a proxy's timer or a lost process".to_owned(),
    }
}

/// Limits that a watch of this length has not seen.
fn open(findings: &Findings, messages: Option<&Ending>) -> Verdict {
    let mut verdict = Verdict {
        healthy: true,
        ..Verdict::new("healthy", format!("the connection opens and stays open: {} without an end", seconds(findings.watched)))
    };
    verdict = verdict.certain(format!("no limit below {} closes it, with or without traffic", seconds(findings.watched)));
    if findings.who.as_ref().is_some_and(|who| who.whom == Whom::ApiGateway) {
        verdict = verdict
            .certain("API Gateway closes after 10 minutes without a message and after 2 hours in any case: the client has to send one now and then, and to reconnect");
    } else {
        verdict = verdict.advice("a longer limit shows only with a longer watch: `--hold 12m`");
    }
    if messages.is_some_and(|ending| ending.sent > 0 && ending.received == 0) {
        verdict = verdict.likely("no message was answered; the server may not know what was sent (`--message`)");
    }
    verdict
}

fn refused(why: &str) -> Verdict {
    Verdict::new("refuses-some", "the first connection opens, further ones at the same time are refused")
        .measured(why)
        .likely("a limit of connections for one client or session, or several servers of which some fail")
        .advice("look into the server's log; try `--tries 1`")
}

/// What a code means (RFC 6455 section 7.4.1, and the registry of close codes).
fn coded(findings: &Findings, code: u16, reason: &str, after: Duration) -> Verdict {
    let what = match code {
        1000 | 1001 | 1005 => "the server closes as if all were done",
        1002 => "the server finds fault with the protocol",
        1003 => "the server does not take this kind of message",
        1007 => "the server could not read a message",
        1008 => "the server's rules forbid it: most often the token, the origin or the path",
        1009 => "a message was too big",
        1011 => "the server failed",
        1012 | 1013 => "the server restarts, or is overloaded",
        1015 => "TLS failed",
        3000..=4999 => "the app closed it for a reason of its own",
        _ => "the server closed it",
    };
    let verdict =
        Verdict::new("closed-by-app", format!("the connection opens, and is closed at once with code {code}: {what}")).certain(format!(
            "the handshake is in order; the close came {} later, with a frame: this is the app's decision, not the network's",
            seconds(after)
        ));
    let verdict = if reason.is_empty() { verdict } else { verdict.certain(format!("it gave the reason `{reason}`")) };
    let token = findings.offered.is_empty();
    verdict.advice(if token {
        "give what the app wants in the handshake (`--token`, `--session`, `--subprotocol`), or look into its log"
    } else {
        "look into the app's log"
    })
}

fn on_message(ending: &Ending) -> Verdict {
    let End::Closed { code, reason } = &ending.end else {
        return Verdict::new("breaks-on-message", "the connection breaks when a message is sent")
            .certain("without traffic it stays open; it is the message that ends it, without a close frame (1006)")
            .likely("the app, or its handler, crashes on it")
            .advice("look into the app's log at that time; `--message` sends another one");
    };
    let verdict = Verdict::new(
        if *code == 1009 { "too-big" } else { "closes-on-message" },
        format!("the server closes with code {code} when a message is sent"),
    )
    .certain("without traffic it stays open");
    let verdict = if reason.is_empty() { verdict } else { verdict.certain(format!("it gave the reason `{reason}`")) };
    if *code == 1009 {
        return verdict
            .certain("1009 means: too big. API Gateway takes frames of up to 32 KB and messages of up to 128 KB")
            .advice("send less at once, or in several frames below 32 KB");
    }
    verdict.likely("the app does not know this message").advice("`--message` sends another one; look into the app's log")
}

fn idle(findings: &Findings, after: Duration, quiet: &[&Ending], messages: Option<&Ending>, pings: Option<&Ending>) -> Verdict {
    let time = seconds(after);
    let mut verdict = Verdict::new("idle-timeout", format!("idle connections are ended after {time}; traffic keeps them open"))
        .certain(format!("{} of {} connections without traffic ended at the same age: a timer, not chance", quiet.len(), quiet.len()))
        .certain(page_sees(quiet));
    let kept = |ending: Option<&Ending>| {
        ending.is_some_and(|ending| ending.sent > 0 && (ending.end == End::Open || !near(ending.open, after, findings.jitter)))
    };
    if kept(pings) {
        verdict = verdict.certain("protocol pings keep it open too");
    } else if pings.is_some_and(|ending| ending.sent > 0) {
        verdict = verdict.certain("protocol pings do not keep it open: only messages count");
    }
    if messages.is_some_and(|ending| ending.end != End::Open) {
        verdict = verdict.likely("the connection with messages ended later: there is a second limit");
    }
    verdict = with_owner(verdict, findings, after);
    verdict.advice(format!(
        "send a small message every {} (browsers cannot send protocol pings), or raise the proxy's limit",
        seconds(after.div_f64(2.0))
    ))
}

fn lifetime(findings: &Findings, after: Duration, quiet: &[&Ending]) -> Verdict {
    let time = seconds(after);
    let verdict = Verdict::new("lifetime", format!("every connection is ended {time} after it opened, whatever goes over it"))
        .certain("all ended at the same age, also the one with messages: a ping or a heartbeat does not help")
        .certain(page_sees(quiet));
    let verdict = with_owner(verdict, findings, after);
    verdict
        .advice("let the client reconnect before that, with its session")
        .advice("or put a WebSocket API in front of the app, with 2 hours for a connection: `wsfix provision --backend-url https://HOST`")
}

fn with_owner(verdict: Verdict, findings: &Findings, after: Duration) -> Verdict {
    let verdict = match &findings.who {
        Some(who) => verdict.likely(format!("the limit is that of {} ({}), or of a proxy behind it", who.whom.name(), who.because)),
        None => verdict,
    };
    match owner(after, findings.jitter) {
        Some(owner) => verdict.likely(owner),
        None => verdict,
    }
}

fn irregular(quiet: &[&Ending]) -> Verdict {
    Verdict::new("irregular", "connections end at different times")
        .certain(page_sees(quiet))
        .certain("no fixed limit ends them: ends at one age would show a timer")
        .likely("the app crashes or is restarted (a deployment, an instance that scales in, memory), several proxies with different limits, or a bad network")
        .advice("compare the times with the app's log and with deployments; try again with `--tries 6`")
}
