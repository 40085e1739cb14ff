//! Largest and smallest values, and where they are.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record, record_many};
use crate::ops::{map, reshape, sum_map, view};
use flambeau_macros::op;
use flambeau_tensor::backend::{Extremum, ReduceOp, ScatterOp};
use flambeau_tensor::dims::{wrap_dim, wrap_dims};
use flambeau_tensor::ops::{ReduceArgs, arg_reduce, reduce};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// Whether x attains the extremum m, as a number.
static ATTAINS: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(b.input(1))));

/// As [`ATTAINS`], where NaN attains NaN.
static ATTAINS_OR_NAN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, m) = (b.input(0), b.input(1));
        x.eq(m).or(x.is_nan().and(m.is_nan()))
    })
});

/// g · \[x = m\] / n
static SHARE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, m, g, n) = (b.input(0), b.input(1), b.input(2), b.input(3));
        g * x.eq(m) / n
    })
});

/// As [`SHARE`], where NaN attains NaN.
static SHARE_OR_NAN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, m, g, n) = (b.input(0), b.input(1), b.input(2), b.input(3));
        x.eq(m).or(x.is_nan().and(m.is_nan())).select(g / n, 0.0)
    })
});

/// The shape with length 1 at the reduced dimensions (empty: all).
pub(crate) fn kept_shape(shape: &[usize], dims: &[i64]) -> Result<SmallVec<[i64; 6]>> {
    let reduced = wrap_dims(dims, shape.len())?;
    Ok((0..shape.len()).map(|d| if reduced.contains(&d) { 1 } else { shape[d] as i64 }).collect())
}

/// The gradient of an extremum `m` over `dims`, shared evenly among the elements that attain it. `m` and `g` have length 1
/// at the reduced dimensions.
fn share(x: &Tensor, m: &Tensor, g: &Tensor, dims: &[i64], nan: bool) -> Result<Tensor> {
    let (attains, share) = if nan { (&ATTAINS_OR_NAN, &SHARE_OR_NAN) } else { (&ATTAINS, &SHARE) };
    let n = sum_map("SumBackward1", Some(attains), &[&x.detach(), &m.detach()], &[], dims, true, Some(g.dtype()))?;
    map("DivBackward0", share, &[x, m, g, &n], &[])
}

/// Records a value of x without dimensions, whose gradient the elements that equal it share evenly (NaN equals NaN).
pub(crate) fn shared(name: &'static str, x: &Tensor, value: Array) -> Tensor {
    record(name, &[x], &[Save::Tensor("self", x), Save::Output("result", 0)], value, move |c| {
        let x = c.saved(0)?;
        let kept: SmallVec<[i64; 6]> = smallvec![1; x.dim()];
        Ok(smallvec![Some(share(&x, &view(&c.saved(1)?, &kept)?, &view(&c.grad(0)?, &kept)?, &[], true)?)])
    })
}

/// The function's name, for errors, and PyTorch's name of its backward.
struct Names {
    function: &'static str,
    backward: &'static str,
}

fn reduced(x: &Array, op: ReduceOp, dims: &[i64], keepdim: bool, function: &str) -> Result<Array> {
    let shape = x.shape();
    if shape.len() > 64 {
        return Err(Error::runtime("only tensors with up to 64 dims are supported"));
    }
    let wrapped = wrap_dims(dims, shape.len())?;
    if x.numel() == 0 {
        if dims.is_empty() {
            return Err(Error::runtime(format!(
                "{function}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with \
                 the 'dim' argument."
            )));
        }
        // PyTorch tells the dimension as it was given.
        if let Some((d, _)) = dims.iter().zip(&wrapped).find(|&(_, &d)| shape[d] == 0) {
            return Err(Error::index(format!("{function}(): Expected reduction dim {d} to have non-zero size.")));
        }
    }
    Ok(reduce(ReduceArgs::new(op, dims, keepdim), &[x], &[])?)
}

