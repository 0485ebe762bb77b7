//! One binary for all tests that run the tool from the outside.

mod drift;
mod faults;
mod lifecycle;
mod restricted;
mod support;
