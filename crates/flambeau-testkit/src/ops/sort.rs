//! Order, and running sums and extrema.

use flambeau_autograd::{Result, Tensor, ops};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one, two};

/// The distinct values, with each element's number among them and the counts where they are asked for.
fn distinct(
    a: &Args,
    all: impl Fn(&Tensor, Option<i64>) -> Result<(Tensor, Tensor, Tensor)>,
    first: usize,
    dim: usize,
) -> CallResult {
    let (values, inverse, counts) = all(a.x()?, a.opt_int(dim, "dim")?)?;
    let mut out = vec![values];
    out.extend(a.bool(first, "return_inverse", false)?.then_some(inverse));
    out.extend(a.bool(first + 1, "return_counts", false)?.then_some(counts));
    Ok(out)
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("argsort", |a| {
        // Flambeau's sort is always stable.
        a.get(9, "stable");
        one(ops::argsort(a.x()?, a.int(1, "dim", -1)?, a.bool(2, "descending", false)?))
    }),
    OpInfo::general("cummax", |a| two(ops::cummax(a.x()?, a.need_int(1, "dim")?))),
    OpInfo::general("cummin", |a| two(ops::cummin(a.x()?, a.need_int(1, "dim")?))),
    OpInfo::general("cumprod", |a| one(ops::cumprod(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))),
    OpInfo::general("cumsum", |a| one(ops::cumsum(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))),
    OpInfo::general("kthvalue", |a| {
        two(ops::kthvalue(a.x()?, a.need_int(1, "k")?, a.int(2, "dim", -1)?, a.bool(3, "keepdim", false)?))
    }),
    OpInfo::general("median", |a| match a.opt_int(1, "dim")? {
        Some(dim) => two(ops::median_dim(a.x()?, dim, a.bool(2, "keepdim", false)?)),
        None => one(ops::median(a.x()?)),
    }),
    OpInfo::unary("msort", ops::msort),
    OpInfo::general("sort", |a| {
        let stable = a.get(9, "stable").is_some().then(|| a.bool(9, "stable", false)).transpose()?;
        two(ops::sort(a.x()?, a.int(1, "dim", -1)?, a.bool(2, "descending", false)?, stable))
    }),
    OpInfo::general("topk", |a| {
        // Flambeau's results are always sorted.
        a.get(4, "sorted");
        two(ops::topk(a.x()?, a.need_int(1, "k")?, a.int(2, "dim", -1)?, a.bool(3, "largest", true)?))
    }),
    OpInfo::general("unique", |a| {
        let _ = a.bool(1, "sorted", true)?;
        distinct(a, ops::unique_all, 2, 4)
    }),
    OpInfo::general("unique_consecutive", |a| distinct(a, ops::unique_consecutive_all, 1, 3)),
];