fn extremum(x: &Tensor, op: ReduceOp, dims: &[i64], keepdim: bool, nan: bool, names: Names) -> Result<Tensor> {
    let out = reduced(&x.array(), op, dims, keepdim, names.function)?;
    let kept = kept_shape(&x.size(), dims)?;
    let dims: SmallVec<[i64; 6]> = dims.into();
    Ok(record(names.backward, &[x], &[Save::Tensor("self", x), Save::Output("result", 0)], out, move |c| {
        let (m, g) = (view(&c.saved(1)?, &kept)?, view(&c.grad(0)?, &kept)?);
        Ok(smallvec![Some(share(&c.saved(0)?, &m, &g, &dims, nan)?)])
    }))
}

/// The largest value over the dimensions `dim` (empty: all), NaN if any is NaN: `torch.amax`. Elements that attain it share the
/// gradient evenly. With `keepdim` the dimensions stay with length 1.
///
/// # Errors
/// When there are no elements to take it of.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// assert_eq!(x.amax().item(), 5.0);
/// assert_eq!(x.amax_dim(1, false).to_vec::<f32>(), [5.0, 3.0]);
/// ```
#[op(torch, method, forms(
    amax() = (&[], false),
    amax_dim(dim: &[i64], keepdim: bool) = (dim, keepdim),
),
    default(keepdim = false)
)]
pub fn amax(x: &Tensor, dim: &[i64], keepdim: bool) -> Result<Tensor> {
    extremum(x, ReduceOp::Max, dim, keepdim, false, Names { function: "amax", backward: "AmaxBackward0" })
}

/// The smallest value over the dimensions `dim` (empty: all), NaN if any is NaN: `torch.amin`. Elements that attain it share the
/// gradient evenly. With `keepdim` the dimensions stay with length 1.
///
/// # Errors
/// When there are no elements to take it of.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// assert_eq!(x.amin().item(), 1.0);
/// assert_eq!(x.amin_dim(1, false).to_vec::<f32>(), [1.0, 2.0]);
/// ```
#[op(torch, method, forms(
    amin() = (&[], false),
    amin_dim(dim: &[i64], keepdim: bool) = (dim, keepdim),
),
    default(keepdim = false)
)]
pub fn amin(x: &Tensor, dim: &[i64], keepdim: bool) -> Result<Tensor> {
    extremum(x, ReduceOp::Min, dim, keepdim, false, Names { function: "amin", backward: "AminBackward0" })
}

/// The largest of all elements, NaN if any is NaN: `torch.max(x)`. Elements that attain it share the gradient evenly.
///
/// # Errors
/// When there are no elements.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// assert_eq!(x.max().item(), 5.0);
/// ```
#[op(torch, method)]
pub fn max(x: &Tensor) -> Result<Tensor> {
    extremum(x, ReduceOp::Max, &[], false, true, Names { function: "max", backward: "MaxBackward1" })
}

/// The smallest of all elements, NaN if any is NaN: `torch.min(x)`. Elements that attain it share the gradient evenly.
///
/// # Errors
/// When there are no elements.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// assert_eq!(x.min().item(), 1.0);
/// ```
#[op(torch, method)]
pub fn min(x: &Tensor) -> Result<Tensor> {
    extremum(x, ReduceOp::Min, &[], false, true, Names { function: "min", backward: "MinBackward1" })
}

