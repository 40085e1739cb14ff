//! Distinct values, and how often each occurs.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::{
    any, bitwise_not, cat, cumsum, full, index_select, movedim, narrow, ne, nonzero, reshape, scatter, sort, sub,
    to_dtype, to_i64, zeros,
};
use crate::{Tensor, from_vec, no_grad, options};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::{DType, Scalar};
use std::cmp::Ordering;

/// Which elements or parts go together.
struct Groups {
    /// The distinct ones.
    values: Tensor,
    /// For each element or part, its group.
    inverse: Tensor,
    /// How many each group has.
    counts: Tensor,
}

/// The groups of equal neighbours along the first dimension of `x`, where it stands in the given order: of `source`, whose
/// dimension `dim` it is.
fn neighbours(x: &Tensor, order: Option<&Tensor>, source: &Tensor, dim: usize) -> Result<Groups> {
    let n = x.size()[0];
    let row = reshape(x, &[n as i64, (x.numel() / n.max(1)) as i64])?;
    let first = full(&[n.min(1)], true, DType::Bool, x.device())?;
    let later = n.saturating_sub(1) as i64;
    let differ = ne(&narrow(&row, 0, (n as i64).min(1), later)?, &narrow(&row, 0, 0, later)?)?;
    let starts = cat(&[first, any(&differ, Some(&[1]), false)?], 0)?;
    let places = reshape(&nonzero(&starts)?, &[-1])?;
    let group = sub(&cumsum(&starts, 0, None)?, 1, 1)?;
    let end = full(&[n.min(1)], n as i64, DType::I64, x.device())?;
    let ends = cat(&[narrow(&places, 0, (n as i64).min(1), places.numel().saturating_sub(1) as i64)?, end], 0)?;
    let counts = sub(&ends, &places, 1)?;
    let (inverse, kept) = match order {
        None => (group, places),
        Some(order) => {
            let inverse = scatter(&zeros(&[n], DType::I64, x.device())?, 0, order, &group)?;
            (inverse, index_select(order, 0, &places)?)
        }
    };
    Ok(Groups { values: index_select(source, dim as i64, &kept)?, inverse, counts })
}

