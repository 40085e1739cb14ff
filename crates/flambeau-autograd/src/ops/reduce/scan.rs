//! Running sums, products and extrema along a dimension.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::index::lines::{at_least_1d, picked};
use crate::ops::{
    cat, copy_, div, eq, flip, logical_and, logical_not, logical_xor, mul, narrow, ones, sub, sum, to_dtype, to_i64,
    where_, zeros_like,
};
use flambeau_macros::op;
use flambeau_tensor::backend::{ReduceOp, ScanOp};
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::ops::{ReduceArgs, pointwise, reduce};
use flambeau_tensor::pointwise::{BinaryOp, Pointwise};
use flambeau_tensor::{Array, DType};
use smallvec::smallvec;
use std::sync::LazyLock;

/// Scans in `dtype`, by default i64 for integers and bools.
fn scanned(op: ScanOp, x: &Tensor, d: usize, dtype: Option<DType>) -> Result<Array> {
    let own = x.dtype();
    let dtype = dtype.unwrap_or(if own.is_floating_point() { own } else { DType::I64 });
    let array = at_least_1d(&x.array())?.to_dtype(dtype)?;
    if dtype == DType::Bool {
        // Truth values add as "or" does; the counts are not zero where any is true.
        let counts = flambeau_tensor::ops::scan(op, &array.to_dtype(DType::I64)?, d, DType::I64)?;
        return Ok(counts.to_dtype(dtype)?.view(&to_i64(&x.size()))?);
    }
    Ok(flambeau_tensor::ops::scan(op, &array, d, dtype)?.view(&to_i64(&x.size()))?)
}

/// Running sums along a dimension, each of the elements up to and with its own: `torch.cumsum`. Integers and bools
/// sum in int64.
///
/// ```
/// assert_eq!(torch::tensor([1, 2, 3, 4]).cumsum(0).to_vec::<i64>(), [1, 3, 6, 10]);
/// ```
#[op(torch, method, cast_gpu = Float32Result, forms(cumsum(dim: i64) = (dim, None)))]
pub fn cumsum(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    let out = scanned(ScanOp::Sum, x, d, dtype)?;
    let own = x.dtype();
    Ok(record("CumsumBackward0", &[x], &[], out, move |c| {
        Ok(smallvec![Some(to_dtype(&reverse_cumsum(&c.grad(0)?, d as i64)?, own)?)])
    }))
}

/// Differences of neighbours along a dimension, x\[i + 1\] − x\[i\], taken n times: `torch.diff`. Each time the dimension gets
/// shorter by one; `prepend` and `append` lengthen it first. Of bools, whether neighbours differ.
///
/// # Errors
/// When x has no dimension, n is negative, or what is put before or behind does not fit.
///
/// ```
/// let x = torch::tensor([1, 4, 9, 16]);
/// assert_eq!(x.diff().to_vec::<i64>(), [3, 5, 7]);
/// assert_eq!(x.diff_with(|o| o.n(2).dim(0)).to_vec::<i64>(), [2, 2]);
/// ```
#[op(torch, method, default(n = 1, dim = -1, prepend = None, append = None))]
pub fn diff(x: &Tensor, n: i64, dim: i64, prepend: Option<&Tensor>, append: Option<&Tensor>) -> Result<Tensor> {
    if x.dim() == 0 {
        return Err(Error::runtime("diff expects input to be at least one-dimensional"));
    }
    if n < 0 {
        return Err(Error::runtime(format!("order must be non-negative but got {n}")));
    }
    let d = wrap_dim(dim, x.dim())?;
    for other in [prepend, append].into_iter().flatten() {
        check_beside(x, other, d)?;
    }
    if n == 0 {
        return copy_(&zeros_like(x, None, None)?, x);
    }
    let parts: Vec<&Tensor> = prepend.into_iter().chain([x]).chain(append).collect();
    let mut out = if parts.len() > 1 { cat(&parts, d as i64)? } else { x.shallow_clone() };
    for _ in 0..n.min(out.size()[d] as i64) {
        let length = out.size()[d] as i64 - 1;
        let (later, earlier) = (narrow(&out, d as i64, 1, length)?, narrow(&out, d as i64, 0, length)?);
        out = match x.dtype() {
            DType::Bool => logical_xor(&later, &earlier)?,
            _ => sub(&later, &earlier, 1)?,
        };
    }
    Ok(out)
}

