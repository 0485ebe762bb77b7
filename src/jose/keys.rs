//! What the tokens of a configuration are checked with.

use ring::hmac;

use super::jwk::{self, Jwk, JwksError, PublicKey, Read};
use super::{Algorithm, SecretError};

/// Keys of one algorithm.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    algorithm: Algorithm,
    held: Held,
}

#[derive(Clone, Debug)]
enum Held {
    /// One of them must fit.
    Secrets(Vec<hmac::Key>),
    /// The key of every token, whatever name it gives.
    One(PublicKey),
    /// The token names its key.
    Set(Vec<Jwk>),
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// No key is meant, or two are.
    UnknownKey,
    /// The key does not fit.
    Signature,
}

impl Keys {
    /// From one secret, or from two while it is changed: [`super::secrets()`].
    pub(crate) fn from_secret(algorithm: Algorithm, text: &str) -> Result<Self, SecretError> {
        let hash = algorithm.hmac().ok_or(SecretError::Public(algorithm))?;
        let secrets = super::secrets(algorithm, text)?;
        let held = Held::Secrets(secrets.iter().map(|secret| hmac::Key::new(hash, secret.as_bytes())).collect());
        Ok(Self { algorithm, held })
    }

    /// From a public key or a set of them, as JSON.
    pub(crate) fn from_public(algorithm: Algorithm, text: &str) -> Result<Self, JwksError> {
        let held = match jwk::read(algorithm, text)? {
            Read::One(key) => Held::One(key.key),
            Read::Set(keys, why) if keys.is_empty() => return Err(JwksError::None { algorithm, why }),
            Read::Set(keys, _) => Held::Set(keys),
        };
        Ok(Self { algorithm, held })
    }

    /// The only `alg` that a token may have.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks a signature. `name`: the token's `kid`.
    ///
    /// In a set, a token with a name is checked with the key of this name, if there is just one, and a token without a name where the set
    /// has one key only. Keys without a name serve only the latter.
    pub(crate) fn verify(&self, name: Option<&str>, signed: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        let fits = match &self.held {
            Held::Secrets(keys) => keys.iter().any(|key| hmac::verify(key, signed, signature).is_ok()),
            Held::One(key) => key.verifies(signed, signature),
            Held::Set(keys) => {
                let mut meant = keys.iter().filter(|key| name.is_none() || key.name.as_deref() == name);
                match (meant.next(), meant.next()) {
                    (Some(only), None) => only.key.verifies(signed, signature),
                    (None, _) | (Some(_), Some(_)) => return Err(Rejection::UnknownKey),
                }
            }
        };
        if fits { Ok(()) } else { Err(Rejection::Signature) }
    }
}

#[cfg(test)]
impl Keys {
    /// A secret of any bytes, as published examples have.
    pub(crate) fn from_bytes(algorithm: Algorithm, secret: &[u8]) -> Self {
        let hash = algorithm.hmac().expect("an algorithm with a secret");
        Self { algorithm, held: Held::Secrets(vec![hmac::Key::new(hash, secret)]) }
    }
}
