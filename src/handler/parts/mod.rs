//! Messages that are too large for one frame, in both directions: numbered parts of one text.

mod join;
mod split;

pub(super) use join::{Part, join};
pub(super) use split::{LARGEST_FRAME, split};

#[cfg(test)]
mod tests;
