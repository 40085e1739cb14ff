//! Reductions.

use flambeau_autograd::ops::{self, NormOrder};
use flambeau_autograd::{Result, Tensor};

use crate::args::{Args, CallError, CallResult};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one, two};

type DimsFn = fn(&Tensor, &[i64], bool) -> Result<Tensor>;

/// `f(x, dim, keepdim)` with one dim, several or none.
fn over_dims(a: &Args, f: DimsFn) -> CallResult {
    one(f(a.x()?, &dims(a)?, a.bool(2, "keepdim", false)?))
}

/// The same, where an empty list reduces nothing.
fn truth_over_dims(a: &Args, f: fn(&Tensor, Option<&[i64]>, bool) -> Result<Tensor>) -> CallResult {
    one(f(a.x()?, a.opt_ints(1, "dim")?.as_deref(), a.bool(2, "keepdim", false)?))
}

/// The dims to reduce. Python's empty list means all of them, and so does Rust's, but PyTorch's names of sums and means
/// tell it from no list.
fn dims(a: &Args) -> CallResult<Vec<i64>> {
    match a.opt_ints(1, "dim")? {
        Some(dims) if dims.is_empty() => Ok((0..a.x()?.dim().max(1) as i64).collect()),
        dims => Ok(dims.unwrap_or_default()),
    }
}

/// The dims and the correction of a variance.
fn spread(a: &Args) -> CallResult<(Vec<i64>, f64, bool)> {
    let unbiased = a.bool(9, "unbiased", true)?;
    let correction = a.float(9, "correction", f64::from(u8::from(unbiased)))?;
    Ok((a.ints(1, "dim")?, correction, a.bool(9, "keepdim", false)?))
}

fn extremum_with_index(a: &Args, f: fn(&Tensor, i64, bool) -> Result<(Tensor, Tensor)>) -> CallResult {
    two(f(a.x()?, a.need_int(1, "dim")?, a.bool(2, "keepdim", false)?))
}

fn norm(a: &Args) -> CallResult {
    let p = a.float(1, "p", 2.0)?;
    one(ops::vector_norm(a.x()?, p, &a.ints(2, "dim")?, a.bool(3, "keepdim", false)?, None))
}

/// The order of a norm: a number, or a name.
pub(super) fn order(a: &Args, i: usize, name: &str) -> CallResult<Option<NormOrder>> {
    Ok(match a.get(i, name) {
        None => None,
        Some(crate::args::Value::Plain(Arg::Str(s))) => Some(s.as_str().into()),
        Some(crate::args::Value::Plain(arg)) if arg.as_float().is_some() => arg.as_float().map(NormOrder::P),
        Some(crate::args::Value::Plain(Arg::None)) => None,
        Some(other) => return Err(CallError::NotExpressible(format!("ord is {other:?}"))),
    })
}

fn linalg_norm(a: &Args) -> CallResult {
    one(ops::linalg_norm(a.x()?, order(a, 1, "ord")?, a.opt_ints(2, "dim")?.as_deref(), a.bool(3, "keepdim", false)?))
}

/// Why zeros of products' gradients may have another sign.
const ZEROS: &str =
    "where two factors are zero PyTorch fills zeros; here the products of the others are, times the gradient";

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("all", |a| truth_over_dims(a, ops::all)),
    OpInfo::general("amax", |a| over_dims(a, ops::amax)),
    OpInfo::general("amin", |a| over_dims(a, ops::amin)),
    OpInfo::general("aminmax", |a| two(ops::aminmax(a.x()?, a.opt_int(1, "dim")?, a.bool(2, "keepdim", false)?))),
    OpInfo::general("any", |a| truth_over_dims(a, ops::any)),
    OpInfo::general("argmax", |a| one(ops::argmax(a.x()?, a.opt_int(1, "dim")?, a.bool(2, "keepdim", false)?))),
    OpInfo::general("argmin", |a| one(ops::argmin(a.x()?, a.opt_int(1, "dim")?, a.bool(2, "keepdim", false)?))),
    OpInfo::general("count_nonzero", |a| one(ops::count_nonzero(a.x()?, &a.ints(1, "dim")?))),
    OpInfo::general("dist", |a| one(ops::dist(a.x()?, a.tensor(1, "other")?, a.float(2, "p", 2.0)?))),
    OpInfo::general("linalg.norm", linalg_norm),
    OpInfo::general("linalg.vector_norm", |a| {
        let (p, dims) = (a.float(1, "ord", 2.0)?, a.ints(2, "dim")?);
        one(ops::vector_norm(a.x()?, p, &dims, a.bool(3, "keepdim", false)?, None))
    }),
    OpInfo::general("logsumexp", |a| over_dims(a, ops::logsumexp)),
    OpInfo::unary("max.reduction_no_dim", ops::max),
    OpInfo::general("max.reduction_with_dim", |a| extremum_with_index(a, ops::max_dim)),
    OpInfo::general("mean", |a| {
        let dtype = a.opt_dtype(3, "dtype")?;
        one(ops::mean(a.x()?, &dims(a)?, a.bool(2, "keepdim", false)?, dtype))
    }),
    OpInfo::unary("min.reduction_no_dim", ops::min),
    OpInfo::general("min.reduction_with_dim", |a| extremum_with_index(a, ops::min_dim)),
    OpInfo::general("norm", norm),
    OpInfo::general("norm.inf", norm),
    OpInfo::general("prod", |a| {
        let dtype = a.opt_dtype(3, "dtype")?;
        one(ops::prod(a.x()?, a.opt_int(1, "dim")?, a.bool(2, "keepdim", false)?, dtype))
    })
    .differs(&[
        (11, ZEROS),
        (14, ZEROS),
        (39, ZEROS),
        (36, "PyTorch divides the product by each element, inf / inf; here the others are multiplied"),
        (37, "PyTorch divides the product by each element, inf / inf; here the others are multiplied"),
    ]),
    OpInfo::general("std", |a| {
        let (dims, correction, keepdim) = spread(a)?;
        one(ops::std(a.x()?, &dims, correction, keepdim))
    }),
    OpInfo::general("std_mean", |a| {
        let (dims, correction, keepdim) = spread(a)?;
        two(ops::std_mean(a.x()?, &dims, correction, keepdim))
    }),
    OpInfo::general("sum", |a| {
        let dtype = a.opt_dtype(3, "dtype")?;
        one(ops::sum(a.x()?, &dims(a)?, a.bool(2, "keepdim", false)?, dtype))
    }),
    OpInfo::general("sum_to_size", |a| {
        let x = a.x()?;
        let shape = match a.rest(1) {
            [crate::args::Value::Plain(Arg::List(_))] => a.ints(1, "size")?,
            ints => (0..ints.len()).map(|i| a.need_int(i + 1, "size")).collect::<CallResult<_>>()?,
        };
        one(ops::sum_to_size(x, &crate::args::sizes(&shape)?))
    }),
    OpInfo::general("var", |a| {
        let (dims, correction, keepdim) = spread(a)?;
        one(ops::var(a.x()?, &dims, correction, keepdim))
    }),
    OpInfo::general("var_mean", |a| {
        let (dims, correction, keepdim) = spread(a)?;
        two(ops::var_mean(a.x()?, &dims, correction, keepdim))
    }),
];
