//! Which dtypes losses take, what their results have, and which arguments may require a gradient: in PyTorch's words.
//!
//! Losses that one kernel computes promote as arithmetic does and refuse integers. Losses that are composed of arithmetic take
//! what it takes. Some keep the dtype of one argument and refuse others that do not convert to it.

use crate::error::{Error, Result};
pub(crate) use crate::ops::pointwise::binary::{common_dtype_of as common_dtype, difference, only_floats as floats};
use crate::ops::pointwise::unary::check;
pub(crate) use crate::ops::reduce::sum::check_mean;
use crate::{Tensor, warn};
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::pointwise::{Pointwise, UnaryOp};
use flambeau_tensor::promotion::{ResultType, can_cast};
use flambeau_tensor::{DType, Error as ArrayError, Scalar};

/// The dtype of a program's result.
pub(crate) fn result_dtype(program: &Pointwise, tensors: &[&Tensor], scalars: &[Scalar]) -> DType {
    let result = tensors.iter().fold(ResultType::default(), |r, t| r.tensor(t.dtype(), t.dim()));
    program.dtypes(scalars.iter().fold(result, |r, &s| r.number(s)).finish()).1
}

/// Refuses bools where a negative is taken.
pub(crate) fn negative(x: &Tensor) -> Result<()> {
    check(x.dtype(), UnaryOp::Neg)
}

/// Refuses a result that is written to a tensor of a dtype which cannot hold it.
pub(crate) fn written(result: DType, to: DType) -> Result<()> {
    match can_cast(result, to) {
        true => Ok(()),
        false => Err(ArrayError::ResultCast { from: result, to }.into()),
    }
}

/// Refuses a weight of another dtype than the input's.
pub(crate) fn same_scalar_type(x: &Tensor, weight: &Tensor) -> Result<()> {
    match x.dtype() == weight.dtype() {
        true => Ok(()),
        false => Err(Error::runtime(format!(
            "expected scalar type {} but found {}",
            x.dtype().scalar_type_name(),
            weight.dtype().scalar_type_name()
        ))),
    }
}

/// Refuses a gradient that PyTorch does not have.
pub(crate) fn without_gradient(function: &str, argument: &str, tensor: Option<&Tensor>) -> Result<()> {
    match tensor.is_some_and(Tensor::requires_grad) {
        false => Ok(()),
        true => Err(Error::runtime(format!(
            "The function '{function}' is not differentiable with respect to argument '{argument}'. This input cannot have \
             requires_grad True."
        ))),
    }
}

/// Refuses sizes that do not broadcast, the first of which is named first.
pub(crate) fn broadcast(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.size() != b.size() {
        broadcast_shapes(&a.size(), &b.size())?;
    }
    Ok(())
}

/// Refuses a factor that would make a loss of a shape larger, since PyTorch multiplies in place.
pub(crate) fn in_place(shape: &[usize], factor: &Tensor) -> Result<()> {
    let of = factor.size();
    match broadcast_shapes(shape, &of) {
        Ok(all) if *all != *shape => {
            Err(Error::runtime(format!("output with shape {shape:?} doesn't match the broadcast shape {:?}", &all[..])))
        }
        _ => Ok(()),
    }
}

/// Warns, once per place, where input and target broadcast.
#[track_caller]
pub(crate) fn warn_of_broadcast(x: &Tensor, target: &Tensor) {
    if x.size() != target.size() {
        warn(&format!(
            "Using a target size ({}) that is different to the input size ({}). This will likely lead to incorrect results due to \
             broadcasting. Please ensure they have the same size.",
            target.size(),
            x.size()
        ));
    }
}

/// How many samples and classes an input of `[n, C]`, `[C]` or `[]` has.
pub(crate) fn samples_and_classes(x: &Tensor) -> Result<(usize, usize)> {
    let size = x.size();
    match *size {
        [] => Ok((1, 1)),
        [c] if c > 0 => Ok((1, c)),
        [n, c] if c > 0 => Ok((n, c)),
        _ => Err(Error::runtime(format!(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: {:?}",
            &*size
        ))),
    }
}
