//! The common layer between operations and backends: promotion, broadcasting, allocation, overlap checks, in one place
//! and with PyTorch's messages.

mod index;
mod layout;
mod matmul;
mod moments;
mod nll;
mod normalize;
mod overlap;
mod pointwise;
mod reduce;
mod softmax;

pub use index::{arg_reduce, check_index, gather, index_select, nonzero, refuse_where, scan, scatter, sort};
pub use layout::preserved_strides;
pub use matmul::matmul;
pub use moments::moments;
pub use nll::{ClassWeights, Formula, nll, nll_backward};
pub use normalize::{NormFormulas, WeightPlace, normalize, normalize_backward};
pub use overlap::{check_no_internal_overlap, check_no_overlap, check_no_partial_overlap};
pub use pointwise::{
    common_dtype, copy_into, fill, pointwise, pointwise_into, pointwise_into_repeats, pointwise_lists,
};
pub use reduce::{ReduceArgs, reduce};
pub use softmax::{SoftmaxGradient, softmax, softmax_backward};

use crate::{Array, Error, Result};

/// Checks that all arrays lie on one device.
pub fn same_device(arrays: &[&Array]) -> Result<()> {
    let Some((first, rest)) = arrays.split_first() else { return Ok(()) };
    match rest.iter().find(|a| a.device() != first.device()) {
        Some(other) => Err(Error::DeviceMismatch { a: first.device(), b: other.device() }),
        None => Ok(()),
    }
}
