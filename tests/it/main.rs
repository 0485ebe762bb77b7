//! One binary for all tests that run the tool from the outside.

mod cli;
mod emulators;
mod layout;
