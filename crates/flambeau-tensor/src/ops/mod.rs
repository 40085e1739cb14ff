//! The common layer between operations and backends: promotion, broadcasting, allocation, overlap checks, in one place
//! and with PyTorch's messages.

mod index;
mod layout;
mod matmul;
mod pointwise;
mod reduce;

pub use index::{arg_reduce, gather, index_select, nonzero, scan, scatter, softmax, sort};
pub use layout::preserved_strides;
pub use matmul::matmul;
pub use pointwise::{copy_into, fill, pointwise, pointwise_into};
pub use reduce::{ReduceArgs, reduce};

use crate::{Array, Error, Result};

/// Checks that all arrays lie on one device.
pub fn same_device(arrays: &[&Array]) -> Result<()> {
    let Some((first, rest)) = arrays.split_first() else { return Ok(()) };
    match rest.iter().find(|a| a.device() != first.device()) {
        Some(other) => Err(Error::DeviceMismatch { a: first.device(), b: other.device() }),
        None => Ok(()),
    }
}
