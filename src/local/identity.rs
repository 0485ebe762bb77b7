//! Who signed a request, as its `Authorization` header says it. Pure.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What stands in an `Authorization` header of Signature Version 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub access_key_id: String,
    /// `20260131`
    pub date: String,
    pub region: String,
    /// The signing name: `dynamodb`, `apigateway`.
    pub service: String,
    /// Lower-case names, as the client lists them.
    pub signed_headers: Vec<String>,
    /// Lower-case hexadecimal.
    pub signature: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
}

/// Why a request has no caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unidentified {
    /// No `Authorization` header.
    Missing,
    /// A header that is not Signature Version 4.
    Malformed,
    /// No such key in the account, or a token that does not belong to it.
    Unknown,
    /// Signed for another Region.
    WrongRegion { signed: String, here: String },
    /// Signed for another service.
    WrongService { expected: &'static str },
    /// Signed too long ago, or in the future.
    Expired { signed: String, bound: String, now: String },
    /// The signature is not that of this request with this key.
    Mismatch,
}

impl Credential {
    /// Reads the header.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Unidentified> {
        let header = headers.get(AUTHORIZATION).ok_or(Unidentified::Missing)?;
        let text = header.to_str().map_err(|_| Unidentified::Malformed)?;
        let fields = text.strip_prefix("AWS4-HMAC-SHA256").ok_or(Unidentified::Malformed)?;
        let field = |name: &str| {
            let found = fields.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or(Unidentified::Malformed)
        };
        let mut scope = field("Credential")?.rsplitn(5, '/');
        let (Some("aws4_request"), Some(service), Some(region), Some(date), Some(key)) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(Unidentified::Malformed);
        };
        let token = headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
        Ok(Self {
            access_key_id: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: field("Signature")?.to_owned(),
            session_token: token.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Credential, Unidentified};

    fn headers(authorization: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static(authorization));
        headers
    }

    #[test]
    fn reads_key_region_and_service() {
        let text =
            "AWS4-HMAC-SHA256 Credential=AKIA1/20260131/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=ab12";
        let credential = Credential::read(&headers(text)).unwrap();
        assert_eq!((credential.access_key_id.as_str(), credential.region.as_str()), ("AKIA1", "us-east-1"));
        assert_eq!((credential.service.as_str(), credential.signature.as_str()), ("dynamodb", "ab12"));
        assert_eq!(credential.signed_headers, ["host", "x-amz-date"]);
    }

    #[test]
    fn tells_a_missing_header_from_a_malformed_one() {
        assert_eq!(Credential::read(&HeaderMap::new()), Err(Unidentified::Missing));
        for text in ["Bearer x", "AWS4-HMAC-SHA256 Credential=AKIA1/us-east-1, SignedHeaders=host, Signature=a", "AWS4-HMAC-SHA256"] {
            assert_eq!(Credential::read(&headers(text)), Err(Unidentified::Malformed), "{text}");
        }
    }
}
