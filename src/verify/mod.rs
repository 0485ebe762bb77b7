//! Speaks WebSocket to any URL, and HTTP to any backend: steps with evidence.
//!
//! Browsers hide why a handshake was refused; this client keeps the status, the body, the close code and the times.

pub mod backend;
pub mod causes;
pub mod check;
pub mod checks;
pub mod client;
pub mod doctor;
pub mod network;
pub mod token;
pub mod upgrade;

pub use client::{Failure, Received, Socket, Target};
pub use token::{mint, ticket};
pub use upgrade::Answer;
