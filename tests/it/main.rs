//! One binary for all tests that run the tool from the outside.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on says so")]
#![allow(clippy::wildcard_enum_match_arm, reason = "from the outside, the events are not exhaustive")]
#![allow(unreachable_pub, reason = "a binary has no outside")]

mod accounts;
mod adoption;
mod backends;
mod browser;
mod cli;
mod commands;
mod contract;
mod doctor;
mod drift;
mod emulators;
mod env;
mod examples;
mod handler;
mod init;
mod layout;
mod lifecycle;
mod logging;
mod logs;
mod pipelines;
mod preflight;
mod reliability;
mod request;
mod restricted;
mod roles;
mod status;
mod support;
mod templates;
mod tokens;
mod tool;
mod verify;
