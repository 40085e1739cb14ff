//! Means and squared deviations, as accurate where the mean is large as where it is not.
//!
//! A mean in float32 is off by up to half its last digit, and a sum of squared deviations from it by the square of that for each
//! value: of 16 values around 10,000 with a spread of a thousandth, more than a hundredth of the whole. So the error of the mean
//! is found, and its square taken off.

use super::{NormFormulas, ReduceArgs, pointwise, pointwise_into, reduce};
use crate::backend::ReduceOp;
use crate::dims::wrap_dims;
use crate::pointwise::{Expr, Pointwise};
use crate::{Array, DType, Result, Scalar};
use std::sync::LazyLock;

static DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));
/// x − m
static DIFFERENCE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.input(1)));

/// q − n·r² for an error r of the mean, not below zero.
fn without_error<'b>(q: Expr<'b>, r: Expr<'b>, n: Expr<'b>) -> Expr<'b> {
    let corrected = q - r * r * n;
    corrected.lt(0.0).select(0.0, corrected)
}

/// q − n·(a − m)² of the deviations q, a more accurate mean a and the mean m.
static CORRECTED: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| without_error(b.input(0), b.input(1) - b.input(2), b.scalar(0))));

/// m + c/n of a first mean m and the sum c of deviations from it; m where c is NaN, as where m is infinite.
static REFINED: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (m, c) = (b.input(0), b.input(1));
        c.is_nan().select(m, m + c / b.scalar(0))
    })
});

/// q − n·(a − m + c/n)² of the deviations q, the first mean a, the refined mean m, and c of [`REFINED`].
static CORRECTED_BY_REST: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let n = b.scalar(0);
        let rest = b.input(1) - b.input(2) + b.input(3) / n;
        without_error(b.input(0), rest, n)
    })
});

/// The mean of `x` over `dims` (empty: all), which stay with length 1, and Σ(x − mean)², both in the dtype that x computes in.
///
/// # Errors
/// When a dimension does not exist or the backend has no such reduction.
pub fn moments(x: &Array, dims: &[i64]) -> Result<(Array, Array)> {
    let wide = x.dtype().compute();
    let count: usize = wrap_dims(dims, x.ndim())?.iter().map(|&d| x.shape()[d]).product();
    let n = [Scalar::from(count)];
    let over = |map, dtype| ReduceArgs { op: ReduceOp::Sum, map, dims, keepdim: true, dtype: Some(dtype) };
    let squares = |mean: &Array| reduce(over(Some(&NormFormulas::get().deviation), wide), &[x, mean], &[]);
    if wide == DType::F64 {
        let mean = pointwise(&DIVIDE, &[&reduce(over(None, wide), &[x], &[])?], &n)?;
        let deviation = squares(&mean)?;
        return Ok((mean, deviation));
    }
    if x.device().is_cpu() {
        // Sums in float64 cost less here than another pass.
        let exact = pointwise(&DIVIDE, &[&reduce(over(None, DType::F64), &[x], &[])?], &n)?;
        let mean = exact.to_dtype(wide)?;
        let deviation = squares(&mean)?;
        pointwise_into(&CORRECTED, &[&deviation, &exact, &mean], &n, &[&deviation])?;
        return Ok((mean, deviation));
    }
    let first = pointwise(&DIVIDE, &[&reduce(over(None, wide), &[x], &[])?], &n)?;
    let rest = reduce(over(Some(&DIFFERENCE), wide), &[x, &first], &[])?;
    let mean = pointwise(&REFINED, &[&first, &rest], &n)?;
    let deviation = squares(&mean)?;
    pointwise_into(&CORRECTED_BY_REST, &[&deviation, &first, &mean, &rest], &n, &[&deviation])?;
    Ok((mean, deviation))
}
