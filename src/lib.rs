//! wsfix: WebSockets for HTTP-only backends.
//!
//! Data flows one way: config -> desired -> observed -> plan -> apply -> outputs.
//!
//! | module | is | may import from the crate |
//! |---|---|---|
//! | [`contract`] | names that the tool and the handler share | nothing |
//! | [`secret`] | a value that cannot be printed | nothing |
//! | [`https`] | an HTTPS client | nothing |
//! | [`signature`] | the signature of requests to the backend | nothing |
//! | [`jose`] | keys, algorithms and signatures of tokens | nothing |
//! | [`policy`] | IAM policy documents and who they let do what | nothing |
//! | [`config`] | file, flags and environment into a valid `Config` | jose, contract, secret |
//! | [`provision`] | makes one AWS account match a `Config` | config, policy, jose, https, contract, secret |
//! | [`template`] | files to copy from, filled in from a `Config` | config, provision, contract |
//! | [`handler`] | one WebSocket event in, one response out | jose, signature, contract, secret |
//! | [`verify`] | speaks WebSocket to any URL, and HTTP to any backend | jose, signature, https, contract, secret |
//! | [`local`] | the local cloud: AWS as wsfix needs it, on loopback | policy, contract, secret |
//! | [`cli`] | flags in, words out | config, provision, template, verify, local, contract, secret |

pub mod contract;
pub mod secret;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
#[cfg(feature = "handler")]
pub mod handler;
#[cfg(feature = "cli")]
pub mod https;
#[cfg(any(feature = "cli", feature = "handler"))]
#[cfg_attr(not(feature = "handler"), allow(dead_code, unused_imports, reason = "the tool reads keys; the handler alone checks signatures"))]
pub mod jose;
#[cfg(feature = "cli")]
pub mod local;
#[cfg(feature = "cli")]
pub mod policy;
#[cfg(feature = "cli")]
pub mod provision;
#[cfg(any(feature = "cli", feature = "handler"))]
pub mod signature;
#[cfg(feature = "cli")]
pub mod template;
#[cfg(feature = "cli")]
pub mod verify;