/// The smallest and the largest value of each line along a dimension, or without one of all elements: `torch.aminmax`. Elements
/// that attain them share the gradient evenly.
///
/// # Errors
/// When there are no elements to take them of.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// let (min, max) = x.aminmax_dim(0, false);
/// assert_eq!(min.to_vec::<f32>(), [1.0, 2.0]);
/// assert_eq!(max.to_vec::<f32>(), [3.0, 5.0]);
/// ```
#[op(torch, method, forms(
    aminmax() = (None, false),
    aminmax_dim(dim: i64, keepdim: bool) = (Some(dim), keepdim),
))]
pub fn aminmax(x: &Tensor, dim: Option<i64>, keepdim: bool) -> Result<(Tensor, Tensor)> {
    let shape = x.size();
    if let Some(dim) = dim {
        let d = wrap_dim(dim, shape.len())?;
        if shape.get(d) == Some(&0) {
            return Err(Error::index(format!("aminmax: Expected reduction dim {d} to have non-zero size.")));
        }
    } else if x.numel() == 0 {
        return Err(Error::runtime(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.",
        ));
    }
    let dims: SmallVec<[i64; 1]> = dim.into_iter().collect();
    let array = x.array();
    let outputs = [ReduceOp::Min, ReduceOp::Max].map(|op| reduced(&array, op, &dims, keepdim, "aminmax"));
    let outputs = outputs.into_iter().collect::<Result<Vec<_>>>()?;
    let kept = kept_shape(&shape, &dims)?;
    let saves = [Save::Tensor("self", x), Save::Output("min", 0), Save::Output("max", 1)];
    let mut both = record_many("AminmaxBackward0", &[x], &saves, outputs, move |c| {
        let x = c.saved(0)?;
        let part = |i: usize| share(&x, &view(&c.saved(i + 1)?, &kept)?, &view(&c.grad(i)?, &kept)?, &dims, false);
        let sum = match (c.has_grad(0), c.has_grad(1)) {
            (true, true) => crate::ops::add(&part(0)?, &part(1)?, 1)?,
            (true, false) => part(0)?,
            _ => part(1)?,
        };
        Ok(smallvec![Some(sum)])
    });
    let max = both.pop().expect("two outputs");
    Ok((both.pop().expect("two outputs"), max))
}

/// The extremum of a dimension and its index.
fn with_index(x: &Tensor, which: Extremum, dim: i64, keepdim: bool, names: Names) -> Result<(Tensor, Tensor)> {
    let shape = x.size();
    let d = wrap_dim(dim, shape.len())?;
    if shape.get(d) == Some(&0) {
        return Err(Error::index(format!("{}(): Expected reduction dim {d} to have non-zero size.", names.function)));
    }
    let (values, indices) = arg_reduce(which, &x.array(), d)?;
    let finish = |a: Array| -> Result<Array> { if keepdim { Ok(a) } else { Ok(a.squeeze(Some(&[d as i64]))?) } };
    let kept = kept_shape(&shape, &[dim])?;
    let (values, indices) = (finish(values)?, finish(indices)?);
    let saves = [Save::Array("indices", indices.clone())];
    let mut both = record_many(names.backward, &[x], &saves, vec![values, indices], move |c| {
        let (g, positions) = (view(&c.grad(0)?, &kept)?, view(&c.saved(0)?, &kept)?);
        Ok(smallvec![Some(put_along(&g, &positions, d, &shape)?)])
    });
    let indices = both.pop().expect("two outputs");
    Ok((both.pop().expect("two outputs"), indices))
}

/// Zeros of `shape` with `x` at the places that `index` names along `dim`: the gradient of a choice.
pub(crate) fn put_along(x: &Tensor, index: &Tensor, dim: usize, shape: &[usize]) -> Result<Tensor> {
    let out = crate::ops::zeros(shape, x.dtype(), x.device())?;
    flambeau_tensor::ops::scatter(ScatterOp::Add, dim, &index.array(), &x.array(), &out.array())?;
    let out = out.array().clone();
    Ok(record("ScatterAddBackward0", &[x], &[Save::Tensor("index", index)], out, move |c| {
        Ok(smallvec![Some(take_along(&c.grad(0)?, &c.saved(0)?, dim)?)])
    }))
}

/// The elements of `x` that `index` names along `dim`.
fn take_along(x: &Tensor, index: &Tensor, dim: usize) -> Result<Tensor> {
    let out = flambeau_tensor::ops::gather(&x.array(), dim, &index.array())?;
    let shape = x.size();
    Ok(record("GatherBackward0", &[x], &[Save::Tensor("index", index)], out, move |c| {
        Ok(smallvec![Some(put_along(&c.grad(0)?, &c.saved(0)?, dim, &shape)?)])
    }))
}