/// The order of the rows that sorts them, the first column first.
fn row_order(rows: &Tensor) -> Result<Vec<i64>> {
    let (n, width) = (rows.size()[0], rows.size()[1]);
    let mut order: Vec<i64> = (0..n as i64).collect();
    fn by<T: flambeau_tensor::Element + PartialOrd>(order: &mut [i64], rows: &Tensor, width: usize) -> Result<()> {
        let values = rows.array().to_vec::<T>()?;
        let row = |i: i64| &values[i as usize * width..][..width];
        let compare = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(Ordering::Equal);
        order.sort_by(|&a, &b| {
            let pairs = row(a).iter().zip(row(b));
            pairs.map(|(a, b)| compare(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        });
        Ok(())
    }
    match rows.dtype().is_floating_point() {
        true => by::<f64>(&mut order, &to_dtype(rows, DType::F64)?, width)?,
        false => by::<i64>(&mut order, &to_dtype(rows, DType::I64)?, width)?,
    }
    Ok(order)
}

fn groups(x: &Tensor, dim: Option<i64>, consecutive: bool) -> Result<Groups> {
    let _guard = no_grad();
    let Some(dim) = dim else {
        let flat = reshape(x, &[-1])?;
        let mut found = match consecutive {
            true => neighbours(&flat, None, &flat, 0)?,
            false => {
                let (sorted, order) = sort(&flat, 0, false, Some(true))?;
                neighbours(&sorted, Some(&order), &flat, 0)?
            }
        };
        found.inverse = reshape(&found.inverse, &to_i64(&x.size()))?;
        return Ok(found);
    };
    if x.dim() == 0 {
        return Err(Error::index(format!("Dimension specified as {dim} but tensor has no dimensions")));
    }
    let d = wrap_dim(dim, x.dim())?;
    if x.numel() == 0 && x.size().iter().enumerate().any(|(i, &n)| n == 0 && i != d) {
        return Err(Error::runtime(
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
        ));
    }
    let n = x.size()[d] as i64;
    let rows = reshape(&movedim(x, &[d as i64], &[0])?, &[n, x.numel() as i64 / n.max(1)])?;
    if consecutive {
        return neighbours(&rows, None, x, d);
    }
    let order = crate::ops::to_device(&from_vec(row_order(&rows)?, [n]), x.device())?;
    neighbours(&index_select(&rows, 0, &order)?, Some(&order), x, d)
}

/// The distinct values as a result of the operation: PyTorch has no derivative of it.
fn recorded(x: &Tensor, dim: Option<i64>, consecutive: bool) -> Result<Groups> {
    let found = groups(x, dim, consecutive)?;
    let (name, op) = match (consecutive, dim) {
        (true, _) => ("UniqueConsecutiveBackward0", "unique_consecutive"),
        (false, None) => ("Unique2Backward0", "_unique2"),
        (false, Some(_)) => ("UniqueDimBackward0", "unique_dim"),
    };
    let values = record(name, &[x], &[], found.values.array().clone(), move |_| {
        let words = format!("the derivative for '{op}' is not implemented.");
        Err(flambeau_tensor::Error::NotImplemented(words).into())
    });
    Ok(Groups { values, ..found })
}

/// The distinct values in ascending order, each once: `torch.unique`. With `dim` (`unique_dim`), the distinct parts along a
/// dimension. Each NaN is a value of its own, and 0 and −0 are one.
///
/// # Errors
/// Where a dimension other than `dim` is empty. There is no derivative.
///
/// ```
/// let x = torch::tensor([3, 1, 3, 2]);
/// assert_eq!(x.unique().to_vec::<i64>(), [1, 2, 3]);
/// let rows = torch::tensor([[2, 1], [0, 5], [2, 1]]);
/// assert_eq!(rows.unique_dim(0).to_vec::<i64>(), [0, 5, 2, 1]);
/// ```
#[op(torch, method, forms(unique() = (None), unique_dim(dim: i64) = (Some(dim))))]
pub fn unique(x: &Tensor, dim: Option<i64>) -> Result<Tensor> {
    Ok(recorded(x, dim, false)?.values)
}

/// The distinct values, and for each element the number of its value among them: `torch.unique(x, return_inverse=True)`.
///
/// ```
/// let (values, inverse) = torch::tensor([3, 1, 3, 2]).unique_inverse();
/// assert_eq!(values.to_vec::<i64>(), [1, 2, 3]);
/// assert_eq!(inverse.to_vec::<i64>(), [2, 0, 2, 1]);
/// ```
#[op(torch, method, forms(unique_inverse() = (None), unique_inverse_dim(dim: i64) = (Some(dim))))]
pub fn unique_inverse(x: &Tensor, dim: Option<i64>) -> Result<(Tensor, Tensor)> {
    let found = recorded(x, dim, false)?;
    Ok((found.values, found.inverse))
}

/// The distinct values, and how often each occurs: `torch.unique(x, return_counts=True)`.
///
/// ```
/// let (values, counts) = torch::tensor([3, 1, 3, 2]).unique_counts();
/// assert_eq!(values.to_vec::<i64>(), [1, 2, 3]);
/// assert_eq!(counts.to_vec::<i64>(), [1, 1, 2]);
/// ```
#[op(torch, method, forms(unique_counts() = (None), unique_counts_dim(dim: i64) = (Some(dim))))]
pub fn unique_counts(x: &Tensor, dim: Option<i64>) -> Result<(Tensor, Tensor)> {
    let found = recorded(x, dim, false)?;
    Ok((found.values, found.counts))
}

/// The distinct values, each element's number among them, and how often each occurs:
/// `torch.unique(x, return_inverse=True, return_counts=True)`.
///
/// ```
/// let (values, inverse, counts) = torch::tensor([5, 4, 5]).unique_all();
/// assert_eq!(values.to_vec::<i64>(), [4, 5]);
/// assert_eq!(inverse.to_vec::<i64>(), [1, 0, 1]);
/// assert_eq!(counts.to_vec::<i64>(), [1, 2]);
/// ```
#[op(torch, method, forms(unique_all() = (None), unique_all_dim(dim: i64) = (Some(dim))))]
pub fn unique_all(x: &Tensor, dim: Option<i64>) -> Result<(Tensor, Tensor, Tensor)> {
    let found = recorded(x, dim, false)?;
    Ok((found.values, found.inverse, found.counts))
}

/// The values without repeats of neighbours: `torch.unique_consecutive`. With `dim` (`unique_consecutive_dim`), the parts along
/// a dimension.
///
/// # Errors
/// Where a dimension other than `dim` is empty. There is no derivative.
///
/// ```
/// let x = torch::tensor([1, 1, 2, 2, 1]);
/// assert_eq!(x.unique_consecutive().to_vec::<i64>(), [1, 2, 1]);
/// ```
#[op(torch, method, forms(unique_consecutive() = (None), unique_consecutive_dim(dim: i64) = (Some(dim))))]
pub fn unique_consecutive(x: &Tensor, dim: Option<i64>) -> Result<Tensor> {
    Ok(recorded(x, dim, true)?.values)
}

/// The values without repeats of neighbours, each element's number among them, and how often each stood there:
/// `torch.unique_consecutive(x, return_inverse=True, return_counts=True)`.
///
/// ```
/// let (values, inverse, counts) = torch::tensor([1, 1, 2, 1]).unique_consecutive_all();
/// assert_eq!(values.to_vec::<i64>(), [1, 2, 1]);
/// assert_eq!(inverse.to_vec::<i64>(), [0, 0, 1, 2]);
/// assert_eq!(counts.to_vec::<i64>(), [2, 1, 1]);
/// ```
#[op(torch, method, forms(
    unique_consecutive_all() = (None),
    unique_consecutive_all_dim(dim: i64) = (Some(dim)),
))]
pub fn unique_consecutive_all(x: &Tensor, dim: Option<i64>) -> Result<(Tensor, Tensor, Tensor)> {
    let found = recorded(x, dim, true)?;
    Ok((found.values, found.inverse, found.counts))
}

