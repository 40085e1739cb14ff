//! New tensors, copies and conversions.

pub(crate) mod copy;
pub(crate) mod range;

pub use copy::*;
pub use range::*;

flambeau_macros::operations! {}
