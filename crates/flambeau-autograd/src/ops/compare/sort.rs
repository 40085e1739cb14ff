//! Order along a dimension: sort, topk, kthvalue, median.

use crate::error::{Error, Result};
use crate::ops::compare::selection::kth_places;
use crate::ops::index::lines::{at_least_1d, picked};
use crate::ops::reduce::extrema::shared;
use crate::ops::{eq, gather, isnan, reshape, select, sum, to_i64, where_};
use crate::{Tensor, no_grad};
use flambeau_macros::op;
use flambeau_tensor::Array;
use flambeau_tensor::backend::Extremum;
use flambeau_tensor::dims::wrap_dim;

/// The first k values along `dim` and where they stand, as arrays of x's rank.
fn first_k(x: &Tensor, d: usize, k: usize, descending: bool) -> Result<(Array, Array)> {
    let first = if descending { Extremum::Max } else { Extremum::Min };
    let (values, indices) = flambeau_tensor::ops::sort(first, &at_least_1d(&x.array())?, d, k)?;
    if x.dim() > 0 {
        return Ok((values, indices));
    }
    Ok((values.view(&[])?, indices.view(&[])?))
}

/// Values in order along `dim`, and the indices where they stood: `torch.sort`. NaN counts as the largest. The order of equals is
/// always kept; `stable` (PyTorch's keyword) only chooses the gradient function's name.
///
/// ```
/// let (values, indices) = torch::tensor([3.0, 1.0, 2.0]).sort();
/// assert_eq!(values.to_vec::<f32>(), [1.0, 2.0, 3.0]);
/// assert_eq!(indices.to_vec::<i64>(), [1, 2, 0]);
/// ```
#[op(torch, method, forms(
    sort() = (-1, false, None),
    sort_dim(dim: i64, descending: bool) = (dim, descending, None),
    sort_stable(dim: i64, descending: bool, stable: bool) = (dim, descending, Some(stable)),
),
    default(dim = -1, descending = false)
)]
pub fn sort(x: &Tensor, dim: i64, descending: bool, stable: Option<bool>) -> Result<(Tensor, Tensor)> {
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size().get(d).copied().unwrap_or(1);
    let (values, indices) = first_k(x, d, n, descending)?;
    let name = if stable.is_some() { "SortBackward1" } else { "SortBackward0" };
    Ok(picked(name, x, dim, false, values, indices))
}

/// The indices that put values in order along `dim`, those of [`sort`]: `torch.argsort`.
///
/// ```
/// assert_eq!(torch::tensor([3.0, 1.0, 2.0]).argsort_dim(-1, true).to_vec::<i64>(), [0, 2, 1]);
/// ```
#[op(torch, method, not_differentiable, forms(
    argsort() = (-1, false),
    argsort_dim(dim: i64, descending: bool) = (dim, descending),
))]
pub fn argsort(x: &Tensor, dim: i64, descending: bool) -> Result<Tensor> {
    Ok(sort(&x.detach(), dim, descending, None)?.1)
}

/// Values in ascending order along the first dimension: `torch.msort`.
///
/// ```
/// let x = torch::tensor([[3.0, 1.0], [2.0, 4.0]]);
/// assert_eq!(x.msort().to_vec::<f32>(), [2.0, 1.0, 3.0, 4.0]);
/// ```
#[op(torch, method)]
pub fn msort(x: &Tensor) -> Result<Tensor> {
    Ok(sort(x, 0, false, None)?.0)
}

/// The k largest (or smallest) values along `dim`, in order, and their indices: `torch.topk`. The short form takes the largest
/// along the last dimension. PyTorch's `sorted = false` allows any order; this one is always sorted.
///
/// # Errors
/// When there are fewer than k values.
///
/// ```
/// let (values, indices) = torch::tensor([3.0, 1.0, 4.0, 2.0]).topk(2);
/// assert_eq!(values.to_vec::<f32>(), [4.0, 3.0]);
/// assert_eq!(indices.to_vec::<i64>(), [2, 0]);
/// ```
#[op(torch, method, forms(
    topk(k: i64) = (k, -1, true),
    topk_dim(k: i64, dim: i64, largest: bool) = (k, dim, largest),
),
    default(dim = -1, largest = true)
)]
pub fn topk(x: &Tensor, k: i64, dim: i64, largest: bool) -> Result<(Tensor, Tensor)> {
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size().get(d).copied().unwrap_or(1);
    if k < 0 || k as usize > n {
        return Err(Error::runtime("selected index k out of range"));
    }
    let (values, indices) = match (x.dim(), k) {
        // A zero-dimensional tensor has one value; none of it makes an empty vector.
        (0, 0) => {
            let array = at_least_1d(&x.array())?;
            flambeau_tensor::ops::sort(Extremum::Max, &array, 0, 0)?
        }
        _ => first_k(x, d, k as usize, largest)?,
    };
    Ok(picked("TopkBackward0", x, dim, false, values, indices))
}

