//! Who answers, by the host's name and the answer's headers. Pure.

use crate::verify::upgrade::Answer;

/// A guess, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Who it seems to be.
    pub whom: Whom,
    /// What speaks for it.
    pub because: String,
}

/// Servers, proxies and hosts that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// AWS App Runner: takes HTTP requests only.
    AppRunner,
    /// API Gateway.
    ApiGateway,
    /// An Application Load Balancer.
    Alb,
    /// CloudFront.
    CloudFront,
    /// Cloudflare.
    Cloudflare,
    /// Vercel.
    Vercel,
    /// Netlify.
    Netlify,
    /// Heroku.
    Heroku,
    /// nginx.
    Nginx,
    /// Envoy.
    Envoy,
    /// The Apache HTTP server.
    Apache,
    /// Caddy.
    Caddy,
}

impl Whom {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AppRunner => "AWS App Runner",
            Self::ApiGateway => "API Gateway",
            Self::Alb => "an Application Load Balancer",
            Self::CloudFront => "CloudFront",
            Self::Cloudflare => "Cloudflare",
            Self::Vercel => "Vercel",
            Self::Netlify => "Netlify",
            Self::Heroku => "Heroku",
            Self::Nginx => "nginx",
            Self::Envoy => "Envoy",
            Self::Apache => "Apache",
            Self::Caddy => "Caddy",
        }
    }
}

/// Suffixes of host names; `.execute-api.` may stand in the middle.
const HOSTS: &[(&str, Whom)] = &[
    (".awsapprunner.com", Whom::AppRunner),
    (".elb.amazonaws.com", Whom::Alb),
    (".cloudfront.net", Whom::CloudFront),
    (".workers.dev", Whom::Cloudflare),
    (".pages.dev", Whom::Cloudflare),
    (".vercel.app", Whom::Vercel),
    (".netlify.app", Whom::Netlify),
    (".herokuapp.com", Whom::Heroku),
];

/// Headers that one of them alone sends; the outermost first.
const HEADERS: &[(&str, Whom)] = &[
    ("cf-ray", Whom::Cloudflare),
    ("x-amz-cf-id", Whom::CloudFront),
    ("x-vercel-id", Whom::Vercel),
    ("x-nf-request-id", Whom::Netlify),
    ("apigw-requestid", Whom::ApiGateway),
    ("x-amzn-errortype", Whom::ApiGateway),
    ("x-amz-apigw-id", Whom::ApiGateway),
];

/// What the header `Server` begins with.
const SERVERS: &[(&str, Whom)] = &[
    ("awselb", Whom::Alb),
    ("cloudflare", Whom::Cloudflare),
    ("cloudfront", Whom::CloudFront),
    ("vercel", Whom::Vercel),
    ("netlify", Whom::Netlify),
    ("heroku", Whom::Heroku),
    ("nginx", Whom::Nginx),
    ("openresty", Whom::Nginx),
    ("envoy", Whom::Envoy),
    ("istio-envoy", Whom::Envoy),
    ("apache", Whom::Apache),
    ("caddy", Whom::Caddy),
];

/// Guesses who answers. The host's name says most, then headers of its own, then `Server`.
#[must_use]
pub fn who(host: &str, path: &str, answer: Option<&Answer>) -> Option<Who> {
    let host = host.to_ascii_lowercase();
    if path.contains("/_aws/execute-api/") {
        return Some(Who { whom: Whom::ApiGateway, because: "the path is that of API Gateway in a local cloud".to_owned() });
    }
    if host.contains(".execute-api.") {
        return Some(Who { whom: Whom::ApiGateway, because: format!("the host is {host}") });
    }
    if let Some((_, whom)) = HOSTS.iter().find(|(suffix, _)| host.ends_with(suffix)) {
        return Some(Who { whom: *whom, because: format!("the host is {host}") });
    }
    let answer = answer?;
    if let Some((name, whom)) = HEADERS.iter().find(|(name, _)| answer.headers.contains_key(*name)) {
        return Some(Who { whom: *whom, because: format!("the answer has the header {name}") });
    }
    let server = answer.header("server");
    let (_, whom) = SERVERS.iter().find(|(prefix, _)| server.to_ascii_lowercase().starts_with(prefix))?;
    Some(Who { whom: *whom, because: format!("the answer says `server: {server}`") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &'static str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        Answer { headers: headers.collect(), ..Answer::default() }
    }

    #[test]
    fn the_host_says_more_than_headers_and_headers_more_than_the_server() {
        let whom = |host: &str, headers: &[(&'static str, &'static str)]| who(host, "/prod", Some(&answer(headers))).map(|who| who.whom);
        assert_eq!(whom("x.eu-west-1.awsapprunner.com", &[("server", "envoy")]), Some(Whom::AppRunner));
        assert_eq!(whom("a1.execute-api.cn-north-1.amazonaws.com.cn", &[]), Some(Whom::ApiGateway));
        assert_eq!(whom("example.com", &[("server", "nginx/1.22.1"), ("cf-ray", "1")]), Some(Whom::Cloudflare));
        assert_eq!(whom("example.com", &[("server", "Envoy")]), Some(Whom::Envoy));
        assert_eq!(whom("example.com", &[("server", "awselb/2.0")]), Some(Whom::Alb));
        assert_eq!(whom("example.com", &[]), None);
        assert_eq!(who("awsapprunner.com.example.org", "/", None), None);
    }
}
