//! Errors in PyTorch's words, at the line that called into the library.

use flambeau_autograd::{Error, OrPanic};

/// A `ValueError`.
#[track_caller]
pub(crate) fn value(message: impl Into<String>) -> ! {
    let _: () = Err(Error::value(message)).or_panic();
    unreachable!("an error panics")
}

/// Any other error: `NotImplementedError`, `AssertionError`.
#[track_caller]
pub(crate) fn other(message: impl Into<String>) -> ! {
    let _: () = Err(Error::runtime(message)).or_panic();
    unreachable!("an error panics")
}
