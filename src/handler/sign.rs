//! Signature version 4, as far as the handler needs it: POST without a query, the body in memory (IAM guide, create a signed request).
//!
//! Written here on top of `ring` rather than taken from the SDK's crate, which derives the key of the day anew for every request: with that,
//! signing was half of what a message cost.

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};
use time::OffsetDateTime;

use crate::secret::Secret;
use crate::signature::hex;

/// What a path keeps as it is. It is encoded once more than it is sent, as every service but S3 wants it.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Who signs.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) token: Option<String>,
}

/// Where a signature counts.
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    /// The service's name in signatures.
    pub(super) service: &'a str,
}

/// A key that signs for one day, one Region and one service.
struct Derived {
    scope: String,
    secret: Secret,
    key: hmac::Key,
}

/// Signs requests, and keeps the keys of the day.
#[derive(Default)]
pub(super) struct Signer(Mutex<Vec<Derived>>);

impl Signer {
    /// All headers of a POST to `url`: the given ones, and those that sign them. `now`: epoch seconds.
    pub(super) fn headers(
        &self,
        credentials: &Credentials,
        scope: &Scope<'_>,
        url: &Uri,
        given: &[(&'static str, &str)],
        body: &[u8],
        now: i64,
    ) -> Result<HeaderMap, Box<dyn std::error::Error>> {
        let now = OffsetDateTime::from_unix_timestamp(now)?;
        let day = format!("{:04}{:02}{:02}", now.year(), u8::from(now.month()), now.day());
        let moment = format!("{day}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second());
        let scope = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);

        let mut headers = given.to_vec();
        headers.push(("host", url.authority().map_or("", |authority| authority.as_str())));
        headers.push(("x-amz-date", &moment));
        headers.extend(credentials.token.as_deref().map(|token| ("x-amz-security-token", token)));
        headers.sort_unstable_by_key(|(name, _)| *name);
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");

        let mut canonical = format!("POST\n{}\n\n", utf8_percent_encode(url.path(), IN_PATH));
        for (name, value) in &headers {
            canonical.extend([name, ":", value, "\n"]);
        }
        canonical.extend(["\n", &names, "\n", &hex(digest::digest(&digest::SHA256, body))]);
        let canonical = hex(digest::digest(&digest::SHA256, canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{canonical}");
        let signature = hex(hmac::sign(&self.key(&credentials.secret, &scope), text.as_bytes()));
        let authorization = format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", credentials.id);

        let mut all = HeaderMap::with_capacity(headers.len() + 1);
        for (name, value) in headers {
            all.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        let mut authorization = HeaderValue::from_str(&authorization)?;
        authorization.set_sensitive(true);
        all.insert(http::header::AUTHORIZATION, authorization);
        Ok(all)
    }

    /// The key for a scope, derived where none is kept. Keys of other days are forgotten.
    fn key(&self, secret: &Secret, scope: &str) -> hmac::Key {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(derived) = kept.iter().find(|derived| derived.scope == scope && derived.secret == *secret) {
            return derived.key.clone();
        }
        let key = scope.split('/').fold(hmac_key(format!("AWS4{}", secret.expose()).as_bytes()), |key, part| {
            hmac_key(hmac::sign(&key, part.as_bytes()).as_ref())
        });
        let day = scope.split('/').next();
        kept.retain(|derived| derived.secret == *secret && derived.scope.split('/').next() == day);
        kept.push(Derived { scope: scope.to_owned(), secret: secret.clone(), key: key.clone() });
        key
    }
}

fn hmac_key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &[(&str, &str)] = &[("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.GetItem")];

    fn credentials(secret: &str, token: Option<&str>) -> Credentials {
        Credentials { id: "AKIDEXAMPLE".to_owned(), secret: Secret::new(secret), token: token.map(str::to_owned) }
    }

    fn authorization(signer: &Signer, secret: &str, token: Option<&str>, service: &str, url: &str, body: &str, now: i64) -> String {
        let scope = Scope { region: "eu-west-1", service };
        let url = url.parse().unwrap();
        let headers = signer.headers(&credentials(secret, token), &scope, &url, GIVEN, body.as_bytes(), now).unwrap();
        headers["authorization"].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_key_is_kept_for_its_day_and_its_credentials_alone() {
        let signer = Signer::default();
        let sign = |secret, service, now| authorization(&signer, secret, None, service, "https://a.example/", "{}", now);
        let fresh = |secret, service, now| authorization(&Signer::default(), secret, None, service, "https://a.example/", "{}", now);
        let day = 86_400;
        for (secret, service, now, kept) in [
            ("one", "dynamodb", 1_700_000_000, 1),
            ("one", "execute-api", 1_700_000_000, 2),
            ("one", "dynamodb", 1_700_000_001, 2),
            ("one", "dynamodb", 1_700_000_000 + day, 1),
            ("another", "dynamodb", 1_700_000_000 + day, 1),
        ] {
            assert_eq!(sign(secret, service, now), fresh(secret, service, now));
            assert_eq!(signer.0.lock().unwrap().len(), kept, "{secret} {service} {now}");
        }
    }

    #[test]
    fn what_cannot_be_a_header_is_an_error() {
        let scope = Scope { region: "eu-west-1", service: "dynamodb" };
        let url = "https://a.example/".parse().unwrap();
        let signed = Signer::default().headers(&credentials("one", Some("a\nb")), &scope, &url, GIVEN, b"", 0);
        assert!(signed.is_err());
    }

    /// The SDK's own crate, which the tool has, signs the same.
    #[cfg(feature = "cli")]
    #[test]
    fn the_sdk_signs_the_same() {
        use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
        use aws_sigv4::sign::v4;
        use std::time::{Duration, UNIX_EPOCH};

        let urls = [
            "https://dynamodb.eu-west-1.amazonaws.com/",
            "http://127.0.0.1:4566/",
            "https://abc.execute-api.eu-west-1.amazonaws.com/prod/@connections/R1kmxc2VNjMCFIA%3D",
            "https://ws.example/a-b_c.d~e/%40connections/%2E%2e%20%C3%A9",
        ];
        for (number, url) in urls.into_iter().enumerate() {
            for token in [None, Some("a-session-token/with+some=characters")] {
                for (body, now) in [("", 0), ("{\"é\":1}", 951_782_400), ("{}", 1_735_689_599)] {
                    let service = ["dynamodb", "execute-api"][number % 2];
                    let identity =
                        aws_credential_types::Credentials::new("AKIDEXAMPLE", "one", token.map(str::to_owned), None, "test").into();
                    let params = v4::SigningParams::builder()
                        .identity(&identity)
                        .region("eu-west-1")
                        .name(service)
                        .time(UNIX_EPOCH + Duration::from_secs(now))
                        .settings(SigningSettings::default())
                        .build()
                        .unwrap()
                        .into();
                    let request = SignableRequest::new("POST", url, GIVEN.iter().copied(), SignableBody::Bytes(body.as_bytes())).unwrap();
                    let (instructions, _) = sign(request, &params).unwrap().into_parts();
                    let mut signed = http::Request::post(url).body(()).unwrap();
                    instructions.apply_to_request_http1x(&mut signed);
                    let ours = authorization(&Signer::default(), "one", token, service, url, body, i64::try_from(now).unwrap());
                    assert_eq!(signed.headers()["authorization"].to_str().unwrap(), ours, "{url}");
                }
            }
        }
    }
}
