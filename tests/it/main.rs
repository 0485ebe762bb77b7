//! The tests that need the built binaries, other servers or the whole tree.

mod emulators;
mod layout;