/// The largest value of each line along a dimension, and the index where it stands first, which gets the gradient:
/// `torch.max(x, dim, keepdim)`.
///
/// # Errors
/// When the dimension has no elements.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// let (values, indices) = x.max_dim(1, false);
/// assert_eq!(values.to_vec::<f32>(), [5.0, 3.0]);
/// assert_eq!(indices.to_vec::<i64>(), [1, 0]);
/// ```
#[op(torch, method, positional, default(keepdim = false))]
pub fn max_dim(x: &Tensor, dim: i64, keepdim: bool) -> Result<(Tensor, Tensor)> {
    with_index(x, Extremum::Max, dim, keepdim, Names { function: "max", backward: "MaxBackward0" })
}

/// The smallest value of each line along a dimension, and the index where it stands first, which gets the gradient:
/// `torch.min(x, dim, keepdim)`.
///
/// # Errors
/// When the dimension has no elements.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// let (values, indices) = x.min_dim(1, false);
/// assert_eq!(values.to_vec::<f32>(), [1.0, 2.0]);
/// assert_eq!(indices.to_vec::<i64>(), [0, 1]);
/// ```
#[op(torch, method, positional, default(keepdim = false))]
pub fn min_dim(x: &Tensor, dim: i64, keepdim: bool) -> Result<(Tensor, Tensor)> {
    with_index(x, Extremum::Min, dim, keepdim, Names { function: "min", backward: "MinBackward0" })
}

fn arg_extremum(x: &Tensor, which: Extremum, dim: Option<i64>, keepdim: bool, function: &str) -> Result<Tensor> {
    if x.dtype() == DType::Bool {
        return Err(flambeau_tensor::Error::NotImplemented(format!("{function}(): does not support bool input")).into());
    }
    let x = x.detach();
    let Some(dim) = dim else {
        if x.numel() == 0 {
            return Err(Error::index(format!(
                "{function}(): Expected reduction dim to be specified for input.numel() == 0."
            )));
        }
        let (_, indices) = arg_reduce(which, &reshape(&x, &[-1])?.array(), 0)?;
        let shape: SmallVec<[i64; 6]> = if keepdim { smallvec![1; x.dim()] } else { SmallVec::new() };
        return view(&indices.into(), &shape);
    };
    let shape = x.size();
    let d = wrap_dim(dim, shape.len())?;
    if shape.get(d) == Some(&0) {
        return Err(Error::index(format!("{function}(): Expected reduction dim {d} to have non-zero size.")));
    }
    let (_, indices) = arg_reduce(which, &x.array(), d)?;
    Ok(if keepdim { indices } else { indices.squeeze(Some(&[d as i64]))? }.into())
}

/// The index of the largest value, the first of equals: along a dimension, or without one among all elements in row-major
/// order: `torch.argmax`.
///
/// # Errors
/// For bools, and when there are no elements.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// assert_eq!(x.argmax().item(), 1.0);
/// assert_eq!(x.argmax_dim(1, false).to_vec::<i64>(), [1, 0]);
/// ```
#[op(torch, method, not_differentiable, forms(
    argmax() = (None, false),
    argmax_dim(dim: i64, keepdim: bool) = (Some(dim), keepdim),
),
    default(keepdim = false)
)]
pub fn argmax(x: &Tensor, dim: Option<i64>, keepdim: bool) -> Result<Tensor> {
    arg_extremum(x, Extremum::Max, dim, keepdim, "argmax")
}

/// The index of the smallest value, the first of equals: along a dimension, or without one among all elements in row-major
/// order: `torch.argmin`.
///
/// # Errors
/// For bools, and when there are no elements.
///
/// ```
/// let x = torch::tensor([[1.0, 5.0], [3.0, 2.0]]);
/// assert_eq!(x.argmin().item(), 0.0);
/// assert_eq!(x.argmin_dim(1, false).to_vec::<i64>(), [0, 1]);
/// ```
#[op(torch, method, not_differentiable, forms(
    argmin() = (None, false),
    argmin_dim(dim: i64, keepdim: bool) = (Some(dim), keepdim),
),
    default(keepdim = false)
)]
pub fn argmin(x: &Tensor, dim: Option<i64>, keepdim: bool) -> Result<Tensor> {
    arg_extremum(x, Extremum::Min, dim, keepdim, "argmin")
}
