//! Sums and means.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops;
use crate::ops::{sum_map, to_i64};
use flambeau_macros::op;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Scalar};

/// The sum Σx over the dimensions `dim` (empty: all): `torch.sum`. Integers and bools sum in int64. With `keepdim` the
/// dimensions stay with length 1.
///
/// ```
/// let x = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.sum().item(), 10.0);
/// assert_eq!(x.sum_dim(0, false).to_vec::<f32>(), [4.0, 6.0]);
/// ```
#[op(torch, method, cast_gpu = Float32Result, forms(
    sum() = (&[], false, None),
    sum_dim(dim: &[i64], keepdim: bool) = (dim, keepdim, None),
))]
pub fn sum(x: &Tensor, dim: &[i64], keepdim: bool, dtype: Option<DType>) -> Result<Tensor> {
    if dtype == Some(DType::Bool) {
        // Truth values add as "or" does.
        return ops::any(&ops::to_dtype(x, DType::Bool)?, (!dim.is_empty()).then_some(dim), keepdim);
    }
    let name = if dim.is_empty() { "SumBackward0" } else { "SumBackward1" };
    sum_map(name, None, &[x], &[], dim, keepdim, dtype)
}

/// The mean Σx / n over the dimensions `dim` (empty: all): `torch.mean`. With `keepdim` the dimensions stay with length 1.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.mean().item(), 2.5);
/// assert_eq!(x.mean_dim(1, true).to_vec::<f32>(), [1.5, 3.5]);
/// ```
#[op(torch, method, forms(
    mean() = (&[], false, None),
    mean_dim(dim: &[i64], keepdim: bool) = (dim, keepdim, None),
))]
pub fn mean(x: &Tensor, dim: &[i64], keepdim: bool, dtype: Option<DType>) -> Result<Tensor> {
    check_mean(x.dtype(), dtype)?;
    let name = if dim.is_empty() { "MeanBackward0" } else { "MeanBackward1" };
    mean_map(name, None, &[x], &[], dim, keepdim, dtype)
}

/// Refuses a mean whose result, of the input's dtype or the wanted one, is no float.
pub(crate) fn check_mean(input: DType, wanted: Option<DType>) -> Result<()> {
    let result = wanted.unwrap_or(input);
    if !result.is_floating_point() {
        let problem = if wanted.is_some() { "Optional" } else { "Input" };
        return Err(flambeau_tensor::Error::NotImplemented(format!(
            "mean(): could not infer output dtype. {problem} dtype must be either a floating point or complex dtype. Got: {}",
            result.scalar_type_name()
        ))
        .into());
    }
    Ok(())
}

/// The mean of a program over `dims`: one sum, scaled.
pub(crate) fn mean_map(
    name: &'static str,
    program: Option<&'static Pointwise>,
    inputs: &[&Tensor],
    scalars: &[Scalar],
    dims: &[i64],
    keepdim: bool,
    dtype: Option<DType>,
) -> Result<Tensor> {
    let arrays = ops::Arrays::of(inputs);
    let shape =
        arrays.refs()[1..].iter().try_fold(arrays.refs()[0].shape().into(), |s: flambeau_tensor::Dims, a| {
            flambeau_tensor::dims::broadcast_shapes(&s, a.shape())
        })?;
    let reduced = flambeau_tensor::dims::wrap_dims(dims, shape.len())?;
    let n: usize = reduced.iter().map(|&d| shape[d]).product();
    ops::map::divided_sum_map(name, program, inputs, scalars, dims, keepdim, dtype, Some(n))
}

/// Sums to a smaller shape that broadcasts to the tensor's own: `x.sum_to_size(size)`. It is what the gradient of a broadcast
/// needs.
///
/// # Errors
/// When the shape does not broadcast to the tensor's.
///
/// ```
/// let x = torch::ones([2, 3]);
/// assert_eq!(x.sum_to_size([1, 3]).to_vec::<f32>(), [2.0, 2.0, 2.0]);
/// ```
#[op(method)]
pub fn sum_to_size(x: &Tensor, size: &[usize]) -> Result<Tensor> {
    let from = x.size();
    if size.is_empty() {
        return sum(x, &[], false, None);
    }
    let new = from.len().checked_sub(size.len()).ok_or_else(|| not_summable(&from, size))?;
    let mut dims = Vec::new();
    for (d, &n) in from.iter().enumerate() {
        let to = d.checked_sub(new).map_or(1, |i| size[i]);
        match (n, to) {
            _ if d < new => dims.push(d as i64),
            (n, to) if n == to => {}
            (_, 1) => dims.push(d as i64),
            _ => return Err(not_summable(&from, size)),
        }
    }
    if dims.is_empty() {
        return Ok(x.shallow_clone());
    }
    if dims.len() == new && !crate::is_grad_enabled() {
        // No view of the sum: the engine gives a tensor that nobody shares to the leaf as it is.
        return sum(x, &dims, false, None);
    }
    let out = sum(x, &dims, true, None)?;
    if new == 0 { Ok(out) } else { ops::view(&out, &to_i64(size)) }
}

fn not_summable(from: &[usize], to: &[usize]) -> Error {
    Error::runtime(format!("size {{{to:?}}} is not expandable to size {{{from:?}}}."))
}
