//! New tensors, copies and conversions.

pub(crate) mod constant;
pub(crate) mod copy;
pub(crate) mod memory_format;
pub(crate) mod options;
pub(crate) mod range;

pub use constant::*;
// `copy` has arrays' `empty` and `empty_like` besides.
pub(crate) use copy::contiguous_copy;
pub use copy::{ToTarget, clone, contiguous, copy_, fill, fill_, fill_diagonal_, to, to_device, to_dtype, zero_};
pub use memory_format::MemoryFormat;
pub use options::{Preset, TensorOptions, ToDevice, ToGenerator};
pub use range::*;

flambeau_macros::operations! {
    constant { full zeros ones empty eye full_like zeros_like ones_like empty_like new_full new_zeros new_ones new_empty }
    copy { clone to contiguous copy_ fill fill_ fill_diagonal_ zero_ }
    range { arange linspace logspace }
}
