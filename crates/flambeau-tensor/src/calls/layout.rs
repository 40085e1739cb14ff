//! What may be written through a view.

use crate::{Array, Error, Result};

/// Checks that no two elements of a view that is to be written share a place in memory.
pub(crate) fn check_writable(out: &Array) -> Result<()> {
    if out.is_contiguous() || out.is_non_overlapping() {
        return Ok(());
    }
    Err(Error::runtime(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please \
         clone() the tensor before performing the operation.",
    ))
}