/// Refuses what cannot stand before or behind x along a dimension, in the words of [`diff`].
fn check_beside(x: &Tensor, other: &Tensor, d: usize) -> Result<()> {
    let (size, other) = (x.size(), other.size());
    if other.len() != size.len() {
        return Err(Error::runtime("diff expects prepend or append to be the same dimension as input"));
    }
    match (0..size.len()).find(|&i| i != d && other[i] != size[i]) {
        None => Ok(()),
        Some(i) => Err(Error::runtime(format!(
            "diff expects the shape of tensor to prepend or append to match that of input except along the differencing \
             dimension; input.size({i}) = {}, but got tensor.size({i}) = {}",
            size[i], other[i]
        ))),
    }
}

/// Sums from each element to the end.
fn reverse_cumsum(x: &Tensor, dim: i64) -> Result<Tensor> {
    if x.dim() == 0 {
        return Ok(x.shallow_clone());
    }
    flip(&cumsum(&flip(x, &[dim])?, dim, None)?, &[dim])
}

/// Running products along a dimension, each of the elements up to and with its own: `torch.cumprod`. Integers and bools
/// multiply in int64.
///
/// ```
/// assert_eq!(torch::tensor([1, 2, 3, 4]).cumprod(0).to_vec::<i64>(), [1, 2, 6, 24]);
/// ```
#[op(torch, method, cast_gpu = Float32Result, forms(cumprod(dim: i64) = (dim, None)))]
pub fn cumprod(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    let out = scanned(ScanOp::Prod, x, d, dtype)?;
    let own = x.dtype();
    Ok(record("CumprodBackward0", &[x], &[Save::Tensor("self", x), Save::Output("result", 0)], out, move |c| {
        let (grad, x, out) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let x = to_dtype(&x, out.dtype())?;
        Ok(smallvec![Some(to_dtype(&cumprod_backward(&grad, &x, &out, d as i64)?, own)?)])
    }))
}

/// The gradient of running products. Without a zero among the factors: the sum of grad · out from each element to the end,
/// divided by the element.
fn cumprod_backward(grad: &Tensor, x: &Tensor, out: &Tensor, dim: i64) -> Result<Tensor> {
    if x.dim() == 0 {
        return Ok(grad.shallow_clone());
    }
    if x.numel() == 0 || reduce(ReduceArgs::new(ReduceOp::All, &[], false), &[&x.array()], &[])?.item()?.to_bool() {
        return div(&reverse_cumsum(&mul(grad, out)?, dim)?, x);
    }
    match crate::is_grad_enabled() {
        true => cumprod_backward_without_each(grad, x, out, dim),
        false => cumprod_backward_with_zeros(grad, x, out, dim),
    }
}

/// Before the first zero of a line the formula without zeros holds; the first zero's gradient is the product before it times
/// the sum of grad · the product after it, up to the next zero; after it there is none. Not itself differentiable at zeros.
fn cumprod_backward_with_zeros(grad: &Tensor, x: &Tensor, out: &Tensor, dim: i64) -> Result<Tensor> {
    let is_zero = eq(x, 0)?;
    let zeros_so_far = cumsum(&is_zero, dim, None)?;
    let (before, between) = (eq(&zeros_so_far, 0)?, eq(&zeros_so_far, 1)?);
    let first = logical_and(&between, &is_zero)?;
    let head = div(&reverse_cumsum(&where_(&before, mul(grad, out)?, 0)?, dim)?, x)?;
    let after = cumprod(&where_(&logical_and(&between, &logical_not(&is_zero)?)?, x, 1)?, dim, None)?;
    let sum_after = sum(&where_(&between, mul(&after, grad)?, 0)?, &[dim], true, None)?;
    let n = x.size_dim(dim) as i64;
    let one = ones(&narrow(x, dim, 0, 1)?.size(), x.dtype(), x.device())?;
    let product_before = cat(&[one, narrow(out, dim, 0, n - 1)?], dim)?;
    let at_first = where_(&first, mul(&product_before, &sum_after)?, 0)?;
    where_(&before, head, at_first)
}

