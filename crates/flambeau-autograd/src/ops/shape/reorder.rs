//! Elements and dimensions in another order.

use crate::error::{Error, Result};
use crate::ops::index::lines::{as_one, take_lines};
use crate::ops::{cat, clone, narrow, permute, reshape, to_device, to_i64};
use crate::views::record_view;
use crate::{Tensor, from_vec};
use flambeau_macros::op;
use flambeau_tensor::Dims;
use flambeau_tensor::dims::wrap_dim;
use smallvec::smallvec;

/// The order of the elements reversed along each of `dims`, as a copy: `torch.flip`.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(x.flip(0).to_vec::<i64>(), [3, 4, 1, 2]);
/// assert_eq!(x.flip([0, 1]).to_vec::<i64>(), [4, 3, 2, 1]);
/// ```
#[op(torch, method)]
pub fn flip(x: &Tensor, dims: &[i64]) -> Result<Tensor> {
    let dims = if dims.is_empty() { Dims::new() } else { flambeau_tensor::dims::wrap_dims(dims, x.dim())? };
    let own: Vec<i64> = dims.iter().map(|&d| d as i64).collect();
    let compute = || {
        let mut out = clone(x)?;
        for &d in &dims {
            let n = out.size()[d];
            let index = to_device(&from_vec((0..n as i64).rev().collect(), [n]), x.device())?;
            out = take_lines(&out, d, &index)?;
        }
        Ok(out)
    };
    as_one("FlipBackward0", &[x], &[], compute, move |c| Ok(smallvec![Some(flip(&c.grad(0)?, &own)?)]))
}

/// Elements moved by `shifts[i]` places along `dims[i]`; what leaves at the end comes in again at the start: `torch.roll`.
/// Without dims, `()`, the elements move in the flattened order.
///
/// # Errors
/// Where `shifts` and `dims` have different lengths.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4], [5, 6]]);
/// assert_eq!(x.roll(1, 0).to_vec::<i64>(), [5, 6, 1, 2, 3, 4]);
/// assert_eq!(x.roll(1, ()).to_vec::<i64>(), [6, 1, 2, 3, 4, 5]);
/// ```
#[op(torch, method, positional, default(dims = &[]))]
pub fn roll(x: &Tensor, shifts: &[i64], dims: &[i64]) -> Result<Tensor> {
    if shifts.is_empty() {
        return Err(Error::runtime("`shifts` required"));
    }
    if shifts.len() != dims.len() && !(dims.is_empty() && shifts.len() == 1) {
        return Err(Error::runtime(format!(
            "shifts and dimensions must align. shifts: {}, dims:{}",
            shifts.len(),
            dims.len()
        )));
    }
    if let (0, Some(d)) = (x.dim(), dims.first()) {
        return Err(Error::index(format!("Dimension specified as {d} but tensor has no dimensions")));
    }
    for &d in dims {
        wrap_dim(d, x.dim())?;
    }
    let along = |t: &Tensor, shift: i64, d: i64| {
        let n = t.size_dim(d) as i64;
        if n == 0 {
            return clone(t);
        }
        let shift = shift.rem_euclid(n);
        cat(&[narrow(t, d, n - shift, shift)?, narrow(t, d, 0, n - shift)?], d)
    };
    let compute = || match dims {
        [] => reshape(&along(&reshape(x, &[-1])?, shifts[0], 0)?, &to_i64(&x.size())),
        dims => shifts.iter().zip(dims).try_fold(x.shallow_clone(), |t, (&s, &d)| along(&t, s, d)),
    };
    let (back, dims): (Vec<i64>, Vec<i64>) = (shifts.iter().map(|s| -s).collect(), dims.to_vec());
    as_one("RollBackward0", &[x], &[], compute, move |c| Ok(smallvec![Some(roll(&c.grad(0)?, &back, &dims)?)]))
}

/// The dimensions `source[i]` at the places `destination[i]`, as a view; the others keep their order: `torch.movedim`.
///
/// # Errors
/// Where the two lists have different lengths, or name a dimension twice.
///
/// ```
/// let x = torch::zeros([2, 3, 4]);
/// assert_eq!(x.movedim(0, 2).size(), [3, 4, 2]);
/// assert_eq!(x.movedim([0, 1], [1, 0]).size(), [3, 2, 4]);
/// ```
#[op(torch, method, alias(moveaxis))]
pub fn movedim(x: &Tensor, source: &[i64], destination: &[i64]) -> Result<Tensor> {
    if source.len() != destination.len() {
        return Err(Error::runtime(format!(
            "movedim: Invalid source or destination dims: source ({source:?} dims) should contain the same number of dims \
             as destination ({destination:?} dims)"
        )));
    }
    let ndim = x.dim();
    let wrap = |dims: &[i64], which: &str| -> Result<Dims> {
        let wrapped: Dims = dims.iter().map(|&d| wrap_dim(d, ndim)).collect::<Result<_, _>>()?;
        match (1..wrapped.len()).any(|i| wrapped[..i].contains(&wrapped[i])) {
            true => Err(Error::runtime(format!("movedim: repeated dim in `{which}` ({dims:?})"))),
            false => Ok(wrapped),
        }
    };
    let (from, to) = (wrap(source, "source")?, wrap(destination, "destination")?);
    if ndim == 0 {
        return alias(x);
    }
    let mut rest = (0..ndim).filter(|d| !from.contains(d));
    let order: Vec<i64> = (0..ndim)
        .filter_map(|place| match to.iter().position(|&t| t == place) {
            Some(i) => Some(from[i] as i64),
            None => rest.next().map(|d| d as i64),
        })
        .collect();
    permute(x, &order)
}

/// A view of all of the tensor: `torch.ops.aten.alias`, Python's `x[...]`.
pub(crate) fn alias(x: &Tensor) -> Result<Tensor> {
    Ok(record_view("AliasBackward0", x, x.array().clone(), |c| Ok(smallvec![Some(c.grad(0)?)])))
}