/// Picks from sorted values at `place` (one per line, with the dimension kept), and drops the dimension unless `keepdim`.
fn at_place(
    name: &'static str,
    x: &Tensor,
    d: usize,
    keepdim: bool,
    place: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let dim = d as i64;
    let n = x.size().get(d).copied().unwrap_or(1);
    let (values, indices) = {
        let _guard = no_grad();
        let (values, indices) = first_k(x, d, n, false)?;
        let (values, indices) = (Tensor::from(values), Tensor::from(indices));
        let place = place(&values)?;
        (gather(&values, dim, &place)?, gather(&indices, dim, &place)?)
    };
    finish(name, x, dim, keepdim, values, indices)
}

/// Records what was selected, without the dimension unless it is kept.
fn finish(
    name: &'static str,
    x: &Tensor,
    dim: i64,
    keepdim: bool,
    values: Tensor,
    indices: Tensor,
) -> Result<(Tensor, Tensor)> {
    let dropped = !keepdim && x.dim() > 0;
    let drop = |t: Tensor| if dropped { select(&t, dim, 0) } else { Ok(t) };
    let (values, indices) = (drop(values)?.array().copy()?, drop(indices)?.array().copy()?);
    Ok(picked(name, x, dim, dropped, values, indices))
}

/// The shape of x with one line along `d`.
fn one_line(x: &Tensor, d: usize) -> Vec<usize> {
    let mut shape = x.size().to_vec();
    if let Some(n) = shape.get_mut(d) {
        *n = 1;
    }
    shape
}

/// The k-th smallest value (from 1) along `dim`, and its index: `torch.kthvalue`.
///
/// # Errors
/// When k is not one of 1 … the dimension's size.
///
/// ```
/// let (value, index) = torch::tensor([3.0, 1.0, 4.0, 2.0]).kthvalue(2);
/// assert_eq!((value.item(), index.item()), (2.0, 3.0));
/// ```
#[op(torch, method, forms(
    kthvalue(k: i64) = (k, -1, false),
    kthvalue_dim(k: i64, dim: i64, keepdim: bool) = (k, dim, keepdim),
))]
pub fn kthvalue(x: &Tensor, k: i64, dim: i64, keepdim: bool) -> Result<(Tensor, Tensor)> {
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size().get(d).copied().unwrap_or(1);
    if n == 0 {
        return Err(Error::index(format!("kthvalue(): Expected reduction dim {d} to have non-zero size.")));
    }
    if k < 1 || k as usize > n {
        return Err(Error::runtime(format!("kthvalue(): selected number k out of range for dimension {d}")));
    }
    if x.device().is_cpu() {
        let indices = Tensor::from(kth_places(x, d, k as usize - 1)?);
        return finish("KthvalueBackward0", x, d as i64, keepdim, gather(&x.detach(), d as i64, &indices)?, indices);
    }
    let shape = one_line(x, d);
    at_place("KthvalueBackward0", x, d, keepdim, |values| {
        crate::ops::full(&shape, k - 1, flambeau_tensor::DType::I64, values.device())
    })
}

/// The median along `dim`, the lower of the middle two, and its index: `torch.median(x, dim)`. NaN where any value is.
///
/// # Errors
/// When the dimension is empty.
///
/// ```
/// let (values, indices) = torch::tensor([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]]).median_dim(1, false);
/// assert_eq!(values.to_vec::<f32>(), [2.0, 5.0]);
/// assert_eq!(indices.to_vec::<i64>(), [2, 2]);
/// ```
#[op(torch, method, positional, default(keepdim = false))]
pub fn median_dim(x: &Tensor, dim: i64, keepdim: bool) -> Result<(Tensor, Tensor)> {
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size().get(d).copied().unwrap_or(1) as i64;
    if n == 0 {
        return Err(Error::index(format!("median(): Expected reduction dim {d} to have non-zero size.")));
    }
    let shape = to_i64(&one_line(x, d));
    at_place("MedianBackward1", x, d, keepdim, |values| {
        // Sorted, NaN stand last: the first of them, if there is one, comes after all numbers.
        let dims = if values.dim() == 0 { vec![] } else { vec![d as i64] };
        let nan = reshape(&sum(&isnan(values)?, &dims, true, None)?, &shape)?;
        let first_nan = crate::ops::rsub(&nan, n, 1)?;
        where_(&eq(&nan, 0)?, (n - 1) / 2, first_nan)
    })
}

/// The median of all elements, the lower of the middle two: `torch.median(x)`. NaN if any is, or where there are none. Equals
/// share the gradient.
///
/// ```
/// assert_eq!(torch::tensor([4.0, 1.0, 3.0, 2.0]).median().item(), 2.0);
/// ```
#[op(torch, method)]
pub fn median(x: &Tensor) -> Result<Tensor> {
    if x.numel() == 0 {
        return crate::ops::full(&[], f64::NAN, x.dtype(), x.device());
    }
    let value = {
        let _guard = no_grad();
        median_dim(&reshape(x, &[-1])?, 0, false)?.0
    };
    Ok(shared("MedianBackward0", x, value.array().clone()))
}