/// How often each of the numbers 0, 1, … occurs in a vector of integers, or the sums of their weights: `torch.bincount`. The
/// result is as long as the largest number needs, and at least `minlength`. Counts are int64; weights of float32 give float32,
/// all others float64.
///
/// # Errors
/// For negative numbers, floats, bools, more dimensions than one, and weights of another length.
///
/// ```
/// let x = torch::tensor([1, 3, 1]);
/// assert_eq!(x.bincount().to_vec::<i64>(), [0, 2, 0, 1]);
/// let weights = torch::tensor([0.5, 1.0, 2.0]);
/// assert_eq!(x.bincount_with(|o| o.weights(&weights)).to_vec::<f32>(), [0.0, 2.5, 0.0, 1.0]);
/// ```
#[op(torch, method, not_differentiable, default(weights = None, minlength = 0))]
pub fn bincount(input: &Tensor, weights: Option<&Tensor>, minlength: i64) -> Result<Tensor> {
    if input.is_floating_point() || input.dtype() == DType::Bool {
        let dtype = input.dtype();
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "bincount_cpu", dtype }.into());
    }
    if minlength < 0 {
        return Err(Error::runtime("minlength should be >= 0"));
    }
    let _guard = no_grad();
    if input.dim() == 1 && input.numel() == 0 {
        return zeros(&[minlength as usize], DType::I64, input.device());
    }
    let values = to_dtype(input, DType::I64)?;
    if input.dim() != 1 || crate::ops::amin(&values, &[], false)?.array().item()?.to_i64() < 0 {
        return Err(Error::runtime("bincount only supports 1-d non-negative integral inputs."));
    }
    if weights.is_some_and(|w| w.dim() != 1 || w.numel() != input.numel()) {
        return Err(Error::runtime("weights should be 1-d and have the same length as input"));
    }
    let largest = crate::ops::amax(&values, &[], false)?.array().item()?.to_i64();
    let n = minlength.max(largest.saturating_add(1)) as usize;
    let (dtype, weights) = match weights {
        None => (DType::I64, full(&[input.numel()], 1, DType::I64, input.device())?),
        Some(w) if w.dtype() == DType::F32 => (DType::F32, w.shallow_clone()),
        Some(w) => (DType::F64, to_dtype(w, DType::F64)?),
    };
    crate::ops::index_add(&zeros(&[n], dtype, input.device())?, 0, &values, &weights, Scalar::Int(1))
}

options! {
    /// Options of [`isin`].
    IsinOptions {
        /// Whether no element repeats in either tensor; nothing depends on it here (false).
        assume_unique: bool = false,
        /// Whether it is told which elements are not among the others (false).
        invert: bool = false,
    }
}

/// Whether each element is one of `test_elements`, or with `invert` none of them: `torch.isin`. NaN is never.
///
/// # Errors
/// For bools.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// let found = torch::isin(&x, &torch::tensor([2, 4]));
/// assert_eq!(found.to_vec::<bool>(), [false, true, false, true]);
/// ```
#[op(torch, not_differentiable, forms(
    isin(test_elements: &Tensor) = (test_elements, false, false),
    isin_inverted(test_elements: &Tensor) = (test_elements, false, true),
    isin_with(test_elements: &Tensor, options: IsinOptions) = (test_elements, options.assume_unique, options.invert),
))]
pub fn isin(elements: &Tensor, test_elements: &Tensor, assume_unique: bool, invert: bool) -> Result<Tensor> {
    let _ = assume_unique; // A hint, which changes no result.
    for x in [elements, test_elements] {
        if x.dtype() == DType::Bool {
            let words = "Unsupported input type encountered for isin(): Bool";
            return Err(flambeau_tensor::Error::NotImplemented(words.into()).into());
        }
    }
    let _guard = no_grad();
    let column = crate::ops::unsqueeze(elements, -1)?;
    // Some at a time, so that a long list does not need a table of all pairs.
    const STEP: usize = 64;
    let tests = reshape(test_elements, &[-1])?;
    let mut found = zeros(&elements.size(), DType::Bool, elements.device())?;
    for start in (0..tests.numel()).step_by(STEP) {
        let part = narrow(&tests, 0, start as i64, STEP.min(tests.numel() - start) as i64)?;
        found = crate::ops::logical_or(&found, &any(&crate::ops::eq(&column, &part)?, Some(&[-1]), false)?)?;
    }
    if invert { bitwise_not(&found) } else { Ok(found) }
}
