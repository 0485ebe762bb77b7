//! Keys, algorithms and signatures of tokens (JOSE, RFC 7515 to 7519): how they are read and judged, by the tool and by the handler alike.
//!
//! Has no network and no clock. Only what a signature is checked with is here; what a token must say is the handler's.

mod algorithm;
mod json;
mod jwk;
mod keys;
mod secrets;

pub use algorithm::Algorithm;
#[cfg(feature = "handler")]
pub(crate) use json::object;
#[cfg(feature = "cli")]
pub(crate) use jwk::compact;
pub(crate) use jwk::{JwksError, LARGEST_SET};
#[cfg(any(feature = "handler", test))]
pub(crate) use keys::{Keys, Rejection};
pub(crate) use secrets::{SecretError, secrets};
