//! One binary for all tests that run the tool from the outside.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod cli;
mod commands;
mod drift;
mod emulators;
mod faults;
mod layout;
mod lifecycle;
mod restricted;
mod support;
mod tool;