/// For each element, the products without it: differentiable everywhere, in time n².
fn cumprod_backward_without_each(grad: &Tensor, x: &Tensor, out: &Tensor, dim: i64) -> Result<Tensor> {
    let n = x.size_dim(dim) as i64;
    let parts = (0..n).map(|k| {
        // Products up to and with each later element, but without element k.
        let head = ones(&narrow(x, dim, k, 1)?.size(), x.dtype(), x.device())?;
        let tail = cumprod(&narrow(x, dim, k + 1, n - k - 1)?, dim, None)?;
        let mut without = cat(&[head, tail], dim)?;
        if k > 0 {
            without = mul(&without, &narrow(out, dim, k - 1, 1)?)?;
        }
        sum(&mul(&narrow(grad, dim, k, n - k)?, &without)?, &[dim], true, None)
    });
    cat(&parts.collect::<Result<Vec<_>>>()?, dim)
}

/// The test whether the earlier of two candidates stays, and the better of the two. NaN beats numbers; the later one wins
/// ties.
static MAX: LazyLock<[Pointwise; 2]> = LazyLock::new(|| candidates(BinaryOp::Gt));
static MIN: LazyLock<[Pointwise; 2]> = LazyLock::new(|| candidates(BinaryOp::Lt));
static CHOOSE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.input(1), b.input(2))));

fn candidates(beats: BinaryOp) -> [Pointwise; 2] {
    [false, true].map(|value| {
        Pointwise::new(|b| {
            let (earlier, later) = (b.input(0), b.input(1));
            let wins = earlier.is_nan().or(earlier.binary(beats, later));
            let stays = later.is_nan().logical_not().and(wins);
            if value { stays.select(earlier, later) } else { stays }
        })
    })
}

/// Running extrema and their places: each pass doubles the distance over which candidates have met.
fn running(name: &'static str, x: &Tensor, dim: i64, programs: &'static [Pointwise; 2]) -> Result<(Tensor, Tensor)> {
    let d = wrap_dim(dim, x.dim())?;
    let values = at_least_1d(&x.array())?.copy()?;
    let (n, axis) = (values.shape()[d], d as i64);
    let mut line = vec![1i64; values.ndim()];
    line[d] = n as i64;
    let indices = crate::ops::iota(n, x)?.array().view(&line)?.broadcast_to(values.shape())?.copy()?;
    let mut step = 1;
    while step < n {
        let (old_values, old_indices) = (values.copy()?, indices.copy()?);
        let split = |a: &Array| -> Result<(Array, Array)> {
            Ok((a.narrow(axis, 0, (n - step) as i64)?, a.narrow(axis, step as i64, (n - step) as i64)?))
        };
        let ((early, late), (early_at, late_at)) = (split(&old_values)?, split(&old_indices)?);
        let stays = pointwise(&programs[0], &[&early, &late], &[])?;
        let better = pointwise(&programs[1], &[&early, &late], &[])?;
        let place = pointwise(&CHOOSE, &[&stays, &early_at, &late_at], &[])?;
        flambeau_tensor::ops::copy_into(&better, &split(&values)?.1)?;
        flambeau_tensor::ops::copy_into(&place, &split(&indices)?.1)?;
        step *= 2;
    }
    let size = to_i64(&x.size());
    let (values, indices) = (values.view(&size)?, indices.view(&size)?);
    Ok(picked(name, x, dim, false, values, indices))
}

/// Running maxima along a dimension, and the indices where they stand, the latest of equals: `torch.cummax`. NaN stays.
///
/// ```
/// let x = torch::tensor([1.0, 3.0, 1.0, 3.0]);
/// let (values, indices) = x.cummax(0);
/// assert_eq!(values.to_vec::<f32>(), [1.0, 3.0, 3.0, 3.0]);
/// assert_eq!(indices.to_vec::<i64>(), [0, 1, 1, 3]);
/// ```
#[op(torch, method)]
pub fn cummax(x: &Tensor, dim: i64) -> Result<(Tensor, Tensor)> {
    running("CummaxBackward0", x, dim, &MAX)
}

/// Running minima along a dimension, and the indices where they stand, the latest of equals: `torch.cummin`. NaN stays.
///
/// ```
/// let x = torch::tensor([1.0, 3.0, 1.0, 3.0]);
/// let (values, indices) = x.cummin(0);
/// assert_eq!(values.to_vec::<f32>(), [1.0, 1.0, 1.0, 1.0]);
/// assert_eq!(indices.to_vec::<i64>(), [0, 0, 2, 2]);
/// ```
#[op(torch, method)]
pub fn cummin(x: &Tensor, dim: i64) -> Result<(Tensor, Tensor)> {
    running("CumminBackward0", x, dim, &MIN)
}
