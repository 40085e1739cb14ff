//! Parts replaced in a copy, and dimensions added: select_scatter, slice_scatter, unflatten, atleast_nd.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::{clone, select, slice, unsqueeze, view};
use flambeau_macros::op;
use flambeau_tensor::Array;
use flambeau_tensor::dims::wrap_dim;
use smallvec::smallvec;

/// A copy of `x` with `src` in the part that `part` shows.
fn part_scatter(
    name: &'static str,
    x: &Tensor,
    src: &Tensor,
    array_part: impl Fn(&Array) -> Result<Array>,
    part: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let out = x.array().copy()?;
    let into = array_part(&out)?;
    if *src.size() != *into.shape() {
        return Err(Error::runtime(format!(
            "expected src to have a size equal to the slice of self. src size = {:?}, slice size = {:?}",
            &src.size()[..],
            into.shape()
        )));
    }
    flambeau_tensor::ops::copy_into(&src.array(), &into)?;
    let dtype = src.dtype();
    Ok(record(name, &[x, src], &[], out, move |c| {
        let grad = c.grad(0)?;
        let own = || {
            let own = clone(&grad)?;
            crate::ops::zero_(&part(&own)?)?;
            Ok::<_, Error>(own)
        };
        let src = c.needs(1).then(|| crate::ops::to_dtype(&part(&grad)?, dtype)).transpose()?;
        Ok(smallvec![c.needs(0).then(own).transpose()?, src])
    }))
}

/// A copy of x in which `src` stands in place of one line along `dim`: `torch.select_scatter`. `src` has the shape of
/// `x.select(dim, index)`.
///
/// ```
/// let (x, src) = (torch::zeros([2, 2]), torch::tensor([1.0, 2.0]));
/// assert_eq!(x.select_scatter(&src, 0, 1).to_vec::<f32>(), [0.0, 0.0, 1.0, 2.0]);
/// ```
#[op(torch, method)]
pub fn select_scatter(x: &Tensor, src: &Tensor, dim: i64, index: i64) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size().get(d).copied().unwrap_or(0) as i64;
    if index < -n || index >= n {
        return Err(Error::index(format!(
            "select(): index {index} out of range for tensor of size {:?} at dimension {d}",
            &x.size()[..]
        )));
    }
    let array_part = move |a: &Array| Ok(a.select(dim, index)?);
    part_scatter("SelectScatterBackward0", x, src, array_part, move |t| select(t, dim, index))
}

/// A copy of x in which `src` stands in `[start:end:step]` along `dim`: `torch.slice_scatter`. `src` has the shape of
/// `x.slice(dim, start, end, step)`.
///
/// ```
/// let (x, src) = (torch::zeros([5]), torch::tensor([1.0, 2.0]));
/// assert_eq!(x.slice_scatter(&src, 0, 0, 4, 2).to_vec::<f32>(), [1.0, 0.0, 2.0, 0.0, 0.0]);
/// ```
#[op(torch, method)]
pub fn slice_scatter(
    x: &Tensor,
    src: &Tensor,
    dim: i64,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> Result<Tensor> {
    let array_part = move |a: &Array| Ok(a.slice(dim, start, end, step)?);
    part_scatter("SliceScatterBackward0", x, src, array_part, move |t| slice(t, dim, start, end, step))
}

/// A copy of x in which `src` stands on a diagonal: `torch.diagonal_scatter`. `src` has the shape of
/// `x.diagonal_dims(offset, dim1, dim2)`.
///
/// ```
/// let (x, src) = (torch::zeros([2, 2]), torch::tensor([1.0, 2.0]));
/// assert_eq!(x.diagonal_scatter(&src).to_vec::<f32>(), [1.0, 0.0, 0.0, 2.0]);
/// ```
#[op(torch, method, default(offset = 0, dim1 = 0, dim2 = 1))]
pub fn diagonal_scatter(x: &Tensor, src: &Tensor, offset: i64, dim1: i64, dim2: i64) -> Result<Tensor> {
    let array_part = move |a: &Array| Ok(a.diagonal(offset, dim1, dim2)?);
    part_scatter("DiagonalScatterBackward0", x, src, array_part, move |t| crate::ops::diagonal(t, offset, dim1, dim2))
}

/// The dimension `dim` as several, of the lengths `sizes`, one of which may be −1: `torch.unflatten`. A view;
/// [`flatten`](crate::ops::flatten()) is the reverse.
///
/// # Errors
/// Where `sizes` is empty or does not multiply up to the length of the dimension.
///
/// ```
/// let x = torch::zeros([2, 12]);
/// assert_eq!(x.unflatten(1, [3, -1]).size(), [2, 3, 4]);
/// ```
#[op(torch, method)]
pub fn unflatten(x: &Tensor, dim: i64, sizes: &[i64]) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    if sizes.is_empty() {
        return Err(Error::runtime("unflatten: sizes must be non-empty"));
    }
    let own = x.size();
    let Some(&n) = own.get(d) else {
        return Err(Error::index(format!("Dimension specified as {dim} but tensor has no dimensions")));
    };
    let inferred = flambeau_tensor::dims::infer_shape(sizes, n).map_err(|_| {
        Error::runtime(format!(
            "unflatten: Provided sizes {sizes:?} don't multiply up to the size of dim {d} ({n}) in the input tensor"
        ))
    })?;
    let shape: Vec<i64> = own[..d].iter().chain(&inferred).chain(&own[d + 1..]).map(|&n| n as i64).collect();
    view(x, &shape)
}

/// The tensor, with one dimension where it has none: `torch.atleast_1d`.
///
/// ```
/// assert_eq!(torch::tensor(5.0).atleast_1d().size(), [1]);
/// ```
#[op(torch, method)]
pub fn atleast_1d(x: &Tensor) -> Result<Tensor> {
    if x.dim() == 0 { view(x, &[1]) } else { Ok(x.shallow_clone()) }
}

/// The tensor with at least two dimensions, new ones in front: `torch.atleast_2d`.
///
/// ```
/// assert_eq!(torch::tensor([1, 2, 3]).atleast_2d().size(), [1, 3]);
/// ```
#[op(torch, method)]
pub fn atleast_2d(x: &Tensor) -> Result<Tensor> {
    match x.dim() {
        0 => view(x, &[1, 1]),
        1 => unsqueeze(x, 0),
        _ => Ok(x.shallow_clone()),
    }
}

/// The tensor with at least three dimensions; a vector lies along the second, a matrix along the first two: `torch.atleast_3d`.
///
/// ```
/// assert_eq!(torch::tensor([1, 2, 3]).atleast_3d().size(), [1, 3, 1]);
/// assert_eq!(torch::zeros([2, 3]).atleast_3d().size(), [2, 3, 1]);
/// ```
#[op(torch, method)]
pub fn atleast_3d(x: &Tensor) -> Result<Tensor> {
    match x.dim() {
        0 => view(x, &[1, 1, 1]),
        1 => unsqueeze(&unsqueeze(x, 0)?, -1),
        2 => unsqueeze(x, -1),
        _ => Ok(x.shallow_clone()),
    }
}
