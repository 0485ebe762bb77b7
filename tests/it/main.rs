//! One binary for all tests that run the tool from the outside.

mod cli;
mod drift;
mod emulators;
mod layout;
mod lifecycle;
mod support;
