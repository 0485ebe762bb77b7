//! The settings of keys: of tokens, of tickets, of the signature on requests to the backend.

use ring::hmac;

use crate::contract::{default, env};
use crate::jose::{Algorithm, Keys};
use crate::secret::Secret;

use super::{Reader, is_private};

/// The shortest key of tickets and signatures, in bytes: as long as the hash.
const SHORTEST_KEY: usize = 32;

/// Where the keys of tokens come from.
pub(crate) enum TokenKeys {
    /// The environment itself.
    Inline(Keys),
    /// A store of AWS.
    Stored(Algorithm, Reference),
    /// The issuer's JWK Set at this URL.
    Issuer(Algorithm, String),
}

/// Where the keys of tickets come from.
pub(crate) enum TicketKeys {
    /// The environment itself.
    Inline(Vec<hmac::Key>),
    /// A store of AWS.
    Stored(Reference),
}

/// A secret in a store of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A parameter of Systems Manager.
    Ssm(String),
    /// A secret of Secrets Manager; `member`: which member of the JSON object that it is.
    SecretsManager { id: String, member: Option<String> },
}

impl Reference {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("ssm", name) if !name.is_empty() => Some(Self::Ssm(name.to_owned())),
            ("secretsmanager", secret) => {
                let (id, member) = secret.split_once('#').map_or((secret, None), |(id, member)| (id, Some(member)));
                let good = !id.is_empty() && member.is_none_or(|member| !member.is_empty());
                good.then(|| Self::SecretsManager { id: id.to_owned(), member: member.map(str::to_owned) })
            }
            _ => None,
        }
    }
}

/// What keys for HMAC cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("has more than two keys")]
    Many,
    #[error("has a key shorter than {SHORTEST_KEY} bytes")]
    Short,
}

/// One key, or two separated by a comma while they are changed.
pub(crate) fn hmac_keys(text: &str) -> Result<Vec<hmac::Key>, KeyError> {
    let keys: Vec<&str> = parts(text).collect();
    if keys.len() > 2 {
        return Err(KeyError::Many);
    }
    if keys.is_empty() || keys.iter().any(|key| key.len() < SHORTEST_KEY) {
        return Err(KeyError::Short);
    }
    Ok(keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).collect())
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl Reader<'_> {
    /// The keys of tokens; exactly one source. `needed`: tokens are accepted at all.
    pub(super) fn token_keys(&mut self, needed: bool) -> Option<TokenKeys> {
        const SOURCES: [&str; 4] = [env::JWT_SECRET, env::JWT_SECRET_REF, env::JWKS, env::JWKS_URL];
        let algorithm = self.algorithm()?;
        let set: Vec<(&str, Secret)> = SOURCES.iter().filter_map(|name| Some((*name, self.secret(name)?))).collect();
        let (name, value) = match set.as_slice() {
            [] if needed => return self.refuse(env::JWT_SECRET, "is not set, nor is JWT_SECRET_REF, WSFIX_JWKS or WSFIX_JWKS_URL"),
            [] => return None,
            [(name, value)] => (*name, value.expose()),
            [(first, _), (second, _), ..] => return self.refuse(second, &format!("is set, and {first} too: set one of them")),
        };
        let for_secrets = name == env::JWT_SECRET || name == env::JWT_SECRET_REF;
        if for_secrets != algorithm.has_secret() {
            let needs = if for_secrets { "a public key" } else { "a shared secret" };
            return self.refuse(name, &format!("does not fit: {algorithm} needs {needs}"));
        }
        match name {
            env::JWT_SECRET => match Keys::from_secret(algorithm, value) {
                Ok(keys) => Some(TokenKeys::Inline(keys)),
                Err(why) => self.refuse(name, &format!("is {why}")),
            },
            env::JWT_SECRET_REF => self.reference(name, value).map(|reference| TokenKeys::Stored(algorithm, reference)),
            env::JWKS => match Keys::from_public(algorithm, value) {
                Ok(keys) => Some(TokenKeys::Inline(keys)),
                Err(why) => self.refuse(name, &format!("is of no use: {why}")),
            },
            _ => self.issuer(value).map(|url| TokenKeys::Issuer(algorithm, url)),
        }
    }

    fn algorithm(&mut self) -> Option<Algorithm> {
        let name = self.text(env::JWT_ALGORITHM).unwrap_or_else(|| default::JWT_ALGORITHM.to_owned());
        Algorithm::named(&name).or_else(|| {
            let known = Algorithm::ALL.map(Algorithm::name).join(", ");
            self.refuse(env::JWT_ALGORITHM, &format!("is none of {known}"))
        })
    }

    fn reference(&mut self, name: &str, text: &str) -> Option<Reference> {
        let forms = "is neither `ssm:NAME` nor `secretsmanager:ID`, nor `secretsmanager:ID#MEMBER`";
        Reference::parse(text).or_else(|| self.refuse(name, forms))
    }

    /// A URL whose answer nobody on the way can change.
    fn issuer(&mut self, text: &str) -> Option<String> {
        let url: Option<http::Uri> = text.parse().ok();
        let good = url.is_some_and(|url| {
            let plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@')) && !text.contains('#');
            plain && is_private(url.scheme_str().unwrap_or_default(), url.host().unwrap_or_default())
        });
        if good {
            Some(text.to_owned())
        } else {
            self.refuse(env::JWKS_URL, "is not an https URL without user name (http is for loopback only)")
        }
    }

    /// The keys of tickets; one source. `needed`: tickets are accepted at all.
    pub(super) fn ticket_keys(&mut self, needed: bool) -> Option<TicketKeys> {
        match (self.secret(env::TICKET_KEY), self.text(env::TICKET_KEY_REF)) {
            (Some(_), Some(_)) => self.refuse(env::TICKET_KEY_REF, "is set, and WSFIX_TICKET_KEY too: set one of them"),
            (None, None) if needed => self.refuse(env::TICKET_KEY, "is not set, nor is WSFIX_TICKET_KEY_REF"),
            (None, None) => None,
            (None, Some(reference)) => self.reference(env::TICKET_KEY_REF, &reference).map(TicketKeys::Stored),
            (Some(keys), None) => self.own_keys(env::TICKET_KEY, keys.expose(), &[env::JWT_SECRET]).map(TicketKeys::Inline),
        }
    }

    /// The keys of the signature on requests to the backend; none: they are not signed.
    pub(super) fn signing_keys(&mut self) -> Vec<hmac::Key> {
        let Some(keys) = self.secret(env::SIGNING_KEY) else { return Vec::new() };
        self.own_keys(env::SIGNING_KEY, keys.expose(), &[env::JWT_SECRET, env::TICKET_KEY]).unwrap_or_default()
    }

    /// Keys with a purpose of their own: who knows one must not be able to do what another one is for.
    fn own_keys(&mut self, name: &str, text: &str, others: &[&'static str]) -> Option<Vec<hmac::Key>> {
        for other in others {
            let theirs = self.secret(other);
            let same = |theirs: &str| parts(text).any(|key| key == theirs || parts(theirs).any(|their| key == their));
            if theirs.is_some_and(|theirs| same(theirs.expose())) {
                return self.refuse(name, &format!("is the same as {other}: each key has a purpose of its own"));
            }
        }
        match hmac_keys(text) {
            Ok(keys) => Some(keys),
            Err(why) => self.refuse(name, &why.to_string()),
        }
    }
}
