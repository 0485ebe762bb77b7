//! One binary for all tests that run the tool from the outside.

mod cli;
mod drift;
mod lifecycle;
mod support;
mod emulators;
mod layout;
