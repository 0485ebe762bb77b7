//! One binary for all tests that run the tool from the outside.

mod cli;
mod drift;
mod emulators;
mod faults;
mod layout;
mod lifecycle;
mod restricted;
mod support;
